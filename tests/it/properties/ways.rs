//! However access is taken away: by any steps in any order, for any reasons in any order. What was taken is given back, and
//! exactly that; nobody who has left is let in by a window.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use provost::model::{
    Account, AccountId, Action, CredentialMode, How, Plan, SuspendReason, Suspensions,
};
use provost::reconcile::{DriftPolicy, Procedures, SyncPolicy};

use super::given::{Entry, PEOPLE, Reading, entry};
use super::world::{Rules, Secret, World, anchor, number};
use super::{Edit, any_rules, event, judge, play};

/// Steps of which one at least keeps people out.
fn steps() -> impl Strategy<Value = Vec<How>> {
    let all = vec![
        How::Deactivate,
        How::BlockLogin,
        How::FuzzPassword,
        How::RemoveEntitlements,
        How::RevokeSessions,
    ];
    let some = prop::sample::subsequence(all, 1..=5).prop_shuffle();
    some.prop_filter("somebody must be kept out", |steps| {
        steps.iter().any(How::stops_access)
    })
}

/// Procedures for everything, with their own for some reasons.
fn procedures() -> impl Strategy<Value = Procedures> {
    let reasons = prop::sample::select(SuspendReason::ALL.to_vec());
    let own = prop::collection::btree_map(reasons, steps(), 0..4);
    (steps(), own).prop_map(|(default, by_reason)| Procedures { default, by_reason })
}

fn mode() -> impl Strategy<Value = CredentialMode> {
    prop_oneof![Just(CredentialMode::Managed), Just(CredentialMode::Reset)]
}

/// Rules of a target that can do everything.
fn able(mut rules: Rules, suspend: Procedures, credentials: CredentialMode) -> Rules {
    rules.rules.suspend = suspend;
    rules.rules.credentials = credentials;
    let can = &mut rules.capabilities;
    (
        can.block_login,
        can.set_password,
        can.force_change,
        can.revoke_sessions,
    ) = (true, true, true, true);
    rules
}

fn usual(suspend: Procedures, credentials: CredentialMode) -> Rules {
    let rules = super::rules(SyncPolicy::Sync, DriftPolicy::Repair, true);
    let mut rules = able(rules, suspend, credentials);
    rules.rules.delete_after = None;
    rules
}

/// A reason that comes or goes.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Window(u8),
    Operator(u8),
    Disabled(u8),
    Contractor(u8),
    /// Gone from the directory, or back in it.
    Leaves(u8),
    /// A run; with the accounts read or not.
    Run(bool),
}

fn turn() -> impl Strategy<Value = Turn> {
    let who = || 0..PEOPLE;
    prop_oneof![
        4 => who().prop_map(Turn::Window),
        2 => who().prop_map(Turn::Operator),
        2 => who().prop_map(Turn::Disabled),
        1 => who().prop_map(Turn::Contractor),
        2 => who().prop_map(Turn::Leaves),
        6 => any::<bool>().prop_map(Turn::Run),
    ]
}

/// People without any reason not to have an account.
fn staff() -> impl Strategy<Value = BTreeMap<u8, Entry>> {
    let one = entry().prop_map(|entry| Entry {
        contractor: false,
        disabled: false,
        ends: None,
        starts: None,
        unreadable: false,
        ..entry
    });
    prop::collection::btree_map(0..PEOPLE, one, 1..6)
}

/// The company with its accounts, some of which hold what nobody asked for.
fn company(people: &BTreeMap<u8, Entry>, extra: &[u8], rules: &Rules) -> World {
    let mut world = World::new();
    world.directory.clone_from(people);
    world.converge(rules);
    for n in extra {
        world.edit(*n, &Edit::Grant("theirs"));
    }
    world.converge(rules);
    world
}

/// What the application holds, for comparing. The number of a password is its value.
type Held = BTreeMap<AccountId, (Account, Secret)>;

fn held(world: &World) -> Held {
    let all = world.accounts.iter();
    all.map(|(id, account)| (id.clone(), (account.clone(), world.passwords[id])))
        .collect()
}

/// What one access was like before, and is like again.
fn given_back(before: &Held, after: &Held, mode: CredentialMode) {
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    for (id, (account, secret)) in before {
        let (again, now) = &after[id];
        assert_eq!(account, again);
        match (mode, secret) {
            (CredentialMode::Managed, Secret::Made(_)) => assert_eq!(secret, now, "{id}"),
            _ => assert_ne!(*now, Secret::Nobodys, "{id} is locked out for good"),
        }
    }
}

impl World {
    fn turn(&mut self, turn: Turn, people: &BTreeMap<u8, Entry>, rules: &Rules) {
        match turn {
            Turn::Window(n) => super::toggle(&mut self.shut, n),
            Turn::Operator(n) => super::toggle(&mut self.imposed, n),
            Turn::Disabled(n) => {
                if let Some(entry) = self.directory.get_mut(&n) {
                    entry.disabled ^= true;
                }
            }
            Turn::Contractor(n) => {
                if let Some(entry) = self.directory.get_mut(&n) {
                    entry.contractor ^= true;
                }
            }
            Turn::Leaves(n) => {
                if self.directory.remove(&n).is_none()
                    && let Some(entry) = people.get(&n)
                {
                    self.directory.insert(n, entry.clone());
                }
            }
            Turn::Run(live) => {
                let reading = Reading {
                    live,
                    ..Reading::FULL
                };
                let first = self.run(&reading, rules);
                if live {
                    // Nothing is taken or given in two goes, or to and fro. Who was missing once is gone for the second.
                    let sure = |who| {
                        let n = number(who);
                        self.directory.contains_key(&n) || self.missed.get(&n) == Some(&2)
                    };
                    let known: BTreeSet<_> =
                        self.shadows.keys().filter(|w| sure(w)).cloned().collect();
                    let second = self.run(&reading, rules);
                    let settled = |who| {
                        !first.held.iter().any(|held| held.anchor == who)
                            && !first.pending.contains(&who)
                            && known.contains(&who)
                    };
                    for change in accesses(&second) {
                        assert!(!settled(change.anchor.clone()), "{change:?}");
                    }
                }
            }
        }
    }

