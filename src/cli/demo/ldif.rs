//! The demo's company as LDIF (RFC 2849), the way an OpenLDAP export looks.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::company::{DEPARTMENTS, Person};

/// Where people are.
pub(super) const PEOPLE_BASE: &str = "ou=People,dc=example,dc=org";
/// Where groups are.
pub(super) const GROUPS_BASE: &str = "ou=Groups,dc=example,dc=org";

/// The whole directory: bases, people, groups.
pub(super) fn directory(people: &[Person]) -> String {
    let mut out = String::from("version: 1\n\n");
    entry(&mut out, "dc=example,dc=org", &["dcObject", "organization"]);
    attribute(&mut out, "dc", "example");
    attribute(&mut out, "o", "Example Company");
    out.push('\n');
    for (dn, name) in [(PEOPLE_BASE, "People"), (GROUPS_BASE, "Groups")] {
        entry(&mut out, dn, &["organizationalUnit"]);
        attribute(&mut out, "ou", name);
        out.push('\n');
    }
    for one in people {
        person(&mut out, one, people);
    }
    for (at, one) in DEPARTMENTS.iter().enumerate() {
        let members = people.iter().filter(|p| p.department == at).map(dn);
        group(&mut out, one.group, &members.collect::<Vec<_>>());
    }
    // Groups that open applications. Two of them hold groups only: people belong to them through their department.
    let heads = people.iter().filter(|p| p.number < DEPARTMENTS.len());
    group(&mut out, "app-reports", &heads.map(dn).collect::<Vec<_>>());
    group(&mut out, "app-crm", &["sales", "support"].map(group_dn));
    let all: Vec<String> = DEPARTMENTS.iter().map(|one| group_dn(one.group)).collect();
    group(&mut out, "app-wiki", &all);
    out
}

fn person(out: &mut String, one: &Person, people: &[Person]) {
    entry(out, &dn(one), &["inetOrgPerson"]);
    attribute(out, "entryUUID", &one.anchor().to_string());
    attribute(out, "uid", &one.login);
    attribute(out, "cn", &format!("{} {}", one.given, one.family));
    attribute(out, "displayName", &format!("{} {}", one.given, one.family));
    attribute(out, "givenName", &one.given);
    attribute(out, "sn", &one.family);
    attribute(out, "mail", &format!("{}@example.org", one.login));
    attribute(out, "employeeNumber", &format!("{}", 1000 + one.number));
    attribute(out, "departmentNumber", one.department_number());
    attribute(
        out,
        "employeeType",
        if one.external { "external" } else { "employee" },
    );
    attribute(out, "title", &one.title);
    attribute(
        out,
        "telephoneNumber",
        &format!("+49 30 5550 {:04}", one.number),
    );
    let manager = one
        .manager
        .and_then(|number| people.iter().find(|p| p.number == number));
    if let Some(manager) = manager {
        attribute(out, "manager", &dn(manager));
    }
    out.push('\n');
}

fn group(out: &mut String, name: &str, members: &[String]) {
    entry(out, &group_dn(name), &["groupOfNames"]);
    attribute(out, "cn", name);
    for member in members {
        attribute(out, "member", member);
    }
    out.push('\n');
}

fn dn(one: &Person) -> String {
    format!("uid={},{PEOPLE_BASE}", one.login)
}

fn group_dn(name: &str) -> String {
    format!("cn={name},{GROUPS_BASE}")
}

fn entry(out: &mut String, dn: &str, classes: &[&str]) {
    attribute(out, "dn", dn);
    for class in classes {
        attribute(out, "objectClass", class);
    }
}

/// One line; base64 where RFC 2849 §2 asks for it.
fn attribute(out: &mut String, name: &str, value: &str) {
    let safe_start = !value.starts_with([' ', ':', '<']) && !value.ends_with(' ');
    let safe = safe_start && value.bytes().all(|b| (b' '..=b'~').contains(&b));
    // Writing to a String cannot fail.
    if safe {
        writeln!(out, "{name}: {value}").ok();
    } else {
        writeln!(out, "{name}:: {}", STANDARD.encode(value)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::company::company;

    #[test]
    fn the_file_is_plain_ascii_and_names_everybody() {
        let text = directory(&company());
        assert!(text.is_ascii());
        assert_eq!(text.matches("\nentryUUID: ").count(), 300);
        assert!(text.contains("\nmanager: uid="));
        assert!(text.contains("\nsn:: "));
    }
}
