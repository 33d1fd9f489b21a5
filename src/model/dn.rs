//! Distinguished names (RFC 4514): one normal form, so that two spellings of one name compare equal.
//!
//! Servers spell the same DN differently (`\,` or `\2C`, upper or lower case, spaces after commas).
//! The normal form folds types and values to lower case, folds runs of spaces and undoes every escape that is not needed.
//! Composed and decomposed letters stay different: Samba AD holds two people whose names differ in nothing else, and to take one for the other would give away groups.
//! It treats every value as case-insensitive: the schema is not known here, and two people whose DNs differ only in case do not exist in practice.
//! It is for comparing; a DN that is sent to a server keeps the server's own spelling.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A parsed DN in normal form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Dn {
    /// The RDNs in normal form, the entry's own first.
    rdns: Vec<Box<str>>,
}

impl Dn {
    /// Parses a DN in any spelling; `None` if the text is not a DN. The empty text is the root.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if is_plain(text.as_bytes()) {
            let lower = text.to_ascii_lowercase();
            let rdns = lower.split(',').map(Into::into).collect();
            return Some(Self { rdns });
        }
        parse_slowly(text)
    }

    /// The DN above; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.rdns.split_first()?;
        Some(Self {
            rdns: above.to_vec(),
        })
    }

    /// Whether this is the base itself or lies anywhere below it.
    #[must_use]
    pub fn is_below(&self, base: &Self) -> bool {
        self.rdns.ends_with(&base.rdns)
    }

    /// The entry's own RDN in normal form; `None` for the root.
    #[must_use]
    pub fn rdn(&self) -> Option<&str> {
        self.rdns.first().map(AsRef::as_ref)
    }

    /// The first 8 bytes of the SHA-256 of the normal form, big-endian. Stable across versions: it may be stored.
    #[must_use]
    pub fn key(&self) -> u64 {
        narrow(self.wide_key())
    }

    /// The first 16 bytes of the SHA-256 of the normal form, big-endian.
    #[must_use]
    pub fn wide_key(&self) -> u128 {
        wide_key_of(&self.to_string())
    }
}

/// The normal form as text.
impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rdn) in self.rdns.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(rdn)?;
        }
        Ok(())
    }
}

/// The normal form of a DN; `None` if the text is not a DN.
#[must_use]
pub fn normalise(text: &str) -> Option<String> {
    if is_plain(text.as_bytes()) {
        return Some(text.to_ascii_lowercase());
    }
    Dn::parse(text).map(|dn| dn.to_string())
}

/// The [`Dn::key`] of a DN in any spelling; `None` if the text is not a DN.
#[must_use]
pub fn dn_key(text: &str) -> Option<u64> {
    dn_wide_key(text).map(narrow)
}

/// The [`Dn::wide_key`] of a DN in any spelling; `None` if the text is not a DN.
#[must_use]
pub fn dn_wide_key(text: &str) -> Option<u128> {
    normalise(text).map(|normal| wide_key_of(&normal))
}

fn narrow(key: u128) -> u64 {
    u64::try_from(key >> 64).unwrap_or(u64::MAX)
}

fn wide_key_of(normal: &str) -> u128 {
    let digest = Sha256::digest(normal.as_bytes());
    digest
        .iter()
        .take(16)
        .fold(0, |key, byte| key << 8 | u128::from(*byte))
}

/// The longest type that cannot be another name of a shorter one; see [`short_name`].
const PLAIN_TYPE: usize = 5;

/// Whether lower case alone brings the DN to its normal form: printable ASCII, no escapes, no foldable spaces, short types.
fn is_plain(text: &[u8]) -> bool {
    let mut equals = false;
    let mut before = b',';
    let mut kind = 0;
    for &byte in text {
        match byte {
            b',' => {
                if !equals || matches!(before, b' ' | b'=' | b',') {
                    return false;
                }
                equals = false;
                kind = 0;
            }
            b'=' if !equals => {
                if before == b',' {
                    return false;
                }
                equals = true;
            }
            b' ' => {
                if !equals || matches!(before, b' ' | b'=' | b',') {
                    return false;
                }
            }
            b'\\' | b'"' | b'#' | b'+' | b';' | b'<' | b'>' => return false,
            0x21..=0x7e => {
                if !equals {
                    kind += 1;
                    if kind > PLAIN_TYPE || !byte.is_ascii_alphanumeric() {
                        return false;
                    }
                }
            }
            _ => return false,
        }
        before = byte;
    }
    equals && !matches!(before, b' ' | b'=')
}

fn is_type_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.'
}

