//! When the service works, and what it does not let itself be kept from.

use std::fs;

use provost::model::Account;

use super::{Service, target};
use crate::company::{Company, held};
use crate::support::{ScimKind, ScimServer};

const SELDOM: &str = "[schedule]\nsync = \"0 3 * * *\"\nreconcile = \"never\"\njitter = \"0s\"";
const OFTEN: &str =
    "[schedule]\nsync = \"*/15 * * * *\"\nreconcile = \"30 3 * * *\"\njitter = \"0s\"";
const NOON: &str = "2026-11-22T12:00:00Z";

fn company(people: usize, schedule: &str) -> Company {
    let mut company = Company::new(people);
    company.service = schedule.to_owned();
    company
}

fn account(company: &Company, target: &str, login: &str) -> Account {
    let found = company.accounts(target).into_iter();
    let mut found = found.filter(|one| held(one, "login").as_deref() == Some(login));
    found.next().unwrap()
}

fn is_open(company: &Company, login: &str) -> bool {
    account(company, "app", login).active == Some(true)
}

/// How many runs the log tells of, by cause.
fn runs(service: &Service, cause: &str) -> usize {
    let log = service.log();
    let lines = log.lines().filter(|line| line.contains("the run ended"));
    lines
        .filter(|line| line.contains(&format!("cause=\"{cause}\"")))
        .count()
}

#[test]
fn an_edge_is_acted_on_at_its_second_with_the_directory_down() {
    let mut company = company(6, SELDOM);
    company.person(2).until = Some("20261122180000Z".to_owned());
    company.publish();
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    company.everybody_is_right("app");
    let status = service.status();
    assert_eq!(target(&status, "app")["next"][0][0], "edge");
    assert_eq!(target(&status, "app")["next"][0][1], "2026-11-22T18:00:00Z");
    fs::remove_file(company.dir().join("people.ldif")).unwrap();
    service.clock("2026-11-22T17:59:59Z");
    service.await_rest("2026-11-22T17:59:59Z");
    assert!(is_open(&company, "p002"));
    service.clock("2026-11-22T18:00:00Z");
    service.await_rest("2026-11-22T18:00:00Z");
    assert!(!is_open(&company, "p002"), "{}", service.log());
    assert!(is_open(&company, "p003"));
    assert_eq!(runs(&service, "edge"), 1);
    // The directory is still down at the next scheduled read: that is told, tried again, and nobody leaves.
    service.clock("2026-11-23T03:00:00Z");
    let status = service.await_status("the trouble", |status| {
        status["sources"][0]["trouble"].is_string() && status["service"]["idle"] == true
    });
    let next = target(&status, "app")["next"].as_array().unwrap();
    assert!(next.iter().any(|one| one[0] == "retry"), "{status:#}");
    assert_eq!(status["outcome"], "source-incomplete");
    assert!(is_open(&company, "p003"));
}

#[test]
fn what_was_missed_while_the_service_was_down_is_made_up_for_once() {
    let mut company = company(6, OFTEN);
    company.person(4).until = Some("20261123090000Z".to_owned());
    company.publish();
    let mut service = Service::start(&company, NOON);
    service.await_rest(NOON);
    service.clock("2026-11-22T12:15:00Z");
    service.await_status("a second run", |_| runs(&service, "schedule") == 2);
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0), "{}", service.log());
    fs::remove_file(company.dir().join("log")).unwrap();
    let later = "2026-11-25T07:07:00Z";
    let service = Service::start(&company, later);
    service.await_rest(later);
    assert_eq!(runs(&service, "schedule"), 1, "{}", service.log());
    assert!(!is_open(&company, "p004"));
    // Nothing more until the next quarter.
    service.clock("2026-11-25T07:14:59Z");
    service.await_rest("2026-11-25T07:14:59Z");
    assert_eq!(runs(&service, "schedule"), 1);
    service.clock("2026-11-25T07:15:00Z");
    service.await_status("the next run", |_| runs(&service, "schedule") == 2);
}

