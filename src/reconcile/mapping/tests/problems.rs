//! Every problem of a mapping file: what is said, where the caret stands, what is advised.

use super::super::Mapping;
use super::file;

/// Body, the text under the caret, part of the message, part of the help.
type Row = (&'static str, &'static str, &'static str, &'static str);

fn check(rows: &[Row]) {
    for (body, caret, message, help) in rows {
        let text = file(body);
        let Err(problems) = Mapping::compile(&text) else {
            panic!(
                "this compiles:
{body}"
            );
        };
        let found = problems
            .iter()
            .find(|problem| problem.message.contains(message));
        let Some(found) = found else {
            panic!("no \"{message}\" among {problems:#?}\n{body}");
        };
        let span = found.span.clone().unwrap();
        assert_eq!(&text[span], *caret, "{message}");
        let advised = found.help.as_deref().unwrap_or_default();
        assert!(advised.contains(help), "{message}: {advised}");
        assert_eq!(problems.len(), 1, "{problems:#?}");
    }
}

const STRUCTURE: &[Row] = &[
    (
        "[attributs]\nx = 'x'\n[attributes]\ny = 'y'",
        "attributs",
        "unknown key \"attributs\"",
        "did you mean \"attributes\"?",
    ),
    (
        "[attributes.x]\nvalue = 'x'\nonmissing = 'omit'",
        "onmissing",
        "unknown key",
        "did you mean \"on-missing\"?",
    ),
    (
        "[attributes.x]\nvalue = 'x'\nzzz = 1",
        "zzz",
        "unknown key",
        "known here: value, expression",
    ),
    ("[attributes]\nx = 1.5", "1.5", "found a float", ""),
    ("[attributes]\nx = ''", "''", "must not be empty", ""),
    (
        "[attributes.x]\nvalue = 'x'\nunique = 'yes'",
        "'yes'",
        "expected true or false, found a string",
        "",
    ),
    (
        "[attributes.x]\nvalue = '{{ a }}'\napply = 'never'",
        "'never'",
        "unknown value \"never\"",
        "always, on-create",
    ),
    (
        "[attributes.x]\nunique = true",
        "x",
        "this attribute has no value",
        "add value",
    ),
    (
        "[attributes.x]\nvalue = 'x'\nexpression = 'x'",
        "expression",
        "only one of value and expression",
        "",
    ),
    (
        "[attributes.x]\nvalue = '{{ a }}'\nalternatives = ['b']",
        "alternatives",
        "only for unique",
        "unique = true",
    ),
    (
        "[attributes.x]\nvalue = '{{ a }}'\nimmutable = true\non-missing = 'clear'",
        "on-missing",
        "never cleared",
        "hold or omit",
    ),
    (
        "[attributes.x]\nvalue = '{{ a }}'\napply = 'on-create'\non-missing = 'clear'",
        "on-missing",
        "only on create",
        "hold or omit",
    ),
    (
        "[attributes.x]\nvalue = 'same'\nunique = true",
        "unique",
        "same for everybody",
        "",
    ),
    (
        "[attributes.x]\nreference = 'm'\nunique = true",
        "unique",
        "a reference cannot be unique",
        "",
    ),
    (
        "[attributes.x]\nreference = '{{ manager }}'",
        "'{{ manager }}'",
        "not the name of an attribute",
        "manager",
    ),
    (
        "[attributes.x]\nvalue = '{{ a }}'\non-missing = { default = 1.5 }",
        "{ default = 1.5 }",
        "not a value",
        "on-missing =",
    ),
    (
        "[attributes]\nuserName = '{{ a }}'\nusername = '{{ b }}'",
        "username",
        "are the same attribute",
        "keep one",
    ),
    (
        "[attributes]\nx = 'x'\n[[match]]\naccount = 'y'\nvalue = 'z'",
        "value",
        "recognises nobody",
        "{{ mail }}",
    ),
    (
        "[attributes]\nx = 'x'\n[lookup.t]\nSales = 'a'\nSALES = 'b'",
        "SALES",
        "here twice",
        "",
    ),
    (
        "[attributes]\nx = 'x'\n[scope]\nou = ['People']",
        "'People'",
        "is not a DN",
        "whole DN",
    ),
    (
        "[attributes]\nx = 'x'\n[[entitlement]]\nname = 'a'\ngroups = ['b']\nfrom-groups = 'c'",
        "from-groups",
        "exclude each other",
        "",
    ),
    (
        "[attributes]\nx = 'x'\n[[entitlement]]\nfrom-groups = 'c*'\nname = '{{ group }}'\nowns = 'all'",
        "owns",
        "every entitlement",
        "ours",
    ),
    (
        "[attributes]\nx = 'x'\n[[test]]\nname = 't'\ngiven = {}\nexpect = { xx = 'a' }",
        "xx",
        "no attribute \"xx\"",
        "did you mean \"x\"?",
    ),
    (
        "[attributes]\nx = 'x'\n[[test]]\nname = 't'\ngiven = { photo = { hex = 'f' } }",
        "{ hex = 'f' }",
        "found a table",
        "",
    ),
];

