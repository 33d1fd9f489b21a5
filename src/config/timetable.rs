//! When scheduled work is due: the five fields that everyone knows from crontab, in a time zone of one's own.
//!
//! Differences between what people write and what the library underneath understands are settled here: five fields
//! instead of six, Sunday as 0 or 7, day of month *or* day of week where both are restricted, and daylight saving.
//! Pure: the time is an argument.

mod fields;

use std::str::FromStr as _;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use cron::Schedule;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use fields::Fields;

/// Firings looked at before giving up: those that fall together in a gap, or lie in the repeated hour.
const ATTEMPTS: usize = 4096;

/// A checked expression in a time zone.
#[derive(Clone, Debug)]
pub struct Timetable {
    text: String,
    zone: TimeZone,
    /// One schedule, or two where day of month and day of week are both restricted: either may match.
    schedules: Vec<Schedule>,
    /// Whether it runs in every hour of the day. Such work follows elapsed time; other work follows the wall clock.
    hourly: bool,
}

impl PartialEq for Timetable {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.zone == other.zone
    }
}

impl Eq for Timetable {}

impl Timetable {
    /// Reads an expression such as `*/15 * * * *`, `30 3 * * mon-fri` or `@hourly`.
    ///
    /// # Errors
    /// What is wrong, in words for whoever wrote it.
    pub fn parse(text: &str, zone: TimeZone) -> Result<Self, String> {
        let fields = Fields::parse(text)?;
        let mut schedules = Vec::new();
        for spelled in fields.spelled() {
            let schedule = Schedule::from_str(&spelled)
                .map_err(|why| format!("this time cannot be understood: {why}"))?;
            schedules.push(schedule);
        }
        let hourly = fields.is_hourly();
        let table = Self {
            text: text.to_owned(),
            zone,
            schedules,
            hourly,
        };
        let some_day = civil::date(2024, 1, 1).at(0, 0, 0, 0);
        if table.after_civil(some_day).is_none() {
            return Err("there is no such date: it would never run".to_owned());
        }
        Ok(table)
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The zone whose clock it follows.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first firing after a moment. A time that the clock skips runs once, right after the gap. In an hour that the
    /// clock repeats, work that runs in every hour of the day goes on, and other work runs the first time only.
    #[must_use]
    pub fn after(&self, at: Timestamp) -> Option<Timestamp> {
        if self.hourly {
            self.after_elapsed(at)
        } else {
            self.after_wall(at)
        }
    }

    /// The next firings after a moment, for people to see what they wrote.
    pub fn firings(&self, from: Timestamp) -> impl Iterator<Item = Timestamp> {
        let next = move |at: &Timestamp| self.after(*at);
        std::iter::successors(self.after(from), next)
    }

    /// By the wall clock: what is skipped runs right after, what is repeated runs once.
    fn after_wall(&self, at: Timestamp) -> Option<Timestamp> {
        let mut civil = self.zone.to_datetime(at);
        for _ in 0..ATTEMPTS {
            civil = self.after_civil(civil)?;
            let ambiguous = self.zone.to_ambiguous_timestamp(civil);
            let moment = match ambiguous.offset() {
                AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil).ok()?,
                AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil).ok()?,
                AmbiguousOffset::Gap { before, .. } => self.end_of_gap(civil, before)?,
            };
            if moment > at {
                return Some(moment);
            }
        }
        None
    }

    /// By elapsed time: every moment whose wall clock reads a time of the expression.
    fn after_elapsed(&self, at: Timestamp) -> Option<Timestamp> {
        let mut from = at;
        for _ in 0..ATTEMPTS {
            let offset = self.zone.to_offset(from);
            let moment = self
                .after_civil(offset.to_datetime(from))
                .and_then(|civil| offset.to_timestamp(civil).ok());
            let change = self.zone.following(from).next();
            match (moment, change) {
                (Some(moment), Some(change)) if moment >= change.timestamp() => {
                    // The clock is set first. One second back, so that the moment of the change itself counts.
                    let start = change.timestamp();
                    let civil = change.offset().to_datetime(start);
                    let before = civil.checked_sub(jiff::Span::new().seconds(1)).ok()?;
                    let first = self.after_civil(before)?;
                    if first == civil {
                        return Some(start);
                    }
                    from = start;
                }
                (moment, _) => return moment,
            }
        }
        None
    }

    /// The moment at which a gap that swallows a wall clock time ends.
    fn end_of_gap(&self, civil: civil::DateTime, before: Offset) -> Option<Timestamp> {
        let past = before.to_timestamp(civil).ok()?;
        let just_past = past.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
        let change = self.zone.preceding(just_past).next()?;
        Some(change.timestamp())
    }

    /// The first wall clock time of the expression after another, as if there were no time zones.
    fn after_civil(&self, civil: civil::DateTime) -> Option<civil::DateTime> {
        let at = to_chrono(civil)?;
        let firsts = self
            .schedules
            .iter()
            .filter_map(|one| one.after(&at).next());
        firsts.min().and_then(from_chrono)
    }
}

fn to_chrono(civil: civil::DateTime) -> Option<DateTime<chrono::Utc>> {
    let small = |n: i8| u32::try_from(n).ok();
    let date = NaiveDate::from_ymd_opt(
        i32::from(civil.year()),
        small(civil.month())?,
        small(civil.day())?,
    )?;
    let time = date.and_hms_opt(
        small(civil.hour())?,
        small(civil.minute())?,
        small(civil.second())?,
    )?;
    Some(time.and_utc())
}

fn from_chrono(at: DateTime<chrono::Utc>) -> Option<civil::DateTime> {
    let naive: NaiveDateTime = at.naive_utc();
    let seconds = naive.and_utc().timestamp();
    let moment = Timestamp::from_second(seconds).ok()?;
    Some(Offset::UTC.to_datetime(moment))
}

#[cfg(test)]
mod tests;
