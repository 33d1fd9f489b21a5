//! The sixth application: Synapse, a server with a REST interface that nobody here wrote, connected by a file alone.
//!
//! The real binary runs from a directory file; the server's own view is read by another client.

use std::ops::{Deref, DerefMut};

use serde_json::{Value as Json, json};

use super::chat::Chat;
use super::office::Person;

/// A company of four.
struct Story(Chat);

impl Deref for Story {
    type Target = Chat;
    fn deref(&self) -> &Chat {
        &self.0
    }
}

impl DerefMut for Story {
    fn deref_mut(&mut self) -> &mut Chat {
        &mut self.0
    }
}

impl Story {
    fn begin() -> Self {
        let chat = Chat::start(vec![
            Person::new("ada", "Ada Lovelace", true),
            Person::new("bo", "Bo O'Brien \"the Boss\"", true),
            Person::new("cy", "Zoë <李> 🦀", false),
            Person::new("di", "Di {{ 7 * 7 }}", false),
        ]);
        chat.server.room("Sales");
        let url = &chat.server.base_url;
        chat.configure(url, "suspend-with = [\"block-login\"]", "");
        Self(chat)
    }

    fn text(&self, args: &[&str]) -> String {
        let output = self.provost(args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{args:?}\n{text}\n{errors}");
        text
    }

    /// One cycle; returns what was done, in the order of application.
    fn sync(&self, args: &[&str]) -> Vec<String> {
        self.directory();
        let all: Vec<&str> = ["--json", "sync"].iter().chain(args).copied().collect();
        let output = self.provost(&all);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 13)), "{code:?}\n{text}\n{errors}");
        let report: Json = serde_json::from_str(&text).unwrap();
        let results = report["targets"][0]["results"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        results
            .iter()
            .map(|result| {
                assert_eq!(result["state"], "done", "{result}");
                format!(
                    "{} {}",
                    result["action"].as_str().unwrap_or_default(),
                    result["anchor"].as_str().unwrap_or_default()
                )
            })
            .collect()
    }

    fn account(&self, uid: &str) -> Json {
        self.server
            .get(&format!("/_synapse/admin/v2/users/@{uid}:example.test"))
    }

    fn holds(&self, person: &Person) {
        let account = self.account(person.uid);
        assert_eq!(account["displayname"], person.name, "{account}");
        assert_eq!(account["threepids"][0]["address"], person.mail, "{account}");
        assert_eq!(account["locked"], json!(!person.present), "{account}");
        if person.present {
            let id = format!("@{}:example.test", person.uid);
            let in_room = self.server.members("Sales").contains(&id);
            assert_eq!(in_room, person.sales, "{id}");
        }
    }

    fn check(&self) {
        self.people.iter().for_each(|person| self.holds(person));
    }
}

#[test]
fn a_company_lives_on_a_server_connected_by_a_file() {
    let mut story = Story::begin();
    story.directory();
    let checked = story.text(&["check"]);
    assert!(
        !checked.contains("assumed"),
        "everything in this profile is the vendor's own word: {checked}"
    );

    // Joiners.
    let done = story.sync(&[]);
    assert_eq!(
        done.iter().filter(|d| d.starts_with("create")).count(),
        4,
        "{done:?}"
    );
    story.check();
    assert_eq!(
        story.sync(&[]),
        Vec::<String>::new(),
        "a second run does nothing"
    );
    assert_eq!(
        story.sync(&["--live"]),
        Vec::<String>::new(),
        "nor when the live accounts are compared"
    );

    // The probe reads, and confirms what it reads.
    let probed = story.text(&["probe", "app"]);
    for fact in ["operation.list", "operation.get", "field.mail", "auth"] {
        assert!(probed.contains(fact), "{fact}: {probed}");
    }

    moves(&mut story);
    leaves_and_returns(&mut story);
    assert_eq!(
        story.server.number_of_users(),
        5,
        "four people and the administrator"
    );
    assert_eq!(
        story.server.devices_of("provost"),
        0,
        "each run ended its session"
    );
}

fn moves(story: &mut Story) {
    // A mover: another name, another address, another room.
    story.people[0].name = "Ada King";
    story.people[0].mail = "ada.king@example.test".to_owned();
    story.people[2].sales = true;
    story.people[1].sales = false;
    assert!(!story.sync(&[]).is_empty());
    story.check();
    assert!(
        !story
            .server
            .members("Sales")
            .contains(&"@bo:example.test".to_owned()),
        "revoked"
    );
    assert_eq!(story.sync(&["--live"]), Vec::<String>::new());
}

fn leaves_and_returns(story: &mut Story) {
    // A leaver is missing twice; then the account is locked, and its sessions are of no use.
    let token = story.server.session("di");
    story.people[3].present = false;
    assert_eq!(
        story.sync(&[]),
        Vec::<String>::new(),
        "nobody is locked after one read"
    );
    assert_eq!(story.sync(&[]).len(), 1);
    assert_eq!(story.account("di")["locked"], true);
    assert_eq!(
        story.server.who_am_i(&token),
        401,
        "a session that was open is closed to them"
    );
    assert_eq!(
        story.sync(&["--live"]),
        Vec::<String>::new(),
        "a locked account is still seen"
    );

    // The rehire gets the same account again.
    story.people[3].present = true;
    assert_eq!(story.sync(&[]).len(), 1);
    story.check();
    assert_eq!(story.sync(&["--live"]), Vec::<String>::new());
}

#[test]
fn a_taken_name_is_never_taken_over() {
    let story = Story::begin();
    story.server.register("ada", "The first Ada");
    story.sync(&[]);
    assert_eq!(
        story.account("ada")["displayname"],
        "The first Ada",
        "untouched"
    );
    assert_eq!(
        story.account("ada2")["displayname"],
        "Ada Lovelace",
        "the newcomer has the next name"
    );
}
