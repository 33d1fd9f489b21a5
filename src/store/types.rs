//! What the store takes and gives: plain values, positional on disk (postcard).
//!
//! Adding a field here means a new [`super::journal::VERSION`].

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{
    AccountId, Action, Anchor, Digest, Fingerprint, Identity, Outcome, Plan, Shadow, Value,
};

/// The number of one operation, unique within a state directory and never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct OpId(pub u64);

impl fmt::Display for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What opening a state directory found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// There was nothing; a new state was begun.
    Fresh,
    /// Journal and cache agreed.
    Clean,
    /// The cache was behind the journal, as after a crash, and was brought up to date.
    Replayed {
        /// Journal entries applied to the cache.
        n: u64,
    },
    /// The cache was made anew from the journal. What was remembered of directories (and of who was missing once) is lost,
    /// which only delays leavers by one read.
    Rebuilt {
        /// Why.
        why: String,
        /// Where the old cache was put, if there was one.
        moved_to: Option<PathBuf>,
    },
}

/// What is remembered of one person between reads, small enough to hold for everybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IndexRow {
    /// Of the identity as stored.
    pub fingerprint: Fingerprint,
    /// A hash of the normalised DN.
    pub dn_key: u64,
    /// In how many complete reads in a row the person was missing.
    pub missed: u8,
}

/// Everybody a source returned, by anchor.
pub type SourceIndex = HashMap<Anchor, IndexRow>;

/// About the last read of a source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SourceMeta {
    /// When it was read.
    pub read_at: Timestamp,
    /// Entries returned.
    pub entries: u64,
    /// Whether the read was complete.
    pub full: bool,
    /// What was missing if not.
    pub shortfalls: Vec<String>,
    /// Which server or file answered.
    pub server: String,
    /// When the last complete read was.
    pub last_full_at: Option<Timestamp>,
    /// How many entries it returned.
    pub last_full_entries: Option<u64>,
    /// Digest of what was asked for (attributes, groups, bases): another request means another read.
    pub request: [u8; 16],
}

/// What one read changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadCommit {
    /// New and changed people.
    pub changed: Vec<(Arc<Identity>, IndexRow)>,
    /// Index rows that changed without their identity (missed counters).
    pub rows: Vec<(Anchor, IndexRow)>,
    /// People to forget.
    pub gone: Vec<Anchor>,
    /// About the read.
    pub meta: SourceMeta,
}

/// The mark of an identity whose account was found as wanted: the same digest before its due time needs no second look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// Digest of everything the judgement rests on.
    pub digest: [u8; 16],
    /// Unix seconds from which on it must be judged again (a window edge, an expiry).
    pub due: Option<i64>,
    /// Of the operators' orders that the judgement rests on; 0 for none. They are not part of the digest, because they
    /// end by themselves, and that an end was foretold must still be known then.
    pub orders: u64,
    /// A change that was foretold is not carried out yet: it must be judged again, and is still foretold.
    pub overdue: bool,
    /// What is due is that a window closes.
    pub closes: bool,
    /// The window closes at this time (Unix seconds), and the person was closed before it.
    pub early: Option<i64>,
}

/// Everybody settled in one target, by anchor.
pub type SettledIndex = HashMap<Anchor, Settled>;

/// What is about to be done to one account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// Whose account.
    pub anchor: Anchor,
    /// What is done.
    pub action: Action,
    /// The account, unless it is being created.
    pub account: Option<AccountId>,
    /// How to find the account of a create again: its match attributes.
    pub keys: BTreeMap<String, Value>,
    /// For people to read.
    pub summary: String,
    /// The shadow before.
    pub before: Option<Box<Shadow>>,
    /// The shadow as it will be if the operation takes effect exactly as planned.
    pub after: Box<Shadow>,
}

/// What becomes of a shadow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ShadowMove {
    /// It is now this. Its anchor must be the conclusion's.
    Put(Box<Shadow>),
    /// It is removed.
    Remove,
    /// It stays as it is.
    Keep,
}

/// How an operation ended, or an observation that moves a shadow without one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Conclusion {
    /// The operation; `None` for an observation.
    pub op: Option<OpId>,
    /// Whose account.
    pub anchor: Anchor,
    /// What becomes of the shadow.
    pub shadow: ShadowMove,
    /// For people to read.
    pub result: String,
}

/// An operator's approval of one plan and no other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Release {
    /// The plan's digest.
    pub digest: Digest,
    /// Who approved.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Destructive effects of one run, for the rolling budget of the guard.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PastEffect {
    /// When.
    pub at: Timestamp,
    /// The action as reports spell it.
    pub kind: String,
    /// How many accounts.
    pub count: u32,
}

/// What is remembered of one target besides its shadows. Durable: it is part of the journal.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TargetMeta {
    /// Whether a plan for this target was ever released or applied.
    pub released_once: bool,
    /// A plan that waits for release. Written only when it differs from the one before.
    pub staged: Option<Plan>,
    /// Its digest.
    pub staged_digest: Option<Digest>,
    /// The approval, once given and until used.
    pub release: Option<Release>,
    /// Destructive effects of the last 24 hours.
    pub history: Vec<PastEffect>,
    /// How the last run ended.
    pub last_outcome: Option<Outcome>,
    /// When the last run ended.
    pub last_run_at: Option<Timestamp>,
    /// When the target's accounts were last listed.
    pub last_list_at: Option<Timestamp>,
    /// Digest of the configuration and mapping of the last run.
    pub last_config: Option<String>,
    /// Since when a suspension is due that is not made, whatever the reason.
    pub oldest_suspension: Option<Timestamp>,
    /// Counts for status and metrics, by name.
    pub counters: BTreeMap<String, u64>,
}

/// What re-reading everything found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verification {
    /// Journal entries read back.
    pub entries: u64,
    /// Bytes of the journal.
    pub journal_bytes: u64,
    /// Shadows compared with the journal.
    pub shadows: u64,
    /// Identities whose checksum was checked.
    pub identities: u64,
    /// Other cache records whose checksum was checked.
    pub others: u64,
    /// Operations begun and not concluded.
    pub open: u64,
    /// What is wrong; empty if all is well.
    pub problems: Vec<String>,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}
