//! Decides about the next LDAP message in a buffer before anything else parses it (RFC 4511 §4.1.1).
//!
//! Pure: bytes in, verdict out. The size is bounded, nothing is recursive, and small envelope messages
//! must have exactly the shape of the standard, because the library that receives them panics on others.

use super::ber::{self, Malformed, Reader};

/// Larger messages than this are taken for damage and not for a large entry.
pub(super) const ABSURD: usize = 64 << 20;
/// How much of an entry that is too large is looked at for its DN.
const PREFIX: usize = 64 << 10;
/// The deepest nesting accepted; LDAP needs fewer than ten levels.
const DEEPEST: usize = 32;

pub(super) const BIND_REQUEST: u8 = 0x60;
pub(super) const BIND_RESPONSE: u8 = 0x61;
pub(super) const SEARCH_REQUEST: u8 = 0x63;
pub(super) const SEARCH_ENTRY: u8 = 0x64;
pub(super) const SEARCH_DONE: u8 = 0x65;
pub(super) const SEARCH_REFERENCE: u8 = 0x73;
pub(super) const EXTENDED_REQUEST: u8 = 0x77;
pub(super) const EXTENDED_RESPONSE: u8 = 0x78;
const INTERMEDIATE: u8 = 0x79;

/// What is at the start of the buffer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Frame {
    /// At least this many bytes must be there before more can be said.
    More(usize),
    /// A complete message of this length.
    Message {
        id: u32,
        /// The tag of the operation inside.
        operation: u8,
        length: usize,
    },
    /// An entry above the size limit, to be skipped.
    Huge {
        id: u32,
        /// The DN, as far as it could be read.
        dn: Vec<u8>,
        length: usize,
    },
    /// A message that means nothing to us.
    Ignored { length: usize },
}

/// Why the stream cannot be trusted any more.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum BadFrame {
    #[error("the server sent something that is not LDAP")]
    NotLdap,
    #[error("the server sent a message of {0} bytes, above the limit")]
    TooLarge(usize),
    #[error("the server sent an LDAP message of an unexpected kind (tag 0x{0:02x})")]
    Unexpected(u8),
    #[error("the server ended the connection: {0}")]
    Notice(String),
}

impl From<Malformed> for BadFrame {
    fn from(_: Malformed) -> Self {
        Self::NotLdap
    }
}

/// Looks at the next message.
pub(super) fn next(buffer: &[u8], limit: usize) -> Result<Frame, BadFrame> {
    let Some(header) = ber::header(buffer)? else {
        return match buffer.first() {
            Some(&first) if first != ber::SEQUENCE => Err(BadFrame::NotLdap),
            _ => Ok(Frame::More(buffer.len() + 1)),
        };
    };
    if header.tag != ber::SEQUENCE {
        return Err(BadFrame::NotLdap);
    }
    let length = header.head + header.body;
    if length > ABSURD {
        return Err(BadFrame::TooLarge(length));
    }
    if length > limit {
        return huge(buffer, header.head, length);
    }
    let Some(body) = buffer.get(header.head..length) else {
        return Ok(Frame::More(length));
    };
    let mut reader = Reader::new(body);
    let id = reader.number(ber::INTEGER)?;
    let operation = reader.peek().ok_or(BadFrame::NotLdap)?;
    match operation {
        // The decoder of entries is not recursive and checks every length itself.
        SEARCH_ENTRY | SEARCH_REFERENCE if id > 0 => {}
        BIND_RESPONSE | SEARCH_DONE | EXTENDED_RESPONSE => {
            ber::check_depth(body, DEEPEST)?;
            let (_, content) = reader.any()?;
            if id == 0 {
                return Err(BadFrame::Notice(notice(content)));
            }
            check_result(content)?;
            check_controls(reader)?;
        }
        INTERMEDIATE => return Ok(Frame::Ignored { length }),
        other => return Err(BadFrame::Unexpected(other)),
    }
    Ok(Frame::Message {
        id,
        operation,
        length,
    })
}

