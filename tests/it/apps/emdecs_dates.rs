//! EMDECS and time: windows that close and open, people who start and end on a known day, and badges that die by a date.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use provost::engine::{self, Clock, Request, RunReport};
use provost::model::Outcome;

use super::company::Company;
use super::emdecs::{List, Story, what};
use super::worklist::began;
use crate::company::session;

/// A run at a moment.
async fn run_at(company: &Company, at: Timestamp) -> RunReport {
    company.publish();
    let mut session = session(&company.path().join("provost.toml"));
    session.clock = Clock::Fixed(at);
    engine::sync(&session, &Request::default()).await.unwrap()
}

/// Does everything that is on both lists now, and ticks it off.
fn do_all(story: &mut Story) {
    for list in [List::Users, List::Badges] {
        let rows = story.list(list);
        story.work(list, &rows);
        story.tick(&rows);
    }
}

/// Does what can be done before the last one's time.
fn do_all_but_last(story: &mut Story) {
    let rows = story.list(List::Badges);
    let rows = &rows[..rows.len() - 1];
    story.work(List::Badges, rows);
    story.tick(rows);
}

fn in_days(days: i64) -> Timestamp {
    let now = Timestamp::try_from(began()).unwrap();
    let now = Timestamp::from_second(now.as_second()).unwrap();
    now.checked_add(SignedDuration::from_hours(24 * days))
        .unwrap()
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Lines of a list as a table of these columns.
fn table(story: &Story, list: List, columns: &[usize]) -> Vec<Vec<String>> {
    let path = story.company.path().join(list.folder());
    let bytes = fs::read(path.join("worklist.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        columns.iter().map(|n| record[*n].to_owned()).collect()
    });
    let mut rows: Vec<Vec<String>> = rows.collect();
    rows.dedup();
    rows
}

const OFFICE: &str = r#"
[[access]]
name = "office"
groups = ["EMDECS Tech Portal"]
zone = "Europe/Berlin"
windows = ["mon-fri 08:00-18:00"]

[[access]]
name = "night"
groups = ["EMDECS Managers"]
zone = "Europe/Berlin"
windows = ["mon-thu 18:00-04:00"]

[access-rules]
combine = "union"
"#;

/// Two people of the office, one of the night shift.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edges_of_windows_are_deadlines_and_closing_comes_first() {
    let mut story = Story::begin(3);
    let users = "EMDECS Users";
    story.company.person(0).groups = [users, "EMDECS Tech Portal"].into();
    story.company.person(1).groups = [users, "EMDECS Managers"].into();
    story.company.person(2).groups = [users, "EMDECS Tech Portal"].into();
    story
        .company
        .edit_target("path = \"users\"", "path = \"users\"\nforesee = \"12h\"");
    story.company.edit_target("export = \"users.csv\"\n", "");
    let badges = std::mem::take(&mut story.company.tables);
    story.company.tables = badges.replace("export = \"badges.csv\"\n", "") + OFFICE;
    let at = |text: &str| text.parse::<Timestamp>().unwrap();

    // Wednesday noon: two are open, and the night shift has no account yet; it is named with the moment of its start.
    let noon = at("2027-03-17T11:00:00Z");
    run_at(&story.company, noon).await;
    let list = table(&story, List::Users, &[2, 3, 8, 10]);
    let closing = "2027-03-17 17:00 UTC";
    let edge = "2027-03-17T17:00:00Z";
    assert_eq!(
        list,
        [
            ["create", "p000@example.org", "", ""],
            ["create", "p002@example.org", "", ""],
            ["create", "p001@example.org", closing, edge],
        ]
    );
    let now = story.list(List::Users);
    story.work(List::Users, &now[..2]);
    story.tick(&now[..2]);
    run_at(&story.company, at("2027-03-17T12:00:00Z")).await;
    let list = table(&story, List::Users, &[2, 3, 8, 10]);
    assert_eq!(
        list,
        [
            ["disable", "p000@example.org", closing, edge],
            ["disable", "p002@example.org", closing, edge],
            ["create", "p001@example.org", closing, edge],
        ],
        "at one moment, what closes comes first"
    );
    let ahead = story.list(List::Users);
    let page = fs::read_to_string(story.company.path().join("users/worklist.html")).unwrap();
    assert!(page.contains("do it then, not earlier"), "{page}");
    an_edge_passes(&mut story, &ahead).await;
}

/// Of two closings only one is done in time.
async fn an_edge_passes(story: &mut Story, ahead: &[super::emdecs::TaskRow]) {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let closing = "2027-03-17 17:00 UTC";
    // The moment has passed and nothing was done: the same tasks, now to be done, and late.
    let report = run_at(&story.company, at("2027-03-17T17:00:01Z")).await;
    assert_eq!(report.outcome(), Outcome::Held);
    let list = table(story, List::Users, &[2, 3, 8, 10]);
    assert_eq!(
        list,
        [
            ["disable", "p000@example.org", closing, ""],
            ["disable", "p002@example.org", closing, ""],
            ["create", "p001@example.org", closing, ""],
        ]
    );
    let ids =
        |rows: &[super::emdecs::TaskRow]| rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&story.list(List::Users)), ids(ahead));
    let one = story.list(List::Users);
    story.work(List::Users, &one[1..]);
    story.tick(&one[1..]);
    run_at(&story.company, at("2027-03-17T20:00:00Z")).await;
    let list = table(story, List::Users, &[2, 3, 8]);
    assert_eq!(
        list,
        [
            ["disable", "p000@example.org", closing],
            ["disable", "p001@example.org", "2027-03-18 03:00 UTC"],
            ["enable", "p002@example.org", "2027-03-18 07:00 UTC"],
        ]
    );

    // The morning after: the night shift ends before the office opens, and both are foreseen.
    let late = story.list(List::Users);
    story.work(List::Users, &late[..1]);
    story.tick(&late[..1]);
    run_at(&story.company, at("2027-03-17T21:00:00Z")).await;
    let list = table(story, List::Users, &[2, 3, 8]);
    assert_eq!(
        list,
        [
            ["disable", "p001@example.org", "2027-03-18 03:00 UTC"],
            ["enable", "p000@example.org", "2027-03-18 07:00 UTC"],
            ["enable", "p002@example.org", "2027-03-18 07:00 UTC"],
        ]
    );
}

