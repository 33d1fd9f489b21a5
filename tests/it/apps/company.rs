//! A made-up company in an LDIF file, and Provost configured for one application of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use provost::config::{Secrets, load};
use provost::target::{AccountWriter, connect};
use tempfile::TempDir;

use super::ldap::Ldap;
use crate::support::secrets;

pub(super) const PEOPLE_BASE: &str = "ou=People,dc=example,dc=org";
pub(super) const GROUPS_BASE: &str = "ou=Groups,dc=example,dc=org";

/// Somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Person {
    pub number: usize,
    pub given: String,
    pub sn: String,
    pub office: &'static str,
    pub title: &'static str,
    pub manager: Option<usize>,
    pub groups: BTreeSet<&'static str>,
    /// More attributes, which overrule the usual ones.
    pub more: BTreeMap<&'static str, String>,
}

impl Person {
    pub(super) fn mail(&self) -> String {
        let usual = || format!("p{:03}@example.org", self.number);
        self.more.get("mail").cloned().unwrap_or_else(usual)
    }

    pub(super) fn anchor(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.number)
    }
}

/// A company on disk.
#[derive(Debug)]
pub(super) struct Company {
    dir: TempDir,
    pub people: Vec<Person>,
    /// The lines of the target, without source, policy and limits.
    pub target: String,
    /// Tables of the configuration besides source and target.
    pub tables: String,
    /// The directory server that the people are in, if it is no file.
    pub ldap: Option<Ldap>,
}

