//! EMDECS for a company of 200: users, employees, and people who are both. The administrator works through two lists, and
//! the exports of EMDECS say what is there.

mod life;

use std::collections::BTreeSet;
use std::fs;
use std::time::SystemTime;

use super::company::{Company, Person};
use super::worklist::{self, Exports};
use crate::support::sim::emdecs::{Emdecs, Row};

pub(super) type TaskRow = Row;

pub(super) const PEOPLE: usize = 200;
/// The shared login of the technicians who have a badge only. Nobody in the directory.
const SHARED: &str = "shared-tech@example.org";

pub(super) const USERS: &str = r#"type = "worklist"
mapping = "mappings/emdecs-users.toml"
path = "users"
id = "email"
export = "users.csv"
lists = ["licences"]
stripped-when-disabled = ["licences"]
protected-accounts = ["shared-tech@example.org"]

[target.columns]
email = "E-mail"
first_name = "First Name"
last_name = "Last Name"
licences = "Software"
location = "Repair Location"

[target.active]
column = "Status"
values = ["Active"]

[[target.dated]]
attribute = "location"
from = "location_from"

[target.licences]
attribute = "licences"
stock = { EMDECSManager = 10 }
"#;

pub(super) const BADGES: &str = r#"
[[target]]
name = "badges"
source = "company"
policy = "sync"
review-first-run = false
type = "worklist"
mapping = "mappings/emdecs-employees.toml"
path = "badges"
id = "badge"
export = "badges.csv"
lists = ["licences"]
stripped-when-disabled = ["licences"]

[target.columns]
badge = "Employee #"
first_name = "First Name"
last_name = "Last Name"
type = "Type"
type_until = "Type Termination"
location = "Location"
location_until = "Location Termination"
licences = "Software"

[target.active]
column = "Status"
values = ["Active"]

[[target.dated]]
attribute = "type"
from = "type_from"
until = "type_until"

[[target.dated]]
attribute = "location"
from = "location_from"
until = "location_until"

[target.licences]
attribute = "licences"
stock = { TechnicianEMDECS = 120 }

[target.limits]
suspend = { count = 5000, percent = 100 }
suspend-per-day = { count = 5000, percent = 100 }
create = { count = 5000, percent = 100 }
update = { count = 5000, percent = 100 }
reactivate = { count = 5000, percent = 100 }
"#;

const BADGE_COLUMNS: [(&str, &str); 8] = [
    ("badge", "Employee #"),
    ("first_name", "First Name"),
    ("last_name", "Last Name"),
    ("type", "Type"),
    ("type_until", "Type Termination"),
    ("location", "Location"),
    ("location_until", "Location Termination"),
    ("licences", "Software"),
];

/// One of the two lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum List {
    Users,
    Badges,
}

impl List {
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Badges => "badges",
        }
    }
}

/// The company, EMDECS, and the administrator between them.
pub(super) struct Story {
    pub company: Company,
    pub users: Emdecs,
    pub badges: Emdecs,
    exports: Exports,
}

impl Story {
    /// The first two fifths are users only, the next two employees only, the last are both.
    pub(super) fn begin(people: usize) -> Self {
        let mut company = Company::new(people, &["Depot North", "Depot South"], &[]);
        USERS.clone_into(&mut company.target);
        BADGES.clone_into(&mut company.tables);
        for number in 0..people {
            let groups: &[&'static str] = match number * 5 / people {
                0 | 1 => &["EMDECS Users", "EMDECS Tech Portal"],
                2 | 3 => &["EMDECS Technicians"],
                _ => &["EMDECS Users", "EMDECS Technicians"],
            };
            company.person(number).groups = groups.iter().copied().collect();
        }
        for number in (people / 20)..(people / 10) {
            company.person(number).groups.insert("EMDECS Managers");
        }
        let mut badges = Emdecs::new(
            "badge",
            &[
                "badge",
                "last_name",
                "start_date",
                "type",
                "type_from",
                "type_until",
                "location",
                "location_from",
                "location_until",
            ],
            &[("TechnicianEMDECS", 120)],
        );
        badges.dated = &[
            ("type", &["type_from", "type_until"]),
            ("location", &["location_from", "location_until"]),
        ];
        let mut users = Emdecs::new(
            "email",
            &["email", "first_name", "last_name", "effective_date"],
            &[("EMDECSManager", 10)],
        );
        users.dated = &[("location", &["location_from"])];
        Self {
            company,
            users,
            badges,
            exports: Exports::begin(),
        }
    }

