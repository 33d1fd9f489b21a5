//! The tests inside a mapping file: a person goes in, an account is expected.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use toml::de::DeValue;

use super::program::plain;
use super::reader::{Desk, Node};
use super::suggest::nearest;
use super::{Mapping, Projected, Projection, Scope, dn, settings};
use crate::model::normalise_dn;
use crate::model::{Anchor, Attributes, Group, Identity, Problem, SourceState, SourceValue, Value};

/// The keys of a test.
const KEYS: &[&str] = &[
    "name",
    "given",
    "expect",
    "absent",
    "in-scope",
    "entitlements",
    "hold",
];

/// One test.
#[derive(Debug)]
pub(super) struct Trial {
    name: String,
    path: String,
    span: Range<usize>,
    given: Identity,
    expect: Vec<(String, Value, Range<usize>)>,
    absent: Vec<(String, Range<usize>)>,
    in_scope: bool,
    scope_span: Range<usize>,
    entitlements: Option<(BTreeSet<String>, Range<usize>)>,
    hold: Option<(String, Range<usize>)>,
}

impl Trial {
    /// Reads one `[[test]]`; `names` are the account attributes of the mapping.
    pub fn compile(node: &Node<'_>, names: &[&str], desk: &mut Desk<'_>) -> Option<Self> {
        node.only(KEYS, desk);
        if node.value("name").is_none() {
            desk.advise(
                node.span.clone(),
                &node.path,
                "this test has no name",
                "add name = \"…\"",
            );
        }
        if node.value("given").is_none() {
            let help = "add given = { attribute = \"value\", … }";
            desk.advise(
                node.span.clone(),
                &node.path,
                "this test has no person",
                help,
            );
        }
        let name = node.text("name", desk);
        let given = node
            .table("given", desk)
            .and_then(|given| identity(&given, desk));
        let mut expect = Vec::new();
        if let Some(table) = node.table("expect", desk) {
            for (key, span, value) in table.entries() {
                known(key, span, &table.field(key), names, desk);
                match settings::constant(value.get_ref()) {
                    Some(found) => expect.push((key.to_owned(), found, value.span())),
                    None => table.wrong(
                        key,
                        "a text, true, false, a whole number or a list of texts",
                        desk,
                    ),
                }
            }
        }
        let mut absent = Vec::new();
        for text in node.texts("absent", desk) {
            known(
                &text.value,
                text.span.clone(),
                &node.field("absent"),
                names,
                desk,
            );
            absent.push((text.value, text.span));
        }
        let entitlements = node.value("entitlements").map(|value| {
            let texts = node.texts("entitlements", desk);
            (
                texts.into_iter().map(|text| text.value).collect(),
                value.span(),
            )
        });
        let in_scope = node.flag("in-scope", desk).unwrap_or(true);
        let hold = node.text("hold", desk).map(|text| (text.value, text.span));
        Some(Self {
            name: name?.value,
            path: node.path.clone(),
            span: node.key_span("name"),
            given: given?,
            expect,
            absent,
            in_scope,
            scope_span: node.key_span("in-scope"),
            entitlements,
            hold,
        })
    }

    /// Runs the test; gives what is not as expected.
    pub fn run(&self, mapping: &Mapping) -> Vec<Problem> {
        let scope = mapping.scope(&self.given);
        let projection = mapping.project(&self.given);
        let mut problems = Vec::new();
        self.check_scope(&scope, &mut problems);
        self.check_account(&projection, &mut problems);
        self.check_holds(&scope, &projection, &mut problems);
        problems
    }

    fn fail(&self, span: &Range<usize>, field: &str, message: &str) -> Problem {
        let field = format!("{}.{field}", self.path);
        let message = plain(&format!("test \"{}\": {message}", self.name));
        Problem::new(Some(span.clone()), &field, message)
    }

    fn check_scope(&self, scope: &Scope, problems: &mut Vec<Problem>) {
        if scope.error.is_some() || scope.inside == self.in_scope {
            return;
        }
        let failed = scope.clauses.iter().find(|clause| !clause.holds);
        let message = failed.map_or_else(
            || "the person is in scope".to_owned(),
            |clause| format!("the person is not in scope ({})", clause.text),
        );
        problems.push(self.fail(&self.scope_span, "in-scope", &message));
    }

    fn check_account(&self, projection: &Projection, problems: &mut Vec<Problem>) {
        for (name, expected, span) in &self.expect {
            let found = projection.attributes.get(name);
            if !meets(found, expected) {
                let message = format!("{name} is {}, expected \"{expected}\"", shown(found));
                problems.push(self.fail(span, &format!("expect.{name}"), &message));
            }
        }
        for (name, span) in &self.absent {
            let found = projection.attributes.get(name);
            if !matches!(found, Some(Projected::Omit | Projected::Clear)) {
                let message = format!("{name} is {}, expected no value", shown(found));
                problems.push(self.fail(span, "absent", &message));
            }
        }
        if let (Some((expected, span)), Ok(found)) = (&self.entitlements, &projection.entitlements)
            && found != expected
        {
            let message = format!(
                "the entitlements are {}, expected {}",
                listed(found),
                listed(expected)
            );
            problems.push(self.fail(span, "entitlements", &message));
        }
    }

