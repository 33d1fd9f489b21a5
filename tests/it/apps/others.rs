//! SecurityTrax, SmarterTrack and Salestrekker: a company lives with each of them.

use std::collections::BTreeSet;

use super::ldap::Ldap;
use super::leaving::{Leaver, leave_step_by_step};
use super::story::{App, PEOPLE, Shown};
use super::three::{salestrekker, securitytrax, smartertrack, yes};
use crate::support::sim::salestrekker::{SWITCHES, Salestrekker};
use crate::support::sim::securitytrax::{self as st, Securitytrax};
use crate::support::sim::smartertrack::{self as tr, Smartertrack};
use crate::support::sim::{Application, Harm, Setting};

/// What is particular to one of them in the story that all share.
struct Tale<A: Application> {
    /// A group that gives more access.
    extra: &'static str,
    /// What a shut window makes of an account.
    shut: fn(&mut Shown),
    /// How often Provost signed in, where there is a session to end.
    logins: Option<fn(&mut A) -> usize>,
    /// Makes the name of person 500 somebody's whom nobody sees.
    occupy: fn(&mut A),
    /// The name that person 500 has then; `None` where an address is the name, and there is no other.
    instead: Option<&'static str>,
    /// Whether somebody has this name.
    has: fn(&mut A, &str) -> bool,
    leaver: Leaver,
}

/// Every call took effect once: nothing that was done is done again.
fn nothing_twice<A: Application>(app: &App<A>, chapter: &str) {
    app.sim.ledger(|ledger| {
        let mut seen = BTreeSet::new();
        for entry in ledger.entries() {
            let line = (entry.verb, entry.on.clone(), entry.detail.clone());
            assert!(seen.insert(line), "{chapter}: twice: {entry:?}");
        }
    });
}

/// The story that all of them share.
fn live<A: Application>(app: &mut App<A>, tale: &Tale<A>) {
    app.join();
    nothing_twice(app, "joiners");
    assert!(app.sim.throttled() > 0, "it was throttled");
    app.rest();
    app.company.person(3).office = "South";
    app.company.person(4).groups.insert(tale.extra);
    app.company.person(5).given = "Petra".to_owned();
    app.company.person(6).sn = "Neumann-O'Hara".to_owned();
    app.settle("movers", 4);
    app.fail_in_part();
    if let Some(logins) = tale.logins {
        outlive_a_session(app, logins);
    }
    collide(app, tale);
    app.leave_and_return(9);
    leave_step_by_step(app, &tale.leaver);
    app.shut_and_open(tale.shut);
}

/// The session ends in the middle of a run: one sign-in more, and every change is made once.
fn outlive_a_session<A: Application>(app: &mut App<A>, logins: fn(&mut A) -> usize) {
    for number in 100..112 {
        app.company.person(number).sn = format!("Renamed{number}");
    }
    let before = app.sim.within(logins);
    app.sim.ledger(|ledger| drop(ledger.turn_page()));
    app.sim.fault(app.changes, 5, 1, Harm::Expire);
    app.company.sync(&[0]);
    assert!(app.sim.faults_are_over());
    assert_eq!(app.sim.within(logins), before + 2, "one more sign-in");
    assert_eq!(app.count("set"), 12);
    app.everybody_is_right("a session ended");
}

/// A newcomer's name is somebody's whom nobody here sees: nobody is taken over, and nobody else waits.
fn collide<A: Application>(app: &mut App<A>, tale: &Tale<A>) {
    let before = app.count("create");
    app.sim.within(tale.occupy);
    app.company.join(500, 2);
    app.company.join(501, 2);
    match tale.instead {
        Some(name) => {
            let said = app.company.sync(&[0]);
            assert!(said.contains("as taken"), "{said}");
            assert!(app.sim.within(|app| (tale.has)(app, name)), "{name}");
        }
        None => {
            let said = app.company.sync(&[11]);
            assert!(said.contains("already exists"), "{said}");
            assert!(!said.contains("as taken"), "{said}");
            assert_eq!(app.count("create"), before + 1, "nobody else waits");
            app.company.leave(500);
        }
    }
    app.settle("collision", 3);
    let made = 1 + usize::from(tale.instead.is_some());
    assert_eq!(app.count("create"), before + made);
}

fn off(shown: &mut Shown) {
    shown.insert("active".to_owned(), yes(false));
}

#[test]
fn a_company_lives_with_securitytrax() {
    let setting = Setting::first(st::SWITCHES);
    let tale = Tale {
        extra: "SecurityTrax Sales",
        // A shut window takes the right to log in and nothing else.
        shut: |shown| {
            shown.insert("login".to_owned(), yes(false));
        },
        logins: Some(|app: &mut Securitytrax| app.logins),
        occupy: |app| {
            app.strangers.insert("p500".to_owned());
        },
        instead: Some("pson500"),
        has: |app, name| app.named(name).is_some(),
        leaver: Leaver::securitytrax(12),
    };
    let mut app = securitytrax(&setting, PEOPLE);
    live(&mut app, &tale);
    assert_eq!(app.count("mail"), 0, "no password was mailed");
}

#[test]
fn a_company_lives_with_smartertrack() {
    let setting = Setting::first(tr::SWITCHES);
    let tale = Tale {
        extra: "SmarterTrack Managers",
        shut: |shown| {
            off(shown);
            shown.insert("roles".to_owned(), String::new());
        },
        // Name and password go with every call.
        logins: None,
        occupy: |app: &mut Smartertrack| {
            app.strangers.insert("p500".to_owned());
        },
        instead: Some("p5002"),
        has: |app, name| app.named(name).is_some(),
        leaver: Leaver::smartertrack(4),
    };
    live(&mut smartertrack(&setting, PEOPLE), &tale);
}

fn with_salestrekker() -> Tale<Salestrekker> {
    Tale {
        extra: "Salestrekker Brokers",
        shut: off,
        logins: Some(|app| app.logins),
        occupy: |app| {
            app.strangers.insert("p500@example.org".to_owned());
        },
        instead: None,
        has: |app, name| app.named(name).is_some(),
        leaver: Leaver::salestrekker(4),
    }
}

/// With a list of active accounts only: more people behind a shut window than any list may lack.
#[test]
fn a_company_lives_with_salestrekker() {
    let setting = Setting::first(SWITCHES).with("lists-disabled", "no");
    live(
        &mut salestrekker(&setting, PEOPLE + 6),
        &with_salestrekker(),
    );
}

/// The same life, with everybody in a real OpenLDAP.
#[test]
fn a_company_in_openldap_lives_with_salestrekker() {
    let mut app = salestrekker(&Setting::first(SWITCHES), PEOPLE);
    app.company.ldap = Some(Ldap::start());
    live(&mut app, &with_salestrekker());
}
