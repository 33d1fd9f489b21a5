//! From weekly windows, closed days and extra openings to instants.
//!
//! Windows that touch on the wall are one window before they become instants; otherwise a midnight that comes twice
//! would close what is open all day.

use super::event::{Event, date_of};
use super::layer::Layer;
use super::policy::Policy;
use super::spans::Spans;
use super::week::Week;
use super::zones::Zone;

const DAY: i64 = 86_400;
/// How many days ahead an edge is looked for, one after the other: most are near, and none is looked for for ever.
pub(super) const AHEAD: [i64; 4] = [8, 60, 500, 5 * 366];

/// When a policy is open within `[from, to)`, in seconds.
pub(super) fn open(policy: &Policy, layer: &Layer, week: &Week, from: i64, to: i64) -> Spans {
    let zone = &layer.zone;
    let range = Spans::one(from, to);
    if layer.is_never() {
        return Spans::none();
    }
    // No window lasts more than a day beyond its own, and no clock jumps by more than one.
    let (low, high) = (zone.civil(from) - 3 * DAY, zone.civil(to) + 3 * DAY);
    let closed = wall(&policy.calendar.closed, low, high);
    let extra = wall(&policy.calendar.opened, low, high);
    let weekly = windows(week, &policy.calendar.closed, low, high);
    let open = leaning(&weekly.without(&closed).or(&extra), zone);
    let closed = elsewhere(&policy.calendar.closed, low, high, Lean::Closed);
    let extra_elsewhere = elsewhere(&policy.calendar.opened, low, high, Lean::Open);
    let closed = closed.without(&leaning(&extra, zone));
    open.without(&closed).or(&extra_elsewhere).and(&range)
}

/// What the weekly windows of the days within a range say, on the wall. A closed day's own windows do not open at all,
/// not even for the part that lies in the next day.
fn windows(week: &Week, closed: &[Event], low: i64, high: i64) -> Spans {
    let whole_days = closed.iter().filter(|event| event.all_day);
    let whole_days = Spans::of(whole_days.flat_map(|e| e.occurrences(low, high)).collect());
    let mut spans = Vec::new();
    let mut day = low - low.rem_euclid(DAY);
    while day < high {
        let weekday = date_of(day).map(|date| date.weekday().to_monday_zero_offset());
        let weekday = weekday.and_then(|weekday| usize::try_from(weekday).ok());
        let today = weekday.map_or(&[][..], |weekday| week.day(weekday));
        if !today.is_empty() && !whole_days.contains(day) {
            spans.extend(today.iter().map(|window| {
                let at = |minute: u32| day + i64::from(minute) * 60;
                (at(window.from), at(window.to))
            }));
        }
        day += DAY;
    }
    Spans::of(spans)
}

/// The events that follow the wall clock.
fn wall(events: &[Event], low: i64, high: i64) -> Spans {
    let floating = events.iter().filter(|event| event.zone.is_none());
    Spans::of(floating.flat_map(|e| e.occurrences(low, high)).collect())
}

/// Which side an event's edges lean to where its clock is set back.
#[derive(Clone, Copy)]
enum Lean {
    Open,
    Closed,
}

/// The events that have a zone of their own, as instants.
fn elsewhere(events: &[Event], low: i64, high: i64, lean: Lean) -> Spans {
    let mut spans = Vec::new();
    for event in events {
        let Some(zone) = &event.zone else { continue };
        // Clocks differ by little more than a day.
        for (begins, ends) in event.occurrences(low - 2 * DAY, high + 2 * DAY) {
            spans.push(match lean {
                Lean::Open => (zone.opening(begins), zone.closing(ends)),
                Lean::Closed => (zone.closing(begins), zone.opening(ends)),
            });
        }
    }
    Spans::of(spans)
}

/// Windows on the wall as instants: they open late and close early where that is in doubt.
fn leaning(wall: &Spans, zone: &Zone) -> Spans {
    Spans::of(
        wall.iter()
            .map(|(from, to)| (zone.opening(from), zone.closing(to)))
            .collect(),
    )
}

/// What a closed or extra opened day is called, at an instant.
pub(super) fn named(events: &[Event], zone: &Zone, at: i64) -> Option<String> {
    let found = events.iter().find(|event| {
        let zone = event.zone.as_ref().unwrap_or(zone);
        let civil = zone.civil(at);
        !event.occurrences(civil, civil + 1).is_empty()
    })?;
    let date = date_of(zone.civil(at)).unwrap_or(jiff::civil::Date::ZERO);
    let text = found.text.trim();
    Some(if text.is_empty() {
        date.to_string()
    } else {
        format!("{date} {text}")
    })
}
