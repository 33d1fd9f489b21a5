//! Evaluates a search filter (RFC 4515) over an entry of a file, as a directory server would.
//!
//! Values are compared without regard to case and repeated spaces, DNs in their normal form, numbers as numbers.
//! Extensible matching is limited to AD's two bit rules; anything else is refused and never silently true or false.

use super::entry::RawEntry;
use crate::model::normalise_dn;

/// The deepest nesting accepted.
const DEEPEST: usize = 32;

/// A parsed filter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Filter {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Present(String),
    Equal(String, Vec<u8>),
    AtLeast(String, Vec<u8>),
    AtMost(String, Vec<u8>),
    /// The pieces between the asterisks; the first and the last may be empty.
    Pieces(String, Vec<Vec<u8>>),
    /// All (`true`) or any of these bits are set.
    Bits(String, bool, u64),
}

impl Filter {
    /// Parses a filter.
    ///
    /// # Errors
    /// Says what is not understood.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (filter, rest) = parse(text.trim(), 0)?;
        if rest.trim().is_empty() {
            Ok(filter)
        } else {
            Err(format!("\"{rest}\" follows the end of the filter"))
        }
    }

    /// Whether the entry matches.
    pub(super) fn matches(&self, entry: &RawEntry<'_>) -> bool {
        let any =
            |name: &str, test: &dyn Fn(&[u8]) -> bool| entry.get(name).iter().any(|v| test(v));
        match self {
            Self::And(all) => all.iter().all(|filter| filter.matches(entry)),
            Self::Or(any) => any.iter().any(|filter| filter.matches(entry)),
            Self::Not(filter) => !filter.matches(entry),
            Self::Present(name) => !entry.get(name).is_empty(),
            Self::Equal(name, wanted) => any(name, &|value| equal(name, value, wanted)),
            Self::AtLeast(name, wanted) => any(name, &|value| order(value, wanted).is_ge()),
            Self::AtMost(name, wanted) => any(name, &|value| order(value, wanted).is_le()),
            Self::Pieces(name, pieces) => any(name, &|value| fits(&fold(value), pieces)),
            Self::Bits(name, all, mask) => any(name, &|value| {
                let bits = number(value).map(|n| n & i128::from(*mask));
                bits.is_some_and(|bits| {
                    if *all {
                        bits == i128::from(*mask)
                    } else {
                        bits != 0
                    }
                })
            }),
        }
    }
}

fn parse(text: &str, depth: usize) -> Result<(Filter, &str), String> {
    if depth > DEEPEST {
        return Err(format!("the filter is nested more than {DEEPEST} deep"));
    }
    let inner = text
        .strip_prefix('(')
        .ok_or_else(|| format!("\"(\" is missing before \"{text}\""))?;
    let inner = inner.trim_start();
    let close = |rest: &'_ str| {
        rest.strip_prefix(')')
            .map(str::len)
            .ok_or("\")\" is missing".to_owned())
    };
    let operator = inner.get(..1).unwrap_or_default();
    if matches!(operator, "&" | "|") {
        let mut rest = inner.get(1..).unwrap_or_default().trim_start();
        let mut filters = Vec::new();
        while rest.starts_with('(') {
            let (filter, after) = parse(rest, depth + 1)?;
            filters.push(filter);
            rest = after.trim_start();
        }
        close(rest)?;
        let filter = if operator == "&" {
            Filter::And(filters)
        } else {
            Filter::Or(filters)
        };
        return Ok((filter, rest.get(1..).unwrap_or_default()));
    }
    if operator == "!" {
        let (filter, rest) = parse(inner.get(1..).unwrap_or_default().trim_start(), depth + 1)?;
        let rest = rest.trim_start();
        close(rest)?;
        return Ok((
            Filter::Not(Box::new(filter)),
            rest.get(1..).unwrap_or_default(),
        ));
    }
    let (item, rest) = inner.split_once(')').ok_or("\")\" is missing")?;
    Ok((parse_item(item)?, rest))
}

fn parse_item(item: &str) -> Result<Filter, String> {
    let (left, value) = item
        .split_once('=')
        .ok_or_else(|| format!("\"{item}\" has no ="))?;
    let name = |name: &str| {
        let name = name.trim();
        let good = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-.;_".contains(&b));
        good.then(|| name.to_owned())
            .ok_or_else(|| format!("\"{name}\" is not an attribute"))
    };
    if let Some(left) = left.strip_suffix(':') {
        let (attribute, rule) = left.split_once(':').unwrap_or((left, ""));
        let all = match rule {
            "1.2.840.113556.1.4.803" => true,
            "1.2.840.113556.1.4.804" => false,
            _ => {
                return Err(format!(
                    "the matching rule in \"{item}\" is not supported for files"
                ));
            }
        };
        let mask = value
            .trim()
            .parse()
            .map_err(|_| format!("\"{value}\" is not a bit mask"))?;
        return Ok(Filter::Bits(name(attribute)?, all, mask));
    }
    if let Some(left) = left.strip_suffix('>') {
        return Ok(Filter::AtLeast(name(left)?, unescape(value)?));
    }
    if let Some(left) = left.strip_suffix('<') {
        return Ok(Filter::AtMost(name(left)?, unescape(value)?));
    }
    let left = left.strip_suffix('~').unwrap_or(left);
    if value == "*" {
        return Ok(Filter::Present(name(left)?));
    }
    if value.contains('*') {
        let pieces: Result<Vec<_>, _> = value
            .split('*')
            .map(|piece| unescape(piece).map(|p| fold(&p)))
            .collect();
        return Ok(Filter::Pieces(name(left)?, pieces?));
    }
    Ok(Filter::Equal(name(left)?, unescape(value)?))
}

