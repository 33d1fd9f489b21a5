//! What a leaver of SecurityTrax leaves behind, what is never blanked, and who is kept out; and SmarterTrack's users whose
//! password is checked by Active Directory.

use std::collections::BTreeMap;

use serde_json::json;

use super::story::App;
use super::three::{securitytrax, smartertrack};
use crate::support::sim::securitytrax::{self as st, Securitytrax};
use crate::support::sim::smartertrack as tr;
use crate::support::sim::{Ledger, Setting};

/// What somebody of the application's own people filled in, and Provost was never told of.
const THEIRS: [(&str, &str); 4] = [
    ("cell_phone", "5550199"),
    ("cell_carrier", "Acme Mobile"),
    ("cell_private", "true"),
    ("view_limit_days", "90"),
];

fn day(ledger: &Ledger) -> [String; 2] {
    let now = jiff::Timestamp::from_second(ledger.now).unwrap();
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    // The test may begin before midnight and end after it.
    [today, today.tomorrow().unwrap()].map(|day| day.to_string())
}

fn theirs(app: &Securitytrax, name: &str) -> BTreeMap<String, String> {
    let user = app.named(name).unwrap().1;
    let held = THEIRS.iter().filter(|(key, _)| !user.text(key).is_empty());
    held.map(|(key, _)| ((*key).to_owned(), user.text(key).to_owned()))
        .collect()
}

fn id(app: &App<Securitytrax>, name: &str) -> String {
    let found = app.sim.within(|app| app.named(name).map(|(id, _)| id));
    found.unwrap().to_string()
}

/// The whole life of person 2, with every way of changing a user.
fn lives_and_leaves(setting: &Setting) {
    let what = setting.to_string();
    let mut app = securitytrax(setting, 8);
    joins(&mut app, &what);
    moves(&mut app, &what);
    leaves(&mut app, &what);
}

fn joins(app: &mut App<Securitytrax>, what: &str) {
    for number in [6, 7] {
        app.company.person(number).groups.insert("Contractors");
    }
    let hired = "2026-03-01".to_owned();
    app.company.person(2).more.insert("hireDate", hired);
    app.settle("joiners", 3);
    assert_eq!(app.count("create"), 6, "no contractor: {what}");
    let boss = id(app, "p000");
    app.sim.within(|app| {
        let user = app.named("p002").unwrap().1;
        assert_eq!(user.text("hire_date"), "2026-03-01", "{what}");
        assert_eq!(user.reports_to, Some(boss), "{what}");
        assert!(
            user.text("payroll_identifier").ends_with("000000000002"),
            "{what}"
        );
        for user in app.users.values_mut() {
            for (name, value) in THEIRS {
                user.attributes.insert(name.to_owned(), json!(value));
            }
        }
        app.ledger.turn_page();
    });
}

/// Another manager, another office, another name, and a shut window with everything that it takes.
fn moves(app: &mut App<Securitytrax>, what: &str) {
    let mate = id(app, "p001");
    app.company.person(2).manager = Some(1);
    app.company.person(2).office = "South";
    app.company.person(2).sn = "Moved".to_owned();
    app.settle("a mover", 3);
    let usual = app.company.tables.clone();
    app.company.tables += "\n[[access]]\nname = \"office\"\neverybody = true\nzone = \"UTC\"\nwindows = [\"never\"]\n";
    app.company.sync(&[0]);
    app.sim.within(|app| {
        let lines = app.ledger.about("p002");
        assert!(
            lines.contains(&format!("set reports_to={mate}")),
            "{what}: {lines:?}"
        );
        assert!(
            lines.contains(&"set lname=Moved".to_owned()),
            "{what}: {lines:?}"
        );
        let user = app.named("p002").unwrap().1;
        assert!(!user.flag("can_login") && user.flag("active"), "{what}");
        assert_eq!(
            user.text("leave_reason"),
            "",
            "a shut window is no leaving: {what}"
        );
        assert_eq!(user.text("last_day"), "", "{what}");
    });
    app.company.tables = usual;
    app.settle("open again", 3);
}

