//! One entry as a source returned it, before anything is concluded from it.
//!
//! Decoding borrows: names and values are slices of the message.
//! Whether a value is text or bytes is decided by the attribute's name and never by its content: `logonHours` of 21 zero bytes is valid UTF-8 and still bytes.
//! What an entry means (anchor, state, groups) is decided in `person`.

use std::collections::BTreeSet;

use super::ber::{self, Malformed, Reader};
use crate::model::SourceValueRef;

/// The largest single value accepted, in bytes.
pub(super) const VALUE_LIMIT: usize = 1 << 20;

/// Attributes with a binary syntax on the servers we know, lower case and sorted.
const BINARY: [&str; 33] = [
    "audio",
    "auditingpolicy",
    "authorityrevocationlist",
    "cacertificate",
    "certificaterevocationlist",
    "crosscertificatepair",
    "deltarevocationlist",
    "dnsrecord",
    "jpegphoto",
    "krbprincipalkey",
    "logonhours",
    "ms-ds-consistencyguid",
    "msds-generationid",
    "msds-managedpassword",
    "msexcharchiveguid",
    "msexchblockedsendershash",
    "msexchmailboxguid",
    "msexchmailboxsecuritydescriptor",
    "msexchsaferecipientshash",
    "msexchsafesendershash",
    "ntsecuritydescriptor",
    "objectguid",
    "objectsid",
    "photo",
    "pkiexpirationperiod",
    "securityidentifier",
    "sidhistory",
    "thumbnaillogo",
    "thumbnailphoto",
    "tokengroups",
    "usercertificate",
    "userpkcs12",
    "usersmimecertificate",
];

/// Which attributes are binary.
#[derive(Clone, Debug, Default)]
pub(super) struct Schema {
    configured: BTreeSet<String>,
}

impl Schema {
    /// The well-known binary attributes and these.
    pub(super) fn new(configured: &BTreeSet<String>) -> Self {
        Self {
            configured: configured
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
        }
    }

    /// Whether an attribute is binary, by its lower-case description with options.
    pub(super) fn is_binary(&self, description: &str) -> bool {
        let mut parts = description.split(';');
        let name = parts.next().unwrap_or_default();
        BINARY.binary_search(&name).is_ok()
            || self.configured.contains(name)
            || parts.any(|option| option == "binary")
    }
}

/// One attribute of an entry: its description as spelled, and where its values are in [`RawEntry::values`].
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    description: &'a [u8],
    start: usize,
    end: usize,
}

/// An entry whose names and values are borrowed.
#[derive(Clone, Debug)]
pub(super) struct RawEntry<'a> {
    /// The DN as sent; not necessarily UTF-8.
    pub dn: &'a [u8],
    attributes: Vec<Place<'a>>,
    values: Vec<&'a [u8]>,
}

impl<'a> RawEntry<'a> {
    /// An entry without attributes.
    pub(super) fn new(dn: &'a [u8]) -> Self {
        Self {
            dn,
            attributes: Vec::with_capacity(24),
            values: Vec::with_capacity(32),
        }
    }

