//! Passwords end to end: the real service on a rehearsed clock, Synapse as the application, a real mail server. Whether a
//! password is right is said by Synapse's own login.

use serde_json::Value as Json;

use super::chat::Chat;
use super::office::Person;
use crate::cli::{code, stdout};
use crate::company::{OFFICE, QUIET};
use crate::daemon::Service;
use crate::support::{Cert, Smtp, secrets};

const MONDAY: &str = "2027-03-01T12:00:00Z";
const SHUT: &str = "2027-03-01T17:00:00Z";
const TUESDAY: &str = "2027-03-02T07:00:00Z";

const SUSPEND: &str = r#"
[target.suspend]
default = ["fuzz-password", "revoke-sessions", "block-login"]
access-window = ["fuzz-password", "revoke-sessions"]
"#;

pub(super) const LETTERS: &str = r#"
[delivery.welcome]
body = "welcome {{ login }} {{ password }} end"

[delivery.reset]
body = "reset {{ login }} {{ password }} end"
"#;

/// The chat, the post, and a company of two.
struct Story {
    chat: Chat,
    post: Smtp,
}

impl Story {
    fn begin(mode: &str) -> Self {
        let people = vec![
            Person::new("ada", "ada", false),
            Person::new("bo", "bo", false),
        ];
        let (chat, post) = (Chat::start(people), Smtp::start("starttls", Cert::Good));
        let dir = chat.folder.path();
        let tables = [
            SUSPEND,
            OFFICE,
            QUIET,
            &secrets::table(dir),
            &post.table(dir),
            LETTERS,
        ]
        .concat();
        let target = format!("credentials = \"{mode}\"");
        chat.configure(&chat.server.base_url, &target, &tables);
        let checked = chat.provost(&["check"]);
        assert_eq!(code(&checked), 0, "{}", stdout(&checked));
        Self { chat, post }
    }

    fn service(&self, now: &str) -> Service {
        Service::start_in(self.chat.folder.path(), now, |command| command)
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

    /// What Synapse says to a login: 200, or 403 for a wrong password or a locked account.
    fn logs_in(&self, uid: &str, password: &str) -> u16 {
        self.chat.server.log_in(uid, password).0
    }
}

/// `welcome ada PASSWORD end`
pub(super) fn words(mail: &Json) -> (String, String) {
    let text = mail["text"].as_str().unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words.len(), 4, "{text}");
    (words[0].to_owned(), words[2].to_owned())
}

fn at(service: &Service, now: &str) {
    service.clock(now);
    service.await_rest(now);
}

#[test]
fn a_managed_password_is_fuzzed_when_the_window_closes_and_is_the_same_again_when_it_opens() {
    let mut story = Story::begin("managed");
    let service = story.service(MONDAY);
    service.await_rest(MONDAY);
    // The joiner's letter opens the account.
    let letters = story.letters("ada");
    assert_eq!(letters.len(), 1, "{}", service.log());
    let (kind, own) = letters[0].clone();
    assert_eq!(kind, "welcome");
    let (status, session) = story.chat.server.log_in("ada", &own);
    assert_eq!(status, 200);
    let session = session.unwrap();
    assert_eq!(story.chat.server.who_am_i(&session), 200);
    at(&service, "2027-03-01T16:59:59Z");
    assert_eq!(story.logs_in("ada", &own), 200);
    // The window closes: the password is another, the sessions are gone, the account is as it was otherwise.
    at(&service, SHUT);
    assert_eq!(story.logs_in("ada", &own), 403, "{}", service.log());
    assert_eq!(story.chat.server.who_am_i(&session), 401);
    let account = story
        .chat
        .server
        .get("/_synapse/admin/v2/users/@ada:example.test");
    assert_eq!(account["locked"], false);
    // Killed in the night, and started again in the morning.
    service.kill();
    let service = story.service("2027-03-02T06:59:59Z");
    service.await_rest("2027-03-02T06:59:59Z");
    assert_eq!(story.logs_in("ada", &own), 403);
    at(&service, TUESDAY);
    assert_eq!(story.logs_in("ada", &own), 200, "{}", service.log());
    assert_eq!(
        story.letters("ada").len(),
        1,
        "nobody is told what they know"
    );
    leaver(&mut story, &service);
}

/// Somebody leaves: the lock alone would stop them, and so would the password alone.
fn leaver(story: &mut Story, service: &Service) {
    let own = story.letters("bo")[0].1.clone();
    assert_eq!(story.logs_in("bo", &own), 200);
    story.chat.people[1].present = false;
    story.chat.directory();
    for _ in 0..2 {
        let synced = service.command(&["sync"]);
        assert!([0, 13].contains(&code(&synced)), "{}", stdout(&synced));
    }
    assert_eq!(story.logs_in("bo", &own), 403, "{}", service.log());
    let path = "/_synapse/admin/v2/users/@bo:example.test";
    assert_eq!(story.chat.server.get(path)["locked"], true);
    let unlocked = serde_json::json!({"locked": false});
    story.chat.server.request("PUT", path, Some(&unlocked));
    assert_eq!(
        story.logs_in("bo", &own),
        403,
        "the old password is gone as well"
    );
}

#[test]
fn a_reset_password_is_delivered_once_at_each_opening_and_works() {
    let story = Story::begin("reset");
    let service = story.service(MONDAY);
    service.await_rest(MONDAY);
    let (kind, first) = story.letters("ada")[0].clone();
    assert_eq!(kind, "welcome");
    assert_eq!(story.logs_in("ada", &first), 200);
    at(&service, SHUT);
    assert_eq!(story.logs_in("ada", &first), 403);
    assert_eq!(
        story.letters("ada").len(),
        1,
        "nothing is told while it is shut"
    );
    // It opens, and the answer of the mail server is lost: the letter is sent once more, under the same id.
    story.post.fault("keep-and-drop");
    service.clock(TUESDAY);
    service.await_status("the first try", |_| story.letters("ada").len() == 2);
    service.await_rest(TUESDAY);
    story.post.fault("");
    at(&service, "2027-03-02T07:01:00Z");
    let letters = story.letters("ada");
    assert_eq!(letters.len(), 3, "{}", service.log());
    assert_eq!(letters[1], letters[2], "the same letter");
    let ids: Vec<String> = story.post.mails().iter().filter_map(message_id).collect();
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(
        (ids.len(), unique.len()),
        (6, 4),
        "two people, one letter twice each"
    );
    let (kind, second) = letters[2].clone();
    assert_eq!(kind, "reset");
    assert_ne!(first, second);
    assert_eq!(story.logs_in("ada", &second), 200, "{}", service.log());
    assert_eq!(story.logs_in("ada", &first), 403);
    at(&service, "2027-03-02T10:00:00Z");
    assert_eq!(code(&service.command(&["sync"])), 0);
    assert_eq!(story.letters("ada").len(), 3, "and never again");
    // The next night, the next password.
    at(&service, "2027-03-02T17:00:00Z");
    assert_eq!(story.logs_in("ada", &second), 403);
    at(&service, "2027-03-03T07:00:00Z");
    let third = story.letters("ada")[3].1.clone();
    assert_eq!(story.logs_in("ada", &third), 200);
    assert_eq!(story.logs_in("ada", &second), 403);
    // What was told is kept nowhere.
    drop(service);
    let verified = story.chat.provost(&["secrets", "verify"]);
    assert_eq!(code(&verified), 0, "{}", stdout(&verified));
}

pub(super) fn message_id(mail: &Json) -> Option<String> {
    let content = mail["content"].as_str()?;
    let line = content.lines().find(|line| line.starts_with("Message-ID"));
    line.map(str::to_owned)
}
