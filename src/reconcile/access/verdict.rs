//! What was found about one person at one moment.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::zones::Zone;
use crate::model::{SuspendReason, Suspensions};

/// Whether a person may have access as far as windows and overrides go, why, and until when that stays so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// Whether it is open.
    pub open: bool,
    /// The reasons to suspend that follow: none exactly if it is open or cannot be said.
    pub reasons: Suspensions,
    /// What decided.
    pub because: Because,
    /// Each policy that holds for the person.
    pub parts: Arc<[Part]>,
    /// The next moment at which `open` changes; `None` if there is none within 5 years.
    pub next: Option<Timestamp>,
    /// Why it cannot be said; the account stays as it is.
    pub hold: Option<String>,
    /// When the operator's order was given that lets the person in, whatever windows say. Whoever gave it vouched for the
    /// person then, which is worth as much as a read of the directory at that time.
    pub granted: Option<Timestamp>,
    /// Whether what is closed stays closed after a read of the directory that failed.
    pub strict: bool,
    /// What an operator should know.
    pub notices: Vec<String>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            open: true,
            reasons: Suspensions::new(),
            because: Because::NoPolicy,
            parts: Arc::default(),
            next: None,
            hold: None,
            granted: None,
            strict: false,
            notices: Vec::new(),
        }
    }
}

impl Access {
    /// Whether a window closes it now.
    #[must_use]
    pub fn is_closed_by_window(&self) -> bool {
        self.reasons.contains(&SuspendReason::AccessWindow)
    }

    /// Whether it is closed although its time has not come.
    #[must_use]
    pub fn is_early(&self) -> bool {
        matches!(self.because, Because::Early { .. })
    }

    /// Everything about it in a sentence, without the next transition.
    #[must_use]
    pub fn why(&self) -> String {
        let state = if self.hold.is_some() {
            "undecided"
        } else if self.open {
            "open"
        } else {
            "closed"
        };
        format!("{state}: {}", self.because.say(&self.parts))
    }

    /// The next transition in words, on the person's wall clock where there is one.
    #[must_use]
    pub fn next_in_words(&self) -> Option<String> {
        let next = self.next?;
        let verb = if self.open { "closes" } else { "opens" };
        let zone = self
            .parts
            .first()
            .map_or_else(Zone::utc, |part| part.zone.clone());
        Some(format!("{verb} {}", zone.say(next)))
    }
}

/// What decided about a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Because {
    /// No policy is for them: open at all times.
    NoPolicy,
    /// They are exempt from all windows.
    Exempt,
    /// Their policies.
    Policies,
    /// An override keeps it open.
    Granted {
        /// The override.
        id: String,
        /// When it ends.
        until: Option<Timestamp>,
        /// What the operator said.
        reason: String,
    },
    /// An override keeps it closed.
    Suspended {
        /// The override.
        id: String,
        /// When it ends.
        until: Option<Timestamp>,
        /// What the operator said.
        reason: String,
    },
    /// Their policies close them soon, and closing everybody takes so long that they are closed before.
    Early {
        /// When their time comes.
        at: Timestamp,
    },
    /// It cannot be said.
    Unknown(String),
}

impl Because {
    fn say(&self, parts: &[Part]) -> String {
        let ends = |until: &Option<Timestamp>| {
            until.map_or("until revoked".to_owned(), |until| format!("until {until}"))
        };
        match self {
            Self::NoPolicy => "no access policy is for this person".to_owned(),
            Self::Exempt => "exempt from all access windows".to_owned(),
            Self::Policies => {
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                parts.join("; ")
            }
            Self::Granted { id, until, reason } => {
                format!("override {id} grants access {} ({reason})", ends(until))
            }
            Self::Suspended { id, until, reason } => {
                format!("override {id} suspends access {} ({reason})", ends(until))
            }
            Self::Early { at } => {
                format!("closes at {at}, and is closed before so that everybody is closed by then")
            }
            Self::Unknown(why) => why.clone(),
        }
    }
}

/// One policy as it holds for a person at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The policy's name.
    pub policy: String,
    /// The zone that holds for the person.
    pub zone: Zone,
    /// What decides now: the weekly windows, a closed day, an extra opening.
    pub rule: String,
    /// Whether this policy alone is open.
    pub open: bool,
}

/// `office is closed (mon-fri 08:00-18:00, Europe/Berlin)`.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.open { "open" } else { "closed" };
        let (policy, rule, zone) = (&self.policy, &self.rule, &self.zone);
        write!(f, "{policy} is {state} ({rule}, {zone})")
    }
}

/// A moment at which a person's access changes by the clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// Whether it is open from then on.
    pub open: bool,
}
