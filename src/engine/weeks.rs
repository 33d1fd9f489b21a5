//! The timetable of a target: when each policy lets people in, for the week that begins with the plan's day.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

use crate::reconcile::access::{AccessRules, Policy};
use crate::report::html::{Day, Span, Week};

/// One week per policy; policies by each person's own hours have days in words only.
#[must_use]
pub(super) fn weeks(rules: &AccessRules, now: Timestamp) -> Vec<Week> {
    rules
        .policies
        .iter()
        .map(|policy| week(policy, now))
        .collect()
}

fn week(policy: &Policy, now: Timestamp) -> Week {
    let zone = &policy.zone.default;
    let mut note = zone.to_string();
    if let Some(attribute) = &policy.zone.attribute {
        note.push_str(&format!(", or where {attribute} says otherwise"));
    }
    let first = now.to_zoned(zone.time_zone().clone()).date();
    let days = (0..7).filter_map(|n| day(policy, first.checked_add(n.days()).ok()?));
    Week {
        name: policy.name.clone(),
        zone: note,
        days: days.collect(),
    }
}

fn day(policy: &Policy, date: Date) -> Option<Day> {
    let zone = policy.zone.default.time_zone();
    let midnight = |date: Date| date.to_zoned(zone.clone()).ok();
    let (from, to) = (midnight(date)?, midnight(date.tomorrow().ok()?)?);
    let name = date.strftime("%a %Y-%m-%d").to_string();
    let Some(openings) = policy.openings(from.timestamp(), to.timestamp()) else {
        let words = "by each person's logonHours".to_owned();
        return Some(Day {
            name,
            words,
            spans: Vec::new(),
        });
    };
    let spans: Vec<Span> = openings
        .into_iter()
        .map(|(begin, end)| span(&from, &to, begin, end, zone))
        .collect();
    let words = if spans.is_empty() {
        "closed".to_owned()
    } else {
        let words: Vec<&str> = spans.iter().map(|span| span.words.as_str()).collect();
        words.join(", ")
    };
    Some(Day { name, words, spans })
}

/// An opening by its share of the day, which may have 23 or 25 hours.
fn span(from: &Zoned, to: &Zoned, begin: Timestamp, end: Timestamp, zone: &TimeZone) -> Span {
    let whole = to
        .timestamp()
        .duration_since(from.timestamp())
        .as_secs_f64();
    let share = |at: Timestamp| at.duration_since(from.timestamp()).as_secs_f64() * 100.0 / whole;
    let clock = |at: Timestamp| at.to_zoned(zone.clone()).time();
    let begins = clock(begin).strftime("%H:%M").to_string();
    let ends = match clock(end) {
        time if time == Time::midnight() && end > begin => "24:00".to_owned(),
        time => time.strftime("%H:%M").to_string(),
    };
    let hundredth = |share: f64| (share * 100.0).round() / 100.0;
    Span {
        left: hundredth(share(begin)),
        width: hundredth(share(end) - share(begin)),
        words: format!("{begins}–{ends}"),
    }
}
