//! Closed days and extra openings: inline, from a file with one date a line, or from an iCalendar file.

use jiff::ToSpan;
use jiff::civil::Date;

use super::event::{Event, Every, Rule};
use super::zones::Zones;
use super::{ics, week};

/// The longest run of closed days in one line.
const LONGEST: i64 = 366;

/// Closed days and extra openings of a policy. Extra openings win over closed days.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Calendar {
    pub(super) closed: Vec<Event>,
    pub(super) opened: Vec<Event>,
}

/// Which half of a calendar is being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    /// Days (or times) that are closed.
    Closed,
    /// Times that are open although no weekly window says so.
    Opened,
}

impl Calendar {
    /// Adds one line: `2026-12-25 Christmas`, `12-25` for every year, `2026-12-24..2027-01-01`;
    /// for openings `2026-12-24 08:00-12:00`.
    ///
    /// # Errors
    /// What is wrong with it, and how it is written.
    pub fn add_line(&mut self, half: Half, line: &str) -> Result<(), String> {
        let (dates, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match half {
            Half::Closed => self.closed.push(closed(dates, rest.trim())?),
            Half::Opened => self.opened.extend(opened(dates, rest.trim())?),
        }
        Ok(())
    }

    /// Adds a text file: a line each, empty lines and what follows a `#` do not count.
    ///
    /// # Errors
    /// Every line that is not understood, with its number.
    pub fn add_text(&mut self, half: Half, text: &str) -> Result<(), Vec<String>> {
        let mut problems = Vec::new();
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            if let Err(why) = self.add_line(half, line) {
                problems.push(format!("line {number}: {why}"));
            }
        }
        problems.is_empty().then_some(()).ok_or(problems)
    }

    /// Adds an iCalendar file (RFC 5545).
    ///
    /// # Errors
    /// Everything in it that is not understood, with line numbers.
    pub fn add_ics(&mut self, half: Half, text: &str, zones: &Zones) -> Result<(), Vec<String>> {
        let events = ics::read(text, zones)?;
        match half {
            Half::Closed => self.closed.extend(events),
            Half::Opened => self.opened.extend(events),
        }
        Ok(())
    }

    /// How many closed days and extra openings it has, repeated ones counted once.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.closed.len(), self.opened.len())
    }
}

fn closed(dates: &str, text: &str) -> Result<Event, String> {
    let help = || {
        format!(
            "{} is no date; write 2026-12-25, 12-25 (every year) or 2026-12-24..2027-01-01",
            quoted(dates)
        )
    };
    if let Some((first, last)) = dates.split_once("..") {
        let (first, last) = (date(first).ok_or_else(help)?, date(last).ok_or_else(help)?);
        let days = first
            .until(last)
            .map_or(0, |span| i64::from(span.get_days()) + 1);
        if !(1..=LONGEST).contains(&days) {
            return Err(format!(
                "{}: the last day must not come before the first, and {LONGEST} days are the most",
                quoted(dates)
            ));
        }
        return Ok(Event::days(first, days, text));
    }
    if let Some(first) = date(dates) {
        return Ok(Event::days(first, 1, text));
    }
    // The year is a leap year, so that 02-29 can be said.
    let first = date(&format!("1972-{dates}")).ok_or_else(help)?;
    let rule = Rule {
        every: Every::Year,
        interval: 1,
        count: None,
        until: None,
    };
    Ok(Event {
        rule: Some(rule),
        ..Event::days(first, 1, text)
    })
}

fn opened(dates: &str, rest: &str) -> Result<Vec<Event>, String> {
    let Some(day) = date(dates) else {
        return Err(format!(
            "{} is no date; write an extra opening as 2026-12-24 08:00-12:00",
            quoted(dates)
        ));
    };
    let words = rest
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty());
    let mut windows = Vec::new();
    let mut text = Vec::new();
    for word in words {
        if text.is_empty() && word.starts_with(|c: char| c.is_ascii_digit()) {
            windows.push(week::window(word)?);
        } else {
            text.push(word);
        }
    }
    if windows.is_empty() {
        return Err(format!(
            "{} has no time; write an extra opening as 2026-12-24 08:00-12:00",
            quoted(dates)
        ));
    }
    let text = text.join(" ");
    Ok(windows
        .into_iter()
        .map(|window| Event::time(day, window.from, window.to, &text))
        .collect())
}

/// `2026-12-25`, and nothing that merely begins so.
fn date(text: &str) -> Option<Date> {
    let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date: Date = plain.then(|| text.parse().ok())??;
    // Days are added to it later.
    date.checked_add(400.days()).ok().map(|_| date)
}

fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    format!("\"{shown}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let mut calendar = Calendar::default();
        for line in [
            "2026-12-25 Christmas",
            "12-25",
            "02-29",
            "2026-12-24..2027-01-01 works holidays",
        ] {
            assert_eq!(calendar.add_line(Half::Closed, line), Ok(()), "{line}");
        }
        for line in [
            "2026-12-24 08:00-12:00",
            "2026-06-06 22:00-06:00, 08:00-09:00 stocktaking",
        ] {
            assert_eq!(calendar.add_line(Half::Opened, line), Ok(()), "{line}");
        }
        assert_eq!(calendar.counts(), (4, 3));
        let text = "# Bavaria\n2026-01-06 Epiphany # and Tyrol\n\n2026-13-01\nnever\n";
        let problems = calendar.add_text(Half::Closed, text).unwrap_err();
        assert_eq!(problems.len(), 2);
        assert!(
            problems[0].starts_with("line 4: \"2026-13-01\" is no date"),
            "{problems:?}"
        );
    }

    #[test]
    fn what_is_no_line_is_refused() {
        let mut calendar = Calendar::default();
        for line in [
            "",
            "25.12.2026",
            "2026-02-29",
            "2026-12-25..2026-12-24",
            "2020-01-01..2026-01-01",
            "9999-12-31",
        ] {
            assert!(calendar.add_line(Half::Closed, line).is_err(), "{line}");
        }
        for line in [
            "2026-12-24",
            "2026-12-24 open",
            "12-24 08:00-12:00",
            "2026-12-24 08:00",
        ] {
            assert!(calendar.add_line(Half::Opened, line).is_err(), "{line}");
        }
    }
}
