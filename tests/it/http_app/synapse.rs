//! The sixth application: Synapse, a server with a REST interface that nobody here wrote, connected by a file alone.
//!
//! The real binary runs from a directory file; the server's own view is read by another client.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value as Json, json};

use crate::support::PASSWORD;
use crate::support::synapse::Synapse;

/// One person of the directory.
struct Person {
    uid: &'static str,
    name: &'static str,
    mail: &'static str,
    sales: bool,
    present: bool,
}

const fn person(uid: &'static str, name: &'static str, mail: &'static str, sales: bool) -> Person {
    Person {
        uid,
        name,
        mail,
        sales,
        present: true,
    }
}

/// A company, the server, and what Provost knows of both.
struct Story {
    folder: tempfile::TempDir,
    server: Synapse,
    people: Vec<Person>,
}

impl Story {
    fn begin() -> Self {
        let server = Synapse::start();
        server.room("Sales");
        let folder = tempfile::tempdir().unwrap();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/examples");
        for name in ["synapse.profile.toml", "synapse.toml"] {
            fs::copy(examples.join(name), folder.path().join(name)).unwrap();
        }
        let config = format!(
            r#"
version = 1
state-dir = "state"

[[source]]
name = "people"
type = "ldif"
path = "people.ldif"
bases = ["dc=example,dc=test"]
[source.groups]
bases = ["dc=example,dc=test"]

[[target]]
name = "chat"
type = "http"
profile = "synapse.profile.toml"
mapping = "synapse.toml"
source = "people"
policy = "sync"
suspend-with = ["block-login"]
review-first-run = false
protected-accounts = ["@provost:example.test"]
url = "{}"

[target.settings]
user = "provost"
password = "env:CHAT_PASSWORD"
server-name = "example.test"

[target.limits]
suspend = {{ count = 5, percent = 100 }}
"#,
            server.base_url
        );
        fs::write(folder.path().join("provost.toml"), config).unwrap();
        let people = vec![
            person("ada", "Ada Lovelace", "ada@example.test", true),
            person("bo", "Bo O'Brien \"the Boss\"", "bo@example.test", true),
            person("cy", "Zoë <李> 🦀", "cy@example.test", false),
            person("di", "Di {{ 7 * 7 }}", "di@example.test", false),
        ];
        Self {
            folder,
            server,
            people,
        }
    }

    /// Writes the directory as it is now.
    fn directory(&self) {
        let mut text = String::from(
            "version: 1\n\ndn: dc=example,dc=test\nobjectClass: domain\ndc: example\n\n",
        );
        let mut members = String::new();
        for (n, person) in self.people.iter().enumerate().filter(|(_, p)| p.present) {
            use base64::Engine as _;
            let name = base64::engine::general_purpose::STANDARD.encode(person.name);
            let dn = format!("uid={},dc=example,dc=test", person.uid);
            text.push_str(&format!(
                "dn: {dn}\nobjectClass: inetOrgPerson\nentryUUID: 00000000-0000-4000-8000-{n:012}\nuid: {}\ncn:: {name}\nsn: x\nmail: {}\n\n",
                person.uid, person.mail
            ));
            if person.sales {
                members.push_str(&format!("member: {dn}\n"));
            }
        }
        text.push_str(&format!(
            "dn: cn=Sales,dc=example,dc=test\nobjectClass: groupOfNames\ncn: Sales\nmember: uid=nobody,dc=example,dc=test\n{members}\n"
        ));
        fs::write(self.folder.path().join("people.ldif"), text).unwrap();
    }

    fn provost(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["--config", "provost.toml"])
            .args(args)
            .env_clear()
            .env("CHAT_PASSWORD", PASSWORD)
            .current_dir(self.folder.path())
            .output()
            .unwrap()
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
    let probed = story.text(&["probe", "chat"]);
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
    story.people[0].mail = "ada.king@example.test";
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
