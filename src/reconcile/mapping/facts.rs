//! What templates and expressions can see of one identity.
//!
//! Values are looked up by slots that compilation assigned; no map is built per person.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;
use minijinja::State;
use minijinja::value::{Object, Value as Jinja};

use super::dn;
use crate::model::Dn;
use crate::model::{Group, Identity, SourceValueRef};

/// The largest attribute value that a mapping accepts, in bytes.
pub(super) const LARGEST: usize = 1 << 20;

/// Names besides attributes that templates can use.
pub(super) const VARIABLES: &[&str] = &["dn", "anchor", "groups", "disabled", "ou", "parent"];
/// The key by which functions and filters find the facts of the running template. No identifier can spell it.
const SELF: &str = "\0facts";

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stands {
    Attribute(usize),
    Dn,
    Anchor,
    Groups,
    Disabled,
    Ou,
    Parent,
}

/// What all templates of a mapping share: the slots of attributes, lookup tables, patterns.
#[derive(Debug)]
pub(super) struct Library {
    slots: HashMap<Box<str>, usize>,
    names: HashMap<Box<str>, Stands>,
    /// Lookup tables; keys in lower case.
    pub tables: BTreeMap<String, BTreeMap<String, Jinja>>,
    /// Regular expressions by their text.
    pub patterns: HashMap<String, regex::Regex>,
    /// The zone of dates that name none.
    pub zone: TimeZone,
}

impl Library {
    /// A library for these attributes (lower case) and the spellings used for them.
    pub fn new<'a>(
        attributes: impl IntoIterator<Item = &'a str>,
        spellings: impl IntoIterator<Item = &'a str>,
        zone: TimeZone,
    ) -> Self {
        let slots: HashMap<Box<str>, usize> = attributes
            .into_iter()
            .enumerate()
            .map(|(slot, name)| (name.into(), slot))
            .collect();
        let mut names: HashMap<Box<str>, Stands> = spellings
            .into_iter()
            .filter_map(|spelling| {
                let slot = slots.get(spelling.to_ascii_lowercase().as_str())?;
                Some((spelling.into(), Stands::Attribute(*slot)))
            })
            .collect();
        names.extend([
            ("dn".into(), Stands::Dn),
            ("anchor".into(), Stands::Anchor),
            ("groups".into(), Stands::Groups),
            ("disabled".into(), Stands::Disabled),
            ("ou".into(), Stands::Ou),
            ("parent".into(), Stands::Parent),
        ]);
        Self {
            slots,
            names,
            tables: BTreeMap::new(),
            patterns: HashMap::new(),
            zone,
        }
    }

    /// Whether a name, in lower case, is an attribute that the mapping reads.
    pub fn has_slot(&self, name: &str) -> bool {
        self.slots.contains_key(name)
    }
}

/// One identity as templates see it.
#[derive(Debug)]
pub(super) struct Facts {
    /// What all identities share.
    pub library: Arc<Library>,
    values: Vec<Jinja>,
    lists: Vec<Jinja>,
    anchor: Jinja,
    dn: Jinja,
    disabled: bool,
    groups: Vec<Group>,
    path: OnceLock<Option<Dn>>,
}

impl Facts {
    /// The facts of an identity, whose values are not too large.
    pub fn new(library: &Arc<Library>, identity: &Identity) -> Arc<Self> {
        let mut values = vec![Jinja::UNDEFINED; library.slots.len()];
        let mut lists = values.clone();
        for (name, found) in identity.attributes.iter() {
            let Some(slot) = library.slots.get(name) else {
                continue;
            };
            if let Some(cell) = values.get_mut(*slot) {
                *cell = found.clone().next().map_or(Jinja::UNDEFINED, value);
            }
            if let Some(cell) = lists.get_mut(*slot)
                && found.len() > 1
            {
                *cell = Jinja::from(found.map(value).collect::<Vec<_>>());
            }
        }
        Arc::new(Self {
            library: Arc::clone(library),
            values,
            lists,
            anchor: Jinja::from(identity.anchor.as_str()),
            dn: Jinja::from(identity.dn.as_str()),
            disabled: identity.state.disabled,
            groups: identity.groups.clone(),
            path: OnceLock::new(),
        })
    }

    /// The root of a template's context.
    pub fn root(self: &Arc<Self>) -> Jinja {
        Jinja::from_dyn_object(Arc::clone(self))
    }

    /// The root of a template's context with one more variable.
    pub fn with(self: &Arc<Self>, name: &'static str, value: Jinja) -> Jinja {
        Jinja::from_object(Extended {
            facts: Arc::clone(self),
            name,
            value,
        })
    }

    /// The facts of the running template.
    pub fn of(state: &State<'_, '_>) -> Option<Arc<Self>> {
        state.lookup(SELF)?.downcast_object()
    }

    /// The first value of an attribute, by name in any case.
    pub fn first(&self, name: &str) -> Jinja {
        self.cell(&self.values, name)
    }

    /// All values of an attribute as a list, empty if it is absent.
    pub fn all(&self, name: &str) -> Jinja {
        let list = self.cell(&self.lists, name);
        if !list.is_undefined() {
            return list;
        }
        let first = self.first(name);
        let items = if first.is_undefined() {
            Vec::new()
        } else {
            vec![first]
        };
        Jinja::from(items)
    }

    fn cell(&self, cells: &[Jinja], name: &str) -> Jinja {
        let slot = self.library.slots.get(name.to_ascii_lowercase().as_str());
        slot.and_then(|slot| cells.get(*slot))
            .cloned()
            .unwrap_or(Jinja::UNDEFINED)
    }

    /// The person's groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The person's DN, normalised; `None` if it is not one.
    pub fn path(&self) -> Option<&Dn> {
        self.path
            .get_or_init(|| self.dn.as_str().and_then(Dn::parse))
            .as_ref()
    }

    fn lookup(self: &Arc<Self>, name: &str) -> Option<Jinja> {
        let Some(stands) = self.library.names.get(name) else {
            return (name == SELF).then(|| self.root());
        };
        let found = match stands {
            Stands::Attribute(slot) => self.values.get(*slot)?.clone(),
            Stands::Dn => self.dn.clone(),
            Stands::Anchor => self.anchor.clone(),
            Stands::Disabled => Jinja::from(self.disabled),
            Stands::Groups => {
                let mut names: Vec<&str> = self.groups.iter().map(|group| &*group.name).collect();
                names.sort_unstable();
                names.dedup();
                names.into_iter().map(Jinja::from).collect()
            }
            Stands::Ou => Jinja::from(dn::nearest_ou(self.dn.as_str()?)?),
            Stands::Parent => Jinja::from(dn::parent(self.dn.as_str()?)?),
        };
        (!found.is_undefined()).then_some(found)
    }
}

fn value(value: SourceValueRef<'_>) -> Jinja {
    match value {
        SourceValueRef::Text(text) => Jinja::from(text),
        SourceValueRef::Bytes(bytes) => Jinja::from_bytes(bytes.to_vec()),
    }
}

impl Object for Facts {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.lookup(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        self.lookup(key)
    }
}

/// Facts with one more variable, such as `group` in an entitlement's name.
#[derive(Debug)]
struct Extended {
    facts: Arc<Facts>,
    name: &'static str,
    value: Jinja,
}

impl Object for Extended {
    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        if key == self.name {
            return Some(self.value.clone());
        }
        self.facts.lookup(key)
    }
}
