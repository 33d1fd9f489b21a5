use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::Timetable;

fn table(text: &str, zone: &str) -> Timetable {
    Timetable::parse(text, TimeZone::get(zone).unwrap()).unwrap()
}

fn firings(text: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let from: Timestamp = from.parse().unwrap();
    let table = table(text, zone);
    let fired = table.firings(from).take(count);
    fired.map(|at| at.to_string()).collect()
}

#[test]
fn five_fields_mean_what_everyone_means() {
    for (text, expected) in [
        ("30 3 * * *", "2026-11-23T03:30:00Z"),
        ("*/15 * * * *", "2026-11-22T12:15:00Z"),
        ("0 9 * * 1", "2026-11-23T09:00:00Z"),
        ("0 9 * * mon", "2026-11-23T09:00:00Z"),
        ("0 13 * * 0", "2026-11-22T13:00:00Z"),
        ("0 13 * * 7", "2026-11-22T13:00:00Z"),
        ("0 9 * * MON-FRI", "2026-11-23T09:00:00Z"),
        ("0 9 * * sat-sun", "2026-11-28T09:00:00Z"),
        ("0 0 1 jan *", "2027-01-01T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("5,35 8-18/2 * * *", "2026-11-22T12:05:00Z"),
        ("@hourly", "2026-11-22T13:00:00Z"),
        ("@weekly", "2026-11-29T00:00:00Z"),
        // Either of the two, as cron does where both are restricted.
        ("0 0 13 * fri", "2026-11-27T00:00:00Z"),
        ("0 0 23 * fri", "2026-11-23T00:00:00Z"),
    ] {
        let found = firings(text, "UTC", "2026-11-22T12:00:00Z", 1);
        assert_eq!(found, [expected], "{text}");
    }
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    for (text, word) in [
        ("0 0 31 2 *", "no such date"),
        ("0 0 30 feb *", "no such date"),
        ("0 0 31 4,6,9,11 *", "no such date"),
        ("* * * *", "five fields"),
        ("0 0 0 * * *", "five fields"),
        ("", "five fields"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day of week"),
        ("* * * * mo", "day of week"),
        ("5-1 * * * *", "upwards"),
        ("*/0 * * * *", "step"),
        ("+5 * * * *", "minute"),
        ("1-2-3 * * * *", "minute"),
        (",5 * * * *", "minute"),
        ("@reboot", "short forms"),
    ] {
        let error = Timetable::parse(text, TimeZone::UTC).unwrap_err();
        assert!(error.contains(word), "{text}: {error}");
    }
}

#[test]
fn a_skipped_hour_runs_once_right_after_and_a_repeated_one_once() {
    // Clocks go from 02:00 to 03:00 on 29 March and from 03:00 back to 02:00 on 25 October.
    let spring = firings("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 3);
    assert_eq!(
        spring,
        [
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:00:00Z",
            "2026-03-30T00:30:00Z"
        ]
    );
    let autumn = firings("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
    assert_eq!(autumn, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    // What runs all day long goes on through the repeated hour.
    let all_day = firings("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59:00Z", 5);
    assert_eq!(
        all_day,
        [
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z"
        ]
    );
}

/// One field of an expression, naively.
fn field(text: &str, n: i64, low: i64, high: i64) -> bool {
    text.split(',').any(|part| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: i64 = step.parse().unwrap();
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        n >= from && n <= to && (n - from) % step == 0
    })
}

fn matches(text: &str, at: DateTime) -> bool {
    let f: Vec<&str> = text.split(' ').collect();
    let weekday = i64::from(at.weekday().to_sunday_zero_offset());
    let day = field(f[2], i64::from(at.day()), 1, 31);
    let week = field(f[4], weekday, 0, 6) || (weekday == 0 && field(f[4], 7, 0, 7));
    let days = if f[2] == "*" || f[4] == "*" {
        day && week
    } else {
        day || week
    };
    field(f[0], i64::from(at.minute()), 0, 59)
        && field(f[1], i64::from(at.hour()), 0, 23)
        && field(f[3], i64::from(at.month()), 1, 12)
        && days
}

/// Walks minute by minute: what the clock on the wall shows, what it has shown before, and what it left out.
fn walk(text: &str, zone: &TimeZone, from: Timestamp, minutes: i64) -> Vec<Timestamp> {
    let hourly = text.split(' ').nth(1) == Some("*");
    let minute = SignedDuration::from_mins(1);
    let mut fired = Vec::new();
    // The wall clock must have been watched for a while to know which hour is a repeated one.
    let mut at = from.checked_sub(SignedDuration::from_hours(30)).unwrap();
    let mut highest = zone.to_datetime(at);
    for _ in 0..(minutes + 30 * 60) {
        let before = zone.to_datetime(at);
        at = at.checked_add(minute).unwrap();
        let now = zone.to_datetime(at);
        let mut due = matches(text, now) && (hourly || now > highest);
        if !hourly && now > highest {
            let mut skipped = before.max(highest).checked_add(minute).unwrap();
            while skipped < now {
                due |= matches(text, skipped);
                skipped = skipped.checked_add(minute).unwrap();
            }
        }
        highest = highest.max(now);
        if due && at > from {
            fired.push(at);
        }
    }
    fired
}

const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "America/St_Johns",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]
    #[test]
    fn firings_are_what_a_minute_walker_sees(
        zone in proptest::sample::select(&ZONES[..]),
        minute in proptest::sample::select(&["0", "30", "*/15", "*", "7,52", "10-20/5"][..]),
        hour in proptest::sample::select(&["*", "2", "1-3", "0", "23", "*/6", "0,1,2,3"][..]),
        day in proptest::sample::select(&["*", "1", "29-31", "25"][..]),
        month in proptest::sample::select(&["*", "3,10", "4", "11"][..]),
        weekday in proptest::sample::select(&["*", "0", "7", "1-5", "6"][..]),
        start in 1_767_225_600_i64 / 3600..1_798_761_600 / 3600,
        near_change in any::<bool>(),
    ) {
        let zone = TimeZone::get(zone).unwrap();
        let mut from = Timestamp::from_second(start * 3600).unwrap();
        if near_change && let Some(change) = zone.following(from).next() {
            // Some tables end with a change that is none, at no full minute.
            let second = change.timestamp().as_second() / 60 * 60 - 7 * 3600;
            from = Timestamp::from_second(second).unwrap();
        }
        let text = format!("{minute} {hour} {day} {month} {weekday}");
        let table = Timetable::parse(&text, zone.clone()).unwrap();
        let minutes = 3 * 24 * 60;
        let until = from.checked_add(SignedDuration::from_mins(minutes)).unwrap();
        let found: Vec<_> = table.firings(from).take_while(|at| *at <= until).collect();
        prop_assert_eq!(found, walk(&text, &zone, from, minutes), "{}", text);
    }

    #[test]
    fn no_text_whatever_ends_in_a_panic(text in "[ -~]{0,40}") {
        if let Ok(table) = Timetable::parse(&text, TimeZone::UTC) {
            prop_assert!(table.after(Timestamp::UNIX_EPOCH).is_some());
        }
    }
}
