//! Orders while a run is under way, and orders that end: through the same calls as the commands and the daemon.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use provost::engine::{self, ChangeStatus, Clock, OverrideOrder, Request, RunReport, Session};
use provost::model::{AuditWhat, Outcome, OverrideEffect};

use super::active;
use crate::company::Company;
use crate::support::process::await_some;

fn session(company: &Company) -> Session {
    company.publish();
    crate::company::session(&company.config())
}

async fn sync(session: &Session) -> RunReport {
    engine::sync(session, &Request::default()).await.unwrap()
}

fn suspend(person: &str, from: Option<&str>, until: Option<&str>) -> OverrideOrder {
    OverrideOrder {
        effect: OverrideEffect::Suspend,
        person: person.to_owned(),
        target: None,
        from: from.map(str::to_owned),
        until: until.map(str::to_owned),
        reason: "test".to_owned(),
        by: "tester".to_owned(),
    }
}

/// It begins and ends by the clock alone, with nothing else changed and nobody asked.
#[tokio::test(flavor = "multi_thread")]
async fn an_override_begins_and_ends_by_itself() {
    let company = Company::new(3);
    let mut session = session(&company);
    let start: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
    session.clock = Clock::Fixed(start);
    sync(&session).await;
    let order = suspend("p001", Some("1h"), Some("3h"));
    session.give_override(&order).unwrap();
    for (minutes, outcome, is_active) in [
        (59, Outcome::NothingToDo, true),
        (60, Outcome::Applied, false),
        (61, Outcome::NothingToDo, false),
        (179, Outcome::NothingToDo, false),
        (180, Outcome::Applied, true),
        (181, Outcome::NothingToDo, true),
    ] {
        session.clock = Clock::Fixed(start + minutes.minutes());
        let edge = session.next_order_edge().unwrap();
        assert_eq!(sync(&session).await.outcome(), outcome, "{minutes}");
        assert_eq!(active(&company, 1), is_active, "{minutes}");
        let expected = match minutes {
            0..60 => Some(start + 60.minutes()),
            60..180 => Some(start + 180.minutes()),
            _ => None,
        };
        assert_eq!(edge, expected, "{minutes}");
    }
    let trail = session.trail(10).unwrap();
    let last = trail.last().unwrap();
    assert_eq!((last.what, last.by.as_str()), (AuditWhat::End, "provost"));
    assert_eq!(last.at, start + 180.minutes());
    assert!(session.overrides(0).unwrap().standing.is_empty());
}

/// What was ordered holds after a restart, also when it began while nobody looked.
#[tokio::test(flavor = "multi_thread")]
async fn orders_survive_a_restart() {
    let company = Company::new(3);
    let start: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
    {
        let mut session = session(&company);
        session.clock = Clock::Fixed(start);
        sync(&session).await;
        let order = suspend("p001", Some("1h"), None);
        session.give_override(&order).unwrap();
        session
            .freeze(&["app".to_owned()], "test", "tester")
            .unwrap();
    }
    let mut session = session(&company);
    session.clock = Clock::Fixed(start + 48.hours());
    assert_eq!(sync(&session).await.outcome(), Outcome::Frozen);
    assert!(active(&company, 1));
    session.thaw(&[], "", "tester").unwrap();
    assert_eq!(sync(&session).await.outcome(), Outcome::Applied);
    assert!(!active(&company, 1));
}

/// A freeze stops a run that is under way before its next call, and what was not done is done later.
#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_stops_a_run_under_way() {
    let mut company = Company::new(60);
    company.break_with(&["slow=60"]);
    let running = session(&company);
    let session = running.clone();
    let task = tokio::spawn(async move { sync(&running).await });
    await_some("the first account", Duration::from_secs(30), || {
        let begun = company.file("app").exists() && !company.accounts("app").is_empty();
        begun.then_some(())
    });
    session.freeze(&[], "stop", "tester").unwrap();
    let report = task.await.unwrap();
    let accounts = company.accounts("app").len();
    assert_eq!(report.outcome(), Outcome::Frozen);
    assert!(accounts < 57, "all {accounts} accounts were made");
    let results = &report.targets[0].results;
    let skipped = results
        .iter()
        .filter(|r| matches!(&r.status, ChangeStatus::Skipped(why) if why.contains("frozen")))
        .count();
    assert!(skipped > 0, "{results:?}");
    assert!(
        results
            .iter()
            .all(|r| !matches!(r.status, ChangeStatus::Failed(_)))
    );
    session.thaw(&[], "", "tester").unwrap();
    for _ in 0..2 {
        sync(&session).await;
    }
    company.everybody_is_right("app");
}

/// A plan for a moment is the plan that a run makes when that moment has come.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_a_moment_is_what_a_run_then_does() {
    let mut company = Company::new(6);
    company.tables = "\n[[access]]\nname = \"office\"\neverybody = true\n\
        windows = [\"mon-fri 08:00-18:00\"]\nzone = \"Europe/Berlin\"\n"
        .to_owned();
    let mut session = session(&company);
    // A Friday at noon.
    let start: Timestamp = "2027-03-26T11:00:00Z".parse().unwrap();
    session.clock = Clock::Fixed(start);
    sync(&session).await;
    session
        .give_override(&suspend("p001", Some("26h"), Some("70h")))
        .unwrap();
    let grant = OverrideOrder {
        effect: OverrideEffect::Grant,
        ..suspend("p002", None, Some("30h"))
    };
    session.give_override(&grant).unwrap();
    let mut changed = 0;
    for hours in [1, 5, 6, 7, 25, 27, 29, 31, 42, 66, 67, 68, 69, 71, 78, 79] {
        let at = start + hours.hours();
        let mut then = session.clone();
        then.clock = Clock::Assumed(at);
        let planned = engine::plan(&then, &Request::default()).await.unwrap();
        let refused = engine::sync(&then, &Request::default()).await;
        assert!(refused.is_err(), "nothing is applied or remembered then");
        session.clock = Clock::Fixed(at);
        let ran = sync(&session).await;
        let plans = |report: &RunReport| report.targets[0].plan.clone().unwrap();
        let (planned, ran) = (plans(&planned), plans(&ran));
        assert_eq!(planned.changes, ran.changes, "{hours}");
        assert_eq!(planned.digest(), ran.digest(), "{hours}");
        assert_eq!(planned.held, ran.held, "{hours}");
        changed += ran.changes.len();
    }
    assert!(changed >= 12, "only {changed} changes in three days");
}
