//! Times of access as an iCalendar file (RFC 5545): one event for each time somebody is open.
//!
//! All times are in UTC, so that no time zone has to be described and none can be misread.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// The longest content line, in bytes, without its line end (RFC 5545 §3.1).
const LINE: usize = 75;

/// One calendar: a person in one target, or a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    /// Its name.
    pub name: String,
    /// What its events are called.
    pub summary: String,
    /// What should be known about each of them.
    pub description: String,
    /// What its events are told apart by from those of other calendars; not shown.
    pub key: String,
    /// The times that are open: beginning and end.
    pub times: Vec<(Timestamp, Timestamp)>,
}

/// The calendar as a file. `now` is when it was written.
#[must_use]
pub fn ics(calendar: &Calendar, now: Timestamp) -> String {
    let mut out = String::new();
    let version = env!("CARGO_PKG_VERSION");
    line(&mut out, "BEGIN:VCALENDAR");
    line(&mut out, "VERSION:2.0");
    line(
        &mut out,
        &format!("PRODID:-//Provost//Provost {version}//EN"),
    );
    line(&mut out, "CALSCALE:GREGORIAN");
    line(&mut out, "METHOD:PUBLISH");
    // RFC 7986 §5.1, and the name that older programs look for.
    let name = text(&calendar.name);
    line(&mut out, &format!("NAME:{name}"));
    line(&mut out, &format!("X-WR-CALNAME:{name}"));
    for (begin, end) in &calendar.times {
        line(&mut out, "BEGIN:VEVENT");
        line(&mut out, &format!("UID:{}", uid(&calendar.key, *begin)));
        line(&mut out, &format!("DTSTAMP:{}", utc(now)));
        line(&mut out, &format!("DTSTART:{}", utc(*begin)));
        line(&mut out, &format!("DTEND:{}", utc(*end)));
        line(&mut out, &format!("SUMMARY:{}", text(&calendar.summary)));
        if !calendar.description.is_empty() {
            line(
                &mut out,
                &format!("DESCRIPTION:{}", text(&calendar.description)),
            );
        }
        line(&mut out, "CLASS:PRIVATE");
        // Being allowed to work is not being busy.
        line(&mut out, "TRANSP:TRANSPARENT");
        line(&mut out, "END:VEVENT");
    }
    line(&mut out, "END:VCALENDAR");
    out
}

/// The same for the same person and beginning, so that a newer file replaces events instead of adding them.
fn uid(key: &str, begin: Timestamp) -> String {
    let mut hash = Sha256::new();
    hash.update((key.len() as u64).to_le_bytes());
    hash.update(key.as_bytes());
    hash.update(begin.as_second().to_le_bytes());
    let hex: String = hash
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{hex}@provost")
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A TEXT value (RFC 5545 §3.3.11). Control characters have no place in one.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Adds a content line, folded so that no part is longer than allowed and no character is cut.
fn line(out: &mut String, content: &str) {
    let mut used = 0;
    for c in content.chars() {
        if used + c.len_utf8() > LINE {
            out.push_str("\r\n ");
            used = 1;
        }
        out.push(c);
        used += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Calendar {
        Calendar {
            name: "crm: Ana; \"Müller\", Jörg\\".to_owned(),
            summary: "Access to crm\nis open\u{7}".to_owned(),
            description: "ü".repeat(100),
            key: "crm/1".to_owned(),
            times: vec![(
                "2027-03-28T06:00:00Z".parse().unwrap(),
                "2027-03-28T16:00:00Z".parse().unwrap(),
            )],
        }
    }

    #[test]
    fn a_calendar_reads_as_expected() {
        let written = ics(&sample(), "2026-11-22T03:00:00Z".parse().unwrap());
        let uid = uid("crm/1", "2027-03-28T06:00:00Z".parse().unwrap());
        let expected = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Provost//Provost {}//EN\r\nCALSCALE:GREGORIAN\r\n\
             METHOD:PUBLISH\r\nNAME:crm: Ana\\; \"Müller\"\\, Jörg\\\\\r\n\
             X-WR-CALNAME:crm: Ana\\; \"Müller\"\\, Jörg\\\\\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
             DTSTAMP:20261122T030000Z\r\nDTSTART:20270328T060000Z\r\nDTEND:20270328T160000Z\r\n\
             SUMMARY:Access to crm\\nis open\r\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(written.get(..expected.len()), Some(expected.as_str()));
        assert!(written.ends_with("END:VEVENT\r\nEND:VCALENDAR\r\n"));
    }

    #[test]
    fn no_line_is_too_long_and_unfolding_gives_it_back() {
        let written = ics(&sample(), Timestamp::UNIX_EPOCH);
        for line in written.split("\r\n") {
            assert!(line.len() <= LINE, "{} bytes: {line}", line.len());
            assert!(!line.contains(['\r', '\n']));
        }
        let unfolded = written.replace("\r\n ", "");
        let expected = format!("DESCRIPTION:{}\r\n", "ü".repeat(100));
        assert!(unfolded.contains(&expected), "{unfolded}");
    }

    #[test]
    fn events_of_others_have_other_names() {
        let begin = "2027-03-28T06:00:00Z".parse().unwrap();
        assert_eq!(uid("a", begin), uid("a", begin));
        assert_ne!(uid("a", begin), uid("b", begin));
        assert_ne!(uid("a", begin), uid("a", Timestamp::UNIX_EPOCH));
    }
}
