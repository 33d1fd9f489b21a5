//! What operators ordered, kept for those who ask later: who, when, what and why.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Anchor;

/// Nothing is written to one application, or to any, until somebody says otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Freeze {
    /// The one target that is frozen; `None` means all.
    pub target: Option<String>,
    /// Why, as the operator said it.
    pub reason: String,
    /// Who ordered it.
    pub by: String,
    /// Since when.
    pub at: Timestamp,
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.target {
            Some(_) => "frozen",
            None => "all targets are frozen",
        };
        write!(
            f,
            "{what} since {} by {} ({}): nothing is written",
            self.at, self.by, self.reason
        )
    }
}

/// What was ordered, or came about because of an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditWhat {
    /// Access was granted to one person beside their windows.
    Grant,
    /// One person was suspended by name.
    Suspend,
    /// An override was taken back.
    Revoke,
    /// An override gave way to a newer one of the same kind.
    Replace,
    /// An override came to its end by itself.
    End,
    /// Writing was stopped.
    Freeze,
    /// Writing was allowed again.
    Thaw,
    /// Changes that had been set aside were released.
    Release,
    /// A smaller number of people in a source was accepted.
    Accept,
    /// A sealed password that could not be told to its person was discarded.
    Discard,
}

impl AuditWhat {
    /// As reports and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Suspend => "suspend",
            Self::Revoke => "revoke",
            Self::Replace => "replace",
            Self::End => "end",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Release => "release",
            Self::Accept => "accept",
            Self::Discard => "discard",
        }
    }
}

impl fmt::Display for AuditWhat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One entry of the trail. Entries are added and never changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place in the trail, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who; `provost` where nobody was needed.
    pub by: String,
    /// What.
    pub what: AuditWhat,
    /// The override, source or digest that it is about, if any.
    pub about: Option<String>,
    /// The target; `None` means all.
    pub target: Option<String>,
    /// The person's anchor, if it is about one.
    pub anchor: Option<Anchor>,
    /// The person's name as it was then.
    pub label: Option<String>,
    /// Until when the order was to hold, if it had an end.
    pub until: Option<Timestamp>,
    /// Why, as the operator said it.
    pub reason: String,
}
