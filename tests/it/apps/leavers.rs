//! People with work leave ServiceTrade: every step in its order, visible in the plan, resumed after a failure and a crash.

use std::collections::BTreeSet;

use super::servicetrade::app;
use super::story::{App, PEOPLE};
use crate::support::secrets;
use crate::support::sim::servicetrade::{SWITCHES, Servicetrade, Work};
use crate::support::sim::{Harm, Setting};

/// The order that the help page asks for. The password first, where it can be set at all.
const STEPS: &str = "\"fuzz-password\", \"reassign:quotes\", \"reassign:jobs\", \"reassign:appointments\", \"reassign:preferred-services\", \"deactivate\"";

/// A company of this size whose leavers go by the procedure.
pub(super) fn company(people: usize, mode: &str) -> App<Servicetrade> {
    let mut app = app(&Setting::first(SWITCHES), people);
    let rules = format!(
        "credentials = \"{mode}\"\nsuspend = {{ default = [\"deactivate\"], leaver = [{STEPS}] }}\n"
    );
    app.company.target.insert_str(0, &rules);
    app.company.tables = secrets::table(app.company.path());
    app
}

pub(super) fn id(app: &App<Servicetrade>, number: usize) -> i64 {
    let name = format!("p{number:03}@example.org");
    app.sim
        .within(|app| app.named(&name).map(|(id, _)| id))
        .unwrap()
}

/// Two quotes, two jobs, an appointment and a recurring service, of which the last two are shared with somebody else.
pub(super) fn give_work(app: &App<Servicetrade>, number: usize, mate: usize) {
    let (own, mate) = (id(app, number), id(app, mate));
    let owned = |status: &str| Work {
        owner: Some(own),
        status: status.to_owned(),
        ..Work::default()
    };
    let teamed = |status: &str| Work {
        techs: BTreeSet::from([own, mate]),
        status: status.to_owned(),
        ..Work::default()
    };
    app.sim.within(|app| {
        for _ in 0..2 {
            app.add_work("quote", owned("open"));
        }
        for status in ["scheduled", "new", "completed"] {
            app.add_work("job", owned(status));
        }
        app.add_work("appointment", teamed("scheduled"));
        app.add_work("servicerequest", teamed("open"));
    });
}

/// What the ledger says since the page was turned, without numbers: what a crash or a repetition would double shows.
pub(super) fn page(app: &App<Servicetrade>) -> Vec<String> {
    app.sim.ledger(|ledger| {
        let lines = ledger.entries().iter().map(|entry| match entry.verb {
            "reassign" => format!("reassign {}", entry.on.split(' ').next().unwrap()),
            verb => format!("{verb} {} {}", entry.on, entry.detail),
        });
        lines.collect()
    })
}

pub(super) fn turn_page(app: &App<Servicetrade>) {
    app.sim.ledger(|ledger| drop(ledger.turn_page()));
}

pub(super) const MOVED: [&str; 6] = [
    "reassign quote",
    "reassign quote",
    "reassign job",
    "reassign job",
    "reassign appointment",
    "reassign servicerequest",
];

#[test]
fn a_leavers_steps_are_planned_kept_in_order_and_resumed() {
    let mut app = company(PEOPLE, "managed");
    app.settle("joiners", 4);
    give_work(&app, 12, 15);
    let (leaver, heir) = (id(&app, 12), id(&app, 0));
    app.company.leave(12);
    app.company.sync(&[13]);
    turn_page(&app);

    let plan = app.company.provost(&["plan"]);
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    let steps: Vec<&str> = plan
        .lines()
        .filter_map(|line| line.trim().strip_prefix("by "))
        .collect();
    let named = |step: &str| format!("{step} to account \"{heir}\"");
    assert_eq!(
        steps,
        [
            "1. fuzz-password".to_owned(),
            named("2. reassign:quotes"),
            named("3. reassign:jobs"),
            named("4. reassign:appointments"),
            named("5. reassign:preferred-services"),
            "6. deactivate".to_owned(),
        ],
        "{plan}"
    );

    // A step that fails holds the later ones, and is named.
    app.sim.fault("PUT quote", 1, 1, Harm::Status(403));
    let said = app.company.sync(&[11]);
    assert!(said.contains("step reassign:quotes"), "{said}");
    let name = "p012@example.org";
    let password = format!("password {name} set");
    assert_eq!(page(&app), [password.as_str(), MOVED[0]]);
    assert!(app.sim.within(|app| app.users[&leaver].active()));

    // Killed in the middle of the jobs: what was moved stays moved, and nothing is done twice.
    app.kill_at("PUT job", 0);
    app.settle("a leaver with work", 3);
    let mut all = vec![password.as_str()];
    all.extend(MOVED);
    let inactive = format!("set {name} status=inactive");
    all.push(&inactive);
    assert_eq!(page(&app), all);
    app.sim.within(|app| {
        assert_eq!(app.open_work(leaver), 0);
        assert_eq!(app.open_work(heir), 6);
        assert_eq!(app.ledger.count("delete"), 0);
    });
}

#[test]
fn without_a_manager_the_access_ends_and_the_work_waits_for_an_heir() {
    // Another system checks passwords: the fuzz shuts nobody out, so the status may not wait for anything.
    let mut app = company(6, "sso");
    app.company.person(3).manager = Some(4);
    app.settle("joiners", 4);
    give_work(&app, 3, 0);
    let (leaver, named) = (id(&app, 3), id(&app, 1));
    // The manager left long ago.
    app.company.leave(4);
    app.company.sync(&[13]);
    app.settle("the manager", 3);
    turn_page(&app);
    app.company.leave(3);
    app.company.sync(&[13]);
    let said = app.company.sync(&[13]);
    assert!(said.contains("nobody is there to get the quotes"), "{said}");
    let name = "p003@example.org";
    app.sim.within(|app| {
        assert!(!app.users[&leaver].active(), "the access does not wait");
        assert_eq!(app.open_work(leaver), 6);
    });

    app.company
        .target
        .insert_str(0, &format!("heir = {{ account = \"{named}\" }}\n"));
    app.settle("an heir by name", 3);
    app.sim.within(|app| {
        assert_eq!(app.open_work(leaver), 0);
        assert_eq!(app.open_work(named), 6);
    });
    let status = format!("set {name} status=inactive");
    let page = page(&app);
    assert_eq!(
        page.iter().filter(|line| **line == status).count(),
        1,
        "{page:?}"
    );
    assert_eq!(
        page.iter()
            .filter(|line| line.starts_with("reassign"))
            .count(),
        6
    );
}
