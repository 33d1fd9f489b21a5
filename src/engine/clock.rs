//! The one reader of the clock.

use jiff::Timestamp;

/// Where the time comes from.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The system's wall clock.
    #[default]
    System,
    /// A fixed moment: planning as if it were then, and tests.
    Fixed(Timestamp),
}

impl Clock {
    /// The time, to the second: finer differences would only make records differ.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one reader of the clock"
    )]
    pub fn now(self) -> Timestamp {
        let now = match self {
            Self::System => Timestamp::now(),
            Self::Fixed(at) => at,
        };
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}
