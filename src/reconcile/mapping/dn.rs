//! The parts of a DN as the directory spelled them, for templates. Comparing is done in [`Dn`].

use crate::model::Dn;

/// Reads a DN that says where people are; `None` for the root, which is everywhere, and for what is no DN.
pub(super) fn base(text: &str) -> Option<Dn> {
    Dn::parse(text).filter(|dn| dn.rdn().is_some())
}

/// The DN above this one, as spelled.
pub(super) fn parent(text: &str) -> Option<&str> {
    let first = split(text).first()?.len();
    let rest = text.get(first + 1..)?.trim_start();
    (!rest.is_empty()).then_some(rest)
}

/// The value of the nearest `OU` part.
pub(super) fn nearest_ou(text: &str) -> Option<String> {
    split(text).into_iter().skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let is_ou = name.trim().eq_ignore_ascii_case("ou");
        is_ou.then(|| unescape(value.trim())).flatten()
    })
}

/// The value of the first part, unescaped.
pub(super) fn leaf(text: &str) -> Option<String> {
    let first = split(text).into_iter().next()?;
    let (_, value) = first.split_once('=')?;
    unescape(value.trim())
}

/// Splits at commas that are not escaped.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if !escaped && c == ',' {
            parts.extend(text.get(from..at));
            from = at + 1;
        }
        escaped = !escaped && c == '\\';
    }
    parts.extend(text.get(from..));
    parts
}

/// Resolves `\,` and `\C3\A4`; `None` for a broken escape.
fn unescape(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let first = rest.next()?;
        let Some(high) = char::from(first).to_digit(16) else {
            bytes.push(first);
            continue;
        };
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_neither_the_root_nor_something_else() {
        assert!(base("OU=People,DC=example").is_some());
        for text in ["", "People", "=x", "cn=a\\"] {
            assert_eq!(base(text), None, "{text}");
        }
    }

    #[test]
    fn parents_and_leaves_keep_their_spelling() {
        let text = "CN=Doe\\, Jane,OU=Se\\C3\\B1or,DC=example";
        assert_eq!(parent(text), Some("OU=Se\\C3\\B1or,DC=example"));
        assert_eq!(nearest_ou(text).as_deref(), Some("Señor"));
        assert_eq!(leaf(text).as_deref(), Some("Doe, Jane"));
        assert_eq!(parent("DC=example"), None);
        assert_eq!(nearest_ou("cn=x"), None);
    }
}
