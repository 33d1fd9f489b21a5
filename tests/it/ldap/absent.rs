//! Who leaves the directory, seen from outside: the real binary, a directory and the practice application.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use provost::model::Account;
use provost::target::sandbox::snapshot;
use serde_json::Value;

use super::fake;
use crate::support::{OpenLdap, PASSWORD, SambaAd};

/// A configured Provost between a directory and the practice application.
pub(super) struct House {
    folder: tempfile::TempDir,
}

impl House {
    /// Everybody in the directory has an account at the start.
    fn with(source: &str) -> Self {
        Self::of_kind("ldap", "uid", source)
    }

    /// The same for a kind of source, where the login is in this attribute.
    fn of_kind(kind: &str, login: &str, source: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = CONFIG.replace("KIND", kind).replace("SOURCE", source);
        fs::write(folder.path().join("provost.toml"), config).unwrap();
        fs::write(
            folder.path().join("app.toml"),
            MAPPING.replace("uid", login),
        )
        .unwrap();
        let house = Self { folder };
        house.approve();
        house.rests();
        house
    }

    pub(super) fn of(up: &OpenLdap, more: &str) -> Self {
        Self::with(&format!(
            "urls = [\"{}\"]\nca-file = \"{}\"\nbind-name = \"{}\"\nbases = [\"{}\"]\n{more}",
            up.ldaps_url,
            up.ca_pem.display(),
            up.bind_dn,
            up.people_base
        ))
    }

    /// Between these parts of a domain and the practice application.
    pub(super) fn of_domain(up: &SambaAd, bases: &[String]) -> Self {
        Self::of_kind(
            "active-directory",
            "sAMAccountName",
            &format!(
                "urls = [\"{}\"]\nca-file = \"{}\"\nbind-name = \"{}\"\nbases = {bases:?}\n",
                up.ldaps_url,
                up.ca_pem.display(),
                up.bind_dn,
            ),
        )
    }

    /// Adds to the mapping.
    pub(super) fn maps(&self, more: &str) {
        let path = self.folder.path().join("app.toml");
        let mapping = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{mapping}\n{more}")).unwrap();
    }

    /// Applies the plan that waits for it.
    pub(super) fn approve(&self) {
        let plan = self.run(&["plan"], 12);
        let digest = plan["targets"][0]["digest"].as_str().unwrap();
        self.run(&["apply", "app", "--plan", digest], 0);
    }

    /// Runs a command that must end with this code.
    pub(super) fn run(&self, args: &[&str], code: i32) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["--config", "provost.toml", "--json"])
            .args(args)
            .env_clear()
            .env("DIRECTORY_PASSWORD", PASSWORD)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}\n{text}\n{errors}"
        );
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A run does everything there is to do.
    pub(super) fn finishes(&self) {
        self.run(&["sync"], 0);
    }

    /// Another run does nothing.
    pub(super) fn rests(&self) {
        let report = self.run(&["sync"], 0);
        assert_eq!(report["targets"][0]["results"], Value::Array(Vec::new()));
    }

    /// All accounts of the application.
    pub(super) fn accounts(&self) -> Vec<Account> {
        snapshot(&self.folder.path().join("app.jsonl")).unwrap()
    }

    /// The logins of accounts that are not active.
    pub(super) fn stopped(&self) -> Vec<String> {
        let accounts = self.accounts();
        let stopped = accounts.iter().filter(|a| a.active != Some(true));
        let mut logins: Vec<String> = stopped
            .filter_map(|a| a.attributes.get("login").map(ToString::to_string))
            .collect();
        logins.sort();
        logins
    }
}

fn shortfalls(report: &Value) -> String {
    report["targets"][0]["basis"]["shortfalls"].to_string()
}

pub(super) fn held(report: &Value) -> Vec<&str> {
    let all = report["targets"][0]["held"].as_array().unwrap().iter();
    all.map(|held| held["why"].as_str().unwrap()).collect()
}

