//! The state directory: what is acknowledged survives, and what is damaged is noticed.

mod crash;
mod damage;
mod documents;
mod entitling;
mod reads;
mod register;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use provost::model::{AccountId, Action, Anchor, Basis, Digest, Origin, Plan, Shadow, Value};
use provost::store::{Conclusion, Intent, OpId, Opened, ShadowMove, State, StoreError, TargetMeta};

use crate::support::process::await_some;

fn dir() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("state");
    (root, path)
}

/// Opens a state that nobody else holds. Its locks outlive their last holder for a moment if another test starts a process
/// just then: the child has them, too, until it is another program.
fn hold(path: &Path) -> Result<State, StoreError> {
    await_some(
        "the locks of a state",
        Duration::from_secs(60),
        || match State::open(path) {
            Err(StoreError::Locked { .. }) => None,
            Err(StoreError::Io { source, .. }) if source.to_string().contains("acquire lock") => {
                None
            }
            opened => Some(opened),
        },
    )
}

fn anchor(n: usize) -> Anchor {
    Anchor::new(&format!("00000000-0000-4000-8000-{n:012}")).unwrap()
}

fn shadow(n: usize, text: &str) -> Shadow {
    let mut shadow = Shadow::new(anchor(n), format!("Person {n}"), Origin::Created);
    shadow.account = Some(AccountId(format!("u-{n}")));
    shadow
        .attributes
        .insert("userName".to_owned(), Value::Text(text.to_owned()));
    shadow.active = Some(true);
    shadow
}

fn intent(n: usize) -> Intent {
    Intent {
        anchor: anchor(n),
        action: Action::Create,
        account: None,
        keys: BTreeMap::from([("userName".to_owned(), Value::Text(format!("p{n}")))]),
        summary: format!("create p{n}"),
        before: None,
        after: Box::new(shadow(n, &format!("p{n}"))),
    }
}

fn put(op: Option<OpId>, n: usize, text: &str) -> Conclusion {
    Conclusion {
        op,
        anchor: anchor(n),
        shadow: ShadowMove::Put(Box::new(shadow(n, text))),
        result: "done".to_owned(),
    }
}

fn all(state: &State, target: &str) -> Result<BTreeMap<Anchor, Shadow>, StoreError> {
    let mut found = BTreeMap::new();
    state.shadows(target, &mut |shadow| {
        found.insert(shadow.anchor.clone(), shadow);
    })?;
    Ok(found)
}

#[test]
fn what_was_concluded_is_there_after_reopening() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    assert_eq!(state.opened(), &Opened::Fresh);
    let run = state.next_run().unwrap();
    let ops = state
        .intend("crm", run, &[intent(1), intent(2), intent(3)])
        .unwrap();
    state
        .conclude(
            "crm",
            vec![
                put(Some(ops[0]), 1, "p1"),
                Conclusion {
                    op: Some(ops[1]),
                    anchor: anchor(2),
                    shadow: ShadowMove::Keep,
                    result: "rejected".to_owned(),
                },
            ],
        )
        .unwrap();
    let meta = TargetMeta {
        released_once: true,
        ..TargetMeta::default()
    };
    state.set_target_meta("crm", meta.clone()).unwrap();
    drop(state);
    let state = hold(&path).unwrap();
    assert_eq!(state.opened(), &Opened::Clean);
    assert_eq!(
        state.shadow("crm", &anchor(1)).unwrap(),
        Some(shadow(1, "p1"))
    );
    assert_eq!(state.shadow("crm", &anchor(2)).unwrap(), None);
    assert_eq!(state.shadow("erp", &anchor(1)).unwrap(), None);
    assert_eq!(all(&state, "crm").unwrap().len(), 1);
    assert_eq!(
        state.open_intents("crm").unwrap(),
        vec![(ops[2], intent(3))]
    );
    assert_eq!(state.open_intents("erp").unwrap(), vec![]);
    assert_eq!(state.target_meta("crm").unwrap(), meta);
    assert_eq!(state.next_run().unwrap(), run + 1);
    let verified = state.verify().unwrap();
    assert!(verified.is_sound(), "{verified:?}");
}

/// Copies a directory, so that each trial begins with the same state.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let to = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &to);
        } else {
            std::fs::copy(item.path(), &to).unwrap();
        }
    }
}

fn plan(people: u64) -> Plan {
    let at = jiff::Timestamp::UNIX_EPOCH;
    Plan {
        target: "crm".to_owned(),
        basis: Basis {
            now: at,
            read_at: at,
            people,
            shortfalls: Vec::new(),
            config: "c".to_owned(),
            live: true,
        },
        changes: Vec::new(),
        held: Vec::new(),
        notices: Vec::new(),
        letters: Vec::new(),
        orphans: Vec::new(),
        pending: std::collections::BTreeSet::new(),
        foretold: std::collections::BTreeSet::new(),
        unchanged: 0,
        managed: 0,
    }
}

