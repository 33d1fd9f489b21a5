//! Everything a plan is made from: one value per input, the time included.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::TargetRules;
use super::access::Access;
use super::mapping::Mapping;
use crate::model::{
    Account, AccountId, Anchor, Basis, Capabilities, Identity, Shadow, Suspensions,
};

/// Whether and how an identity appears in the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Presence {
    /// It was read.
    Present(Arc<Identity>),
    /// Its entry came back but could not be read in full.
    Unreadable(String),
    /// Absent from complete reads, and not yet from as many as confirm it.
    Missing {
        /// How many there were; a look by anchor counts as one.
        reads: u8,
        /// How many more it takes.
        more: u8,
    },
    /// Not seen by a read that was not complete: means nothing.
    Unproven,
    /// Proven absent: missing from enough complete reads, of which one may have been a look by anchor.
    Gone,
}

/// One identity with all that is known about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The immutable key.
    pub anchor: Anchor,
    /// What the directory says.
    pub presence: Presence,
    /// What we last confirmed in the target.
    pub shadow: Option<Shadow>,
    /// Reasons to suspend that come from elsewhere than the directory (operator, access windows).
    pub imposed: Suspensions,
    /// The next moment at which an operator's order begins or ends.
    pub imposed_until: Option<Timestamp>,
    /// What windows and orders say about them.
    pub access: Access,
    /// An earlier run foretold that a window closes or opens for them by now.
    pub foretold: bool,
}

/// The target's accounts as read now.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Live {
    /// Accounts that were read.
    pub accounts: Vec<Account>,
    /// Whether these are all accounts (a list), or only those that were asked for.
    pub complete: bool,
    /// Linked accounts that were asked for by id and do not exist.
    pub gone: BTreeSet<AccountId>,
    /// Unique values that the application refused because somebody has them whom it does not show: attribute and folded
    /// value.
    pub taken: BTreeSet<(String, String)>,
}

/// What all shadows of a target say together, whether or not their people are looked at in this run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Register {
    /// Who owns which account.
    pub owners: HashMap<AccountId, Anchor>,
    /// Who holds which unique value: attribute and folded value.
    pub names: HashMap<(String, String), Anchor>,
    /// Accounts under management.
    pub managed: usize,
}

/// Another person, named by DN in an attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reference {
    /// Their account.
    Account(AccountId),
    /// They are known, and have no account yet.
    NoAccountYet,
}

/// All inputs of one plan.
#[derive(Debug)]
pub struct Situation<'a> {
    /// The time the plan is for.
    pub now: Timestamp,
    /// What the administrator decided.
    pub rules: &'a TargetRules,
    /// The compiled mapping.
    pub mapping: &'a Mapping,
    /// What the target can do.
    pub capabilities: &'a Capabilities,
    /// Where the directory data comes from.
    pub basis: Basis,
    /// The identities to decide about.
    pub people: Vec<Person>,
    /// The target's accounts, as far as they were read.
    pub live: Live,
    /// What all shadows say together.
    pub register: Register,
    /// People that attributes refer to, by the DN as the attribute spells it. Unknown DNs are absent.
    pub references: BTreeMap<String, Reference>,
    /// Whose account gets the work of whom, for people who may be suspended by reassigning work.
    pub heirs: BTreeMap<Anchor, AccountId>,
    /// Identities not in `people` because nothing about them changed.
    pub untouched: usize,
}

impl Situation<'_> {
    /// Whether the read behind this plan was complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.basis.shortfalls.is_empty()
    }

    /// Whether the directory data is too old to give access on, and nobody vouched for the person since.
    #[must_use]
    pub fn is_stale(&self, vouched: Option<Timestamp>) -> bool {
        let known = vouched.map_or(self.basis.read_at, |at| at.max(self.basis.read_at));
        self.now.duration_since(known) > self.rules.max_staleness_open
    }
}

/// The form of a value under which uniqueness and case-insensitive matches are judged.
#[must_use]
pub fn fold(value: &str) -> String {
    value.to_lowercase()
}