/// The usual short name of a type that may also be written as an OID or in full (RFC 4519), in lower case.
fn short_name(kind: &str) -> &str {
    let kind = kind.strip_prefix("oid.").unwrap_or(kind);
    match kind {
        "2.5.4.3" | "commonname" => "cn",
        "2.5.4.4" | "surname" => "sn",
        "2.5.4.6" | "countryname" => "c",
        "2.5.4.7" | "localityname" => "l",
        "2.5.4.8" | "stateorprovincename" => "st",
        "2.5.4.10" | "organizationname" => "o",
        "2.5.4.11" | "organizationalunitname" => "ou",
        "0.9.2342.19200300.100.1.1" | "userid" => "uid",
        "0.9.2342.19200300.100.1.25" | "domaincomponent" => "dc",
        other => other,
    }
}

fn parse_slowly(text: &str) -> Option<Dn> {
    let mut rdns = Vec::new();
    let mut rest = text.trim_matches(' ');
    if rest.is_empty() {
        return Some(Dn { rdns });
    }
    loop {
        let mut parts = Vec::new();
        let last = loop {
            let (kind, after) = rest.split_once('=')?;
            let kind = kind.trim_matches(' ').to_ascii_lowercase();
            if kind.is_empty() || !kind.bytes().all(is_type_byte) {
                return None;
            }
            let (value, end, after) = take_value(after)?;
            parts.push(format!("{}={value}", short_name(&kind)));
            rest = after;
            match end {
                Some(b'+') => {}
                Some(_) => break false,
                None => break true,
            }
        };
        parts.sort_unstable();
        parts.dedup();
        rdns.push(parts.join("+").into_boxed_str());
        if last {
            return Some(Dn { rdns });
        }
    }
}

/// Takes a value up to an unescaped `,`, `+` or the end: its normal form, the separator found, and the rest.
fn take_value(text: &str) -> Option<(String, Option<u8>, &str)> {
    let text = text.trim_start_matches(' ');
    let bytes = text.as_bytes();
    let mut value = Vec::new();
    let mut at = 0;
    // Escaped spaces at the end belong to the value for a server, but the comparison folds them as well.
    let end = loop {
        match bytes.get(at) {
            None => break None,
            Some(&separator @ (b',' | b'+')) => break Some(separator),
            Some(b'"' | b';' | b'<' | b'>' | 0) => return None,
            Some(b'\\') => {
                let (byte, used) = unescape(bytes.get(at + 1..)?)?;
                value.push(byte);
                at += 1 + used;
            }
            Some(&byte) => {
                value.push(byte);
                at += 1;
            }
        }
    };
    let rest = match end {
        Some(_) => text.get(at + 1..)?,
        None => "",
    };
    if bytes.first() == Some(&b'#') {
        return Some((hex_value(&value)?, end, rest));
    }
    Some((fold(&value), end, rest))
}

