//! EMDECS through its work list: an administrator works through what Provost writes, in a model of EMDECS.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::company::Company;
use crate::support::sim::emdecs::{Emdecs, Row, tasks};

const PEOPLE: usize = 200;
pub(super) const COLUMNS: [(&str, &str); 5] = [
    ("email", "E-mail"),
    ("first_name", "First Name"),
    ("last_name", "Last Name"),
    ("licences", "Software"),
    ("location", "Repair Location"),
];

pub(super) const TARGET: &str = r#"type = "worklist"
mapping = "mappings/emdecs-users.toml"
path = "list"
id = "email"
export = "export.csv"
lists = ["licences"]
stripped-when-disabled = ["licences"]
protected-accounts = ["admin@example.org"]

[target.columns]
email = "E-mail"
first_name = "First Name"
last_name = "Last Name"
licences = "Software"
location = "Repair Location"

[target.active]
column = "Status"
values = ["Active"]

[target.licences]
attribute = "licences"
stock = { EMDECSManager = 10 }
"#;

/// Exports of EMDECS, each newer than everything before.
pub(super) struct Exports {
    pub(super) began: SystemTime,
    seconds: u64,
}

impl Exports {
    pub(super) fn begin() -> Self {
        Self {
            began: began(),
            seconds: 3600,
        }
    }

    /// Lays a text where the export is expected.
    pub(super) fn lay(&mut self, path: &Path, text: &str) {
        self.seconds += 10;
        fs::write(path, text).unwrap();
        let at = self.began + Duration::from_secs(self.seconds);
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(at).unwrap();
    }
}

/// The administrator's list in this folder.
pub(super) fn list_in(company: &Company, folder: &str) -> Vec<Row> {
    let path = company.path().join(folder).join("worklist.csv");
    tasks(&fs::read(path).unwrap())
}

/// Does these tasks, in the order of the list.
pub(super) fn work(emdecs: &mut Emdecs, rows: &[Row]) {
    for row in rows {
        assert_eq!(emdecs.perform(row), Ok(()), "{row:?}");
    }
}

/// Says that these tasks are done.
pub(super) fn tick(company: &Company, rows: &[Row]) {
    if !rows.is_empty() {
        let mut args = vec!["worklist", "done", "--by", "Kim"];
        args.extend(rows.iter().map(|(id, ..)| id.as_str()));
        company.run(&args, &[0]);
    }
}

/// A company, EMDECS, and the administrator between them.
struct Story {
    company: Company,
    emdecs: Emdecs,
    exports: Exports,
}

impl Story {
    fn begin() -> Self {
        let mut company = Company::new(
            PEOPLE,
            &["Depot North", "Depot South"],
            &["EMDECS Users", "EMDECS Tech Portal"],
        );
        TARGET.clone_into(&mut company.target);
        for number in 0..10 {
            company.person(number).groups.insert("EMDECS Managers");
        }
        Self {
            company,
            emdecs: Emdecs::new(
                "email",
                &["email", "first_name", "last_name", "effective_date"],
                &[("EMDECSManager", 10)],
            ),
            exports: Exports::begin(),
        }
    }

    fn list(&self) -> Vec<Row> {
        list_in(&self.company, "list")
    }

    fn work(&mut self, rows: &[Row]) {
        work(&mut self.emdecs, rows);
    }

    fn tick(&self, rows: &[Row]) {
        tick(&self.company, rows);
    }

    /// A fresh export.
    fn export(&mut self) {
        let path = self.company.path().join("export.csv");
        self.exports.lay(&path, &self.emdecs.export(&COLUMNS));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the times of files are compared with the time of the binary"
)]
pub(super) fn began() -> SystemTime {
    SystemTime::now()
}

fn ids(rows: &[Row]) -> BTreeSet<&str> {
    rows.iter().map(|(id, ..)| id.as_str()).collect()
}

