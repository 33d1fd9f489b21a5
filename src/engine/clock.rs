//! The one reader of the clock.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Where the time comes from.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The system's wall clock.
    #[default]
    System,
    /// A fixed moment, taken as the time it is: tests.
    Fixed(Timestamp),
    /// A moment that is only assumed: planning as if it were then. Nothing is applied under it.
    Assumed(Timestamp),
    /// Unix seconds that somebody else moves: rehearsals of days and weeks.
    Told(&'static AtomicI64),
}

impl Clock {
    /// Whether somebody else moves it.
    #[must_use]
    pub const fn is_rehearsed(self) -> bool {
        matches!(self, Self::Told(_))
    }

    /// The moment that is assumed, if this is not the time it really is.
    #[must_use]
    pub fn assumed(self) -> Option<Timestamp> {
        match self {
            Self::Assumed(_) => Some(self.now()),
            Self::System | Self::Fixed(_) | Self::Told(_) => None,
        }
    }

    /// The time, to the second: finer differences would only make records differ.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the clock"
    )]
    pub fn now(self) -> Timestamp {
        let now = match self {
            Self::System => Timestamp::now(),
            Self::Fixed(at) | Self::Assumed(at) => at,
            Self::Told(second) => Timestamp::from_second(second.load(Ordering::Relaxed))
                .unwrap_or(Timestamp::UNIX_EPOCH),
        };
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}
