//! The plan: an ordered value that says what would be done, to whom, and why. What is shown is what is applied.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{AccountId, Anchor, How, Letter, PasswordStep, SuspendReason, Suspensions, Value};

/// What is done to one account. The order of the variants is the order of application.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Action {
    /// Make an account unusable, by these steps in this order: those of the procedure that are not done yet.
    /// First: it is security, and it frees licences and unique names.
    Suspend(Vec<How>),
    /// Delete an account whose retention time after its suspension has passed. Only by explicit policy.
    Delete,
    /// Adopt an existing account for an identity. Changes our records only, never the target.
    Link,
    /// Change attributes.
    Update,
    /// Create an account.
    Create,
    /// Grant or revoke entitlements.
    Entitle,
    /// Make an account usable again that we suspended, by undoing these steps in this order: the last one done comes first.
    Reactivate(Vec<How>),
}

impl Action {
    /// As reports and JSON spell it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Suspend(_) => "suspend",
            Self::Delete => "delete",
            Self::Link => "link",
            Self::Update => "update",
            Self::Create => "create",
            Self::Entitle => "entitle",
            Self::Reactivate(_) => "reactivate",
        }
    }
}

/// Why a change is made; separate from what is done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Reason {
    /// A new identity in scope has no account.
    Joiner,
    /// The identity's attributes changed in the directory, or the mapping did.
    Mover,
    /// An identity that had been suspended by us is in scope and active again.
    Rehire,
    /// An existing account matched an identity at first contact.
    Adoption,
    /// The target's account differs from what was last confirmed.
    Drift,
    /// A reason to suspend applies.
    Suspended(SuspendReason),
    /// The last reason to suspend is gone.
    Cleared(SuspendReason),
    /// The retention time after a suspension has passed.
    Retention,
    /// Directory groups or attributes call for other entitlements.
    Entitlement,
}

impl Reason {
    /// As reports and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joiner => "joiner",
            Self::Mover => "mover",
            Self::Rehire => "rehire",
            Self::Adoption => "adoption",
            Self::Drift => "drift",
            Self::Suspended(reason) => reason.as_str(),
            Self::Cleared(SuspendReason::Leaver) => "rehire",
            Self::Cleared(SuspendReason::SourceDisabled) => "source-enabled",
            Self::Cleared(SuspendReason::Expired) => "no-longer-expired",
            Self::Cleared(SuspendReason::NotYetStarted) => "started",
            Self::Cleared(SuspendReason::OutOfScope) => "back-in-scope",
            Self::Cleared(SuspendReason::AccessWindow) => "window-opened",
            Self::Cleared(SuspendReason::Operator) => "operator-released",
            Self::Retention => "retention",
            Self::Entitlement => "entitlement",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One attribute before and after.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AttributeChange {
    /// The attribute by its mapping name.
    pub name: String,
    /// What the account holds; `None` if nothing.
    pub before: Option<Value>,
    /// What it will hold; `None` if it is cleared.
    pub after: Option<Value>,
    /// Whether the attribute identifies the account (unique): such a change is a rename and has its own limit.
    pub identifier: bool,
}

/// One change to one account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Whose account.
    pub anchor: Anchor,
    /// A name for people to read.
    pub label: String,
    /// The account; `None` before it is created.
    pub account: Option<AccountId>,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Attributes to set or clear (`Create`, `Link` shows what the account holds, `Update`).
    pub attributes: Vec<AttributeChange>,
    /// Entitlements to grant (`Entitle`), or to give back (`Reactivate`).
    pub grant: BTreeSet<String>,
    /// Entitlements to revoke (`Entitle`), or to take away for the time of the suspension (`Suspend`).
    pub revoke: BTreeSet<String>,
    /// What is done to the password; never its value.
    pub password: Option<PasswordStep>,
    /// Whose account gets the work (`Suspend` with a step that reassigns).
    pub heir: Option<AccountId>,
    /// The steps of the suspension that are done already, in the order in which they were done (`Suspend`).
    pub done: Vec<How>,
    /// Every step was approved before and was held up by one that failed (`Suspend`).
    pub resumes: bool,
    /// The reasons to suspend as recorded before the change.
    pub suspended_before: Suspensions,
    /// The reasons to suspend that hold once the change is confirmed.
    pub suspended_after: Suspensions,
}

