//! The filters for text and lists. All of them let a missing value pass through as missing, so that `default` and `on-missing` decide.

use std::borrow::Cow;

use minijinja::value::{Value as Jinja, ValueKind};
use minijinja::{Environment, Error, ErrorKind};
use unicode_normalization::UnicodeNormalization;

use super::facts::LARGEST;
use super::{convert, finders};

/// Every filter, for suggestions and checks.
pub(super) const NAMES: &[&str] = &[
    "ascii",
    "base64",
    "bool",
    "capitalize",
    "d",
    "date",
    "default",
    "digits",
    "first",
    "first_chars",
    "guid",
    "hex",
    "int",
    "join",
    "last",
    "last_chars",
    "length",
    "list",
    "lookup",
    "lower",
    "map",
    "nfc",
    "regex_find",
    "regex_match",
    "regex_replace",
    "reject",
    "replace",
    "reverse",
    "select",
    "slug",
    "sort",
    "split",
    "string",
    "title",
    "trim",
    "unique",
    "upper",
];

/// Adds every filter to an environment.
pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("lower", |value: &Jinja| change(value, str::to_lowercase));
    env.add_filter("upper", |value: &Jinja| change(value, str::to_uppercase));
    env.add_filter("title", |value: &Jinja| change(value, title));
    env.add_filter("capitalize", |value: &Jinja| change(value, capitalize));
    env.add_filter("nfc", |value: &Jinja| {
        change(value, |text| text.nfc().collect())
    });
    env.add_filter("slug", |value: &Jinja| change(value, slug));
    env.add_filter("digits", |value: &Jinja| change(value, digits));
    env.add_filter("string", |value: &Jinja| change(value, str::to_owned));
    env.add_filter("ascii", ascii);
    env.add_filter("trim", trim);
    env.add_filter("replace", replace);
    env.add_filter("first_chars", |value: &Jinja, count: usize| {
        change(value, |text| text.chars().take(count).collect())
    });
    env.add_filter("last_chars", |value: &Jinja, count: usize| {
        change(value, |text| {
            let skip = text.chars().count().saturating_sub(count);
            text.chars().skip(skip).collect()
        })
    });
    env.add_filter("default", default);
    env.add_filter("d", default);
    env.add_filter("split", split);
    env.add_filter("join", join);
    env.add_filter("first", |value: &Jinja| end(value, false));
    env.add_filter("last", |value: &Jinja| end(value, true));
    env.add_filter("list", list);
    env.add_filter("regex_replace", finders::regex_replace);
    env.add_filter("regex_match", finders::regex_match);
    env.add_filter("regex_find", finders::regex_find);
    env.add_filter("lookup", finders::lookup);
    env.add_filter("date", finders::date);
    env.add_filter("bool", convert::boolean);
    env.add_filter("int", convert::integer);
    env.add_filter("hex", convert::hex);
    env.add_filter("base64", convert::base64);
    env.add_filter("guid", convert::guid);
    env.add_filter("length", minijinja::filters::length);
    env.add_filter("reverse", minijinja::filters::reverse);
    env.add_filter("sort", minijinja::filters::sort);
    env.add_filter("unique", minijinja::filters::unique);
    env.add_filter("map", minijinja::filters::map);
    env.add_filter("select", minijinja::filters::select);
    env.add_filter("reject", minijinja::filters::reject);
}

/// An error in the words of an administrator.
pub(super) fn refuse(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// The text of a single value; `None` if it is missing.
///
/// # Errors
/// When the value is a list or binary.
pub(super) fn text(value: &Jinja) -> Result<Option<Cow<'_, str>>, Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(None),
        ValueKind::String => Ok(value.as_str().map(Cow::Borrowed)),
        ValueKind::Bool | ValueKind::Number => Ok(Some(Cow::Owned(value.to_string()))),
        ValueKind::Bytes => Err(refuse(
            "the value is binary; turn it into text with hex, base64 or guid first",
        )),
        ValueKind::Seq | ValueKind::Iterable => Err(refuse(
            "the value is a list; use first, join, or map('…') for each item",
        )),
        ValueKind::Map | ValueKind::Plain | ValueKind::Invalid | _ => {
            Err(refuse("the value is not a text"))
        }
    }
}

/// A text as a value, if it is not too large.
pub(super) fn sized(text: String) -> Result<Jinja, Error> {
    if text.len() > LARGEST {
        return Err(refuse(format!("the result is larger than {LARGEST} bytes")));
    }
    Ok(Jinja::from(text))
}

fn change(value: &Jinja, how: impl FnOnce(&str) -> String) -> Result<Jinja, Error> {
    text(value)?.map_or(Ok(Jinja::UNDEFINED), |text| sized(how(&text)))
}

