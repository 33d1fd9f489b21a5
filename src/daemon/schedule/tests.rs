use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Again, Regular, Times, What, next_wake, own_share, pause};
use crate::config::Timetable;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn seconds(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

fn regular(text: &str, last: Option<&str>) -> Regular {
    Regular {
        table: Some(Timetable::parse(text, TimeZone::UTC).unwrap()),
        jitter: SignedDuration::ZERO,
        last: last.map(at),
    }
}

fn times() -> Times {
    Times {
        sync: regular("*/15 * * * *", Some("2026-11-22T12:00:00Z")),
        reconcile: regular("30 3 * * *", Some("2026-11-22T03:30:00Z")),
        ..Times::default()
    }
}

fn wake(times: &Times, now: &str) -> (Timestamp, Vec<What>) {
    let (at, what) = next_wake([("crm", times)], at(now)).unwrap();
    (at, what.into_iter().map(|(_, what)| what).collect())
}

#[test]
fn the_earliest_wins_and_what_is_due_together_comes_most_urgent_first() {
    let mut times = times();
    let now = "2026-11-22T12:01:00Z";
    assert_eq!(
        wake(&times, now),
        (at("2026-11-22T12:15:00Z"), vec![What::Sync])
    );
    times.edge = Some(at("2026-11-22T12:15:00Z"));
    let both = (at("2026-11-22T12:15:00Z"), vec![What::Edge, What::Sync]);
    assert_eq!(wake(&times, now), both);
    times.edge = Some(at("2026-11-22T12:05:00Z"));
    assert_eq!(
        wake(&times, now),
        (at("2026-11-22T12:05:00Z"), vec![What::Edge])
    );
    assert_eq!(next_wake([], at(now)), None);
}

#[test]
fn what_was_missed_is_due_once_whatever_the_time_away() {
    let mut times = times();
    let now = "2026-11-25T09:07:00Z";
    let (_, what) = wake(&times, now);
    assert_eq!(what, [What::Reconcile, What::Sync]);
    times.sync.last = Some(at(now));
    times.reconcile.last = Some(at(now));
    assert_eq!(
        wake(&times, now),
        (at("2026-11-25T09:15:00Z"), vec![What::Sync])
    );
    // What never ran is due at once.
    times.sync.last = None;
    assert_eq!(wake(&times, now), (at(now), vec![What::Sync]));
}

#[test]
fn a_clock_set_back_does_not_stop_the_work_until_it_has_caught_up() {
    let mut times = times();
    times.sync.last = Some(at("2027-11-22T12:00:00Z"));
    times.reconcile.last = Some(at("2027-11-22T03:30:00Z"));
    times.again = Some(Again {
        since: at("2027-11-22T12:00:00Z"),
        pause: seconds(60),
    });
    let now = "2026-11-22T12:01:00Z";
    assert_eq!(
        wake(&times, now),
        (at("2026-11-22T12:02:00Z"), vec![What::Retry])
    );
    times.again = None;
    assert_eq!(
        wake(&times, now),
        (at("2026-11-22T12:15:00Z"), vec![What::Sync])
    );
}

#[test]
fn what_is_on_its_way_is_not_due_again_but_an_edge_still_is() {
    let mut times = times();
    times.at_work = true;
    let now = at("2026-11-25T09:07:00Z");
    assert_eq!(next_wake([("crm", &times)], now), None);
    times.edge = Some(now);
    assert_eq!(
        next_wake([("crm", &times)], now),
        Some((now, vec![("crm", What::Edge)]))
    );
    times.at_edge = true;
    assert_eq!(next_wake([("crm", &times)], now), None);
}

#[test]
fn urgent_tries_come_within_a_minute_others_within_an_hour() {
    let urgent: Vec<i64> = (0..5).map(|n| pause(n, true).as_secs()).collect();
    assert_eq!(urgent, [5, 15, 30, 60, 60]);
    let others: Vec<i64> = (0..5).map(|n| pause(n, false).as_secs()).collect();
    assert_eq!(others, [60, 300, 900, 3600, 3600]);
    assert_eq!(pause(u32::MAX, false).as_secs(), 3600);
}

proptest! {
    #[test]
    fn nothing_is_ever_lost_or_done_twice(
        step in 1_i64..40_000,
        jitter in 0_i64..120,
        start in 1_767_225_600_i64..1_798_761_600,
    ) {
        // Whoever looks often, and works whenever something is due, works once for each time that came, unless several
        // came between two looks.
        let table = Timetable::parse("*/15 * * * *", TimeZone::UTC).unwrap();
        let begin = Timestamp::from_second(start).unwrap();
        let mut regular = Regular {
            table: Some(table.clone()),
            jitter: seconds(jitter),
            last: Some(begin),
        };
        let mut now = begin;
        for _ in 0..50 {
            let before = now;
            now = now.checked_add(seconds(step)).unwrap();
            let between = table
                .firings(before.checked_sub(seconds(jitter)).unwrap())
                .take_while(|at| at.checked_add(seconds(jitter)).unwrap() <= now)
                .count();
            let due = regular.due(now).is_some_and(|at| at <= now);
            prop_assert_eq!(due, between > 0);
            if due {
                regular.last = Some(now);
            }
        }
    }

    #[test]
    fn the_share_of_the_jitter_is_within_it_and_always_the_same(
        of in 0_u64..3600,
        name in "[a-z]{1,8}",
    ) {
        let of = std::time::Duration::from_secs(of);
        let share = own_share(of, &[b"host", name.as_bytes()]);
        prop_assert!(share >= SignedDuration::ZERO && share.unsigned_abs() <= of);
        prop_assert_eq!(share, own_share(of, &[b"host", name.as_bytes()]));
    }
}
