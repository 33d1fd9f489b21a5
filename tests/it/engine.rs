//! Whole cycles against a practice application that does wrong what applications do wrong.

use std::fs;

use provost::engine::{self, ChangeStatus, Request, RunReport, Session, TargetReport, View};
use provost::model::{
    Account, AccountDraft, AccountPatch, Action, Anchor, HeldWhy, Life, Outcome, Value,
};
use provost::target::connect;

use super::company::{Company, anchor, held};

fn session(company: &Company) -> Session {
    company.publish();
    super::company::session(&company.config())
}

fn request(view: View) -> Request {
    Request {
        view,
        ..Request::default()
    }
}

async fn sync(company: &Company) -> RunReport {
    engine::sync(&session(company), &request(View::Sync))
        .await
        .unwrap()
}

async fn plan(company: &Company, view: View) -> RunReport {
    engine::plan(&session(company), &request(view))
        .await
        .unwrap()
}

fn target<'a>(report: &'a RunReport, name: &str) -> &'a TargetReport {
    report.targets.iter().find(|t| t.target == name).unwrap()
}

/// Runs without faults until nothing is left, and shows that the next run writes nothing.
async fn come_to_rest(company: &mut Company, story: &str) {
    company.break_with(&[]);
    for _ in 0..4 {
        let report = sync(company).await;
        company.no_duplicates("app");
        if report.outcome() == Outcome::NothingToDo {
            let before = fs::read(company.file("app")).unwrap();
            let again = sync(company).await;
            assert_eq!(again.outcome(), Outcome::NothingToDo, "{story}");
            assert_eq!(target(&again, "app").results, [], "{story}");
            let after = fs::read(company.file("app")).unwrap();
            assert!(before == after, "{story}: the second run wrote something");
            company.everybody_is_right("app");
            return;
        }
    }
    let report = sync(company).await;
    panic!("{story} never comes to rest: {:#?}", target(&report, "app"));
}

