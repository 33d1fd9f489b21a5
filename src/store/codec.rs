//! How values are laid out: postcard inside a checked frame.
//!
//! A cache value is `[version][payload][crc32 over key, version and payload]`, little-endian.
//! The checksum is bound to the key, so that a value found under another key is noticed too.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of cache values.
pub(super) const VALUE_VERSION: u8 = 2;

/// Why bytes are not a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum CodecError {
    /// Too short, or the checksum is wrong.
    #[error("its checksum is wrong")]
    Checksum,
    /// Written by a newer version.
    #[error("it was written by a newer version")]
    Version,
    /// Written by an older version.
    #[error("it was written by an older version")]
    Older,
    /// The checksum is right and the content is not what was expected.
    #[error("its content cannot be decoded")]
    Content,
}

/// The positional form of a value.
///
/// # Errors
/// Only if a value cannot be represented at all, which our own types can.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    postcard::to_stdvec(value).map_err(|_unrepresentable| CodecError::Content)
}

/// As [`encode`], behind what is there already.
///
/// # Errors
/// As [`encode`].
pub(super) fn encode_onto<T: Serialize + ?Sized>(
    bytes: Vec<u8>,
    value: &T,
) -> Result<Vec<u8>, CodecError> {
    postcard::to_extend(value, bytes).map_err(|_unrepresentable| CodecError::Content)
}

/// The value; trailing bytes are an error.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(CodecError::Content),
    }
}

/// As [`decode`], with texts that stay where they are.
pub(super) fn borrow<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(CodecError::Content),
    }
}

/// Frames a cache payload for its key.
pub(super) fn seal(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut framed = unsealed(payload.len());
    framed.extend_from_slice(payload);
    close(key, framed)
}

/// A frame that is begun: a payload of about so many bytes is to follow, then [`close`].
pub(super) fn unsealed(capacity: usize) -> Vec<u8> {
    let mut framed = Vec::with_capacity(capacity + 5);
    framed.push(VALUE_VERSION);
    framed
}

/// Ends a frame.
pub(super) fn close(key: &[u8], mut framed: Vec<u8>) -> Vec<u8> {
    let crc = checksum(key, &framed);
    framed.extend_from_slice(&crc.to_le_bytes());
    framed
}

/// The payload of a framed cache value.
pub(super) fn unseal<'a>(key: &[u8], framed: &'a [u8]) -> Result<&'a [u8], CodecError> {
    let Some((body, crc)) = framed.split_last_chunk::<4>() else {
        return Err(CodecError::Checksum);
    };
    if checksum(key, body) != u32::from_le_bytes(*crc) {
        return Err(CodecError::Checksum);
    }
    match body.split_first() {
        Some((&VALUE_VERSION, payload)) => Ok(payload),
        Some((&version, _)) if version < VALUE_VERSION => Err(CodecError::Older),
        Some(_) => Err(CodecError::Version),
        None => Err(CodecError::Checksum),
    }
}

fn checksum(key: &[u8], body: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&(key.len() as u64).to_le_bytes());
    hash.update(key);
    hash.update(body);
    hash.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framed_value_comes_back_and_every_flipped_bit_is_noticed() {
        let framed = seal(b"key", b"payload");
        assert_eq!(unseal(b"key", &framed), Ok(&b"payload"[..]));
        assert_eq!(unseal(b"kex", &framed), Err(CodecError::Checksum));
        for bit in 0..framed.len() * 8 {
            let mut damaged = framed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(b"key", &damaged).is_err(), "bit {bit}");
        }
        for end in 0..framed.len() {
            assert!(unseal(b"key", &framed[..end]).is_err());
        }
    }

    #[test]
    fn values_of_other_versions_are_told_from_damaged_ones() {
        let of = |version: u8| close(b"k", vec![version, 7]);
        assert_eq!(
            unseal(b"k", &of(VALUE_VERSION + 1)),
            Err(CodecError::Version)
        );
        assert_eq!(unseal(b"k", &of(VALUE_VERSION)), Ok(&[7][..]));
        assert_eq!(unseal(b"k", &of(VALUE_VERSION - 1)), Err(CodecError::Older));
    }

    #[test]
    fn trailing_bytes_are_an_error() {
        let mut bytes = encode(&(1_u32, "x")).unwrap();
        assert_eq!(decode::<(u32, String)>(&bytes), Ok((1, "x".to_owned())));
        bytes.push(0);
        assert!(decode::<(u32, String)>(&bytes).is_err());
    }
}
