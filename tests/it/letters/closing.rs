//! Warnings before a window closes: by the real service and a real mail server, at the rehearsed second, once for each.

use super::outbox::{body, deliver};
use super::*;
use crate::cli::{code, provost, stdout};
use crate::company::{Company, anchor};
use crate::daemon::{Service, target};

const NOON: &str = "2027-03-01T12:00:00Z";

/// Open on weekdays from 8 to 18 in Berlin, which is from 7 to 17 in UTC at that time of the year; one person always.
fn company(server: &Smtp) -> Company {
    let mut company = Company::new(6);
    company.service =
        "[schedule]\nsync = \"0 3 * * *\"\nreconcile = \"never\"\njitter = \"0s\"".to_owned();
    company.tables = format!(
        "{}\n[delivery.closing-soon]\nlead = \"30m\"\n\n[[access]]\nname = \"office\"\neverybody = true\n\
         windows = [\"mon-fri 08:00-18:00\"]\nzone = \"Europe/Berlin\"\n\n\
         [access-rules.exempt]\npeople = [\"{}\"]\n",
        deliver(&company, server),
        anchor(4)
    );
    company.publish();
    company
}

/// To whom mails went, from the one of this number on.
fn readers(server: &Smtp, from: usize) -> Vec<String> {
    let mails = server.mails();
    let mut all: Vec<String> = mails[from..]
        .iter()
        .map(|mail| mail["to"][0].as_str().unwrap().to_owned())
        .collect();
    all.sort();
    all
}

fn everybody_but_the_exempt() -> Vec<String> {
    let all = (0..6).filter(|number| *number != 4);
    all.map(|number| format!("p{number:03}@example.org"))
        .collect()
}

fn warning(company: &Company) -> Option<String> {
    let output = provost(
        company.dir(),
        &["--config", "provost.toml", "--json", "status"],
    );
    let status: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let next = target(&status, "app")["next"].as_array().unwrap().clone();
    let letter = next.iter().find(|one| one[0] == "letter")?;
    Some(letter[1].as_str().unwrap().to_owned())
}

/// Moves the clock, and counts the mails once there is nothing left to do.
fn at(service: &Service, server: &Smtp, now: &str) -> usize {
    service.clock(now);
    service.await_rest(now);
    server.mails().len()
}

fn open(company: &Company) -> usize {
    let accounts = company.accounts("app").into_iter();
    accounts.filter(|one| one.active == Some(true)).count()
}

#[test]
fn the_service_warns_once_before_each_closing_and_nobody_who_is_exempt() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = company(&server);
    let service = Service::start(&company, NOON);
    assert_eq!(at(&service, &server, NOON), 0);
    assert_eq!(warning(&company).as_deref(), Some("2027-03-01T16:30:00Z"));
    assert_eq!(at(&service, &server, "2027-03-01T16:29:59Z"), 0);
    assert_eq!(at(&service, &server, "2027-03-01T16:30:00Z"), 5);
    assert_eq!(readers(&server, 0), everybody_but_the_exempt());
    let said = body(&server.mails()[0]).to_owned();
    assert!(
        said.contains("Mon 2027-03-01 18:00 Europe/Berlin"),
        "{said}"
    );
    // Not again: not by a run in between, not at the closing, not after a restart.
    assert_eq!(code(&service.command(&["sync"])), 0);
    assert_eq!(at(&service, &server, "2027-03-01T16:59:59Z"), 5);
    service.kill();
    let service = Service::start(&company, "2027-03-01T16:59:59Z");
    for (now, mails) in [
        ("2027-03-01T16:59:59Z", 5),
        ("2027-03-01T17:00:00Z", 5),
        // An edge that opens is nothing to warn of.
        ("2027-03-02T06:30:00Z", 5),
        ("2027-03-02T07:00:00Z", 5),
        ("2027-03-02T16:29:59Z", 5),
        ("2027-03-02T16:30:00Z", 10),
        ("2027-03-02T17:00:00Z", 10),
    ] {
        assert_eq!(
            at(&service, &server, now),
            mails,
            "{now}: {}",
            service.log()
        );
        if now.ends_with("17:00:00Z") {
            assert_eq!(open(&company), 1, "only the exempt one");
        }
    }
}

