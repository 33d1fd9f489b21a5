//! Makes strings from directories and applications safe to show.
//!
//! Every such string is hostile: it may carry terminal commands, line breaks that fake a report line, or characters
//! that reorder or hide what is around them. They are shown as `\u{…}`, so nothing is lost and nothing is obeyed.
//! Ordinary letters of every script are left alone. Reports as JSON do not pass through here: JSON has escapes of its own.

use std::fmt::Write as _;

use crate::model::Value;

/// Quoted values longer than this many characters are cut, and the cut says so.
const LONGEST_VALUE: usize = 400;

/// The text with everything that a terminal could obey, or a reader could not see, written as `\u{…}`.
///
/// A backslash before `u{` is escaped too, so that the result is never ambiguous.
#[must_use]
pub fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        if is_unsafe(c) || (c == '\\' && rest.as_str().starts_with("u{")) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    out
}

/// The text in double quotes, with quotes and backslashes inside escaped; long text is cut with a remark.
#[must_use]
pub fn quoted(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len().min(LONGEST_VALUE) + 2);
    out.push('"');
    for c in raw.chars().take(LONGEST_VALUE) {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if is_unsafe(c) => escape(c, &mut out),
            c => out.push(c),
        }
    }
    out.push('"');
    let cut = raw.chars().count().saturating_sub(LONGEST_VALUE);
    if cut > 0 {
        // Writing to a String cannot fail.
        write!(out, "… ({cut} more characters)").ok();
    }
    out
}

/// A value of an account attribute: texts in quotes, sets in braces.
#[must_use]
pub fn value(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Text(value) => quoted(value),
        Value::Set(values) => {
            let all: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            format!("{{{}}}", all.join(", "))
        }
    }
}

fn escape(c: char, out: &mut String) {
    write!(out, "\\u{{{:x}}}", u32::from(c)).ok();
}

/// Characters that a terminal obeys, that change the order or the lines of text, or that cannot be seen.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffc}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_text_is_shown_not_obeyed() {
        for (raw, shown) in [
            ("Jörg Müller-Łęcki 山田", "Jörg Müller-Łęcki 山田"),
            ("a\u{1b}[31mred", "a\\u{1b}[31mred"),
            ("a\r\nb\tc", "a\\u{d}\\u{a}b\\u{9}c"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("a\u{9b}2J", "a\\u{9b}2J"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("\\u{1b}", "\\u{5c}u{1b}"),
            ("CORP\\anna", "CORP\\anna"),
        ] {
            assert_eq!(text(raw), shown);
        }
    }

    #[test]
    fn quoted_values_cannot_fake_what_follows() {
        assert_eq!(quoted("a\" → \"b"), "\"a\\\" → \\\"b\"");
        assert_eq!(quoted("CORP\\anna"), "\"CORP\\\\anna\"");
        let long = quoted(&"x".repeat(LONGEST_VALUE + 7));
        assert!(long.ends_with("\"… (7 more characters)"));
    }

    #[test]
    fn sets_are_braced_in_order() {
        let set = Value::Set(["b".to_owned(), "a".to_owned()].into());
        assert_eq!(value(&set), "{\"a\", \"b\"}");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_ever_survives(raw in any::<String>()) {
            prop_assert!(!text(&raw).chars().any(is_unsafe));
            prop_assert!(!quoted(&raw).chars().any(is_unsafe));
        }

        #[test]
        fn different_texts_look_different(a in any::<String>(), b in any::<String>()) {
            prop_assert_eq!(text(&a) == text(&b), a == b);
        }
    }
}
