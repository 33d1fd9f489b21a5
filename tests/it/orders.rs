//! Overrides and freezes as operators give them: the real binary, a directory file and a practice application.

mod inside;

use std::fs;

use serde_json::Value as Json;

use super::cli::{code, provost, stderr, stdout};
use super::company::{Company, anchor};

fn run(company: &Company, args: &[&str]) -> (i32, String, String) {
    company.publish();
    let output = provost(
        company.dir(),
        &[&["--config", "provost.toml"], args].concat(),
    );
    (code(&output), stdout(&output), stderr(&output))
}

/// A company whose accounts are all as wanted.
fn at_rest(people: usize) -> Company {
    let company = Company::new(people);
    for expected in [0, 0] {
        let (code, out, err) = run(&company, &["sync"]);
        assert_eq!(code, expected, "{out}{err}");
    }
    company
}

fn json(company: &Company, args: &[&str]) -> Json {
    let (_, out, err) = run(company, &[&["--json"], args].concat());
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"))
}

fn active(company: &Company, number: usize) -> bool {
    let accounts = company.accounts("app");
    let mut theirs = accounts
        .iter()
        .filter(|account| super::company::held(account, "external_id") == Some(anchor(number)));
    theirs.next().unwrap().active.unwrap()
}

#[test]
fn a_suspension_by_name_holds_until_it_is_revoked() {
    let company = at_rest(6);
    let (status, out, err) = run(
        &company,
        &[
            "override",
            "suspend",
            "p001@example.org",
            "--reason",
            "laptop stolen",
        ],
    );
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("Suspended by name: Person 1"), "{out}");
    assert!(out.contains("until       revoked"), "{out}");
    // Nothing else changed, and the person is decided about again all the same.
    let (status, out, _) = run(&company, &["plan"]);
    assert_eq!(status, 10, "{out}");
    assert!(out.contains("- suspend (operator) Person 1"), "{out}");
    assert!(out.contains("Summary: 1 to suspend; 5 unchanged"), "{out}");
    assert_eq!(run(&company, &["sync"]).0, 0);
    assert!(!active(&company, 1));
    assert_eq!(run(&company, &["sync"]).0, 0);
    assert!(!active(&company, 1), "the next run changes nothing");

    let (status, out, _) = run(&company, &["override", "revoke", "Person 1"]);
    assert_eq!(status, 0);
    assert!(out.contains("Revoked: o1 (suspend for Person 1)"), "{out}");
    let (_, out, _) = run(&company, &["plan"]);
    assert!(
        out.contains("reactivate (operator-released) Person 1"),
        "{out}"
    );
    assert_eq!(run(&company, &["sync"]).0, 0);
    assert!(active(&company, 1));
}

