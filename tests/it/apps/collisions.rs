//! Names and addresses that somebody has already: the alternative is taken in the same run, an address is reported, nobody
//! is taken over, and whoever has nothing to do with it is neither kept waiting nor asked twice.

use super::story::App;
use super::three::{salestrekker, securitytrax, smartertrack};
use crate::support::sim::smartertrack::User;
use crate::support::sim::{Application, Setting};
use crate::support::sim::{salestrekker as sa, securitytrax as st, smartertrack as tr};

/// So many newcomers have names that nobody can have.
const TAKEN: usize = 6;

/// Person 500 and the five after them find their names taken, 505 the first alternative as well; 510 to 512 do not; 520
/// has the address of somebody who is there, and may not have it where addresses are unique.
fn newcomers<A: Application>(app: &mut App<A>) {
    for number in (500..500 + TAKEN).chain(510..513).chain([520]) {
        app.company.join(number, 2);
    }
    let taken = app.company.person(1).mail();
    app.company.person(520).more.insert("mail", taken);
}

/// Everything happens in one run, each call once; the next run asks for the address again and nothing else.
fn all_at_once<A: Application>(
    app: &mut App<A>,
    named: &dyn Fn(&mut A, &str) -> bool,
    has: &[&str],
) {
    let before = app.count("create");
    newcomers(app);
    drop(app.sim.take_calls());
    let said = app.company.sync(&[11]);
    let calls = app.sim.take_calls();
    let creates = |calls: &[String]| calls.iter().filter(|call| *call == app.creates).count();
    // One refusal for each taken name, one more for 505, one for the address; and one call for everybody who got in.
    assert_eq!(creates(&calls), TAKEN + 1 + 1 + TAKEN + 3, "{said}");
    assert_eq!(app.count("create"), before + TAKEN + 3, "{said}");
    for name in has {
        assert!(app.sim.within(|app| named(app, name)), "{name}: {said}");
    }
    assert!(said.contains("as taken"), "{said}");

    let after = app.sim.ledger(|ledger| ledger.entries().len());
    app.company.sync(&[11]);
    assert_eq!(creates(&app.sim.take_calls()), 1, "the address, once");
    assert_eq!(app.sim.ledger(|ledger| ledger.entries().len()), after);
    app.company.person(520).more.clear();
    app.settle("another address", 3);
    assert_eq!(app.count("create"), before + TAKEN + 4);
}

#[test]
fn securitytrax_several_names_are_taken_at_once() {
    let mut app = securitytrax(&Setting::first(st::SWITCHES), 8);
    app.settle("joiners", 3);
    app.sim.within(|app| {
        let names = (500..500 + TAKEN).map(|number| format!("p{number}"));
        app.strangers.extend(names.chain(["pson505".to_owned()]));
    });
    let has = ["pson500", "pson504", "p5052", "p510", "p512"];
    all_at_once(&mut app, &|app, name| app.named(name).is_some(), &has);
}

#[test]
fn smartertrack_several_names_are_taken_at_once() {
    let mut app = smartertrack(&Setting::first(tr::SWITCHES), 8);
    app.settle("joiners", 3);
    app.sim.within(|app| {
        let names = (500..500 + TAKEN).map(|number| format!("p{number}"));
        app.strangers.extend(names.chain(["p5052".to_owned()]));
    });
    let has = ["p5002", "p5042", "p5053", "p510", "p512"];
    all_at_once(&mut app, &|app, name| app.named(name).is_some(), &has);
}

/// A role that the application does not know is refused once in a run, however many names are tried in it.
#[test]
fn what_was_refused_is_not_asked_again_because_of_somebody_elses_name() {
    let mut app = smartertrack(&Setting::first(tr::SWITCHES), 4);
    app.settle("joiners", 3);
    app.sim.within(|app| {
        app.roles.remove("Manager");
        app.strangers.insert("p500".to_owned());
        app.strangers.insert("p5002".to_owned());
    });
    app.company.person(3).groups.insert("SmarterTrack Managers");
    app.company.join(500, 1);
    drop(app.sim.take_calls());
    let said = app.company.sync(&[11]);
    let calls = app.sim.take_calls();
    let roles = calls.iter().filter(|call| *call == "AddUserToRole");
    // The newcomer's basic role comes with the account and is named by the mapping as well; the third is refused.
    assert_eq!(roles.count(), 3, "{said}");
    assert!(app.sim.within(|app| app.named("p5003").is_some()), "{said}");
}

