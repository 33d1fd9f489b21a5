//! The demo tells the right story, for real, and leaves something to play on with.

use std::fs;

use super::cli::{code, files, provost, stderr, stdout};

/// What must be said, in this order.
const STORY: [&str; 17] = [
    "Plan for practice",
    "300 people",
    "! first-run: the first run against this target waits for review",
    "Summary: 294 to create",
    "Result for practice: applied;",
    "A joiner: Noor el-Amin",
    "+ create (joiner) Noor el-Amin",
    "Result for practice: applied;",
    "A mover: ",
    "(rename)",
    "Result for practice: applied;",
    "A leaver: ",
    "missing from one complete read; a second one confirms it",
    "- suspend (leaver) ",
    "^ reactivate (rehire) ",
    "And again: nothing is left to do",
    "Summary: nothing to do; 301 unchanged.",
];

#[test]
fn the_demo_tells_the_whole_life_and_can_be_played_on_with() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let told = provost(dir.path(), &["demo"]);
    assert_eq!(code(&told), 0, "{}", stderr(&told));
    let text = stdout(&told);
    let mut rest = text.as_str();
    for said in STORY {
        let at = rest
            .find(said)
            .unwrap_or_else(|| panic!("{said} is not said in:\n{rest}"));
        rest = &rest[at + said.len()..];
    }

    let config = "provost-demo/provost.toml";
    let again = provost(dir.path(), &["demo"]);
    assert_eq!(code(&again), 1);
    assert!(stderr(&again).contains("the demo is already in provost-demo"));

    // A dry run writes nothing: not to the application, and of our own state only who holds the lock.
    let before = files(&dir.path().join("provost-demo"));
    let plan = provost(dir.path(), &["--config", config, "--json", "plan"]);
    assert_eq!(code(&plan), 0, "{}", stderr(&plan));
    let mut after = files(&dir.path().join("provost-demo"));
    for (name, content) in &before {
        if !name.ends_with("/lock") {
            assert_eq!(after.remove(name).as_ref(), Some(content), "{name}");
        }
    }
    assert!(
        after.keys().all(|name| name.ends_with("/lock")),
        "{:?}",
        after.keys()
    );
    let json: serde_json::Value = serde_json::from_str(&stdout(&plan)).expect("JSON");
    assert_eq!(json["version"], 1);
    assert_eq!(json["kind"], "plan");
    assert_eq!(json["targets"][0]["changes"], serde_json::json!([]));

    let live = provost(dir.path(), &["--config", config, "plan", "--live"]);
    assert_eq!(code(&live), 0, "{}", stdout(&live));
    let status = provost(dir.path(), &["--config", config, "--json", "status"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&status)).expect("JSON");
    assert_eq!(
        (&json["version"], &json["kind"]),
        (&1.into(), &"status".into())
    );
    assert_eq!(json["targets"][0]["managed"], 295);
    let verify = provost(dir.path(), &["--config", config, "state", "verify"]);
    assert_eq!(code(&verify), 0, "{}", stdout(&verify));
    let online = provost(dir.path(), &["--config", config, "check", "--online"]);
    assert_eq!(code(&online), 0, "{}", stdout(&online));
    assert!(
        stdout(&online).contains("301 people"),
        "{}",
        stdout(&online)
    );
    explained(dir.path(), config);
}

fn explained(dir: &std::path::Path, config: &str) {
    let one = provost(dir, &["--config", config, "explain", "zo.obrien"]);
    assert_eq!(code(&one), 0, "{}", stderr(&one));
    for said in [
        "Scope: inside",
        "attributes.login = \"zo.obrien\"",
        "the account is as it should be",
    ] {
        assert!(stdout(&one).contains(said), "{said}: {}", stdout(&one));
    }
    let twins = provost(dir, &["--config", config, "explain", "anna maria sandberg"]);
    assert_eq!(code(&twins), 1);
    assert!(
        stderr(&twins).contains("fits 2 people"),
        "{}",
        stderr(&twins)
    );
    let nobody = provost(dir, &["--config", config, "explain", "nobody"]);
    assert_eq!(code(&nobody), 1);
}

