//! Letters as far as the plan knows them: who gets which. Never what they say.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Anchor;

/// Which letter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum LetterKind {
    /// The first password of a new account.
    Welcome,
    /// A password in the place of another.
    Reset,
    /// Access ends soon for a while.
    ClosingSoon,
}

impl LetterKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Welcome, Self::Reset, Self::ClosingSoon];

    /// As configuration, reports and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Reset => "reset",
            Self::ClosingSoon => "closing-soon",
        }
    }
}

impl fmt::Display for LetterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A letter that goes with a change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// Which letter.
    pub kind: LetterKind,
    /// Whom it is about.
    pub anchor: Anchor,
    /// A name for people to read.
    pub label: String,
    /// The address it goes to, or why there is none.
    pub to: Result<String, String>,
    /// The moment that a warning speaks of.
    #[serde(default)]
    pub closes: Option<Timestamp>,
}
