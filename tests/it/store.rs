//! The state directory: what is acknowledged survives, and what is damaged is noticed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use provost::model::{AccountId, Action, Anchor, Origin, Shadow, Value};
use provost::store::{Conclusion, Intent, OpId, Opened, ShadowMove, State, StoreError, TargetMeta};

fn dir() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("state");
    (root, path)
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
        after: shadow(n, &format!("p{n}")),
    }
}

fn put(op: Option<OpId>, n: usize, text: &str) -> Conclusion {
    Conclusion {
        op,
        anchor: anchor(n),
        shadow: ShadowMove::Put(shadow(n, text)),
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
    let state = State::open(&path).unwrap();
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
    let state = State::open(&path).unwrap();
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