/// Among agents, a customer's name is one that only the application knows. Customers are never taken over.
#[test]
fn smartertrack_agents_come_go_and_come_back_beside_customers() {
    let setting = Setting::first(tr::SWITCHES).with("list", "absent");
    let mut app = smartertrack(&setting, 4);
    app.lists = "GetAllAgents";
    let customer = User {
        username: "p002".to_owned(),
        email: "customer@example.net".to_owned(),
        display_name: "A Customer".to_owned(),
        password: "theirs".to_owned(),
        ..User::default()
    };
    let before = customer.clone();
    app.sim.within(|app| app.users.insert(50, customer));
    let said = app.company.sync(&[0]);
    assert!(said.contains("as taken"), "{said}");
    app.sim.within(|app| {
        assert!(app.named("p0022").is_some());
        let now = &app.users[&50];
        assert_eq!(
            (&now.password, &now.roles),
            (&before.password, &before.roles)
        );
        assert_eq!(now.display_name, before.display_name);
        assert_eq!(app.ledger.count("create"), 4);
    });

    // Who has lost all roles is in no list of agents any more, and still the same account.
    let person = app.company.leave(3);
    app.company.sync(&[13]);
    app.company.sync(&[0]);
    app.company.run(&["sync", "--live"], &[0]);
    let gone = app
        .sim
        .within(|app| app.named("p003").map(|(id, user)| (id, user.roles.len())));
    let (id, roles) = gone.unwrap();
    assert_eq!(roles, 0);
    assert_eq!(app.count("password"), 4 + 1, "the first ones, and the fuzz");
    app.company.people.push(person);
    app.company.sync(&[0]);
    app.company.run(&["sync", "--live"], &[0]);
    app.sim.within(|app| {
        assert_eq!(app.users[&id].roles.len(), 1);
        assert_eq!(app.ledger.count("create"), 4, "the same account again");
    });
}

/// Where the application does not say which user it made, the user is looked for; and where nobody can be found, no
/// other name is made up for the same person.
#[test]
fn smartertrack_without_ids_makes_nobody_twice() {
    let nowhere = Setting::first(tr::SWITCHES).with("new-id", "nowhere");
    let app = smartertrack(&nowhere, 3);
    app.settle("joiners", 4);
    assert_eq!(app.count("create"), 3);

    // Somebody without a role is no agent, and in no list: there is nothing to find.
    for email in ["unique", "any"] {
        let setting = nowhere.clone().with("list", "absent").with("email", email);
        let app = smartertrack(&setting, 3);
        app.company.publish();
        app.company.run(&["sync", "--live"], &[11]);
        for _ in 0..3 {
            let said = app.company.run(&["sync", "--live"], &[11]);
            let words: Vec<&str> = said.split_whitespace().collect();
            assert!(
                words.join(" ").contains("no other name was tried"),
                "{said}"
            );
            assert!(!said.contains("as taken"), "{said}");
        }
        assert_eq!(app.count("create"), 3, "{email}: nobody twice");
    }
}

/// An address is the name, and there is no other: it is reported, and an account that is there is not taken over.
#[test]
fn salestrekker_reports_an_address_and_adopts_nobody() {
    let mut app = salestrekker(&Setting::first(sa::SWITCHES), 4);
    app.settle("joiners", 3);
    app.sim.within(|app| {
        for number in 500..500 + TAKEN {
            app.strangers.insert(format!("p{number}@example.org"));
        }
        // Somebody whom an administrator invited by hand.
        let id = app.fresh();
        let mut user = app.users.values().next().cloned().unwrap();
        let fields = [
            ("email", "p513@example.org"),
            ("firstName", "By"),
            ("familyName", "Hand"),
        ];
        for (name, value) in fields {
            user.fields.insert(name.to_owned(), value.into());
        }
        app.users.insert(id, user);
    });
    for number in (500..500 + TAKEN).chain(510..514) {
        app.company.join(number, 2);
    }
    drop(app.sim.take_calls());
    let said = app.company.sync(&[11]);
    let creates = app
        .sim
        .take_calls()
        .iter()
        .filter(|call| *call == "accountCreate")
        .count();
    assert_eq!(creates, TAKEN + 3, "{said}");
    assert_eq!(app.count("create"), 4 + 3);
    assert!(said.contains("does not adopt"), "{said}");
    app.sim.within(|app| {
        let (_, user) = app.named("p513@example.org").unwrap();
        assert_eq!(user.text("firstName"), "By");
        assert!(app.ledger.about("p513@example.org").is_empty());
        assert_eq!(app.ledger.count("mail"), 4 + 3, "one invitation each");
    });
}
