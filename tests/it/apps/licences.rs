//! Licences that run out, over HTTP: whoever needs one waits and is named, everybody else goes on, and seats that come free
//! in a run are used in the same run.

use super::servicetrade::app;
use super::story::App;
use crate::support::sim::Setting;
use crate::support::sim::servicetrade::{SWITCHES, Servicetrade};

const GROUP: &str = "ServiceTrade Users";
const TECHNICIANS: &str = "ServiceTrade Technicians";
const SCHEDULERS: &str = "ServiceTrade Schedulers";

/// What the ledger says of changes of these kinds since the page was turned.
fn page(app: &App<Servicetrade>, verbs: &[&str]) -> Vec<String> {
    app.sim.ledger(|ledger| {
        let page = ledger.turn_page();
        let told = page.iter().filter(|entry| verbs.contains(&entry.verb));
        told.map(|entry| format!("{} {}", entry.verb, entry.on))
            .collect()
    })
}

fn waiting(said: &str) -> usize {
    said.matches("awaiting-licence: ").count()
}

#[test]
fn joiners_wait_for_a_seat_and_get_it_in_the_run_that_frees_one() {
    for (conflict, messages) in [
        ("400-validation", "array"),
        ("403", "bare"),
        ("409", "text"),
    ] {
        let what = format!("{conflict}, {messages}");
        let setting = Setting::first(SWITCHES)
            .with("licence", "user")
            .with("conflict", conflict)
            .with("messages", messages);
        let mut app = app(&setting, 6);
        app.settle("joiners", 3);
        app.sim.within(|app| app.seats = Some(6));
        page(&app, &[]);

        // More newcomers than failures are borne: they wait, which is no failure, and all other work is done.
        for number in 500..525 {
            app.company.join(number, 1);
        }
        app.company.person(2).office = "West";
        app.company.person(3).groups.insert(SCHEDULERS);
        let said = app.company.sync(&[13]);
        assert_eq!(waiting(&said), 25, "{what}: {said}");
        assert!(said.contains("waits for a licence: "), "{what}: {said}");
        assert!(
            said.contains("No more licenses are available"),
            "{what}: {said}"
        );
        assert!(said.contains("Result for app: held"), "{what}: {said}");
        let told = page(&app, &["create", "set", "grant"]);
        assert_eq!(
            told,
            ["set p002@example.org", "grant p003@example.org"],
            "{what}"
        );

        // Two go, and two of those who wait come, in the same run; the leavers first.
        for number in [4, 5] {
            app.company.person(number).groups.remove(GROUP);
        }
        let said = app.company.sync(&[13]);
        assert_eq!(waiting(&said), 23, "{what}: {said}");
        let told = page(&app, &["create", "set"]);
        assert_eq!(told.len(), 4, "{what}: {told:?}");
        assert!(
            told[..2].iter().all(|line| line.starts_with("set p00")),
            "{what}: {told:?}"
        );
        assert!(
            told[2..].iter().all(|line| line.starts_with("create p5")),
            "{what}: {told:?}"
        );

        // Somebody comes back, and waits as a newcomer does. A licence is bought: the next run goes on by itself.
        app.company.people.retain(|person| person.number < 500);
        app.company.sync(&[0, 13]);
        app.company.sync(&[0, 13]);
        app.sim.within(|app| app.seats = Some(4));
        app.company.person(4).groups.insert(GROUP);
        let said = app.company.sync(&[13]);
        assert_eq!(waiting(&said), 1, "{what}: {said}");
        app.sim.within(|app| app.seats = Some(5));
        app.company.sync(&[0]);
        let name = "p004@example.org";
        assert!(
            app.sim.within(|app| app.named(name).unwrap().1.active()),
            "{what}"
        );
    }
}

#[test]
fn roles_that_take_a_licence_are_taken_away_before_they_are_given() {
    for role in ["field", "sub-resource"] {
        let setting = Setting::first(SWITCHES)
            .with("licence", "role")
            .with("role", role);
        // Two technicians, person 0 and person 3, and two licences.
        let mut app = app(&setting, 6);
        app.sim.within(|app| app.seats = Some(2));
        app.settle("joiners", 3);
        page(&app, &[]);

        // Two more become technicians: their accounts change, their roles wait.
        for number in [1, 2] {
            app.company.person(number).groups.insert(TECHNICIANS);
        }
        let said = app.company.sync(&[13]);
        assert_eq!(waiting(&said), 2, "{role}: {said}");
        assert!(
            said.contains("Account Tech: waits for a licence"),
            "{role}: {said}"
        );

        // One gives theirs back: one of the two has it in the same run, and the other one alone goes on waiting.
        app.company.person(3).groups.remove(TECHNICIANS);
        let said = app.company.sync(&[13]);
        assert_eq!(waiting(&said), 1, "{role}: {said}");
        let told = page(&app, &["grant", "revoke"]);
        assert_eq!(told.len(), 2, "{role}: {told:?}");
        assert_eq!(told[0], "revoke p003@example.org", "{role}");
        let said = app.company.sync(&[13]);
        assert_eq!(waiting(&said), 1, "{role}: {said}");
        assert_eq!(page(&app, &["grant", "revoke"]), [""; 0], "{role}");

        // Who leaves frees one as well.
        app.company.person(0).groups.remove(GROUP);
        let said = app.company.sync(&[0]);
        assert_eq!(waiting(&said), 0, "{role}: {said}");
        for number in [1, 2] {
            let name = format!("p{number:03}@example.org");
            let roles = app.sim.within(|app| app.role_names(&name));
            assert!(roles.contains("Account Tech"), "{role}: {name}");
        }
    }
}
