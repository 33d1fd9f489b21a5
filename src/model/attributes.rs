//! The attributes of one directory entry, packed: everybody in a directory is held in memory, most of them with a dozen
//! short values, so what is held per value is the value and eight bytes.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{SourceValue, SourceValueRef};

/// Names of attributes in lower case and order, each once. Shared by all entries that are read alike.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AttributeNames(Arc<[Box<str>]>);

impl AttributeNames {
    /// These names, in any case and order.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Self {
        let lower = |name: N| name.as_ref().to_ascii_lowercase().into_boxed_str();
        let names: BTreeSet<Box<str>> = names.into_iter().map(lower).collect();
        Self(names.into_iter().collect())
    }

    /// Where a name is, by its spelling in any case.
    fn find(&self, name: &str) -> Option<usize> {
        let lower = if name.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
        self.0.binary_search_by(|known| (**known).cmp(&*lower)).ok()
    }
}

/// The values of an entry are more than can be held: 4 GiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the entry has more than 4 GiB of values")]
pub struct TooMuch;

/// Where one value ends in the content, and of which attribute it is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    end: u32,
    /// Twice the position of the name, and one more if the value is binary.
    what: u32,
}

impl Place {
    fn name(self) -> usize {
        usize::try_from(self.what >> 1).unwrap_or(usize::MAX)
    }

    fn end(self) -> usize {
        usize::try_from(self.end).unwrap_or(usize::MAX)
    }
}

/// The attributes of one directory entry. Names are held in lower case; the order of values means nothing.
#[derive(Clone, Default)]
pub struct Attributes {
    names: AttributeNames,
    /// In the order of names, and of values within one.
    places: Box<[Place]>,
    content: Box<[u8]>,
}

impl Attributes {
    /// No attributes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the values of an attribute; values are sorted so that server order never matters. No values remove it.
    /// An entry of more than 4 GiB stays as it was; who reads from a directory uses a [`Packer`], which says so.
    pub fn set(&mut self, name: &str, values: Vec<SourceValue>) {
        let mut all: BTreeMap<Box<str>, Vec<SourceValue>> = self
            .iter()
            .map(|(name, values)| (name.into(), values.map(SourceValueRef::to_owned).collect()))
            .collect();
        let name = name.to_ascii_lowercase().into_boxed_str();
        if values.is_empty() {
            all.remove(&name);
        } else {
            all.insert(name, values);
        }
        let mut packer = Packer::new(AttributeNames::new(all.keys()));
        let mut values = all.values().enumerate();
        let packed = values
            .try_for_each(|(at, values)| packer.add(at, values.iter().map(SourceValue::borrow)));
        if packed.is_ok() {
            *self = packer.finish();
        }
    }

    /// Adds one text value.
    pub fn add_text(&mut self, name: &str, value: &str) {
        let mut values: Vec<SourceValue> = self.get(name).map(SourceValueRef::to_owned).collect();
        values.push(SourceValue::Text(value.into()));
        self.set(name, values);
    }

    /// The values of an attribute, by name in any case; none if it is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Values<'_> {
        let (next, end) = self.names.find(name).map_or((0, 0), |at| {
            let next = self.places.partition_point(|place| place.name() < at);
            let rest = self.places.get(next..).unwrap_or_default();
            (
                next,
                next + rest.partition_point(|place| place.name() == at),
            )
        });
        Values {
            of: self,
            next,
            end,
        }
    }

    /// The first text value of an attribute, in sorted order.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    /// All text values of an attribute.
    pub fn texts<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.get(name).filter_map(SourceValueRef::as_text)
    }

    /// The bytes of the first value of an attribute, whatever its type.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.get(name).next().map(|value| match value {
            SourceValueRef::Text(text) => text.as_bytes(),
            SourceValueRef::Bytes(bytes) => bytes,
        })
    }

    /// Every attribute with its values, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Values<'_>)> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let at = self.places.get(next)?.name();
            let rest = self.places.get(next..)?;
            let count = rest.iter().take_while(|place| place.name() == at).count();
            let values = Values {
                of: self,
                next,
                end: next + count,
            };
            next += count;
            Some((&**self.names.0.get(at)?, values))
        })
    }

    /// The value at a position of `places`.
    fn value(&self, at: usize) -> Option<SourceValueRef<'_>> {
        let place = self.places.get(at)?;
        let before = at.checked_sub(1).and_then(|before| self.places.get(before));
        let start = before.map_or(0, |before| before.end());
        let bytes = self.content.get(start..place.end())?;
        if place.what & 1 == 1 {
            return Some(SourceValueRef::Bytes(bytes));
        }
        // What is not binary was text when it was packed.
        std::str::from_utf8(bytes).ok().map(SourceValueRef::Text)
    }
}

