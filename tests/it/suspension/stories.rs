//! Random stories over the real engine, store and vault, with the practice application: people leave and come back, windows
//! close and open, calls are refused or their answers lost. Once nothing goes wrong any more, everybody who may is let in
//! with the password that the vault holds and has what they should have, everybody else is shut out, nothing is left to do,
//! and what somebody else deactivated stays so.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use provost::config::{Secrets, load};
use provost::engine::{self, Clock, Request, Session, View};
use provost::model::AccountPatch;
use provost::target::connect;
use provost::target::settings::{ConnectorSettings, SandboxSettings};

use super::*;

/// Deactivated by hand before the story begins.
const BY_HAND: usize = 1;
const SATURDAY: &str = "2027-03-27T12:00:00Z";
const MONDAY: &str = "2027-03-29T12:00:00Z";

const PROCEDURES: [&str; 4] = [
    "default = [\"deactivate\"]\naccess-window = [\"fuzz-password\", \"revoke-sessions\"]",
    "default = [\"fuzz-password\", \"revoke-sessions\", \"remove-entitlements\", \"deactivate\"]\naccess-window = [\"block-login\"]",
    "default = [\"block-login\", \"remove-entitlements\"]\naccess-window = [\"remove-entitlements\", \"fuzz-password\"]",
    "default = [\"fuzz-password\", \"reassign:quotes\", \"deactivate\"]\naccess-window = [\"fuzz-password\", \"block-login\"]",
];

const FAULTS: [&str; 12] = [
    "",
    "refuse=set-password",
    "refuse=end-sessions",
    "refuse=reassign",
    "refuse=update",
    "refuse=members",
    "lose-answer-of=set-password",
    "lose-answer-of=update",
    "lose-answer-of=members",
    "timeout-before-commit-every=2",
    "timeout-after-commit-every=2",
    "fail-every=3",
];

