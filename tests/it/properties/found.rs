//! What went wrong once.

use std::collections::BTreeSet;

use provost::model::{AccountId, Action, HeldWhy, Plan, Reason, SuspendReason, Suspensions, Value};
use provost::reconcile::{DriftPolicy, SyncPolicy};

use super::given::{Entry, Reading};
use super::world::{Rules, World};
use super::{Event, rules};

fn usual() -> Rules {
    rules(SyncPolicy::Sync, DriftPolicy::Repair, false)
}

fn clerk(uid: &'static str, mail: &'static str) -> Entry {
    Entry {
        uid: Some(uid),
        mail: Some(mail),
        title: Some("Clerk"),
        contractor: false,
        disabled: false,
        ends: None,
        starts: None,
        manager: None,
        groups: BTreeSet::new(),
        ou: false,
        upper: false,
        unreadable: false,
    }
}

/// A world in which these people have their accounts.
fn with(people: &[(u8, Entry)]) -> World {
    let mut world = World::new();
    world.directory = people.iter().cloned().collect();
    world.run(&Reading::FULL, &usual());
    assert_eq!(world.accounts.len(), people.len());
    world
}

fn only_held(plan: &Plan) -> &HeldWhy {
    assert_eq!(plan.changes, []);
    assert_eq!(plan.held.len(), 1, "{:?}", plan.held);
    &plan.held[0].why
}

fn partial(unseen: &[u8]) -> Reading {
    Reading {
        partial: true,
        unseen: unseen.iter().copied().collect(),
        ..Reading::FULL
    }
}

#[test]
fn the_accounts_of_an_ambiguous_match_are_named_in_one_order() {
    // `run` decides in several orders and compares.
    let mut world = with(&[(0, clerk("ann", "a@x")), (1, clerk("ben", "A@x"))]);
    world.directory.insert(2, clerk("cleo", "a@x"));
    let plan = world.run(&Reading::FULL, &usual());
    let HeldWhy::Ambiguous { accounts, .. } = only_held(&plan) else {
        panic!("{:?}", plan.held);
    };
    let ids = ["u-001", "u-002"].map(|id| AccountId(id.to_owned()));
    assert_eq!(accounts, &ids);
}

#[test]
fn who_may_have_an_account_that_we_do_not_know_gets_no_other() {
    let mut world = World::new();
    world.happen(&Event::Doubt(0), &usual());
    world.directory.insert(0, clerk("ann", "a@x"));
    for stranger in [false, true] {
        if stranger {
            // Not even one that matches is taken before the open call is resolved.
            world.stranger(None, "a@x", true);
        }
        let plan = world.run(&Reading::FULL, &usual());
        assert!(matches!(only_held(&plan), HeldWhy::Unconfirmed(_)));
    }
    world.happen(&Event::Doubt(0), &usual());
    let plan = world.run(&Reading::FULL, &usual());
    assert_eq!(plan.changes[0].action, Action::Link);
}

#[test]
fn an_unproven_absence_is_never_written_down_as_a_leaver() {
    let mut disabled = clerk("ann", "a@x");
    let mut world = with(&[(0, disabled.clone())]);
    disabled.disabled = true;
    world.directory.insert(0, disabled);
    world.run(&Reading::FULL, &usual());
    // Somebody makes the account usable again, and the next read loses the person.
    for account in world.accounts.values_mut() {
        account.active = Some(true);
    }
    let plan = world.run(&partial(&[0]), &usual());
    assert_eq!(plan.changes[0].reason, Reason::Drift);
    let reasons = Suspensions::from([SuspendReason::SourceDisabled]);
    assert_eq!(plan.changes[0].suspended_after, reasons);
}

#[test]
fn a_partial_read_suspends_for_what_it_proves_and_for_nothing_else() {
    let mut world = with(&[(0, clerk("ann", "a@x"))]);
    let mut contractor = clerk("ann", "a@x");
    contractor.contractor = true;
    world.directory.insert(0, contractor);
    let plan = world.run(&partial(&[]), &usual());
    assert_eq!(only_held(&plan), &HeldWhy::ScopeUnproven);
    world.happen(&Event::Operator(0), &usual());
    let plan = world.run(&partial(&[]), &usual());
    let reason = SuspendReason::Operator;
    assert_eq!(plan.changes[0].reason, Reason::Suspended(reason));
    assert_eq!(plan.changes[0].suspended_after, Suspensions::from([reason]));
}

#[test]
fn a_login_that_was_lost_and_taken_is_not_claimed_back() {
    let mut world = with(&[(0, clerk("ann", "a@x"))]);
    for account in world.accounts.values_mut() {
        let ben = Value::Text("ben".to_owned());
        account.attributes.insert("login".to_owned(), ben);
    }
    world.stranger(Some("ann"), "z@x", true);
    let plan = world.run(&Reading::FULL, &usual());
    assert!(matches!(only_held(&plan), HeldWhy::NameTaken { .. }));
}

#[test]
fn no_newcomer_keeps_somebody_from_getting_their_login_back() {
    let mut world = with(&[(0, clerk("ann", "a@x"))]);
    for account in world.accounts.values_mut() {
        let ben = Value::Text("ben".to_owned());
        account.attributes.insert("login".to_owned(), ben);
    }
    world.directory.insert(1, clerk("ann", "b@x"));
    world.directory.insert(2, clerk("ann", "c@x"));
    let plan = world.run(&Reading::FULL, &usual());
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(plan.changes[0].action, Action::Update);
    assert_eq!(plan.held.len(), 2);
    assert_eq!(
        plan.held
            .iter()
            .filter(|h| h.anchor == plan.changes[0].anchor)
            .count(),
        0
    );
}
