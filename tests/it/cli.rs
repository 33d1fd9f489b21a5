//! The command line from outside: the real binary in a scrubbed environment.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use provost::model::Outcome;

/// The manual page of the command.
const MANUAL: &str = include_str!("../../docs/man/provost.8.md");

/// The binary with nothing of the environment around it.
pub(super) fn provost(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(args)
        .env_clear()
        .current_dir(dir)
        .output()
        .expect("the binary starts")
}

/// What a command wrote to standard output.
pub(super) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("reports are UTF-8")
}

/// What a command wrote to standard error.
pub(super) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

/// The exit code.
pub(super) fn code(output: &Output) -> i32 {
    output.status.code().expect("the process ended by itself")
}

fn anywhere() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn whoever_asks_for_json_where_there_is_none_is_told() {
    let dir = anywhere();
    let told = |args: &[&str]| stderr(&provost(dir.path(), args)).contains("writes no JSON");
    assert!(told(&["--json", "completions", "bash"]));
    assert!(told(&["secrets", "rotate", "--json"]));
    assert!(!told(&["--json", "schema"]));
    assert!(!told(&["completions", "bash"]));
    assert!(!told(&["--json", "secrets", "verify"]));
}

#[test]
fn help_names_every_command_and_usage_errors_are_two() {
    let dir = anywhere();
    let help = provost(dir.path(), &["--help"]);
    assert_eq!(code(&help), 0);
    let text = stdout(&help);
    for command in [
        "check",
        "plan",
        "apply",
        "sync",
        "release",
        "explain",
        "freeze",
        "override",
        "status",
        "windows",
        "run",
        "reload",
        "log-level",
        "state",
        "secrets",
        "delivery",
        "demo",
        "schema",
        "completions",
    ] {
        assert!(
            text.contains(&format!("\n  {command} ")),
            "{command}: {text}"
        );
    }
    for args in [&["frobnicate"][..], &["apply"], &["release", "crm"], &[]] {
        assert_eq!(code(&provost(dir.path(), args)), 2, "{args:?}");
    }
}

#[test]
fn the_manual_lists_exactly_the_exit_codes_there_are() {
    let mut listed: Vec<(String, String)> = MANUAL
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| {
            let mut cells = line.split(" | ");
            let code = cells.next()?.trim().to_owned();
            let name = cells.next()?.trim().to_owned();
            (code.parse::<u8>().is_ok() && code != "2").then_some((code, name))
        })
        .collect();
    let mut real: Vec<(String, String)> = Outcome::ALL
        .iter()
        .map(|outcome| (outcome.exit_code().to_string(), outcome.as_str().to_owned()))
        .collect();
    listed.sort();
    real.sort();
    assert_eq!(listed, real);
}

#[test]
fn completions_know_the_commands() {
    let dir = anywhere();
    for shell in ["bash", "zsh", "fish"] {
        let output = provost(dir.path(), &["completions", shell]);
        assert_eq!(code(&output), 0, "{shell}");
        assert!(stdout(&output).contains("explain"), "{shell}");
    }
}

#[test]
fn a_reader_that_had_enough_is_no_failure() {
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(["completions", "zsh"])
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // Closing our end before the process writes makes its first write fail.
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_bad_configuration_is_78_with_its_place() {
    let dir = anywhere();
    fs::write(
        dir.path().join("bad.toml"),
        "version = 1\nstate-dri = \"x\"\n",
    )
    .expect("written");
    for command in ["check", "plan", "status"] {
        let output = provost(dir.path(), &["--config", "bad.toml", command]);
        assert_eq!(code(&output), 78, "{command}: {}", stderr(&output));
        let text = stderr(&output);
        assert!(text.contains("bad.toml:2:1"), "{command}: {text}");
        assert!(text.contains("state-dir"), "{command}: {text}");
    }
    let output = provost(dir.path(), &["--config", "absent.toml", "check"]);
    assert_eq!(code(&output), 78);
    assert!(stderr(&output).contains("absent.toml"));
}

/// Every file below a folder with what it holds.
pub(super) fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = fs::read(&path).expect("readable");
                found.insert(path.display().to_string(), content);
            }
        }
    }
    found
}
