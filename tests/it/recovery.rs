//! The real program, killed in the middle: whatever moment it was, the next runs find out what became of everything.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use provost::model::{AccountId, Anchor, Life, Shadow, Value};
use provost::store::State;

use super::cli::{code, provost, stderr, stdout};
use super::company::{Company, anchor};
use super::support::process::await_some;

const PEOPLE: usize = 150;
const LONG: Duration = Duration::from_secs(60);

fn run(company: &Company, args: &[&str]) -> Output {
    let mut all = vec!["--config", "provost.toml", "--quiet"];
    all.extend(args);
    provost(company.dir(), &all)
}

/// Runs in the background, with nobody listening.
fn start(company: &Company, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(["--config", "provost.toml", "--quiet"])
        .args(args)
        .env_clear()
        .current_dir(company.dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// What grows while a run applies.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// The application got another change.
    Application,
    /// We noted something.
    Journal,
}

/// Kills a sync once its sign has grown by so many bytes. Says whether it was killed before it ended by itself.
fn kill_after(company: &Company, sign: Sign, bytes: u64) -> bool {
    let watched = match sign {
        Sign::Application => company.file("app"),
        Sign::Journal => company.state().join("journal.log"),
    };
    let before = size(&watched);
    let mut child = start(company, &["sync"]);
    let ended = await_some("a run that goes on", LONG, || {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(Some(status));
        }
        (size(&watched) >= before + bytes).then_some(None)
    });
    if ended.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    ended.is_none()
}

/// Runs until nothing is left to do, then shows that everything is right on every side.
fn recover(company: &Company, story: &str) {
    for _ in 0..6 {
        let output = run(company, &["sync"]);
        company.no_duplicates("app");
        assert!(
            [0, 11, 13].contains(&code(&output)),
            "{story}: {}",
            stderr(&output)
        );
        if code(&output) == 0 && stdout(&output).contains("nothing to do") {
            return sound(company, story);
        }
    }
    panic!("{story}: {}", stdout(&run(company, &["sync"])));
}

fn sound(company: &Company, story: &str) {
    company.everybody_is_right("app");
    let verified = run(company, &["state", "verify"]);
    assert_eq!(code(&verified), 0, "{story}: {}", stdout(&verified));
    assert!(
        stdout(&verified).contains("Journal and index agree."),
        "{story}"
    );
    assert!(
        stdout(&verified).contains(" 0 calls without an outcome"),
        "{story}"
    );
    agrees(company, story);
}

/// Shadows and accounts say the same.
fn agrees(company: &Company, story: &str) {
    let shadows = shadows(company);
    let accounts = company.accounts("app");
    assert_eq!(shadows.len(), accounts.len(), "{story}");
    for account in accounts {
        let Some(shadow) = shadows.get(&account.id) else {
            panic!("{story}: nobody knows {}", account.id);
        };
        assert_eq!(shadow.attributes, account.attributes, "{story}");
        assert_eq!(shadow.active, account.active, "{story}");
        assert_eq!(
            shadow.suspended.is_empty(),
            account.active == Some(true),
            "{story}"
        );
        assert_eq!(
            Some(&shadow.entitlements),
            account.entitlements.as_ref(),
            "{story}"
        );
        assert_eq!(shadow.life, Life::Live, "{story}");
        let own = account.attributes.get("external_id").map(Value::to_string);
        assert_eq!(own.as_deref(), Some(shadow.anchor.as_str()), "{story}");
    }
}

/// What is remembered, read from a copy: a lock of ours on the state itself could outlive us in a child that another test
/// is just starting.
fn remembered(company: &Company) -> (tempfile::TempDir, State) {
    let copy = tempfile::tempdir().unwrap();
    let to = copy.path().join("state");
    let made = Command::new("cp")
        .arg("-a")
        .arg(company.state())
        .arg(&to)
        .status();
    assert!(made.unwrap().success());
    let state = State::open(&to).unwrap();
    (copy, state)
}

fn shadows(company: &Company) -> BTreeMap<AccountId, Shadow> {
    let (_copy, state) = remembered(company);
    let mut found = BTreeMap::new();
    state
        .shadows("app", &mut |shadow| {
            let id = shadow.account.clone().unwrap();
            assert_eq!(found.insert(id, shadow), None, "one account, two people");
        })
        .unwrap();
    found
}

/// A company, as yet without any account. Every call takes a moment, so that there is a middle to be killed in.
fn company() -> Company {
    let mut company = Company::new(PEOPLE);
    company.break_with(&["slow=5"]);
    company.publish();
    company
}

#[test]
fn killed_during_the_first_load_nobody_gets_two_accounts() {
    let moments = [
        (Sign::Journal, 1),
        (Sign::Journal, 3_000),
        (Sign::Application, 1),
        (Sign::Application, 900),
        (Sign::Application, 5_000),
        (Sign::Application, 20_000),
        (Sign::Application, 40_000),
        (Sign::Application, 60_000),
    ];
    let mut killed = 0;
    // Twice in a row each: the second run dies while it makes good what the first one left.
    for pair in moments.chunks(2) {
        let company = company();
        for (sign, bytes) in pair {
            killed += usize::from(kill_after(&company, *sign, *bytes));
            company.no_duplicates("app");
        }
        recover(&company, &format!("{pair:?}"));
    }
    assert!(killed >= 6, "only {killed} runs were killed");
}

/// Everything at once: titles, renames, moves, leavers, entitlements more and less, and back again.
fn upheaval(company: &mut Company, round: usize) {
    for person in &mut company.people {
        match (person.number + round) % 7 {
            0 => person.title = format!("Title {round}"),
            1 => {
                person.uid = format!("r{round}-{:03}", person.number);
                person.ou = if round.is_multiple_of(2) {
                    "East"
                } else {
                    "West"
                };
            }
            2 => person.external = !person.external,
            3 => person.crm = !person.crm,
            4 => person.department = (person.department + 1) % 3,
            _ => {}
        }
    }
    company.leave(round * 9 + 5);
    company.publish();
}

