//! The immutable key of an identity in its directory.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest anchor accepted, in bytes. UUIDs need 36; a configured attribute rarely more than 64.
const LONGEST: usize = 256;

/// An immutable source key: an `objectGUID`, `entryUUID`, `nsUniqueId`, or the value of one configured attribute.
///
/// UUID-like anchors are held in their canonical text form (lower case, RFC 9562 §4).
/// An anchor is never a DN, a mail address or a login: those change.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Anchor(Arc<str>);

/// Why a value cannot be an anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// The attribute has no value, or an empty one.
    #[error("the anchor is empty")]
    Empty,
    /// Longer than an anchor may be.
    #[error("the anchor has {0} bytes; at most {LONGEST} are accepted")]
    TooLong(usize),
    /// Control characters cannot be shown or compared safely.
    #[error("the anchor contains a control character")]
    Control,
    /// The bytes are not those of a GUID (16 are needed).
    #[error("a GUID has 16 bytes, not {0}")]
    NotGuid(usize),
}

impl Anchor {
    /// An anchor from its text form. Text that is a UUID is brought to lower case; other text is kept exactly.
    ///
    /// # Errors
    /// When the text is empty, too long or contains control characters.
    pub fn new(text: &str) -> Result<Self, AnchorError> {
        if text.is_empty() {
            return Err(AnchorError::Empty);
        }
        if text.len() > LONGEST {
            return Err(AnchorError::TooLong(text.len()));
        }
        if text.len() == 36
            && let Ok(id) = uuid::Uuid::try_parse(text)
        {
            return Ok(Self::of(id));
        }
        if text.chars().any(char::is_control) {
            return Err(AnchorError::Control);
        }
        Ok(Self(text.into()))
    }

    /// An anchor from the 16 bytes of an Active Directory `objectGUID` (mixed-endian, MS-DTYP §2.3.4.2).
    ///
    /// # Errors
    /// When there are not exactly 16 bytes.
    pub fn from_guid(bytes: &[u8]) -> Result<Self, AnchorError> {
        let bytes: [u8; 16] = bytes
            .try_into()
            .map_err(|_wrong_length| AnchorError::NotGuid(bytes.len()))?;
        Ok(Self::of(uuid::Uuid::from_bytes_le(bytes)))
    }

    fn of(id: uuid::Uuid) -> Self {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        Self((*id.as_hyphenated().encode_lower(&mut text)).into())
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Anchor {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guid_bytes_and_text_agree() {
        let bytes = [
            0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
            0xee, 0xff,
        ];
        let text = "00112233-4455-6677-8899-AABBCCDDEEFF";
        assert_eq!(Anchor::from_guid(&bytes), Anchor::new(text));
    }

    #[test]
    fn what_cannot_be_an_anchor_is_refused() {
        assert_eq!(Anchor::new(""), Err(AnchorError::Empty));
        assert_eq!(Anchor::new("a\nb"), Err(AnchorError::Control));
        assert_eq!(Anchor::from_guid(&[1, 2]), Err(AnchorError::NotGuid(2)));
        assert!(matches!(
            Anchor::new(&"x".repeat(257)),
            Err(AnchorError::TooLong(257))
        ));
    }
}
