//! A made-up company in an LDIF file, with applications that are practice files: for tests that run whole cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use provost::config::{Secrets, load};
use provost::engine::Session;
use provost::model::{Account, Outcome, Value};
use provost::target::sandbox::snapshot;
use tempfile::TempDir;

use crate::support::process::await_some;

const MAPPING: &str = include_str!("../../mappings/sandbox.toml");
/// An access policy for everybody: weekdays in Berlin.
pub(super) const OFFICE: &str = r#"
[[access]]
name = "office"
everybody = true
windows = ["mon-fri 08:00-18:00"]
zone = "Europe/Berlin"
"#;
/// A schedule that leaves a test alone: besides the edges of access one run a night.
pub(super) const QUIET: &str =
    "[schedule]\nsync = \"0 3 * * *\"\nreconcile = \"never\"\njitter = \"0s\"\n";

const PEOPLE_BASE: &str = "ou=People,dc=example,dc=org";
const GROUPS_BASE: &str = "ou=Groups,dc=example,dc=org";
/// Department numbers of the mapping with what it makes of them.
const DEPARTMENTS: [(&str, &str, &str); 3] = [
    ("200", "Sales", "role-seller"),
    ("300", "Engineering", "role-developer"),
    ("400", "Support", "role-agent"),
];

/// Somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Person {
    pub number: usize,
    pub uid: String,
    pub title: String,
    pub department: usize,
    pub external: bool,
    pub manager: Option<usize>,
    /// Whether they are in the group that opens the CRM.
    pub crm: bool,
    pub ou: &'static str,
    /// From when on they must have no access, as the directory writes it.
    pub until: Option<String>,
}

/// A company on disk.
#[derive(Debug)]
pub(super) struct Company {
    dir: TempDir,
    pub people: Vec<Person>,
    /// Each application with what it does wrong.
    pub targets: BTreeMap<&'static str, Vec<String>>,
    pub mapping: String,
    /// Tables of the file besides sources and targets.
    pub service: String,
    /// More lines for each target.
    pub extra: &'static str,
    /// More capabilities of each target.
    pub can: &'static str,
    /// More tables of the file itself.
    pub tables: String,
}

impl Company {
    /// So many people and one application; nothing is written yet.
    pub(super) fn new(people: usize) -> Self {
        let person = |number: usize| Person {
            number,
            uid: format!("p{number:03}"),
            title: "Clerk".to_owned(),
            department: number % DEPARTMENTS.len(),
            external: number % 17 == 16,
            manager: (number > 0).then_some(number / 4),
            crm: number.is_multiple_of(3),
            ou: "East",
            until: None,
        };
        Self {
            dir: tempfile::tempdir().unwrap(),
            people: (0..people).map(person).collect(),
            targets: BTreeMap::from([("app", Vec::new())]),
            mapping: MAPPING.to_owned(),
            service: String::new(),
            extra: "review-first-run = false",
            can: "",
            tables: String::new(),
        }
    }

