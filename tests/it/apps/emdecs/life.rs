//! A company of 200 people lives with EMDECS for a while.

use std::collections::BTreeSet;
use std::fs;

use super::{List, PEOPLE, Row, SHARED, Story, day, field, what};

#[test]
fn a_company_lives_with_emdecs() {
    let mut story = Story::begin(PEOPLE);
    // The login that technicians share was there before, and stays whatever happens.
    let shared = ["email", "first_name", "last_name", "effective_date"];
    let shared = shared.map(|name| (name.to_owned(), SHARED.to_owned()));
    let shared = (
        String::new(),
        "create".to_owned(),
        SHARED.to_owned(),
        shared.to_vec(),
    );
    story.work(List::Users, &[shared]);
    story.export();

    // Joiners: nothing is done, and everything is asked for once.
    let said = story.company.sync(&[13]);
    assert!(said.contains("0 done, 120 awaiting-confirmation"), "{said}");
    let (users, badges) = (story.list(List::Users), story.list(List::Badges));
    assert_eq!((users.len(), badges.len()), (120, 120));
    story.company.sync(&[13]);
    assert_eq!(story.list(List::Users), users);
    assert_eq!(story.list(List::Badges), badges);
    story.day("joiners");
    assert_eq!(story.users.ledger.count("create"), 121);
    assert_eq!(story.badges.ledger.count("create"), 120);
    let said = story.company.sync(&[0]);
    assert!(!said.contains("awaiting"), "{said}");

    moves(&mut story);
    leaves_and_returns(&mut story);
    assert_eq!(
        story.users.ledger.about(SHARED).len(),
        1,
        "nobody touched it"
    );
}

/// Offices, types, licences, names, and an address that two people claim.
fn moves(story: &mut Story) {
    let today = day(&story.exports.began);
    story.company.person(3).office = "Depot West";
    story.company.person(90).office = "Depot West";
    story.company.person(91).title = "Parts Clerk";
    story.company.person(4).sn = "Married".to_owned();
    // From a manager to none, and one who becomes a manager: ten licences are all there are.
    // Those who need one come first in every order but that of the list.
    for number in [18, 19] {
        story
            .company
            .person(number)
            .groups
            .remove("EMDECS Managers");
    }
    for number in [1, 2] {
        story
            .company
            .person(number)
            .groups
            .insert("EMDECS Managers");
    }
    // A second person with an address in use has no user; the first one keeps theirs.
    story.company.join(500, 50);
    story
        .company
        .person(500)
        .groups
        .remove("EMDECS Technicians");
    let taken = story.company.person(50).mail();
    story.company.person(500).more.insert("mail", taken);
    let said = story.company.sync(&[13]);
    assert!(said.contains("Per500"), "{said}");

    let list = story.list(List::Users);
    let changes = what(&list);
    assert!(!said.contains("awaiting-licence"), "{said}");
    assert_eq!(changes.len(), 6, "{changes:?}");
    assert!(changes.iter().all(|(kind, _)| *kind == "change"));
    let row = |who: &str| list.iter().find(|row| row.2 == who).unwrap();
    assert_eq!(field(row("p003@example.org"), "location"), "Depot West");
    assert_eq!(field(row("p003@example.org"), "location_from"), today);
    assert_eq!(field(row("p004@example.org"), "last_name"), "Married");
    let place = |who: &str| changes.iter().position(|(_, other)| *other == who).unwrap();
    for (frees, takes) in [("p018", "p001"), ("p019", "p002")] {
        let [frees, takes] = [frees, takes].map(|name| format!("{name}@example.org"));
        assert!(place(&frees) < place(&takes), "{changes:?}");
    }

    // Type and location have dates of their own: only what is new begins today, and the other keeps its dates.
    let list = story.list(List::Badges);
    assert_eq!(what(&list), [("change", "1090"), ("change", "1091")]);
    let names = |row: &Row| {
        row.3
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<BTreeSet<_>>()
    };
    let dated = |name: &str| {
        let names = [
            name.to_owned(),
            format!("{name}_from"),
            format!("{name}_until"),
        ];
        BTreeSet::from(names)
    };
    assert_eq!(names(&list[0]), dated("location"));
    assert_eq!(names(&list[1]), dated("type"));
    assert_eq!(field(&list[0], "location_from"), today);
    story.company.people.retain(|person| person.number != 500);
    story.company.sync(&[13]);
    story.day("movers");
}

