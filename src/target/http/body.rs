//! Reading answers: bounded in bytes, nesting and time, and strict about what counts as JSON.
//!
//! JSON with duplicate keys is refused: two parsers would disagree about who is active.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Deepest nesting accepted.
pub const MAX_DEPTH: usize = 64;

/// Parses JSON, refusing duplicate keys, nesting beyond [`MAX_DEPTH`] and anything after the value.
///
/// # Errors
/// A text for people, without content of the document.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = Strict(MAX_DEPTH)
        .deserialize(&mut json)
        .map_err(|e| describe(&e))?;
    json.end().map_err(|e| describe(&e))?;
    Ok(value)
}

// Messages of serde can quote the document; only our own and the kind are kept.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let why = if error.is_eof() {
        "it breaks off"
    } else if text.starts_with(TOO_DEEP) {
        TOO_DEEP
    } else if text.starts_with(TWICE) {
        TWICE
    } else {
        "it is malformed"
    };
    format!(
        "not valid JSON: {why} (line {}, column {})",
        error.line(),
        error.column()
    )
}

const TOO_DEEP: &str = "nested too deeply";
const TWICE: &str = "the same key twice";

/// Whether this looks like a web page: a login page or a proxy's error page.
#[must_use]
pub fn looks_like_html(content_type: Option<&str>, body: &[u8]) -> bool {
    let html = content_type.is_some_and(|value| {
        let value = value.trim_start().to_ascii_lowercase();
        value.starts_with("text/html") || value.starts_with("application/xhtml")
    });
    html || body
        .iter()
        .find(|b| !b.is_ascii_whitespace())
        .is_some_and(|&b| b == b'<')
}

/// A short piece of text from an application, safe to show: one line, no control or direction characters, at most 200 characters.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let unsafe_char = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut out: String = text
        .chars()
        .map(|c| if unsafe_char(c) { ' ' } else { c })
        .take(200)
        .collect();
    if text.chars().nth(200).is_some() {
        out.push('…');
    }
    out.trim().to_owned()
}

struct Strict(usize);

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl Strict {
    fn deeper<E: Error>(&self) -> Result<usize, E> {
        self.0.checked_sub(1).ok_or_else(|| E::custom(TOO_DEEP))
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        Value::deserialize(json)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Self(depth))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(Self(depth))?;
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom(TWICE));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sound_json_is_accepted() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        for (text, ok) in [
            (
                r#"{"a":[1,-2,1.5,"x",null,true,{"b":{}}]}"#.to_owned(),
                true,
            ),
            (deep(MAX_DEPTH), true),
            (deep(MAX_DEPTH + 1), false),
            (deep(100_000), false),
            (r#"{"active":true,"active":false}"#.to_owned(), false),
            (r#"{"a":1e400}"#.to_owned(), false),
            (r#"{"a":NaN}"#.to_owned(), false),
            ("\u{feff}{}".to_owned(), false),
            (r#"{"a":"#.to_owned(), false),
            ("{} {}".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(parse(text.as_bytes()).is_ok(), ok, "{}", excerpt(&text));
        }
        assert_eq!(
            parse(br#"{"a":[1,"x"]}"#).unwrap(),
            serde_json::json!({"a": [1, "x"]})
        );
    }

    #[test]
    fn errors_do_not_quote_the_document() {
        let error = parse(br#"{"a": secret}"#).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn web_pages_are_recognised() {
        assert!(looks_like_html(Some("text/html; charset=utf-8"), b""));
        assert!(looks_like_html(None, b"\r\n <!DOCTYPE html>"));
        assert!(!looks_like_html(Some("application/scim+json"), b"{}"));
    }

    #[test]
    fn excerpts_are_one_safe_line() {
        assert_eq!(excerpt("a\x1b[31m\r\nb\u{202e}c"), "a [31m  b c");
        assert_eq!(excerpt(&"x".repeat(300)).chars().count(), 201);
    }
}
