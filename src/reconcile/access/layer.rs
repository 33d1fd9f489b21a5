//! A policy as it holds for one person: which policy, in which zone, with which hours of their own.

use std::sync::Arc;

use super::hours::Hours;
use super::zones::Zone;

/// What people share a computation by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Key {
    /// The policy, by its place among those of the target.
    pub policy: usize,
    zone: Arc<str>,
    hours: Option<Hours>,
    never: bool,
}

/// A policy as it holds for one person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Layer {
    pub key: Key,
    pub zone: Zone,
}

impl Layer {
    pub fn new(policy: usize, zone: Zone, hours: Option<Hours>) -> Self {
        let key = Key {
            policy,
            zone: Arc::clone(&zone.name),
            hours,
            never: false,
        };
        Self { key, zone }
    }

    /// Never open, whatever the policy says.
    pub fn never(policy: usize, zone: Zone) -> Self {
        let mut layer = Self::new(policy, zone, None);
        layer.key.never = true;
        layer
    }

    pub fn hours(&self) -> Option<Hours> {
        self.key.hours
    }

    pub fn is_never(&self) -> bool {
        self.key.never
    }
}