/// A message above the limit: an entry is skipped, anything else ends the connection.
fn huge(buffer: &[u8], head: usize, length: usize) -> Result<Frame, BadFrame> {
    let wanted = length.min(PREFIX);
    let Some(prefix) = buffer.get(head..wanted) else {
        return Ok(Frame::More(wanted));
    };
    let mut reader = Reader::new(prefix);
    let id = reader.number(ber::INTEGER)?;
    if reader.peek() != Some(SEARCH_ENTRY) {
        return Err(BadFrame::TooLarge(length));
    }
    // The entry is cut off here, so only headers are read.
    let rest = reader.rest();
    let entry = ber::header(rest)?.ok_or(BadFrame::NotLdap)?;
    let rest = rest.get(entry.head..).unwrap_or_default();
    let name = ber::header(rest)?.ok_or(BadFrame::NotLdap)?;
    if name.tag != ber::OCTETS {
        return Err(BadFrame::NotLdap);
    }
    let rest = rest.get(name.head..).unwrap_or_default();
    let dn = rest.get(..name.body).unwrap_or(rest).to_vec();
    Ok(Frame::Huge { id, dn, length })
}

/// What a notice of disconnection says (RFC 4511 §4.4.1); AD's is not quite to the standard.
fn notice(content: &[u8]) -> String {
    let mut reader = Reader::new(content);
    let code = reader.number(ber::ENUMERATED);
    let text = reader
        .expect(ber::OCTETS)
        .and_then(|_| reader.expect(ber::OCTETS));
    match (code, text) {
        (Ok(code), Ok(text)) => format!("result {code}, {}", super::entry::printable(text)),
        _ => "without a reason".to_owned(),
    }
}

/// The code and text of an LDAPResult that was checked.
pub(super) fn result_of(content: &[u8]) -> Option<(u32, String)> {
    let mut reader = Reader::new(content);
    let code = reader.number(ber::ENUMERATED).ok()?;
    reader.expect(ber::OCTETS).ok()?;
    let text = reader.expect(ber::OCTETS).ok()?;
    Some((code, super::entry::printable(text)))
}

/// The id, the operation's tag and its content of a complete message.
pub(super) fn open(message: &[u8]) -> Result<(u32, u8, &[u8]), Malformed> {
    let mut reader = Reader::new(Reader::new(message).expect(ber::SEQUENCE)?);
    let id = reader.number(ber::INTEGER)?;
    let (operation, content) = reader.any()?;
    Ok((id, operation, content))
}

/// The URLs of a SearchResultReference.
pub(super) fn references(content: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(content);
    let mut urls = Vec::new();
    while let Ok(url) = reader.expect(ber::OCTETS) {
        urls.push(super::entry::printable(url));
    }
    urls
}

fn text(bytes: &[u8]) -> Result<(), Malformed> {
    std::str::from_utf8(bytes)
        .map(|_| ())
        .map_err(|_| Malformed)
}

/// LDAPResult and what bind and extended responses add to it (RFC 4511 §4.1.9, §4.2.2, §4.12).
fn check_result(content: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader::new(content);
    reader.number(ber::ENUMERATED)?;
    text(reader.expect(ber::OCTETS)?)?;
    text(reader.expect(ber::OCTETS)?)?;
    while !reader.is_empty() {
        match reader.any()? {
            (0xa3, referral) => {
                let mut urls = Reader::new(referral);
                while !urls.is_empty() {
                    text(urls.expect(ber::OCTETS)?)?;
                }
            }
            (0x8a, name) => text(name)?,
            (0x87 | 0x8b, _) => {}
            _ => return Err(Malformed),
        }
    }
    Ok(())
}