#[test]
fn a_week_of_edges_and_of_comings_and_goings_ends_each_day_as_it_should() {
    let mut company = company(
        20,
        "[schedule]\nsync = \"0 6 * * *\"\nreconcile = \"0 3 * * sun\"\njitter = \"0s\"",
    );
    for day in 0..7 {
        company.person(day).until = Some(format!("202611{:02}170000Z", 23 + day));
    }
    company.publish();
    let service = Service::start(&company, "2026-11-22T12:00:00Z");
    service.await_rest("2026-11-22T12:00:00Z");
    for day in 0..7 {
        let date = format!("2026-11-{:02}", 23 + day);
        for hour in ["03:00", "06:00", "16:59", "17:00", "23:30"] {
            let now = format!("{date}T{hour}:00Z");
            service.clock(&now);
            service.await_rest(&now);
            for person in 0..7 {
                let over = person < day || (person == day && hour >= "17:00");
                let open = is_open(&company, &format!("p{person:03}"));
                assert_eq!(open, !over, "p{person:03} at {now}");
            }
        }
        assert!(is_open(&company, "p011"));
    }
    assert_eq!(runs(&service, "edge"), 7);
}

#[test]
fn a_clock_that_was_wrong_and_is_set_back_leaves_nobody_locked_out() {
    let mut company = company(6, SELDOM);
    company.person(2).until = Some("20261122180000Z".to_owned());
    company.publish();
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    service.clock("2026-11-22T20:00:00Z");
    service.await_rest("2026-11-22T20:00:00Z");
    assert!(!is_open(&company, "p002"));
    service.clock("2026-11-22T12:30:00Z");
    service.await_rest("2026-11-22T12:30:00Z");
    assert!(is_open(&company, "p002"), "{}", service.log());
    // And the edge is where it was.
    service.clock("2026-11-22T18:00:00Z");
    service.await_rest("2026-11-22T18:00:00Z");
    assert!(!is_open(&company, "p002"), "{}", service.log());
}

#[test]
fn a_slow_target_delays_neither_another_one_nor_its_own_edges() {
    let mut company = company(3, SELDOM);
    company.person(2).until = Some("20261122180000Z".to_owned());
    company.targets.insert("slow", Vec::new());
    company.publish();
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    // Forty people more, and an application that takes its time over each.
    let more = Company::new(43);
    company.people.extend(more.people.into_iter().skip(3));
    company.targets.insert("slow", vec!["slow=150".to_owned()]);
    company.publish();
    assert_eq!(service.command(&["reload"]).status.code(), Some(0));
    service.clock("2026-11-23T03:00:00Z");
    // The edge of the day before is due as well: nobody waits for forty newcomers.
    service.await_status("the edge", |_| {
        account(&company, "slow", "p002").active == Some(false)
    });
    let status = service.await_status("the other", |_| company.accounts("app").len() >= 40);
    assert!(company.accounts("slow").len() < 40, "{}", service.log());
    assert!(target(&status, "app")["error"].is_null(), "{status:#}");
    let status = service.await_status("an edge while it works", |_| {
        company.accounts("slow").len() > 5
    });
    assert!(target(&status, "slow")["running"].is_array(), "{status:#}");
    // An order interrupts the work, is obeyed, and the work goes on.
    let frozen = service.command(&["freeze", "on", "slow", "--reason", "test"]);
    assert_eq!(frozen.status.code(), Some(0));
    service.await_status("rest", |status| status["service"]["idle"] == true);
    let stands = company.accounts("slow").len();
    assert!(stands < 40, "{}", service.log());
    assert_eq!(
        service.command(&["freeze", "off", "slow"]).status.code(),
        Some(0)
    );
    service.await_status("the rest of the work", |_| {
        company.accounts("slow").len() >= 40
    });
    company.no_duplicates("slow");
}

