//! What an administrator decided for one target: policy, limits, protection. Plain values, filled by `config`.

use std::collections::BTreeSet;
use std::fmt;

use jiff::SignedDuration;

use super::{HeirRule, Procedures};
use crate::model::CredentialMode;

/// Which kinds of change a target accepts at all. There is no default: an administrator must choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncPolicy {
    /// Everything.
    Sync,
    /// Create, link, update, entitle and re-activate; never suspend, revoke or delete.
    UpsertOnly,
    /// Create only.
    CreateOnly,
}

impl SyncPolicy {
    /// As configuration spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::UpsertOnly => "upsert-only",
            Self::CreateOnly => "create-only",
        }
    }
}

impl fmt::Display for SyncPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens when the live account differs from what was last confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DriftPolicy {
    /// It is brought back to what the mapping says.
    Repair,
    /// It is reported and left.
    Report,
}

/// A limit on one kind of change in one run. Reached when the count is above both parts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limit {
    /// This many are always allowed: the floor for small populations.
    pub count: u32,
    /// This share of the managed accounts is allowed, in percent.
    pub percent: f32,
}

impl Limit {
    /// How many changes are allowed among `managed` accounts.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "rounded down and clamped to what usize holds; counts of people are far below 2^52"
    )]
    pub fn allowed(&self, managed: usize) -> usize {
        let share = (managed as f64 * f64::from(self.percent.clamp(0.0, 100.0)) / 100.0).floor();
        (self.count as usize).max(share as usize)
    }
}

/// The limits of one target, judged on the whole plan before the first write.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limits {
    /// Suspensions in one run.
    pub suspend: Limit,
    /// Destructive changes (suspend, delete, revoke, rename) in any 24 hours, over all runs: stops the slow drip.
    pub suspend_per_day: Limit,
    /// Deletions in one run.
    pub delete: Limit,
    /// Changes of identifying attributes in one run.
    pub rename: Limit,
    /// Accounts losing entitlements in one run.
    pub revoke: Limit,
    /// Creations in one run: many at once mean a lost store or a wrong match rule.
    pub create: Limit,
    /// Updates in one run: many at once mean a mapping mistake.
    pub update: Limit,
    /// Re-activations in one run.
    pub reactivate: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        let limit = |count, percent| Limit { count, percent };
        Self {
            suspend: limit(3, 2.0),
            suspend_per_day: limit(10, 5.0),
            delete: limit(0, 0.0),
            rename: limit(3, 2.0),
            revoke: limit(3, 2.0),
            create: limit(25, 10.0),
            update: limit(50, 20.0),
            reactivate: limit(25, 10.0),
        }
    }
}

/// Everything decided for one target.
#[derive(Clone, PartialEq, Debug)]
pub struct TargetRules {
    /// The target's name.
    pub name: String,
    /// Which kinds of change are accepted.
    pub policy: SyncPolicy,
    /// How access is taken away.
    pub suspend: Procedures,
    /// Whose business the passwords are.
    pub credentials: CredentialMode,
    /// Who gets the work of people whose access is taken away.
    pub heir: HeirRule,
    /// How long after its suspension an account is deleted; `None` means never.
    pub delete_after: Option<SignedDuration>,
    /// Whether people who exist but are out of scope are suspended.
    pub suspend_out_of_scope: bool,
    /// Whether the first run waits for a release.
    pub review_first_run: bool,
    /// How old directory data may be to re-activate or create on.
    pub max_staleness_open: SignedDuration,
    /// What happens on drift.
    pub drift: DriftPolicy,
    /// Accounts that are never suspended, renamed, deleted or revoked: by id or by a value of a unique attribute.
    pub protected_accounts: BTreeSet<String>,
    /// People whose accounts are protected: by anchor or DN.
    pub protected_people: BTreeSet<String>,
    /// The limits.
    pub limits: Limits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_the_larger_of_count_and_share() {
        let limit = Limit {
            count: 3,
            percent: 2.0,
        };
        for (managed, allowed) in [(0, 3), (100, 3), (150, 3), (200, 4), (1000, 20)] {
            assert_eq!(limit.allowed(managed), allowed, "{managed}");
        }
        let none = Limit {
            count: 0,
            percent: 0.0,
        };
        assert_eq!(none.allowed(100_000), 0);
    }
}