    /// The same company with everything in its folder, in a folder of its own.
    pub(super) fn copied(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let from = format!("{}/.", self.dir().display());
        let made = std::process::Command::new("cp")
            .args(["-a", &from])
            .arg(dir.path())
            .status();
        assert!(made.unwrap().success());
        Self {
            dir,
            people: self.people.clone(),
            targets: self.targets.clone(),
            mapping: self.mapping.clone(),
            service: self.service.clone(),
            extra: self.extra,
            can: self.can,
            tables: self.tables.clone(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn state(&self) -> PathBuf {
        self.dir().join("state")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.dir().join("provost.toml")
    }

    /// The file of an application.
    pub(super) fn file(&self, target: &str) -> PathBuf {
        self.dir().join(format!("{target}.jsonl"))
    }

    /// What an application does wrong from now on.
    pub(super) fn break_with(&mut self, faults: &[&str]) {
        let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
        self.targets.insert("app", faults);
    }

    pub(super) fn person(&mut self, number: usize) -> &mut Person {
        self.people
            .iter_mut()
            .find(|person| person.number == number)
            .unwrap()
    }

    pub(super) fn leave(&mut self, number: usize) {
        self.people.retain(|person| person.number != number);
        for person in &mut self.people {
            person.manager = person.manager.filter(|manager| *manager != number);
        }
    }

    /// Writes directory, mapping and configuration.
    pub(super) fn publish(&self) {
        // Replaced in one step: a run that reads meanwhile sees the old file or the new one.
        let new = self.dir().join("people.new");
        fs::write(&new, self.ldif()).unwrap();
        fs::rename(new, self.dir().join("people.ldif")).unwrap();
        fs::write(self.dir().join("mapping.toml"), &self.mapping).unwrap();
        fs::write(self.config(), self.settings()).unwrap();
    }

    fn settings(&self) -> String {
        let mut text = format!(
            "version = 1\nstate-dir = \"state\"\n{}\n\n[[source]]\nname = \"company\"\ntype = \"ldif\"\n\
             path = \"people.ldif\"\nflavour = \"ldap\"\nbases = [\"{PEOPLE_BASE}\"]\n\
             filter = \"(objectClass=inetOrgPerson)\"\nanchor = \"entryUUID\"\nend-attribute = \"lastDay\"\n\n[source.groups]\n\
             bases = [\"{GROUPS_BASE}\"]\nfilter = \"(objectClass=groupOfNames)\"\nmethod = \"member\"\n",
            self.service
        );
        for (name, faults) in &self.targets {
            write!(
                text,
                "\n[[target]]\nname = \"{name}\"\ntype = \"sandbox\"\nsource = \"company\"\n\
                 mapping = \"mapping.toml\"\npolicy = \"sync\"\npath = \"{name}.jsonl\"\n\
                 unique = [\"login\"]\nrequired = [\"login\"]\nfaults = {faults:?}\n{}\n\n\
                 [target.capabilities]\ndeactivate = true\nblock-login = false\ndelete = true\n\
                 list-inactive = true\nentitlements = true\n{}\n[target.limits]\n",
                self.extra, self.can
            )
            .unwrap();
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
        }
        text.push_str(&self.tables);
        text
    }

    fn dn(&self, number: usize) -> Option<String> {
        let person = self.people.iter().find(|person| person.number == number)?;
        Some(format!("uid={},ou={},{PEOPLE_BASE}", person.uid, person.ou))
    }

    /// The directory as it would be published.
    pub(super) fn ldif(&self) -> String {
        let mut text =
            String::from("version: 1\n\ndn: dc=example,dc=org\nobjectClass: dcObject\n\n");
        let east = format!("ou=East,{PEOPLE_BASE}");
        let west = format!("ou=West,{PEOPLE_BASE}");
        for dn in [PEOPLE_BASE, GROUPS_BASE, &east, &west] {
            write!(text, "dn: {dn}\nobjectClass: organizationalUnit\n\n").unwrap();
        }
        for person in &self.people {
            let number = person.number;
            write!(
                text,
                "dn: {}\nobjectClass: inetOrgPerson\nentryUUID: {}\nuid: {uid}\ncn: Person {number}\n\
                 displayName: Person {number}\ngivenName: Per\nsn: Son{number}\nmail: {uid}@example.org\n\
                 employeeNumber: {number}\ndepartmentNumber: {}\nemployeeType: {}\ntitle: {}\n",
                self.dn(number).unwrap(),
                anchor(number),
                DEPARTMENTS[person.department].0,
                if person.external { "external" } else { "employee" },
                person.title,
                uid = person.uid,
            )
            .unwrap();
            if let Some(until) = &person.until {
                writeln!(text, "lastDay: {until}").unwrap();
            }
            if let Some(manager) = person.manager.and_then(|manager| self.dn(manager)) {
                writeln!(text, "manager: {manager}").unwrap();
            }
            text.push('\n');
        }
        text.push_str(&format!(
            "dn: cn=app-crm,{GROUPS_BASE}\nobjectClass: groupOfNames\ncn: app-crm\n"
        ));
        for person in self.people.iter().filter(|person| person.crm) {
            writeln!(text, "member: {}", self.dn(person.number).unwrap()).unwrap();
        }
        text.push('\n');
        text
    }

    /// The accounts of an application as it has them itself.
    pub(super) fn accounts(&self, target: &str) -> Vec<Account> {
        snapshot(&self.file(target)).unwrap()
    }

    /// Nobody has two accounts, now.
    pub(super) fn no_duplicates(&self, target: &str) {
        let mut seen = BTreeSet::new();
        for account in self.accounts(target) {
            let key = held(&account, "external_id").unwrap();
            assert!(
                seen.insert(key.clone()),
                "{key} has two accounts in {target}"
            );
        }
    }

    /// Everybody has exactly the account they should have, and everybody else is locked out.
    pub(super) fn everybody_is_right(&self, target: &str) {
        self.no_duplicates(target);
        let accounts = self.accounts(target);
        let by_anchor: BTreeMap<String, &Account> = accounts
            .iter()
            .map(|account| (held(account, "external_id").unwrap(), account))
            .collect();
        let entitled: BTreeMap<String, &Person> = self
            .people
            .iter()
            .filter(|person| !person.external)
            .map(|person| (anchor(person.number), person))
            .collect();
        for (anchor, account) in &by_anchor {
            let active = account.active == Some(true);
            assert_eq!(active, entitled.contains_key(anchor), "{anchor}");
        }
        for (who, person) in &entitled {
            let account = by_anchor
                .get(who)
                .unwrap_or_else(|| panic!("{who} has no account"));
            let (_, department, role) = DEPARTMENTS[person.department];
            let manager = person.manager.map(anchor);
            let manager = manager.and_then(|manager| by_anchor.get(&manager));
            let manager = manager.map(|account| account.id.0.clone());
            for (name, value) in [
                ("login", Some(person.uid.clone())),
                ("mail", Some(format!("{}@example.org", person.uid))),
                ("title", Some(person.title.clone())),
                ("department", Some(department.to_owned())),
                ("manager", manager),
            ] {
                assert_eq!(held(account, name), value, "{who}: {name}");
            }
            let mut entitlements = BTreeSet::from([role.to_owned()]);
            if person.crm {
                entitlements.insert("crm".to_owned());
            }
            assert_eq!(account.entitlements, Some(entitlements), "{who}");
        }
    }
}

pub(super) fn anchor(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

pub(super) fn held(account: &Account, name: &str) -> Option<String> {
    account.attributes.get(name).map(Value::to_string)
}

/// A session with this configuration, as soon as its state is free: a child that another test is just starting may hold
/// the descriptors of the last session until it is another program.
pub fn session(config: &Path) -> Session {
    let loaded = load(config, Secrets::Load).unwrap_or_else(|problems| panic!("{problems}"));
    let open = || match Session::open(loaded.config.clone()) {
        Err(error) if error.outcome() == Outcome::Locked => None,
        opened => Some(opened.unwrap()),
    };
    await_some("the state", Duration::from_secs(30), open)
}