    /// Decodes the body of a SearchResultEntry (RFC 4511 §4.5.2).
    pub(super) fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let mut entry = Self::new(reader.expect(ber::OCTETS)?);
        let mut list = Reader::new(reader.expect(ber::SEQUENCE)?);
        while !list.is_empty() {
            let mut attribute = Reader::new(list.expect(ber::SEQUENCE)?);
            let description = attribute.expect(ber::OCTETS)?;
            let mut set = Reader::new(attribute.expect(ber::SET)?);
            let start = entry.values.len();
            while !set.is_empty() {
                entry.values.push(set.expect(ber::OCTETS)?);
            }
            entry.attributes.push(Place {
                description,
                start,
                end: entry.values.len(),
            });
        }
        Ok(entry)
    }

    /// Adds one attribute.
    pub(super) fn push(
        &mut self,
        description: &'a [u8],
        values: impl IntoIterator<Item = &'a [u8]>,
    ) {
        let start = self.values.len();
        self.values.extend(values);
        self.attributes.push(Place {
            description,
            start,
            end: self.values.len(),
        });
    }

    /// Each attribute with its values, in the order of the message.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a [u8], &[&'a [u8]])> {
        self.attributes.iter().map(|place| {
            let values = self.values.get(place.start..place.end);
            (place.description, values.unwrap_or_default())
        })
    }

    /// The values of the attribute at a position of [`Self::iter`].
    pub(super) fn values_at(&self, at: usize) -> Option<&[&'a [u8]]> {
        let place = self.attributes.get(at)?;
        self.values.get(place.start..place.end)
    }

    /// The values of an attribute by its exact description in any case; empty if it is absent.
    pub(super) fn get(&self, description: &str) -> &[&'a [u8]] {
        self.iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(description.as_bytes()))
            .map_or(&[], |(_, values)| values)
    }

    /// The first value of an attribute.
    pub(super) fn first(&self, description: &str) -> Option<&'a [u8]> {
        self.get(description).first().copied()
    }

    /// The attribute that came in part (`name;range=low-high`), with the first index still missing.
    pub(super) fn unfinished_range(&self) -> Option<(String, usize)> {
        self.iter().find_map(|(description, _)| {
            let (name, range) = split_range(description)?;
            let high: usize = range.split_once('-')?.1.parse().ok()?;
            Some((name.to_owned(), high + 1))
        })
    }
}

/// An entry that owns its parts: for what is put together from several answers or read from a file.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnedEntry {
    /// The DN as sent.
    pub dn: Vec<u8>,
    /// Descriptions as spelled, with their values.
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl OwnedEntry {
    /// A copy of a borrowed entry. Descriptions that are not UTF-8 are dropped: nobody can have asked for them.
    pub(super) fn copy(entry: &RawEntry<'_>) -> Self {
        let mut owned = Self {
            dn: entry.dn.to_vec(),
            attributes: Vec::new(),
        };
        for (description, values) in entry.iter() {
            if let Ok(description) = std::str::from_utf8(description) {
                for value in values {
                    owned.add(description, value.to_vec());
                }
            }
        }
        owned
    }

    /// Adds one value.
    pub(super) fn add(&mut self, description: &str, value: Vec<u8>) {
        let known = self
            .attributes
            .iter_mut()
            .find(|(name, _)| name.eq_ignore_ascii_case(description));
        match known {
            Some((_, values)) => values.push(value),
            None => self.attributes.push((description.to_owned(), vec![value])),
        }
    }

    /// The same entry, borrowed.
    pub(super) fn borrow(&self) -> RawEntry<'_> {
        let mut entry = RawEntry::new(&self.dn);
        for (description, values) in &self.attributes {
            entry.push(description.as_bytes(), values.iter().map(Vec::as_slice));
        }
        entry
    }
}

/// Splits `name;range=0-1499` into `name` and `0-1499`.
pub(super) fn split_range(description: &[u8]) -> Option<(&str, &str)> {
    // Without a semicolon, which is nearly always, this is one scan.
    if !description.contains(&b';') {
        return None;
    }
    let text = std::str::from_utf8(description).ok()?;
    let (name, option) = text.rsplit_once(';')?;
    let (key, range) = option.split_once('=')?;
    key.eq_ignore_ascii_case("range").then_some((name, range))
}

/// One value, typed by its attribute.
///
/// # Errors
/// Says what is wrong with the value and what to do.
pub(super) fn typed<'v>(
    description: &str,
    binary: bool,
    value: &'v [u8],
) -> Result<SourceValueRef<'v>, String> {
    if value.len() > VALUE_LIMIT {
        return Err(format!(
            "a value of {description} has {} bytes; at most {VALUE_LIMIT} are accepted",
            value.len()
        ));
    }
    if binary {
        return Ok(SourceValueRef::Bytes(value));
    }
    match std::str::from_utf8(value) {
        Ok(text) => Ok(SourceValueRef::Text(text)),
        Err(_) => Err(format!(
            "a value of {description} is not UTF-8 text; if the attribute is binary, add it to `binary` of the source"
        )),
    }
}