#[test]
fn structure() {
    check(STRUCTURE);
}

const PROGRAMS: &[Row] = &[
    (
        "[attributes]\nx = '{{ sn | lowr }}'",
        "lowr",
        "unknown filter \"lowr\"",
        "did you mean \"lower\"?",
    ),
    (
        "[attributes]\nx = '{{ all(\"a\") | map(\"lowr\") | join }}'",
        "\"lowr\"",
        "unknown filter",
        "lower",
    ),
    (
        "[attributes]\nx = '{% if sn is startswith(\"a\") %}x{% endif %}'",
        "startswith",
        "unknown test",
        "startingwith",
    ),
    (
        "[attributes]\nx = '{{ lower(sn) }}'",
        "lower",
        "unknown function \"lower\"",
        "is a filter: write value | lower",
    ),
    (
        "[attributes]\nx = '{{ firstof(sn) }}'",
        "firstof",
        "unknown function",
        "first_of",
    ),
    (
        "[attributes]\nx = '{{ ms-DS-Guid }}'",
        "ms-DS-Guid",
        "reads as a subtraction",
        "attr('ms-DS-Guid')",
    ),
    (
        "[attributes]\nx = '{{ given_name }}'",
        "given_name",
        "no directory attribute can be called",
        "attr('given_name')",
    ),
    (
        "[attributes]\nx = '{{ group }}'",
        "group",
        "\"group\" is not known here",
        "from-groups",
    ),
    (
        "[attributes]\nx = '{{ sn }}{{ n }}'",
        "n",
        "\"n\" is not known here",
        "alternatives",
    ),
    (
        "[attributes]\nx = '{{ attr(sn) }}'",
        "attr",
        "needs the attribute's name",
        "attr('…')",
    ),
    (
        "[attributes]\nx = '{{ attr(\"a b\") }}'",
        "\"a b\"",
        "no directory attribute",
        "letters",
    ),
    (
        "[attributes]\nx = '{{ sn | lookup(\"rolle\") }}'\n[lookup.role]\na = 'b'",
        "\"rolle\"",
        "no table [lookup.rolle]",
        "did you mean \"role\"?",
    ),
    (
        "[attributes]\nx = '{{ sn | regex_find(\"(a\") }}'",
        "\"(a\"",
        "the pattern is not valid",
        "regex",
    ),
    (
        "[attributes]\nx = '{{ sn | regex_find(cn) }}'",
        "regex_find",
        "needs a pattern",
        "regex_find('…')",
    ),
    (
        "[attributes]\nx = { expression = 'in_ou(\"People\")' }",
        "\"People\"",
        "is not a DN",
        "whole DN",
    ),
    ("[attributes]\nx = '{{ sn'", "sn", "does not parse", ""),
    (
        "[attributes]\nx = { expression = 'a b' }",
        "b",
        "does not parse",
        "quotes",
    ),
    (
        "[scope]\ncondition = 'a ==='\n[attributes]\nx = 'x'",
        "=",
        "does not parse",
        "",
    ),
    (
        "[attributes]\nx = \"a\\u0062{{ sn | lowr }}\"",
        "\"a\\u0062{{ sn | lowr }}\"",
        "unknown filter",
        "lower",
    ),
    (
        "[attributes]\nx = '''\n{{ sn | lowr }}'''",
        "lowr",
        "unknown filter",
        "lower",
    ),
];

#[test]
fn templates_and_expressions() {
    check(PROGRAMS);
}

#[test]
fn what_is_missing_is_named_and_all_problems_come_at_once() {
    let messages = |text: &str| -> Vec<String> {
        let problems = Mapping::compile(text).err().unwrap_or_default();
        problems
            .into_iter()
            .map(|problem| problem.message)
            .collect()
    };
    assert_eq!(
        messages(""),
        [
            "the version of the mapping language is missing",
            "the mapping has no attributes",
            "nothing says how an existing account is recognised",
        ]
    );
    assert_eq!(
        messages(
            "version = 2\ntimezone = 'X/Y'\n[attributes.x]\nvalue = '{{ a | b }}'\nunique = true\n[[match]]\n[[entitlement]]\n[[test]]\n"
        ),
        [
            "this version of the mapping language is not known",
            "unknown time zone \"X/Y\"; use an IANA name such as Europe/Berlin or UTC",
            "unknown filter \"b\"",
            "this match rule compares nothing",
            "this match rule has no value",
            "this entitlement has no name",
            "nothing says who gets this entitlement",
            "this test has no name",
            "this test has no person",
        ]
    );
    let broken = Mapping::compile("version = 1\nversion = 2\nx = = 3\n")
        .err()
        .unwrap_or_default();
    assert!(broken.len() >= 2, "{broken:?}");
    assert!(
        broken.iter().all(|problem| problem.span.is_some()),
        "{broken:?}"
    );
}
