//! Why part of a plan is set aside, in words.

use std::fmt;

use super::Kind;

/// Why part of a plan is set aside.
#[derive(Clone, PartialEq, Debug)]
pub enum Breach {
    /// The first plan for a target waits for a person.
    FirstRun,
    /// More changes of a kind than its limit allows.
    Limit {
        /// The kind.
        kind: Kind,
        /// How many the plan holds.
        count: usize,
        /// How many are allowed.
        allowed: usize,
        /// Accounts under management, which percentages are of.
        managed: usize,
    },
    /// More destructive changes in 24 hours, over all runs, than allowed.
    Day {
        /// In this plan.
        count: usize,
        /// In the last 24 hours.
        recent: usize,
        /// How many are allowed.
        allowed: usize,
    },
    /// The same attribute is cleared on many accounts at once: it may have become unreadable at the source.
    Vanished {
        /// The account attribute.
        attribute: String,
        /// How many accounts would lose it.
        count: usize,
        /// How many are allowed.
        allowed: usize,
    },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstRun => f.write_str("the first run against this target waits for review"),
            Self::Limit {
                kind,
                count,
                allowed,
                managed,
            } => write!(
                f,
                "{count} × {kind}, where {allowed} are allowed among {managed} managed accounts"
            ),
            Self::Day {
                count,
                recent,
                allowed,
            } => write!(
                f,
                "{count} destructive changes after {recent} in the last 24 hours, where {allowed} are allowed"
            ),
            Self::Vanished {
                attribute,
                count,
                allowed,
            } => write!(
                f,
                "{attribute} would be cleared on {count} accounts at once, where {allowed} are allowed; can it still be read at the source?"
            ),
        }
    }
}