/// The values of one attribute, in sorted order.
#[derive(Clone)]
pub struct Values<'a> {
    of: &'a Attributes,
    next: usize,
    end: usize,
}

impl<'a> Iterator for Values<'a> {
    type Item = SourceValueRef<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let value = self.of.value(self.next);
        self.next += 1;
        value
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end.saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Values<'_> {}

impl PartialEq for Values<'_> {
    fn eq(&self, other: &Self) -> bool {
        Iterator::eq(self.clone(), other.clone())
    }
}

impl Eq for Values<'_> {}

// Directory values are personal data: `Debug` names their kind and size only.
impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.clone())
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        // What is not there does not count, though it was asked for.
        self.iter().eq(other.iter())
    }
}

impl Eq for Attributes {}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A map from names to lists of values.
impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.iter().count()))?;
        for (name, values) in self.iter() {
            map.serialize_entry(name, &values)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Unpacked)
    }
}

/// Packs a map from names to lists of values.
struct Unpacked;

impl<'de> Visitor<'de> for Unpacked {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from names of attributes to lists of values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
        let mut all: BTreeMap<Box<str>, Vec<SourceValue>> = BTreeMap::new();
        while let Some((name, values)) = map.next_entry()? {
            all.insert(name, values);
        }
        let mut packer = Packer::new(AttributeNames(all.keys().cloned().collect()));
        for (at, values) in all.values().enumerate() {
            let values = values.iter().map(SourceValue::borrow);
            packer.add(at, values).map_err(A::Error::custom)?;
        }
        Ok(packer.finish())
    }
}

/// Packs the attributes of one entry after the other: what it needs for that is used again and again.
pub struct Packer {
    names: AttributeNames,
    places: Vec<Place>,
    content: Vec<u8>,
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Packer {
    /// Packs attributes of these names.
    #[must_use]
    pub fn new(names: AttributeNames) -> Self {
        Self {
            names,
            places: Vec::new(),
            content: Vec::new(),
        }
    }

    /// Forgets what was added since the last entry was finished.
    pub fn clear(&mut self) {
        self.places.clear();
        self.content.clear();
    }

    /// Adds all values of the attribute at a position of the names; attributes are added in the order of names, each
    /// at most once. Values may come in any order, and twice.
    ///
    /// # Errors
    /// When the entry has too much.
    pub fn add<'v>(
        &mut self,
        name: usize,
        values: impl Iterator<Item = SourceValueRef<'v>>,
    ) -> Result<(), TooMuch> {
        let mut values = values.peekable();
        let Some(first) = values.next() else {
            return Ok(());
        };
        if values.peek().is_none() {
            return self.push(name, first);
        }
        let mut all: Vec<_> = std::iter::once(first).chain(values).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().try_for_each(|value| self.push(name, value))
    }

    fn push(&mut self, name: usize, value: SourceValueRef<'_>) -> Result<(), TooMuch> {
        let (bytes, binary) = match value {
            SourceValueRef::Text(text) => (text.as_bytes(), 0),
            SourceValueRef::Bytes(bytes) => (bytes, 1),
        };
        let end = u32::try_from(self.content.len() + bytes.len()).map_err(|_| TooMuch)?;
        let what = u32::try_from(name << 1 | binary).map_err(|_| TooMuch)?;
        self.content.extend_from_slice(bytes);
        self.places.push(Place { end, what });
        Ok(())
    }

