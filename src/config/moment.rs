//! Moments as operators write them: `21:00`, `2h`, `2026-12-01`, `2027-03-28 02:30 Europe/Berlin`, RFC 3339.
//!
//! Pure: the time and the zone are arguments. Whether a moment is sensible for its purpose is decided where it is used.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _, Zoned};

use super::units;

/// What to do with a local time that exists twice, or not at all, because clocks are changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lean {
    /// The earlier reading: for the end of something given.
    Earlier,
    /// The later reading: for the end of something taken away.
    Later,
    /// As calendars do (RFC 5545 §3.3.5): the first of two; a skipped time is as far behind the gap as it reads.
    Calendar,
}

/// A moment, and what should be said about how it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The moment, to the second.
    pub at: Timestamp,
    /// The zone that it was read in.
    pub zone: TimeZone,
    /// Why it is not simply what was written.
    pub remark: Option<String>,
}

/// Reads a moment.
///
/// # Errors
/// What is wrong with the text, with the forms there are.
pub fn moment(text: &str, now: Timestamp, zone: &TimeZone, lean: Lean) -> Result<Moment, String> {
    let text = text.trim();
    if let Ok(time) = units::duration(text) {
        let ahead = SignedDuration::try_from(time).map_err(|_too_long| too_far())?;
        let at = now.checked_add(ahead).map_err(|_too_far| too_far())?;
        return Ok(plain(at, zone));
    }
    // RFC 3339, and RFC 9557 with a zone in brackets.
    if text.contains('[')
        && let Ok(zoned) = text.parse::<Zoned>()
    {
        return Ok(plain(zoned.timestamp(), zoned.time_zone()));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(plain(at, zone));
    }
    let (text, zone) = with_zone(text, zone)?;
    if let Some(time) = time_of_day(text) {
        return next(time, now, &zone, lean);
    }
    local(civil(text).ok_or_else(not_a_moment)?, &zone, lean)
}

fn plain(at: Timestamp, zone: &TimeZone) -> Moment {
    Moment {
        at: whole(at),
        zone: zone.clone(),
        remark: None,
    }
}

/// Records are kept to the second.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Cuts the name of a zone off the end.
fn with_zone<'t>(text: &'t str, default: &TimeZone) -> Result<(&'t str, TimeZone), String> {
    let Some((before, last)) = text.rsplit_once(char::is_whitespace) else {
        return Ok((text, default.clone()));
    };
    if !last.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok((text, default.clone()));
    }
    match TimeZone::get(last) {
        Ok(zone) => Ok((before.trim_end(), zone)),
        Err(_) => Err(format!(
            "\"{}\" is no time zone; write an IANA name such as Europe/Berlin",
            super::raw::printable(last)
        )),
    }
}

fn time_of_day(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let (hour, minute) = (parts.next()?, parts.next()?);
    let second = parts.next().unwrap_or("0");
    let number = |part: &str| -> Option<i8> {
        let short = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        short.then(|| part.parse().ok()).flatten()
    };
    if parts.next().is_some() {
        return None;
    }
    Time::new(number(hour)?, number(minute)?, number(second)?, 0).ok()
}

fn civil(text: &str) -> Option<DateTime> {
    let (date, time) = match text.split_once([' ', 'T', 't']) {
        Some((date, time)) => (date, time_of_day(time.trim())?),
        None => (text, Time::midnight()),
    };
    // Only the one form: jiff's parser knows others that people would misread.
    let exact = date.len() == 10 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date: Date = exact.then(|| date.parse().ok()).flatten()?;
    Some(date.to_datetime(time))
}

/// The next occurrence of a time of day after now.
fn next(time: Time, now: Timestamp, zone: &TimeZone, lean: Lean) -> Result<Moment, String> {
    let mut date = now.to_zoned(zone.clone()).date();
    for _ in 0..3 {
        let found = local(date.to_datetime(time), zone, lean)?;
        if found.at > now {
            return Ok(found);
        }
        date = date.checked_add(1.day()).map_err(|_too_far| too_far())?;
    }
    Err(too_far())
}

