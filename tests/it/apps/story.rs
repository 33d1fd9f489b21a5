//! One story for every application: a company's life through the real binary, against the application's simulator.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::company::Company;
use crate::support::process::await_some;
use crate::support::sim::{Application, Harm, Sim};

/// A policy of which only the rehearsal of a moment speaks.
const OFFICE: &str = "\n[[access]]\nname = \"office\"\neverybody = true\nzone = \"Europe/Berlin\"\nwindows = [\"mon-fri 08:00-18:00\"]\n";

/// A policy that is always or never open.
fn all_week(when: &str) -> String {
    format!(
        "\n[[access]]\nname = \"office\"\neverybody = true\nzone = \"UTC\"\nwindows = [\"{when}\"]\n"
    )
}

/// How many people.
pub(super) const PEOPLE: usize = 200;

/// What an account should be, or is: `active`, `login`, fields and `roles`, as one text each.
pub(super) type Shown = BTreeMap<String, String>;

/// An application with what its simulator shows.
pub(super) struct App<A: Application> {
    pub sim: Sim<A>,
    pub company: Company,
    /// What each account is, by a name that tells the person: read from the simulator itself.
    pub shown: fn(&mut A) -> BTreeMap<String, Shown>,
    /// What each person's account should be.
    pub wanted: fn(&Company) -> BTreeMap<String, Shown>,
    /// The operations that create, change and switch accounts, by the simulator's names.
    pub creates: &'static str,
    pub changes: &'static str,
    pub lists: &'static str,
}

impl<A: Application> App<A> {
    /// Everybody in the company is as wanted; everybody else is stopped.
    pub(super) fn everybody_is_right(&self, chapter: &str) {
        let shown = self.sim.within(self.shown);
        let wanted = (self.wanted)(&self.company);
        for (who, wanted) in &wanted {
            let shown = shown
                .get(who)
                .unwrap_or_else(|| panic!("{chapter}: {who} has no account"));
            assert_eq!(shown, wanted, "{chapter}: {who}");
        }
        for (who, shown) in shown.iter().filter(|(who, _)| !wanted.contains_key(*who)) {
            assert_eq!(
                shown.get("active").map(String::as_str),
                Some("no"),
                "{chapter}: {who}"
            );
        }
    }

    /// Runs until two runs in a row end well, at most so often: what the application did by itself shows in the next one.
    pub(super) fn settle(&self, chapter: &str, runs: usize) {
        self.company.publish();
        let mut last = String::new();
        let mut well = 0;
        for _ in 0..=runs {
            let output = self.company.provost(&["sync", "--live"]);
            let good = output.status.code() == Some(0);
            well = if good { well + 1 } else { 0 };
            if well == 2 {
                self.everybody_is_right(chapter);
                return;
            }
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            last = format!(
                "{}\n{}",
                String::from_utf8_lossy(&output.stderr),
                said.chars().take(4000).collect::<String>()
            );
        }
        panic!("{chapter}: not settled\n{last}");
    }

    /// How often the ledger says this.
    pub(super) fn count(&self, verb: &str) -> usize {
        self.sim.ledger(|ledger| ledger.count(verb))
    }

    /// Runs until the application has taken a call of this kind and says nothing, and kills the process there.
    pub(super) fn kill_at(&self, operation: &'static str, skip: usize) {
        self.kill_at_with(operation, skip, Harm::HangAfter);
    }