/// One escape after its backslash: the byte it stands for and how many bytes it took.
fn unescape(after: &[u8]) -> Option<(u8, usize)> {
    let first = *after.first()?;
    match (hex_digit(first), after.get(1).copied().and_then(hex_digit)) {
        (Some(high), Some(low)) => Some((high << 4 | low, 2)),
        _ if b" \"#+,;<=>\\".contains(&first) => Some((first, 1)),
        _ => None,
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// A value in `#` form: the text inside if it is the BER of a string, else the hexadecimal digits.
fn hex_value(value: &[u8]) -> Option<String> {
    let digits = value.get(1..)?;
    let digits = digits.strip_suffix(b" ").unwrap_or(digits);
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() || digits.is_empty() {
        return None;
    }
    for pair in pairs {
        let high = pair.first().copied().and_then(hex_digit)?;
        let low = pair.get(1).copied().and_then(hex_digit)?;
        bytes.push(high << 4 | low);
    }
    match bytes.split_first_chunk::<2>() {
        Some(([0x04 | 0x0c | 0x13 | 0x16, length], inner))
            if usize::from(*length) == inner.len() && *length < 0x80 =>
        {
            Some(fold(inner))
        }
        _ => Some(format!(
            "#{}",
            String::from_utf8_lossy(digits).to_ascii_lowercase()
        )),
    }
}

/// Folds case and spaces, and escapes what would be taken for syntax.
fn fold(value: &[u8]) -> String {
    let mut normal = Folded {
        text: String::with_capacity(value.len()),
        space: false,
    };
    for chunk in value.utf8_chunks() {
        let valid = chunk.valid();
        for c in valid.chars().flat_map(char::to_lowercase) {
            normal.push(c);
        }
        for byte in chunk.invalid() {
            normal.push_byte(*byte);
        }
    }
    normal.text
}

/// A value as it is being folded.
struct Folded {
    text: String,
    /// Spaces were seen since the last character.
    space: bool,
}

impl Folded {
    fn push(&mut self, c: char) {
        if c == ' ' {
            self.space = true;
        } else if c.is_ascii_control() {
            self.push_byte(u8::try_from(c).unwrap_or_default());
        } else {
            self.end_space();
            let first = self.text.is_empty();
            if matches!(c, '\\' | ',' | '+' | ';' | '"' | '<' | '>') || (c == '#' && first) {
                self.text.push('\\');
            }
            self.text.push(c);
        }
    }

    fn push_byte(&mut self, byte: u8) {
        self.end_space();
        self.text.push_str(&format!("\\{byte:02x}"));
    }

    fn end_space(&mut self) {
        if std::mem::take(&mut self.space) && !self.text.is_empty() {
            self.text.push(' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_equal() {
        let same = [
            &[
                "CN=Anna Meyer,OU=People,DC=lab,DC=test",
                "cn=anna  meyer, ou = people ,dc=LAB,dc=test",
                "2.5.4.3=Anna Meyer,ou=people,DC=lab,DC=test",
                "cn=\\41nna Meyer,ou=people,dc=lab,dc=test",
            ][..],
            &[
                "cn=Smith\\, \\\"Jo\\\" \\+ Sons\\; \\<#1\\> \\= \\\\end,dc=t",
                "cn=Smith\\2C \\22Jo\\22 \\2B Sons\\3B \\3C#1\\3E \\3D \\5Cend,dc=t",
            ],
            &["cn=a+uid=b,dc=t", "UID=b + CN=a,dc=t"],
            &[
                "cn=Zo\u{eb},dc=t",
                "cn=zo\\c3\\ab,dc=t",
                "cn=#0c045a6fc3ab,dc=t",
            ],
            &["cn=\\#x,dc=t", "cn=\\23x,dc=t"],
            &["cn=a=b,dc=t", "cn=a\\=b,dc=t", "cn=a\\3db,dc=t"],
        ];
        for group in same {
            let first = normalise(group[0]);
            assert!(first.is_some(), "{}", group[0]);
            for other in group {
                assert_eq!(normalise(other), first, "{other}");
                assert_eq!(dn_key(other), dn_key(group[0]));
            }
        }
    }

    #[test]
    fn different_names_differ() {
        let all = [
            "cn=a\\,b,dc=t",
            "cn=a,b=dc,dc=t",
            "cn=a\\+b=c,dc=t",
            "cn=a+b=c,dc=t",
            "cn=\\ff,dc=t",
            "cn=\\5cff,dc=t",
            "cn=\u{10ffff},dc=t\\ff",
            "cn=ab,dc=t",
            "cn=\u{eb},dc=t",
            "cn=e\u{308},dc=t",
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert_ne!(normalise(a), normalise(b), "{a} {b}");
            }
        }
    }

    #[test]
    fn what_is_not_a_dn_is_refused() {
        for text in [
            "x",
            "=a",
            "cn=a,",
            ",cn=a",
            "cn=a,,dc=t",
            "c n=a",
            "cn=a\\",
            "cn=a\\g0",
            "cn=\"a\"",
            "cn=a;dc=t",
            "cn=#0",
            "cn=#",
        ] {
            assert_eq!(normalise(text), None, "{text}");
        }
        assert_eq!(normalise(""), Some(String::new()));
    }

    #[test]
    fn position_in_the_tree() {
        let dn = |text| Dn::parse(text).unwrap();
        let person = dn("uid=a,OU=People,dc=lab,dc=test");
        assert!(person.is_below(&dn("ou=people,dc=lab,dc=test")));
        assert!(person.is_below(&person));
        assert!(person.is_below(&dn("")));
        assert!(!person.is_below(&dn("ou=eople,dc=lab,dc=test")));
        assert!(!dn("dc=test").is_below(&person));
        assert_eq!(person.parent(), Some(dn("ou=people,dc=lab,dc=test")));
        assert_eq!(dn("").parent(), None);
        assert_eq!(person.rdn(), Some("uid=a"));
        assert_eq!(
            dn("cn=a").key(),
            0xdd29_4912_4243_6969,
            "stored keys stay valid"
        );
    }

    proptest::proptest! {
        #[test]
        fn normalising_is_idempotent(text in "(cn|OU|2.5.4.3)=[ -~äßÇ\u{308}]{1,12}(,[a-c]=\\PC{0,6})?") {
            if let Some(once) = normalise(&text) {
                proptest::prop_assert_eq!(normalise(&once), Some(once));
            }
        }

        #[test]
        fn escaped_values_round_trip(value in "\\PC{1,12}") {
            let escaped: String = value.bytes().map(|b| format!("\\{b:02x}")).collect();
            let dn = format!("cn={escaped},dc=t");
            proptest::prop_assert!(normalise(&dn).is_some());
        }
    }
}
