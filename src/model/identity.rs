//! A person as the directory describes them.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Anchor, Attributes, EntryProblem};

/// A 128-bit digest of everything about an identity that any mapping can see. Equal fingerprints mean nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Fingerprint(pub [u8; 16]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A group an identity belongs to, directly, through other groups, or as its primary group.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Group {
    /// The group's DN in normalised form (see `source::dn`); names are unique only within it.
    pub dn: Arc<str>,
    /// The group's short name: `cn`, or `sAMAccountName` where a directory has one and no `cn`.
    pub name: Arc<str>,
}

/// What the directory itself says about whether the person may be active. Positive evidence: it acts at once.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SourceState {
    /// The entry is disabled (`userAccountControl` bit 0x2, `nsAccountLock`, an administrative `pwdAccountLockedTime`, …).
    pub disabled: bool,
    /// From this moment on the account is expired (`accountExpires`, `shadowExpire`, …); `None` means never.
    pub expires: Option<Timestamp>,
    /// Before this moment the account must not be usable yet; `None` means no start date.
    pub starts: Option<Timestamp>,
}

/// One person in the directory, as far as mapping, scope and windows use them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// The immutable key.
    pub anchor: Anchor,
    /// The DN as the server spelled it. For display and OU scoping; never a key.
    pub dn: String,
    /// The requested attributes.
    pub attributes: Attributes,
    /// Every group, nested ones included, ordered and without duplicates. Only groups that configuration refers to are resolved.
    pub groups: Vec<Group>,
    /// Disabled, expiry and start as the directory states them.
    pub state: SourceState,
}

impl Identity {
    /// A name for people to read: display name, else common name, else the DN.
    #[must_use]
    pub fn label(&self) -> &str {
        let attributes = &self.attributes;
        attributes
            .text("displayname")
            .or_else(|| attributes.text("cn"))
            .unwrap_or(&self.dn)
    }
}

/// Receives what a read streams, in order, from the reading task.
///
/// Returning early from memory is the point: an entry whose fingerprint is known is dropped before it is decoded in full.
pub trait Sieve: Send {
    /// Says whether this anchor is already known with this fingerprint. `true` drops the entry (it counts as seen).
    fn is_unchanged(&mut self, anchor: &Anchor, fingerprint: Fingerprint) -> bool;
    /// Takes a new or changed identity.
    fn accept(&mut self, identity: Identity, fingerprint: Fingerprint);
    /// Takes an entry that was returned but could not be read in full. If its anchor is known, it counts as seen and is held.
    fn reject(&mut self, problem: EntryProblem);
    /// Whether somebody was in any group that matters when they were last read, or may have been: only then does it take
    /// something away if they are in none.
    fn had_groups(&mut self, anchor: &Anchor) -> bool {
        let _ = anchor;
        false
    }
    /// The read begins, or begins again, at the first entry: nobody has been seen yet. What was accepted stays true.
    fn restart(&mut self) {}
}
