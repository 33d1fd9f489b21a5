//! What-if by the clock: who has access when, as text, JSON and calendar, from the last read alone.

mod calendar;
mod zones;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value as Json;

use super::cli::{code, provost, stderr, stdout};
use super::company::Company;

const OFFICE: &str = "
[access-rules]
combine = \"intersection\"

[[access]]
name = \"office\"
everybody = true
windows = [\"mon-fri 08:00-18:00\"]
zone = \"Europe/Berlin\"
holidays = [\"12-25 Christmas Day\"]

[[access]]
name = \"night\"
people = [\"00000000-0000-4000-8000-000000000001\"]
windows = [\"daily 08:00-02:30\"]
zone = \"Europe/Berlin\"
";

/// A company with windows that has been read once.
fn read_once() -> Company {
    let mut company = Company::new(4);
    company.tables = OFFICE.to_owned();
    company.publish();
    // The people are read even where nobody may have an account yet.
    let output = call(&company, &["sync"]);
    assert!([0, 13].contains(&output.0), "{}{}", output.1, output.2);
    company
}

fn call(company: &Company, args: &[&str]) -> (i32, String, String) {
    let output = provost(
        company.dir(),
        &[&["--config", "provost.toml"], args].concat(),
    );
    (code(&output), stdout(&output), stderr(&output))
}

fn json(company: &Company, args: &[&str]) -> Json {
    let (status, out, err) = call(company, &[&["--json", "windows"], args].concat());
    assert_eq!(status, 0, "{err}");
    serde_json::from_str(&out).unwrap()
}

fn person(document: &Json, number: usize) -> &Json {
    let label = format!("Person {number}");
    let people = document["targets"][0]["people"].as_array().unwrap();
    people.iter().find(|one| one["label"] == *label).unwrap()
}

#[test]
fn the_last_read_tells_who_is_open_at_any_moment() {
    let company = read_once();
    fs::remove_file(company.dir().join("people.ldif")).unwrap();
    for (at, open) in [
        ("2027-03-26 07:59 Europe/Berlin", false),
        ("2027-03-26 08:00 Europe/Berlin", true),
        ("2027-03-26 17:59:59 Europe/Berlin", true),
        ("2027-03-26 18:00 Europe/Berlin", false),
        ("2027-03-26T07:30:00Z", true),
        ("2027-03-27 12:00 Europe/Berlin", false),
        // A holiday on a weekday.
        ("2028-12-25 12:00 Europe/Berlin", false),
    ] {
        let found = json(&company, &["--at", at]);
        let state = if open { "open" } else { "closed" };
        assert_eq!(person(&found, 0)["state"], state, "{at}");
        let reasons = person(&found, 0)["reasons"].as_array().unwrap().len();
        assert_eq!(reasons, usize::from(!open), "{at}");
    }
    let (_, out, _) = call(
        &company,
        &["windows", "--at", "2028-12-25 12:00 Europe/Berlin"],
    );
    assert!(
        out.contains("closed day 12-25 Christmas Day") || out.contains("Christmas Day"),
        "{out}"
    );
    assert!(out.contains("Closed (4)"), "{out}");
    assert!(
        out.contains("opens Tue 2028-12-26 08:00 Europe/Berlin"),
        "{out}"
    );
}

#[test]
fn nights_when_clocks_change_have_one_edge_each() {
    let company = read_once();
    // 02:30 does not come: closed from the jump on.
    let spring = [
        "--from",
        "2027-03-27 20:00 Europe/Berlin",
        "--to",
        "2027-03-28 12:00 Europe/Berlin",
    ];
    let expected = ["2027-03-28T01:00:00Z", "2027-03-28T06:00:00Z"];
    // Only this policy is shown by its own: both together are never open at night.
    let mut company_of_night = Company::new(4);
    company_of_night.tables = OFFICE.replace("everybody = true", "people = [\"nobody\"]");
    company_of_night.publish();
    call(&company_of_night, &["sync"]);
    let found = json(&company_of_night, &spring);
    let edges = person(&found, 1)["transitions"].as_array().unwrap();
    let times: Vec<&str> = edges.iter().map(|e| e["at"].as_str().unwrap()).collect();
    assert_eq!(times, expected);
    // 02:30 comes twice: closed the first time.
    let autumn = [
        "--from",
        "2027-10-30 20:00 Europe/Berlin",
        "--to",
        "2027-10-31 12:00 Europe/Berlin",
    ];
    let found = json(&company_of_night, &autumn);
    let edges = person(&found, 1)["transitions"].as_array().unwrap();
    let times: Vec<&str> = edges.iter().map(|e| e["at"].as_str().unwrap()).collect();
    assert_eq!(times, ["2027-10-31T00:30:00Z", "2027-10-31T07:00:00Z"]);
    // A moment that does not exist is said to be another one.
    let (_, out, _) = call(
        &company,
        &["windows", "--at", "2027-03-28 02:30 Europe/Berlin"],
    );
    assert!(
        out.contains("2027-03-28 02:30 does not exist in Europe/Berlin"),
        "{out}"
    );
    assert!(out.contains("2027-03-28T01:30:00Z"), "{out}");
}

/// Just before each transition it is not yet so, from then on it is; and between them nothing changes.
#[test]
fn transitions_and_moments_agree() {
    let company = read_once();
    let suspended = [
        "override", "suspend", "p002", "--from", "30h", "--until", "50h", "--reason", "x",
    ];
    assert_eq!(call(&company, &suspended).0, 0);
    let granted = [
        "override", "grant", "p003", "--from", "3d", "--until", "6d", "--reason", "x",
    ];
    assert_eq!(call(&company, &granted).0, 0);
    let all = json(&company, &["--from", "1h", "--to", "8d"]);
    let mut probes = BTreeSet::new();
    for number in 0..4 {
        for edge in person(&all, number)["transitions"].as_array().unwrap() {
            let at: jiff::Timestamp = edge["at"].as_str().unwrap().parse().unwrap();
            probes.insert((at, -1_i64));
            probes.insert((at, 0));
        }
    }
    assert!(probes.len() > 10, "{all}");
    for (at, shift) in probes {
        let at = jiff::Timestamp::from_second(at.as_second() + shift).unwrap();
        let found = json(&company, &["--at", &at.to_string()]);
        for number in 0..4 {
            let before = person(&all, number)["transitions"].as_array().unwrap();
            let last = before.iter().rfind(|edge| {
                edge["at"]
                    .as_str()
                    .unwrap()
                    .parse::<jiff::Timestamp>()
                    .unwrap()
                    <= at
            });
            let open = match last {
                Some(edge) => edge["open"] == true,
                None => person(&all, number)["state"] == "open",
            };
            let state = if open { "open" } else { "closed" };
            assert_eq!(person(&found, number)["state"], state, "{number} at {at}");
        }
    }
}

#[test]
fn one_person_is_found_like_everywhere_and_reasons_are_all_told() {
    let mut company = read_once();
    company.person(2).external = true;
    company.publish();
    call(&company, &["sync"]);
    let noon = "2027-03-26 12:00 Europe/Berlin";
    let found = json(&company, &["--at", noon]);
    assert_eq!(found["targets"][0]["people"].as_array().unwrap().len(), 3);
    let found = json(&company, &["--at", noon, "--person", "P002@example.org"]);
    assert_eq!(
        person(&found, 2)["reasons"],
        serde_json::json!(["out-of-scope"])
    );
    assert_eq!(person(&found, 2)["in-scope"], false);
    let (status, _, err) = call(&company, &["windows", "--person", "nobody"]);
    assert_eq!(status, 1);
    assert!(err.contains("nobody is known"), "{err}");
    let (status, _, err) = call(
        &company,
        &["windows", "--from", "2027-01-02", "--to", "2027-01-01"],
    );
    assert_eq!(status, 1);
    assert!(err.contains("ends before it begins"), "{err}");
}

#[test]
fn without_a_read_there_is_nothing_to_tell_unless_asked_to_read() {
    let mut company = Company::new(3);
    company.tables = OFFICE.to_owned();
    company.publish();
    let (status, _, err) = call(&company, &["windows"]);
    assert_eq!(status, 14, "{err}");
    assert!(err.contains("never read"), "{err}");
    let found = json(
        &company,
        &["--read", "--at", "2027-03-26 12:00 Europe/Berlin"],
    );
    assert_eq!(person(&found, 0)["state"], "open");
    // Looking remembers nothing.
    assert_eq!(call(&company, &["windows"]).0, 14);
}

/// What a run measured tells how long a closing takes, and how late the last one would be.
#[test]
fn a_closing_that_takes_long_is_told_beforehand() {
    let mut company = Company::new(30);
    company.publish();
    assert_eq!(call(&company, &["sync"]).0, 0);
    for number in 0..25 {
        company.person(number).external = true;
    }
    company.break_with(&["slow=40"]);
    company.publish();
    assert_eq!(call(&company, &["sync"]).0, 0);
    for number in 0..25 {
        company.person(number).external = number % 17 == 16;
    }
    company.break_with(&[]);
    company.tables = OFFICE.to_owned();
    company.publish();
    let range = [
        "--read",
        "--from",
        "2027-03-26 Europe/Berlin",
        "--to",
        "2027-03-27 Europe/Berlin",
    ];
    let found = json(&company, &range);
    let closing = &found["targets"][0]["closings"][0];
    assert_eq!(closing["at"], "2027-03-26T17:00:00Z");
    let people = found["targets"][0]["people"].as_array().unwrap().len();
    assert_eq!(closing["people"], people, "{closing}");
    let seconds = closing["seconds"].as_i64().unwrap();
    assert!((1..=60).contains(&seconds), "{closing}");
    assert_eq!(closing["late-seconds"], seconds);
    let begin: jiff::Timestamp = closing["begin"].as_str().unwrap().parse().unwrap();
    let at: jiff::Timestamp = "2027-03-26T17:00:00Z".parse().unwrap();
    assert_eq!(at.duration_since(begin).as_secs(), seconds);
}