    /// Every reason goes away again.
    fn amnesty(&mut self, people: &BTreeMap<u8, Entry>, rules: &Rules) {
        self.shut.clear();
        self.imposed.clear();
        self.directory.clone_from(people);
        self.converge(rules);
    }
}

fn accesses(plan: &Plan) -> impl Iterator<Item = &provost::model::Change> {
    let moves = |action: &Action| matches!(action, Action::Suspend(_) | Action::Reactivate(_));
    let all = plan.changes.iter().map(AsRef::as_ref);
    all.filter(move |change: &&provost::model::Change| moves(&change.action))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 250,
        rng_seed: RngSeed::Fixed(1),
        max_shrink_iters: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The play of all plays, with every way to take access away.
    #[test]
    fn every_run_is_safe_however_access_is_taken_away(
        events in prop::collection::vec(event(), 1..28),
        (policy, drift, alternatives) in any_rules(),
        procedures in procedures(),
        mode in mode(),
    ) {
        let rules = able(super::rules(policy, drift, alternatives), procedures, mode);
        let (world, plan) = play(&events, &rules);
        judge::justice(&world, &rules, &plan);
    }

    /// Reasons come and go, and once all are gone everybody has exactly what they had: flags, groups, password.
    #[test]
    fn what_was_taken_is_given_back_exactly(
        people in staff(),
        extra in prop::collection::vec(0..12_u8, 0..4),
        turns in prop::collection::vec(turn(), 1..20),
        procedures in procedures(),
        mode in mode(),
    ) {
        let rules = usual(procedures, mode);
        let mut world = company(&people, &extra, &rules);
        let before = held(&world);
        for turn in &turns {
            world.turn(*turn, &people, &rules);
        }
        world.amnesty(&people, &rules);
        given_back(&before, &held(&world), mode);
    }

    /// Whoever has left, is disabled or out of scope is not let in by any window that opens, in whatever order things happen.
    #[test]
    fn no_window_revives_anybody(
        people in staff(),
        turns in prop::collection::vec(turn(), 1..12),
        procedures in procedures(),
        mode in mode(),
    ) {
        let rules = usual(procedures, mode);
        let mut world = company(&people, &[], &rules);
        for turn in &turns {
            world.turn(*turn, &people, &rules);
        }
        world.converge(&rules);
        // Every window opens; nothing else changes.
        let windows = std::mem::take(&mut world.shut);
        let plan = world.run(&Reading::FULL, &rules);
        for change in accesses(&plan) {
            let only = Suspensions::from([SuspendReason::AccessWindow]);
            prop_assert!(
                !matches!(change.action, Action::Reactivate(_)) || change.suspended_before == only,
                "{:?}", change
            );
            prop_assert!(windows.iter().any(|n| anchor(*n) == change.anchor));
        }
    }

    /// In which order reasons come makes no difference to who is kept out, and to what they have afterwards.
    #[test]
    fn the_order_of_reasons_makes_no_difference(
        people in staff(),
        (turns, other) in reasons().prop_flat_map(|turns| {
            (Just(turns.clone()), Just(turns).prop_shuffle())
        }),
        live in any::<bool>(),
        procedures in procedures(),
        mode in mode(),
    ) {
        let rules = usual(procedures, mode);
        let mut ends = Vec::new();
        for order in [turns, other] {
            let mut world = company(&people, &[], &rules);
            for turn in order {
                world.turn(turn, &people, &rules);
                world.turn(Turn::Run(live), &people, &rules);
            }
            let plan = world.converge(&rules);
            judge::justice(&world, &rules, &plan);
            let out: Vec<bool> = world.accounts.values().map(|one| is_out(&world, one)).collect();
            world.amnesty(&people, &rules);
            ends.push((out, world.accounts));
        }
        prop_assert_eq!(&ends[0], &ends[1]);
    }
}

/// Turns that mean the same in any order: nothing changes about the entry of somebody who is not in the directory then.
fn reasons() -> impl Strategy<Value = Vec<Turn>> {
    prop::collection::vec(turn(), 2..8).prop_map(|turns| {
        let leaves: BTreeSet<u8> = turns
            .iter()
            .filter_map(|turn| {
                if let Turn::Leaves(n) = turn {
                    Some(*n)
                } else {
                    None
                }
            })
            .collect();
        let about = |turn: &Turn| match turn {
            Turn::Disabled(n) | Turn::Contractor(n) => !leaves.contains(n),
            Turn::Window(_) | Turn::Operator(_) | Turn::Leaves(_) => true,
            Turn::Run(_) => false,
        };
        turns.into_iter().filter(about).collect()
    })
}

/// Whether nobody can get in with this account.
fn is_out(world: &World, account: &Account) -> bool {
    account.active == Some(false)
        || account.login_allowed == Some(false)
        || world.passwords[&account.id] == Secret::Nobodys
}