impl Company {
    /// So many people in these offices, all in these groups; person 0 is everybody's manager.
    pub(super) fn new(people: usize, offices: &[&'static str], groups: &[&'static str]) -> Self {
        let person = |number: usize| Person {
            number,
            given: format!("Per{number}"),
            sn: format!("Son{number}"),
            office: offices[number % offices.len()],
            title: "Clerk",
            manager: (number > 0).then_some(0),
            groups: groups.iter().copied().collect(),
            more: BTreeMap::new(),
        };
        let company = Self {
            dir: tempfile::tempdir().unwrap(),
            people: (0..people).map(person).collect(),
            target: String::new(),
            tables: String::new(),
            ldap: None,
        };
        let mappings = company.path().join("mappings");
        fs::create_dir(&mappings).unwrap();
        for entry in fs::read_dir("mappings").unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, mappings.join(path.file_name().unwrap())).unwrap();
            }
        }
        company
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Keeps a secret in a file, and gives the reference to it.
    pub(super) fn secret(&self, name: &str, value: &str) -> String {
        secrets::put(self.path(), name, value)
    }

    /// The connector as the configuration describes it.
    pub(super) async fn connect(&self) -> Arc<dyn AccountWriter> {
        self.publish();
        let config = load(&self.path().join("provost.toml"), Secrets::Load);
        let config = config
            .unwrap_or_else(|problems| panic!("{problems}"))
            .config;
        connect(&config.targets[0].connector).await.unwrap()
    }

    /// Changes the customer's copy of a shipped file, as its administrator would.
    pub(super) fn edit(&self, file: &str, before: &str, after: &str) {
        let path = self.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(before), "{file} has no {before}");
        fs::write(path, text.replace(before, after)).unwrap();
    }

    /// Changes a line of the target.
    pub(super) fn edit_target(&mut self, before: &str, after: &str) {
        assert!(self.target.contains(before), "{}", self.target);
        self.target = self.target.replace(before, after);
    }

    pub(super) fn person(&mut self, number: usize) -> &mut Person {
        let mut people = self.people.iter_mut();
        people.find(|person| person.number == number).unwrap()
    }

    /// Somebody new, who begins like somebody else.
    pub(super) fn join(&mut self, number: usize, like: usize) {
        let mut person = self.person(like).clone();
        person.number = number;
        person.given = format!("Per{number}");
        person.sn = format!("Son{number}");
        person.more.clear();
        self.people.push(person);
    }

    /// Takes somebody out of the directory, and gives the person back for a return.
    pub(super) fn leave(&mut self, number: usize) -> Person {
        let at = self
            .people
            .iter()
            .position(|person| person.number == number);
        self.people.remove(at.unwrap())
    }

    /// Writes directory and configuration.
    pub(super) fn publish(&self) {
        let mut text = format!(
            "version = 1\nstate-dir = \"state\"\n\n{}\n[[target]]\nname = \"app\"\nsource = \"company\"\n\
             policy = \"sync\"\nreview-first-run = false\n{}\n[target.limits]\n",
            self.source(),
            self.target
        );
        for limit in [
            "suspend",
            "suspend-per-day",
            "rename",
            "revoke",
            "delete",
            "create",
            "update",
            "reactivate",
        ] {
            writeln!(text, "{limit} = {{ count = 5000, percent = 100 }}").unwrap();
        }
        text.push_str(&self.tables);
        fs::write(self.path().join("provost.toml"), text).unwrap();
    }

    /// Brings the people to where they are read from, and gives the tables of the source.
    fn source(&self) -> String {
        if let Some(ldap) = &self.ldap {
            ldap.publish(&self.ldif());
            return ldap.source(&self.secret("bind-password", ldap.password()));
        }
        fs::write(self.path().join("people.ldif"), self.ldif()).unwrap();
        format!(
            "[[source]]\nname = \"company\"\ntype = \"ldif\"\n\
             path = \"people.ldif\"\nflavour = \"ldap\"\nbases = [\"{PEOPLE_BASE}\"]\n\
             filter = \"(objectClass=inetOrgPerson)\"\nanchor = \"entryUUID\"\n\n[source.limits]\n\
             shrink = {{ count = 5000, percent = 100 }}\n\n[source.groups]\n\
             bases = [\"{GROUPS_BASE}\"]\nfilter = \"(objectClass=groupOfNames)\"\nmethod = \"member\"\n"
        )
    }

    fn dn(&self, number: usize) -> Option<String> {
        let person = self.people.iter().find(|person| person.number == number)?;
        Some(format!("uid=p{:03},{PEOPLE_BASE}", person.number))
    }

    fn ldif(&self) -> String {
        let mut text =
            String::from("version: 1\n\ndn: dc=example,dc=org\nobjectClass: dcObject\n\n");
        for dn in [PEOPLE_BASE, GROUPS_BASE] {
            write!(text, "dn: {dn}\nobjectClass: organizationalUnit\n\n").unwrap();
        }
        let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for person in &self.people {
            let number = person.number;
            let dn = self.dn(number).unwrap();
            let usual = [
                ("uid", format!("p{number:03}")),
                ("cn", format!("{} {}", person.given, person.sn)),
                ("givenName", person.given.clone()),
                ("sn", person.sn.clone()),
                ("mail", person.mail()),
                ("employeeNumber", (1000 + number).to_string()),
                ("title", person.title.to_owned()),
                ("l", person.office.to_owned()),
                ("telephoneNumber", format!("+1 555 {number:04}")),
            ];
            write!(
                text,
                "dn: {dn}\nobjectClass: inetOrgPerson\nentryUUID: {}\n",
                person.anchor()
            )
            .unwrap();
            for (name, value) in usual {
                let value = person.more.get(name).unwrap_or(&value);
                writeln!(text, "{name}: {value}").unwrap();
            }
            let extra = person.more.iter().filter(|(name, _)| !text_has(name));
            for (name, value) in extra {
                writeln!(text, "{name}: {value}").unwrap();
            }
            if let Some(manager) = person.manager.and_then(|manager| self.dn(manager)) {
                writeln!(text, "manager: {manager}").unwrap();
            }
            text.push('\n');
            for group in &person.groups {
                groups.entry(group).or_default().push(dn.clone());
            }
        }
        for (group, members) in groups {
            write!(
                text,
                "dn: cn={group},{GROUPS_BASE}\nobjectClass: groupOfNames\ncn: {group}\n"
            )
            .unwrap();
            for member in members {
                writeln!(text, "member: {member}").unwrap();
            }
            text.push('\n');
        }
        text
    }

    /// Runs the real binary.
    pub(super) fn provost(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["--config", "provost.toml", "--color", "never"])
            .args(args)
            .env_clear()
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    /// Runs it and expects one of these exit codes; gives what it said.
    pub(super) fn run(&self, args: &[&str], codes: &[i32]) -> String {
        let output = self.provost(args);
        let code = output.status.code().unwrap_or(-1);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let tail: String = said.chars().take(6000).collect();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            codes.contains(&code),
            "{args:?} ended with {code}\n{errors}\n{tail}"
        );
        said
    }

    /// The directory has changed: one full cycle.
    pub(super) fn sync(&self, codes: &[i32]) -> String {
        self.publish();
        self.run(&["sync"], codes)
    }
}

fn text_has(name: &str) -> bool {
    [
        "uid",
        "cn",
        "givenName",
        "sn",
        "mail",
        "employeeNumber",
        "title",
        "l",
        "telephoneNumber",
    ]
    .contains(&name)
}
