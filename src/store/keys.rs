//! The keys of the cache: one letter for the kind, the name of the source or target with its length, then the rest.

use crate::model::Anchor;

/// In how many buckets an index is kept: a change rewrites one of them, a start reads them all.
pub(super) const BUCKETS: u32 = 512;

/// Kinds of cache records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    /// A shelf of shadows.
    Shadow = b'h',
    /// A bucket of the register.
    Register = b'g',
    /// A bucket of settled marks.
    Settled = b's',
    /// A shelf of identities.
    Identity = b'i',
    /// A bucket of index rows.
    Index = b'x',
    /// A source's meta.
    Source = b'm',
    /// A commit of a read has begun and not ended.
    Reading = b'r',
}

/// Everything of one kind that belongs to one source or target.
pub(super) fn prefix(kind: Kind, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.len() + 48);
    key.push(kind as u8);
    key.extend_from_slice(&(name.len() as u64).to_be_bytes()[4..]);
    key.extend_from_slice(name.as_bytes());
    key
}

/// How long the prefix of a key is.
pub(super) fn prefix_length(key: &[u8]) -> usize {
    let length = key.get(1..5).and_then(|bytes| bytes.first_chunk());
    let name = length.map_or(0, |bytes| u32::from_be_bytes(*bytes) as usize);
    name.saturating_add(5).min(key.len())
}

/// One record by anchor.
pub(super) fn by_anchor(kind: Kind, name: &str, anchor: &Anchor) -> Vec<u8> {
    let mut key = prefix(kind, name);
    key.extend_from_slice(anchor.as_str().as_bytes());
    key
}

/// One bucket.
pub(super) fn by_bucket(kind: Kind, name: &str, bucket: u32) -> Vec<u8> {
    let mut key = prefix(kind, name);
    key.extend_from_slice(&bucket.to_be_bytes());
    key
}

/// The bucket of an anchor. Part of the format: never change it.
pub(super) fn bucket(anchor: &Anchor) -> u32 {
    crc32fast::hash(anchor.as_str().as_bytes()) % BUCKETS
}
