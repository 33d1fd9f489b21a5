//! One enum for exit code, log, status line and report.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a command or run ended. Every surface says the same, because every surface is made from this.
///
/// Ordered by how much attention it needs: the outcome of several targets is the greatest of theirs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything was as wanted.
    NothingToDo,
    /// All changes were made and confirmed.
    Applied,
    /// A dry run found changes.
    ChangesPlanned,
    /// Everything possible was done; some identities are held and need a person to look.
    Held,
    /// An operator froze the target: what is to be done was planned and told, and nothing was written.
    Frozen,
    /// Some changes failed or are unconfirmed; they are tried again.
    PartlyFailed,
    /// The source could not be read in full: nobody was treated as a leaver.
    SourceIncomplete,
    /// A limit was reached or a review is due: the dangerous part waits for `provost release`.
    Quarantined,
    /// The run itself failed.
    Failed,
    /// Another instance holds the state directory.
    Locked,
    /// The configuration is not valid; nothing was done.
    ConfigInvalid,
}

impl Outcome {
    /// Every outcome, in order.
    pub const ALL: [Self; 11] = [
        Self::NothingToDo,
        Self::Applied,
        Self::ChangesPlanned,
        Self::Held,
        Self::Frozen,
        Self::PartlyFailed,
        Self::SourceIncomplete,
        Self::Quarantined,
        Self::Failed,
        Self::Locked,
        Self::ConfigInvalid,
    ];

    /// The process exit code. 75 and 78 are those of `sysexits.h` (temporary failure, configuration).
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::NothingToDo | Self::Applied => 0,
            Self::Failed => 1,
            Self::ChangesPlanned => 10,
            Self::PartlyFailed => 11,
            Self::Quarantined => 12,
            Self::Held => 13,
            Self::SourceIncomplete => 14,
            Self::Frozen => 15,
            Self::Locked => 75,
            Self::ConfigInvalid => 78,
        }
    }

    /// As logs, JSON and status spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NothingToDo => "nothing-to-do",
            Self::Applied => "applied",
            Self::ChangesPlanned => "changes-planned",
            Self::Held => "held",
            Self::Frozen => "frozen",
            Self::PartlyFailed => "partly-failed",
            Self::SourceIncomplete => "source-incomplete",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
            Self::Locked => "locked",
            Self::ConfigInvalid => "config-invalid",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
