//! A company with its directory in a file, and an application connected by the files in `mappings/examples` alone: the
//! set-up of every test with such an application.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::cli::provost;

const CONFIG: &str = r#"
version = 1
state-dir = "state"

[[source]]
name = "people"
type = "ldif"
path = "people.ldif"
bases = ["dc=example,dc=test"]
end-attribute = "lastDay"
[source.groups]
bases = ["dc=example,dc=test"]

[[target]]
name = "app"
type = "http"
profile = "@APP@.profile.toml"
mapping = "@APP@.toml"
source = "people"
policy = "sync"
review-first-run = false
url = "@URL@"
@TARGET@

[target.limits]
suspend = { count = 5, percent = 100 }
suspend-per-day = { count = 500, percent = 100 }
"#;

/// One person of the directory.
pub(super) struct Person {
    pub uid: &'static str,
    pub name: &'static str,
    pub mail: String,
    pub sales: bool,
    /// Whose uid the directory names as their manager.
    pub manager: Option<&'static str>,
    pub present: bool,
    /// Their last day has passed.
    pub expired: bool,
}

impl Person {
    /// Somebody whose mail is named after them.
    pub(super) fn new(uid: &'static str, name: &'static str, sales: bool) -> Self {
        Self {
            uid,
            name,
            mail: format!("{uid}@example.test"),
            sales,
            manager: None,
            present: true,
            expired: false,
        }
    }
}

/// The directory, and what Provost knows of it and of an application.
pub(super) struct Office {
    pub folder: tempfile::TempDir,
    pub people: Vec<Person>,
    app: &'static str,
}

impl Office {
    /// People who have no account yet in the application of which there are example files of this name.
    pub(super) fn of(app: &'static str, people: Vec<Person>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/examples");
        for kind in ["profile.toml", "toml"] {
            let name = format!("{app}.{kind}");
            fs::copy(examples.join(&name), folder.path().join(&name)).unwrap();
        }
        let office = Self {
            folder,
            people,
            app,
        };
        office.directory();
        office
    }

    /// Writes the configuration: where the application is reached, more lines of the target, more tables of the file.
    pub(super) fn configure(&self, url: &str, target: &str, tables: &str) {
        let config = CONFIG
            .replace("@APP@", self.app)
            .replace("@URL@", url)
            .replace("@TARGET@", target);
        let path = self.folder.path().join("provost.toml");
        fs::write(path, config + tables).unwrap();
    }

    /// Writes the directory as it is now.
    pub(super) fn directory(&self) {
        let mut text = String::from(
            "version: 1\n\ndn: dc=example,dc=test\nobjectClass: domain\ndc: example\n\n",
        );
        let mut members = String::new();
        for (n, person) in self.people.iter().enumerate().filter(|(_, p)| p.present) {
            use base64::Engine as _;
            let name = base64::engine::general_purpose::STANDARD.encode(person.name);
            let dn = format!("uid={},dc=example,dc=test", person.uid);
            text.push_str(&format!(
                "dn: {dn}\nobjectClass: inetOrgPerson\nentryUUID: {}\nuid: {}\ncn:: {name}\nsn: x\nmail: {}\n",
                anchor(n),
                person.uid,
                person.mail
            ));
            if person.expired {
                text.push_str("lastDay: 20200101000000Z\n");
            }
            if let Some(manager) = person.manager {
                text.push_str(&format!("manager: uid={manager},dc=example,dc=test\n"));
            }
            text.push('\n');
            if person.sales {
                members.push_str(&format!("member: {dn}\n"));
            }
        }
        text.push_str(&format!(
            "dn: cn=Sales,dc=example,dc=test\nobjectClass: groupOfNames\ncn: Sales\nmember: uid=nobody,dc=example,dc=test\n{members}\n"
        ));
        let new = self.folder.path().join("people.new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.folder.path().join("people.ldif")).unwrap();
    }

    /// A command, to its end.
    pub(super) fn provost(&self, args: &[&str]) -> Output {
        let all = [&["--config", "provost.toml"], args].concat();
        provost(self.folder.path(), &all)
    }
}

/// The anchor of the nth person.
pub(super) fn anchor(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}
