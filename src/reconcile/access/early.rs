//! How long closing takes, and when it must begin to be done in time.
//!
//! An application that takes three accounts a second needs half an hour for 5,000 of them. Pure: how fast it is and how
//! many people close when are arguments.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::model::Anchor;

/// Calls that taking one account's access away needs where nothing was measured yet: read, change, read again.
const CALLS: u64 = 3;
/// So many people in one run tell how fast an application is.
const MANY: u64 = 20;
/// Nobody is closed earlier than this, however slow the application is: that is for an administrator to solve.
pub const EARLIEST: SignedDuration = SignedDuration::from_hours(4);
/// Closing early goes in steps of this length: each closes so many that the others fit into the time after it.
pub const STEP: SignedDuration = SignedDuration::from_secs(10);

/// How long taking one account's access away takes, on average.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pace {
    /// In thousandths of a second.
    pub millis: u64,
    /// Whether that was measured; else it follows from the limit on requests.
    pub measured: bool,
}

impl Pace {
    /// What is known of a target: what was measured last, else what follows from the time that its limits give to each
    /// request, in thousandths of a second.
    #[must_use]
    pub fn of(measured: Option<u64>, per_request: Option<u64>) -> Option<Self> {
        let limit = per_request.filter(|millis| *millis > 0);
        let least = limit.map(|millis| millis.saturating_mul(CALLS));
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

    /// What is known after so many people took so many thousandths of a second each: many tell how fast an application is,
    /// a few only something about it.
    #[must_use]
    pub fn learnt(known: Option<Self>, millis: u64, people: u64) -> Option<u64> {
        if people >= MANY {
            return Some(millis);
        }
        let known = known?.millis;
        let sum = known.saturating_mul(MANY - people) + millis.saturating_mul(people);
        Some(sum.div_ceil(MANY).max(1))
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

/// Who is closed now although their time has not come, so that all others can be closed in time, and when their time comes.
///
/// Nobody is closed earlier than that needs. Who comes first is as good as drawn by lot for each closing, so that it is not
/// always the same people who lose the last minutes.
#[must_use]
pub fn begin_now<T: Copy + Ord>(
    people: &BTreeMap<Timestamp, Vec<T>>,
    pace: Pace,
    now: Timestamp,
) -> Vec<(T, Timestamp)> {
    let counts = people.iter().map(|(at, who)| (*at, who.len())).collect();
    let by = now.checked_add(STEP).unwrap_or(now);
    let mut first = Vec::new();
    for closing in closings(&counts, pace) {
        if closing.at <= now || closing.begin > now {
            continue;
        }
        // What is not begun by the end of this step begins too late.
        let due = by.min(closing.at).duration_since(closing.begin).as_millis();
        let due = u64::try_from(due).unwrap_or(0).div_ceil(pace.millis.max(1));
        let mut who = people.get(&closing.at).cloned().unwrap_or_default();
        who.sort_unstable();
        who.truncate(usize::try_from(due).unwrap_or(usize::MAX));
        first.extend(who.into_iter().map(|one| (one, closing.at)));
    }
    first
}

/// Somebody's lot for a closing: the smallest comes first.
#[must_use]
pub fn lot(anchor: &Anchor, at: Timestamp) -> u64 {
    let mut hash = Sha256::new_with_prefix(at.as_second().to_le_bytes());
    hash.update(anchor.as_str().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(hash.finalize().get(..8).unwrap_or(&[0; 8]));
    u64::from_le_bytes(first)
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
        assert_eq!(
            Pace::of(None, Some(334)).map(|pace| pace.millis),
            Some(1002)
        );
        let measured = Pace::of(Some(40), Some(334)).unwrap();
        assert_eq!((measured.millis, measured.measured), (40, true));
        assert_eq!(Pace::learnt(None, 50, 20), Some(50));
        assert_eq!(Pace::learnt(None, 50, 5), None);
        assert_eq!(Pace::learnt(Some(measured), 80, 5), Some(50));
    }

    /// Lets a day go by in steps: who is closed when, in seconds before their time.
    fn walk(people: &[(i64, usize)], millis: u64, from: i64) -> Vec<(i64, i64)> {
        let pace = Pace {
            millis,
            measured: true,
        };
        let mut left: BTreeMap<Timestamp, Vec<usize>> = BTreeMap::new();
        for (second, count) in people {
            left.insert(at(*second), (0..*count).collect());
        }
        let mut early = Vec::new();
        let last = people.iter().map(|(second, _)| *second).max().unwrap();
        for now in from..last {
            for (one, due) in begin_now(&left, pace, at(now)) {
                left.get_mut(&due).unwrap().retain(|other| *other != one);
                early.push((due.as_second(), due.as_second() - now));
            }
        }
        early
    }

    #[test]
    fn people_are_closed_one_step_after_the_other_and_none_before_it_must_be() {
        let early = walk(&[(100_000, 600)], 1000, 99_000);
        assert_eq!(early.len(), 600);
        for (done, (_, before)) in early.iter().enumerate() {
            let must = 600 - i64::try_from(done).unwrap();
            assert!(*before >= must, "number {done} is late: {before}");
            assert!(*before <= must + STEP.as_secs(), "number {done}: {before}");
        }
        // Fast enough: nobody but those of the last moment.
        let early = walk(&[(100_000, 600)], 1, 99_000);
        assert!(early.iter().all(|(_, before)| *before <= 1), "{early:?}");
        assert_eq!(
            begin_now::<u8>(
                &BTreeMap::new(),
                Pace {
                    millis: 5,
                    measured: true
                },
                at(0)
            ),
            []
        );
    }

    #[test]
    fn two_closings_one_after_the_other_are_both_done_in_time() {
        let early = walk(&[(99_800, 300), (100_000, 400)], 1000, 99_000);
        // The second needs 400 seconds and so begins before the first is over; the first makes room for it.
        let first: Vec<i64> = early
            .iter()
            .filter(|one| one.0 == 99_800)
            .map(|one| one.1)
            .collect();
        assert_eq!((early.len(), first.len()), (700, 300));
        assert!(
            first.iter().all(|before| (190..=510).contains(before)),
            "{first:?}"
        );
    }

    #[test]
    fn it_is_not_always_the_same_who_come_first() {
        let anchor = |n: u32| Anchor::new(&format!("00000000-0000-4000-8000-{n:012}")).unwrap();
        let first = |day: i64| (0..50).min_by_key(|n| lot(&anchor(*n), at(day * 86_400)));
        let firsts: std::collections::BTreeSet<_> = (0..30).map(first).collect();
        assert!(firsts.len() > 10, "{firsts:?}");
    }
}
