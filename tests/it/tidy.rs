//! The shape of the source, as text: which room may use what, what pure code may not touch, how large a file may be.
//!
//! It reads names and `use` paths, not types: a rule that the compiler or clippy can hold is theirs, not repeated here.
//! Test modules at the end of a file (`#[cfg(test)] mod …`) are bound by the test rules only.

use std::{collections::BTreeMap, fs, path::Path};

mod text;

use text::{Source, crate_rooms, has_path, supers_out_of};

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Broken {
    rule: &'static str,
    place: String,
    what: String,
}

/// Rooms, and the rooms that each may name besides itself. A room that is not here may name all.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("document", &["model"]),
    ("reconcile", &["model", "document"]),
    ("source", &["model", "veil"]),
    ("target", &["model", "random", "document", "veil"]),
    ("store", &["model", "random"]),
    ("deliver", &["model", "veil"]),
    ("report", &["model", "reconcile"]),
    (
        "config",
        &[
            "model",
            "document",
            "reconcile",
            "source",
            "target",
            "store",
            "deliver",
        ],
    ),
    (
        "engine",
        &[
            "model",
            "random",
            "reconcile",
            "report",
            "source",
            "target",
            "store",
            "deliver",
            "config",
            "veil",
        ],
    ),
    (
        "daemon",
        &[
            "model",
            "random",
            "reconcile",
            "report",
            "source",
            "target",
            "store",
            "deliver",
            "config",
            "engine",
        ],
    ),
];

/// Libraries that one room keeps to itself.
const OWNED: &[(&str, &[&str])] = &[
    ("sled", &["store"]),
    ("ldap3", &["source"]),
    ("reqwest", &["target", "deliver"]),
    ("lettre", &["deliver"]),
    ("cron", &["daemon", "config"]),
    ("rand", &["random"]),
    ("getrandom", &["random"]),
];

/// Where the same input must always give the same answer.
const PURE: &[&str] = &[
    "model",
    "document",
    "reconcile",
    "report",
    "config/raw",
    "config/valid",
    "target/profile",
    "veil",
];

/// What would make an answer depend on more than the input, or wait for it.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "ldap3",
    "sled",
    "rand",
    "async",
    "await",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "File::open",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "env::var",
    "Uuid::new_v4",
];

/// What ends the process where an error should be told. (`.expect(tag)` is a parser's own.)
const ABRUPT: &[&str] = &[
    ".unwrap()",
    ".expect(\"",
    "panic!(",
    "todo!(",
    "unimplemented!(",
    "unreachable!(",
];

/// Longest file, without its test modules.
const LINES: usize = 500;

fn in_room(path: &str, room: &str) -> bool {
    path.strip_prefix(room)
        .is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

/// All rules for one file; `path` is relative to `src/`.
fn examine(path: &str, content: &str) -> Vec<Broken> {
    // A module of tests in files of its own.
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        let lines: Vec<_> = (1..).zip(content.lines()).collect();
        return examine_tests(&format!("src/{path}"), &lines);
    }
    let source = Source::new(content);
    let mut broken = Vec::new();
    let mut tell = |rule, line: usize, what: &str| {
        broken.push(Broken {
            rule,
            place: format!("src/{path}:{line}"),
            what: what.to_owned(),
        });
    };
    let room = path.split(['/', '.']).next().unwrap_or_default();
    for (line, code) in source.code() {
        if PURE.iter().any(|pure| in_room(path, pure)) {
            for word in IMPURE.iter().filter(|w| has_path(code, w)) {
                tell("pure", line, word);
            }
        }
        for (library, rooms) in OWNED {
            if has_path(code, library) && !rooms.iter().any(|r| in_room(path, r)) {
                tell("one room per library", line, library);
            }
        }
        for abrupt in ABRUPT.iter().filter(|w| code.contains(**w)) {
            if !source.allowed_near(line) {
                tell("errors are told", line, abrupt);
            }
        }
        if supers_out_of(path, code) {
            tell(
                "arrows",
                line,
                "a path through `super::` up to the crate; write `crate::`",
            );
        }
    }
    if let Some((_, allowed)) = ARROWS.iter().find(|(r, _)| *r == room) {
        for (line, named) in crate_rooms(&source) {
            if named != room && !allowed.contains(&named.as_str()) {
                tell("arrows", line, &format!("{room} uses crate::{named}"));
            }
        }
    }
    let limit = if path == "main.rs" { 20 } else { LINES };
    if source.code_len() > limit {
        tell(
            "size",
            source.code_len(),
            &format!("{} lines, at most {limit}", source.code_len()),
        );
    }
    broken.extend(examine_tests(&format!("src/{path}"), &source.tests()));
    broken
}

/// The rules for test code. Waiting is for `support::process::await_some`, the one place with a deadline, or for a
/// paused clock.
fn examine_tests<'a>(path: &str, lines: &[(usize, &'a str)]) -> Vec<Broken> {
    let paused = lines
        .iter()
        .any(|(_, l)| l.contains("start_paused") || l.contains("time::pause()"));
    let mut sleeps = if path == "tests/it/support/process.rs" {
        1
    } else {
        0
    };
    let mut broken = Vec::new();
    let mut tell = |rule, line: &usize, what: &'a str| {
        broken.push(Broken {
            rule,
            place: format!("{path}:{line}"),
            what: what.trim().to_owned(),
        });
    };
    for (line, code) in lines {
        if code.contains("#[ignore") {
            tell("no ignored tests", line, code);
        }
        if !paused && (has_path(code, "thread::sleep") || has_path(code, "time::sleep")) {
            if sleeps == 0 {
                tell("no sleep as synchronisation", line, code);
            }
            sleeps = usize::saturating_sub(sleeps, 1);
        }
    }
    broken
}

