//! Tests of the mapping as a whole.

mod behaviour;
mod filters;
mod hostile;
mod problems;
mod shipped;

use super::{Mapping, Projected};
use crate::model::{Anchor, Attributes, Group, Identity, SourceState, Value, normalise_dn};

/// A person with these text attributes; a name may come several times.
fn person(attributes: &[(&str, &str)]) -> Identity {
    let mut found = Attributes::new();
    for (name, value) in attributes {
        found.add_text(name, value);
    }
    Identity {
        anchor: Anchor::new("00112233-4455-6677-8899-aabbccddeeff").unwrap(),
        dn: "CN=Jane Doe,OU=Sales,OU=People,DC=example,DC=com".to_owned(),
        attributes: found,
        groups: Vec::new(),
        state: SourceState::default(),
    }
}

/// The person as a member of these groups.
fn member(mut person: Identity, groups: &[&str]) -> Identity {
    for name in groups {
        let dn = format!("CN={name},OU=Groups,DC=example,DC=com");
        person.groups.push(Group {
            dn: normalise_dn(&dn).unwrap().into(),
            name: (*name).into(),
        });
    }
    person
}

/// A mapping file with a head that makes it complete.
fn file(body: &str) -> String {
    format!("version = 1\n[[match]]\naccount = \"id\"\nvalue = \"{{{{ anchor }}}}\"\n{body}")
}

fn mapping(body: &str) -> Mapping {
    let text = file(body);
    Mapping::compile(&text).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

/// What one attribute of a person becomes.
fn project(mapping: &Mapping, person: &Identity, name: &str) -> Projected {
    mapping.project(person).attributes.remove(name).unwrap()
}

/// A value without alternatives.
fn text(text: &str) -> Projected {
    Projected::Value(Value::text(text).unwrap(), Vec::new())
}

/// What an expression gives for a person, as text; `-` if it is missing, the message if it fails.
fn evaluate(expression: &str, person: &Identity) -> String {
    let quoted = toml::Value::from(expression).to_string();
    let body = format!(
        "[lookup.role]\nSales = 'seller'\nits = ['a', 'b']\n[attributes]\nx = {{ expression = {quoted} }}"
    );
    match project(&mapping(&body), person, "x") {
        Projected::Value(value, _) => value.to_string(),
        Projected::Omit => "-".to_owned(),
        Projected::Hold(why) => why,
        Projected::Clear | Projected::Reference(_) => "?".to_owned(),
    }
}