    pub(super) fn list(&self, list: List) -> Vec<Row> {
        worklist::list_in(&self.company, list.folder())
    }

    /// Does these tasks in EMDECS, in the order of the list.
    pub(super) fn work(&mut self, list: List, rows: &[Row]) {
        let emdecs = match list {
            List::Users => &mut self.users,
            List::Badges => &mut self.badges,
        };
        worklist::work(emdecs, rows);
    }

    pub(super) fn tick(&self, rows: &[Row]) {
        worklist::tick(&self.company, rows);
    }

    pub(super) fn csv(&self, list: List) -> String {
        match list {
            List::Users => self.users.export(&worklist::COLUMNS),
            List::Badges => self.badges.export(&BADGE_COLUMNS),
        }
    }

    /// Lays this text where the export is expected, newer than everything before.
    pub(super) fn lay(&mut self, list: List, text: &str) {
        let path = self.company.path().join(format!("{}.csv", list.folder()));
        self.exports.lay(&path, text);
    }

    /// Takes the exports away: what is ticked from now on is newer than anything that they said.
    pub(super) fn no_exports(&self) {
        for list in [List::Users, List::Badges] {
            let path = self.company.path().join(format!("{}.csv", list.folder()));
            drop(fs::remove_file(path));
        }
    }

    /// Fresh exports of both.
    pub(super) fn export(&mut self) {
        for list in [List::Users, List::Badges] {
            let text = self.csv(list);
            self.lay(list, &text);
        }
    }

    /// Everything on both lists is done, and the exports show it.
    pub(super) fn day(&mut self, chapter: &str) {
        for list in [List::Users, List::Badges] {
            let rows = self.list(list);
            self.work(list, &rows);
        }
        self.export();
        self.company.run(&["sync", "--live"], &[0, 13]);
        for list in [List::Users, List::Badges] {
            assert_eq!(self.list(list), [], "{chapter}: {list:?}");
        }
        self.everybody_is_right(chapter);
    }

    /// EMDECS has what the directory wants, and nobody else works there.
    fn everybody_is_right(&self, chapter: &str) {
        let day = day(&self.exports.began);
        let mut users = BTreeSet::from([SHARED.to_owned()]);
        let mut badges = BTreeSet::new();
        for person in &self.company.people {
            let number = person.number;
            if person.groups.contains("EMDECS Users") {
                let mail = format!("p{number:03}@example.org");
                let what = format!("{chapter}: {mail}");
                let record = &self.users.records[&mail];
                assert!(record.enabled, "{what}");
                assert_eq!(record.fields["last_name"], person.sn, "{what}");
                assert_eq!(record.fields["location"], person.office, "{what}");
                assert_eq!(record.licences, licences(person), "{what}");
                users.insert(mail);
            }
            if person.groups.contains("EMDECS Technicians") {
                let badge = (1000 + number).to_string();
                let what = format!("{chapter}: badge {badge}");
                assert!(self.badges.works(&badge, &day), "{what}");
                let record = &self.badges.records[&badge];
                assert_eq!(record.fields["location"], person.office, "{what}");
                let kind = match person.title {
                    "Parts Clerk" => "Parts",
                    _ => "Mechanic",
                };
                assert_eq!(record.fields["type"], kind, "{what}");
                let held: Vec<&String> = record.licences.iter().collect();
                assert_eq!(held, ["TechnicianEMDECS"], "{what}");
                badges.insert(badge);
            }
        }
        for (emdecs, wanted) in [(&self.users, users), (&self.badges, badges)] {
            for (id, record) in &emdecs.records {
                assert!(wanted.contains(id) || !record.enabled, "{chapter}: {id}");
            }
        }
    }
}

/// The day of a moment, as lists write it.
pub(super) fn day(at: &SystemTime) -> String {
    let at = jiff::Timestamp::try_from(*at).unwrap();
    at.strftime("%Y-%m-%d").to_string()
}

fn licences(person: &Person) -> BTreeSet<String> {
    [
        ("EMDECS Tech Portal", "Tech Portal"),
        ("EMDECS Managers", "EMDECSManager"),
    ]
    .into_iter()
    .filter(|(group, _)| person.groups.contains(group))
    .map(|(_, licence)| licence.to_owned())
    .collect()
}

pub(super) fn what(rows: &[Row]) -> Vec<(&str, &str)> {
    rows.iter()
        .map(|(_, what, who, _)| (what.as_str(), who.as_str()))
        .collect()
}

fn field<'a>(row: &'a Row, name: &str) -> &'a str {
    let (_, value) = row.3.iter().find(|(field, _)| field == name).unwrap();
    value
}