#[derive(Clone, Debug)]
enum Act {
    Leave(usize),
    Return(usize),
    Hours(i64),
    Fault(&'static str),
    Run(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let who = || prop::sample::select(vec![2_usize, 3, 4]);
    prop_oneof![
        2 => who().prop_map(Act::Leave),
        2 => who().prop_map(Act::Return),
        3 => (1..40_i64).prop_map(Act::Hours),
        3 => prop::sample::select(FAULTS.to_vec()).prop_map(Act::Fault),
        5 => any::<bool>().prop_map(Act::Run),
    ]
}

struct World {
    company: Company,
    session: Session,
}

impl World {
    fn begin(procedure: &str) -> Self {
        let mut company = company("managed");
        company.mapping = company.mapping.replace("adopt = true", "adopt = false");
        let extra = format!(
            "review-first-run = false\nledger = true\ncredentials = \"managed\"\nheir = {{ account = \"u-000001\" }}\n[target.suspend]\n{procedure}"
        );
        company.extra = Box::leak(extra.into_boxed_str());
        company.tables += "\n[[access]]\nname = \"office\"\neverybody = true\nwindows = [\"mon-fri 08:00-18:00\"]\nzone = \"Europe/Berlin\"\n";
        publish(&company);
        let loaded = load(&company.config(), Secrets::Load).unwrap_or_else(|p| panic!("{p}"));
        let mut session = Session::open(loaded.config).unwrap();
        session.clock = Clock::Fixed("2027-03-01T12:00:00Z".parse().unwrap());
        Self { company, session }
    }

    fn reload(&mut self) {
        publish(&self.company);
        let loaded = load(&self.company.config(), Secrets::Load).unwrap_or_else(|p| panic!("{p}"));
        self.session = self.session.with_config(loaded.config).unwrap();
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Leave(who) => self.company.leave(*who),
            Act::Return(who) => {
                if !self.company.people.iter().any(|one| one.number == *who) {
                    let person = Company::new(6).people.remove(*who);
                    self.company.people.push(person);
                }
            }
            Act::Hours(hours) => {
                let now = self.session.clock.now();
                let later = now.checked_add(jiff::SignedDuration::from_hours(*hours));
                self.session.clock = Clock::Fixed(later.unwrap());
            }
            Act::Fault(fault) => {
                let faults: Vec<&str> =
                    Some(*fault).into_iter().filter(|f| !f.is_empty()).collect();
                self.company.break_with(&faults);
            }
            Act::Run(live) => {
                self.reload();
                self.run(*live).await;
            }
        }
    }

    async fn run(&self, live: bool) -> engine::TargetReport {
        let view = if live { View::Reconcile } else { View::Sync };
        let request = Request {
            view,
            ..Request::default()
        };
        let mut report = engine::sync(&self.session, &request).await.unwrap();
        report.targets.remove(0)
    }

    /// Without faults, until nothing is left to do.
    async fn rest(&mut self, now: &str) {
        self.company.break_with(&[]);
        self.reload();
        self.session.clock = Clock::Fixed(now.parse().unwrap());
        let mut last = String::new();
        // Whoever is gone is believed to be gone after the second look.
        let mut quiet = 0;
        for _ in 0..12 {
            let report = self.run(true).await;
            let plan = report.plan.as_ref().unwrap();
            quiet = if plan.changes.is_empty() {
                quiet + 1
            } else {
                0
            };
            if quiet == 2 {
                return;
            }
            last = format!("{:?} {:?}", report.error, plan);
        }
        panic!("it never comes to rest: {last}");
    }

    fn shadow(&self, number: usize) -> Option<Shadow> {
        let who = Anchor::new(&anchor(number)).unwrap();
        self.session.state.shadow("app", &who).unwrap()
    }

    /// Whether the sealed password lets somebody in.
    fn signs_in(&self, number: usize) -> SignIn {
        let shadow = self.shadow(number).unwrap();
        let label = Label {
            target: "app".to_owned(),
            anchor: shadow.anchor.clone(),
            purpose: Purpose::Managed,
            generation: shadow.password.kept.unwrap(),
        };
        let vault = self.session.vault.as_ref().unwrap();
        let secret = vault.reveal(&label).unwrap().unwrap();
        let id = shadow.account.unwrap();
        practice(&self.company)
            .sign_in(&id, secret.expose_secret())
            .unwrap()
    }

    /// The generations of the passwords that the vault keeps for somebody.
    fn kept(&self, number: usize) -> Vec<u64> {
        let labels = self.session.vault.as_ref().unwrap().labels().unwrap();
        let theirs = labels.into_iter().filter(|label| {
            label.purpose == Purpose::Managed && label.anchor.as_str() == anchor(number)
        });
        theirs.map(|label| label.generation).collect()
    }

    fn is_here(&self, number: usize) -> bool {
        self.company.people.iter().any(|one| one.number == number)
    }

    fn shut(&self) {
        for number in 0..6 {
            let found = self.signs_in(number);
            assert_ne!(found, SignIn::In, "person {number} at night");
        }
    }

    fn open(&self) {
        let accounts = self.company.accounts("app");
        for number in 0..6 {
            let found = self.signs_in(number);
            let may = self.is_here(number) && number != BY_HAND;
            assert_eq!(found == SignIn::In, may, "person {number}: {found:?}");
            let shadow = self.shadow(number).unwrap();
            if !self.is_here(number) {
                continue;
            }
            assert!(shadow.suspended.is_empty(), "person {number}");
            let kept = self.kept(number);
            assert_eq!(kept, [shadow.password.kept.unwrap()], "person {number}");
            let account = accounts
                .iter()
                .find(|one| Some(&one.id) == shadow.account.as_ref());
            let held = account.unwrap().entitlements.clone().unwrap();
            assert_eq!(
                held.contains("crm"),
                number.is_multiple_of(3),
                "person {number}"
            );
            assert_eq!(
                held.len(),
                1 + usize::from(number.is_multiple_of(3)),
                "{held:?}"
            );
        }
        let by_hand = self.shadow(BY_HAND).unwrap().account.unwrap();
        let ledger = practice(&self.company).ledger().unwrap();
        let activated = ledger
            .iter()
            .any(|entry| entry.account == by_hand.0 && entry.what == "activate");
        assert!(!activated, "what somebody else deactivated stays so");
        assert_eq!(practice(&self.company).mails(), Ok(Vec::new()));
    }
}

/// Publishes with a login switch as well.
fn publish(company: &Company) {
    company.publish();
    let text = fs::read_to_string(company.config()).unwrap();
    let text = text.replace("block-login = false", "block-login = true");
    fs::write(company.config(), text).unwrap();
}

async fn story(procedure: &str, acts: &[Act]) {
    let mut world = World::begin(procedure);
    world.rest("2027-03-01T12:00:00Z").await;
    let by_hand = world.shadow(BY_HAND).unwrap().account.unwrap();
    let settings = SandboxSettings {
        unique: vec!["login".to_owned()],
        ledger: true,
        ..SandboxSettings::new(world.company.file("app"))
    };
    let administrator = connect(&ConnectorSettings::Sandbox(settings))
        .await
        .unwrap();
    let off = AccountPatch {
        active: Some(false),
        ..AccountPatch::default()
    };
    administrator.update(&by_hand, &off).await.unwrap();
    drop(administrator);
    for act in acts {
        world.act(act).await;
    }
    world.rest(SATURDAY).await;
    world.shut();
    world.rest(MONDAY).await;
    world.open();
}

#[test]
fn whatever_goes_wrong_everybody_ends_with_the_access_they_should_have() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases: 40,
        rng_seed: RngSeed::Fixed(1),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let strategy = (0..PROCEDURES.len(), prop::collection::vec(act(), 1..14));
    TestRunner::new(config)
        .run(&strategy, |(procedure, acts)| {
            runtime.block_on(story(PROCEDURES[procedure], &acts));
            Ok(())
        })
        .unwrap();
}