#[test]
fn summarising_the_journal_keeps_everything_that_counts() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    let run = state.next_run().unwrap();
    for round in 0..20 {
        let ops = state.intend("crm", run, &[intent(1), intent(2)]).unwrap();
        let text = format!("round{round}");
        let both = vec![put(Some(ops[0]), 1, &text), put(Some(ops[1]), 2, &text)];
        state.conclude("crm", both).unwrap();
    }
    state.conclude("erp", vec![put(None, 1, "erp")]).unwrap();
    state.forget("crm", &anchor(2)).unwrap();
    let open = state.intend("crm", run, &[intent(3)]).unwrap();
    let meta = TargetMeta {
        staged: Some(plan(7)),
        staged_digest: Some(Digest("d".to_owned())),
        ..TargetMeta::default()
    };
    state.set_target_meta("crm", meta.clone()).unwrap();
    let (before, after) = state.compact().unwrap();
    assert!(after * 5 < before, "{before} → {after}");
    check_summarised(&state, &meta, open[0]);
    drop(state);
    let state = hold(&path).unwrap();
    assert_eq!(state.opened(), &Opened::Clean);
    check_summarised(&state, &meta, open[0]);
    assert_eq!(state.next_run().unwrap(), run + 1);
    let new = state.intend("crm", run + 1, &[intent(4)]).unwrap();
    assert!(new[0] > open[0]);
    drop(state);
    // The cache can also be made from a summary.
    provost::store::rebuild(&path).unwrap();
    let state = hold(&path).unwrap();
    assert_eq!(state.opened(), &Opened::Clean);
    assert_eq!(all(&state, "crm").unwrap().len(), 1);
    assert!(state.verify().unwrap().is_sound());
}

fn check_summarised(state: &State, meta: &TargetMeta, open: OpId) {
    let crm = all(state, "crm").unwrap();
    assert_eq!(crm, BTreeMap::from([(anchor(1), shadow(1, "round19"))]));
    assert_eq!(all(state, "erp").unwrap().len(), 1);
    assert_eq!(state.open_intents("crm").unwrap(), vec![(open, intent(3))]);
    assert_eq!(&state.target_meta("crm").unwrap(), meta);
    let verified = state.verify().unwrap();
    assert!(verified.is_sound(), "{verified:?}");
    assert_eq!(verified.shadows, 2);
}

#[test]
fn a_staged_plan_is_written_once() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    let size = || std::fs::metadata(path.join("journal.log")).unwrap().len();
    let mut meta = TargetMeta {
        staged: Some(plan(7)),
        last_config: Some("x".repeat(10)),
        ..TargetMeta::default()
    };
    meta.staged.as_mut().unwrap().basis.shortfalls = vec!["y".repeat(5000)];
    state.set_target_meta("crm", meta.clone()).unwrap();
    let once = size();
    state.set_target_meta("crm", meta.clone()).unwrap();
    assert_eq!(size(), once, "nothing changed, nothing is written");
    meta.released_once = true;
    state.set_target_meta("crm", meta.clone()).unwrap();
    assert!(size() < once + 500, "the plan is not written again");
    assert_eq!(state.target_meta("crm").unwrap(), meta);
    meta.staged = None;
    state.set_target_meta("crm", meta.clone()).unwrap();
    assert_eq!(state.target_meta("crm").unwrap(), meta);
}

#[test]
fn the_second_opener_is_told_who_is_first() {
    let (_root, path) = dir();
    let first = hold(&path).unwrap();
    match State::open(&path) {
        Err(StoreError::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    drop(first);
    assert!(hold(&path).is_ok());
}

#[test]
fn what_others_could_read_or_redirect_is_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (root, path) = dir();
    drop(hold(&path).unwrap());
    let mode = |file: &str| {
        let found = std::fs::metadata(path.join(file)).unwrap();
        found.permissions().mode() & 0o777
    };
    assert_eq!(
        (mode(""), mode("journal.log"), mode("lock")),
        (0o700, 0o600, 0o600)
    );
    let refused = |path: &Path| matches!(hold(path), Err(StoreError::Permissions { .. }));
    let loosen = |file: &str, mode: u32| {
        let to = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path.join(file), to).unwrap();
    };
    loosen("", 0o750);
    assert!(refused(&path));
    loosen("", 0o700);
    loosen("journal.log", 0o644);
    assert!(refused(&path));
    loosen("journal.log", 0o600);
    let link = root.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(refused(&link));
    std::fs::rename(path.join("journal.log"), root.path().join("j")).unwrap();
    symlink(root.path().join("j"), path.join("journal.log")).unwrap();
    assert!(refused(&path));
}
