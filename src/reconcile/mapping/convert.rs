//! Filters between types, the functions that templates can call, and the way from a template's value to an account's.

use std::collections::BTreeSet;

use base64::Engine as _;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use minijinja::value::{Rest, Value as Jinja, ValueKind};
use minijinja::{Environment, Error, State};

use super::dn;
use super::facts::Facts;
use super::filters::{items, refuse, sized, text};
use crate::model::normalise_dn;
use crate::model::{Group, Value};

/// Every function, for suggestions and checks.
pub(super) const FUNCTIONS: &[&str] = &["all", "attr", "first_of", "in_group", "in_ou"];
/// Every test after `is`.
pub(super) const TESTS: &[&str] = &[
    "defined",
    "undefined",
    "none",
    "string",
    "number",
    "sequence",
    "startingwith",
    "endingwith",
    "in",
    "eq",
    "ne",
];

/// Adds functions and tests to an environment.
pub(super) fn add(env: &mut Environment<'static>) {
    use minijinja::tests;
    env.add_function("attr", |state: &State<'_, '_>, name: &str| {
        Facts::of(state).map_or(Jinja::UNDEFINED, |facts| facts.first(name))
    });
    env.add_function("all", |state: &State<'_, '_>, name: &str| {
        Facts::of(state).map_or(Jinja::UNDEFINED, |facts| facts.all(name))
    });
    env.add_function("first_of", |values: Rest<Jinja>| {
        let empty = |value: &Jinja| value.as_str().is_some_and(str::is_empty);
        let found = values
            .iter()
            .find(|v| !v.is_undefined() && !v.is_none() && !empty(v));
        found.cloned().unwrap_or(Jinja::UNDEFINED)
    });
    env.add_function("in_group", |state: &State<'_, '_>, name: &str| {
        let wanted = GroupName::new(name);
        Facts::of(state).is_some_and(|facts| facts.groups().iter().any(|group| wanted.is(group)))
    });
    env.add_function("in_ou", |state: &State<'_, '_>, base: &str| {
        let base = dn::base(base);
        let facts = Facts::of(state);
        let path = facts.as_ref().and_then(|facts| facts.path());
        path.zip(base.as_ref())
            .is_some_and(|(path, base)| path.is_below(base))
    });
    env.add_test("defined", tests::is_defined);
    env.add_test("undefined", tests::is_undefined);
    env.add_test("none", tests::is_none);
    env.add_test("string", tests::is_string);
    env.add_test("number", tests::is_number);
    env.add_test("sequence", tests::is_sequence);
    env.add_test("startingwith", tests::is_startingwith);
    env.add_test("endingwith", tests::is_endingwith);
    env.add_test("in", tests::is_in);
    env.add_test("eq", tests::is_eq);
    env.add_test("ne", tests::is_ne);
}

/// A group as a mapping names it: by DN (normalised), or by short name in any case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum GroupName {
    Dn(String),
    Short(String),
}

impl GroupName {
    pub fn new(name: &str) -> Self {
        let dn = name.contains('=').then(|| normalise_dn(name)).flatten();
        dn.map_or_else(|| Self::Short(name.trim().to_lowercase()), Self::Dn)
    }

    /// Whether this names the group, whose DN is normalised already.
    pub fn is(&self, group: &Group) -> bool {
        match self {
            Self::Dn(dn) => *group.dn == **dn,
            Self::Short(name) => same_without_case(&group.name, name),
        }
    }
}

/// Whether a text equals another that is in lower case already.
fn same_without_case(text: &str, lower: &str) -> bool {
    if text.is_ascii() {
        return text.eq_ignore_ascii_case(lower);
    }
    text.to_lowercase() == lower
}

/// A time zone by its IANA name, from the bundled database: a mapping means the same on every machine.
pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZoneDatabase::bundled().get(name).map_err(|_unknown| {
        format!("unknown time zone \"{name}\"; use an IANA name such as Europe/Berlin or UTC")
    })
}

pub(super) fn boolean(value: &Jinja) -> Result<Jinja, Error> {
    let Some(text) = text(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "on" | "1" => Ok(Jinja::from(true)),
        "false" | "no" | "n" | "off" | "0" => Ok(Jinja::from(false)),
        _ => Err(refuse(
            "the value is neither true nor false (true, yes, on, 1; false, no, off, 0)",
        )),
    }
}

pub(super) fn integer(value: &Jinja) -> Result<Jinja, Error> {
    let Some(text) = text(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    let number: Result<i64, _> = text.trim().parse();
    number
        .map(Jinja::from)
        .map_err(|_not_a_number| refuse("the value is not a whole number"))
}

/// The bytes of a binary value, or of a text.
fn bytes(value: &Jinja) -> Result<Option<Vec<u8>>, Error> {
    if value.kind() == ValueKind::Bytes {
        return Ok(value.as_bytes().map(<[u8]>::to_vec));
    }
    Ok(text(value)?.map(|text| text.as_bytes().to_vec()))
}

pub(super) fn hex(value: &Jinja) -> Result<Jinja, Error> {
    let Some(bytes) = bytes(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    sized(hex_text(&bytes))
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn base64(value: &Jinja) -> Result<Jinja, Error> {
    let Some(bytes) = bytes(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    sized(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// 16 bytes in the order of Windows (MS-DTYP §2.3.4.2) as a UUID.
pub(super) fn guid(value: &Jinja) -> Result<Jinja, Error> {
    let Some(bytes) = bytes(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    let bytes: [u8; 16] = bytes
        .try_into()
        .map_err(|_wrong_length| refuse("a GUID is a binary value of 16 bytes"))?;
    Ok(Jinja::from(
        uuid::Uuid::from_bytes_le(bytes).as_hyphenated().to_string(),
    ))
}

/// The account value that an expression's result means; `None` if it is missing.
///
/// # Errors
/// When an account cannot hold such a value.
pub(super) fn account_value(value: &Jinja) -> Result<Option<Value>, Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(None),
        ValueKind::Bool => Ok(Some(Value::Bool(value.is_true()))),
        ValueKind::Number => value
            .as_i64()
            .map(|number| Some(Value::Int(number)))
            .ok_or_else(|| refuse("the result is not a whole number of 64 bits")),
        ValueKind::String => Ok(value.as_str().and_then(account_text)),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut set = BTreeSet::new();
            for item in items(value)? {
                set.extend(
                    text(&item)?
                        .filter(|text| !text.trim().is_empty())
                        .map(String::from),
                );
            }
            Ok((!set.is_empty()).then_some(Value::Set(set)))
        }
        ValueKind::Bytes => Err(refuse(
            "the result is binary; turn it into text with hex, base64 or guid",
        )),
        ValueKind::Map | ValueKind::Plain | ValueKind::Invalid | _ => Err(refuse(
            "the result is neither a text, a number, a truth value nor a list",
        )),
    }
}

/// A text as an account value; blanks alone are a missing value.
pub(super) fn account_text(text: &str) -> Option<Value> {
    if text.trim().is_empty() {
        return None;
    }
    Value::text(text)
}