#[test]
fn a_suspension_needs_no_directory_and_no_word_of_the_guard() {
    let mut company = at_rest(6);
    // Every limit is nought: only what an operator ordered by name passes.
    company.extra = "review-first-run = false";
    company.publish();
    let config = fs::read_to_string(company.config()).unwrap();
    let strict = config.replace("count = 5000, percent = 100", "count = 0, percent = 0");
    let call = |args: &[&str]| {
        fs::write(company.config(), &strict).unwrap();
        let output = provost(
            company.dir(),
            &[&["--config", "provost.toml"], args].concat(),
        );
        (code(&output), stdout(&output), stderr(&output))
    };
    fs::rename(
        company.dir().join("people.ldif"),
        company.dir().join("away"),
    )
    .unwrap();
    for person in ["p001", "p002"] {
        let (status, _, err) = call(&["override", "suspend", person, "--reason", "x"]);
        assert_eq!(status, 0, "{err}");
    }
    let (status, out, err) = call(&["sync"]);
    assert_eq!(status, 14, "the directory is away: {out}{err}");
    assert!(!active(&company, 1) && !active(&company, 2), "{out}");
    assert!(active(&company, 3));
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let company = at_rest(3);
    for (args, says) in [
        (
            &["grant", "p001", "--until", "2020-01-01", "--reason", "x"][..],
            "is past",
        ),
        (
            &["grant", "p001", "--until", "800h", "--reason", "x"],
            "more than 31 days",
        ),
        (
            &["grant", "p001", "--until", "soon", "--reason", "x"],
            "write a time (21:00)",
        ),
        (
            &["grant", "p001", "--until", "2h", "--reason", " "],
            "say why",
        ),
        (
            &["grant", "nobody", "--until", "2h", "--reason", "x"],
            "nobody is known",
        ),
        (
            &[
                "grant", "p001", "--until", "2h", "--target", "crm", "--reason", "x",
            ],
            "no target named",
        ),
        (
            &[
                "grant", "p001", "--until", "2h", "--from", "3h", "--reason", "x",
            ],
            "not after the beginning",
        ),
        (
            &["suspend", "p001", "--until", "40d", "--reason", "x"],
            "leave out --until",
        ),
        (&["revoke", "o7"], "nobody is known"),
        (&["revoke", "p001"], "there is no override"),
    ] {
        let (status, out, err) = run(&company, &[&["override"], args].concat());
        assert_ne!(status, 0, "{args:?}: {out}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
    assert_eq!(
        json(&company, &["override", "list"])["overrides"],
        Json::Array(Vec::new())
    );
    // A grant without an end is a mistake on the command line.
    let (status, _, _) = run(&company, &["override", "grant", "p001", "--reason", "x"]);
    assert_eq!(status, 2);
}

#[test]
fn who_is_meant_must_be_clear() {
    let mut company = at_rest(4);
    company.mapping.push('\n');
    company.publish();
    let ldif = fs::read_to_string(company.dir().join("people.ldif")).unwrap();
    let twins = ldif.replace("displayName: Person 2\n", "displayName: Person 1\n");
    let call = |args: &[&str]| {
        fs::write(company.dir().join("people.ldif"), &twins).unwrap();
        let output = provost(
            company.dir(),
            &[&["--config", "provost.toml"], args].concat(),
        );
        (code(&output), stderr(&output))
    };
    assert_eq!(call(&["sync"]).0, 0);
    let (status, err) = call(&["override", "suspend", "person 1", "--reason", "x"]);
    assert_eq!(status, 1);
    assert!(err.contains("fits 2 people"), "{err}");
    assert!(
        err.contains(&anchor(1)) && err.contains(&anchor(2)),
        "{err}"
    );
    assert_eq!(
        call(&["override", "suspend", &anchor(2), "--reason", "x"]).0,
        0
    );
}

#[test]
fn who_writes_it_wrongly_is_told_how_it_is_meant() {
    let mut company = Company::new(4);
    company.tables =
        "\n[[access]]\nname = \"office\"\neverybody = true\nwindows = [\"mon-fri 08:00-18:00\"]\n\
        zone = \"Europe/Berlin\"\n"
            .to_owned();
    let grant = [
        "override", "grant", "p001", "--until", "2h", "--reason", "x",
    ];
    let (status, _, err) = run(&company, &grant);
    assert_eq!(status, 1);
    assert!(
        err.contains("no directory was read yet; run `provost sync`"),
        "{err}"
    );
    assert_eq!(run(&company, &["--quiet", "sync"]).0, 0);
    let (status, _, err) = run(&company, &["override", "revoke", "o99"]);
    assert_eq!(status, 1);
    assert!(
        err.contains("\"o99\"") && err.contains("`provost override list`"),
        "{err}"
    );
    let (status, _, err) = run(&company, &["windows", "p001"]);
    assert_eq!(status, 78);
    assert!(err.contains("one person is named with --person"), "{err}");
    let ics = ["windows", "--person", "p001", "--ics", "-"];
    let (status, out, err) = run(&company, &ics);
    assert_eq!(status, 0, "{err}");
    assert!(out.starts_with("BEGIN:VCALENDAR\r\n"), "{out}");
    assert!(out.ends_with("END:VCALENDAR\r\n"), "{out}");
    assert!(!company.dir().join("-").exists());
}

#[test]
fn the_trail_keeps_what_was_ordered() {
    let company = at_rest(4);
    let grant = |until: &str| {
        let args = [
            "override",
            "grant",
            "p001",
            "--until",
            until,
            "--reason",
            "night shift",
        ];
        json(&company, &args)
    };
    let first = grant("2h");
    assert_eq!(first["kind"], "override");
    assert_eq!(first["overrides"][0]["id"], "o1");
    assert_eq!(first["overrides"][0]["effect"], "grant");
    // The newer one takes the place of the older one, and its name is never used again.
    let second = grant("1h");
    assert_eq!(second["overrides"][0]["id"], "o2");
    assert_eq!(second["ended"][0]["id"], "o1");
    assert_eq!(run(&company, &["override", "revoke", "o2"]).0, 0);
    assert_eq!(run(&company, &["freeze", "on", "--reason", "audit"]).0, 0);
    assert_eq!(run(&company, &["freeze", "off"]).0, 0);
    let third = grant("3h");
    assert_eq!(third["overrides"][0]["id"], "o7");

    let list = json(&company, &["override", "list", "--all"]);
    let overrides = list["overrides"].as_array().unwrap();
    assert_eq!(overrides.len(), 1);
    let trail = list["trail"].as_array().unwrap();
    let what: Vec<&str> = trail.iter().map(|e| e["what"].as_str().unwrap()).collect();
    let expected = [
        "grant", "grant", "replace", "revoke", "freeze", "thaw", "grant",
    ];
    assert_eq!(what, expected);
    for (at, entry) in trail.iter().enumerate() {
        assert_eq!(entry["number"], at as u64 + 1);
        assert!(entry["by"].as_str().unwrap().starts_with("uid "), "{entry}");
    }
    assert_eq!(trail[0]["reason"], "night shift");
    assert_eq!(trail[0]["label"], "Person 1");
    let (_, out, _) = run(&company, &["override", "list", "--all", "--last", "2"]);
    assert!(out.contains("last 2") && !out.contains("replace"), "{out}");
    assert!(out.contains(" grant    o7, Person 1, all targets"), "{out}");
}

/// Two applications, one of them frozen, and a directory that has moved on.
fn one_of_two_frozen() -> Company {
    let mut company = at_rest(6);
    company.targets.insert("other", Vec::new());
    assert_eq!(run(&company, &["sync"]).0, 0);
    let (status, out, _) = run(&company, &["freeze", "on", "app", "--reason", "migration"]);
    assert_eq!(status, 0);
    assert!(out.contains("Frozen: app."), "{out}");
    assert!(out.contains("other: not frozen"), "{out}");
    company.person(1).title = "Chief".to_owned();
    company.person(2).external = true;
    company
}

#[test]
fn a_frozen_target_is_not_written_to_and_names_who_waits() {
    let company = one_of_two_frozen();
    let before = fs::read(company.file("app")).unwrap();
    let (status, out, err) = run(&company, &["sync"]);
    assert_eq!(status, 15, "{out}{err}");
    let says = "1 person should lose access now and keep it because of the freeze";
    assert!(out.contains(says), "{out}");
    assert!(out.contains("! suspend (out-of-scope) Person 2"), "{out}");
    assert!(
        fs::read(company.file("app")).unwrap() == before,
        "something was written"
    );
    let (_, out, _) = run(&company, &["freeze", "status"]);
    assert!(out.contains("1 person should lose access"), "{out}");
    assert_eq!(run(&company, &["freeze", "off", "app"]).0, 0);
    assert_eq!(run(&company, &["sync"]).0, 0);
    assert!(!active(&company, 2));
    company.everybody_is_right("app");
}

#[test]
fn a_frozen_target_is_planned_and_others_go_on() {
    let company = one_of_two_frozen();
    let report = json(&company, &["sync"]);
    assert_eq!(report["outcome"], "frozen");
    let app = &report["targets"][0];
    assert_eq!(app["frozen"]["reason"], "migration");
    assert_eq!(app["waiting"][0]["anchor"], anchor(2));
    assert_eq!(app["results"], Json::Array(Vec::new()));
    // The other target was written to, and a dry run is as ever.
    assert_eq!(report["targets"][1]["outcome"], "applied");
    company.everybody_is_right("other");
    let (status, out, _) = run(&company, &["plan", "app"]);
    assert_eq!(status, 10);
    assert!(out.contains("app: frozen since"), "{out}");
    // Nor does an approval reach behind it.
    assert_eq!(run(&company, &["apply", "app", "--yes"]).0, 15);
}

#[test]
fn a_freeze_of_all_is_thawed_as_one() {
    let mut company = at_rest(3);
    company.targets.insert("other", Vec::new());
    assert_eq!(
        run(&company, &["freeze", "on", "--reason", "incident"]).0,
        0
    );
    assert_eq!(run(&company, &["sync"]).0, 15);
    assert!(
        !company.file("other").exists(),
        "a frozen application is not even begun"
    );
    let (status, _, err) = run(&company, &["freeze", "off", "app"]);
    assert_eq!(status, 1);
    assert!(err.contains("all targets are frozen together"), "{err}");
    let (_, out, _) = run(&company, &["freeze", "on", "--reason", "again"]);
    assert!(out.contains("Nothing new for all targets"), "{out}");
    assert_eq!(
        run(&company, &["freeze", "on", "elsewhere", "--reason", "x"]).0,
        78
    );
    assert_eq!(run(&company, &["freeze", "off"]).0, 0);
    assert_eq!(run(&company, &["sync"]).0, 0);
    assert!(company.file("other").exists());
}
