//! Taking access away and giving it back with the real program: killed at every boundary of every step, nobody ends with a
//! password that nobody can set again, no step is lost, and no secret is written anywhere.

mod durable;
mod entitled;
mod first;
mod stories;
mod windows;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use provost::engine::{HANDOVER, Handover};
use provost::model::{AccountId, Anchor, PasswordState, Shadow};
use provost::store::{Label, Purpose, State, Vault};
use provost::target::sandbox::{Practice, SignIn};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

use super::cli::{code, provost, stderr, stdout};
use super::company::{Company, anchor};
use super::support::process::await_some;
use super::support::secrets::{self, KEY};

/// In the group of the CRM, so with an entitlement to lose.
const WHO: usize = 3;
const LONG: Duration = Duration::from_secs(180);

const LEAVER: &str = "review-first-run = false\nledger = true\ncredentials = \"MODE\"\n\
    suspend = { access-window = [\"deactivate\"], default = [\"fuzz-password\", \"revoke-sessions\", \"reassign:quotes\", \"remove-entitlements\", \"deactivate\"] }\n\
    heir = { account = \"u-000001\" }";
const CAN: &str =
    "set-password = true\nforce-change = true\nrevoke-sessions = true\nreassign = [\"quotes\"]\n";

/// Everything is said, so that everything could leak.
fn loud(company: &Company, args: &[&str]) -> Output {
    let mut all = vec!["--config", "provost.toml", "-vvv"];
    all.extend(args);
    provost(company.dir(), &all)
}

fn run(company: &Company, args: &[&str]) -> Output {
    let mut all = vec!["--config", "provost.toml", "--quiet"];
    all.extend(args);
    provost(company.dir(), &all)
}

fn company(mode: &str) -> Company {
    let mut company = Company::new(6);
    let extra = LEAVER.replace("MODE", mode);
    company.extra = Box::leak(extra.into_boxed_str());
    company.can = CAN;
    company.tables = secrets::table(company.dir());
    company.publish();
    company
}

/// Runs until nothing is left to do.
fn settle(company: &Company, story: &str) {
    for _ in 0..5 {
        let output = run(company, &["sync"]);
        let (code, text) = (code(&output), stdout(&output));
        assert!(
            [0, 11, 13].contains(&code),
            "{story}: {code} {text} {}",
            stderr(&output)
        );
        if code == 0 && text.contains("nothing to do") {
            return;
        }
    }
    panic!("{story}: {}", stdout(&run(company, &["sync"])));
}

