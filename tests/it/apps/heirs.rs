//! Salestrekker deletes nobody without an heir: the manager whom the directory names, else the account that is named.

use jiff::{SignedDuration, Timestamp};
use provost::engine::{self, Clock, Request, RunReport};

use super::company::Company;
use super::three::salestrekker;
use crate::company::session;
use crate::support::sim::salestrekker::{SERVICE, SWITCHES, Salestrekker};
use crate::support::sim::{Setting, Sim};

/// A run so many days from now.
async fn run_in(company: &Company, days: i64) -> RunReport {
    let mut session = session(&company.path().join("provost.toml"));
    let now: Timestamp = session.clock.now();
    let then = now
        .checked_add(SignedDuration::from_hours(24 * days))
        .unwrap();
    session.clock = Clock::Fixed(then);
    engine::sync(&session, &Request::default()).await.unwrap()
}

fn id(sim: &Sim<Salestrekker>, mail: &str) -> String {
    sim.within(|app| {
        let mut users = app.users.iter();
        let found = users.find(|(_, user)| user.text("email") == mail);
        found.unwrap_or_else(|| panic!("{mail}")).0.clone()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_deleted_leaves_everything_to_the_manager_or_the_named_heir() {
    let mut app = salestrekker(&Setting::first(SWITCHES), 6);
    // Person 4's manager will not be there any more.
    app.company.person(4).manager = Some(3);
    let service = id(&app.sim, SERVICE.0);
    app.company.target = app.company.target.replacen(
        "\n[target.settings]\n",
        &format!("delete = {{ after = \"30d\" }}\n\n[target.settings]\nheir = \"{service}\"\n"),
        1,
    );
    app.settle("joiners", 3);
    let [manager, two, three, four] =
        ["p000", "p002", "p003", "p004"].map(|name| id(&app.sim, &format!("{name}@example.org")));
    app.sim.within(|app| {
        for (thing, kind, owner) in [
            ("D1", "deal", &two),
            ("C1", "contact", &two),
            ("T1", "task", &four),
            ("N1", "note", &four),
            ("D2", "deal", &manager),
        ] {
            app.belongings
                .insert(thing.to_owned(), (kind, owner.clone()));
        }
    });
    for number in [2, 3, 4] {
        app.company.leave(number);
    }
    app.company.sync(&[13]);
    app.settle("leavers", 3);
    assert_eq!(app.count("delete"), 0, "disabled, not deleted");

    assert_eq!(app.sim.within(|app| app.users.len()), 7);
    let early = run_in(&app.company, 29).await;
    assert_eq!(app.count("delete"), 0, "{early:?}");
    let report = run_in(&app.company, 31).await;
    assert_eq!(app.count("delete"), 3, "{report:?}");
    let plan = report.targets[0].plan.as_ref().unwrap();
    let heirs: Vec<Option<String>> = plan
        .changes
        .iter()
        .map(|change| change.heir.as_ref().map(|id| id.0.clone()))
        .collect();
    assert_eq!(
        heirs.iter().flatten().collect::<Vec<_>>(),
        [&manager, &manager]
    );
    app.sim.within(|app| {
        assert_eq!(app.belongings["D1"], ("deal", manager.clone()));
        assert_eq!(app.belongings["C1"], ("contact", manager.clone()));
        assert_eq!(app.belongings["T1"], ("task", service.clone()));
        assert_eq!(app.belongings["N1"], ("note", service.clone()));
        assert_eq!(app.ledger.count("reassign"), 4, "once each");
        assert!(!app.users.contains_key(&two) && !app.users.contains_key(&three));
        assert_eq!(app.users.len(), 4);
    });
}