/// Somebody becomes a contractor, which is no leaving; somebody else leaves.
fn leaves(app: &mut App<Securitytrax>, what: &str) {
    let mate = id(app, "p001");
    app.company.person(5).groups.insert("Contractors");
    app.company.leave(2);
    app.company.sync(&[0, 13]);
    app.settle("a leaver", 3);
    app.sim.within(|app| {
        let days = day(&app.ledger);
        let user = app.named("p002").unwrap().1;
        assert!(!user.flag("can_login") && !user.flag("active"), "{what}");
        assert_eq!(user.text("leave_reason"), "Left the company", "{what}");
        assert!(
            days.iter().any(|day| day == user.text("last_day")),
            "{what}"
        );
        assert_eq!(user.reports_to, Some(mate), "{what}");
        assert_eq!(user.text("hire_date"), "2026-03-01", "{what}");
        assert!(
            user.text("payroll_identifier").ends_with("000000000002"),
            "{what}"
        );
        let out = app.named("p005").unwrap().1;
        assert!(!out.flag("can_login") && !out.flag("active"), "{what}");
        assert_eq!(out.text("leave_reason"), "", "{what}");
        for name in ["p000", "p001", "p002", "p003", "p005"] {
            assert_eq!(theirs(app, name).len(), THEIRS.len(), "{name}: {what}");
        }
        let lines = app.ledger.entries().iter();
        let blanked = lines.filter(|entry| entry.detail.ends_with('='));
        assert_eq!(blanked.count(), 0, "{what}: {:?}", app.ledger.entries());
        assert_eq!(app.ledger.count("delete"), 0, "{what}");
        assert_eq!(app.ledger.count("mail"), 0, "{what}");
    });
}

#[test]
fn securitytrax_leavers_get_a_reason_and_a_last_day_and_nothing_is_blanked() {
    let first = Setting::first(st::SWITCHES);
    lives_and_leaves(&first);
    for put in ["replaces", "merges"] {
        lives_and_leaves(&first.clone().with("update", "PUT").with("put", put));
    }
    lives_and_leaves(&first.with("password", "action").with("answer", "204"));
}

/// Where the directory knows the last day ahead of time, that is what stands there, and nothing else is written.
#[test]
fn securitytrax_takes_the_last_day_of_the_directory() {
    let mut app = securitytrax(&Setting::first(st::SWITCHES), 3);
    let before = "# [attributes.last_day]\n# value = \"{{ lastDay | date }}\"";
    let after = "[attributes.last_day]\nvalue = \"{{ lastDay | date }}\"";
    app.company
        .edit("mappings/securitytrax.toml", before, after);
    app.company.target += "last-day = \"mapping\"\n";
    app.company
        .person(2)
        .more
        .insert("lastDay", "2031-12-24".to_owned());
    app.settle("joiners", 3);
    for number in [1, 2] {
        app.company.leave(number);
    }
    app.company.sync(&[0, 13]);
    app.settle("leavers", 3);
    app.sim.within(|app| {
        assert_eq!(app.named("p002").unwrap().1.text("last_day"), "2031-12-24");
        assert_eq!(app.named("p001").unwrap().1.text("last_day"), "");
        let leaver = app.named("p001").unwrap().1;
        assert_eq!(leaver.text("leave_reason"), "Left the company");
    });
}

/// A password stops nobody whom Active Directory lets in: none is set, the roles are taken, and the report says so. Put
/// first, it holds the steps that come later, but not the one that does take the access away.
#[test]
fn smartertrack_users_of_active_directory_lose_their_roles_and_the_report_says_why_no_password_is_set()
 {
    for (order, codes) in [
        ("\"deactivate\", \"fuzz-password\"", [0, 0]),
        ("\"fuzz-password\", \"deactivate\"", [11, 0]),
    ] {
        let mut app = smartertrack(&Setting::first(tr::SWITCHES), 5);
        let usual = "leaver = [\"deactivate\", \"fuzz-password\"]";
        app.company
            .edit_target(usual, &format!("leaver = [{order}]"));
        app.settle("joiners", 3);
        app.sim.within(|app| {
            let by_directory = app
                .users
                .values_mut()
                .filter(|user| user.username == "p003");
            by_directory.for_each(|user| user.by_directory = true);
            app.ledger.turn_page();
        });
        for number in [2, 3] {
            app.company.leave(number);
        }
        app.company.sync(&[13]);
        for (run, code) in codes.into_iter().enumerate() {
            let said = app.company.sync(&[code]);
            // In the first order there is nothing left to do in the second run.
            let told = said.contains("is checked by another system");
            assert_eq!(told, run == 0 || codes[0] == 11, "{order}: {said}");
            app.sim.within(|app| {
                assert!(
                    app.named("p003").unwrap().1.roles.is_empty(),
                    "{order}: {said}"
                );
            });
        }
        app.settle("leavers", 3);
        app.sim.within(|app| {
            assert_eq!(app.ledger.about("p003"), ["revoke Agent"], "{order}");
            let mut lines = app.ledger.about("p002");
            lines.sort();
            assert_eq!(lines, ["password set", "revoke Agent"], "{order}");
            assert_eq!(app.ledger.count("delete"), 0);
        });
    }
}