impl Change {
    /// A change with nothing but its kind filled in.
    #[must_use]
    pub fn new(anchor: Anchor, label: String, action: Action, reason: Reason) -> Self {
        Self {
            anchor,
            label,
            account: None,
            action,
            reason,
            attributes: Vec::new(),
            grant: BTreeSet::new(),
            revoke: BTreeSet::new(),
            password: None,
            heir: None,
            done: Vec::new(),
            resumes: false,
            suspended_before: Suspensions::new(),
            suspended_after: Suspensions::new(),
        }
    }

    /// Whether the password alone keeps the person out once this is done, so that open sessions and tokens live on.
    #[must_use]
    pub fn leaves_sessions(&self) -> bool {
        let Action::Suspend(steps) = &self.action else {
            return false;
        };
        let has = |wanted: &How| steps.contains(wanted) || self.done.contains(wanted);
        has(&How::FuzzPassword)
            && ![How::Deactivate, How::BlockLogin, How::RevokeSessions]
                .iter()
                .any(has)
    }

    /// Whether nothing but a password keeps the person out once this is done: no connector can try whether an application
    /// really took one that it said to have taken.
    #[must_use]
    pub fn rests_on_password(&self) -> bool {
        let Action::Suspend(steps) = &self.action else {
            return false;
        };
        let has = |wanted: &How| steps.contains(wanted) || self.done.contains(wanted);
        has(&How::FuzzPassword) && !has(&How::Deactivate) && !has(&How::BlockLogin)
    }

    /// Whether an identifying attribute of an existing account changes.
    #[must_use]
    pub fn is_rename(&self) -> bool {
        self.action == Action::Update && self.attributes.iter().any(|a| a.identifier)
    }
}

/// Why an identity was set aside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum HeldWhy {
    /// A mapping rule could not produce a value that must be there.
    #[error("attribute {attribute}: {message}")]
    Mapping {
        /// The account attribute.
        attribute: String,
        /// What went wrong and what to do.
        message: String,
    },
    /// More than one account matches.
    #[error("rule {rule} matches {} accounts: {}", accounts.len(), join(accounts))]
    Ambiguous {
        /// The match rule.
        rule: String,
        /// The accounts that match.
        accounts: Vec<AccountId>,
    },
    /// Another identity claims the same account or the same unique value.
    #[error("{what} is also claimed by {}", join(others))]
    Contested {
        /// The account or the attribute and value.
        what: String,
        /// The other identities.
        others: Vec<Anchor>,
    },
    /// An account exists that matches, but no rule allows adopting it.
    #[error(
        "account {account} matches by rule {rule}, which does not adopt; set adopt = true on that rule or give the account an owner by hand"
    )]
    NotAdoptable {
        /// The account.
        account: AccountId,
        /// The match rule.
        rule: String,
    },
    /// The unique value and all alternatives are taken.
    #[error("every alternative for {attribute} is taken: {}", tried.join(", "))]
    NameTaken {
        /// The account attribute.
        attribute: String,
        /// The values tried.
        tried: Vec<String>,
    },
    /// The directory entry could not be read in full.
    #[error("the directory entry could not be read: {0}")]
    Unreadable(String),
    /// Not seen in complete reads, and not yet in as many as confirm a leaver.
    #[error("{}", missing(*reads, *more))]
    Missing {
        /// How many there were; a look by anchor counts as one.
        reads: u8,
        /// How many more it takes.
        more: u8,
    },
    /// Not seen, but the read was not complete, so it means nothing.
    #[error("not seen in a read that was not complete")]
    MissingUnproven,
    /// A group or attribute that scope depends on may be missing because the read was not complete.
    #[error("out of scope by a read that was not complete")]
    ScopeUnproven,
    /// The account is protected: never suspended, renamed or deleted.
    #[error("the account is protected: {0}")]
    Protected(String),
    /// The target's policy (`upsert-only`, `create-only`) does not allow this kind of change.
    #[error("policy {policy} does not allow {action}")]
    Policy {
        /// The policy.
        policy: String,
        /// The action left out.
        action: String,
    },
    /// The account was deleted in the target by somebody else.
    #[error(
        "the account was deleted in the target; `provost state forget` lets it be created again"
    )]
    AccountGone,
    /// A call to the target was begun and its outcome is still not known.
    #[error("an earlier call has an unknown outcome: {0}")]
    Unconfirmed(String),
    /// The snapshot is too old to give access on.
    #[error("the directory data is too old to give anybody access")]
    Stale,
    /// A read of the directory failed, and the person's access policy is strict.
    #[error("the last read of the directory failed, and the access policy is strict")]
    Strict,
    /// Whether the person may have access now cannot be said.
    #[error("access cannot be judged: {0}")]
    Access(String),
    /// The target cannot do what is needed.
    #[error("the target cannot do this: {0}")]
    Incapable(String),
    /// Work is to be reassigned, and nobody is there to get it.
    #[error(
        "nobody is there to get the {kind} of this account: the person has no manager with a usable account; name an account under [target.heir]"
    )]
    NoHeir {
        /// The kind of work.
        kind: String,
    },
}

