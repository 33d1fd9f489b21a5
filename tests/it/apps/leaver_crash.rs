//! Somebody with work leaves ServiceTrade, and the process is killed at each step: before the application has done it, and
//! after.

use super::leavers::{MOVED, company, give_work, id, page, turn_page};
use super::story::App;
use crate::support::sim::servicetrade::Servicetrade;
use crate::support::sim::{Harm, Setting};

/// The calls of the steps in their order, each with how many of its kind come before it.
const CALLS: [(&str, usize); 6] = [
    ("PUT user", 0),
    ("PUT quote", 1),
    ("PUT job", 0),
    ("PUT appointment", 0),
    ("PUT servicerequest", 0),
    ("PUT user", 0),
];

fn leaves(app: &mut App<Servicetrade>, number: usize, harm: Harm) {
    let (leaver, heir) = (id(app, number), id(app, 0));
    let before = app.sim.within(|app| app.open_work(heir));
    give_work(app, number, number + 1);
    app.company.leave(number);
    app.company.sync(&[13]);
    turn_page(app);
    for (operation, skip) in CALLS {
        app.kill_at_with(operation, skip, harm);
    }
    app.settle("a leaver killed at each step", 4);
    let name = format!("p{number:03}@example.org");
    let mut wanted = vec![format!("password {name} set")];
    wanted.extend(MOVED.map(str::to_owned));
    wanted.push(format!("set {name} status=inactive"));
    let mut said = page(app);
    // What a new password replaces that nobody knows to be set is no step done twice: the last one counts.
    let password = &wanted[0];
    while said.iter().filter(|line| *line == password).count() > 1 {
        let at = said.iter().position(|line| line == password).unwrap();
        assert_eq!(at, 0, "{said:?}");
        said.remove(at);
    }
    assert_eq!(said, wanted, "{harm:?}");
    app.sim.within(|app| {
        assert_eq!(app.open_work(leaver), 0, "{harm:?}");
        assert_eq!(app.open_work(heir), before + 6, "{harm:?}");
        assert!(!app.users[&leaver].active(), "{harm:?}");
    });
}

#[test]
fn a_leavers_steps_survive_a_kill_at_each_of_them() {
    let mut app = company(30, "managed");
    app.settle("joiners", 4);
    leaves(&mut app, 12, Harm::HangAfter);
    leaves(&mut app, 21, Harm::HangBefore);
    assert_eq!(app.count("delete"), 0);
    // The steps are undone for whoever comes back, in reverse: the status last, and nothing is created.
    let creates = app.count("create");
    let setting = Setting::first(crate::support::sim::servicetrade::SWITCHES);
    assert!(setting.is("password", "accepted"));
    app.company.join(12, 13);
    app.settle("rehired", 4);
    assert_eq!(app.count("create"), creates, "the same account again");
}