#[test]
fn however_often_a_long_run_must_make_room_each_edge_is_acted_on_at_once() {
    let mut company = company(120, SELDOM);
    for person in 1..5 {
        company.person(person).until = Some(format!("202611221800{:02}Z", person * 5));
    }
    company.publish();
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    company.break_with(&["slow=300"]);
    for person in company.people.iter_mut().skip(5) {
        person.title = "Chief".to_owned();
    }
    company.publish();
    assert_eq!(service.command(&["reload"]).status.code(), Some(0));
    let renamed = || {
        let accounts = company.accounts("app").into_iter();
        let chiefs = accounts.filter(|one| held(one, "title").as_deref() == Some("Chief"));
        chiefs.count()
    };
    std::thread::scope(|scope| {
        let sync = scope.spawn(|| service.command(&["--quiet", "sync"]));
        service.await_status("work", |_| renamed() > 0);
        for person in 1..5 {
            service.clock(&format!("2026-11-22T18:00:{:02}Z", person * 5));
            let login = format!("p{person:03}");
            service.await_status("the edge", |_| !is_open(&company, &login));
            assert!(renamed() < 100, "edge {person}: {}", service.log());
        }
        assert_eq!(sync.join().unwrap().status.code(), Some(0));
    });
    assert!(renamed() > 100, "{}", service.log());
}

#[test]
fn killed_at_work_it_goes_on_where_it_was() {
    let mut company = company(30, OFTEN);
    company.break_with(&["slow=30"]);
    company.publish();
    for _ in 0..3 {
        let service = Service::start(&company, NOON);
        let before = company
            .file("app")
            .exists()
            .then(|| company.accounts("app").len());
        service.await_status("work", |_| {
            company.file("app").exists() && Some(company.accounts("app").len()) > before
                || before.unwrap_or(0) >= 25
        });
        service.kill();
    }
    company.break_with(&[]);
    company.publish();
    let service = Service::start(&company, "2026-11-22T12:15:00Z");
    service.await_rest("2026-11-22T12:15:00Z");
    company.everybody_is_right("app");
}

#[test]
fn told_to_stop_it_finishes_what_is_in_hand_within_ten_seconds() {
    let mut company = company(40, OFTEN);
    company.break_with(&["slow=300"]);
    company.publish();
    let mut service = Service::start(&company, NOON);
    service.await_status("work", |_| {
        company.file("app").exists() && !company.accounts("app").is_empty()
    });
    let began = std::time::Instant::now();
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
    assert!(began.elapsed().as_secs() < 10);
    let made = company.accounts("app").len();
    assert!(made < 38, "it did not stop but finish");
    let verify = service.command(&["state", "verify"]);
    let said = crate::cli::stdout(&verify);
    assert!(said.contains("0 calls without an outcome"), "{said}");
    assert!(!company.state().join("control.sock").exists());
}

#[test]
fn a_target_that_fails_is_tried_again_in_time_and_the_access_due_first() {
    let mut company = company(6, SELDOM);
    company.person(2).until = Some("20261122180000Z".to_owned());
    company.publish();
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    company.break_with(&["refuse=update"]);
    company.publish();
    service.command(&["reload"]);
    service.clock("2026-11-22T18:00:00Z");
    let status = service.await_status("the failure", |status| {
        target(status, "app")["oldest-suspension"].is_string()
    });
    assert_eq!(target(&status, "app")["pending"], 1, "{status:#}");
    let status = service.await_status("the next try", |status| {
        let next = target(status, "app")["next"].as_array().unwrap().clone();
        next.iter().any(|one| one[0] == "retry")
    });
    let next = target(&status, "app")["next"].as_array().unwrap();
    let retry = next.iter().find(|one| one[0] == "retry").unwrap();
    assert!(
        retry[1].as_str().unwrap() <= "2026-11-22T18:00:15Z",
        "{status:#}"
    );
    company.break_with(&[]);
    company.publish();
    service.command(&["reload"]);
    service.await_status("the suspension", |_| !is_open(&company, "p002"));
    service.await_status("no alarm", |status| {
        target(status, "app")["oldest-suspension"].is_null()
    });
}

