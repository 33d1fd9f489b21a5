//! What holds for every directory, every application and every order of events, however names collide.
//!
//! A play is a list of things that happen, with runs among them; every run is judged, and at the end two more runs must
//! find nothing left to do. What went wrong once is kept as a play of its own in `found`.

mod app;
mod found;
mod given;
mod guard;
mod judge;
mod ways;
mod world;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use provost::model::{
    Account, AccountId, Action, Anchor, Capabilities, CredentialMode, How, Life, Plan, Shadow,
    Value,
};
use provost::reconcile::absence::Said;
use provost::reconcile::guard::{Approval, GuardContext, review};
use provost::reconcile::mapping::Mapping;
use provost::reconcile::{
    DriftPolicy, HeirRule, Limit, Limits, Procedures, Reconciled, SyncPolicy, TargetRules,
    reconcile,
};

use given::{Entry, PEOPLE, Reading, entry};
use world::{Rules, World, anchor};

const MAPPING: &str = include_str!("properties/mapping.toml");

static WITHOUT: LazyLock<Mapping> = LazyLock::new(|| Mapping::compile(MAPPING).unwrap());
static WITH: LazyLock<Mapping> = LazyLock::new(|| {
    let line = "alternatives = [\"{{ uid | lower }}{{ n }}\"]";
    Mapping::compile(&MAPPING.replace("#alternatives", line)).unwrap()
});

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    Hire(u8, Entry),
    Remove(u8),
    Operator(u8),
    /// Somebody's access window shuts, or opens.
    Window(u8),
    Later(i64),
    /// Somebody changes an account by hand.
    Edit(u8, Edit),
    Stranger(Option<&'static str>, &'static str, bool),
    /// The outcome of a call to this person's account is not known; twice: it is known again.
    Doubt(u8),
    Run(Reading),
}

