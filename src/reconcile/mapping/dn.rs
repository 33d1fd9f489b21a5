//! Just enough of distinguished names (RFC 4514) for scoping: is one name below another?

/// A DN in normalised form: its parts from the entry upwards, in lower case, blanks collapsed, escapes resolved.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Path(Vec<String>);

impl Path {
    /// Reads a DN; `None` if it is not one or is empty.
    pub fn parse(text: &str) -> Option<Self> {
        let parts = split(text);
        if text.trim().is_empty() {
            return None;
        }
        parts
            .into_iter()
            .map(normal)
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    /// Whether this is the base itself or below it.
    pub fn is_below(&self, base: &Self) -> bool {
        self.0.ends_with(&base.0)
    }
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

fn normal(part: &str) -> Option<String> {
    let (name, value) = part.split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    if name.is_empty() || !name.bytes().all(plain) {
        return None;
    }
    let value = unescape(value.trim())?.to_lowercase();
    let words: Vec<&str> = value.split_whitespace().collect();
    Some(format!("{name}={}", words.join(" ")))
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
    fn names_are_compared_by_their_parts() {
        let base = Path::parse("OU=People, dc=Example,DC=com").unwrap();
        let table = [
            ("cn=a,ou=people,dc=example,dc=com", true),
            ("ou=people,dc=example,dc=com", true),
            ("cn=a,ou=other people,dc=example,dc=com", false),
            ("cn=x\\,ou=people,dc=example,dc=com", false),
            ("dc=example,dc=com", false),
        ];
        for (text, below) in table {
            assert_eq!(Path::parse(text).unwrap().is_below(&base), below, "{text}");
        }
        for text in ["", "People", "=x", "cn=a\\", "ou=a,,dc=b"] {
            assert_eq!(Path::parse(text), None, "{text}");
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