    fn check_holds(&self, scope: &Scope, projection: &Projection, problems: &mut Vec<Problem>) {
        let mut holds: Vec<&str> = scope.error.iter().map(String::as_str).collect();
        holds.extend(projection.entitlements.as_ref().err().map(String::as_str));
        holds.extend(projection.attributes.values().filter_map(held));
        match &self.hold {
            Some((part, span)) if !holds.iter().any(|why| why.contains(part)) => {
                let message = holds.first().map_or_else(
                    || format!("the person is not held, expected \"{part}\""),
                    |why| format!("the person is held with \"{why}\", expected \"{part}\""),
                );
                problems.push(self.fail(span, "hold", &message));
            }
            None if self.in_scope => {
                let unexpected = holds.first();
                problems.extend(unexpected.map(|why| {
                    let message = format!("the person is held: {why}");
                    self.fail(&self.span, "hold", &message)
                }));
            }
            Some(_) | None => {}
        }
    }
}

fn held(projected: &Projected) -> Option<&str> {
    match projected {
        Projected::Hold(why) => Some(why),
        Projected::Value(..) | Projected::Clear | Projected::Omit | Projected::Reference(_) => None,
    }
}

fn meets(found: Option<&Projected>, expected: &Value) -> bool {
    match found {
        Some(Projected::Value(value, _)) => value == expected,
        Some(Projected::Reference(dn)) => expected.as_text() == Some(dn),
        Some(Projected::Clear | Projected::Omit | Projected::Hold(_)) | None => false,
    }
}

fn shown(found: Option<&Projected>) -> String {
    match found {
        Some(Projected::Value(value, _)) => format!("\"{value}\""),
        Some(Projected::Reference(dn)) => format!("the person \"{dn}\""),
        Some(Projected::Clear) => "cleared".to_owned(),
        Some(Projected::Omit) | None => "left out".to_owned(),
        Some(Projected::Hold(_)) => "held".to_owned(),
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

fn known(name: &str, span: Range<usize>, field: &str, names: &[&str], desk: &mut Desk<'_>) {
    if names.contains(&name) {
        return;
    }
    let near = nearest(name, names.iter().copied());
    let help = near.map_or_else(
        || "tests can expect only attributes of this mapping".to_owned(),
        |near| format!("did you mean \"{near}\"?"),
    );
    desk.advise(
        span,
        field,
        format!("the mapping has no attribute \"{name}\""),
        help,
    );
}

/// The person of a test. `dn`, `anchor`, `groups` and `disabled` are themselves, everything else is an attribute.
fn identity(given: &Node<'_>, desk: &mut Desk<'_>) -> Option<Identity> {
    let mut identity = Identity {
        anchor: Anchor::new("00000000-0000-4000-8000-000000000001").ok()?,
        dn: "cn=test,dc=example,dc=com".to_owned(),
        attributes: Attributes::new(),
        groups: Vec::new(),
        state: SourceState::default(),
    };
    for (key, _, value) in given.entries() {
        match key {
            "dn" => identity.dn = given.text(key, desk)?.value,
            "anchor" => {
                let text = given.text(key, desk)?;
                match Anchor::new(&text.value) {
                    Ok(anchor) => identity.anchor = anchor,
                    Err(error) => desk.note(text.span, &given.field(key), error.to_string()),
                }
            }
            "disabled" => identity.state.disabled = given.flag(key, desk)?,
            "groups" => {
                let texts = given.texts(key, desk);
                identity.groups = texts.iter().map(|text| group(&text.value)).collect();
                identity.groups.sort();
                identity.groups.dedup();
            }
            name => match source_values(value.get_ref()) {
                Some(values) => identity.attributes.set(name, values),
                None => given.wrong(
                    name,
                    "a text, a whole number, true, false, { hex = \"…\" }, { base64 = \"…\" } or a list of these",
                    desk,
                ),
            },
        }
    }
    Some(identity)
}

/// A group by its DN, or by its name alone.
fn group(name: &str) -> Group {
    let by_dn = name
        .contains('=')
        .then(|| dn::leaf(name).zip(normalise_dn(name)))
        .flatten();
    let (leaf, dn) = by_dn.unwrap_or_else(|| {
        let dn = format!("cn={},ou=groups,dc=example,dc=com", name.to_lowercase());
        (name.to_owned(), dn)
    });
    Group {
        dn: Arc::from(dn),
        name: Arc::from(leaf),
    }
}

fn source_values(value: &DeValue<'_>) -> Option<Vec<SourceValue>> {
    match value {
        DeValue::Array(items) => items
            .iter()
            .map(|item| source_value(item.get_ref()))
            .collect(),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Boolean(_)
        | DeValue::Table(_)
        | DeValue::Float(_)
        | DeValue::Datetime(_) => source_value(value).map(|value| vec![value]),
    }
}

fn source_value(value: &DeValue<'_>) -> Option<SourceValue> {
    let text = |text: &str| Some(SourceValue::Text(text.into()));
    match value {
        DeValue::String(found) => text(found),
        DeValue::Integer(number) => text(number.as_str()),
        DeValue::Boolean(true) => text("TRUE"),
        DeValue::Boolean(false) => text("FALSE"),
        DeValue::Table(table) if table.len() == 1 => {
            let encoded = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
            let bytes = match (encoded("hex"), encoded("base64")) {
                (Some(hex), None) => unhex(hex)?,
                (None, Some(text)) => base64::engine::general_purpose::STANDARD
                    .decode(text)
                    .ok()?,
                (Some(_), Some(_)) | (None, None) => return None,
            };
            Some(SourceValue::Bytes(bytes.into()))
        }
        DeValue::Table(_) | DeValue::Array(_) | DeValue::Float(_) | DeValue::Datetime(_) => None,
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| {
        pairs
            .map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit))
            .collect()
    })
}
