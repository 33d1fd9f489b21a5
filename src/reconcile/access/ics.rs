//! iCalendar (RFC 5545), as far as holiday calendars use it: whole-day and timed events that come back by simple rules.
//!
//! What is not understood is an error with its line, never left out: a holiday that is not seen opens a door.

use std::collections::BTreeSet;

use jiff::Span;
use jiff::civil::{Date, DateTime};

use super::event::{Event, Every, Rule};
use super::zones::{Zone, Zones, civil_seconds};

/// One unfolded content line.
struct Line {
    number: usize,
    name: String,
    parameters: Vec<(String, String)>,
    value: String,
}

/// A date or time with its zone; `None` is the wall clock.
#[derive(Clone, PartialEq, Debug)]
struct When {
    time: DateTime,
    zone: Option<Zone>,
    all_day: bool,
}

/// What is known of an event while it is read.
#[derive(Default)]
struct Draft {
    line: usize,
    begins: Option<When>,
    ends: Option<When>,
    lasts: Option<Span>,
    rule: Option<(usize, String)>,
    except: Vec<When>,
    text: String,
    cancelled: bool,
}

/// Every event of a file.
pub(super) fn read(text: &str, zones: &Zones) -> Result<Vec<Event>, Vec<String>> {
    let mut problems = Vec::new();
    let mut events = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut draft = Draft::default();
    let mut seen = false;
    for line in unfold(text) {
        let line = match parse(line.0, &line.1) {
            Ok(line) => line,
            Err(why) => {
                problems.push(why);
                continue;
            }
        };
        let value = line.value.trim().to_ascii_uppercase();
        match line.name.as_str() {
            "BEGIN" => {
                seen |= value == "VCALENDAR" && open.is_empty();
                if value == "VEVENT" {
                    draft = Draft {
                        line: line.number,
                        ..Draft::default()
                    };
                }
                open.push(value);
            }
            "END" => {
                if open.pop().as_deref() != Some(value.as_str()) {
                    problems.push(format!("line {}: END:{value} ends nothing", line.number));
                } else if value == "VEVENT" {
                    match std::mem::take(&mut draft).finish() {
                        Ok(event) => events.extend(event),
                        Err(why) => problems.push(why),
                    }
                }
            }
            _ if open.last().is_some_and(|part| part == "VEVENT") => {
                if let Err(why) = draft.take(&line, zones) {
                    problems.push(format!("line {}: {why}", line.number));
                }
            }
            _ => {}
        }
    }
    if !seen {
        problems.insert(
            0,
            "this is no iCalendar file: BEGIN:VCALENDAR is missing".to_owned(),
        );
    } else if let Some(part) = open.last() {
        problems.push(format!("the file ends within {part}: it is not complete"));
    }
    problems.is_empty().then_some(events).ok_or(problems)
}

/// Lines with their numbers; a line that begins with a space or tab goes on with the one before.
fn unfold(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => last.1.push_str(rest),
            (_, _) if line.is_empty() => {}
            (_, _) => lines.push((number, line.to_owned())),
        }
    }
    lines
}

/// `NAME;PARAMETER=VALUE:VALUE`; parameter values may be quoted.
fn parse(number: usize, line: &str) -> Result<Line, String> {
    let mut quoted = false;
    let mut cuts = Vec::new();
    let mut colon = None;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ';' if !quoted => cuts.push(at),
            ':' if !quoted => {
                colon = Some(at);
                break;
            }
            _ => {}
        }
    }
    let Some(colon) = colon else {
        return Err(format!("line {number}: there is no colon in it"));
    };
    cuts.push(colon);
    let mut parts = Vec::new();
    let mut from = 0;
    for cut in cuts {
        parts.push(line.get(from..cut).unwrap_or_default());
        from = cut + 1;
    }
    let mut parts = parts.into_iter();
    let name = parts.next().unwrap_or_default().to_ascii_uppercase();
    let parameters = parts
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| {
            (
                name.to_ascii_uppercase(),
                value.trim_matches('"').to_owned(),
            )
        })
        .collect();
    Ok(Line {
        number,
        name,
        parameters,
        value: line.get(colon + 1..).unwrap_or_default().to_owned(),
    })
}