/// Leavers free licences before joiners need them, and what disabling strips comes back with whoever returns.
fn leaves_and_returns(story: &mut Story) {
    // All badges' licences are in use. Two technicians come; one leaves, by falling out of the group.
    story.company.join(600, 100);
    story.company.join(601, 100);
    story.company.person(110).groups.clear();
    // Both a user and an employee leaves, and so does a manager, as somebody comes who is one.
    let gone = story.company.person(170).groups.clone();
    story.company.person(170).groups.clear();
    let manager = story.company.person(10).groups.clone();
    story.company.person(10).groups.clear();
    story.company.join(602, 11);
    let said = story.company.sync(&[13]);
    assert!(!said.contains("awaiting-licence"), "{said}");
    let list = story.list(List::Users);
    assert_eq!(
        what(&list),
        [
            ("disable", "p010@example.org"),
            ("disable", "p170@example.org"),
            ("create", "p602@example.org"),
        ]
    );
    let csv = fs::read_to_string(story.company.path().join("users/worklist.csv")).unwrap();
    let create = csv.lines().find(|line| line.contains("create")).unwrap();
    assert!(
        create.contains(&list[0].0),
        "it says what must come first: {create}"
    );
    let list = story.list(List::Badges);
    assert_eq!(
        what(&list),
        [
            ("disable", "1110"),
            ("disable", "1170"),
            ("create", "1600"),
            ("create", "1601"),
        ]
    );
    story.day("leavers");
    assert!(!story.users.records["p010@example.org"].enabled);
    assert!(story.users.records["p010@example.org"].licences.is_empty());
    returns(story, gone, manager);
}

/// What disabling stripped comes back, as soon as there are licences for it.
fn returns(story: &mut Story, gone: BTreeSet<&'static str>, manager: BTreeSet<&'static str>) {
    // They come back: the manager's licence is somebody else's now, and the list says so instead of asking for it.
    story.company.person(170).groups = gone;
    story.company.person(10).groups = manager;
    let said = story.company.sync(&[13]);
    assert!(
        said.contains("awaiting-licence")
            && said.contains("no licence \"EMDECSManager\" is free: 10 of 10"),
        "{said}"
    );
    assert!(
        said.contains("no licence \"TechnicianEMDECS\" is free: 120 of 120"),
        "{said}"
    );
    assert_eq!(
        what(&story.list(List::Users)),
        [("enable", "p170@example.org")]
    );
    assert_eq!(story.list(List::Badges), []);
    // Somebody gives theirs back, and it goes on in the same run.
    story.company.person(602).groups.remove("EMDECS Managers");
    story.company.person(601).groups.clear();
    story.company.sync(&[13]);
    let list = story.list(List::Users);
    assert_eq!(
        what(&list),
        [
            ("change", "p602@example.org"),
            ("enable", "p010@example.org"),
            ("enable", "p170@example.org"),
        ]
    );
    let page = fs::read_to_string(story.company.path().join("users/worklist.html")).unwrap();
    assert!(
        page.contains("enter it again: licences = EMDECSManager, Tech Portal"),
        "{page}"
    );
    // The administrator enters again what the list names.
    for list in [List::Users, List::Badges] {
        let rows = story.list(list);
        story.work(list, &rows);
    }
    let both = ["EMDECSManager", "Tech Portal"].map(str::to_owned);
    let again = story.users.records.get_mut("p010@example.org").unwrap();
    again.licences.extend(both);
    let again = story.badges.records.get_mut("1170").unwrap();
    again.licences.insert("TechnicianEMDECS".to_owned());
    story.day("rehired");
}
