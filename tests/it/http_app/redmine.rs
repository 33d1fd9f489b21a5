//! Redmine, a server that nobody here wrote, connected by a file alone: the application on which a password that must be
//! changed is proven by logging in, and on which a leaver's work is handed over.

use std::time::Duration;

use provost::store::Purpose;
use secrecy::ExposeSecret as _;

use super::office::{Office, Person, anchor};
use super::passwords::{LETTERS, words};
use crate::cli::{code, stderr, stdout};
use crate::support::process::await_some;
use crate::support::redmine::{ANCHOR_FIELD, Door, Redmine};
use crate::support::relay::Relay;
use crate::support::{Cert, PASSWORD, Smtp, secrets};

const SUSPEND: &str = "[target.suspend]\n\
    default = [\"fuzz-password\", \"reassign:issues\", \"remove-entitlements\", \"deactivate\"]\n";
const LONG: Duration = Duration::from_secs(180);
const ACTIVE: u64 = 1;
const LOCKED: u64 = 3;

struct Story {
    office: Office,
    server: Redmine,
    /// Between Provost and the application.
    relay: Relay,
    /// Of Provost's letters.
    post: Smtp,
    /// Of the mails that the application sends by itself.
    own: Smtp,
}

impl Story {
    /// Three people with accounts; ada and bo work on a project, and bo is ada's manager.
    fn begin(mode: &str) -> Self {
        let mut people: Vec<Person> = [("ada", true), ("bo", true), ("cy", false)]
            .map(|(uid, sales)| Person::new(uid, uid, sales))
            .into();
        people[0].manager = Some("bo");
        let [post, own] = ["starttls", "plain"].map(|kind| Smtp::start(kind, Cert::Good));
        let server = Redmine::start(own.port);
        let relay = Relay::start(server.port);
        let office = Office::of("redmine", people);
        let dir = office.folder.path();
        let target = format!(
            "credentials = \"{mode}\"\n\n[target.settings]\nuser = \"admin\"\npassword = \"{}\"\nanchor-field = {ANCHOR_FIELD}",
            secrets::put(dir, "app.secret", PASSWORD)
        );
        let tables = [SUSPEND, &secrets::table(dir), &post.table(dir), LETTERS].concat();
        office.configure(&relay.url, &target, &tables);
        server.group("Sales", &[]);
        let story = Self {
            office,
            server,
            relay,
            post,
            own,
        };
        story.settle("the first load");
        story.server.project("work", &["ada", "bo"]);
        story
    }

    /// Runs until nothing is left to do, and no difference to what the application shows.
    fn settle(&self, what: &str) {
        for round in 0..6 {
            let args: &[&str] = if round % 2 == 0 {
                &["sync"]
            } else {
                &["sync", "--live"]
            };
            let output = self.office.provost(args);
            let text = stdout(&output);
            assert!(
                [0, 13].contains(&code(&output)),
                "{what}: {text}{}",
                stderr(&output)
            );
            if round % 2 == 1 && code(&output) == 0 && text.contains("nothing to do") {
                return;
            }
        }
        panic!("{what}: it never comes to rest");
    }

    /// The letters to somebody: which, and the password that each tells.
    fn letters(&self, uid: &str) -> Vec<(String, String)> {
        let to = format!("{uid}@example.test");
        let mails = self.post.mails().into_iter();
        mails
            .filter(|mail| mail["to"][0] == *to)
            .map(|mail| words(&mail))
            .collect()
    }

    /// The application told ada so often that her password is another, and told nobody which: neither of those that were
    /// sent to it.
    fn tells_no_password(&self, changes: usize) {
        let mails = await_some("the application's own mails", LONG, || {
            let mails = self.own.mails();
            let to_ada = mails.iter().filter(|mail| {
                let words = mail["text"].as_str().unwrap_or_default();
                mail["to"][0] == "ada@example.test" && words.contains("password has been changed")
            });
            (to_ada.count() >= changes).then_some(mails)
        });
        let seen = self.relay.seen();
        let sent: Vec<&str> = seen
            .iter()
            .filter_map(|request| request.body["user"]["password"].as_str())
            .collect();
        assert!(sent.len() > changes, "{}", sent.len());
        for mail in mails {
            let text = mail.to_string();
            assert!(
                !sent.iter().any(|one| text.contains(one)),
                "a password is in {}",
                mail["to"]
            );
        }
    }