#[test]
fn a_leaver_is_stopped_in_the_run_that_notices() {
    let up = OpenLdap::start(60);
    let house = House::of(&up, "");
    let people = &up.people_base;
    // Deleted, and moved out of what is read.
    up.modify(&format!(
        "dn: uid=u000030,{people}\nchangetype: delete\n\n\
         dn: uid=u000031,{people}\nchangetype: modrdn\nnewrdn: uid=u000031\ndeleteoldrdn: 1\nnewsuperior: ou=services,{}\n",
        up.base
    ));
    let plan = house.run(&["plan"], 10);
    assert_eq!(plan["targets"][0]["changes"].as_array().unwrap().len(), 2);
    assert_eq!(house.stopped(), Vec::<String>::new(), "a plan stops nobody");
    house.run(&["sync"], 0);
    assert_eq!(house.stopped(), ["u000030", "u000031"]);
    house.rests();
    // Renamed and moved within what is read: no leaver.
    up.modify(&format!(
        "dn: ou=inner,{people}\nchangetype: add\nobjectClass: organizationalUnit\nou: inner\n\n\
         dn: uid=u000032,{people}\nchangetype: modrdn\nnewrdn: uid=another\ndeleteoldrdn: 1\nnewsuperior: ou=inner,{people}\n"
    ));
    house.run(&["sync"], 0);
    assert_eq!(house.stopped(), ["u000030", "u000031"]);
    // Back again.
    up.modify(&format!(
        "dn: uid=u000031,ou=services,{}\nchangetype: modrdn\nnewrdn: uid=u000031\ndeleteoldrdn: 1\nnewsuperior: {people}\n",
        up.base
    ));
    house.run(&["sync"], 0);
    assert_eq!(house.stopped(), ["u000030"]);
    house.rests();
}

#[test]
fn confirmed_leavers_still_pass_the_guard() {
    let up = OpenLdap::start(60);
    let house = House::of(&up, "");
    for n in 40..45 {
        let dn = format!("uid=u0000{n},{}", up.people_base);
        up.modify(&format!("dn: {dn}\nchangetype: delete\n"));
    }
    let report = house.run(&["sync"], 12);
    assert_eq!(house.stopped(), Vec::<String>::new(), "five are too many");
    let digest = report["targets"][0]["guard"]["release"].as_str().unwrap();
    house.run(&["release", "app", "--plan", digest], 0);
    house.run(&["sync"], 0);
    assert_eq!(house.stopped().len(), 5);
}

#[test]
fn many_at_once_wait_for_a_second_complete_read() {
    let up = OpenLdap::start(80);
    let house = House::of(
        &up,
        "[source.limits]\nshrink = { count = 80, percent = 100 }",
    );
    for n in 40..70 {
        let dn = format!("uid=u0000{n},{}", up.people_base);
        up.modify(&format!("dn: {dn}\nchangetype: delete\n"));
    }
    let report = house.run(&["sync"], 13);
    let why = held(&report);
    assert!(why.len() > 25, "those who were active: {why:?}");
    assert!(why.iter().all(|why| *why == "missing-once"), "{why:?}");
    // Two reads agree; now it is for the guard.
    house.run(&["sync"], 12);
    assert_eq!(house.stopped(), Vec::<String>::new());
}

/// What the scripted directory does.
const BOTH: u8 = 0;
const HIDES_ONE: u8 = 1;
const BUSY_WHEN_ASKED: u8 = 2;
const GONE: u8 = 3;

