//! The demo's company: 300 people in five departments, the same ones every time.
//!
//! Ordinary names, and the awkward ones that real directories have: diacritics, quotes, commas, other scripts,
//! two people with one name. Nothing here reads or writes; [`super::ldif`] makes a file of it.

use uuid::Uuid;

/// How many people work there on the first day.
pub(super) const SIZE: usize = 300;

/// One person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Person {
    /// The employee number; the anchor is made from it and never changes.
    pub(super) number: usize,
    /// Given name.
    pub(super) given: String,
    /// Family name.
    pub(super) family: String,
    /// Login, unique.
    pub(super) login: String,
    /// Job title.
    pub(super) title: String,
    /// Index into [`DEPARTMENTS`].
    pub(super) department: usize,
    /// Works here, but for another company.
    pub(super) external: bool,
    /// The manager's employee number; the head of the company has none.
    pub(super) manager: Option<usize>,
}

impl Person {
    /// The immutable key.
    pub(super) fn anchor(&self) -> Uuid {
        let name = format!("https://example.org/people/{}", self.number);
        Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
    }

    /// The number of the department.
    pub(super) fn department_number(&self) -> &'static str {
        DEPARTMENTS
            .get(self.department)
            .map_or("", |one| one.number)
    }
}

/// One department.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Department {
    /// The number that the directory holds; the mapping makes a name of it.
    pub(super) number: &'static str,
    /// The name of its group.
    pub(super) group: &'static str,
    /// The titles of its people, the head's first.
    titles: [&'static str; 3],
}

/// The departments. The first is the head of the company's.
pub(super) const DEPARTMENTS: [Department; 5] = [
    department(
        "100",
        "management",
        ["Chief Executive", "Assistant", "Secretary"],
    ),
    department(
        "200",
        "sales",
        ["Head of Sales", "Sales Representative", "Account Executive"],
    ),
    department(
        "300",
        "engineering",
        ["Head of Engineering", "Engineer", "Senior Engineer"],
    ),
    department(
        "400",
        "support",
        ["Head of Support", "Support Engineer", "Support Analyst"],
    ),
    department(
        "500",
        "finance",
        ["Head of Finance", "Accountant", "Controller"],
    ),
];

const fn department(
    number: &'static str,
    group: &'static str,
    titles: [&'static str; 3],
) -> Department {
    Department {
        number,
        group,
        titles,
    }
}

/// Which department the people after the heads join, over and over.
const HIRING: [usize; 10] = [2, 1, 3, 2, 4, 1, 2, 3, 1, 2];

/// Every so many-th person works for another company: in the directory, and not in the mapping's scope.
const EXTERNAL_EVERY: usize = 50;

const GIVEN: [&str; 30] = [
    "Anna", "Jörg", "Zoë", "Łukasz", "Marie", "Ahmed", "Ingrid", "Paulo", "Chloé", "Björn", "Elif",
    "Tomás", "Nina", "Søren", "Aisha", "Jean-Luc", "Mette", "Ivan", "Siobhán", "Diego", "Hana",
    "Gustav", "Leïla", "Pekka", "Rosa", "Ömer", "Vera", "Matteo", "Yasmin", "Bram",
];

const FAMILY: [&str; 31] = [
    "Berg",
    "Müller",
    "Nowak",
    "García",
    "Smith",
    "O'Brien",
    "Jensen",
    "Rossi",
    "Yılmaz",
    "Dvořák",
    "Łęcki",
    "van der Berg",
    "Silva",
    "Novák",
    "Lindqvist",
    "Dupont",
    "Haddad",
    "Kowalska",
    "Schmidt",
    "de la Cruz",
    "Nielsen",
    "Özdemir",
    "Fischer",
    "Moreau",
    "Horváth",
    "Bakker",
    "Ferrari",
    "Popescu",
    "Hansen",
    "Weiß",
    "Ivanova",
];

/// Names that break careless software, with logins chosen by hand.
const AWKWARD: [(&str, &str, &str); 8] = [
    ("Zoë \"Zo\"", "O'Brien-Łukasiewicz", "zo.obrien"),
    ("Martin", "King, Jr.", "martin.king"),
    ("Þórunn", "Ægisdóttir", "thorunn.aegisdottir"),
    ("太郎", "山田", "taro.yamada"),
    ("Thị Ánh", "Nguyễn", "anh.nguyen"),
    ("Robert", "D'Arcy + Sons #1", "robert.darcy"),
    ("Anna Maria", "Sandberg", "anna.sandberg"),
    ("Anna Maria", "Sandberg", "anna.sandberg2"),
];

/// Everybody on the first day.
pub(super) fn company() -> Vec<Person> {
    let mut people: Vec<Person> = (0..SIZE).map(person).collect();
    let from = SIZE - AWKWARD.len();
    for (person, (given, family, login)) in people.iter_mut().skip(from).zip(AWKWARD) {
        given.clone_into(&mut person.given);
        family.clone_into(&mut person.family);
        login.clone_into(&mut person.login);
    }
    people
}

fn person(number: usize) -> Person {
    let head = number < DEPARTMENTS.len();
    let hired = HIRING
        .get(number % HIRING.len())
        .copied()
        .unwrap_or_default();
    let department = if head { number } else { hired };
    // 7 · 30 + 1 and 31 have no common factor, so no pair of names comes twice among 930 people.
    let pick = |names: &[&'static str], at: usize| names.get(at % names.len()).copied();
    let given = pick(&GIVEN, number).unwrap_or_default();
    let family = pick(&FAMILY, number * 7 + number / GIVEN.len()).unwrap_or_default();
    let titles = DEPARTMENTS
        .get(department)
        .map_or(["", "", ""], |one| one.titles);
    let title = titles.get(if head { 0 } else { 1 + number / 10 % 2 });
    let manager = match (number, head) {
        (0, _) => None,
        (_, true) => Some(0),
        (_, false) => Some(department),
    };
    Person {
        number,
        given: given.to_owned(),
        family: family.to_owned(),
        login: login(given, family),
        title: (*title.unwrap_or(&"")).to_owned(),
        department,
        external: number % EXTERNAL_EVERY == EXTERNAL_EVERY - 20,
        manager,
    }
}

/// A login from a name: ASCII letters and a dot between.
pub(super) fn login(given: &str, family: &str) -> String {
    let plain = |name: &str| -> String {
        let ascii = deunicode::deunicode(name).to_ascii_lowercase();
        ascii.chars().filter(char::is_ascii_lowercase).collect()
    };
    format!("{}.{}", plain(given), plain(family))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn everybody_is_somebody_else() {
        let people = company();
        let logins: BTreeSet<_> = people.iter().map(|p| &p.login).collect();
        let anchors: BTreeSet<_> = people.iter().map(Person::anchor).collect();
        assert_eq!(
            (people.len(), logins.len(), anchors.len()),
            (SIZE, SIZE, SIZE)
        );
        assert_eq!(people, company());
    }

    #[test]
    fn two_people_share_a_name_and_everybody_but_one_has_a_manager() {
        let people = company();
        let names: BTreeSet<_> = people.iter().map(|p| (&p.given, &p.family)).collect();
        assert_eq!(names.len(), SIZE - 1);
        assert_eq!(people.iter().filter(|p| p.manager.is_none()).count(), 1);
        assert_eq!(people.iter().filter(|p| p.external).count(), 6);
    }
}
