//! Work lists ahead of time, and two lists for one application: a person may be a user, an employee, or both.

use std::fs;

use super::company::Company;
use super::worklist::{TARGET, began};
use crate::support::sim::emdecs::{Row, tasks};

/// The day so many days from now, as the directory and the list write it.
fn day(days: i64) -> String {
    let at = jiff::Timestamp::try_from(began()).unwrap();
    let at = at
        .checked_add(jiff::SignedDuration::from_hours(24 * days))
        .unwrap();
    at.strftime("%Y-%m-%d").to_string()
}

#[test]
fn an_end_that_is_known_stands_on_the_list_before_it_comes() {
    let mut company = Company::new(6, &["North"], &["EMDECS Users", "EMDECS Tech Portal"]);
    company.target = TARGET
        .replace("path = \"list\"", "path = \"list\"\nforesee = \"14d\"")
        .replace("export = \"export.csv\"\n", "");
    for (number, days) in [(1, 10), (2, 30)] {
        company.person(number).more.insert("contractEnd", day(days));
    }
    company.sync(&[13]);
    let rows = || tasks(&fs::read(company.path().join("list/worklist.csv")).unwrap());
    let first = rows();
    assert_eq!(
        first.len(),
        6,
        "who is not there yet is not disabled: {first:?}"
    );
    let mut args = vec!["worklist", "done"];
    args.extend(first.iter().map(|(id, ..)| id.as_str()));
    company.run(&args, &[0]);

    // Nothing is to be done now, and one end comes near.
    company.run(&["sync"], &[0]);
    let list = rows();
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(
        (list[0].1.as_str(), list[0].2.as_str()),
        ("disable", "p001@example.org")
    );
    let csv = fs::read_to_string(company.path().join("list/worklist.csv")).unwrap();
    assert!(
        csv.contains(&format!(",{} ", day(11))) || csv.contains(&format!(",{} ", day(10))),
        "{csv}"
    );
    assert!(csv.contains("do it then, not earlier"), "{csv}");
    company.run(&["sync"], &[0]);
    assert_eq!(rows(), list, "the same task");

    // The contract goes on: nothing is to be done any more.
    company.person(1).more.insert("contractEnd", day(300));
    company.sync(&[0]);
    assert_eq!(
        tasks(&fs::read(company.path().join("list/worklist.csv")).unwrap()),
        []
    );

    // It ends after all, earlier than today: the task is to be done now.
    company.person(1).more.insert("contractEnd", day(-3));
    company.sync(&[13]);
    let now = tasks(&fs::read(company.path().join("list/worklist.csv")).unwrap());
    assert_eq!((now.len(), &now[0].0), (1, &list[0].0), "under the same id");
    let csv = fs::read_to_string(company.path().join("list/worklist.csv")).unwrap();
    assert!(!csv.contains("not earlier"), "{csv}");
}

const BADGES: &str = r#"
[[target]]
name = "badges"
source = "company"
policy = "sync"
review-first-run = false
type = "worklist"
mapping = "mappings/emdecs-employees.toml"
path = "badges"
id = "badge"
protected-accounts = ["1"]
stripped-when-disabled = ["licences"]

[target.licences]
attribute = "licences"
stock = { TechnicianEMDECS = 2 }

[target.limits]
suspend = { count = 5000, percent = 100 }
"#;

fn list(company: &Company, folder: &str) -> Vec<Row> {
    tasks(&fs::read(company.path().join(folder).join("worklist.csv")).unwrap())
}

fn what(rows: &[Row]) -> Vec<(&str, &str)> {
    rows.iter()
        .map(|(_, what, who, _)| (what.as_str(), who.as_str()))
        .collect()
}

fn tick(company: &Company) {
    let rows = [list(company, "list"), list(company, "badges")].concat();
    let mut args = vec!["worklist", "done"];
    args.extend(rows.iter().map(|(id, ..)| id.as_str()));
    if !rows.is_empty() {
        company.run(&args, &[0]);
    }
    company.run(&["sync"], &[0]);
}

/// One is a user, one is both, one has a badge only and signs in through the shared technician, who is left alone.
#[test]
fn a_person_is_a_user_an_employee_or_both() {
    let mut company = Company::new(3, &["Depot North"], &[]);
    company.target = TARGET.replace("export = \"export.csv\"\n", "").replace(
        "protected-accounts = [\"admin@example.org\"]",
        "protected-accounts = [\"shared-tech@example.org\"]",
    );
    company.tables = BADGES.to_owned();
    for (number, groups) in [
        (0, &["EMDECS Users"][..]),
        (1, &["EMDECS Users", "EMDECS Technicians"]),
        (2, &["EMDECS Technicians"]),
    ] {
        company.person(number).groups = groups.iter().copied().collect();
    }
    company.sync(&[13]);
    let users = list(&company, "list");
    assert_eq!(
        what(&users),
        [
            ("create", "p000@example.org"),
            ("create", "p001@example.org")
        ]
    );
    let badges = list(&company, "badges");
    assert_eq!(what(&badges), [("create", "1001"), ("create", "1002")]);
    tick(&company);

    // Both licences of technicians are in use. A third one waits until one of them leaves, whose badge comes first.
    company.join(3, 2);
    let said = company.sync(&[13]);
    assert!(
        said.contains("no licence \"TechnicianEMDECS\" is free: 2 of 2"),
        "{said}"
    );
    company.leave(1);
    company.sync(&[13]);
    company.sync(&[13]);
    assert_eq!(
        what(&list(&company, "list")),
        [("disable", "p001@example.org")]
    );
    let badges = list(&company, "badges");
    assert_eq!(what(&badges), [("disable", "1001"), ("create", "1003")]);
    tick(&company);

    // From the workshop to the office: the badge ends, a login begins.
    company.person(2).groups = ["EMDECS Users"].into();
    company.sync(&[13]);
    assert_eq!(
        what(&list(&company, "list")),
        [("create", "p002@example.org")]
    );
    assert_eq!(what(&list(&company, "badges")), [("disable", "1002")]);
    tick(&company);
    assert_eq!(
        (list(&company, "list"), list(&company, "badges")),
        (vec![], vec![])
    );
}