    /// The same, or before the application has taken the call.
    pub(super) fn kill_at_with(&self, operation: &'static str, skip: usize, harm: Harm) {
        self.company.publish();
        self.sim.fault(operation, skip, 1, harm);
        let mut child = Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["--config", "provost.toml", "--quiet", "sync"])
            .env_clear()
            .current_dir(self.company.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        await_some("the fault", Duration::from_secs(60), || {
            assert_eq!(child.try_wait().unwrap(), None, "{operation} never came");
            self.sim.faults_are_over().then_some(())
        });
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Joiners under bad conditions: throttling, a session that ends, failures, lost answers, and a crash.
    pub(super) fn join(&self) {
        // A crash between two steps: the process is killed while the application has taken the call and says nothing.
        self.kill_at(self.creates, 5);

        self.sim.throttle_every(Some(37));
        self.sim.fault(self.creates, 20, 1, Harm::Expire);
        self.sim.fault(self.creates, 10, 2, Harm::Status(500));
        self.sim.fault(self.creates, 15, 1, Harm::CutAfter);
        self.settle("joiners", 12);
        self.sim.throttle_every(None);
        assert!(self.sim.faults_are_over());
        assert_eq!(
            self.count("create"),
            self.company.people.len(),
            "nobody twice"
        );
    }

    /// Nothing has changed: nothing is written.
    pub(super) fn rest(&self) {
        let before = self.sim.ledger(|ledger| ledger.entries().len());
        self.company.sync(&[0]);
        self.company.run(&["sync", "--live"], &[0]);
        assert_eq!(
            self.sim.ledger(|ledger| ledger.entries().len()),
            before,
            "a second run writes nothing"
        );
    }

    /// Somebody leaves, which two reads must say, and comes back.
    pub(super) fn leave_and_return(&mut self, number: usize) {
        let before = self.count("create");
        let person = self.company.leave(number);
        self.company.sync(&[0, 13]);
        self.settle("leaver", 4);
        self.company.people.push(person);
        self.settle("rehire", 4);
        assert_eq!(self.count("create"), before, "the same account again");
        assert_eq!(self.count("delete"), 0);
    }

    /// The access windows of everybody close, and open again. `shut` makes of what somebody should have what it is behind
    /// a shut window: in some applications more than one switch.
    pub(super) fn shut_and_open(&mut self, shut: fn(&mut Shown)) {
        let people = self.company.people.len();
        self.company.tables += OFFICE;
        self.company.publish();
        let before = self.sim.ledger(|ledger| ledger.entries().len());
        let plan = |at: &str| {
            let output = self.company.provost(&["plan", "--at", at]);
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let evening = plan("2027-03-26 18:00 Europe/Berlin");
        assert!(
            evening.contains(&format!("Suspend ({people})")),
            "{evening}"
        );
        let day = plan("2027-03-26 17:59:59 Europe/Berlin");
        assert!(!day.contains("Suspend ("), "{day}");
        assert_eq!(
            self.sim.ledger(|ledger| ledger.entries().len()),
            before,
            "a plan writes nothing"
        );

        let usual = self.company.tables.replace(OFFICE, "");
        self.company.tables = format!("{usual}{}", all_week("never"));
        self.sim.fault("*", 40, 1, Harm::Expire);
        self.sim.fault(self.changes, 10, 1, Harm::CutAfter);
        self.sim.fault(self.changes, 20, 1, Harm::Status(503));
        for _ in 0..3 {
            self.company.sync(&[0, 11, 13]);
        }
        self.company.sync(&[0]);
        let shown = self.sim.within(self.shown);
        for (who, mut wanted) in (self.wanted)(&self.company) {
            shut(&mut wanted);
            assert_eq!(
                shown.get(&who),
                Some(&wanted),
                "behind a shut window: {who}"
            );
        }
        self.company.tables = format!("{usual}{}", all_week("always"));
        self.settle("the window opened", 4);
        self.company.tables = usual;
    }

    /// Changes while the application fails in part.
    pub(super) fn fail_in_part(&mut self) {
        for number in 20..40 {
            self.company.person(number).given = format!("Anew{number}");
        }
        self.sim.fault(self.changes, 2, 3, Harm::Status(503));
        self.sim.fault(self.changes, 3, 1, Harm::CutAfter);
        self.sim.fault(self.changes, 4, 1, Harm::Expire);
        self.sim.fault(self.lists, 0, 1, Harm::LoginPage);
        self.settle("partial failures", 6);
    }
}
