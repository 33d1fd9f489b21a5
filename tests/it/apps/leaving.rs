//! Leavers of SecurityTrax, SmarterTrack and Salestrekker: every step in its order, visible in the plan, held by one that
//! fails, and resumed after the process was killed behind each of them.
//!
//! None of the three documents a call that hands work over while somebody is deactivated: in SecurityTrax history stays
//! with the leaver, in SmarterTrack tickets can be found but not moved, in Salestrekker the heir is named when deleting.

use super::story::App;
use crate::support::sim::{Application, Harm};

/// One call of a leaver's procedure.
pub(super) struct Call {
    /// The operation by the simulator's name.
    pub operation: &'static str,
    /// How many calls of this operation the run makes before this one, once it was killed behind the one before.
    pub skip: usize,
    /// What the ledger says then.
    pub line: String,
}

/// A leaver.
pub(super) struct Leaver {
    pub number: usize,
    /// The steps, as the plan names them.
    pub steps: &'static [&'static str],
    /// The calls of all steps.
    pub calls: Vec<Call>,
    /// The number of a call that is refused at first.
    pub refused: usize,
}

impl Leaver {
    fn new(number: usize, steps: &'static [&'static str], refused: usize) -> Self {
        let calls = Vec::new();
        Self {
            number,
            steps,
            calls,
            refused,
        }
    }

    fn call(mut self, operation: &'static str, skip: usize, line: String) -> Self {
        self.calls.push(Call {
            operation,
            skip,
            line,
        });
        self
    }

    /// The right to log in, the password, then the account, with reason and day.
    pub(super) fn securitytrax(number: usize) -> Self {
        let who = format!("p{number:03}");
        let steps = &["block-login", "fuzz-password", "deactivate"];
        Self::new(number, steps, 1)
            .call("PATCH users", 0, format!("set {who} can_login=false"))
            .call("PATCH users", 0, format!("password {who} set"))
            // A password that may have been set is set again, to the same.
            .call("PATCH users", 1, format!("set {who} active=false"))
    }

    /// Every role, then the password.
    pub(super) fn smartertrack(number: usize) -> Self {
        let who = format!("p{number:03}");
        let steps = &["deactivate", "fuzz-password"];
        Self::new(number, steps, 2)
            .call("RemoveUserFromRole", 0, format!("revoke {who} Agent"))
            .call("RemoveUserFromRole", 0, format!("revoke {who} Manager"))
            .call("SetUsersProperties", 0, format!("password {who} set"))
    }

    /// The account, then its workflows.
    pub(super) fn salestrekker(number: usize) -> Self {
        let who = format!("p{number:03}@example.org");
        let steps = &["deactivate", "remove-entitlements"];
        Self::new(number, steps, 1)
            .call("accountDisable", 0, format!("disable {who} "))
            .call("workflowUpdate", 0, format!("revoke {who} Home Loans"))
    }
}

/// What the ledger says since the page was turned. What comes with a line is left out of the comparison.
fn page<A: Application>(app: &App<A>) -> Vec<String> {
    app.sim.ledger(|ledger| {
        let lines = ledger.entries().iter();
        lines
            .map(|entry| format!("{} {} {}", entry.verb, entry.on, entry.detail))
            .filter(|line| !line.contains(" leave_reason=") && !line.contains(" last_day="))
            .collect()
    })
}

/// Somebody leaves: one run is refused in the middle, others are killed behind every call, and the last one finds nothing
/// lost and nothing twice.
pub(super) fn leave_step_by_step<A: Application>(app: &mut App<A>, leaver: &Leaver) {
    app.company.leave(leaver.number);
    match app.company.ldap {
        // A directory server is asked for whoever is missing, by anchor: one read is enough.
        Some(_) => app.company.publish(),
        None => drop(app.company.sync(&[13])),
    }
    app.sim.ledger(|ledger| drop(ledger.turn_page()));

    let plan = app.company.provost(&["plan"]);
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    let steps: Vec<&str> = plan
        .lines()
        .filter_map(|line| line.trim().strip_prefix("by "))
        .collect();
    let numbered = leaver.steps.iter().enumerate();
    let wanted: Vec<String> = numbered
        .map(|(n, step)| format!("{}. {step}", n + 1))
        .collect();
    assert_eq!(steps, wanted, "{plan}");

    let lines: Vec<&str> = leaver.calls.iter().map(|call| call.line.as_str()).collect();
    for (number, call) in leaver.calls.iter().enumerate() {
        if number == leaver.refused {
            // A step that fails holds the later ones, and is named.
            app.sim.fault(call.operation, 0, 1, Harm::Status(403));
            let said = app.company.sync(&[11]);
            assert!(app.sim.faults_are_over());
            let words: Vec<&str> = said.split_whitespace().collect();
            assert!(words.join(" ").contains("status 403"), "{said}");
            assert_eq!(page(app), lines[..number], "behind a refusal");
        }
        app.kill_at(call.operation, call.skip);
        assert_eq!(page(app), lines[..=number], "killed behind {}", call.line);
    }
    app.settle("a leaver by steps", 3);
    assert_eq!(page(app), lines, "nothing lost, nothing twice");
    let plan = app.company.run(&["plan"], &[0]);
    assert!(!plan.contains("Suspend ("), "{plan}");
    assert_eq!(app.count("delete"), 0);
}