/// Every word with a capital first letter; words begin after anything that is no letter, digit or apostrophe.
fn title(text: &str) -> String {
    let mut inside = false;
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        if inside {
            result.extend(c.to_lowercase());
        } else {
            result.extend(c.to_uppercase());
        }
        inside = c.is_alphanumeric() || c == '\'' || c == '’';
    }
    result
}

fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first
            .to_uppercase()
            .chain(chars.flat_map(char::to_lowercase))
            .collect()
    })
}

fn slug(text: &str) -> String {
    let plain = deunicode::deunicode(text).to_ascii_lowercase();
    let words: Vec<&str> = plain
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-")
}

/// The digits of a telephone number, with the plus sign it begins with.
fn digits(text: &str) -> String {
    let plus = text.trim_start().starts_with('+');
    let digits = text.chars().filter(char::is_ascii_digit);
    plus.then_some('+').into_iter().chain(digits).collect()
}

fn ascii(value: &Jinja, language: Option<&str>) -> Result<Jinja, Error> {
    let german = match language {
        None => false,
        Some("de") => true,
        Some(other) => {
            return Err(refuse(format!(
                "ascii('{other}') is unknown; use ascii or ascii('de')"
            )));
        }
    };
    change(value, |text| {
        let text: String = text.nfc().collect();
        if !german {
            return deunicode::deunicode(&text);
        }
        let mut spelled = String::with_capacity(text.len() + 4);
        for c in text.chars() {
            match c {
                'ä' => spelled.push_str("ae"),
                'ö' => spelled.push_str("oe"),
                'ü' => spelled.push_str("ue"),
                'Ä' => spelled.push_str("Ae"),
                'Ö' => spelled.push_str("Oe"),
                'Ü' => spelled.push_str("Ue"),
                other => spelled.push(other),
            }
        }
        deunicode::deunicode(&spelled)
    })
}

fn trim(value: &Jinja, chars: Option<&str>) -> Result<Jinja, Error> {
    change(value, |text| match chars {
        Some(chars) => text.trim_matches(|c| chars.contains(c)).to_owned(),
        None => text.trim().to_owned(),
    })
}

fn replace(value: &Jinja, from: &str, to: &str) -> Result<Jinja, Error> {
    let Some(text) = text(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    // Known before it is built: a short pattern and a long replacement could otherwise fill the memory.
    let found = text.matches(from).count();
    if found.saturating_mul(to.len()) > LARGEST {
        return Err(refuse(format!("the result is larger than {LARGEST} bytes")));
    }
    sized(text.replace(from, to))
}

fn default(value: &Jinja, fallback: &Jinja) -> Jinja {
    let missing =
        value.is_undefined() || value.is_none() || value.as_str().is_some_and(str::is_empty);
    if missing {
        fallback.clone()
    } else {
        value.clone()
    }
}

fn split(value: &Jinja, separator: Option<&str>) -> Result<Jinja, Error> {
    let Some(text) = text(value)? else {
        return Ok(Jinja::UNDEFINED);
    };
    let parts: Vec<Jinja> = match separator {
        Some(separator) if !separator.is_empty() => {
            text.split(separator).map(Jinja::from).collect()
        }
        Some(_) | None => text.split_whitespace().map(Jinja::from).collect(),
    };
    Ok(Jinja::from(parts))
}

/// The items of a list that are not missing; a single value is a list of one.
pub(super) fn items(value: &Jinja) -> Result<Vec<Jinja>, Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Vec::new()),
        ValueKind::Seq | ValueKind::Iterable => Ok(value
            .try_iter()?
            .filter(|item| !item.is_undefined() && !item.is_none())
            .collect()),
        ValueKind::Bool
        | ValueKind::Number
        | ValueKind::String
        | ValueKind::Bytes
        | ValueKind::Map
        | ValueKind::Plain
        | ValueKind::Invalid
        | _ => Ok(vec![value.clone()]),
    }
}

fn list(value: &Jinja) -> Result<Jinja, Error> {
    items(value).map(Jinja::from)
}

fn join(value: &Jinja, separator: Option<&str>) -> Result<Jinja, Error> {
    let items = items(value)?;
    if items.is_empty() {
        return Ok(Jinja::UNDEFINED);
    }
    let mut result = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            result.push_str(separator.unwrap_or_default());
        }
        result.push_str(&text(item)?.unwrap_or_default());
        if result.len() > LARGEST {
            return sized(result);
        }
    }
    sized(result)
}

fn end(value: &Jinja, last: bool) -> Result<Jinja, Error> {
    let mut items = items(value)?;
    let found = if last {
        items.pop()
    } else {
        items.into_iter().next()
    };
    Ok(found.unwrap_or(Jinja::UNDEFINED))
}