/// What is known of somebody who is missing, and what it still takes.
fn missing(reads: u8, more: u8) -> String {
    let counted = "(a look by anchor counts as one)";
    match (reads, more) {
        (0 | 1, 0 | 1) => "missing from one complete read; a second one confirms it".to_owned(),
        (0 | 1, _) => format!("missing from one complete read; {more} more confirm it"),
        (_, 0 | 1) => {
            format!("missing from {reads} complete reads {counted}; one more confirms it")
        }
        _ => format!("missing from {reads} complete reads {counted}; {more} more confirm it"),
    }
}

fn join<T: fmt::Display>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// An identity that was set aside: its account is left exactly as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Held {
    /// Who.
    pub anchor: Anchor,
    /// A name for people to read.
    pub label: String,
    /// Their account, if known.
    pub account: Option<AccountId>,
    /// Why.
    pub why: HeldWhy,
}

/// Something an operator should know that stops nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// Who.
    pub anchor: Anchor,
    /// A name for people to read.
    pub label: String,
    /// What.
    pub what: String,
}

/// An account nobody owns: reported and untouched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Orphan {
    /// The account.
    pub account: AccountId,
    /// What identifies it to people, if anything.
    pub label: String,
    /// Whether it is active.
    pub active: Option<bool>,
}

/// What a plan was made from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Basis {
    /// The time the plan is for.
    pub now: Timestamp,
    /// When the directory data was read.
    pub read_at: Timestamp,
    /// How many people that data holds.
    pub people: u64,
    /// Whether the read was complete; if not, what was missing.
    pub shortfalls: Vec<String>,
    /// Digest of the configuration and mapping the plan follows.
    pub config: String,
    /// Whether the target's live accounts were listed (reconciliation) or only what was last confirmed (sync).
    pub live: bool,
}

/// A SHA-256 digest of the changes of a plan, as lower-case hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Digest(pub String);

impl Digest {
    /// The digest over these changes, in their order. Independent of the time of planning.
    #[must_use]
    pub fn of(target: &str, changes: &[Arc<Change>]) -> Self {
        let mut hash = Sha256::new();
        hash.update((target.len() as u64).to_le_bytes());
        hash.update(target.as_bytes());
        let mut bytes = Vec::new();
        for change in changes {
            bytes.clear();
            // Serialising plain owned data to memory cannot fail; an empty part would only make digests differ.
            bytes = postcard::to_extend(&**change, bytes).unwrap_or_default();
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(&bytes);
        }
        let hex = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self(hex)
    }

    /// The first 12 characters: enough to type, and what reports show.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }

    /// Whether `typed` names this digest: the whole of it, or a prefix of at least 12 characters.
    #[must_use]
    pub fn is_named_by(&self, typed: &str) -> bool {
        typed.len() >= 12 && self.0.starts_with(&typed.to_ascii_lowercase())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What would be done to one target.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The target's name.
    pub target: String,
    /// What the plan was made from.
    pub basis: Basis,
    /// The changes, in the order of application. Shared, because plan, approval and results all hold them.
    pub changes: Vec<Arc<Change>>,
    /// Identities set aside.
    pub held: Vec<Held>,
    /// Remarks.
    pub notices: Vec<Notice>,
    /// Letters that go with the changes. No part of the digest: an address may change between planning and sending.
    pub letters: Vec<Letter>,
    /// Accounts nobody owns. Filled only when the live accounts were listed.
    pub orphans: Vec<Orphan>,
    /// Identities that wait for another person's account (a manager's) and are looked at again once it exists.
    pub pending: BTreeSet<Anchor>,
    /// Identities for whom an earlier run foretold just this: that a window closes or opens for them by now. Their
    /// suspensions and re-activations are no accident.
    pub foretold: BTreeSet<Anchor>,
    /// Identities whose account is as wanted.
    pub unchanged: usize,
    /// Accounts under management (live shadows) before the plan: what percentages are of.
    pub managed: usize,
}

impl Plan {
    /// The digest over all changes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.target, &self.changes)
    }
}
