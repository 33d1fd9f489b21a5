//! Windows through whole runs against a practice application: the clock is set, everything else is real.

use std::fs;

use jiff::Timestamp;
use provost::engine::{self, Clock, Request, RunReport, Session, TargetReport};
use provost::model::{Action, Outcome};

use super::company::{Company, session};

const OFFICE: &str = "[[access]]\nname = \"office\"\neverybody = true\nwindows = [\"mon-fri 08:00-18:00\"]\n\
                      zone = \"Europe/Berlin\"\n";
/// People in the company; two of 40 are external and have no account.
const PEOPLE: usize = 40;
const STAFF: usize = 38;

/// A company whose limits are as tight as they are by themselves.
struct Office {
    company: Company,
    access: String,
}

impl Office {
    fn new() -> Self {
        Self {
            company: Company::new(PEOPLE),
            access: OFFICE.to_owned(),
        }
    }

    fn session(&self, now: &str) -> Session {
        self.company.publish();
        let path = self.company.config();
        let mut text = fs::read_to_string(&path).unwrap();
        for limit in ["suspend = ", "suspend-per-day = ", "reactivate = "] {
            let wide = format!("\n{limit}{{ count = 5000, percent = 100 }}");
            text = text.replace(&wide, &format!("\n{limit}{{ count = 3, percent = 2 }}"));
        }
        text.push_str(&self.access);
        fs::write(&path, text).unwrap();
        let mut session = session(&path);
        session.clock = Clock::Fixed(now.parse::<Timestamp>().unwrap());
        session
    }

    async fn sync(&self, now: &str) -> RunReport {
        let session = self.session(now);
        engine::sync(&session, &Request::default()).await.unwrap()
    }

    /// How many can use the application, as it says itself.
    fn usable(&self) -> usize {
        let accounts = self.company.accounts("app");
        accounts
            .iter()
            .filter(|account| account.active == Some(true))
            .count()
    }
}

fn app(report: &RunReport) -> &TargetReport {
    report.targets.first().unwrap()
}

fn staged(report: &RunReport) -> usize {
    app(report)
        .verdict
        .as_ref()
        .map_or(0, |verdict| verdict.staged.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_closed_each_evening_and_opened_each_morning_within_the_limits() {
    let office = Office::new();
    // Monday morning: accounts are made.
    office.sync("2026-03-02T08:00:00Z").await;
    assert_eq!(office.usable(), STAFF);
    let early = office.sync("2026-03-02T16:59:59Z").await;
    assert_eq!(early.outcome(), Outcome::NothingToDo);
    for (evening, night, morning) in [
        (
            "2026-03-02T17:00:00Z",
            "2026-03-03T02:00:00Z",
            "2026-03-03T07:00:00Z",
        ),
        (
            "2026-03-03T17:10:00Z",
            "2026-03-03T18:00:00Z",
            "2026-03-04T07:30:00Z",
        ),
    ] {
        let closed = office.sync(evening).await;
        assert_eq!((office.usable(), staged(&closed)), (0, 0), "{evening}");
        assert_eq!(
            app(&closed).results.len(),
            STAFF,
            "one action for each person"
        );
        let idle = office.sync(night).await;
        assert_eq!(idle.outcome(), Outcome::NothingToDo, "{night}");
        let opened = office.sync(morning).await;
        assert_eq!((office.usable(), staged(&opened)), (STAFF, 0), "{morning}");
    }
    // Edges missed over three days: what is true now, and nothing twice.
    let late = office.sync("2026-03-07T12:00:00Z").await;
    assert_eq!((office.usable(), app(&late).results.len()), (0, STAFF));
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_close_although_the_directory_is_gone_and_open_for_twelve_hours() {
    let office = Office::new();
    office.sync("2026-03-02T08:00:00Z").await;
    let lost = |now: &str| {
        let session = office.session(now);
        fs::remove_file(office.company.dir().join("people.ldif")).unwrap();
        session
    };
    let session = lost("2026-03-02T17:00:00Z");
    let report = engine::sync(&session, &Request::default()).await.unwrap();
    drop(session);
    assert_eq!((office.usable(), staged(&report)), (0, 0));
    // The last read is 23 hours old by now.
    let session = lost("2026-03-03T07:00:00Z");
    let report = engine::sync(&session, &Request::default()).await.unwrap();
    drop(session);
    assert_eq!(office.usable(), 0);
    assert_eq!(app(&report).plan.as_ref().unwrap().held.len(), STAFF);
    // It is back, and so are they: foretold, and late.
    let report = office.sync("2026-03-03T07:05:00Z").await;
    assert_eq!((office.usable(), staged(&report)), (STAFF, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_changed_policy_closes_at_once_waits_for_a_release() {
    let mut office = Office::new();
    office.sync("2026-03-02T08:00:00Z").await;
    office.access = OFFICE.replace("mon-fri 08:00-18:00", "mon-fri 08:00-09:00");
    let report = office.sync("2026-03-02T10:00:00Z").await;
    assert_eq!((office.usable(), staged(&report)), (STAFF, STAFF));
    // A policy that is gone opens as many.
    office.access = OFFICE.to_owned();
    office.sync("2026-03-02T10:05:00Z").await;
    office.sync("2026-03-02T17:00:00Z").await;
    assert_eq!(office.usable(), 0);
    office.access = String::new();
    let report = office.sync("2026-03-02T18:00:00Z").await;
    assert_eq!((office.usable(), staged(&report)), (0, STAFF));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_that_failed_is_tried_again_and_is_still_foretold() {
    let mut office = Office::new();
    // In each run the application breaks down after so many changes.
    office.company.break_with(&["fail-after=25"]);
    for _ in 0..8 {
        office.sync("2026-03-02T08:00:00Z").await;
    }
    let rest = office.sync("2026-03-02T09:00:00Z").await;
    assert_eq!(
        (office.usable(), rest.outcome()),
        (STAFF, Outcome::NothingToDo)
    );
    office.sync("2026-03-02T17:00:00Z").await;
    let left = office.usable();
    assert!(
        (4..STAFF).contains(&left),
        "more than the limits allow are left: {left}"
    );
    let report = office.sync("2026-03-02T17:01:00Z").await;
    assert_eq!((office.usable(), staged(&report)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_waits_for_the_window_and_a_leaver_does_not() {
    let mut office = Office::new();
    office.company.people.truncate(20);
    office.sync("2026-03-02T08:00:00Z").await;
    office.sync("2026-03-02T17:00:00Z").await;
    office.company.people = Company::new(22).people;
    office.company.leave(5);
    for now in ["2026-03-02T18:00:00Z", "2026-03-02T19:00:00Z"] {
        let report = office.sync(now).await;
        let actions = app(&report)
            .results
            .iter()
            .map(|result| &result.change.action);
        assert_eq!(
            actions.filter(|action| **action == Action::Create).count(),
            0,
            "{now}"
        );
    }
    let report = office.sync("2026-03-03T07:00:00Z").await;
    assert_eq!(
        office.usable(),
        20 - 1 - 1 + 2,
        "one external, one gone, two new: {:#?}",
        app(&report).results.len()
    );
}