#[test]
fn who_may_stay_longer_is_warned_again_before_the_later_end() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = company(&server);
    let service = Service::start(&company, "2027-03-01T16:30:00Z");
    assert_eq!(at(&service, &server, "2027-03-01T16:30:00Z"), 5);
    let who = anchor(2);
    let until = "2027-03-01T20:00:00Z";
    let args = ["override", "grant", &who, "--until", until, "--reason", "x"];
    let given = service.command(&args);
    assert_eq!(code(&given), 0, "{}", stdout(&given));
    assert_eq!(at(&service, &server, "2027-03-01T17:00:00Z"), 5);
    assert_eq!(open(&company), 2);
    assert_eq!(at(&service, &server, "2027-03-01T19:29:59Z"), 5);
    assert_eq!(at(&service, &server, "2027-03-01T19:30:00Z"), 6);
    assert_eq!(readers(&server, 5), ["p002@example.org"]);
    assert_eq!(at(&service, &server, until), 6);
    assert_eq!(open(&company), 1);
}

#[test]
fn what_was_missed_while_the_service_was_down_is_sent_while_it_still_helps() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = company(&server);
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    service.kill();
    let late = "2027-03-01T16:50:00Z";
    let service = Service::start(&company, late);
    service.await_rest(late);
    assert_eq!(readers(&server, 0), everybody_but_the_exempt());
    service.kill();
    let next_day = "2027-03-02T17:05:00Z";
    let service = Service::start(&company, next_day);
    service.await_rest(next_day);
    assert_eq!(server.mails().len(), 5, "nobody is warned of what is past");
}

#[test]
fn a_letter_that_waits_is_sent_in_time_after_a_restart() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = company(&server);
    server.fault("grey");
    let service = Service::start(&company, "2027-03-01T16:30:00Z");
    service.await_rest("2027-03-01T16:30:00Z");
    assert_eq!(server.mails().len(), 0);
    service.kill();
    server.fault("");
    let minute = "2027-03-01T16:31:00Z";
    let service = Service::start(&company, minute);
    service.await_rest(minute);
    assert_eq!(readers(&server, 0), everybody_but_the_exempt());
}

#[test]
fn a_dry_run_lists_warnings_and_sends_none() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = company(&server);
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    service.kill();
    let plan = |at: &str, json: bool| {
        let mut args = vec!["--config", "provost.toml"];
        args.extend(json.then_some("--json"));
        args.extend(["plan", "--at", at]);
        let output = provost(company.dir(), &args);
        stdout(&output)
    };
    let text = plan("2027-03-01T16:45:00Z", false);
    assert!(
        text.contains("Letters (5), warnings before a window closes"),
        "{text}"
    );
    assert!(
        text.contains(
            "closing-soon for Person 2 to p002@example.org, closing 2027-03-01T17:00:00Z"
        ),
        "{text}"
    );
    assert!(!text.contains("p004@example.org"), "exempt: {text}");
    let json: serde_json::Value =
        serde_json::from_str(&plan("2027-03-01T16:45:00Z", true)).unwrap();
    let letters = json["targets"][0]["letters"].as_array().unwrap();
    assert_eq!(letters.len(), 5);
    assert_eq!(letters[0]["closes"], "2027-03-01T17:00:00Z");
    let text = plan("2027-03-01T16:15:00Z", false);
    assert!(!text.contains("closing-soon"), "{text}");
    assert_eq!(server.mails().len(), 0);
}

#[test]
fn a_warning_that_waits_is_dropped_once_its_window_has_moved() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = company(&server);
    server.fault("grey");
    let service = Service::start(&company, "2027-03-01T16:30:00Z");
    service.await_rest("2027-03-01T16:30:00Z");
    let who = anchor(2);
    let args = [
        "override",
        "grant",
        &who,
        "--until",
        "2027-03-01T20:00:00Z",
        "--reason",
        "x",
    ];
    assert_eq!(code(&service.command(&args)), 0);
    server.fault("");
    service.clock("2027-03-01T16:31:00Z");
    service.await_status("the letters", |_| server.mails().len() >= 4);
    service.await_rest("2027-03-01T16:31:00Z");
    assert!(!readers(&server, 0).contains(&"p002@example.org".to_owned()));
    service.clock("2027-03-01T19:30:00Z");
    service.await_rest("2027-03-01T19:30:00Z");
    assert_eq!(
        readers(&server, 4),
        ["p002@example.org"],
        "{}",
        service.log()
    );
}
