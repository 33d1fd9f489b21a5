//! Calendars as other programs read them: a strict reader of RFC 5545, written against the standard and not against us.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::{call, json, person, read_once};

/// One component: its properties, each once, in order of name.
type Event = BTreeMap<String, String>;

/// Reads one calendar object and its events; panics at whatever the standard does not allow.
fn read(bytes: &[u8]) -> (BTreeMap<String, String>, Vec<Event>) {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let lines = text
        .strip_suffix("\r\n")
        .expect("ends with a line end")
        .split("\r\n");
    let mut unfolded: Vec<String> = Vec::new();
    for line in lines {
        assert!(line.len() <= 75, "{} octets", line.len());
        assert!(!line.contains(['\r', '\n']), "a bare line end");
        assert!(!line.is_empty(), "an empty line");
        match line.strip_prefix(' ') {
            Some(more) => unfolded
                .last_mut()
                .expect("something to continue")
                .push_str(more),
            None => unfolded.push(line.to_owned()),
        }
    }
    let mut open: Vec<&str> = Vec::new();
    let (mut calendar, mut events) = (BTreeMap::new(), Vec::new());
    for line in &unfolded {
        let (name, value) = line.split_once(':').expect("name and value");
        let word = |b: u8| b.is_ascii_uppercase() || b == b'-';
        assert!(
            name.bytes().all(word),
            "{name} has parameters or is no name"
        );
        assert!(
            !value.chars().any(char::is_control),
            "{name}: control characters"
        );
        match name {
            "BEGIN" => {
                open.push(value);
                assert!(
                    matches!(open.as_slice(), ["VCALENDAR"] | ["VCALENDAR", "VEVENT"]),
                    "{open:?}"
                );
                if value == "VEVENT" {
                    events.push(Event::new());
                }
            }
            "END" => assert_eq!(open.pop(), Some(value)),
            _ => {
                let into = match open.as_slice() {
                    ["VCALENDAR"] => &mut calendar,
                    ["VCALENDAR", "VEVENT"] => events.last_mut().unwrap(),
                    _ => panic!("{name} outside of everything"),
                };
                assert!(
                    into.insert(name.to_owned(), value.to_owned()).is_none(),
                    "{name} twice"
                );
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(calendar["VERSION"], "2.0");
    assert!(calendar["PRODID"].starts_with("-//"));
    (calendar, events)
}

/// A UTC time (form 2 of RFC 5545 §3.3.5).
fn utc(value: &str) -> Timestamp {
    let digits = value.strip_suffix('Z').expect("UTC");
    assert_eq!(digits.len(), 15, "{value}");
    let time: DateTime = DateTime::strptime("%Y%m%dT%H%M%S", digits).expect("a date and time");
    jiff::tz::Offset::UTC.to_timestamp(time).unwrap()
}

/// A TEXT value; panics at an escape that there is not.
fn unescape(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        assert!(!matches!(c, ';' | ','), "unescaped {c} in {value}");
        out.push(match c {
            '\\' => match rest.next() {
                Some('n' | 'N') => '\n',
                Some(c @ ('\\' | ';' | ',')) => c,
                other => panic!("\\{other:?} in {value}"),
            },
            c => c,
        });
    }
    out
}

fn times(events: &[Event]) -> Vec<(Timestamp, Timestamp)> {
    let mut uids = BTreeSet::new();
    for event in events {
        assert!(uids.insert(&event["UID"]), "{} twice", event["UID"]);
        utc(&event["DTSTAMP"]);
    }
    let times: Vec<_> = events
        .iter()
        .map(|event| (utc(&event["DTSTART"]), utc(&event["DTEND"])))
        .collect();
    for (begin, end) in &times {
        assert!(begin < end);
    }
    times
}

#[test]
fn the_calendar_of_a_person_is_what_the_list_says() {
    let mut company = read_once();
    // Someone whose name means something in a calendar.
    company.mapping.push('\n');
    company.publish();
    let ldif = fs::read_to_string(company.dir().join("people.ldif")).unwrap();
    let name = "displayName: Müller, Jörg; \"the\\ boss\" with a name that is longer than a line of a calendar may be";
    let ldif = ldif.replace(
        "displayName: Person 2\n",
        &format!(
            "displayName:: {}\n",
            base64(name.strip_prefix("displayName: ").unwrap())
        ),
    );
    fs::write(company.dir().join("people.ldif"), ldif).unwrap();
    call(&company, &["sync"]);
    let args = [
        "--person",
        "p002",
        "--from",
        "2027-03-22 10:00 Europe/Berlin",
        "--to",
        "2027-04-12 09:00 Europe/Berlin",
        "--ics",
        "one.ics",
    ];
    let found = json(&company, &args);
    let one = &found["targets"][0]["people"][0];
    let (calendar, events) = read(&fs::read(company.dir().join("one.ics")).unwrap());
    let label = one["label"].as_str().unwrap();
    assert_eq!(
        unescape(&calendar["NAME"]),
        format!("{label}: access to app")
    );
    assert!(unescape(&events[0]["DESCRIPTION"]).contains(label));
    assert_eq!(unescape(&events[0]["SUMMARY"]), "Access to app is open");

    let mut edges: Vec<Timestamp> = Vec::new();
    if one["state"] == "open" {
        edges.push(found["at"].as_str().unwrap().parse().unwrap());
    }
    for edge in one["transitions"].as_array().unwrap() {
        edges.push(edge["at"].as_str().unwrap().parse().unwrap());
    }
    edges.push(found["to"].as_str().unwrap().parse().unwrap());
    let expected: Vec<_> = edges
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect();
    assert_eq!(times(&events), expected);
    assert_eq!(
        events.len(),
        16,
        "15 working days and the morning of the last one"
    );
}

#[test]
fn the_calendar_of_a_policy_is_its_times() {
    let company = read_once();
    let args = [
        "--from",
        "2027-12-20 Europe/Berlin",
        "--to",
        "2028-01-03 Europe/Berlin",
        "--ics",
        "all.ics",
    ];
    let found = json(&company, &args);
    assert_eq!(person(&found, 0)["state"], "closed");
    let office = fs::read(company.dir().join("all-office.ics")).unwrap();
    let (calendar, events) = read(&office);
    assert_eq!(calendar["NAME"], "Access policy office");
    // 2027-12-25 is a Saturday: ten working days.
    assert_eq!(times(&events).len(), 10);
    let (_, events) = read(&fs::read(company.dir().join("all-night.ics")).unwrap());
    let night = times(&events);
    let hours = |(begin, end): &(Timestamp, Timestamp)| end.duration_since(*begin).as_secs();
    assert!(
        night[1..night.len() - 1]
            .iter()
            .all(|one| hours(one) == 66_600)
    );
    // Written again, the events keep their names.
    json(&company, &args);
    let again = fs::read(company.dir().join("all-office.ics")).unwrap();
    let uids = |bytes: &[u8]| -> Vec<String> {
        read(bytes)
            .1
            .iter()
            .map(|event| event["UID"].clone())
            .collect()
    };
    assert_eq!(uids(&office), uids(&again));
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
