//! Access windows against an oracle that knows nothing of intervals: it walks minute by minute and looks at the wall clock.

mod laws;
mod oracle;
mod settings;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

pub(crate) use oracle::{Minutes, minutes};
pub(crate) use settings::{Given, hours_rules};
use settings::{given, somebody};

const DAY: i64 = 86_400;

/// Every zone of the bundled database.
fn zones() -> Vec<(String, TimeZone)> {
    let database = TimeZoneDatabase::bundled();
    let mut zones: Vec<(String, TimeZone)> = database
        .available()
        .filter_map(|name| Some((name.as_str().to_owned(), database.get(name.as_str()).ok()?)))
        .filter(|(_, zone)| !zone.is_unknown())
        .collect();
    zones.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(zones.len() > 400, "only {} zones", zones.len());
    zones
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("within range")
}

/// Compares a policy with the oracle over some days; what differs is told.
fn compare(given: &Given, zone: &str, tz: &TimeZone, from: i64, days: i64) -> Result<(), String> {
    let walked: Minutes = minutes(given, tz, from, days);
    let rules = settings::rules(std::slice::from_ref(given), zone);
    let identity = somebody(&[]);
    let start = walked.first();
    let mut open = rules.judge(&identity, &[], at(start)).open;
    let mut edges = rules
        .transitions(&identity, &[], at(start), at(walked.last()))
        .into_iter()
        .peekable();
    let mut seen = 0;
    for (minute, expected) in walked.states() {
        while let Some(edge) = edges.next_if(|edge| edge.at <= at(minute)) {
            if edge.open == open {
                return Err(format!("{zone}: {given:?}: no change at {}", edge.at));
            }
            open = edge.open;
            seen += 1;
        }
        if open != expected {
            return Err(format!(
                "{zone}: {given:?}: open = {open} at {}, the oracle says {expected}",
                at(minute)
            ));
        }
    }
    if seen != walked.changes() {
        return Err(format!(
            "{zone}: {given:?}: {seen} edges, the oracle has {}",
            walked.changes()
        ));
    }
    Ok(())
}

/// The midnights (UTC) of all days from 2020 to 2037.
fn years() -> (i64, i64) {
    let second = |text: &str| text.parse::<Timestamp>().expect("a time").as_second();
    (
        second("2020-01-01T00:00:00Z"),
        second("2038-01-01T00:00:00Z"),
    )
}

fn runner(seed: u8) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    TestRunner::new_with_rng(Config::default(), rng)
}

#[test]
fn windows_are_as_the_wall_clock_says_around_every_change_of_clocks() {
    let (from, to) = years();
    let mut runner = runner(1);
    let (mut compared, mut seen) = (0, std::collections::BTreeSet::new());
    for (name, tz) in zones() {
        let jumps: Vec<i64> = tz
            .following(at(from))
            .map(|transition| transition.timestamp().as_second())
            .take_while(|jump| *jump < to)
            .collect();
        // Many names mean the same zone; walking one of them is enough for those that jump alike.
        let offsets: Vec<i32> = jumps
            .iter()
            .map(|j| tz.to_offset(at(*j)).seconds())
            .collect();
        if jumps.is_empty() || !seen.insert((jumps.clone(), offsets)) {
            continue;
        }
        for jump in jumps {
            let given = given(&mut runner);
            compare(&given, &name, &tz, jump - 2 * DAY, 4).unwrap_or_else(|why| panic!("{why}"));
            compared += 1;
        }
    }
    assert!(
        compared > 1000,
        "only {compared} changes of clocks were looked at"
    );
}

#[test]
fn windows_are_as_the_wall_clock_says_in_any_four_weeks_of_every_zone() {
    let (from, to) = years();
    let mut runner = runner(2);
    for (index, (name, tz)) in (0i64..).zip(zones()) {
        let given = given(&mut runner);
        let weeks = (to - from) / (7 * DAY) - 4;
        let week = (index * 7919 + 13) % weeks;
        let begin = from + week * 7 * DAY;
        compare(&given, &name, &tz, begin, 28).unwrap_or_else(|why| panic!("{why}"));
    }
}
