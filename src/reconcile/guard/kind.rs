//! The kinds of change that have a limit, and which change is of which.

use std::fmt;

use crate::model::{Action, Change};

/// The kinds of change that have a limit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Suspensions.
    Suspend,
    /// Deletions.
    Delete,
    /// Changes of an identifying attribute.
    Rename,
    /// Revoked entitlements.
    Revoke,
    /// Creations.
    Create,
    /// Other updates.
    Update,
    /// Re-activations.
    Reactivate,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Suspend,
        Self::Delete,
        Self::Rename,
        Self::Revoke,
        Self::Create,
        Self::Update,
        Self::Reactivate,
    ];

    /// As configuration and reports spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Delete => "delete",
            Self::Rename => "rename",
            Self::Revoke => "revoke",
            Self::Create => "create",
            Self::Update => "update",
            Self::Reactivate => "reactivate",
        }
    }

    /// Whether changes of this kind take something away from people.
    #[must_use]
    pub fn is_destructive(self) -> bool {
        match self {
            Self::Suspend | Self::Delete | Self::Rename | Self::Revoke => true,
            Self::Create | Self::Update | Self::Reactivate => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Every limit that a change counts against: a suspension that takes entitlements away counts as both.
pub(super) fn kinds(change: &Change) -> impl Iterator<Item = Kind> {
    let also = (matches!(change.action, Action::Suspend(_)) && !change.revoke.is_empty())
        .then_some(Kind::Revoke);
    kind(change).into_iter().chain(also)
}

/// The kind of a change, if it has a limit. Links and grants have none.
#[must_use]
pub fn kind(change: &Change) -> Option<Kind> {
    match &change.action {
        Action::Suspend(_) => Some(Kind::Suspend),
        Action::Delete => Some(Kind::Delete),
        Action::Create => Some(Kind::Create),
        Action::Reactivate(_) => Some(Kind::Reactivate),
        Action::Update if change.is_rename() => Some(Kind::Rename),
        Action::Update => Some(Kind::Update),
        Action::Entitle if !change.revoke.is_empty() => Some(Kind::Revoke),
        Action::Entitle | Action::Link => None,
    }
}
