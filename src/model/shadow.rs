//! Our record of an account as last confirmed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, Anchor, How, Password, Suspensions, Value};

/// Where an account stands between us and the target.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Life {
    /// Confirmed by the target.
    Live,
    /// A call was begun and its outcome is not known; the next run reads the account before deciding anything.
    Unconfirmed {
        /// What was being done, for people to read.
        doing: String,
    },
    /// The account is gone from the target; the link is kept so that it is not blindly made again.
    Tombstone {
        /// Since when.
        since: Timestamp,
    },
}

/// How we came to manage an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Origin {
    /// We created it.
    Created,
    /// It existed and was adopted by a match rule.
    Adopted,
}

/// One thing that was done to an account, kept so that `explain` can tell its recent history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Effect {
    /// When its outcome was known.
    pub at: Timestamp,
    /// What was done, for people to read.
    pub what: String,
    /// How it ended, for people to read.
    pub result: String,
}

/// What we last confirmed about one identity's account in one target. It changes only on an outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Shadow {
    /// The identity.
    pub anchor: Anchor,
    /// A name for people to read, as last seen.
    pub label: String,
    /// The account, once linked.
    pub account: Option<AccountId>,
    /// Managed attributes as last acknowledged or observed.
    pub attributes: BTreeMap<String, Value>,
    /// Values that were sent and that the target did not keep: what it holds instead is in `attributes`.
    /// The same value is not sent again; another one is. `None` means that clearing did not take.
    pub unkept: BTreeMap<String, Option<Value>>,
    /// Entitlements that *we* granted and that were confirmed.
    pub entitlements: BTreeSet<String>,
    /// Why *we* suspended it; empty if we did not. Only what we suspended is re-activated by us.
    pub suspended: Suspensions,
    /// The steps of its suspension that are done and not undone, in the order in which they were done.
    pub suspended_by: Vec<How>,
    /// The steps that were approved with it and are still to be done: held up by one that failed.
    pub pending: Vec<How>,
    /// Entitlements that its suspension took away, to be given back: name, and whether we had granted it.
    pub removed: BTreeMap<String, bool>,
    /// What is known about its password.
    pub password: Password,
    /// Since when it is suspended by us.
    pub suspended_since: Option<Timestamp>,
    /// The active flag as last acknowledged or observed.
    pub active: Option<bool>,
    /// Where it stands.
    pub life: Life,
    /// How we came to manage it.
    pub origin: Origin,
    /// The most recent effects, newest last.
    pub effects: Vec<Effect>,
}

impl Shadow {
    /// How many effects are remembered.
    pub const EFFECTS: usize = 10;

    /// A shadow of an account that is about to be made or linked.
    #[must_use]
    pub fn new(anchor: Anchor, label: String, origin: Origin) -> Self {
        Self {
            anchor,
            label,
            account: None,
            attributes: BTreeMap::new(),
            unkept: BTreeMap::new(),
            entitlements: BTreeSet::new(),
            suspended: Suspensions::new(),
            suspended_by: Vec::new(),
            pending: Vec::new(),
            removed: BTreeMap::new(),
            password: Password::default(),
            suspended_since: None,
            active: None,
            life: Life::Live,
            origin,
            effects: Vec::new(),
        }
    }

    /// Remembers an effect, forgetting the oldest beyond [`Self::EFFECTS`].
    pub fn remember(&mut self, effect: Effect) {
        self.effects.push(effect);
        let surplus = self.effects.len().saturating_sub(Self::EFFECTS);
        self.effects.drain(..surplus);
    }
}
