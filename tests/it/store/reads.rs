//! The source side and the settled marks: caches that must never show less than was written.

use std::collections::BTreeSet;

use jiff::Timestamp;
use provost::model::{Anchor, Attributes, Fingerprint, Identity, SourceState};
use provost::store::{
    Conclusion, IndexRow, ReadCommit, Settled, ShadowMove, SourceMeta, State, rebuild,
};

use super::{anchor, dir, hold, put};

fn identity(n: usize, text: &str) -> Identity {
    let mut attributes = Attributes::new();
    attributes.add_text("cn", text);
    Identity {
        anchor: anchor(n),
        dn: format!("cn={n},dc=example"),
        attributes,
        groups: Vec::new(),
        state: SourceState::default(),
    }
}

fn row(n: u8) -> IndexRow {
    IndexRow {
        fingerprint: Fingerprint([n; 16]),
        dn_key: u64::from(n),
        missed: 0,
    }
}

fn meta(entries: u64) -> SourceMeta {
    SourceMeta {
        read_at: Timestamp::UNIX_EPOCH,
        entries,
        full: true,
        shortfalls: Vec::new(),
        server: "ldap.example".to_owned(),
        last_full_at: None,
        last_full_entries: Some(entries),
        request: [7; 16],
    }
}

fn people(state: &State) -> BTreeSet<(Anchor, String)> {
    let mut found = BTreeSet::new();
    state
        .identities("ad", &mut |identity| {
            found.insert((identity.anchor.clone(), identity.label().to_owned()));
        })
        .unwrap();
    found
}

#[test]
fn a_read_is_remembered_and_its_changes_too() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    assert_eq!(state.source_meta("ad").unwrap(), None);
    // More than one batch.
    let first = ReadCommit {
        changed: (0..5000)
            .map(|n| (identity(n, "old").into(), row(1)))
            .collect(),
        rows: Vec::new(),
        gone: Vec::new(),
        meta: meta(5000),
    };
    state.commit_read("ad", first).unwrap();
    let missed = IndexRow {
        missed: 1,
        ..row(1)
    };
    let second = ReadCommit {
        changed: vec![
            (identity(1, "new").into(), row(2)),
            (identity(9000, "new").into(), row(2)),
        ],
        rows: vec![(anchor(2), missed), (anchor(777_777), missed)],
        gone: vec![anchor(3)],
        meta: meta(5001),
    };
    state.commit_read("ad", second).unwrap();
    drop(state);
    let state = hold(&path).unwrap();
    let index = state.source_index("ad").unwrap();
    assert_eq!(index.len(), 5000);
    assert_eq!(index.get(&anchor(0)), Some(&row(1)));
    assert_eq!(index.get(&anchor(1)), Some(&row(2)));
    assert_eq!(index.get(&anchor(2)), Some(&missed));
    assert_eq!(index.get(&anchor(3)), None);
    assert_eq!(index.get(&anchor(777_777)), None);
    assert_eq!(state.source_meta("ad").unwrap(), Some(meta(5001)));
    assert_eq!(people(&state).len(), 5000);
    assert_eq!(
        state.identity("ad", &anchor(1)).unwrap(),
        Some(identity(1, "new"))
    );
    assert_eq!(state.identity("ad", &anchor(3)).unwrap(), None);
    assert_eq!(state.identity("ldap", &anchor(1)).unwrap(), None);
    assert!(state.source_index("ldap").unwrap().is_empty());
    assert!(state.verify().unwrap().is_sound());
    drop(state);
    rebuild(&path).unwrap();
    let state = hold(&path).unwrap();
    assert_eq!(
        state.source_meta("ad").unwrap(),
        None,
        "a copy is not rebuilt"
    );
    assert!(state.source_index("ad").unwrap().is_empty());
}

#[test]
fn a_read_without_changes_writes_only_that_it_was_made() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    let first = ReadCommit {
        changed: (0..2000)
            .map(|n| (identity(n, "old").into(), row(1)))
            .collect(),
        rows: Vec::new(),
        gone: Vec::new(),
        meta: meta(2000),
    };
    state.commit_read("ad", first).unwrap();
    let journal = || std::fs::metadata(path.join("journal.log")).unwrap().len();
    let before = journal();
    for n in 0..20 {
        let again = ReadCommit {
            changed: Vec::new(),
            rows: Vec::new(),
            gone: Vec::new(),
            meta: meta(n),
        };
        state.commit_read("ad", again).unwrap();
    }
    assert_eq!(journal(), before);
    assert_eq!(state.source_meta("ad").unwrap(), Some(meta(19)));
    assert_eq!(state.source_index("ad").unwrap().len(), 2000);
}

#[test]
fn a_settled_mark_does_not_outlive_the_shadow_it_was_made_for() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    let before = (0..50).map(|n| put(None, n, "old")).collect();
    state.conclude("crm", before).unwrap();
    let settled = Settled {
        closes: false,
        early: None,
        orders: 7,
        overdue: false,
        digest: [3; 16],
        due: Some(-5),
    };
    let marks: Vec<_> = (0..100).map(|n| (anchor(n), Some(settled))).collect();
    state.commit_settled("crm", &marks).unwrap();
    state.commit_settled("crm", &[(anchor(0), None)]).unwrap();
    assert_eq!(state.settled("crm").unwrap().len(), 99);
    let remove = Conclusion {
        op: None,
        anchor: anchor(2),
        shadow: ShadowMove::Remove,
        result: "gone".to_owned(),
    };
    state
        .conclude("crm", vec![put(None, 1, "new"), remove])
        .unwrap();
    state.forget("crm", &anchor(3)).unwrap();
    drop(state);
    let state = hold(&path).unwrap();
    let index = state.settled("crm").unwrap();
    assert_eq!(index.len(), 96);
    for moved in 0..4 {
        assert_eq!(index.get(&anchor(moved)), None);
    }
    assert_eq!(index.get(&anchor(4)), Some(&settled));
    state
        .commit_settled("crm", &[(anchor(1), Some(settled))])
        .unwrap();
    assert_eq!(
        state.settled("crm").unwrap().get(&anchor(1)),
        Some(&settled)
    );
    assert!(state.settled("erp").unwrap().is_empty());
}