    fn expire(&mut self, expired: bool, what: &str) {
        self.office.people[0].expired = expired;
        self.office.directory();
        self.settle(what);
    }

    /// Ada is shut out in every way, and what she had is the heir's or put away.
    fn is_shut(&self, own: &str) {
        let ada = self.server.user("ada");
        assert_eq!(ada["status"], LOCKED);
        assert_eq!(self.server.log_in("ada", own), Door::Closed);
        assert_eq!(self.server.groups_of("ada"), Vec::<String>::new());
        assert_eq!(self.server.groups_of("bo"), ["Board", "Sales"]);
        assert_eq!(self.server.issues_of("ada"), Vec::<String>::new());
        assert_eq!(
            self.server.issues_of("bo"),
            ["of ada", "of ada too", "of bo"]
        );
        // Not the lock alone: with the account open the password is another.
        let path = format!("/users/{}.json", ada["id"]);
        for (status, open) in [(ACTIVE, true), (LOCKED, false)] {
            let user = serde_json::json!({"user": {"status": status}});
            self.server.request("PUT", &path, Some(&user));
            assert_eq!(self.server.log_in("ada", own), Door::Closed, "{open}");
        }
    }

    /// What an administrator arranges: a board, and work.
    fn administer(&self) {
        self.server.group("Board", &["ada", "bo"]);
        for (subject, login) in [("of ada", "ada"), ("of ada too", "ada"), ("of bo", "bo")] {
            self.server.issue("work", subject, login);
        }
        self.settle("a look at what the administrator did");
        assert_eq!(self.server.groups_of("ada"), ["Board", "Sales"]);
    }

    fn is_back(&self) {
        assert_eq!(self.server.user("ada")["status"], ACTIVE);
        assert_eq!(self.server.groups_of("ada"), ["Board", "Sales"]);
        assert_eq!(
            self.server.issues_of("ada"),
            Vec::<String>::new(),
            "work stays with the heir"
        );
        assert_eq!(self.server.users().len(), 4, "three and the administrator");
    }
}

#[test]
fn a_password_that_was_reset_must_be_changed_at_the_first_login() {
    let mut story = Story::begin("reset");
    let (kind, first) = story.letters("ada").remove(0);
    assert_eq!(kind, "welcome");
    assert_eq!(story.server.log_in("ada", &first), Door::MustChange);
    let own = "Her own choice 1";
    story.server.choose("ada", &first, own);
    assert_eq!(story.server.log_in("ada", own), Door::In);
    assert_eq!(story.server.log_in("ada", &first), Door::Closed);
    story.administer();

    story.expire(true, "a leaver");
    story.is_shut(own);
    assert_eq!(story.letters("ada").len(), 1, "nobody is told a fuzz");

    story.expire(false, "a rehire");
    story.is_back();
    let (kind, temporary) = story.letters("ada").remove(1);
    assert_eq!(kind, "reset");
    assert_eq!(story.server.log_in("ada", &temporary), Door::MustChange);
    story.server.choose("ada", &temporary, "Her own choice 2");
    assert_eq!(story.server.log_in("ada", "Her own choice 2"), Door::In);
    assert_eq!(story.server.log_in("ada", own), Door::Closed);
    assert_eq!(story.letters("ada").len(), 2);
    // The first, her own, the fuzz, the temporary one, and her own again.
    story.tells_no_password(5);
    let (_, cy) = story.letters("cy").remove(0);
    assert_eq!(
        story.server.log_in("cy", &cy),
        Door::MustChange,
        "as it was"
    );
}

#[test]
fn a_managed_password_need_not_be_changed_and_is_the_same_again() {
    let mut story = Story::begin("managed");
    let (kind, own) = story.letters("ada").remove(0);
    assert_eq!(kind, "welcome");
    assert_eq!(story.server.log_in("ada", &own), Door::In);
    story.administer();
    story.expire(true, "a leaver");
    story.is_shut(&own);
    story.expire(false, "a rehire");
    story.is_back();
    assert_eq!(story.server.log_in("ada", &own), Door::In);
    let vault = secrets::vault(&story.office.folder.path().join("state"));
    let kept = secrets::sealed(&vault, "app", &anchor(0), Purpose::Managed).unwrap();
    assert_eq!(kept.expose_secret(), own);
    assert_eq!(story.letters("ada").len(), 1);
}
