//! What the journal says: one entry per fact, a short head that is read at every start and a body that is read when needed.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::codec::{CodecError, decode, encode_onto};
use super::types::OpId;

/// Most entries are smaller than this, in bytes.
const USUAL: usize = 1024;
/// Most small entries are smaller than this, in bytes.
const SMALL: usize = 256;

/// What an entry is about. Enough to know which shadows, operations and metas are current.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Head<'a> {
    /// An operation is about to begin. Body: run number and [`super::Intent`].
    Begun {
        /// The target.
        target: &'a str,
        /// Its number.
        op: OpId,
    },
    /// An operation or observation is known. Body: the shadow for `Put`, then the result.
    Ended {
        /// The target.
        target: &'a str,
        /// The operation, if it was one.
        op: Option<OpId>,
        /// Whose shadow.
        anchor: &'a str,
        /// What became of it.
        moved: Moved,
    },
    /// A shadow as a checkpoint carries it over. Body: the shadow.
    Shadow {
        /// The target.
        target: &'a str,
        /// Whose shadow.
        anchor: &'a str,
        /// The entry that first said so.
        generation: u64,
    },
    /// A target's meta without its staged plan. Body: [`super::TargetMeta`].
    Meta {
        /// The target.
        target: &'a str,
    },
    /// A target's staged plan. Body: an optional plan.
    Staged {
        /// The target.
        target: &'a str,
    },
    /// An operator told us to forget a shadow. No body.
    Forgotten {
        /// The target.
        target: &'a str,
        /// Whose shadow.
        anchor: &'a str,
    },
    /// One of our own records (an override, a message to send); the latest of a kind and key is current.
    /// Body: the document's bytes; none at all once it was removed.
    Document {
        /// What kind of record.
        kind: &'a str,
        /// Its key within the kind.
        key: &'a str,
    },
    /// The number of a run was handed out. No body.
    Run {
        /// The number.
        number: u64,
    },
    /// Entitlements are about to be granted and revoked. Body: run number and [`super::Entitling`].
    Entitling {
        /// The target.
        target: &'a str,
        /// The operation's number.
        op: OpId,
    },
}

/// What became of a shadow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Moved {
    /// It is in the body.
    Put,
    /// It is gone.
    Remove,
    /// It is as before.
    Keep,
}

/// The bytes of an entry.
pub(super) fn write<B: Serialize + ?Sized>(
    head: Head<'_>,
    body: &B,
) -> Result<Vec<u8>, CodecError> {
    encode_onto(head_bytes(head)?, body)
}

/// As [`write`], for a body of few bytes.
pub(super) fn write_small<B: Serialize + ?Sized>(
    head: Head<'_>,
    body: &B,
) -> Result<Vec<u8>, CodecError> {
    encode_onto(encode_onto(Vec::with_capacity(SMALL), &head)?, body)
}

/// The bytes of a head, with room for a body to follow.
pub(super) fn head_bytes(head: Head<'_>) -> Result<Vec<u8>, CodecError> {
    encode_onto(Vec::with_capacity(USUAL), &head)
}

/// The head of an entry and its body's bytes.
pub(super) fn head(bytes: &[u8]) -> Result<(Head<'_>, &[u8]), CodecError> {
    postcard::take_from_bytes(bytes).map_err(|_malformed| CodecError::Content)
}

/// A body.
pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    decode(bytes)
}

/// The first part of a body: the bytes of a shadow within the body of [`Head::Ended`].
pub(super) fn shadow_bytes(bytes: &[u8]) -> Result<&[u8], CodecError> {
    let (_shadow, rest) = postcard::take_from_bytes::<crate::model::Shadow>(bytes)
        .map_err(|_malformed| CodecError::Content)?;
    bytes
        .get(..bytes.len() - rest.len())
        .ok_or(CodecError::Content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Anchor, Origin, Shadow};

    #[test]
    fn heads_come_back_with_their_bodies() {
        let heads = [
            Head::Begun {
                target: "crm",
                op: OpId(7),
            },
            Head::Ended {
                target: "crm",
                op: Some(OpId(7)),
                anchor: "a",
                moved: Moved::Put,
            },
            Head::Shadow {
                target: "crm",
                anchor: "a",
                generation: 300,
            },
            Head::Meta { target: "crm" },
            Head::Staged { target: "crm" },
            Head::Forgotten {
                target: "crm",
                anchor: "a",
            },
            Head::Document {
                kind: "override",
                key: "a",
            },
            Head::Run { number: u64::MAX },
            Head::Entitling {
                target: "crm",
                op: OpId(8),
            },
        ];
        for given in heads {
            let bytes = write(given, "body").unwrap();
            let (found, rest) = head(&bytes).unwrap();
            assert_eq!(found, given);
            assert_eq!(body::<String>(rest).unwrap(), "body");
        }
    }

    #[test]
    fn the_shadow_is_found_in_front_of_the_result() {
        let shadow = Shadow::new(Anchor::new("a").unwrap(), "A".to_owned(), Origin::Created);
        let bytes = encode_onto(Vec::new(), &(&shadow, "done")).unwrap();
        let found = shadow_bytes(&bytes).unwrap();
        assert_eq!(decode::<Shadow>(found).unwrap(), shadow);
        assert!(shadow_bytes(&bytes[..4]).is_err());
    }
}
