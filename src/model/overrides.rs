//! What an operator ordered for one person, against or beside what the directory and the windows say.
//!
//! An override ends by itself. It is a value: who may give one, and what becomes of it, is decided elsewhere.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Anchor;

/// What an override does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverrideEffect {
    /// Lifts [`SuspendReason::AccessWindow`](super::SuspendReason::AccessWindow) and nothing else:
    /// it never revives a leaver, a disabled or an expired person.
    Grant,
    /// Adds [`SuspendReason::Operator`](super::SuspendReason::Operator) until it ends or is revoked.
    Suspend,
}

impl OverrideEffect {
    /// As commands, reports and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Suspend => "suspend",
        }
    }
}

impl fmt::Display for OverrideEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One order of an operator about one person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Override {
    /// Its own name, by which it is revoked: short and unique for ever.
    pub id: String,
    /// The person.
    pub anchor: Anchor,
    /// The person's name as it was when the override was given, for people to read.
    pub label: String,
    /// The one target it is for; `None` means all.
    pub target: Option<String>,
    /// What it does.
    pub effect: OverrideEffect,
    /// From this moment on, inclusive.
    pub from: Timestamp,
    /// Until this moment, exclusive; `None` means until it is revoked.
    pub until: Option<Timestamp>,
    /// Why, as the operator said it.
    pub reason: String,
    /// Who gave it.
    pub by: String,
    /// When it was given.
    pub at: Timestamp,
}

impl Override {
    /// Whether it is in force at a moment.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.from <= now && !self.is_over(now)
    }

    /// Whether it has ended for good.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether it is meant for a target.
    #[must_use]
    pub fn is_for(&self, target: &str) -> bool {
        self.target.as_deref().is_none_or(|only| only == target)
    }

    /// The next moment after `now` at which time alone changes what it does: its beginning or its end.
    #[must_use]
    pub fn next_edge(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_over(now) {
            None
        } else if self.from > now {
            Some(self.from)
        } else {
            self.until
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("within range")
    }

    fn given(from: i64, until: Option<i64>, target: Option<&str>) -> Override {
        Override {
            id: "o1".to_owned(),
            anchor: Anchor::new("a").expect("valid"),
            label: "A".to_owned(),
            target: target.map(str::to_owned),
            effect: OverrideEffect::Grant,
            from: at(from),
            until: until.map(at),
            reason: "test".to_owned(),
            by: "root".to_owned(),
            at: at(0),
        }
    }

    #[test]
    fn it_holds_from_its_beginning_until_just_before_its_end() {
        let order = given(10, Some(20), None);
        for (now, active, over) in [
            (9, false, false),
            (10, true, false),
            (19, true, false),
            (20, false, true),
        ] {
            assert_eq!(order.is_active(at(now)), active, "{now}");
            assert_eq!(order.is_over(at(now)), over, "{now}");
        }
        assert!(given(10, None, None).is_active(at(i64::from(u32::MAX))));
        assert!(
            !given(20, Some(10), None).is_active(at(25)),
            "an end before the beginning"
        );
    }

    #[test]
    fn its_edges_are_its_beginning_and_its_end() {
        let order = given(10, Some(20), None);
        assert_eq!(order.next_edge(at(0)), Some(at(10)));
        assert_eq!(order.next_edge(at(10)), Some(at(20)));
        assert_eq!(order.next_edge(at(20)), None);
        assert_eq!(given(10, None, None).next_edge(at(10)), None);
    }

    #[test]
    fn it_is_for_one_target_or_for_all() {
        assert!(given(0, None, None).is_for("crm"));
        assert!(given(0, None, Some("crm")).is_for("crm"));
        assert!(!given(0, None, Some("crm")).is_for("wiki"));
    }
}