impl Draft {
    fn take(&mut self, line: &Line, zones: &Zones) -> Result<(), String> {
        let value = line.value.trim();
        match line.name.as_str() {
            "DTSTART" => self.begins = Some(when(line, value, zones)?),
            "DTEND" => self.ends = Some(when(line, value, zones)?),
            "DURATION" => {
                let span: Span = value
                    .parse()
                    .map_err(|_why| format!("\"{}\" is no duration", shown(value)))?;
                self.lasts = Some(span);
            }
            "RRULE" => {
                if self.rule.is_some() {
                    return Err("a second RRULE; one is understood".to_owned());
                }
                self.rule = Some((line.number, value.to_owned()));
            }
            "EXDATE" => {
                for part in value.split(',') {
                    self.except.push(when(line, part, zones)?);
                }
            }
            "SUMMARY" => self.text = unescape(value),
            "STATUS" => self.cancelled = value.eq_ignore_ascii_case("CANCELLED"),
            "RDATE" | "EXRULE" | "RECURRENCE-ID" => {
                return Err(format!(
                    "{} is not understood; write each date as an event of its own",
                    line.name
                ));
            }
            // All others say nothing about time.
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Option<Event>, String> {
        if self.cancelled {
            return Ok(None);
        }
        let line = self.line;
        let at = |why: &str| format!("the event of line {line} {why}");
        let begins = self.begins.ok_or_else(|| at("has no DTSTART"))?;
        let ends = match (self.ends, self.lasts) {
            (Some(_), Some(_)) => return Err(at("has both DTEND and DURATION")),
            (Some(ends), None) => {
                if ends.zone != begins.zone || ends.all_day != begins.all_day {
                    return Err(at("begins and ends in different zones or kinds of time"));
                }
                ends.time
            }
            (None, Some(span)) => begins
                .time
                .checked_add(span)
                .map_err(|_why| at("ends beyond all calendars"))?,
            (None, None) if begins.all_day => begins.time.saturating_add(Span::new().days(1)),
            (None, None) => return Err(at("has no end")),
        };
        let lasts = civil_seconds(ends) - civil_seconds(begins.time);
        if lasts <= 0 {
            return Err(at("ends before it begins"));
        }
        let rule = self.rule.map(|(number, text)| {
            rule(&text, &begins).map_err(|why| format!("line {number}: {why}"))
        });
        let rule = rule.transpose()?;
        let mut except = BTreeSet::new();
        for when in self.except {
            // A date leaves out the occurrence of that day.
            let time = if when.all_day {
                when.time.date().to_datetime(begins.time.time())
            } else {
                convert(&when, begins.zone.as_ref())
            };
            except.insert(time);
        }
        Ok(Some(Event {
            begins: begins.time,
            lasts,
            zone: begins.zone,
            rule,
            except,
            all_day: begins.all_day,
            text: self.text,
        }))
    }
}

/// A time as the wall clock of another zone shows it.
fn convert(when: &When, zone: Option<&Zone>) -> DateTime {
    match (&when.zone, zone) {
        (Some(from), Some(to)) if from != to => {
            let instant = from.closing(civil_seconds(when.time));
            super::zones::wall(to.civil(instant)).unwrap_or(when.time)
        }
        (_, _) => when.time,
    }
}

fn when(line: &Line, value: &str, zones: &Zones) -> Result<When, String> {
    let parameter = |name: &str| {
        let found = line.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let value = value.trim();
    if parameter("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("DATE")) || value.len() == 8
    {
        let date = date(value).ok_or_else(|| format!("\"{}\" is no date", shown(value)))?;
        return Ok(When {
            time: date.at(0, 0, 0, 0),
            zone: None,
            all_day: true,
        });
    }
    let (local, utc) = match value.strip_suffix(['Z', 'z']) {
        Some(local) => (local, true),
        None => (value, false),
    };
    let time = time(local).ok_or_else(|| format!("\"{}\" is no date or time", shown(value)))?;
    let zone = match parameter("TZID") {
        _ if utc => Some(Zone::utc()),
        None => None,
        // Some programs put a slash before names of the IANA database.
        Some(name) => Some(zones.get(name.trim_start_matches('/')).ok_or_else(|| {
            format!(
                "the time zone \"{}\" is not known; use an IANA name such as Europe/Berlin",
                shown(name)
            )
        })?),
    };
    Ok(When {
        time,
        zone,
        all_day: false,
    })
}

/// `FREQ=YEARLY;INTERVAL=1;COUNT=10`.
fn rule(text: &str, begins: &When) -> Result<Rule, String> {
    let mut rule = Rule {
        every: Every::Year,
        interval: 1,
        count: None,
        until: None,
    };
    let mut every = None;
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let refused = || {
            format!(
                "RRULE with {} is not understood; only FREQ, INTERVAL, COUNT and UNTIL are",
                shown(part)
            )
        };
        let number = || value.parse::<u32>().ok().filter(|number| *number > 0);
        let day = i64::from(begins.time.day());
        let month = i64::from(begins.time.month());
        match key.to_ascii_uppercase().as_str() {
            "FREQ" => {
                every = Some(match value.to_ascii_uppercase().as_str() {
                    "DAILY" => Every::Day,
                    "WEEKLY" => Every::Week,
                    "MONTHLY" => Every::Month,
                    "YEARLY" => Every::Year,
                    _ => return Err(refused()),
                });
            }
            "INTERVAL" => {
                let found = number().and_then(|number| i32::try_from(number).ok());
                rule.interval = found.filter(|n| *n <= 10_000).ok_or_else(refused)?;
            }
            "COUNT" => rule.count = Some(number().ok_or_else(refused)?),
            "UNTIL" => rule.until = Some(until(value, begins).ok_or_else(refused)?),
            "WKST" => {}
            // What the beginning says already.
            "BYMONTH" if value.parse() == Ok(month) && every == Some(Every::Year) => {}
            "BYMONTHDAY"
                if value.parse() == Ok(day)
                    && matches!(every, Some(Every::Year | Every::Month)) => {}
            "BYDAY" if every == Some(Every::Week) && is_weekday(value, begins.time) => {}
            _ => return Err(refused()),
        }
    }
    rule.every = every.ok_or("RRULE without FREQ")?;
    if rule.count.is_some() && rule.until.is_some() {
        return Err("RRULE with both COUNT and UNTIL".to_owned());
    }
    Ok(rule)
}

fn is_weekday(value: &str, time: DateTime) -> bool {
    let day = usize::try_from(time.date().weekday().to_monday_zero_offset()).unwrap_or(7);
    ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].get(day) == Some(&value)
}

/// The last moment at which an occurrence may begin, on the wall clock of the event.
fn until(value: &str, begins: &When) -> Option<DateTime> {
    if value.len() == 8 {
        return Some(date(value)?.at(23, 59, 59, 0));
    }
    let Some(local) = value.strip_suffix(['Z', 'z']) else {
        return time(value);
    };
    let utc = When {
        time: time(local)?,
        zone: Some(Zone::utc()),
        all_day: false,
    };
    Some(convert(&utc, begins.zone.as_ref()))
}

/// `20261225`.
fn date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let date = Date::new(
        text.get(..4)?.parse().ok()?,
        text.get(4..6)?.parse().ok()?,
        text.get(6..)?.parse().ok()?,
    )
    .ok()?;
    // Far from the ends of all calendars, so that adding to it cannot fail.
    (1900..=9000).contains(&date.year()).then_some(date)
}

/// `20261225T080000`.
fn time(text: &str) -> Option<DateTime> {
    let (day, clock) = text.split_once(['T', 't'])?;
    if clock.len() != 6 || !clock.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| clock.get(at..at + 2)?.parse::<i8>().ok();
    let (hour, minute, second) = (part(0)?, part(2)?, part(4)?.min(59));
    let valid = hour < 24 && minute < 60;
    valid.then_some(date(day)?.at(hour, minute, second, 0))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => plain.push(' '),
                Some(other) => plain.push(other),
                None => {}
            },
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

/// The instant of a zoned time, for tests.
#[cfg(test)]
fn instant(event: &Event) -> Option<jiff::Timestamp> {
    let zone = event.zone.as_ref()?;
    jiff::Timestamp::from_second(zone.opening(civil_seconds(event.begins))).ok()
}

#[cfg(test)]
mod tests;
