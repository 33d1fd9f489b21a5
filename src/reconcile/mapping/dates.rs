//! Dates as directories and HR systems write them.
//!
//! Reads ISO 8601, generalized time (RFC 4517 §3.3.13), Windows FILETIME, days since 1970 (`shadowExpire`) and patterns of the administrator's own.
//! Decides nothing about what a date means for a person.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// 100-nanosecond steps between 1601-01-01 and 1970-01-01.
const FILETIME_TO_UNIX: i64 = 116_444_736_000_000_000;
/// The longest text that can be a date.
const LONGEST: usize = 64;

/// How a date is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Written<'p> {
    /// Told from its form: FILETIME, generalized time or ISO 8601.
    Auto,
    /// Steps of 100 ns since 1601; 0 and the largest number mean never.
    FileTime,
    /// `20260131230000Z`.
    Generalized,
    /// Days since 1970-01-01; negative numbers mean never.
    Days,
    /// By a pattern such as `%d.%m.%Y`.
    Pattern(&'p str),
}

impl<'p> Written<'p> {
    /// The form by its name in a mapping file.
    pub fn named(name: &'p str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "filetime" => Ok(Self::FileTime),
            "generalized" => Ok(Self::Generalized),
            "days" => Ok(Self::Days),
            pattern if pattern.contains('%') => Ok(Self::Pattern(pattern)),
            other => Err(format!(
                "unknown date form \"{other}\"; use auto, filetime, generalized, days, or a pattern such as %d.%m.%Y"
            )),
        }
    }
}

/// A point in time or a whole day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Moment {
    /// A whole day, in no zone yet.
    Day(Date),
    /// A point in time.
    Instant(Timestamp),
}

impl Moment {
    /// The first moment.
    pub fn start(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Day(date) => midnight(date, zone),
            Self::Instant(at) => Some(at),
        }
    }

    /// The first moment after it: for a whole day, the next midnight.
    pub fn end(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Day(date) => midnight(date.tomorrow().ok()?, zone),
            Self::Instant(at) => Some(at),
        }
    }

    /// The moment as text by an strftime pattern.
    pub fn format(self, pattern: &str, zone: &TimeZone) -> Result<String, String> {
        let result = match self {
            Self::Day(date) => strtime::format(pattern, date),
            Self::Instant(at) => strtime::format(pattern, &at.to_zoned(zone.clone())),
        };
        result.map_err(|error| format!("the pattern \"{pattern}\" does not fit: {error}"))
    }
}

fn midnight(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_zoned(date.at(0, 0, 0, 0))
        .compatible()
        .ok()
        .map(|zoned| zoned.timestamp())
}

/// Reads a date. `None` means that the text says "never".
///
/// # Errors
/// When the text is no date in this form.
pub(super) fn read(
    text: &str,
    form: Written<'_>,
    zone: &TimeZone,
) -> Result<Option<Moment>, String> {
    let text = text.trim();
    let found = if text.len() > LONGEST {
        None
    } else {
        match form {
            Written::Auto => auto(text, zone),
            Written::FileTime => filetime(text),
            Written::Generalized => generalized(text).map(Some),
            Written::Days => days(text),
            Written::Pattern(pattern) => by_pattern(text, pattern, zone).map(Some),
        }
    };
    found.ok_or_else(|| {
        let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
        format!("\"{shown}\" is not a date in this form; name the form with from=")
    })
}

fn auto(text: &str, zone: &TimeZone) -> Option<Option<Moment>> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    if digits && (text == "0" || text.len() >= 17) {
        return filetime(text);
    }
    if digits && text.len() == 8 {
        return compact_date(text).map(|date| Some(Moment::Day(date)));
    }
    if text.bytes().take(10).filter(u8::is_ascii_digit).count() == 10 {
        return generalized(text).map(Some);
    }
    iso(text, zone).map(Some)
}

fn iso(text: &str, zone: &TimeZone) -> Option<Moment> {
    if text.len() == 10 {
        return text.parse().ok().map(Moment::Day);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(Moment::Instant(at));
    }
    local(text.parse().ok()?, zone)
}

/// A civil time without an offset, read in the mapping's zone.
fn local(time: DateTime, zone: &TimeZone) -> Option<Moment> {
    let zoned = zone.to_ambiguous_zoned(time).compatible().ok()?;
    Some(Moment::Instant(zoned.timestamp()))
}

fn filetime(text: &str) -> Option<Option<Moment>> {
    let steps: i64 = text.parse().ok()?;
    if steps == 0 || steps == i64::MAX {
        return Some(None);
    }
    if steps < 0 {
        return None;
    }
    let since = steps.checked_sub(FILETIME_TO_UNIX)?;
    let micros = since.div_euclid(10);
    Timestamp::from_microsecond(micros)
        .ok()
        .map(|at| Some(Moment::Instant(at)))
}

fn days(text: &str) -> Option<Option<Moment>> {
    let days: i64 = text.parse().ok()?;
    if days < 0 {
        return Some(None);
    }
    let since = SignedDuration::from_hours(days.checked_mul(24)?);
    let at = Timestamp::UNIX_EPOCH.checked_add(since).ok()?;
    Some(Some(Moment::Day(at.to_zoned(TimeZone::UTC).date())))
}