    /// The attributes that were added. What is added next is of another entry.
    pub fn finish(&mut self) -> Attributes {
        let packed = Attributes {
            names: self.names.clone(),
            places: self.places.as_slice().into(),
            content: self.content.as_slice().into(),
        };
        self.clear();
        packed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = SourceValue> {
        prop_oneof![
            any::<String>().prop_map(|text| SourceValue::Text(text.into())),
            any::<Vec<u8>>().prop_map(|bytes| SourceValue::Bytes(bytes.into())),
        ]
    }

    type Plain = BTreeMap<String, Vec<SourceValue>>;

    fn plain(attributes: &Attributes) -> Plain {
        let owned = |values: Values<'_>| values.map(SourceValueRef::to_owned).collect();
        let attributes = attributes.iter();
        attributes
            .map(|(name, values)| (name.to_owned(), owned(values)))
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_packed_is_what_was_set(
            sets in prop::collection::vec(("[a-dA-D]{1,2}", prop::collection::vec(value(), 0..4)), 0..8),
        ) {
            let mut packed = Attributes::new();
            let mut expected = Plain::new();
            for (name, mut values) in sets {
                packed.set(&name, values.clone());
                values.sort();
                values.dedup();
                match values.is_empty() {
                    true => expected.remove(&name.to_ascii_lowercase()),
                    false => expected.insert(name.to_ascii_lowercase(), values),
                };
            }
            prop_assert_eq!(&plain(&packed), &expected);
            for (name, values) in &expected {
                let found: Vec<_> = packed.get(&name.to_ascii_uppercase()).collect();
                let wanted: Vec<_> = values.iter().map(SourceValue::borrow).collect();
                prop_assert_eq!(found, wanted);
                let texts = values.iter().filter_map(SourceValue::as_text);
                prop_assert!(packed.texts(name).eq(texts));
            }
            prop_assert_eq!(packed.get("e").len(), 0);
            // The stored form is that of a map, and does not depend on how it is held.
            let stored = postcard::to_stdvec(&packed).unwrap();
            prop_assert_eq!(&stored, &postcard::to_stdvec(&expected).unwrap());
            let back: Attributes = postcard::from_bytes(&stored).unwrap();
            prop_assert_eq!(&back, &packed);
            prop_assert_eq!(plain(&back), expected);
        }

        #[test]
        fn damaged_bytes_never_panic(bytes: Vec<u8>) {
            if let Ok(attributes) = postcard::from_bytes::<Attributes>(&bytes) {
                let again = postcard::to_stdvec(&attributes).unwrap();
                prop_assert_eq!(postcard::from_bytes::<Attributes>(&again).unwrap(), attributes);
            }
        }
    }

    #[test]
    fn a_packer_serves_one_entry_after_the_other() {
        let names = AttributeNames::new(["sn", "CN", "cn"]);
        let mut packer = Packer::new(names);
        let text = SourceValueRef::Text;
        packer
            .add(0, ["b", "a", "b"].map(text).into_iter())
            .unwrap();
        packer.add(1, std::iter::empty()).unwrap();
        let first = packer.finish();
        packer.add(1, [text("x")].into_iter()).unwrap();
        let second = packer.finish();
        assert!(first.texts("cn").eq(["a", "b"]));
        assert_eq!(first.get("cn").len(), 2);
        assert_eq!((first.text("sn"), second.text("sn")), (None, Some("x")));
        let mut same = Attributes::new();
        same.add_text("sn", "x");
        assert_eq!(second, same, "a name without values is as good as none");
        assert_ne!(first, second);
        packer.add(0, [text("left")].into_iter()).unwrap();
        packer.clear();
        assert_eq!(packer.finish(), Attributes::new());
    }

    #[test]
    fn debug_shows_no_values() {
        let mut attributes = Attributes::new();
        attributes.set("photo", vec![SourceValue::Bytes(Box::new([7; 3]))]);
        attributes.add_text("cn", "Ada");
        let shown = format!("{attributes:?}");
        assert_eq!(shown, r#"{"cn": [Text(3 bytes)], "photo": [Bytes(3)]}"#);
    }
}
