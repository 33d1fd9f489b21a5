//! A reader of BER (X.690) as LDAP uses it (RFC 4511 §5.1): definite lengths, low tag numbers, no recursion.
//!
//! It never allocates, never panics, and reads nothing beyond what it was given.

/// The content is not the BER that LDAP allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the data is not valid BER")]
pub(super) struct Malformed;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// What the start of a message says about its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// The identifier octet.
    pub tag: u8,
    /// Bytes of identifier and length.
    pub head: usize,
    /// Bytes of content.
    pub body: usize,
}

/// Reads identifier and length. `Ok(None)` means that more bytes are needed.
pub(super) fn header(data: &[u8]) -> Result<Option<Header>, Malformed> {
    let [tag, first, rest @ ..] = data else {
        return match data.first() {
            Some(tag) if tag & 0x1f == 0x1f => Err(Malformed),
            _ => Ok(None),
        };
    };
    if tag & 0x1f == 0x1f {
        return Err(Malformed);
    }
    if *first < 0x80 {
        return Ok(Some(Header {
            tag: *tag,
            head: 2,
            body: usize::from(*first),
        }));
    }
    // 0x80 is the indefinite form, which LDAP forbids; lengths of more than four bytes are absurd here.
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(Malformed);
    }
    let Some(bytes) = rest.get(..count) else {
        return Ok(None);
    };
    let body = bytes
        .iter()
        .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    Ok(Some(Header {
        tag: *tag,
        head: 2 + count,
        body,
    }))
}

/// Walks the elements of one level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The identifier octet of the next element, if there is one.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element of any kind.
    #[inline]
    pub(super) fn any(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        // Nearly every element is short; the general way handles the others.
        if let [tag, length @ 0..0x80, rest @ ..] = self.rest
            && tag & 0x1f != 0x1f
            && let Some((body, rest)) = rest.split_at_checked(usize::from(*length))
        {
            self.rest = rest;
            return Ok((*tag, body));
        }
        let header = header(self.rest)?.ok_or(Malformed)?;
        let body = self.rest.get(header.head..).ok_or(Malformed)?;
        let (body, rest) = body.split_at_checked(header.body).ok_or(Malformed)?;
        self.rest = rest;
        Ok((header.tag, body))
    }

    /// The next element, which must have this identifier.
    #[inline]
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        match self.any()? {
            (found, body) if found == tag => Ok(body),
            _ => Err(Malformed),
        }
    }

    /// The next element, which must be an INTEGER or ENUMERATED from 0 to 2³¹ - 1.
    pub(super) fn number(&mut self, tag: u8) -> Result<u32, Malformed> {
        let body = self.expect(tag)?;
        if body.is_empty() || body.len() > 4 || body.first().is_some_and(|b| b & 0x80 != 0) {
            return Err(Malformed);
        }
        Ok(body
            .iter()
            .fold(0_u32, |number, byte| number << 8 | u32::from(*byte)))
    }
}

/// Checks a whole element without recursion: every length fits, nothing is nested deeper than `deepest`.
pub(super) fn check_depth(data: &[u8], deepest: usize) -> Result<(), Malformed> {
    let mut open: Vec<&[u8]> = vec![data];
    while let Some(level) = open.pop() {
        if level.is_empty() {
            continue;
        }
        let mut reader = Reader::new(level);
        let (tag, body) = reader.any()?;
        open.push(reader.rest);
        if tag & 0x20 != 0 {
            if open.len() > deepest {
                return Err(Malformed);
            }
            open.push(body);
        }
    }
    Ok(())
}

/// Appends one element.
pub(super) fn write(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(tag);
    let bytes = body.len().to_be_bytes();
    if body.len() < 0x80 {
        out.extend(bytes.last());
    } else {
        let skip = bytes.iter().take_while(|byte| **byte == 0).count();
        let count = bytes.len() - skip;
        out.push(0x80 | u8::try_from(count).unwrap_or(8));
        out.extend(bytes.iter().skip(skip));
    }
    out.extend_from_slice(body);
}

/// One element as bytes.
pub(super) fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 6);
    write(&mut out, tag, body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        for size in [0, 1, 127, 128, 255, 256, 65_535, 65_536, 70_000] {
            let body = vec![7; size];
            let bytes = element(OCTETS, &body);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.expect(OCTETS), Ok(&body[..]));
            assert!(reader.is_empty());
            let short = &bytes[..bytes.len() - 1];
            assert_eq!(Reader::new(short).any(), Err(Malformed), "{size}");
        }
    }

    #[test]
    fn what_ldap_forbids() {
        for bytes in [
            &[0x30, 0x80, 0, 0][..],
            &[0x1f, 0x01, 0],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
        ] {
            assert_eq!(header(bytes), Err(Malformed));
        }
        assert_eq!(header(&[0x30]), Ok(None));
        assert_eq!(header(&[0x30, 0x84, 1, 1, 1]), Ok(None));
    }

    #[test]
    fn bombs_are_refused_at_the_depth_limit() {
        let mut bomb = Vec::new();
        for _ in 0..32 {
            bomb = element(SEQUENCE, &bomb);
        }
        assert_eq!(check_depth(&bomb, 32), Ok(()));
        bomb = element(SEQUENCE, &bomb);
        assert_eq!(check_depth(&bomb, 32), Err(Malformed));
        for _ in 0..15_000 {
            bomb = element(SEQUENCE, &bomb);
        }
        assert_eq!(check_depth(&bomb, 32), Err(Malformed));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = header(&bytes);
            let _ = check_depth(&bytes, 32);
            let mut reader = Reader::new(&bytes);
            let mut left = bytes.len() + 1;
            while reader.any().is_ok() {
                left -= 1;
                proptest::prop_assert!(left > 0);
            }
        }
    }
}
