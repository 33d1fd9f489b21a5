//! Values from a directory are never templates, never too much, and never make the program panic.

use proptest::prelude::*;

use super::super::{Mapping, Projected};
use super::{mapping, person, project, text};
use crate::model::{Group, Identity, SourceValue};

#[test]
fn values_stay_literal_text() {
    let mapping = mapping("[attributes]\nx = '{{ sn }}'");
    for value in [
        "{{ anchor }}",
        "{% for x in y %}",
        "{# #}",
        "a\u{0}b\r\n\u{1b}[2J",
        "<script>&amp;",
        "${jndi:ldap://x}",
        "\u{202e}evil",
    ] {
        assert_eq!(
            project(&mapping, &person(&[("sn", value)]), "x"),
            text(value)
        );
    }
}

/// Why a person is held; empty if not at all.
fn reason(projected: Projected) -> String {
    match projected {
        Projected::Hold(why) => why,
        Projected::Value(..) | Projected::Clear | Projected::Omit | Projected::Reference(_) => {
            String::new()
        }
    }
}

#[test]
fn what_grows_too_large_or_runs_too_long_is_held() {
    let big = "x".repeat(200_000);
    let table = [
        (
            "value = '{{ sn | replace(\"x\", sn) }}'",
            "larger than 1048576",
        ),
        (
            "value = '{{ sn | regex_replace(\"x\", \"$0$0$0$0$0$0$0$0\") }}'",
            "too large",
        ),
        (
            "value = '{{ sn }}{{ sn }}{{ sn }}{{ sn }}{{ sn }}{{ sn }}'",
            "larger than 1048576",
        ),
        (
            "value = '{% for c in sn | split(\"x\") %}{{ sn }}{% endfor %}'",
            "larger than 1048576",
        ),
        (
            "expression = '[sn, sn, sn, sn, sn, sn] | join'",
            "larger than 1048576",
        ),
        (
            "value = '{% for a in all(\"m\") %}{% for b in all(\"m\") %}{% for c in all(\"m\") %}{% set d = c %}{% endfor %}{% endfor %}{% endfor %}x'",
            "fuel",
        ),
    ];
    let mut person = person(&[("sn", big.as_str())]);
    let many = (0..100)
        .map(|n| SourceValue::Text(n.to_string().into()))
        .collect();
    person.attributes.set("m", many);
    for (body, expected) in table {
        let mapping = mapping(&format!("[attributes.x]\n{body}"));
        let why = reason(project(&mapping, &person, "x"));
        assert!(why.contains(expected), "{body}: {why}");
    }
    person.attributes.add_text("sn", &"y".repeat((1 << 20) + 1));
    let mapping = mapping("[attributes]\nx = '{{ sn }}'\ny = 'y'");
    let projection = mapping.project(&person);
    assert!(
        matches!(projection.attributes.get("y"), Some(Projected::Hold(why)) if why.contains("1048577 bytes"))
    );
    assert!(mapping.scope(&person).error.is_some());
}

#[test]
fn messages_carry_no_control_characters() {
    let mapping = mapping("[attributes]\nx = { expression = 'sn | date' }");
    let why = reason(project(&mapping, &person(&[("sn", "\u{1b}[2J\n")]), "x"));
    assert!(why.contains("is not a date"));
    assert!(!why.chars().any(char::is_control), "{why:?}");
}

const EVERYTHING: &str = r#"
[lifecycle]
starts = "b"
ends = "c | int"
[scope]
condition = "a | lower | bool or in_ou('ou=x,dc=y') and b > 3"
ou = ["ou=x"]
[lookup.t]
a = "b"
[attributes]
a = "{{ a | lower | trim | title | ascii | slug }}"
b = { expression = "[a, b, c] | map('default', '') | list" }
c = { expression = "a | int + b | int" }
d = "{{ a | date }}{{ b | date(from='generalized') }}{{ c | date(from='days') }}"
e = "{{ a | regex_replace('(.)(.)', '$2$1') }}{{ b | regex_find('x(y)?', 1) | default('') }}"
f = "{{ a | hex }}{{ b | base64 }}{{ c | guid }}"
g = { expression = "all('a') | sort | unique | reverse | first" }
h = "{{ a | split(',') | last }}{{ ou }}{{ parent }}{{ groups | join }}"
i = { reference = "a" }
j = { value = "{{ a | first_chars(3) }}", unique = true, alternatives = ["{{ b | last_chars(2) }}{{ n }}"] }
k = "{{ a | digits | lookup('t', 'x') }}{{ a ~ b ~ c }}"
l = { expression = "a < b and c in all('b') or a == c" }
[[entitlement]]
from-groups = "*"
name = "{{ group | upper }}"
"#;

fn value() -> impl Strategy<Value = SourceValue> {
    prop_oneof![
        any::<String>().prop_map(|text| SourceValue::Text(text.into())),
        "[0-9]{0,20}".prop_map(|text| SourceValue::Text(text.into())),
        "[0-9]{4}-?[0-9]{2}-?[0-9]{2}[T0-9:.,Z+-]{0,12}"
            .prop_map(|text| SourceValue::Text(text.into())),
        proptest::collection::vec(any::<u8>(), 0..20)
            .prop_map(|bytes| SourceValue::Bytes(bytes.into())),
    ]
}

prop_compose! {
    fn anybody()(
        a in proptest::collection::vec(value(), 0..3),
        b in proptest::collection::vec(value(), 0..3),
        c in proptest::collection::vec(value(), 0..3),
        dn in prop_oneof![any::<String>(), "([a-z]{1,2}=[^\u{0}]{0,5},){0,4}"],
        group in any::<String>(),
        disabled in any::<bool>(),
    ) -> Identity {
        let mut person = person(&[]);
        person.attributes.set("a", a);
        person.attributes.set("b", b);
        person.attributes.set("c", c);
        person.groups.push(Group { dn: dn.as_str().into(), name: group.into() });
        person.dn = dn;
        person.state.disabled = disabled;
        person
    }
}

proptest! {
    #[test]
    fn no_person_makes_a_mapping_panic(person in anybody()) {
        let mapping = mapping(EVERYTHING);
        let projection = mapping.project(&person);
        prop_assert_eq!(projection.attributes.len(), mapping.rules().len());
        prop_assert_eq!(&projection, &mapping.project(&person));
        prop_assert_eq!(mapping.scope(&person).clauses.len(), 2);
        prop_assert_eq!(mapping.explain(&person).attributes.len(), mapping.rules().len());
    }

    #[test]
    fn no_file_makes_compilation_panic(text in any::<String>(), expression in "[a-z|(){}%'\" .,#~+0-9-]{0,30}") {
        let quoted = toml::Value::from(expression.as_str());
        let bodies = [
            text.clone(),
            super::file(&text),
            super::file(&format!("[attributes]\nx = {quoted}")),
            super::file(&format!("[attributes]\nx = {{ expression = {quoted} }}")),
        ];
        for body in bodies {
            match Mapping::compile(&body) {
                Ok(mapping) => prop_assert!(mapping.project(&person(&[("a", "b")])).attributes.len() <= 1),
                Err(problems) => {
                    for problem in problems {
                        let inside = problem.span.is_none_or(|span| body.get(span).is_some());
                        prop_assert!(inside, "{body}");
                    }
                }
            }
        }
    }
}
