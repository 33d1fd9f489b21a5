//! When what is due. Pure: the time is an argument, so a week of it takes no time to test.
//!
//! Nothing here trusts the clock to go forward: what was remembered from a later time than now is taken to be of now.

use jiff::{SignedDuration, Timestamp};

use crate::config::Timetable;

/// What can be due for a target, the most urgent first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// Time alone changes what somebody should have: a window closes or opens, a date comes.
    Edge,
    /// Another try after something failed.
    Retry,
    /// The scheduled comparison of every account.
    Reconcile,
    /// The scheduled read of the directory.
    Sync,
    /// A letter that waits for a moment: a warning before a window closes, or another try.
    Letter,
}

impl What {
    /// All, the most urgent first.
    pub const ALL: [Self; 5] = [
        Self::Edge,
        Self::Retry,
        Self::Reconcile,
        Self::Sync,
        Self::Letter,
    ];

    /// As logs and status spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Retry => "retry",
            Self::Reconcile => "reconcile",
            Self::Sync => "sync",
            Self::Letter => "letter",
        }
    }
}

/// Scheduled work of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Regular {
    /// When it is due; `None` for never.
    pub table: Option<Timetable>,
    /// How much later than written it begins.
    pub jitter: SignedDuration,
    /// When it last began; `None` if it never did, and then it is due now.
    pub last: Option<Timestamp>,
}

impl Regular {
    fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let table = self.table.as_ref()?;
        let Some(last) = self.last else {
            return Some(now);
        };
        let from = last.min(now).checked_sub(self.jitter).ok()?;
        table.after(from)?.checked_add(self.jitter).ok()
    }
}

/// Another try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Again {
    /// Since when it is waited for.
    pub since: Timestamp,
    /// How long.
    pub pause: SignedDuration,
}

/// Everything about one target that time decides.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Times {
    /// Reading the directory and bringing the accounts in step.
    pub sync: Regular,
    /// Listing and comparing every account as well.
    pub reconcile: Regular,
    /// The next moment at which time alone changes something.
    pub edge: Option<Timestamp>,
    /// Another try.
    pub again: Option<Again>,
    /// The next moment at which a letter is to be sent.
    pub letter: Option<Timestamp>,
    /// Whether work other than an edge is on its way.
    pub at_work: bool,
    /// Whether an edge is being acted on.
    pub at_edge: bool,
}

impl Times {
    /// When a kind of work is due; `None` if it never is, or is on its way.
    #[must_use]
    pub fn due(&self, what: What, now: Timestamp) -> Option<Timestamp> {
        match what {
            What::Edge if self.at_edge => None,
            What::Edge => self.edge,
            What::Retry | What::Reconcile | What::Sync | What::Letter if self.at_work => None,
            What::Retry => {
                let again = self.again?;
                again.since.min(now).checked_add(again.pause).ok()
            }
            What::Reconcile => self.reconcile.due(now),
            What::Sync => self.sync.due(now),
            What::Letter => self.letter,
        }
    }
}

/// When the next work is due, and everything that is due then. What is overdue is due at its own, past time.
#[must_use]
pub fn next_wake<'a>(
    targets: impl IntoIterator<Item = (&'a str, &'a Times)>,
    now: Timestamp,
) -> Option<(Timestamp, Vec<(&'a str, What)>)> {
    let mut all: Vec<(Timestamp, &str, What)> = Vec::new();
    for (name, times) in targets {
        for what in What::ALL {
            all.extend(times.due(what, now).map(|at| (at, name, what)));
        }
    }
    let first = all.iter().map(|(at, ..)| *at).min()?;
    let by = first.max(now);
    all.retain(|(at, ..)| *at <= by);
    all.sort_by_key(|(_, name, what)| (*what, *name));
    let due = all.into_iter().map(|(_, name, what)| (name, what));
    Some((first, due.collect()))
}

/// How long to wait before the next try, after so many in vain.
///
/// Access that should have been taken away or given back is tried again within seconds; other work can wait.
#[must_use]
pub fn pause(tries: u32, urgent: bool) -> SignedDuration {
    let steps: [i64; 4] = if urgent {
        [5, 15, 30, 60]
    } else {
        [60, 300, 900, 3600]
    };
    let at = usize::try_from(tries).unwrap_or(usize::MAX).min(3);
    SignedDuration::from_secs(steps.get(at).copied().unwrap_or(3600))
}

/// The part of the jitter that is one's own: always the same for the same names, evenly spread over different ones.
#[must_use]
pub fn own_share(of: std::time::Duration, names: &[&[u8]]) -> SignedDuration {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for name in names {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
    }
    let hash = hash.finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(hash.get(..8).unwrap_or(&[0; 8]));
    let seconds = u64::from_le_bytes(bytes) % of.as_secs().saturating_add(1);
    SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests;