fn compact_date(text: &str) -> Option<Date> {
    Date::new(
        text.get(..4)?.parse().ok()?,
        text.get(4..6)?.parse().ok()?,
        text.get(6..8)?.parse().ok()?,
    )
    .ok()
}

/// `YYYYMMDDHH[MM[SS]][(.|,)fraction](Z|±HH[MM])`.
fn generalized(text: &str) -> Option<Moment> {
    let zone_at = text.find(['Z', 'z', '+', '-'])?;
    let (main, zone) = (text.get(..zone_at)?, text.get(zone_at..)?);
    let digits = main.split(['.', ',']).next()?;
    let numeric = digits.bytes().all(|b| b.is_ascii_digit());
    if !numeric || !matches!(digits.len(), 10 | 12 | 14) {
        return None;
    }
    let pair = |at: usize| {
        digits
            .get(at..at + 2)
            .map_or(Some(0), |part| part.parse::<i8>().ok())
    };
    // A leap second (60) is read as the last second of its minute.
    let second = pair(12)?.min(59);
    let time = compact_date(digits)?.at(pair(8)?.min(23), pair(10)?.min(59), second, 0);
    let at = offset(zone)?.to_timestamp(time).ok()?;
    Some(Moment::Instant(at))
}

fn offset(zone: &str) -> Option<Offset> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(Offset::UTC);
    }
    let digits = zone.get(1..)?;
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let minutes: i32 = digits.get(2..4).map_or(Some(0), |part| part.parse().ok())?;
    let seconds = hours * 3600 + minutes * 60;
    let seconds = if zone.starts_with('-') {
        -seconds
    } else {
        seconds
    };
    Offset::from_seconds(seconds).ok()
}

fn by_pattern(text: &str, pattern: &str, zone: &TimeZone) -> Option<Moment> {
    let parsed = strtime::parse(pattern, text).ok()?;
    if let Ok(at) = parsed.to_timestamp() {
        return Some(Moment::Instant(at));
    }
    if let Ok(time) = parsed.to_datetime()
        && pattern.contains("%H")
    {
        return local(time, zone);
    }
    parsed.to_date().ok().map(Moment::Day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, form: &str) -> String {
        let form = Written::named(form).unwrap();
        match read(text, form, &TimeZone::UTC) {
            Ok(Some(Moment::Day(date))) => date.to_string(),
            Ok(Some(Moment::Instant(at))) => at.to_string(),
            Ok(None) => "never".to_owned(),
            Err(_) => "error".to_owned(),
        }
    }

    #[test]
    fn every_form_is_read() {
        let table = [
            ("2026-01-31", "auto", "2026-01-31"),
            ("20260131", "auto", "2026-01-31"),
            ("2026-01-31T08:00:00+01:00", "auto", "2026-01-31T07:00:00Z"),
            ("2026-01-31T08:00:00", "auto", "2026-01-31T08:00:00Z"),
            ("20260131080000Z", "auto", "2026-01-31T08:00:00Z"),
            ("20260131080000.0Z", "generalized", "2026-01-31T08:00:00Z"),
            ("2026013108+0100", "generalized", "2026-01-31T07:00:00Z"),
            ("202601310830-0130", "generalized", "2026-01-31T10:00:00Z"),
            ("20261231235960Z", "generalized", "2026-12-31T23:59:59Z"),
            ("133513920000000000", "auto", "2024-02-03T00:00:00Z"),
            ("133513920000000000", "filetime", "2024-02-03T00:00:00Z"),
            ("0", "auto", "never"),
            ("9223372036854775807", "auto", "never"),
            ("20484", "days", "2026-01-31"),
            ("-1", "days", "never"),
            ("31.01.2026", "%d.%m.%Y", "2026-01-31"),
            ("31.01.2026 08:15", "%d.%m.%Y %H:%M", "2026-01-31T08:15:00Z"),
        ];
        for (text, form, expected) in table {
            assert_eq!(shown(text, form), expected, "{text} as {form}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let table = [
            ("", "auto"),
            ("tomorrow", "auto"),
            ("2026-02-30", "auto"),
            ("20261331", "auto"),
            ("20260131080000", "generalized"),
            ("-5", "filetime"),
            ("99999999999999999999", "days"),
            ("2026-01-31", "%d.%m.%Y"),
        ];
        for (text, form) in table {
            assert_eq!(shown(text, form), "error", "{text} as {form}");
        }
        assert!(Written::named("iso8601").is_err());
    }

    #[test]
    fn a_day_ends_at_the_next_midnight_of_its_zone() {
        let zone = jiff::tz::TimeZoneDatabase::bundled()
            .get("Europe/Berlin")
            .unwrap();
        let day = Moment::Day(jiff::civil::date(2026, 3, 29));
        assert_eq!(
            day.start(&zone).unwrap().to_string(),
            "2026-03-28T23:00:00Z"
        );
        assert_eq!(day.end(&zone).unwrap().to_string(), "2026-03-29T22:00:00Z");
        assert_eq!(day.format("%d.%m.%Y", &zone).unwrap(), "29.03.2026");
        assert!(day.format("%Q!", &zone).is_err());
    }
}
