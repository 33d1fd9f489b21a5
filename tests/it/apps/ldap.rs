//! The company of a story in a real OpenLDAP, changed by OpenLDAP's own client, as its administrators would.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::support::OpenLdap;

const PEOPLE: &str = "ou=company,dc=example,dc=test";
const GROUPS: &str = "ou=teams,dc=example,dc=test";

/// Where the entries of people go who left: they keep their identity, and are not read any more.
const FORMER: &str = "ou=former,dc=example,dc=test";

/// Entries by DN: each attribute with its values.
type Entries = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// A directory server with the company in it.
#[derive(Debug)]
pub(super) struct Ldap {
    server: OpenLdap,
    /// What is in it now.
    now: RefCell<Entries>,
    /// Who left, by the DN from before.
    former: RefCell<Entries>,
}

impl Ldap {
    pub(super) fn start() -> Self {
        let server = OpenLdap::start(1);
        for base in [PEOPLE, GROUPS, FORMER] {
            server.modify(&format!(
                "dn: {base}\nchangetype: add\nobjectClass: organizationalUnit\n"
            ));
        }
        Self {
            server,
            now: RefCell::default(),
            former: RefCell::default(),
        }
    }

    /// The password that the source signs in with.
    pub(super) fn password(&self) -> &str {
        &self.server.password
    }

    /// The tables of the source.
    pub(super) fn source(&self, password: &str) -> String {
        let server = &self.server;
        format!(
            "[[source]]\nname = \"company\"\ntype = \"ldap\"\nurls = [\"{}\"]\nca-file = \"{}\"\nbind-name = \"{}\"\n\
             bind-password = \"{password}\"\nbases = [\"{PEOPLE}\"]\nfilter = \"(objectClass=inetOrgPerson)\"\n\
             \n[source.limits]\nshrink = {{ count = 5000, percent = 100 }}\n\n[source.groups]\nbases = [\"{GROUPS}\"]\n\
             filter = \"(objectClass=groupOfNames)\"\nmethod = \"member\"\n",
            server.ldap_url,
            server.ca_pem.display(),
            server.bind_dn
        )
    }

    /// Brings the server to what this LDIF says.
    pub(super) fn publish(&self, ldif: &str) {
        let wanted = entries(ldif);
        let mut now = self.now.borrow_mut();
        let mut former = self.former.borrow_mut();
        let mut changes = String::new();
        for dn in wanted.keys() {
            if let Some(entry) = former.remove(dn) {
                let (rdn, _) = dn.split_once(',').unwrap();
                write!(changes, "dn: {rdn},{FORMER}\n{}", moved(rdn, PEOPLE)).unwrap();
                now.insert(dn.clone(), entry);
            }
        }
        for (dn, attributes) in &wanted {
            match now.get(dn) {
                None => add(&mut changes, dn, attributes),
                Some(before) if before != attributes => {
                    modify(&mut changes, dn, before, attributes);
                }
                Some(_) => {}
            }
        }
        for (dn, entry) in now.iter().filter(|(dn, _)| !wanted.contains_key(*dn)) {
            let (rdn, _) = dn.split_once(',').unwrap();
            if rdn.starts_with("uid=") {
                write!(changes, "dn: {dn}\n{}", moved(rdn, FORMER)).unwrap();
                former.insert(dn.clone(), entry.clone());
            } else {
                write!(changes, "dn: {dn}\nchangetype: delete\n\n").unwrap();
            }
        }
        if !changes.is_empty() {
            self.server.modify(&changes);
        }
        *now = wanted;
    }
}

/// People and groups of an LDIF file, where this server has them, without what the server gives by itself.
fn entries(ldif: &str) -> Entries {
    let text = ldif
        .replace(super::company::PEOPLE_BASE, PEOPLE)
        .replace(super::company::GROUPS_BASE, GROUPS);
    let mut entries = Entries::new();
    for block in text.split("\n\n") {
        let mut lines = block.lines().filter_map(|line| line.split_once(": "));
        let Some(("dn", dn)) = lines.next() else {
            continue;
        };
        if !dn.starts_with("uid=") && !dn.starts_with("cn=") {
            continue;
        }
        let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in lines.filter(|(name, _)| *name != "entryUUID") {
            let values = attributes.entry(name.to_owned()).or_default();
            values.push(value.to_owned());
        }
        entries.insert(dn.to_owned(), attributes);
    }
    entries
}

fn moved(rdn: &str, to: &str) -> String {
    format!("changetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 0\nnewsuperior: {to}\n\n")
}

fn add(changes: &mut String, dn: &str, attributes: &BTreeMap<String, Vec<String>>) {
    write!(changes, "dn: {dn}\nchangetype: add\n").unwrap();
    for (name, values) in attributes {
        for value in values {
            writeln!(changes, "{name}: {value}").unwrap();
        }
    }
    changes.push('\n');
}

fn modify(
    changes: &mut String,
    dn: &str,
    before: &BTreeMap<String, Vec<String>>,
    after: &BTreeMap<String, Vec<String>>,
) {
    write!(changes, "dn: {dn}\nchangetype: modify\n").unwrap();
    for (name, values) in after
        .iter()
        .filter(|(name, values)| before.get(*name) != Some(*values))
    {
        writeln!(changes, "replace: {name}").unwrap();
        for value in values {
            writeln!(changes, "{name}: {value}").unwrap();
        }
        changes.push_str("-\n");
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        write!(changes, "delete: {name}\n-\n").unwrap();
    }
    changes.push('\n');
}