#[test]
fn a_dead_target_delays_nobody_and_is_brought_in_step_when_it_lives_again() {
    let mut server = ScimServer::start(ScimKind::Scim2Server);
    let mut company = company(5, SELDOM);
    company.person(2).until = Some("20261122180000Z".to_owned());
    let mapping = include_str!("../cycle/mapping.toml");
    fs::write(company.dir().join("crm.toml"), mapping).unwrap();
    company.tables = format!(
        "\n[[target]]\nname = \"crm\"\ntype = \"scim\"\nsource = \"company\"\nmapping = \"crm.toml\"\npolicy = \"sync\"\n\
         url = \"{}\"\nreview-first-run = false\nrequest-timeout = \"2s\"\nprotected-accounts = [\"nobody\"]\n\n\
         [target.auth]\ntype = \"bearer\"\ntoken = \"env:CRM_SECRET\"\n",
        server.base_url
    );
    company.publish();
    let service = Service::start_with(&company, NOON, |command| {
        command.env("CRM_SECRET", &server.token)
    });
    let status = service.await_rest(NOON);
    assert_eq!(target(&status, "crm")["managed"], 5, "{status:#}");
    let socket = ["--socket", "state/control.sock"];
    let say = |args: &[&str]| {
        let all = [&socket[..], args].concat();
        crate::cli::provost(company.dir(), &all)
    };
    assert_eq!(say(&["log-level", "debug"]).status.code(), Some(0));
    // Connections stand open, and nothing is answered any more.
    server.process().freeze();
    service.clock("2026-11-22T18:00:00Z");
    service.await_status("the edge of the other while this one waits", |status| {
        let crm = target(status, "crm");
        let waits = crm["running"].is_array() || crm["pending"] == 1 || crm["error"].is_string();
        waits && !is_open(&company, "p002")
    });
    service.await_status("the failure", |status| {
        let next = target(status, "crm")["next"].as_array().unwrap().clone();
        next.iter().any(|one| one[0] == "retry")
    });
    // What was asked stands in the log now that it was told to.
    assert!(service.log().contains("curl -sS"), "{}", service.log());
    assert!(!service.log().contains(&server.token));
    server.process().thaw();
    service.clock("2026-11-22T18:01:00Z");
    service.await_status("the suspension", |status| {
        target(status, "crm")["suspended"] == 1
    });
    let closed = server.users();
    let closed = closed.iter().filter(|user| user["active"] == false);
    assert_eq!(closed.count(), 1);
    assert_eq!(say(&["log-level", "info"]).status.code(), Some(0));
    let calls = service.log().matches("curl -sS").count();
    service.clock("2026-11-23T03:00:00Z");
    service.await_rest("2026-11-23T03:00:00Z");
    assert_eq!(service.log().matches("curl -sS").count(), calls);
}

#[test]
fn scheduled_work_begins_later_by_its_own_share_of_the_jitter_and_no_earlier() {
    let company = company(
        3,
        "[schedule]\nsync = \"0 3 * * *\"\nreconcile = \"never\"\njitter = \"1h\"",
    );
    company.publish();
    let service = Service::start(&company, NOON);
    let status = service.await_rest(NOON);
    let next = target(&status, "app")["next"].as_array().unwrap();
    let sync = next.iter().find(|one| one[0] == "sync").unwrap();
    let at: jiff::Timestamp = sync[1].as_str().unwrap().parse().unwrap();
    let written: jiff::Timestamp = "2026-11-23T03:00:00Z".parse().unwrap();
    let late = at.duration_since(written).as_secs();
    assert!((0..=3600).contains(&late), "{late} s");
    assert_eq!(runs(&service, "schedule"), 1);
    let before = at - jiff::SignedDuration::from_secs(1);
    service.clock(&before.to_string());
    service.await_rest(&before.to_string());
    assert_eq!(runs(&service, "schedule"), 1, "{}", service.log());
    service.clock(&at.to_string());
    service.await_status("the run", |_| runs(&service, "schedule") == 2);
    // The share is the installation's own: a restart does not change it.
    service.kill();
    let service = Service::start(&company, &at.to_string());
    let status = service.await_rest(&at.to_string());
    let next = target(&status, "app")["next"].as_array().unwrap();
    let sync = next.iter().find(|one| one[0] == "sync").unwrap();
    let again = at + jiff::SignedDuration::from_hours(24);
    assert_eq!(sync[1], again.to_string());
}
