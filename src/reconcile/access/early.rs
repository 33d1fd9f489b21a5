//! How long closing takes, and when it must begin to be done in time.
//!
//! An application that takes three accounts a second needs half an hour for 5,000 of them. Pure: how fast it is and how
//! many people close when are arguments.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Calls that taking one account's access away needs where nothing was measured yet: read, change, read again.
const CALLS: u64 = 3;
/// Nobody is closed earlier than this, however slow the application is: that is for an administrator to solve.
pub const EARLIEST: SignedDuration = SignedDuration::from_hours(4);

/// How long taking one account's access away takes, on average.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pace {
    /// In thousandths of a second.
    pub millis: u64,
    /// Whether that was measured; else it follows from the limit on requests.
    pub measured: bool,
}

impl Pace {
    /// What is known of a target: what was measured last, but never faster than the limit on requests allows.
    #[must_use]
    pub fn of(measured: Option<u64>, requests_per_second: Option<u32>) -> Option<Self> {
        let limit = requests_per_second.filter(|rate| *rate > 0);
        let least = limit.map(|rate| (1000 * CALLS).div_ceil(u64::from(rate)));
        match (measured, least) {
            (Some(millis), _) => Some(Self {
                millis,
                measured: true,
            }),
            (None, Some(millis)) => Some(Self {
                millis,
                measured: false,
            }),
            (None, None) => None,
        }
    }

    /// How long so many people take, rounded up to the second.
    #[must_use]
    pub fn takes(self, people: usize) -> SignedDuration {
        let people = u64::try_from(people).unwrap_or(u64::MAX);
        let seconds = people.saturating_mul(self.millis).div_ceil(1000);
        SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
    }
}

/// One moment at which people close, and the work that it makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closing {
    /// When access ends.
    pub at: Timestamp,
    /// For how many people.
    pub people: usize,
    /// How long that takes.
    pub takes: SignedDuration,
    /// When it must begin to be done in time, closings soon after it considered; at most [`EARLIEST`] before.
    pub begin: Timestamp,
    /// How late the last of them is closed if it begins on time and no earlier.
    pub late: SignedDuration,
}

/// What so many people at each moment mean, at a pace. In order of time.
#[must_use]
pub fn closings(people: &BTreeMap<Timestamp, usize>, pace: Pace) -> Vec<Closing> {
    let mut found: Vec<Closing> = Vec::with_capacity(people.len());
    // Backwards: one closing must be done before the next one has to begin.
    let mut before: Option<Timestamp> = None;
    for (&at, &count) in people.iter().rev() {
        let takes = pace.takes(count);
        let done = before.map_or(at, |next| next.min(at));
        let earliest = at.checked_sub(EARLIEST).unwrap_or(at);
        let begin = done.checked_sub(takes).unwrap_or(earliest).max(earliest);
        before = Some(begin);
        found.push(Closing {
            at,
            people: count,
            takes,
            begin,
            late: SignedDuration::ZERO,
        });
    }
    found.reverse();
    // Forwards: work that is not done yet when the next edge comes makes that one late too.
    let mut free: Option<Timestamp> = None;
    for closing in &mut found {
        let begin = free.map_or(closing.at, |free| free.max(closing.at));
        let end = begin.checked_add(closing.takes).unwrap_or(begin);
        closing.late = end.duration_since(closing.at);
        free = Some(end);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn told(people: &[(i64, usize)], millis: u64) -> Vec<(i64, i64, i64)> {
        let people = people.iter().map(|(second, count)| (at(*second), *count));
        let pace = Pace {
            millis,
            measured: true,
        };
        closings(&people.collect(), pace)
            .into_iter()
            .map(|one| {
                (
                    one.at.as_second(),
                    one.begin.as_second(),
                    one.late.as_secs(),
                )
            })
            .collect()
    }

    #[test]
    fn five_thousand_at_three_a_second_begin_half_an_hour_early() {
        // Slack: 180 a minute.
        assert_eq!(told(&[(100_000, 5000)], 333), [(100_000, 98_335, 1665)]);
        assert_eq!(told(&[(100_000, 1)], 10), [(100_000, 99_999, 1)]);
        assert_eq!(told(&[], 10), []);
        assert_eq!(told(&[(100_000, 5000)], 0), [(100_000, 100_000, 0)]);
    }

    #[test]
    fn a_closing_makes_room_for_the_one_after_it() {
        // The second begins at 99,400; the first must be done by then.
        let both = told(&[(99_500, 100), (100_000, 600)], 1000);
        assert_eq!(both, [(99_500, 99_300, 100), (100_000, 99_400, 600)]);
        // Done late, the first delays the second.
        let both = told(&[(100_000, 600), (100_100, 100)], 1000);
        assert_eq!(both, [(100_000, 99_400, 600), (100_100, 100_000, 600)]);
        // Far apart, they do not touch.
        let both = told(&[(50_000, 100), (100_000, 100)], 1000);
        assert_eq!(both, [(50_000, 49_900, 100), (100_000, 99_900, 100)]);
    }

    #[test]
    fn nobody_is_closed_hours_early() {
        let hours = EARLIEST.as_secs();
        let all = told(&[(100_000, 1_000_000)], 1000);
        assert_eq!(all, [(100_000, 100_000 - hours, 1_000_000)]);
    }

    #[test]
    fn what_was_measured_is_believed_before_the_limit() {
        assert_eq!(Pace::of(None, None), None);
        assert_eq!(Pace::of(None, Some(3)).map(|pace| pace.millis), Some(1000));
        assert_eq!(Pace::of(None, Some(7)).map(|pace| pace.millis), Some(429));
        let measured = Pace::of(Some(40), Some(3)).unwrap();
        assert_eq!((measured.millis, measured.measured), (40, true));
    }
}