#[test]
fn a_directory_of_somebody_else_is_left_alone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::write(dir.path().join("thesis.txt"), "do not touch").expect("written");
    let before = files(dir.path());
    let told = provost(dir.path(), &["demo", "."]);
    assert_eq!(code(&told), 1);
    assert!(
        stderr(&told).contains("exists and is not a demo"),
        "{}",
        stderr(&told)
    );
    assert_eq!(files(dir.path()), before);
}

#[test]
fn what_is_over_a_limit_waits_for_exactly_its_digest() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    provost(dir.path(), &["demo"]);
    let config = "provost-demo/provost.toml";
    let run = |args: &[&str]| provost(dir.path(), &[&["-c", config], args].concat());
    let ldif = dir.path().join("provost-demo/company.ldif");
    let text = fs::read_to_string(&ldif).expect("readable");
    fs::write(&ldif, text.replace("\ntitle: ", "\ntitle: Royal ")).expect("written");

    let wrong = run(&["apply", "practice", "--plan", "0123456789ab"]);
    assert_eq!(code(&wrong), 1, "{}", stdout(&wrong));
    let nobody_to_ask = run(&["apply", "practice"]);
    assert_eq!(code(&nobody_to_ask), 1);
    assert!(
        stderr(&nobody_to_ask).contains("--yes"),
        "{}",
        stderr(&nobody_to_ask)
    );

    let staged = run(&["--json", "sync"]);
    assert_eq!(code(&staged), 12, "{}", stderr(&staged));
    let json: serde_json::Value = serde_json::from_str(&stdout(&staged)).expect("JSON");
    let guard = &json["targets"][0]["guard"];
    assert_eq!(
        (&guard["approved"], &guard["staged"]),
        (&0.into(), &295.into())
    );
    assert_eq!(json["targets"][0]["results"], serde_json::json!([]));
    let digest = guard["release"].as_str().expect("a digest");

    let other = run(&["release", "practice", "--plan", "0123456789ab"]);
    assert_eq!(code(&other), 1, "{}", stdout(&other));
    assert_eq!(code(&run(&["sync"])), 12);
    let released = run(&["release", "practice", "--plan", &digest[..12]]);
    assert_eq!(code(&released), 0, "{}", stderr(&released));
    let done = run(&["sync"]);
    assert_eq!(code(&done), 0, "{}", stdout(&done));
    assert!(
        stdout(&done).contains("applied; 295 done"),
        "{}",
        stdout(&done)
    );
    assert!(stdout(&run(&["plan"])).contains("Summary: nothing to do"));
}

#[test]
fn whoever_leaves_while_the_index_is_lost_is_still_noticed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    provost(dir.path(), &["demo"]);
    let config = "provost-demo/provost.toml";
    let run = |args: &[&str]| provost(dir.path(), &[&["-c", config], args].concat());
    let ldif = dir.path().join("provost-demo/company.ldif");
    let text = fs::read_to_string(&ldif).expect("readable");
    let stayed = text
        .split("\n\n")
        .filter(|entry| !entry.contains("employeeNumber: 1042"));
    fs::write(&ldif, stayed.collect::<Vec<_>>().join("\n\n")).expect("written");

    let rebuilt = run(&["state", "rebuild"]);
    assert_eq!(code(&rebuilt), 0, "{}", stderr(&rebuilt));
    let first = run(&["sync"]);
    assert_eq!(code(&first), 13, "{}", stdout(&first));
    assert!(
        stdout(&first).contains("missing from one complete read"),
        "{}",
        stdout(&first)
    );
    let second = run(&["sync"]);
    assert_eq!(code(&second), 0, "{}", stdout(&second));
    assert!(
        stdout(&second).contains("Summary: 1 to suspend;"),
        "{}",
        stdout(&second)
    );
    let third = run(&["sync", "--live"]);
    assert_eq!(code(&third), 0, "{}", stdout(&third));
    assert!(
        stdout(&third).contains("Summary: nothing to do"),
        "{}",
        stdout(&third)
    );
}