/// Who starts and who ends on a known day is named before, and nothing is renewed beyond an end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn badges_are_renewed_before_they_die_and_never_beyond_an_end() {
    let mut story = Story::begin(6);
    for number in 0..6 {
        story.company.person(number).groups = ["EMDECS Technicians"].into();
    }
    story.company.tables = story
        .company
        .tables
        .replace("export = \"badges.csv\"\n", "foresee = \"14d\"\n");
    story.company.edit(
        "mappings/emdecs-employees.toml",
        "[lifecycle]\n",
        "[lifecycle]\nstarts = \"contractStart | date\"\n",
    );
    // 1 ends in 700 days, 2 ends 10 days after the dates lapse, 3 moves between, 4 starts in ten days.
    let (early, late) = (in_days(700), in_days(740));
    story
        .company
        .person(1)
        .more
        .insert("contractEnd", day(early));
    story
        .company
        .person(2)
        .more
        .insert("contractEnd", day(late));
    story
        .company
        .person(4)
        .more
        .insert("contractStart", day(in_days(10)));
    story.company.edit_target("export = \"users.csv\"\n", "");
    run_at(&story.company, in_days(0)).await;
    let list = table(&story, List::Badges, &[2, 3, 10]);
    let start = format!("{}T00:00:00Z", day(in_days(10)));
    let waits = vec!["create".to_owned(), "1004".to_owned(), start];
    assert_eq!(list.len(), 6, "{list:?}");
    assert_eq!(
        list[5], waits,
        "who starts on a known day is named, and comes last"
    );
    let rows = story.list(List::Badges);
    story.work(List::Badges, &rows[..5]);
    story.tick(&rows[..5]);
    run_at(&story.company, in_days(11)).await;
    assert_eq!(what(&story.list(List::Badges)), [("create", "1004")]);
    do_all(&mut story);
    one_moves(&mut story).await;
    dates_are_moved(&mut story).await;
}

async fn one_moves(story: &mut Story) {
    // Another location after a year: its dates are its own.
    story.company.person(3).office = "Depot West";
    run_at(&story.company, in_days(365)).await;
    let list = story.list(List::Badges);
    assert_eq!(what(&list), [("change", "1003")]);
    let fields: Vec<(&str, &str)> = list[0]
        .3
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let (year, first) = (day(in_days(365)), day(in_days(730)));
    assert_eq!(
        fields,
        [
            ("location", "Depot West"),
            ("location_from", year.as_str()),
            ("location_until", first.as_str()),
        ],
        "what lasts long enough stays"
    );
    do_all(story);
}

async fn dates_are_moved(story: &mut Story) {
    let first = day(in_days(730));
    // 65 days before the end nothing comes up; 55 days before it, everybody whose access goes on.
    run_at(&story.company, in_days(664)).await;
    assert_eq!(story.list(List::Badges), []);
    run_at(&story.company, in_days(675)).await;
    let list = table(story, List::Badges, &[2, 3, 4, 6, 8]);
    let next = day(in_days(675 + 730));
    // The last day counts in full, so the badge works until the day after it.
    let end = day(in_days(741));
    let renew = |who: &str, name: &str, next: &str| {
        vec![
            "renew".to_owned(),
            who.to_owned(),
            name.to_owned(),
            next.to_owned(),
            first.clone(),
        ]
    };
    let mut wanted = Vec::new();
    for (who, next) in [
        ("1000", &next),
        ("1002", &end),
        ("1003", &next),
        ("1005", &next),
    ] {
        wanted.push(renew(who, "type_until", next));
        wanted.push(renew(who, "location_until", next));
    }
    assert_eq!(list, wanted, "1001 ends before its dates do");
    let asked = story.list(List::Badges);
    run_at(&story.company, in_days(677)).await;
    assert_eq!(
        story.list(List::Badges),
        asked,
        "the same tasks on another day"
    );
    do_all(story);

    // Two weeks before their end the first is named, and nothing is renewed for them.
    run_at(&story.company, in_days(690)).await;
    assert_eq!(
        what(&story.list(List::Badges)),
        [("renew", "1004"), ("disable", "1001")]
    );
    do_all_but_last(story);
    run_at(&story.company, in_days(701)).await;
    let list = table(story, List::Badges, &[2, 3, 10]);
    assert_eq!(list, [["disable", "1001", ""]]);
    for who in ["1000", "1002", "1003", "1004", "1005"] {
        assert!(story.badges.works(who, &day(in_days(735))), "{who}");
    }
}