/// Joiners, a mover, a rename with a move, leavers, an entitlement more and one less; every run under the same faults.
async fn life(faults: &[&str]) {
    let story = faults.join(" ");
    let mut company = Company::new(14);
    company.break_with(faults);
    for _ in 0..4 {
        sync(&company).await;
        company.no_duplicates("app");
    }
    company.person(1).title = "Chief".to_owned();
    company.person(2).uid = "renamed".to_owned();
    company.person(2).ou = "West";
    company.person(3).crm = false;
    company.person(4).crm = true;
    company.person(5).department = 0;
    company.person(6).external = true;
    company.leave(7);
    for _ in 0..4 {
        sync(&company).await;
        company.no_duplicates("app");
    }
    company.person(6).external = false;
    company.person(2).uid = "again".to_owned();
    company.person(4).crm = false;
    sync(&company).await;
    company.no_duplicates("app");
    come_to_rest(&mut company, &story).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_lost_answer_makes_a_second_account() {
    for every in 1..=5 {
        life(&[&format!("timeout-after-commit-every={every}")]).await;
    }
    for nth in [1, 3, 13] {
        life(&[&format!("lose-answer-of-create={nth}")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_done_is_done_later() {
    for every in [1, 2, 5] {
        life(&[&format!("timeout-before-commit-every={every}")]).await;
    }
    life(&["fail-after=3"]).await;
    life(&["cut-list"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_failures_and_nonsense_only_delay() {
    for fault in [
        "throttle-every=9",
        "fail-every=4",
        "garbage-every=5",
        "deny-auth-after=11",
    ] {
        life(&[fault]).await;
    }
    life(&["timeout-after-commit-every=3", "fail-every=7"]).await;
    life(&["timeout-after-commit-every=2", "throttle-every=8"]).await;
}

/// The mapping has no rule by which the account of a lost answer could be adopted: the intent must find it.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_creation_was_not_answered_is_found_by_its_intent() {
    let mut company = Company::new(3);
    company.mapping = company.mapping.replace("adopt = true\n", "adopt = false\n");
    company.break_with(&["timeout-after-commit-every=1"]);
    let report = sync(&company).await;
    assert_eq!(target(&report, "app").outcome, Outcome::PartlyFailed);
    assert_eq!(company.accounts("app").len(), 3, "they were made");
    come_to_rest(&mut company, "adopt = false").await;
}

/// Neither the answer nor the account itself could be read: the next run reads it, and then goes on.
#[tokio::test(flavor = "multi_thread")]
async fn an_unconfirmed_change_is_read_by_the_next_run() {
    for fault in [
        "timeout-after-commit-every=1",
        "timeout-before-commit-every=1",
    ] {
        let mut company = Company::new(2);
        come_to_rest(&mut company, fault).await;
        company.person(1).title = "Chief".to_owned();
        company.break_with(&[fault, "fail-every=2"]);
        let report = sync(&company).await;
        let results = &target(&report, "app").results;
        let unconfirmed = |status: &ChangeStatus| matches!(status, ChangeStatus::Unconfirmed(_));
        assert!(
            results.iter().all(|r| unconfirmed(&r.status)),
            "{results:?}"
        );
        assert_eq!(results.len(), 1);
        come_to_rest(&mut company, fault).await;
    }
}

/// An account that cannot be read holds its person and nobody else; a dry run sees the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_change_that_cannot_be_read_holds_one_person_only() {
    let mut company = Company::new(4);
    come_to_rest(&mut company, "before").await;
    company.person(1).title = "Chief".to_owned();
    company.person(2).title = "Chief".to_owned();
    // Two changes and two reads, all without an answer.
    company.break_with(&["timeout-after-commit-every=1", "fail-every=2"]);
    sync(&company).await;
    company.person(3).title = "Chief".to_owned();
    company.break_with(&["garbage-every=2"]);
    let planned = plan(&company, View::Sync).await;
    let report = sync(&company).await;
    let app = target(&report, "app");
    assert_eq!(app.outcome, Outcome::Held, "{app:#?}");
    let held = &app.plan.as_ref().unwrap().held;
    assert_eq!(held.len(), 1);
    assert!(matches!(held[0].why, HeldWhy::Unconfirmed(_)), "{held:?}");
    assert_eq!(held, &target(&planned, "app").plan.as_ref().unwrap().held);
    let value = |account: &Account, name| super::company::held(account, name).unwrap_or_default();
    let accounts = company.accounts("app");
    let third = accounts
        .iter()
        .find(|a| value(a, "login") == "p003")
        .unwrap();
    assert_eq!(value(third, "title"), "Chief");
    come_to_rest(&mut company, "garbage").await;
}

/// A grant that took effect although its answer was lost is ours to revoke.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_whose_answer_was_lost_is_revoked_when_it_is_no_longer_due() {
    let mut company = Company::new(3);
    come_to_rest(&mut company, "before").await;
    company.person(1).crm = true;
    company.break_with(&["timeout-after-commit-every=1"]);
    sync(&company).await;
    let crm = |company: &Company| {
        let accounts = company.accounts("app");
        let one = accounts
            .iter()
            .find(|a| held(a, "login").unwrap() == "p001");
        one.unwrap().entitlements.clone().unwrap().contains("crm")
    };
    assert!(crm(&company), "it was granted");
    company.person(1).crm = false;
    come_to_rest(&mut company, "after").await;
    assert!(!crm(&company));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_not_locked_out_is_never_reported_as_locked_out() {
    let mut company = Company::new(4);
    come_to_rest(&mut company, "before").await;
    company.leave(3);
    company.break_with(&["ignore-deactivate"]);
    sync(&company).await;
    for _ in 0..2 {
        let session = session(&company);
        let report = engine::sync(&session, &request(View::Sync)).await.unwrap();
        let app = target(&report, "app");
        assert_eq!(app.outcome, Outcome::PartlyFailed);
        assert!(matches!(app.results[0].change.action, Action::Suspend(_)));
        assert!(matches!(app.results[0].status, ChangeStatus::Failed(_)));
        let who = Anchor::new(&anchor(3)).unwrap();
        let shadow = session.state.shadow("app", &who).unwrap().unwrap();
        assert!(shadow.suspended.is_empty(), "{shadow:?}");
        assert_eq!(shadow.life, Life::Live);
    }
    come_to_rest(&mut company, "ignore-deactivate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_broken_application_does_not_touch_the_other() {
    for fault in ["deny-auth", "cut-list", "fail-every=1"] {
        let mut alone = Company::new(6);
        sync(&alone).await;
        let mut both = Company::new(6);
        both.targets.insert("broken", vec![fault.to_owned()]);
        let report = sync(&both).await;
        assert_eq!(
            target(&report, "broken").outcome,
            Outcome::Failed,
            "{fault}"
        );
        assert!(target(&report, "broken").error.is_some(), "{fault}");
        assert_eq!(target(&report, "app").outcome, Outcome::Applied, "{fault}");
        assert_eq!(report.outcome(), Outcome::Failed, "{fault}");
        assert_eq!(both.accounts("app"), alone.accounts("app"), "{fault}");
        assert_eq!(both.accounts("broken"), [], "{fault}");
        for company in [&mut alone, &mut both] {
            company.leave(5);
            sync(company).await;
            sync(company).await;
        }
        assert_eq!(both.accounts("app"), alone.accounts("app"), "{fault}");
        both.targets.insert("broken", Vec::new());
        sync(&both).await;
        both.everybody_is_right("broken");
    }
}

/// What somebody else changed is only reported where the policy says so, also after we changed something else ourselves.
#[tokio::test(flavor = "multi_thread")]
async fn reported_drift_stays_when_something_else_is_updated() {
    let mut company = Company::new(2);
    company.extra = "review-first-run = false\non-drift = \"report\"";
    come_to_rest(&mut company, "before").await;
    let id = company.accounts("app")[1].id.clone();
    let settings = session(&company).config.targets[0].connector.clone();
    let theirs = Value::Text("+1".to_owned());
    let patch = AccountPatch {
        attributes: [("phone".to_owned(), Some(theirs.clone()))].into(),
        ..AccountPatch::default()
    };
    let app = connect(&settings).await.unwrap();
    app.update(&id, &patch).await.unwrap();
    for person in &mut company.people {
        person.title = "Chief".to_owned();
    }
    for view in [View::Sync, View::Reconcile, View::Sync, View::Reconcile] {
        let session = session(&company);
        engine::sync(&session, &request(view)).await.unwrap();
        let account = company.accounts("app").remove(1);
        assert_eq!(held(&account, "title").as_deref(), Some("Chief"));
        assert_eq!(account.attributes.get("phone"), Some(&theirs), "{view:?}");
    }
}

/// Somebody's new login is held by an account that nobody manages: they get the next one, as a newcomer would.
#[tokio::test(flavor = "multi_thread")]
async fn a_rename_to_a_taken_login_takes_the_next_alternative() {
    let mut company = Company::new(3);
    come_to_rest(&mut company, "before").await;
    let settings = session(&company).config.targets[0].connector.clone();
    let app = connect(&settings).await.unwrap();
    let login = Value::Text("Taken".to_owned());
    let draft = AccountDraft {
        attributes: [("login".to_owned(), login)].into(),
    };
    app.create(&draft).await.unwrap();
    company.person(1).uid = "taken".to_owned();
    let report = sync(&company).await;
    assert_eq!(report.outcome(), Outcome::Applied);
    let accounts = company.accounts("app");
    let logins: Vec<_> = accounts.iter().map(|a| held(a, "login").unwrap()).collect();
    assert_eq!(logins, ["p000", "pson1", "p002", "Taken"]);
    assert_eq!(sync(&company).await.outcome(), Outcome::NothingToDo);
}

/// Accounts that administrators deleted are not made again, not counted and not missed, however many there come to be.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_were_deleted_long_ago_do_not_stop_a_reconciliation() {
    let mut company = Company::new(270);
    company.break_with(&[]);
    sync(&company).await;
    let ids: Vec<_> = company.accounts("app").into_iter().map(|a| a.id).collect();
    let settings = session(&company).config.targets[0].connector.clone();
    let app = connect(&settings).await.unwrap();
    for (part, gone) in [(&ids[..130], 130), (&ids[130..250], 250)] {
        for id in part {
            app.delete(id).await.unwrap();
        }
        for _ in 0..2 {
            let session = session(&company);
            let report = engine::sync(&session, &request(View::Reconcile)).await;
            let report = report.unwrap();
            let app = target(&report, "app");
            assert_eq!(app.error, None);
            let plan = app.plan.as_ref().unwrap();
            let why = |held: &&provost::model::Held| held.why == HeldWhy::AccountGone;
            assert_eq!(plan.held.iter().filter(why).count(), gone);
            assert!(plan.changes.iter().all(|c| c.action == Action::Update));
        }
        let plan = plan(&company, View::Reconcile).await;
        let managed = target(&plan, "app").plan.as_ref().unwrap().managed;
        assert_eq!(managed, ids.len() - gone);
    }
}

/// What a dry run shows is what a run does, with shadows or with a list, after edits by hand, and after a crash.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_exactly_what_the_dry_run_showed() {
    let mut company = Company::new(8);
    for person in &mut company.people {
        // Without managers there is no second pass, which no dry run can show.
        person.manager = None;
    }
    same(&company, View::Sync, 16).await;
    same(&company, View::Sync, 0).await;
    company.person(1).title = "Chief".to_owned();
    company.person(2).uid = "renamed".to_owned();
    company.person(3).crm = false;
    company.person(4).external = true;
    company.leave(5);
    same(&company, View::Sync, 4).await;
    // The second complete read proves who left.
    same(&company, View::Sync, 1).await;
    let accounts = company.accounts("app");
    let one = accounts
        .iter()
        .find(|a| held(a, "login").unwrap() == "p001");
    let id = one.unwrap().id.clone();
    let settings = session(&company).config.targets[0].connector.clone();
    let patch = AccountPatch {
        active: Some(false),
        attributes: [("title".to_owned(), Some(Value::Text("Imp".to_owned())))].into(),
        ..AccountPatch::default()
    };
    let app = connect(&settings).await.unwrap();
    app.update(&id, &patch).await.unwrap();
    same(&company, View::Sync, 0).await;
    same(&company, View::Reconcile, 1).await;
    company.person(4).external = false;
    same(&company, View::Reconcile, 1).await;
}

/// Plans, runs, and compares.
async fn same(company: &Company, view: View, changes: usize) {
    let planned = plan(company, view).await;
    let before = fs::read(company.file("app")).ok();
    assert_eq!(
        fs::read(company.file("app")).ok(),
        before,
        "a dry run writes nothing"
    );
    let session = session(company);
    let ran = engine::sync(&session, &request(view)).await.unwrap();
    let (planned, ran) = (target(&planned, "app"), target(&ran, "app"));
    let shown = planned.plan.as_ref().unwrap();
    let made = ran.plan.as_ref().unwrap();
    assert_eq!(shown.changes, made.changes);
    assert_eq!(shown.digest(), made.digest());
    assert_eq!(shown.held, made.held);
    assert_eq!(shown.notices, made.notices);
    assert_eq!(planned.verdict, ran.verdict);
    let done: Vec<_> = ran.results.iter().map(|result| &result.change).collect();
    assert_eq!(done, shown.changes.iter().collect::<Vec<_>>());
    assert_eq!(done.len(), changes, "{:#?}", shown.changes);
}
