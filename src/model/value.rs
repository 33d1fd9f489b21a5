//! Values on both sides: attributes as a directory gives them, and as an account holds them.

use std::collections::{BTreeMap, BTreeSet};
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
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(_) => None,
        }
    }
}

// Directory values are personal data: `Debug` names their kind and size only.
impl fmt::Debug for SourceValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
        }
    }
}

/// The attributes of one directory entry. Names are held in lower case; the order of values means nothing.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes(BTreeMap<Box<str>, Vec<SourceValue>>);

impl Attributes {
    /// No attributes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the values of an attribute; values are sorted so that server order never matters. No values remove it.
    pub fn set(&mut self, name: &str, mut values: Vec<SourceValue>) {
        let name = name.to_ascii_lowercase().into_boxed_str();
        if values.is_empty() {
            self.0.remove(&name);
            return;
        }
        values.sort_unstable();
        values.dedup();
        self.0.insert(name, values);
    }

    /// Adds one text value.
    pub fn add_text(&mut self, name: &str, value: &str) {
        let mut values = self.get(name).to_vec();
        values.push(SourceValue::Text(value.into()));
        self.set(name, values);
    }

    /// The values of an attribute, by name in any case; empty if it is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> &[SourceValue] {
        let found = if name.bytes().any(|b| b.is_ascii_uppercase()) {
            self.0.get(name.to_ascii_lowercase().as_str())
        } else {
            self.0.get(name)
        };
        found.map_or(&[], Vec::as_slice)
    }

    /// The first text value of an attribute, in sorted order.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).iter().find_map(SourceValue::as_text)
    }

    /// All text values of an attribute.
    pub fn texts<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.get(name).iter().filter_map(SourceValue::as_text)
    }

    /// The bytes of the first value of an attribute, whatever its type.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.get(name).first().map(|value| match value {
            SourceValue::Text(text) => text.as_bytes(),
            SourceValue::Bytes(bytes) => bytes,
        })
    }

    /// Every attribute with its values, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[SourceValue])> {
        self.0
            .iter()
            .map(|(name, values)| (&**name, values.as_slice()))
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter()).finish()
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