fn check_controls(mut reader: Reader<'_>) -> Result<(), Malformed> {
    if reader.is_empty() {
        return Ok(());
    }
    let mut controls = Reader::new(reader.expect(0xa0)?);
    while !controls.is_empty() {
        let mut control = Reader::new(controls.expect(ber::SEQUENCE)?);
        text(control.expect(ber::OCTETS)?)?;
        if control.peek() == Some(ber::BOOLEAN) && control.expect(ber::BOOLEAN)?.len() != 1 {
            return Err(Malformed);
        }
        if !control.is_empty() {
            control.expect(ber::OCTETS)?;
        }
        if !control.is_empty() {
            return Err(Malformed);
        }
    }
    if reader.is_empty() {
        Ok(())
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(id: u8, operation: u8, content: &[u8]) -> Vec<u8> {
        let mut body = ber::element(ber::INTEGER, &[id]);
        ber::write(&mut body, operation, content);
        ber::element(ber::SEQUENCE, &body)
    }

    fn result(code: u8) -> Vec<u8> {
        let mut content = ber::element(ber::ENUMERATED, &[code]);
        ber::write(&mut content, ber::OCTETS, b"");
        ber::write(&mut content, ber::OCTETS, b"why");
        content
    }

    #[test]
    fn messages_are_framed_at_every_split() {
        let done = message(7, SEARCH_DONE, &result(0));
        for cut in 0..done.len() {
            assert!(matches!(next(&done[..cut], 1000), Ok(Frame::More(n)) if n > cut));
        }
        let frame = Frame::Message {
            id: 7,
            operation: SEARCH_DONE,
            length: done.len(),
        };
        assert_eq!(next(&done, 1000), Ok(frame));
        assert_eq!(open(&done), Ok((7, SEARCH_DONE, &result(0)[..])));
        assert_eq!(result_of(&result(4)), Some((4, "why".to_owned())));
    }

    #[test]
    fn a_large_entry_is_skipped_and_other_large_messages_are_refused() {
        let mut content = ber::element(ber::OCTETS, b"cn=big,dc=t");
        ber::write(&mut content, ber::SEQUENCE, &vec![0; 200_000]);
        let entry = message(3, SEARCH_ENTRY, &content);
        assert_eq!(next(&entry[..100], 1000), Ok(Frame::More(PREFIX)));
        let huge = Frame::Huge {
            id: 3,
            dn: b"cn=big,dc=t".to_vec(),
            length: entry.len(),
        };
        assert_eq!(next(&entry[..PREFIX], 1000), Ok(huge));
        let done = message(3, SEARCH_DONE, &vec![0; 2000]);
        assert_eq!(next(&done, 1000), Err(BadFrame::TooLarge(done.len())));
        assert_eq!(
            next(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff], 1000),
            Err(BadFrame::TooLarge(0x7fff_ffff + 6))
        );
    }

    #[test]
    fn what_would_make_the_library_panic_is_refused() {
        let bad = [
            message(1, SEARCH_DONE, b""),
            message(1, SEARCH_DONE, &ber::element(ber::ENUMERATED, &[0])),
            message(1, 0x6b, &result(0)),
            message(
                1,
                BIND_RESPONSE,
                &[result(0), ber::element(0xa9, b"")].concat(),
            ),
            message(
                1,
                SEARCH_DONE,
                &[
                    ber::element(ber::ENUMERATED, &[0]),
                    ber::element(ber::OCTETS, b"\xff"),
                    ber::element(ber::OCTETS, b""),
                ]
                .concat(),
            ),
            ber::element(ber::SEQUENCE, b""),
            ber::element(ber::SEQUENCE, &ber::element(ber::INTEGER, &[1])),
            b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
        ];
        for bytes in bad {
            assert!(next(&bytes, 100_000).is_err(), "{bytes:02x?}");
        }
        let mut bomb = Vec::new();
        for _ in 0..40 {
            bomb = ber::element(0xa3, &bomb);
        }
        assert!(next(&message(1, BIND_RESPONSE, &bomb), 100_000).is_err());
        let notice = message(0, EXTENDED_RESPONSE, &result(52));
        assert_eq!(
            next(&notice, 1000),
            Err(BadFrame::Notice("result 52, why".to_owned()))
        );
    }

    #[test]
    fn controls_have_one_shape() {
        let with = |controls: &[u8]| {
            let mut body = ber::element(ber::INTEGER, &[1]);
            ber::write(&mut body, SEARCH_DONE, &result(0));
            ber::write(&mut body, 0xa0, controls);
            next(&ber::element(ber::SEQUENCE, &body), 1000)
        };
        let oid = ber::element(ber::OCTETS, b"1.2.3");
        let value = ber::element(ber::OCTETS, b"v");
        let flag = ber::element(ber::BOOLEAN, &[0xff]);
        for good in [
            vec![],
            oid.clone(),
            [&oid[..], &value].concat(),
            [&oid[..], &flag, &value].concat(),
        ] {
            let controls = if good.is_empty() {
                good
            } else {
                ber::element(ber::SEQUENCE, &good)
            };
            assert!(with(&controls).is_ok());
        }
        for bad in [
            vec![],
            ber::element(ber::BOOLEAN, &[]),
            [&oid[..], &ber::element(ber::BOOLEAN, &[])].concat(),
            [&oid[..], &value, &value].concat(),
        ] {
            assert_eq!(
                with(&ber::element(ber::SEQUENCE, &bad)),
                Err(BadFrame::NotLdap)
            );
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, limit in 0_usize..300) {
            drop(next(&bytes, limit));
            let _ = open(&bytes);
            drop(references(&bytes));
            let mut framed = ber::element(ber::SEQUENCE, &bytes);
            framed.truncate(300);
            if let Ok(Frame::Message { length, .. }) = next(&framed, limit) {
                prop_assert!(length <= framed.len());
            }
        }
    }
}