/// Every file below a folder of the project: path relative to it, and content.
fn files(folder: &str, extension: &str) -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut found, mut todo) = (BTreeMap::new(), vec![root.clone()]);
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                let name = path
                    .strip_prefix(&root)
                    .expect("it was found below")
                    .display()
                    .to_string();
                found.insert(name, fs::read_to_string(&path).expect("source is UTF-8"));
            }
        }
    }
    found
}

fn assert_none(broken: &[Broken]) {
    let lines: Vec<_> = broken
        .iter()
        .map(|b| format!("{}: {}: {}", b.place, b.rule, b.what))
        .collect();
    assert!(
        lines.is_empty(),
        "{} places break a rule (ARCHITECTURE.md says why):\n{}",
        lines.len(),
        lines.join("\n")
    );
}

#[test]
fn the_source_keeps_its_rules() {
    let source = files("src", "rs");
    assert!(source.len() > 10, "the source is there");
    assert_none(
        &source
            .iter()
            .flat_map(|(path, content)| examine(path, content))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn the_tests_keep_their_rules() {
    let tests = files("tests", "rs");
    let broken = tests
        .iter()
        .filter(|(path, _)| *path != "it/tidy.rs")
        .flat_map(|(path, content)| {
            let lines: Vec<_> = content
                .lines()
                .enumerate()
                .map(|(n, l)| (n + 1, l))
                .collect();
            examine_tests(&format!("tests/{path}"), &lines)
        });
    assert_none(&broken.collect::<Vec<_>>());
}

#[test]
fn every_integration_test_file_is_listed() {
    let main = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/main.rs"))
        .expect("it is there");
    for path in files("tests/it", "rs").keys() {
        let module = path.split(['/', '.']).next().unwrap_or_default();
        let listed = module == "main" || main.lines().any(|l| l.trim() == format!("mod {module};"));
        assert!(
            listed,
            "tests/it/{path} never runs: tests/it/main.rs lacks `mod {module};`"
        );
    }
}

#[test]
fn scenario_numbers_are_unique() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    // Before the first scenario there is no folder, and nothing to hold.
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let name = entry
            .expect("the folder can be listed")
            .file_name()
            .to_string_lossy()
            .into_owned();
        if !folder.join(&name).is_dir() {
            continue;
        }
        let number = name.split('-').next().unwrap_or_default().to_owned();
        assert!(
            number.parse::<u32>().is_ok(),
            "tests/scenarios/{name}: a scenario is named NN-what-must-hold"
        );
        if let Some(other) = seen.insert(number, name.clone()) {
            panic!("tests/scenarios/{name} has the number of {other}");
        }
    }
}

#[test]
fn each_rule_can_fail() {
    let long = "//! x\n".repeat(LINES + 1);
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "reconcile/diff.rs",
            "use crate::{\n    model::Plan,\n    store::Shadows,\n};",
            &["arrows"],
        ),
        (
            "reconcile/diff.rs",
            "use crate::{model::{Plan, source}, reconcile};",
            &[],
        ),
        (
            "source/ldap.rs",
            "fn f() { crate::target::x() }",
            &["arrows"],
        ),
        ("store/mod.rs", "use super::engine;", &["arrows"]),
        ("store/codec.rs", "use super::journal;", &[]),
        ("engine/run.rs", "use crate::cli::Args;", &["arrows"]),
        ("cli/plan.rs", "use crate::{daemon, engine};", &[]),
        ("engine/run.rs", "use sled::Db;", &["one room per library"]),
        ("store/db.rs", "use sled::Db;", &[]),
        (
            "engine/run.rs",
            "// sled is named only in store\nlet assembled = 1; /// ldap3",
            &[],
        ),
        ("model/x.rs", "use std::fs;", &["pure"]),
        (
            "config/raw.rs",
            "let t = jiff::Timestamp::now();",
            &["pure"],
        ),
        ("config/load.rs", "let t = std::fs::read(p);", &[]),
        ("report/text/x.rs", "pub async fn f() {}", &["pure"]),
        ("target/x.rs", "let x = y.unwrap();", &["errors are told"]),
        (
            "target/x.rs",
            "#[expect(clippy::expect_used, reason = \"r\")]\nlet x = y.expect(\"z\");",
            &[],
        ),
        (
            "target/x.rs",
            "x\n#[cfg(test)]\nmod tests {\n    let x = y.unwrap();\n}",
            &[],
        ),
        (
            "target/x.rs",
            "#[cfg(test)]\nmod tests {\n    #[ignore]\n    tokio::time::sleep(d).await\n}",
            &["no ignored tests", "no sleep as synchronisation"],
        ),
        ("target/x.rs", &long, &["size"]),
        (
            "reconcile/mapping/tests/x.rs",
            "let x = std::fs::read(p).unwrap();",
            &[],
        ),
        ("main.rs", &"\n".repeat(21), &["size"]),
    ];
    for (path, content, rules) in cases {
        let found: Vec<_> = examine(path, content).iter().map(|b| b.rule).collect();
        assert_eq!(&found, rules, "{path}: {content}");
    }
}