fn local(local: DateTime, zone: &TimeZone, lean: Lean) -> Result<Moment, String> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let name = zone.iana_name().unwrap_or("this time zone");
    let what = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => None,
        AmbiguousOffset::Gap { .. } => Some("does not exist"),
        AmbiguousOffset::Fold { .. } => Some("exists twice"),
    };
    let at = match lean {
        Lean::Earlier => ambiguous.earlier(),
        Lean::Later => ambiguous.later(),
        Lean::Calendar => ambiguous.compatible(),
    }
    .map_err(|_too_far| too_far())?;
    let remark = what.map(|what| {
        let taken = at.to_zoned(zone.clone());
        format!(
            "{} {what} in {name}, because clocks change; taken as {}",
            local.strftime("%Y-%m-%d %H:%M"),
            taken.strftime("%H:%M %:z")
        )
    });
    Ok(Moment {
        at: whole(at),
        zone: zone.clone(),
        remark,
    })
}

fn not_a_moment() -> String {
    "write a time (21:00), a time from now (2h), a date (2026-12-01), both with or without a zone \
     (2027-03-28 02:30 Europe/Berlin), or RFC 3339 (2026-12-01T08:00:00Z)"
        .to_owned()
}

fn too_far() -> String {
    "this is too far away".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, lean: Lean) -> Result<String, String> {
        let now = "2026-11-20T15:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        moment(text, now, &zone, lean).map(|found| found.at.to_string())
    }

    #[test]
    fn every_form_is_understood() {
        for (text, expected) in [
            ("21:00", "2026-11-20T20:00:00Z"),
            ("9:05", "2026-11-21T08:05:00Z"),
            // Exactly now is not ahead.
            ("16:00", "2026-11-21T15:00:00Z"),
            ("21:00 Europe/London", "2026-11-20T21:00:00Z"),
            ("2h", "2026-11-20T17:00:00Z"),
            ("1d12h", "2026-11-22T03:00:00Z"),
            ("2026-12-01", "2026-11-30T23:00:00Z"),
            ("2026-12-01 08:30", "2026-12-01T07:30:00Z"),
            ("2026-12-01T08:30:15", "2026-12-01T07:30:15Z"),
            ("2026-12-01 08:30 America/New_York", "2026-12-01T13:30:00Z"),
            ("2026-12-01T08:30:00.9Z", "2026-12-01T08:30:00Z"),
            ("2026-12-01T08:30:00+05:30", "2026-12-01T03:00:00Z"),
            (
                "2026-12-01T08:30:00+01:00[Europe/Berlin]",
                "2026-12-01T07:30:00Z",
            ),
            ("2026-12-01 08:30 UTC", "2026-12-01T08:30:00Z"),
        ] {
            assert_eq!(
                read(text, Lean::Calendar).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "25:00",
            "21",
            "21:00:00:00",
            "2026-13-01",
            "2026-02-30",
            "01.12.2026",
            "tomorrow",
            "2026-12-01 08:30 Mars/Olympus",
            "99999999999999w",
            "+002026-12-01",
        ] {
            assert!(read(text, Lean::Calendar).is_err(), "{text}");
        }
    }

    #[test]
    fn nights_when_clocks_change_lean_as_asked() {
        for (text, earlier, later, calendar) in [
            // Skipped.
            (
                "2027-03-28 02:30",
                "2027-03-28T00:30:00Z",
                "2027-03-28T01:30:00Z",
                "2027-03-28T01:30:00Z",
            ),
            // Twice.
            (
                "2027-10-31 02:30",
                "2027-10-31T00:30:00Z",
                "2027-10-31T01:30:00Z",
                "2027-10-31T00:30:00Z",
            ),
        ] {
            assert_eq!(read(text, Lean::Earlier).as_deref(), Ok(earlier));
            assert_eq!(read(text, Lean::Later).as_deref(), Ok(later));
            assert_eq!(read(text, Lean::Calendar).as_deref(), Ok(calendar));
        }
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let found = moment(
            "2027-03-28 02:30",
            Timestamp::UNIX_EPOCH,
            &zone,
            Lean::Calendar,
        );
        assert_eq!(
            found.unwrap().remark.unwrap(),
            "2027-03-28 02:30 does not exist in Europe/Berlin, because clocks change; taken as 03:30 +02:00"
        );
    }
}
