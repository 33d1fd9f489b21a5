//! The guard from outside: the real binary, an LDIF company and the practice application.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use provost::target::sandbox::snapshot;
use serde_json::Value;

/// A company whose people can come and go.
struct Company {
    folder: tempfile::TempDir,
}

impl Company {
    fn new(people: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let company = Self { folder };
        company.write("provost.toml", CONFIG);
        company.write("app.toml", MAPPING);
        company.employ(0..people);
        company
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("written");
    }

    /// Exactly these people are in the directory.
    fn employ(&self, people: impl Iterator<Item = u32>) {
        let mut ldif =
            "version: 1\n\ndn: ou=people,dc=x\nobjectClass: organizationalUnit\nou: people\n"
                .to_owned();
        for n in people {
            let _infallible = write!(
                ldif,
                "\ndn: uid=p{n},ou=people,dc=x\nobjectClass: inetOrgPerson\nentryUUID: 00000000-0000-4000-8000-{n:012}\nuid: p{n}\ncn: Person {n}\nsn: {n}\n"
            );
        }
        self.write("people.ldif", &ldif);
    }

    fn provost(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["--config", "provost.toml", "--json"])
            .args(args)
            .env_clear()
            .current_dir(self.folder.path())
            .output()
            .expect("the binary starts")
    }

    /// Runs a command that must end with this code, and returns its JSON if it prints any.
    fn run(&self, args: &[&str], code: i32) -> Value {
        let output = self.provost(args);
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}\n{text}\n{errors}"
        );
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// How many accounts are active, and how many there are.
    fn accounts(&self) -> (usize, usize) {
        accounts(self.folder.path())
    }
}

fn accounts(folder: &Path) -> (usize, usize) {
    let all = snapshot(&folder.join("app.jsonl")).expect("the application's file");
    (
        all.iter().filter(|a| a.active == Some(true)).count(),
        all.len(),
    )
}

fn release(report: &Value) -> String {
    let digest = report["targets"][0]["guard"]["release"].as_str();
    digest
        .unwrap_or_else(|| panic!("nothing waits: {report}"))
        .to_owned()
}

const CONFIG: &str = r#"
version = 1
state-dir = "state"

[[source]]
name = "company"
type = "ldif"
path = "people.ldif"
flavour = "ldap"
bases = ["ou=people,dc=x"]

[[target]]
name = "app"
type = "sandbox"
source = "company"
mapping = "app.toml"
policy = "sync"
path = "app.jsonl"
unique = ["login"]
delete = { after = "30d" }

[target.capabilities]
deactivate = true
delete = true
"#;

const MAPPING: &str = r#"
version = 1

[[match]]
account = "login"
value = "{{ uid }}"

[attributes.login]
value = "{{ uid }}"
unique = true

[attributes.name]
value = "{{ cn }}"
"#;

#[test]
fn the_first_run_waits_and_a_digest_releases_that_plan_only() {
    let company = Company::new(50);
    let plan = company.run(&["plan"], 12);
    assert_eq!(company.accounts(), (0, 0), "a plan writes nothing");
    company.run(&["sync"], 12);
    assert_eq!(company.accounts(), (0, 0), "a first run writes nothing");
    company.run(&["release", "app", "--plan", "0123456789ab"], 1);
    let digest = release(&plan);
    company.run(&["release", "app", "--plan", &digest], 0);
    // The world moved on: what was released is not what would be done now.
    company.employ(0..51);
    company.run(&["sync"], 12);
    assert_eq!(company.accounts(), (0, 0));
    let again = company.run(&["plan"], 12);
    company.run(&["release", "app", "--plan", &release(&again)[..12]], 0);
    company.run(&["sync"], 0);
    assert_eq!(company.accounts(), (51, 51));
    let second = company.run(&["sync"], 0);
    assert_eq!(
        second["targets"][0]["results"].as_array().map(Vec::len),
        Some(0)
    );
}

#[test]
fn what_a_dry_run_showed_can_be_released_before_any_run() {
    let company = Company::new(40);
    let plan = company.run(&["plan"], 12);
    company.run(&["release", "app", "--plan", &release(&plan)], 0);
    company.run(&["sync"], 0);
    assert_eq!(company.accounts(), (40, 40));
}

#[test]
fn an_empty_or_shrunken_directory_makes_no_leavers() {
    let company = Company::new(100);
    company.run(
        &[
            "apply",
            "app",
            "--plan",
            &release(&company.run(&["plan"], 12)),
        ],
        0,
    );
    // Everybody is gone: refused, however often it is read.
    company.employ(0..0);
    for _ in 0..3 {
        company.run(&["sync"], 14);
    }
    assert_eq!(company.accounts(), (100, 100));
    // A quarter is gone: the read is not believed, so nobody is even counted as missing.
    company.employ(0..75);
    for _ in 0..3 {
        company.run(&["sync"], 14);
    }
    assert_eq!(company.accounts(), (100, 100));
    // Back to normal, nothing happened.
    company.employ(0..100);
    let report = company.run(&["sync"], 0);
    assert_eq!(
        report["targets"][0]["results"].as_array().map(Vec::len),
        Some(0)
    );
}

#[test]
fn a_mass_leave_needs_two_complete_reads_an_accepted_source_and_a_release() {
    let company = Company::new(100);
    company.run(
        &[
            "apply",
            "app",
            "--plan",
            &release(&company.run(&["plan"], 12)),
        ],
        0,
    );
    company.employ(0..75);
    company.run(&["sync"], 14);
    company.run(&["release", "--source", "company"], 0);
    company.run(&["sync"], 13); // the first complete read: held, missing once
    assert_eq!(company.accounts(), (100, 100));
    let staged = company.run(&["sync"], 12); // the second: leavers, but far too many
    assert_eq!(company.accounts(), (100, 100));
    company.run(&["release", "app", "--plan", &release(&staged)], 0);
    company.run(&["sync"], 0);
    assert_eq!(company.accounts(), (75, 100), "suspended, not deleted");
    // The release is used up: the next mass leave waits again.
    company.employ(0..72);
    company.run(&["sync"], 13);
    company.run(&["sync"], 12); // 3 would pass the limit of one run, but not that of the day
    assert_eq!(company.accounts(), (75, 100));
}