/// Runs until the application stops in the middle of a call, and kills the program there.
fn kill_at(company: &mut Company, fault: &str) {
    company.break_with(&[fault]);
    company.publish();
    let mark = company.dir().join("app.jsonl.stopped");
    let mut child = Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(["--config", "provost.toml", "--quiet", "sync"])
        .env_clear()
        .current_dir(company.dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    await_some(fault, LONG, || {
        assert_eq!(child.try_wait().unwrap(), None, "{fault} was never met");
        mark.exists().then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(mark).unwrap();
    company.break_with(&[]);
    company.publish();
}

/// A copy of what is remembered: a lock of ours on the state itself could outlive us in a child that another test starts.
fn copy(company: &Company) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let made = Command::new("cp")
        .arg("-a")
        .arg(company.state())
        .arg(copy.path().join("state"))
        .status();
    assert!(made.unwrap().success());
    copy
}

fn state(copy: &TempDir) -> State {
    State::open(&copy.path().join("state")).unwrap()
}

fn vault(copy: &TempDir) -> Vault {
    secrets::vault(&copy.path().join("state"))
}

fn who() -> Anchor {
    Anchor::new(&anchor(WHO)).unwrap()
}

fn shadow(company: &Company) -> Shadow {
    let copy = copy(company);
    state(&copy).shadow("app", &who()).unwrap().unwrap()
}

/// The newest sealed password of a purpose.
fn sealed(company: &Company, purpose: Purpose) -> Option<SecretString> {
    let copy = copy(company);
    secrets::sealed(&vault(&copy), "app", who().as_str(), purpose)
}

fn id(company: &Company) -> AccountId {
    shadow(company).account.unwrap()
}

fn practice(company: &Company) -> Practice {
    Practice::open(&company.file("app"), &["login".to_owned()]).unwrap()
}

fn signs_in(company: &Company, secret: &SecretString) -> SignIn {
    let id = id(company);
    practice(company)
        .sign_in(&id, secret.expose_secret())
        .unwrap()
}

/// What the application was asked to do with the account, the same thing several times in a row counted once.
fn steps(company: &Company) -> Vec<String> {
    let id = id(company);
    let ledger = practice(company).ledger().unwrap();
    let mut steps: Vec<String> = ledger
        .into_iter()
        .filter(|entry| entry.account == id.0)
        .map(|entry| entry.what)
        .collect();
    let all = steps.len();
    steps.dedup();
    assert!(all <= steps.len() + 2, "{all} calls for {steps:?}");
    steps
}

fn leave(company: &mut Company, story: &str) {
    company.leave(WHO);
    company.publish();
    let once = run(company, &["sync"]);
    assert_eq!(code(&once), 13, "{story}: {}", stdout(&once));
}

fn come_back(company: &mut Company) {
    let person = Company::new(6).people.remove(WHO);
    company.people.insert(WHO, person);
    company.publish();
}

/// In every file of the state, of the application and in what the program said, in any encoding.
fn nowhere(company: &Company, said: &[&Output], secret: &SecretString) {
    let secret = secret.expose_secret();
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let url: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let json = serde_json::to_string(secret).unwrap();
    let engines = base64::engine::general_purpose::STANDARD_NO_PAD;
    let mut forms = vec![
        secret.to_owned(),
        hex.clone(),
        hex.to_uppercase(),
        url,
        json.trim_matches('"').to_owned(),
    ];
    for skip in 0..3 {
        // Whatever stands before it in a larger text: what of its base64 does not depend on that.
        let shifted = engines.encode([&b"xxx"[..skip], bytes].concat());
        forms.push(shifted[4..shifted.len() - 4].to_owned());
    }
    let mut texts = Vec::new();
    for output in said {
        texts.push(("output".to_owned(), output.stdout.clone()));
        texts.push(("errors".to_owned(), output.stderr.clone()));
    }
    files(company.dir(), &mut texts);
    for (name, text) in texts {
        for form in &forms {
            let found = text.windows(form.len()).any(|part| part == form.as_bytes());
            assert!(!found, "a secret is in {name}");
        }
    }
}

fn files(dir: &Path, texts: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, texts);
        } else if path.file_name().is_some_and(|name| name != "vault.key") {
            texts.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

const CLOSED: [&str; 6] = [
    "set-password",
    "end-sessions",
    "reassign quotes to u-000001",
    "revoke crm",
    "revoke role-seller",
    "deactivate",
];

/// Killed at a boundary while access is taken away, then at one while it is given back.
fn story(mode: &str, closing: &str, opening: &str) {
    let say = format!("{mode}, {closing}, {opening}");
    let mut company = company(mode);
    settle(&company, &say);
    let first = sealed(
        &company,
        if mode == "managed" {
            Purpose::Managed
        } else {
            Purpose::Initial
        },
    )
    .unwrap();
    let expected = if mode == "managed" {
        SignIn::In
    } else {
        SignIn::MustChange
    };
    assert_eq!(signs_in(&company, &first), expected, "{say}");
    let own = id(&company);
    practice(&company).give_work(&own, "quotes", "Q-1").unwrap();
    let before = steps(&company).len();

    leave(&mut company, &say);
    kill_at(&mut company, closing);
    settle(&company, &say);
    let shut = shadow(&company);
    assert_eq!(shut.password.state, PasswordState::Fuzzed, "{say}");
    assert_eq!(shut.suspended_by.len(), 5, "{say}: {:?}", shut.suspended_by);
    assert_eq!(shut.pending, [], "{say}");
    assert_eq!(steps(&company)[before..], CLOSED, "{say}");
    assert_eq!(signs_in(&company, &first), SignIn::Closed, "{say}");
    let inside = practice(&company).inside(&own).unwrap();
    assert!(!inside.is(&own, first.expose_secret()), "{say}");
    assert_eq!(inside.sessions, 0, "{say}");
    assert!(
        inside.work.get("quotes").is_none_or(|work| work.is_empty()),
        "{say}"
    );
    assert!(
        sealed(&company, Purpose::Fuzz).is_none(),
        "{say}: it is forgotten"
    );

    reopened(&mut company, mode, opening, &first, before + CLOSED.len());
}

fn reopened(company: &mut Company, mode: &str, opening: &str, first: &SecretString, before: usize) {
    let say = format!("{mode}, {opening}");
    come_back(company);
    kill_at(company, opening);
    settle(company, &say);
    let open = shadow(company);
    assert!(
        open.suspended.is_empty() && open.suspended_by.is_empty(),
        "{say}"
    );
    assert!(open.entitlements.contains("role-seller"), "{say}");
    let all = steps(company);
    let undone = ["activate", "grant crm", "grant role-seller", "set-password"];
    assert_eq!(all[before..], undone, "{say}");
    if mode == "managed" {
        assert_eq!(
            signs_in(company, first),
            SignIn::In,
            "{say}: the same password again"
        );
    } else {
        let temporary = sealed(company, Purpose::Temporary).unwrap();
        assert_eq!(signs_in(company, &temporary), SignIn::MustChange, "{say}");
        let copy = copy(company);
        let told: Vec<(String, Handover)> = state(&copy).documents(HANDOVER).unwrap();
        let own = told
            .iter()
            .find(|(_, handover)| handover.label.anchor == who());
        assert_eq!(own.unwrap().1.label.purpose, Purpose::Temporary, "{say}");
    }
    assert_eq!(practice(company).mails(), Ok(Vec::new()), "{say}");
    let said = run(company, &["--json", "plan"]);
    nowhere(company, &[&said], first);
}

#[test]
fn killed_at_every_step_a_managed_password_comes_back() {
    let closing = [
        "stop-before=set-password",
        "stop-after=set-password",
        "stop-before=end-sessions",
        "stop-after=end-sessions",
        "stop-before=reassign",
        "stop-after=reassign",
        "stop-before=members",
        "stop-after=members",
        "stop-before=update",
        "stop-after=update",
    ];
    let opening = [
        "stop-before=update",
        "stop-after=update",
        "stop-before=members",
        "stop-after=members",
        "stop-before=set-password",
        "stop-after=set-password",
    ];
    for (i, fault) in closing.iter().enumerate() {
        story("managed", fault, opening[i % opening.len()]);
    }
}

#[test]
fn killed_around_the_password_a_reset_leaves_a_temporary_one_that_is_sealed() {
    for when in ["stop-before=set-password", "stop-after=set-password"] {
        story("reset", when, when);
    }
}

#[test]
fn the_value_in_flight_is_repeated_and_written_nowhere() {
    let mut company = company("managed");
    settle(&company, "the first load");
    let kept = sealed(&company, Purpose::Managed).unwrap();
    leave(&mut company, "a leaver");
    kill_at(&mut company, "stop-after=set-password");
    let fuzz = sealed(&company, Purpose::Fuzz).unwrap();
    let own = id(&company);
    let inside = practice(&company).inside(&own).unwrap();
    assert!(inside.is(&own, fuzz.expose_secret()), "it was set");
    let (plan, json) = (
        loud(&company, &["plan"]),
        loud(&company, &["--json", "plan"]),
    );
    let synced = loud(&company, &["sync"]);
    assert_eq!(code(&synced), 0, "{}", stdout(&synced));
    let inside = practice(&company).inside(&own).unwrap();
    assert!(inside.is(&own, fuzz.expose_secret()), "the same one again");
    let explain = loud(&company, &["explain", "p003"]);
    let key = SecretString::from(KEY.to_owned());
    for secret in [&kept, &fuzz] {
        nowhere(&company, &[&plan, &json, &synced, &explain], secret);
    }
    for output in [&plan, &json, &synced, &explain] {
        let all = [output.stdout.clone(), output.stderr.clone()].concat();
        let key = key.expose_secret().as_bytes();
        assert!(!all.windows(key.len()).any(|part| part == key));
    }
}

#[test]
fn a_refused_step_holds_the_later_ones_and_the_next_run_goes_on_there() {
    let mut company = company("managed");
    settle(&company, "the first load");
    let before = steps(&company).len();
    leave(&mut company, "a leaver");
    company.break_with(&["refuse=end-sessions"]);
    company.publish();
    let failed = run(&company, &["sync"]);
    assert_eq!(code(&failed), 11, "{}", stdout(&failed));
    let text = stdout(&failed);
    assert!(text.contains("step revoke-sessions"), "{text}");
    assert_eq!(steps(&company)[before..], ["set-password"]);
    company.break_with(&[]);
    company.publish();
    settle(&company, "resumed");
    assert_eq!(steps(&company)[before..], CLOSED);
}