/// Two people, and a directory that says of the second what it is told to.
fn scripted() -> (House, Arc<AtomicU8>) {
    let mood = Arc::new(AtomicU8::new(BOTH));
    let told = Arc::clone(&mood);
    let server = fake::serve(move |asked| {
        let mood = told.load(Ordering::SeqCst);
        let by_anchor = asked.names(fake::OTHER_TEXT);
        match (asked.operation, mood) {
            (fake::SEARCH, BUSY_WHEN_ASKED) if by_anchor => fake::refusal(asked.id, 51),
            (fake::SEARCH, HIDES_ONE) if by_anchor => {
                [fake::others(&asked), fake::done(asked.id)].concat()
            }
            (fake::SEARCH, _) if by_anchor => fake::done(asked.id),
            (fake::SEARCH, BOTH) if asked.names("ou=people") => {
                let last = fake::people(&asked, &fake::done(asked.id));
                [fake::others(&asked), last].concat()
            }
            (fake::SEARCH, _) if asked.names("ou=people") => {
                fake::people(&asked, &fake::done(asked.id))
            }
            _ => asked.politely(),
        }
    });
    let house = House::with(&format!(
        "urls = [\"ldap://127.0.0.1:{}\"]\ndanger-plain-text = true\nbind-name = \"cn=reader,dc=t\"\nbases = [\"ou=people,dc=t\"]\n\
         filter = \"(uid=*)\"",
        server.port
    ));
    (house, mood)
}

#[test]
fn a_list_that_the_directory_itself_contradicts_proves_nobodys_absence() {
    let (house, mood) = scripted();
    mood.store(HIDES_ONE, Ordering::SeqCst);
    for _ in 0..3 {
        let report = house.run(&["sync"], 14);
        assert!(
            shortfalls(&report).contains("is there when asked for by anchor"),
            "{report}"
        );
        assert_eq!(house.stopped(), Vec::<String>::new());
    }
    mood.store(BOTH, Ordering::SeqCst);
    house.rests();
}

#[test]
fn a_confirmation_that_fails_holds_until_the_next_complete_read() {
    let (house, mood) = scripted();
    mood.store(BUSY_WHEN_ASKED, Ordering::SeqCst);
    let report = house.run(&["sync"], 13);
    assert_eq!(held(&report), ["missing-once"]);
    assert_eq!(house.stopped(), Vec::<String>::new());
    // Whom the directory no longer returns is asked for by the login of the account.
    house.run(&["explain", "B"], 0);
    // Back before the second read: nothing was lost.
    mood.store(BOTH, Ordering::SeqCst);
    house.rests();
    mood.store(BUSY_WHEN_ASKED, Ordering::SeqCst);
    house.run(&["sync"], 13);
    house.run(&["sync"], 0);
    assert_eq!(house.stopped(), ["b"]);
}

#[test]
fn more_reads_are_awaited_where_more_are_asked_for() {
    let (house, mood) = scripted();
    let path = house.folder.path().join("provost.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{config}confirm-absence-reads = 4\n")).unwrap();
    house.run(&["sync"], 0);
    mood.store(GONE, Ordering::SeqCst);
    // The look by anchor counts like one read.
    for more in [
        "2 complete reads (a look by anchor counts as one); 2 more confirm it",
        "3 complete reads (a look by anchor counts as one); one more confirms it",
    ] {
        let report = house.run(&["sync"], 13);
        assert_eq!(held(&report), ["missing-once"]);
        let text = &report["targets"][0]["held"][0]["text"];
        assert_eq!(*text, format!("missing from {more}"));
    }
    house.run(&["sync"], 0);
    assert_eq!(house.stopped(), ["b"]);
}

const CONFIG: &str = r#"
version = 1
state-dir = "state"

[[source]]
name = "staff"
type = "KIND"
bind-password = "env:DIRECTORY_PASSWORD"
SOURCE

[[target]]
name = "app"
type = "sandbox"
source = "staff"
mapping = "app.toml"
policy = "sync"
path = "app.jsonl"
unique = ["login"]
"#;

const MAPPING: &str = r#"
version = 1

[[match]]
account = "login"
value = "{{ uid }}"

[attributes.login]
value = "{{ uid | lower }}"
unique = true
"#;