#[test]
fn killed_during_updates_suspensions_and_entitlements_all_ends_well() {
    let mut company = company();
    recover(&company, "the first load");
    let mut killed = 0;
    for round in 0..7 {
        upheaval(&mut company, round);
        let step = 4_000 * round as u64;
        for (sign, bytes) in [
            (Sign::Journal, 1),
            (Sign::Application, 1 + step),
            (Sign::Application, 1 + step / 2),
        ] {
            killed += usize::from(kill_after(&company, sign, bytes));
            company.no_duplicates("app");
        }
        recover(&company, &format!("round {round}"));
    }
    assert!(killed >= 14, "only {killed} runs were killed");
}

#[test]
fn a_second_instance_is_turned_away() {
    let mut company = company();
    company.break_with(&["slow=50"]);
    company.publish();
    let mut child = start(&company, &["sync"]);
    let app = company.file("app");
    await_some("an account", LONG, || (size(&app) > 0).then_some(()));
    for args in [&["sync"][..], &["plan"], &["apply", "app", "--yes"]] {
        let second = run(&company, args);
        assert_eq!(code(&second), 75, "{args:?}: {}", stderr(&second));
        let pid = child.id().to_string();
        assert!(stderr(&second).contains(&pid), "{}", stderr(&second));
    }
    assert!(child.try_wait().unwrap().is_none(), "the first one goes on");
    child.kill().unwrap();
    child.wait().unwrap();
    company.break_with(&[]);
    company.publish();
    recover(&company, "a second instance");
}

fn files_of(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_corrupted_cache_is_made_anew_and_nothing_is_written_for_it() {
    let mut company = Company::new(40);
    company.publish();
    recover(&company, "the first load");
    company.leave(7);
    company.publish();
    recover(&company, "a leaver");
    let cache = company.state().join("cache");
    for damage in ["cut", "garbage", "gone"] {
        match damage {
            "gone" => fs::remove_dir_all(&cache).unwrap(),
            _ => {
                for file in files_of(&cache).into_iter().filter(|path| path.is_file()) {
                    let bytes = fs::read(&file).unwrap();
                    let bad = if damage == "cut" {
                        bytes[..bytes.len() / 2].to_vec()
                    } else {
                        bytes.iter().map(|byte| byte ^ 0x5a).collect()
                    };
                    fs::write(&file, bad).unwrap();
                }
            }
        }
        let before = fs::read(company.file("app")).unwrap();
        let output = run(&company, &["sync"]);
        assert_eq!(code(&output), 0, "{damage}: {}", stderr(&output));
        let after = fs::read(company.file("app")).unwrap();
        assert!(before == after, "{damage}: something was written");
        sound(&company, damage);
    }
}

#[test]
fn without_any_state_accounts_are_adopted_after_review() {
    let mut company = Company::new(40);
    company.extra = "";
    company.publish();
    let first = run(&company, &["sync"]);
    assert_eq!(code(&first), 12, "{}", stderr(&first));
    assert!(!company.file("app").exists(), "nothing before the review");
    let applied = run(&company, &["apply", "app", "--yes"]);
    assert_eq!(
        code(&applied),
        12,
        "--yes approves nothing: {}",
        stdout(&applied)
    );
    release(&company);
    company.leave(7);
    company.publish();
    recover(&company, "a leaver");
    let before = fs::read(company.file("app")).unwrap();
    let ids: Vec<AccountId> = company.accounts("app").into_iter().map(|a| a.id).collect();

    fs::remove_dir_all(company.state()).unwrap();
    let again = run(&company, &["--json", "sync"]);
    assert_eq!(code(&again), 12, "{}", stderr(&again));
    assert!(
        before == fs::read(company.file("app")).unwrap(),
        "it waits for review"
    );
    let actions = actions(&stdout(&again));
    assert_eq!(actions.keys().collect::<Vec<_>>(), ["link"], "{actions:?}");
    assert_eq!(
        actions["link"],
        company.people.iter().filter(|p| !p.external).count()
    );
    release(&company);
    let after: Vec<AccountId> = company.accounts("app").into_iter().map(|a| a.id).collect();
    assert_eq!(ids, after);
    company.everybody_is_right("app");
    let (_copy, state) = remembered(&company);
    let gone = Anchor::new(&anchor(7)).unwrap();
    assert_eq!(
        state.shadow("app", &gone).unwrap(),
        None,
        "of whom we know nothing"
    );
}

/// Approves what waits, by its digest, and runs.
fn release(company: &Company) {
    let document: serde_json::Value =
        serde_json::from_str(&stdout(&run(company, &["--json", "plan"]))).unwrap();
    let digest = document["targets"][0]["digest"].as_str();
    let digest = digest.unwrap_or_else(|| panic!("{document:#}"));
    let applied = run(company, &["apply", "app", "--plan", digest]);
    assert_eq!(
        code(&applied),
        0,
        "{}{}",
        stdout(&applied),
        stderr(&applied)
    );
}

/// How many changes of each kind a report holds.
fn actions(report: &str) -> BTreeMap<String, usize> {
    let document: serde_json::Value = serde_json::from_str(report).unwrap();
    let changes = document["targets"][0]["changes"].as_array();
    let mut actions = BTreeMap::new();
    for change in changes.unwrap_or_else(|| panic!("{document:#}")) {
        let action = change["action"].as_str().unwrap().to_owned();
        *actions.entry(action).or_default() += 1;
    }
    actions
}
