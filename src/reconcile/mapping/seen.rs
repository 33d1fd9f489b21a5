//! One identity as a mapping looks at it. What is plain is read as it is; what templates see is made when one first asks.

use std::cell::OnceCell;
use std::sync::Arc;

use minijinja::value::Value as Jinja;

use super::facts::{Facts, LARGEST, Library};
use crate::model::{Dn, Group, Identity, SourceValueRef};

/// A name that can be read from an identity without running anything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Plain {
    Dn,
    Anchor,
    /// The first value of an attribute, by its name in lower case.
    Attribute(Box<str>),
    /// The group at hand, in the name of an entitlement.
    Group,
}

impl Plain {
    /// What a name stands for, if that is plain: of the variables, only those that are texts already.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "dn" => Some(Self::Dn),
            "anchor" => Some(Self::Anchor),
            "group" => Some(Self::Group),
            "n" | "groups" | "disabled" | "ou" | "parent" => None,
            attribute => Some(Self::Attribute(attribute.to_ascii_lowercase().into())),
        }
    }
}

/// What is found under a plain name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found<'a> {
    Text(&'a str),
    Nothing,
    /// Something that only the engine can tell what to do with.
    Other,
}

impl<'a> Found<'a> {
    /// A text, unless it is too large to work with.
    pub fn text(text: &'a str) -> Self {
        if text.len() <= LARGEST {
            Self::Text(text)
        } else {
            Self::Other
        }
    }
}

/// One identity, with what was made of it so far.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    library: &'a Arc<Library>,
    identity: &'a Identity,
    facts: OnceCell<Arc<Facts>>,
    root: OnceCell<Jinja>,
    path: OnceCell<Option<Dn>>,
}

impl<'a> Seen<'a> {
    /// An identity as this mapping looks at it.
    ///
    /// # Errors
    /// When a value that the mapping uses is too large to work with.
    pub fn new(library: &'a Arc<Library>, identity: &'a Identity) -> Result<Self, String> {
        for (name, found) in identity.attributes.iter() {
            let mut sizes = found.map(SourceValueRef::size);
            if let Some(size) = sizes.find(|size| *size > LARGEST)
                && library.has_slot(name)
            {
                return Err(format!(
                    "the attribute {name} has a value of {size} bytes; a mapping works with at most {LARGEST}"
                ));
            }
        }
        Ok(Self {
            library,
            identity,
            facts: OnceCell::new(),
            root: OnceCell::new(),
            path: OnceCell::new(),
        })
    }

    /// What all identities share.
    pub fn library(&self) -> &Arc<Library> {
        self.library
    }

    /// What templates see.
    pub fn facts(&self) -> &Arc<Facts> {
        self.facts
            .get_or_init(|| Facts::new(self.library, self.identity))
    }

    /// The root of a template's context.
    pub fn root(&self) -> &Jinja {
        self.root.get_or_init(|| self.facts().root())
    }

    /// The person's groups.
    pub fn groups(&self) -> &'a [Group] {
        &self.identity.groups
    }

    /// The person's DN, normalised; `None` if it is not one.
    pub fn path(&self) -> Option<&Dn> {
        self.path
            .get_or_init(|| Dn::parse(&self.identity.dn))
            .as_ref()
    }

    /// What is found under a plain name.
    pub fn plain(&self, name: &Plain) -> Found<'a> {
        match name {
            Plain::Dn => Found::text(&self.identity.dn),
            Plain::Anchor => Found::text(self.identity.anchor.as_str()),
            Plain::Attribute(name) => match self.identity.attributes.get(name).next() {
                Some(SourceValueRef::Text(text)) => Found::text(text),
                Some(SourceValueRef::Bytes(_)) => Found::Other,
                None => Found::Nothing,
            },
            Plain::Group => Found::Other,
        }
    }

    /// The DN that an attribute, by its name in lower case, names somebody by.
    pub fn reference(&self, name: &str) -> Option<&'a str> {
        let text = match self.identity.attributes.get(name).next()? {
            SourceValueRef::Text(text) => text,
            SourceValueRef::Bytes(bytes) => std::str::from_utf8(bytes).ok()?,
        };
        Some(text.trim()).filter(|dn| !dn.is_empty())
    }

    /// Whether a name, in lower case, is an attribute that the mapping reads and this person does not have.
    pub fn lacks(&self, name: &str) -> bool {
        self.library.has_slot(name) && self.identity.attributes.get(name).next().is_none()
    }
}
