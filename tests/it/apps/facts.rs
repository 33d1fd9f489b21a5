//! What a customer has verified no longer counts as a guess: probe says what it confirmed, the configuration says so, the number falls.

use super::servicetrade::app;
use crate::support::sim::Setting;
use crate::support::sim::servicetrade::SWITCHES;

/// The number in a sentence about assumed facts.
fn number(text: &str) -> usize {
    let rest = text
        .split("rests on ")
        .nth(1)
        .unwrap_or_else(|| panic!("{text}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn what_probe_confirmed_lowers_the_number_of_guesses() {
    let mut app = app(&Setting::first(SWITCHES), 4);
    app.settle("joiners", 3);
    let before = app.company.run(&["check"], &[0]);
    let writes = app.sim.ledger(|ledger| ledger.entries().len());
    let said = app.company.run(&["probe", "app"], &[0]);
    assert_eq!(
        app.sim.ledger(|ledger| ledger.entries().len()),
        writes,
        "a probe writes nothing"
    );
    assert!(!said.contains("!!"), "{said}");
    let test = said
        .lines()
        .find(|line| line.contains("try them on a test account"));
    assert!(
        test.is_some_and(
            |line| line.contains("operation.create") && !line.contains("operation.get")
        ),
        "{said}"
    );
    let line = said
        .lines()
        .find_map(|line| line.split_once("confirmed = ["))
        .unwrap_or_else(|| panic!("{said}"))
        .1;
    let names = line.split(']').next().unwrap().to_owned();
    let count = names.split(", ").count();
    assert!(names.contains("\"operation.get\""), "{names}");
    assert!(
        !names.contains("operation.create"),
        "what writes is not confirmed by reading: {names}"
    );
    assert!(count >= 3, "{names}");

    app.company
        .target
        .insert_str(0, &format!("confirmed = [{names}]\n"));
    app.company.publish();
    let after = app.company.run(&["check"], &[0]);
    assert_eq!(number(&after), number(&before) - count, "{after}");
    let run = app.company.run(&["sync"], &[0]);
    assert_eq!(number(&run), number(&after), "{run}");

    // A fact that the profile does not claim is no fact.
    app.company
        .edit_target("\"operation.get\"", "\"operation.got\"");
    app.company.publish();
    let wrong = app.company.provost(&["check"]);
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(told.contains("did you mean \"operation.get\"?"), "{told}");
}
