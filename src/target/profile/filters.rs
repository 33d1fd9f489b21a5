//! The filters that profiles have besides those of Jinja.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use minijinja::value::{Value as Jinja, ValueKind};
use minijinja::{Environment, Error, ErrorKind};

/// The filters of Jinja that profiles may use.
const BUILT_IN: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "groupby",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "trim",
    "unique",
    "upper",
    "zip",
    "chain",
];
/// Our own.
const OWN: &[&str] = &[
    "merge", "bag", "unbag", "as_list", "pick", "having", "json", "unjson", "date", "seconds",
];

/// Every filter.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().chain(OWN).copied()
}

/// Adds our own to an environment.
pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("merge", merge);
    env.add_filter("bag", bag);
    env.add_filter("unbag", unbag);
    env.add_filter("as_list", |value: &Jinja| Jinja::from(as_list(value)));
    env.add_filter("pick", pick);
    env.add_filter("having", having);
    env.add_filter("json", |value: &Jinja| {
        serde_json::to_string(value).map_err(|_| refuse("this cannot be written as JSON"))
    });
    env.add_filter("unjson", |text: &str| {
        serde_json::from_str::<serde_json::Value>(text)
            .map(|value| super::expr::jinja(&value))
            .map_err(|_| refuse("this text is not JSON"))
    });
    env.add_filter("date", date);
    env.add_filter("seconds", seconds);
}

fn refuse(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

/// One thing is a list of one, nothing an empty one.
fn as_list(value: &Jinja) -> Vec<Jinja> {
    let kind = value.kind();
    if matches!(kind, ValueKind::Undefined | ValueKind::None) {
        Vec::new()
    } else if matches!(kind, ValueKind::Seq | ValueKind::Iterable) {
        value.try_iter().map(Iterator::collect).unwrap_or_default()
    } else {
        vec![value.clone()]
    }
}

fn members(value: &Jinja) -> Result<BTreeMap<String, Jinja>, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(BTreeMap::new());
    }
    if value.kind() != ValueKind::Map {
        return Err(refuse("this is no object"));
    }
    let mut members = BTreeMap::new();
    for key in value.try_iter()? {
        members.insert(key.to_string(), value.get_item(&key)?);
    }
    Ok(members)
}

/// The left object with the members of the right one; inner objects are merged too.
fn merge(left: &Jinja, right: &Jinja) -> Result<Jinja, Error> {
    let mut merged = members(left)?;
    for (key, value) in members(right)? {
        let inner = match merged.get(&key) {
            Some(old) if old.kind() == ValueKind::Map && value.kind() == ValueKind::Map => {
                merge(old, &value)?
            }
            Some(_) | None => value,
        };
        merged.insert(key, inner);
    }
    Ok(Jinja::from(merged))
}

/// The elements whose member is this id, or an object with this id, or a list with one of them. Ids are compared as text.
fn having(value: &Jinja, member: &str, id: &Jinja) -> Result<Jinja, Error> {
    let wanted = id.to_string();
    let is = |one: &Jinja| {
        let id = if one.kind() == ValueKind::Map {
            one.get_attr("id").unwrap_or_default()
        } else {
            one.clone()
        };
        !id.is_undefined() && !id.is_none() && id.to_string() == wanted
    };
    let mut found = Vec::new();
    for element in as_list(value) {
        let inner = element.get_attr(member).unwrap_or_default();
        if as_list(&inner).iter().any(is) {
            found.push(element);
        }
    }
    Ok(Jinja::from(found))
}

/// An object as a list of `key=value`.
fn bag(value: &Jinja) -> Result<Vec<String>, Error> {
    let mut texts = Vec::new();
    for (key, value) in members(value)? {
        let text = if value.is_none() {
            String::new()
        } else {
            value.to_string()
        };
        if key.contains('=') {
            return Err(refuse("a key of a property bag cannot hold `=`"));
        }
        texts.push(format!("{key}={text}"));
    }
    Ok(texts)
}

/// A list of `key=value` as an object; the value is everything after the first `=`.
fn unbag(value: &Jinja) -> BTreeMap<String, Jinja> {
    let texts = as_list(value);
    let pairs = texts
        .iter()
        .filter_map(|text| text.as_str()?.split_once('='));
    pairs
        .map(|(key, value)| (key.trim().to_owned(), Jinja::from(value)))
        .collect()
}

/// A member of each element, by a path; elements without it are left out.
fn pick(value: &Jinja, path: &str) -> Vec<Jinja> {
    let found = as_list(value).into_iter().map(|element| {
        path.split('.').fold(element, |at, key| {
            at.get_attr(key).unwrap_or(Jinja::UNDEFINED)
        })
    });
    found
        .filter(|value| !value.is_undefined() && !value.is_none())
        .collect()
}

/// Seconds since 1970 as a date (UTC).
fn date(value: &Jinja) -> Result<Jinja, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(value.clone());
    }
    let seconds = value
        .as_i64()
        .or_else(|| value.as_str()?.trim().parse().ok());
    let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let time = time.ok_or_else(|| refuse("this is no number of seconds since 1970"))?;
    Ok(Jinja::from(time.to_zoned(TimeZone::UTC).date().to_string()))
}

/// A date as seconds since 1970 (midnight UTC).
fn seconds(value: &Jinja) -> Result<Jinja, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(value.clone());
    }
    let date = value
        .as_str()
        .and_then(|text| text.get(..10)?.parse::<Date>().ok());
    let zoned = date.and_then(|date| date.to_zoned(TimeZone::UTC).ok());
    let zoned = zoned.ok_or_else(|| refuse("this is no date such as 2026-01-31"))?;
    Ok(Jinja::from(zoned.timestamp().as_second()))
}