#[derive(Clone, Debug)]
enum Edit {
    Active(bool),
    Login(&'static str),
    Title(&'static str),
    Grant(&'static str),
    Ungrant,
    Delete,
}

fn reading() -> impl Strategy<Value = Reading> {
    let unseen = prop::collection::btree_set(0..PEOPLE, 0..4);
    let said = prop::sample::select(vec![Said::NotThere, Said::There, Said::Nothing]);
    let asked = prop::collection::btree_map(0..PEOPLE, said, 0..6);
    let parts = (any::<bool>(), any::<bool>(), unseen, any::<bool>());
    let again = (asked, prop::bool::weighted(0.2));
    (parts, prop::bool::weighted(0.1), again).prop_map(
        |((live, partial, unseen, groupless), stale, (asked, other_server))| Reading {
            live,
            partial,
            unseen: if partial { unseen } else { BTreeSet::new() },
            groupless: groupless && partial,
            stale,
            asked,
            other_server,
        },
    )
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        any::<bool>().prop_map(Edit::Active),
        prop::sample::select(vec!["ann", "BEN", "dora"]).prop_map(Edit::Login),
        prop::sample::select(vec!["Boss", "Chief"]).prop_map(Edit::Title),
        prop::sample::select(vec!["crm", "bosses", "theirs"]).prop_map(Edit::Grant),
        Just(Edit::Ungrant),
        Just(Edit::Delete),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let login = prop::option::of(prop::sample::select(vec!["ann", "Ben", "root"]));
    let mail = prop::sample::select(vec!["a@x", "B@x", "z@x"]);
    prop_oneof![
        6 => (0..PEOPLE, entry()).prop_map(|(n, entry)| Event::Hire(n, entry)),
        2 => (0..PEOPLE).prop_map(Event::Remove),
        1 => (0..PEOPLE).prop_map(Event::Operator),
        2 => (0..PEOPLE).prop_map(Event::Window),
        1 => (1..30_i64).prop_map(Event::Later),
        3 => (0..12_u8, edit()).prop_map(|(n, edit)| Event::Edit(n, edit)),
        1 => (login, mail, any::<bool>()).prop_map(|(l, m, a)| Event::Stranger(l, m, a)),
        1 => (0..PEOPLE).prop_map(Event::Doubt),
        5 => reading().prop_map(Event::Run),
    ]
}

fn limits(limit: Limit) -> Limits {
    Limits {
        suspend: limit,
        suspend_per_day: limit,
        delete: limit,
        rename: limit,
        revoke: limit,
        create: limit,
        update: limit,
        reactivate: limit,
    }
}

/// Rules that set nothing aside.
fn rules(policy: SyncPolicy, drift: DriftPolicy, alternatives: bool) -> Rules {
    let generous = Limit {
        count: 1000,
        percent: 100.0,
    };
    Rules {
        rules: TargetRules {
            name: "tiny".to_owned(),
            policy,
            suspend: Procedures::always(vec![How::Deactivate]),
            credentials: CredentialMode::None,
            heir: HeirRule::default(),
            delete_after: Some(SignedDuration::from_hours(24)),
            suspend_out_of_scope: true,
            review_first_run: false,
            max_staleness_open: SignedDuration::from_hours(12),
            drift,
            protected_accounts: BTreeSet::from(["root".to_owned()]),
            protected_people: BTreeSet::from([anchor(7).to_string()]),
            limits: limits(generous),
        },
        mapping: if alternatives { &WITH } else { &WITHOUT },
        capabilities: Capabilities {
            deactivate: true,
            block_login: false,
            set_password: false,
            force_change: false,
            revoke_sessions: false,
            reassign: BTreeSet::new(),
            delete: true,
            list_inactive: true,
            entitlements: true,
            members_per_request: 100,
            inherits: false,
            parallelism: 1,
        },
    }
}

fn any_rules() -> impl Strategy<Value = (SyncPolicy, DriftPolicy, bool)> {
    let policy = prop_oneof![
        6 => Just(SyncPolicy::Sync),
        1 => Just(SyncPolicy::UpsertOnly),
        1 => Just(SyncPolicy::CreateOnly),
    ];
    let drift = prop_oneof![3 => Just(DriftPolicy::Repair), 1 => Just(DriftPolicy::Report)];
    (policy, drift, any::<bool>())
}

/// Takes somebody out of a set, or puts them in.
fn toggle(set: &mut BTreeSet<u8>, n: u8) {
    if !set.remove(&n) {
        set.insert(n);
    }
}

impl World {
    fn happen(&mut self, event: &Event, rules: &Rules) {
        match event {
            Event::Hire(n, entry) => drop(self.directory.insert(*n, entry.clone())),
            Event::Remove(n) => drop(self.directory.remove(n)),
            Event::Operator(n) => toggle(&mut self.imposed, *n),
            Event::Window(n) => toggle(&mut self.shut, *n),
            Event::Later(hours) => self.hours += hours,
            Event::Edit(n, edit) => self.edit(*n, edit),
            Event::Stranger(login, mail, active) => self.stranger(*login, mail, *active),
            Event::Doubt(n) => self.doubt(*n),
            Event::Run(reading) => drop(self.run(reading, rules)),
        }
    }

    fn edit(&mut self, n: u8, edit: &Edit) {
        let ids: Vec<AccountId> = self.accounts.keys().cloned().collect();
        let Some(id) = ids.get(usize::from(n) % ids.len().max(1)) else {
            return;
        };
        let taken = |login| self.holder(login).is_some();
        if matches!(edit, Edit::Login(login) if taken(login)) {
            return;
        }
        let account = self.accounts.get_mut(id).unwrap();
        let mut set = |name: &str, value: &str| {
            let value = Value::Text(value.to_owned());
            account.attributes.insert(name.to_owned(), value);
        };
        match edit {
            Edit::Active(active) => account.active = Some(*active),
            Edit::Login(login) => set("login", login),
            Edit::Title(title) => set("title", title),
            Edit::Grant(name) => {
                let held = account.entitlements.get_or_insert_default();
                held.insert((*name).to_owned());
            }
            Edit::Ungrant => account.entitlements = Some(BTreeSet::new()),
            Edit::Delete => drop(self.accounts.remove(id)),
        }
    }

    fn doubt(&mut self, n: u8) {
        let life = Life::Unconfirmed {
            doing: "update".to_owned(),
        };
        match self.shadows.get_mut(&anchor(n)) {
            Some(shadow) if shadow.life == Life::Live => shadow.life = life,
            Some(shadow) if matches!(shadow.life, Life::Unconfirmed { .. }) => {
                shadow.life = Life::Live;
                if shadow.account.is_none() {
                    self.shadows.remove(&anchor(n));
                }
            }
            Some(_) => {}
            None => {
                let origin = provost::model::Origin::Created;
                let mut shadow = Shadow::new(anchor(n), format!("Person {n}"), origin);
                shadow.life = life;
                self.shadows.insert(anchor(n), shadow);
            }
        }
    }

    /// One run: look, decide in several orders, judge, apply.
    fn run(&mut self, reading: &Reading, rules: &Rules) -> Plan {
        let reading = &self.read(reading);
        if reading.live {
            self.observe();
        }
        let situation = self.situation(reading, rules, 0);
        let decided: Reconciled = reconcile(&situation);
        for seed in [1, 2, 4] {
            let other = reconcile(&self.situation(reading, rules, seed));
            assert_eq!(decided, other, "the order of the input changed the plan");
            assert_eq!(decided.plan.digest(), other.plan.digest());
        }
        judge::safety(self, reading, rules, &situation.people, &decided.plan);
        let context = GuardContext {
            now: self.now(),
            reviewed_before: true,
            recent_destructive: 0,
            created: BTreeSet::new(),
            approval: Approval::None,
        };
        let verdict = review(&decided.plan, &rules.rules, &context);
        assert_eq!(verdict.staged, [], "the limits are generous");
        assert_eq!(verdict.approved.changes(), decided.plan.changes);
        let refused = self.apply(&verdict.approved, rules);
        assert!(
            !reading.live || refused.is_empty(),
            "with every account before our eyes nothing can be refused: {refused:?}"
        );
        decided.plan
    }

    /// The accounts of everybody whom a plan did not set aside.
    fn not_held(&self, plan: &Plan) -> Vec<Account> {
        let held: BTreeSet<&Anchor> = plan.held.iter().map(|held| &held.anchor).collect();
        let shadows = self.shadows.values();
        let theirs = shadows.filter(|shadow| !held.contains(&shadow.anchor));
        let ids = theirs.filter_map(|shadow| shadow.account.as_ref());
        ids.filter_map(|id| self.accounts.get(id).cloned())
            .collect()
    }

    /// Runs until nothing is left to do; the second run only completes what waited in the first.
    fn converge(&mut self, rules: &Rules) -> Plan {
        for shadow in self.shadows.values_mut() {
            if matches!(shadow.life, Life::Unconfirmed { .. }) {
                shadow.life = Life::Live;
            }
        }
        self.shadows.retain(|_, shadow| shadow.account.is_some());
        self.read(&Reading::FULL);
        self.read(&Reading::FULL);
        let mut plan = self.run(&Reading::FULL, rules);
        for _ in 0..PEOPLE + 2 {
            let waited: BTreeSet<Anchor> = plan
                .held
                .iter()
                .map(|held| held.anchor.clone())
                .chain(plan.pending.iter().cloned())
                .collect();
            plan = self.run(&Reading::FULL, rules);
            for change in &plan.changes {
                assert!(
                    waited.contains(&change.anchor),
                    "a second run changed {} again: {change:?}",
                    change.anchor
                );
            }
            if plan.changes.is_empty() {
                // A sync does not see that somebody else has already made what is wanted, and says it once more; nor
                // that a stranger holds a name, and then the application refuses. Neither changes anything there.
                let before = self.not_held(&plan);
                for _ in 0..2 {
                    let sync = Reading {
                        live: false,
                        ..Reading::FULL
                    };
                    self.run(&sync, rules);
                    assert_eq!(before, self.not_held(&plan), "a sync afterwards");
                }
                return plan;
            }
        }
        panic!("it never comes to rest: {:?}", plan.changes);
    }
}

/// Plays and comes to rest; returns the last plan.
fn play(events: &[Event], rules: &Rules) -> (World, Plan) {
    let mut world = World::new();
    for event in events {
        world.happen(event, rules);
    }
    let plan = world.converge(rules);
    (world, plan)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 250,
        // The same plays everywhere: whoever looks for more changes the seed and the number.
        rng_seed: RngSeed::Fixed(1),
        max_shrink_iters: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Every run is safe, whatever happened before, and in the end everybody has what they should have.
    #[test]
    fn every_run_is_safe_and_comes_to_rest(
        events in prop::collection::vec(event(), 1..28),
        (policy, drift, alternatives) in any_rules(),
    ) {
        let rules = rules(policy, drift, alternatives);
        let (world, plan) = play(&events, &rules);
        judge::justice(&world, &rules, &plan);
    }

    /// A rename, a move to another OU or another spelling keeps the account.
    #[test]
    fn whoever_has_an_account_keeps_it_through_renames_and_moves(
        people in prop::collection::btree_map(0..PEOPLE, entry(), 2..8),
        changes in prop::collection::vec((0..PEOPLE, "[abcAB]{1,2}", any::<bool>(), any::<bool>()), 1..5),
        live in any::<bool>(),
    ) {
        let rules = rules(SyncPolicy::Sync, DriftPolicy::Repair, true);
        let mut world = World::new();
        world.directory = people;
        world.converge(&rules);
        let before = world.accounts.len();
        let names = ["ann", "BEN", "cleo", "Dora", "e"];
        for (n, seed, ou, upper) in changes {
            if let Some(entry) = world.directory.get_mut(&n) {
                entry.uid = Some(names[seed.len() * usize::from(n) % names.len()]);
                entry.ou = ou;
                entry.upper = upper;
                entry.unreadable = false;
            }
        }
        let had: BTreeSet<Anchor> = world.shadows.keys().cloned().collect();
        let plan = world.run(&Reading { live, ..Reading::FULL }, &rules);
        for change in plan.changes.iter().filter(|change| had.contains(&change.anchor)) {
            prop_assert!(
                matches!(change.action, Action::Update | Action::Entitle),
                "{change:?}"
            );
        }
        let made = plan.changes.iter().filter(|c| c.action == Action::Create).count();
        prop_assert_eq!(world.accounts.len(), before + made);
    }

    /// A time later, or another run in between: a plan that is not applied stays what it was.
    #[test]
    fn a_digest_does_not_depend_on_the_clock(
        events in prop::collection::vec(event(), 1..16),
    ) {
        let rules = rules(SyncPolicy::Sync, DriftPolicy::Repair, true);
        let mut world = World::new();
        for event in &events {
            world.happen(event, &rules);
        }
        // Nobody's dates come between now and a second later.
        world.read(&Reading::FULL);
        let now = world.situation(&Reading::FULL, &rules, 0);
        let mut later = world.situation(&Reading::FULL, &rules, 5);
        later.now = later.now.checked_add(SignedDuration::from_secs(1)).unwrap();
        later.basis.now = later.now;
        prop_assert_eq!(reconcile(&now).plan.digest(), reconcile(&later).plan.digest());
    }
}