fn unescape(value: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'\\' {
            let mut digit = || rest.next().and_then(|d| char::from(d).to_digit(16));
            let code = digit().and_then(|high| Some(high << 4 | digit()?));
            let code = code.and_then(|code| u8::try_from(code).ok());
            bytes.push(code.ok_or_else(|| {
                format!("\"{value}\" has a backslash without two hexadecimal digits")
            })?);
        } else {
            bytes.push(byte);
        }
    }
    Ok(bytes)
}

fn fold(value: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(value) {
        Ok(text) => {
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            words.join(" ").into_bytes()
        }
        Err(_) => value.to_vec(),
    }
}

fn equal(name: &str, value: &[u8], wanted: &[u8]) -> bool {
    if fold(value) == fold(wanted) {
        return true;
    }
    let dn = |bytes| {
        std::str::from_utf8(bytes)
            .ok()
            .and_then(normalise_dn)
            .filter(|dn| !dn.is_empty())
    };
    match (dn(value), dn(wanted)) {
        (Some(value), Some(wanted)) => value == wanted,
        // AD lets the class name stand for the DN of its schema object.
        (Some(value), None) if name.eq_ignore_ascii_case("objectCategory") => {
            let class = value.split([',', '=']).nth(1).unwrap_or_default();
            class.as_bytes() == fold(wanted)
        }
        _ => false,
    }
}

fn number(value: &[u8]) -> Option<i128> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

fn order(value: &[u8], wanted: &[u8]) -> std::cmp::Ordering {
    match (number(value), number(wanted)) {
        (Some(value), Some(wanted)) => value.cmp(&wanted),
        _ => fold(value).cmp(&fold(wanted)),
    }
}

/// Whether a value consists of these pieces with anything in between.
fn fits(value: &[u8], pieces: &[Vec<u8>]) -> bool {
    let [first, middle @ .., last] = pieces else {
        return false;
    };
    let Some(mut rest) = value.strip_prefix(first.as_slice()) else {
        return false;
    };
    for piece in middle.iter().filter(|piece| !piece.is_empty()) {
        let found = rest
            .windows(piece.len())
            .position(|window| window == piece.as_slice());
        let Some(after) = found.and_then(|at| rest.get(at + piece.len()..)) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> RawEntry<'static> {
        let mut entry = RawEntry::new(b"cn=a");
        let all: [(&[u8], &[u8]); 6] = [
            (b"cn", b"Anna  Meyer (x)*"),
            (b"userAccountControl", b"514"),
            (b"manager", b"CN=B\\2C C,dc=T"),
            (b"objectCategory", b"CN=Person,CN=Schema,DC=t"),
            (b"number", b"9"),
            (b"photo", b"\xff"),
        ];
        for (name, value) in all {
            entry.push(name, [value]);
        }
        entry
    }

    #[test]
    fn matching() {
        let yes = [
            "(cn=anna meyer \\28x\\29\\2a)",
            "(CN=*)",
            "(cn=anna*)",
            "(cn=*meyer*\\2a)",
            "(cn=a*n*r*)",
            "(photo=\\ff)",
            "(&)",
            "(&(cn=a*)(number>=8))",
            "(|(cn=b)(number<=10))",
            "(!(cn=b))",
            "(!(|))",
            " ( & (cn=*) ) ",
            "(userAccountControl:1.2.840.113556.1.4.803:=2)",
            "(userAccountControl:1.2.840.113556.1.4.804:=3)",
            "(manager=cn=b\\5c, c,DC=t)",
            "(objectCategory=person)",
            "(number>=9)",
            "(cn~=anna meyer \\28x\\29\\2a)",
        ];
        for text in yes {
            let filter = Filter::parse(text);
            assert!(
                filter.as_ref().is_ok_and(|f| f.matches(&entry())),
                "{text} {filter:?}"
            );
        }
        let no = [
            "(cn=anna)",
            "(x=*)",
            "(cn=*b)",
            "(|)",
            "(number>=10)",
            "(userAccountControl:1.2.840.113556.1.4.803:=16)",
            "(manager=cn=b)",
            "(cn=anna*anna*)",
        ];
        for text in no {
            assert!(
                Filter::parse(text).is_ok_and(|f| !f.matches(&entry())),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_a_filter() {
        for text in [
            "",
            "cn=a",
            "(cn)",
            "(cn=a",
            "(&(cn=a)",
            "(cn=a)x",
            "(cn=\\4)",
            "(=a)",
            "(cn:dn:=a)",
            "(cn:1.2.3:=a)",
            "(!)",
            "(c n=a)",
            "(é=a)",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        assert!(Filter::parse(&"(!".repeat(10_000)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*", inner in "[()&|!=*:\\\\a]{0,20}") {
            drop(Filter::parse(&text));
            if let Ok(filter) = Filter::parse(&format!("({inner})")) {
                let _ = filter.matches(&entry());
            }
        }
    }
}
