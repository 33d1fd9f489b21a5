//! What `provost windows` found, for the forms it is shown in.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ics::Calendar;
use crate::reconcile::access::{Closing, Outlook, Pace, closings};

/// What was asked and when it was judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The moment.
    pub at: Timestamp,
    /// Until when transitions are listed.
    pub to: Option<Timestamp>,
    /// The zone for times that are nobody's own.
    pub zone: jiff::tz::TimeZone,
    /// How times were read, if not as written.
    pub remarks: Vec<String>,
}

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a> {
    /// The target.
    pub target: &'a str,
    /// When the directory was read.
    pub read_at: Timestamp,
    /// What was missing from that read.
    pub shortfalls: &'a [String],
    /// The version of the time zone database.
    pub time_zones: &'a str,
    /// How many policies hold.
    pub policies: usize,
    /// How fast the application takes access away, if that is known.
    pub pace: Option<Pace>,
    /// The people.
    pub people: &'a [Outlook],
}

impl Windows<'_> {
    /// Every closing in the range, with the work that it makes; empty if nobody knows how fast the application is.
    #[must_use]
    pub fn closings(&self) -> Vec<Closing> {
        let Some(pace) = self.pace else {
            return Vec::new();
        };
        let mut people: BTreeMap<Timestamp, usize> = BTreeMap::new();
        let edges = self.people.iter().flat_map(|one| &one.transitions);
        for edge in edges.filter(|edge| !edge.open) {
            *people.entry(edge.at).or_default() += 1;
        }
        closings(&people, pace)
    }
}

/// A moment on the wall clock of a person, or in the given zone where none is theirs.
pub(super) fn say(at: Timestamp, one: &Outlook, asked: &Asked) -> String {
    let own = one.access.parts.first().map(|part| part.zone.say(at));
    own.unwrap_or_else(|| wall(at, asked))
}

/// A moment on the wall clock of whoever asks.
pub(super) fn wall(at: Timestamp, asked: &Asked) -> String {
    let zoned = at.to_zoned(asked.zone.clone());
    let name = asked.zone.iana_name().unwrap_or("UTC");
    format!("{} {name}", zoned.strftime("%a %Y-%m-%d %H:%M"))
}

/// The times of one person within a range, as a calendar.
#[must_use]
pub fn calendar(target: &str, one: &Outlook, from: Timestamp, to: Timestamp) -> Calendar {
    let edges = one.transitions.iter().map(|edge| (edge.at, edge.open));
    let zones: Vec<&str> = one
        .access
        .parts
        .iter()
        .map(|part| &*part.zone.name)
        .collect();
    Calendar {
        name: format!("{}: access to {target}", one.label),
        summary: format!("Access to {target} is open"),
        description: format!("{}; {}", one.label, one.access.why()),
        key: format!("{target}/{}/{}", one.anchor, zones.join("/")),
        times: times(one.is_open(), edges, from, to),
    }
}

/// The times of one policy, as a calendar.
#[must_use]
pub fn policy_calendar(policy: &str, zone: &str, times: Vec<(Timestamp, Timestamp)>) -> Calendar {
    Calendar {
        name: format!("Access policy {policy}"),
        summary: format!("{policy} is open"),
        description: format!("on the wall clock of {zone}"),
        key: format!("policy/{policy}/{zone}"),
        times,
    }
}

/// From a state and its changes to the times in which it is open.
fn times(
    open: bool,
    edges: impl Iterator<Item = (Timestamp, bool)>,
    from: Timestamp,
    to: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let mut since = open.then_some(from);
    let mut times = Vec::new();
    for (at, opens) in edges {
        match (since, opens) {
            (None, true) => since = Some(at),
            (Some(begin), false) => {
                times.push((begin, at));
                since = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
    if let Some(begin) = since.filter(|begin| *begin < to) {
        times.push((begin, to));
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_begin_and_end_with_the_range() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let cut = |open, edges: &[(i64, bool)]| -> Vec<(i64, i64)> {
            let edges = edges.iter().map(|(second, open)| (at(*second), *open));
            times(open, edges, at(0), at(100))
                .into_iter()
                .map(|(begin, end)| (begin.as_second(), end.as_second()))
                .collect()
        };
        assert_eq!(cut(true, &[]), [(0, 100)]);
        assert_eq!(cut(false, &[]), []);
        assert_eq!(cut(true, &[(10, false), (20, true)]), [(0, 10), (20, 100)]);
        assert_eq!(cut(false, &[(10, true), (20, false)]), [(10, 20)]);
        assert_eq!(cut(false, &[(100, true)]), []);
    }
}
