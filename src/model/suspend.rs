//! Why an account must not be usable: a set of reasons, never a boolean.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One reason why an account must not be usable. An account is active exactly when there is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum SuspendReason {
    /// The identity is gone from the directory, proven twice or by a delete notice.
    Leaver,
    /// The directory says the entry is disabled.
    SourceDisabled,
    /// The expiry date has passed.
    Expired,
    /// The start date has not come.
    NotYetStarted,
    /// The identity exists but the mapping's scope does not include it.
    OutOfScope,
    /// The access window is closed.
    AccessWindow,
    /// An operator suspended it by name.
    Operator,
}

impl SuspendReason {
    /// Every reason, the strongest first.
    pub const ALL: [Self; 7] = [
        Self::Leaver,
        Self::SourceDisabled,
        Self::Expired,
        Self::NotYetStarted,
        Self::OutOfScope,
        Self::AccessWindow,
        Self::Operator,
    ];

    /// The reason as configuration, reports and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leaver => "leaver",
            Self::SourceDisabled => "source-disabled",
            Self::Expired => "expired",
            Self::NotYetStarted => "not-yet-started",
            Self::OutOfScope => "out-of-scope",
            Self::AccessWindow => "access-window",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for SuspendReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The set of reasons.
pub type Suspensions = BTreeSet<SuspendReason>;
