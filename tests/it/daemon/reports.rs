//! Reports on schedule: made, named, kept and sent, with nothing done of what they say.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{LIMIT, Service};
use crate::cli::{provost, stderr};
use crate::company::Company;
use crate::support::process::await_some;
use crate::support::{Cert, PASSWORD, Smtp};

/// A Sunday.
const NOON: &str = "2026-11-22T12:00:00Z";
const SELDOM: &str = "[schedule]\nsync = \"0 3 * * *\"\nreconcile = \"never\"\njitter = \"0s\"\n";

fn company(people: usize, report: &str) -> Company {
    let mut company = Company::new(people);
    company.service = SELDOM.to_owned();
    company.tables = format!("\n[[report]]\n{report}\n");
    company
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

fn of(status: &Value) -> &Value {
    &status["reports"][0]
}

/// Every file of a folder but those of reports and the log, with what is in it.
fn written(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter(|entry| {
            !["log", "clock", "people.ldif"].contains(&entry.file_name().to_str().unwrap())
        })
        .map(|entry| (entry.path(), fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn reports_are_written_on_schedule_and_nothing_else_is() {
    let mut company = company(
        5,
        "name = \"weekly\"\nschedule = \"0 7 * * *\"\ndirectory = \"reports\"\nformats = [\"html\", \"csv\", \"json\", \"text\"]\nkeep = 2",
    );
    company.publish();
    let folder = company.dir().join("reports");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(folder.join("mine.html"), "x").unwrap();
    let service = Service::start(&company, NOON);
    let status = service.await_rest(NOON);
    assert_eq!(of(&status)["next"], "2026-11-23T07:00:00Z", "{status:#}");
    assert_eq!(names(&folder), BTreeSet::from(["mine.html".to_owned()]));
    service.clock("2026-11-23T03:00:00Z");
    service.await_rest("2026-11-23T03:00:00Z");
    // What is published now is read by the next sync, four hours after the next report but one.
    company.person(2).title = "Chief".to_owned();
    company.publish();
    let before = written(company.dir());
    service.clock("2026-11-23T06:59:59Z");
    service.await_rest("2026-11-23T06:59:59Z");
    assert_eq!(names(&folder).len(), 1);
    service.clock("2026-11-23T07:00:00Z");
    let status = service.await_status("the report", |status| of(status)["last"].is_string());
    assert_eq!(of(&status)["next"], "2026-11-24T07:00:00Z");
    let stem = "weekly-20261123T070000Z";
    for (ending, part) in [
        ("html", "<!doctype html>"),
        ("csv", "target,action,"),
        ("json", "\"kind\": \"plan\""),
        ("txt", "Chief"),
    ] {
        let path = folder.join(format!("{stem}.{ending}"));
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains(part) && text.contains("Chief"),
            "{ending}: {text}"
        );
        // The folder's group may read it, so it may read what is in it.
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640, "{ending}");
    }
    assert_eq!(
        written(company.dir()),
        before,
        "an application or the configuration was written to"
    );
    let runs = service.log().matches("the run ended").count();
    assert_eq!(runs, 2, "{}", service.log());

    // What was missed is made up for once, under the time at which it is made, and the oldest goes.
    service.kill();
    let later = "2026-11-26T08:30:00Z";
    let service = Service::start(&company, later);
    service.await_status("the report that was missed", |_| {
        names(&folder).contains("weekly-20261126T083000Z.txt")
    });
    service.await_rest(later);
    service.clock("2026-11-27T07:00:00Z");
    service.await_status("the next report", |status| {
        of(status)["last"] == "2026-11-27T07:00:00Z"
    });
    let stamps: BTreeSet<String> = names(&folder)
        .iter()
        .filter_map(|name| Some(name.split_once('-')?.1.split_once('.')?.0.to_owned()))
        .collect();
    let wanted = ["20261126T083000Z", "20261127T070000Z"].map(str::to_owned);
    assert_eq!(stamps, BTreeSet::from(wanted));
    assert!(folder.join("mine.html").exists());
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_tried_again() {
    let company = company(
        3,
        "name = \"daily\"\nschedule = \"0 7 * * *\"\ndirectory = \"there/reports\"",
    );
    company.publish();
    fs::write(company.dir().join("there"), "a file is in the way").unwrap();
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    service.clock("2026-11-23T07:00:00Z");
    let status = service.await_status("the trouble", |status| of(status)["error"].is_string());
    let why = of(&status)["error"].as_str().unwrap();
    assert!(
        why.contains("there/reports") && why.contains("ReadWritePaths="),
        "{why}"
    );
    assert_eq!(of(&status)["next"], "2026-11-23T07:01:00Z", "{status:#}");
    fs::remove_file(company.dir().join("there")).unwrap();
    service.clock("2026-11-23T07:01:00Z");
    let status = service.await_status("the report", |status| of(status)["last"].is_string());
    assert!(of(&status)["error"].is_null(), "{status:#}");
    let names = names(&company.dir().join("there/reports"));
    assert_eq!(
        names,
        BTreeSet::from(["daily-20261123T070100Z.html".to_owned()])
    );
}

#[test]
fn a_report_goes_by_mail_with_its_page_and_again_when_the_server_was_busy() {
    let server = Smtp::start("starttls", Cert::Good);
    let mut company = company(
        4,
        "name = \"crm-plan\"\nschedule = \"0 7 * * mon\"\ntargets = [\"app\"]\nmail-to = [\"boss@example.org\", \"it@example.org\"]",
    );
    let tables = server.table(company.dir()) + &company.tables;
    company.tables = tables;
    company.publish();
    let check = provost(company.dir(), &["--config", "provost.toml", "check"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let advice = stderr(&check);
    assert!(!advice.contains("no letter is configured"), "{advice}");
    let service = Service::start(&company, NOON);
    service.await_rest(NOON);
    company.person(2).title = "<script>alert(1)</script>".to_owned();
    company.publish();
    // The nightly run is not awaited: the report is of what has not been done.
    server.fault("grey");
    service.clock("2026-11-23T07:00:00Z");
    let status = service.await_status("the refusal", |status| of(status)["error"].is_string());
    assert_eq!(server.mails().len(), 0);
    assert!(!status.to_string().contains(PASSWORD));
    server.fault("");
    service.clock("2026-11-23T07:01:00Z");
    service.await_status("the mail", |status| of(status)["last"].is_string());
    let mails = await_some("the mail", LIMIT, || {
        let mails = server.mails();
        (!mails.is_empty()).then_some(mails)
    });
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["tls"], true);
    assert_eq!(
        mails[0]["to"],
        serde_json::json!(["boss@example.org", "it@example.org"])
    );
    let content = mails[0]["content"].as_str().unwrap();
    for part in [
        "Message-ID: <crm-plan-20261123T070100Z@example.com>",
        "Content-Disposition: attachment; filename=\"crm-plan-20261123T070100Z.html\"",
        "Content-Type: text/html",
        "Auto-Submitted: auto-generated",
        "Subject: Provost: crm-plan, ",
    ] {
        assert!(content.contains(part), "{part}: {content}");
    }
    // Once is enough.
    service.clock("2026-11-23T12:00:00Z");
    service.await_rest("2026-11-23T12:00:00Z");
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn reports_that_could_not_work_are_refused_before() {
    for (report, words) in [
        (
            "name = \"a\"\nschedule = \"0 7 * * *\"",
            "`directory` is missing",
        ),
        ("name = \"a\"\ndirectory = \"x\"", "`schedule` is missing"),
        (
            "name = \"a\"\nschedule = \"0 7 31 2 *\"\ndirectory = \"x\"",
            "there is no such date",
        ),
        (
            "name = \"a\"\nschedule = \"0 7 * * *\"\nmail-to = [\"it@example.org\"]",
            "no mail server",
        ),
        (
            "name = \"a\"\nschedule = \"0 7 * * *\"\ndirectory = \"x\"\ntargets = [\"nowhere\"]",
            "no such target",
        ),
        (
            "name = \"a\"\nschedule = \"0 7 * * *\"\ndirectory = \"x\"\nformats = [\"htlm\"]",
            "did you mean \"html\"?",
        ),
        (
            "name = \"../a\"\nschedule = \"0 7 * * *\"\ndirectory = \"x\"",
            "a name has lower-case letters",
        ),
    ] {
        let company = company(2, report);
        company.publish();
        let check = provost(company.dir(), &["--config", "provost.toml", "check"]);
        assert_eq!(check.status.code(), Some(78), "{report}");
        assert!(
            stderr(&check).contains(words),
            "{report}: {}",
            stderr(&check)
        );
    }
}
