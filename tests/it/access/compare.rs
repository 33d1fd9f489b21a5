//! The comparison of the engine with the oracle, for the tests and for the complete walk (`examples/walk`).

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::oracle::{Minutes, minutes};
use super::settings::{self, Given, somebody};

pub(crate) const DAY: i64 = 86_400;

/// Every zone of the bundled database.
pub(crate) fn zones() -> Vec<(String, TimeZone)> {
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

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("within range")
}

/// Compares a policy with the oracle over some days. Gives how many edges there were, or what differs.
pub(crate) fn compare(
    given: &Given,
    zone: &str,
    tz: &TimeZone,
    from: i64,
    days: i64,
) -> Result<usize, String> {
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
    Ok(seen)
}

/// The midnights (UTC) of all days from 2020 to 2037.
pub(crate) fn years() -> (i64, i64) {
    let second = |text: &str| text.parse::<Timestamp>().expect("a time").as_second();
    (
        second("2020-01-01T00:00:00Z"),
        second("2038-01-01T00:00:00Z"),
    )
}

pub(crate) fn runner(seed: u8) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    TestRunner::new_with_rng(Config::default(), rng)
}
