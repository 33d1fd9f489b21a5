//! `time-zones = "system"`: the rules are those of the machine's own database, which every report names, and without one
//! the configuration is refused instead of guessing.
//!
//! Each run has a `/usr/share/zoneinfo` of its own, by a mount that nobody else sees.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value as Json;

use super::*;

const SYSTEM: &str = "/usr/share/zoneinfo";

/// A company whose policies follow the system's time zones.
fn company() -> Company {
    let mut company = Company::new(3);
    company.tables = OFFICE.replace(
        "[access-rules]\n",
        "[access-rules]\ntime-zones = \"system\"\n",
    );
    company.publish();
    company
}

/// A command while this folder is the system's database.
fn with(company: &Company, database: &Path, args: &[&str]) -> Output {
    let mounted = "mount --bind \"$0\" /usr/share/zoneinfo && exec \"$@\"";
    Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", mounted])
        .arg(database)
        .args([env!("CARGO_BIN_EXE_provost"), "--config", "provost.toml"])
        .args(args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir(company.dir())
        .output()
        .unwrap()
}

/// A database of one zone, `Europe/Berlin`, with the rules of another.
fn database(rules: &str, version: Option<(&str, &str)>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("Europe")).unwrap();
    fs::copy(
        Path::new(SYSTEM).join(rules),
        folder.path().join("Europe/Berlin"),
    )
    .unwrap();
    if let Some((name, text)) = version {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn windows(company: &Company, database: &Path) -> Json {
    let range = [
        "--from",
        "2027-01-04 00:00 Europe/Berlin",
        "--to",
        "2027-01-04 23:59 Europe/Berlin",
    ];
    let output = with(
        company,
        database,
        &[&["--json", "windows"][..], &range].concat(),
    );
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn the_systems_time_zones_count_and_are_named() {
    let company = company();
    let berlin = database(
        "Europe/Berlin",
        Some(("tzdata.zi", "# version 2031q\n# more\n")),
    );
    let checked = with(&company, berlin.path(), &["check"]);
    assert_eq!(code(&checked), 0, "{}", stderr(&checked));
    assert!(
        stdout(&checked).contains("time zones 2031q (system)"),
        "{}",
        stdout(&checked)
    );
    let synced = with(&company, berlin.path(), &["sync"]);
    assert!([0, 13].contains(&code(&synced)), "{}", stderr(&synced));
    let here = windows(&company, berlin.path());
    assert_eq!(here["targets"][0]["time-zones"], "2031q (system)");

    // The same name with other rules: six hours later.
    let other = database("America/New_York", Some(("+VERSION", "2032a\n")));
    let there = windows(&company, other.path());
    assert_eq!(there["targets"][0]["time-zones"], "2032a (system)");
    let opens = |document: &Json| -> Vec<String> {
        let edges = person(document, 2)["transitions"].as_array().cloned();
        let edges = edges.unwrap_or_else(|| panic!("{document:#}"));
        edges
            .iter()
            .map(|edge| edge["at"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        opens(&here),
        ["2027-01-04T07:00:00Z", "2027-01-04T17:00:00Z"]
    );
    assert_eq!(
        opens(&there),
        ["2027-01-04T13:00:00Z", "2027-01-04T23:00:00Z"]
    );

    // A database that does not say what it is.
    let nameless = database("Europe/Berlin", None);
    let document = windows(&company, nameless.path());
    assert_eq!(
        document["targets"][0]["time-zones"],
        "of unknown version (system)"
    );
}

#[test]
fn without_time_zones_of_the_system_the_configuration_is_refused() {
    let company = company();
    let empty = tempfile::tempdir().unwrap();
    let zoneless = tempfile::tempdir().unwrap();
    fs::write(zoneless.path().join("tzdata.zi"), "# version 2031q\n").unwrap();
    // A link to nowhere is no zone either.
    symlink("/nonexistent", zoneless.path().join("UTC")).unwrap();
    for database in [&empty, &zoneless] {
        let refused = with(&company, database.path(), &["check"]);
        let text = stdout(&refused) + &stderr(&refused);
        assert_eq!(code(&refused), 78, "{text}");
        assert!(
            text.contains("time-zones") && text.contains(SYSTEM),
            "{text}"
        );
        assert!(text.contains("install the package tzdata"), "{text}");
    }
    // The program's own need nothing of the machine.
    let mut bundled = Company::new(3);
    bundled.tables = OFFICE.to_owned();
    bundled.publish();
    let checked = with(&bundled, empty.path(), &["check"]);
    assert_eq!(code(&checked), 0, "{}", stderr(&checked));
    assert!(
        stdout(&checked).contains("(bundled)"),
        "{}",
        stdout(&checked)
    );
}