/// Bytes as text that is safe to show: what is not UTF-8 and control characters are escaped.
pub(super) fn printable(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            // Bidirectional overrides can make one name look like another.
            if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                shown.extend(c.escape_unicode());
            } else {
                shown.push(c);
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_binary_table_is_sorted() {
        assert!(BINARY.is_sorted());
        let schema = Schema::new(&BTreeSet::from(["blob".to_owned()]));
        for name in [
            "objectguid",
            "logonhours",
            "usercertificate;binary",
            "blob",
            "x;binary",
        ] {
            assert!(schema.is_binary(name), "{name}");
        }
        assert!(!schema.is_binary("entryuuid") && !schema.is_binary("cn;lang-fr"));
    }

    fn message(dn: &[u8], attributes: &[(&[u8], &[&[u8]])]) -> Vec<u8> {
        let mut list = Vec::new();
        for (name, values) in attributes {
            let set: Vec<u8> = values
                .iter()
                .flat_map(|v| ber::element(ber::OCTETS, v))
                .collect();
            let mut attribute = ber::element(ber::OCTETS, name);
            ber::write(&mut attribute, ber::SET, &set);
            ber::write(&mut list, ber::SEQUENCE, &attribute);
        }
        let mut body = ber::element(ber::OCTETS, dn);
        ber::write(&mut body, ber::SEQUENCE, &list);
        body
    }

    #[test]
    fn entries_decode_without_copies() {
        let body = message(
            b"cn=\xff",
            &[
                (b"CN", &[b"a", b"b"]),
                (b"member;range=0-1", &[b"x", b"y"]),
                (b"empty", &[]),
            ],
        );
        let entry = RawEntry::decode(&body).unwrap();
        assert_eq!(entry.dn, b"cn=\xff");
        assert_eq!(entry.get("cn"), [b"a", b"b"]);
        assert!(entry.get("empty").is_empty() && entry.get("none").is_empty());
        assert_eq!(entry.unfinished_range(), Some(("member".to_owned(), 2)));
        let body = message(b"cn=a", &[(b"member;Range=2-*", &[b"x"])]);
        let entry = RawEntry::decode(&body).unwrap();
        assert_eq!(entry.unfinished_range(), None);
        assert_eq!(
            OwnedEntry::copy(&entry).borrow().get("MEMBER;range=2-*"),
            [b"x"]
        );
    }

    #[test]
    fn values_are_typed_by_name_and_never_by_content() {
        for fill in 0..=255_u8 {
            let hours = [fill; 21];
            assert_eq!(
                typed("logonhours", true, &hours),
                Ok(SourceValueRef::Bytes(&hours))
            );
        }
        assert!(typed("cn", false, b"\xff").is_err_and(|why| why.contains("binary")));
        assert!(typed("photo", true, &vec![0; VALUE_LIMIT + 1]).is_err());
        assert_eq!(typed("cn", false, b"x"), Ok(SourceValueRef::Text("x")));
    }

    #[test]
    fn hostile_names_are_shown_escaped() {
        assert_eq!(printable(b"cn=a\x1b[2J\xff\n"), "cn=a\\u{1b}[2J\\xff\\u{a}");
        assert_eq!(printable("Zoë \u{202e}x".as_bytes()), "Zoë \\u{202e}x");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            if let Ok(entry) = RawEntry::decode(&bytes) {
                drop(entry.unfinished_range());
                prop_assert_eq!(OwnedEntry::copy(&entry).dn, entry.dn);
            }
            drop(printable(&bytes));
        }

        #[test]
        fn damaged_entries_never_panic(at in 0_usize..60, byte: u8) {
            let mut body = message(b"cn=a,dc=t", &[(b"cn", &[b"a", b"b"]), (b"objectGUID", &[&[0; 16]])]);
            if let Some(place) = body.get_mut(at) { *place = byte; }
            if let Ok(entry) = RawEntry::decode(&body) {
                prop_assert!(entry.iter().count() <= 60);
            }
        }
    }
}