#[test]
fn nothing_is_done_before_it_is_confirmed() {
    let mut story = Story::begin();
    let said = story.company.sync(&[13]);
    assert!(said.contains("0 done, 200 awaiting-confirmation"), "{said}");
    let first = story.list();
    assert_eq!(first.len(), PEOPLE);
    let shown = story.company.run(&["worklist", "list"], &[0]);
    assert!(shown.starts_with("app: 200 to do"), "{shown}");

    // The same work has the same ids, however often it is asked for.
    story.company.sync(&[13]);
    assert_eq!(ids(&story.list()), ids(&first));

    // Half of it is done and ticked off; one of these ticks is a mistake.
    let (half, rest) = first.split_at(100);
    story.work(&half[1..]);
    story.tick(half);
    story.company.sync(&[13]);
    assert_eq!(ids(&story.list()), ids(rest));
    let again = story.company.provost(&["worklist", "done", &half[0].0]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("was ticked off by Kim before"));

    // The rest is done without a tick. The export shows it, and shows that one tick was wrong.
    story.work(rest);
    story.export();
    story.company.sync(&[0]);
    assert_eq!(story.list(), []);
    let said = story.company.run(&["sync", "--live"], &[13]);
    assert!(said.contains("provost state forget"), "{said}");
    let number = half[0].2[1..4].parse().unwrap();
    let anchor = story.company.person(number).anchor();
    story
        .company
        .run(&["state", "forget", "app", &anchor], &[0]);
    story.company.sync(&[13]);
    let wrong = story.list();
    assert_eq!((wrong.len(), &wrong[0].2), (1, &half[0].2));
    assert_ne!(wrong[0].0, half[0].0);
    let page = fs::read_to_string(story.company.path().join("list/worklist.html")).unwrap();
    assert!(page.contains("Kim ticked this off"), "{page}");
    assert_eq!(story.emdecs.records.len(), PEOPLE - 1);
}

#[test]
fn licences_are_freed_before_newcomers_need_them() {
    let mut story = Story::begin();
    story.company.sync(&[13]);
    let all = story.list();
    story.work(&all);
    story.export();
    story.company.sync(&[0]);
    let said = story.company.sync(&[0]);
    assert!(!said.contains("awaiting"), "{said}");

    // All ten licences are in use. Somebody new needs one, and nobody leaves: the list cannot help.
    story.company.join(500, 1);
    let said = story.company.sync(&[13]);
    assert!(
        said.contains("awaiting-licence")
            && said.contains("no licence \"EMDECSManager\" is free: 10 of 10"),
        "{said}"
    );
    assert_eq!(story.list(), []);

    // A manager leaves, which two reads must say: the task of disabling comes first, and the newcomer's names it.
    story.company.leave(1);
    story.company.sync(&[13]);
    story.company.sync(&[13]);
    let list = story.list();
    let what: Vec<&str> = list.iter().map(|(_, what, ..)| what.as_str()).collect();
    assert_eq!(what, ["disable", "create"]);
    let csv = fs::read_to_string(story.company.path().join("list/worklist.csv")).unwrap();
    assert!(
        csv.lines()
            .nth(2)
            .is_some_and(|line| line.contains(&list[0].0)),
        "{csv}"
    );
    story.work(&list);
    story.export();
    story.company.sync(&[0]);

    // Out of scope and back: disabling strips the licences, and the task of enabling names them.
    story.company.person(2).groups.remove("EMDECS Users");
    story.company.sync(&[13]);
    let list = story.list();
    assert_eq!((list.len(), list[0].1.as_str()), (1, "disable"));
    story.work(&list);
    story.export();
    story.company.sync(&[0]);
    story.company.person(2).groups.insert("EMDECS Users");
    story.company.sync(&[13]);
    let page = fs::read_to_string(story.company.path().join("list/worklist.html")).unwrap();
    assert!(
        page.contains("enter it again: licences = EMDECSManager, Tech Portal"),
        "{page}"
    );

    // The administrator enables, and forgets the licences: the export tells, and the list asks for them.
    let list = story.list();
    story.work(&list);
    story.export();
    story.company.run(&["sync", "--live"], &[13]);
    let list = story.list();
    assert_eq!(
        list[0].3,
        [(
            "licences".to_owned(),
            "EMDECSManager, Tech Portal".to_owned()
        )]
    );
    story.work(&list);
    story.export();
    story.company.run(&["sync", "--live"], &[0]);
    assert_eq!(story.list(), []);

    // What is no longer wanted is withdrawn: somebody is to be disabled, and is back before it was done.
    story.company.person(3).groups.remove("EMDECS Users");
    story.company.sync(&[13]);
    assert_eq!(story.list().len(), 1);
    story.company.person(3).groups.insert("EMDECS Users");
    story.company.sync(&[0]);
    assert_eq!(story.list(), []);
    assert_eq!(story.emdecs.ledger.count("create"), PEOPLE + 1);
    assert_eq!(story.emdecs.ledger.count("disable"), 2);
}
