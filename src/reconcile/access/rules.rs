//! All access rules of one target, compiled once, and the questions that can be asked of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::judge::Judge;
use super::policy::{Assignment, Named, Policy};
use super::verdict::{Access, Transition};
use super::zones::Zones;
use crate::model::{Identity, Override};
use crate::reconcile::mapping::{GroupUse, Selector};

/// What several policies of one person make together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Combine {
    /// Open only when all are.
    #[default]
    Intersection,
    /// Open when one of them is.
    Union,
}

impl Combine {
    /// As configuration spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intersection => "intersection",
            Self::Union => "union",
        }
    }
}

impl fmt::Display for Combine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The access rules of one target.
#[derive(Clone, Debug)]
pub struct AccessRules {
    /// The target's name: overrides may be for one target only.
    pub target: String,
    /// The policies that hold for it, in the order of the file.
    pub policies: Vec<Arc<Policy>>,
    /// What several make together.
    pub combine: Combine,
    /// People whom no window touches.
    pub exempt: Arc<Assignment>,
    /// People whose accounts are protected in this target: no window touches them either.
    pub protected: Arc<Named>,
    /// The time zones.
    pub zones: Zones,
}

impl AccessRules {
    /// No windows at all: everybody is open at all times; overrides hold all the same.
    #[must_use]
    pub fn none(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            policies: Vec::new(),
            combine: Combine::Intersection,
            exempt: Arc::default(),
            protected: Arc::default(),
            zones: Zones::bundled(),
        }
    }

    /// Whether there is no policy.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// Judges at one moment; people with the same policies share what is computed.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Judge<'_> {
        Judge::new(self, now)
    }

    /// Whether a person may have access at a moment, and until when that stays so. For many people, use [`Self::at`].
    #[must_use]
    pub fn judge(&self, identity: &Identity, overrides: &[Override], now: Timestamp) -> Access {
        self.at(now).judge(identity, overrides)
    }

    /// The next moment at which a person's access opens or closes by the clock; `None` if there is none within 5 years.
    #[must_use]
    pub fn next_edge(
        &self,
        identity: &Identity,
        overrides: &[Override],
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.judge(identity, overrides, now).next
    }

    /// Every moment in `(from, to]` at which a person's access opens or closes by the clock, in order.
    #[must_use]
    pub fn transitions(
        &self,
        identity: &Identity,
        overrides: &[Override],
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<Transition> {
        self.at(from).transitions(identity, overrides, to)
    }

    /// The directory attributes that the rules read, in lower case.
    #[must_use]
    pub fn source_attributes(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self
            .policies
            .iter()
            .flat_map(|policy| policy.source_attributes())
            .collect();
        if let Some(selector) = &self.exempt.selector {
            names.extend(selector.source_attributes().iter().cloned());
        }
        names
    }

    /// The groups that the rules refer to.
    pub fn group_needs(&self) -> impl Iterator<Item = &GroupUse> {
        self.policies
            .iter()
            .map(|policy| &policy.people)
            .chain([&*self.exempt])
            .filter_map(|people| people.selector.as_ref())
            .map(Selector::group_need)
    }

    /// The version of the time zone database, for reports.
    #[must_use]
    pub fn tz_version(&self) -> &str {
        self.zones.tz_version()
    }
}
