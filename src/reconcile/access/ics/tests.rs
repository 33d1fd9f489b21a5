use super::*;

fn file(body: &str) -> Result<Vec<Event>, Vec<String>> {
    let body = body.trim().replace('\n', "\r\n");
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n{body}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    read(&text, &Zones::bundled())
}

fn one(body: &str) -> Event {
    let events = file(body).unwrap_or_else(|why| panic!("{body}: {why:?}"));
    assert_eq!(events.len(), 1);
    events.into_iter().next().unwrap()
}

#[test]
fn whole_days_and_times_are_read() {
    let event = one("DTSTART;VALUE=DATE:20261225\nSUMMARY:Christ\n mas\\, day");
    assert!(event.all_day && event.lasts == 86_400 && event.text == "Christmas, day");
    let event = one("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20270102");
    assert_eq!(event.lasts, 9 * 86_400);
    let event = one("DTSTART;TZID=Europe/Berlin:20260702T120000\nDURATION:PT4H30M");
    assert_eq!(event.lasts, 16_200);
    assert_eq!(instant(&event).unwrap().to_string(), "2026-07-02T10:00:00Z");
    let event = one("DTSTART:20260702T120000Z\nDTEND:20260702T130000Z");
    assert_eq!(instant(&event).unwrap().to_string(), "2026-07-02T12:00:00Z");
    let event = one("DTSTART:20260702T120000\nDTEND:20260703T010000");
    assert_eq!((event.zone, event.lasts), (None, 13 * 3600));
}

#[test]
fn rules_are_read() {
    let event = one(
        "DTSTART;VALUE=DATE:20201225\nRRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25;COUNT=3\nEXDATE;VALUE=DATE:20211225",
    );
    let all = event.occurrences(0, 4_000_000_000);
    assert_eq!(all.len(), 2);
    let event = one(
        "DTSTART;TZID=Europe/Berlin:20260105T080000\nDTEND;TZID=Europe/Berlin:20260105T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;UNTIL=20260202T070000Z",
    );
    assert_eq!(event.occurrences(0, 4_000_000_000).len(), 3);
}

#[test]
fn what_is_cancelled_does_not_count() {
    assert_eq!(
        file("DTSTART;VALUE=DATE:20261225\nSTATUS:CANCELLED"),
        Ok(Vec::new())
    );
}

#[test]
fn what_is_not_understood_is_told_with_its_line() {
    for (body, told) in [
        ("SUMMARY:x", "no DTSTART"),
        ("DTSTART:20261225T080000", "no end"),
        ("DTSTART;VALUE=DATE:20261325", "is no date"),
        (
            "DTSTART;TZID=Nowhere:20261225T080000",
            "time zone \"Nowhere\"",
        ),
        (
            "DTSTART;VALUE=DATE:20261225\nRRULE:FREQ=YEARLY;BYDAY=-1SU",
            "BYDAY",
        ),
        ("DTSTART;VALUE=DATE:20261225\nRRULE:FREQ=HOURLY", "HOURLY"),
        ("DTSTART;VALUE=DATE:20261225\nRDATE:20261226", "RDATE"),
        (
            "DTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261225",
            "ends before",
        ),
        (
            "DTSTART;VALUE=DATE:20261225\nDTEND:20261226T000000",
            "different",
        ),
        ("DTSTART", "no colon"),
    ] {
        let problems = file(body).expect_err(body);
        assert!(
            problems.iter().any(|why| why.contains(told)),
            "{body}: {problems:?}"
        );
    }
    for text in [
        "",
        "hello",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261225\n",
    ] {
        assert!(read(text, &Zones::bundled()).is_err(), "{text}");
    }
}
