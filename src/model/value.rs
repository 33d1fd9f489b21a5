//! Values on both sides: as a directory gives them, and as an account holds them.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One value of a directory attribute, typed by the attribute's schema and never by its content.
///
/// `logonHours` of 21 zero bytes is valid UTF-8; it is still `Bytes`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SourceValue {
    /// A value of a textual syntax.
    Text(Box<str>),
    /// A value of a binary syntax.
    Bytes(Box<[u8]>),
}

impl SourceValue {
    /// The text, if this is a text value.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        self.borrow().as_text()
    }

    /// The same value, borrowed.
    #[must_use]
    pub fn borrow(&self) -> SourceValueRef<'_> {
        match self {
            Self::Text(text) => SourceValueRef::Text(text),
            Self::Bytes(bytes) => SourceValueRef::Bytes(bytes),
        }
    }
}

impl fmt::Debug for SourceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

/// A [`SourceValue`] that is held elsewhere. Its order and its stored form are those of the owned one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum SourceValueRef<'a> {
    /// A value of a textual syntax.
    Text(&'a str),
    /// A value of a binary syntax.
    Bytes(&'a [u8]),
}

impl<'a> SourceValueRef<'a> {
    /// The text, if this is a text value.
    #[must_use]
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(_) => None,
        }
    }

    /// How many bytes the value has.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// A value of its own.
    #[must_use]
    pub fn to_owned(self) -> SourceValue {
        match self {
            Self::Text(text) => SourceValue::Text(text.into()),
            Self::Bytes(bytes) => SourceValue::Bytes(bytes.into()),
        }
    }
}

// Directory values are personal data: `Debug` names their kind and size only.
impl fmt::Debug for SourceValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
        }
    }
}

/// A value of an account attribute, in the application's types.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text, never empty: an empty text is the absence of a value.
    Text(String),
    /// Several texts; a set, so order never causes an update. Never empty.
    Set(BTreeSet<String>),
}

impl Value {
    /// A text value, or nothing if the text is empty.
    #[must_use]
    pub fn text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::Text(text.to_owned()))
    }

    /// The text, if this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(_) | Self::Int(_) | Self::Set(_) => None,
        }
    }
}

/// The value as an operator reads it; sets are comma-separated in sorted order.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Set(values) => {
                for (i, value) in values.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    f.write_str(value)?;
                }
                Ok(())
            }
        }
    }
}

// Mapped values are personal data: `Debug` names their kind only.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "Bool({value})"),
            Self::Int(_) => f.write_str("Int(…)"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Set(values) => write!(f, "Set({} values)", values.len()),
        }
    }
}
