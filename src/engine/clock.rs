//! The one reader of the clock.

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
}

impl Clock {
    /// The moment that is assumed, if this is not the time it really is.
    #[must_use]
    pub fn assumed(self) -> Option<Timestamp> {
        match self {
            Self::Assumed(_) => Some(self.now()),
            Self::System | Self::Fixed(_) => None,
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
        };
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}
