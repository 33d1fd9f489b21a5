//! The register: what it says is what the shadows say, whatever happened since it was written.

use std::collections::BTreeMap;
use std::path::Path;

use provost::model::{Anchor, Life, Value};
use provost::store::{Conclusion, RegisterRow, ShadowMove, State};

use super::{all, anchor, dir, hold, put, shadow};

type Rows = BTreeMap<Anchor, RegisterRow>;

fn names() -> Vec<String> {
    vec!["userName".to_owned(), "mail".to_owned()]
}

fn rows(state: &State, attributes: &[String]) -> Rows {
    let mut rows = Rows::new();
    state
        .register("crm", attributes, &mut |anchor, row| {
            assert_eq!(rows.insert(anchor, row), None, "somebody twice");
        })
        .unwrap();
    rows
}

/// What the shadows themselves say.
fn expected(state: &State, attributes: &[String]) -> Rows {
    let shadows = all(state, "crm").unwrap().into_iter();
    shadows
        .map(|(anchor, shadow)| (anchor, RegisterRow::of(&shadow, attributes)))
        .collect()
}

fn agrees(state: &State, story: &str) {
    assert_eq!(rows(state, &names()), expected(state, &names()), "{story}");
}

fn reopened(state: State, path: &Path) -> State {
    drop(state);
    hold(path).unwrap()
}

#[test]
fn the_register_says_what_the_shadows_say() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    agrees(&state, "of nobody");
    let first = (0..700).map(|n| put(None, n, "old")).collect();
    state.conclude("crm", first).unwrap();
    agrees(&state, "not yet written");
    state.commit_register("crm").unwrap();
    let state = reopened(state, &path);
    agrees(&state, "written");
    let mut buried = shadow(3, "old");
    buried.life = Life::Tombstone {
        since: "2026-01-05T08:00:00Z".parse().unwrap(),
    };
    let moves = [
        (2, ShadowMove::Remove),
        (3, ShadowMove::Put(Box::new(buried))),
        (4, ShadowMove::Keep),
    ];
    let mut second: Vec<Conclusion> = moves
        .into_iter()
        .map(|(n, shadow)| Conclusion {
            shadow,
            ..put(None, n, "old")
        })
        .collect();
    second.push(put(None, 1, "new"));
    second.push(put(None, 900, "newcomer"));
    state.conclude("crm", second).unwrap();
    state.forget("crm", &anchor(5)).unwrap();
    agrees(&state, "moved");
    let found = rows(&state, &names());
    assert_eq!(found.len(), 699);
    assert!(found[&anchor(3)].buried);
    assert_eq!(
        found[&anchor(1)].values,
        [Some(Value::Text("new".to_owned())), None]
    );
    let state = reopened(state, &path);
    agrees(&state, "moved, and the register not written");
    state.commit_register("crm").unwrap();
    let state = reopened(state, &path);
    agrees(&state, "made anew");
}

#[test]
fn a_register_of_other_attributes_or_of_the_past_is_not_believed() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    agrees(&state, "of nobody");
    let first = (0..50).map(|n| put(None, n, "old")).collect();
    state.conclude("crm", first).unwrap();
    state.commit_register("crm").unwrap();
    // Moved by somebody who never read the register.
    let state = reopened(state, &path);
    state.conclude("crm", vec![put(None, 7, "new")]).unwrap();
    agrees(&state, "moved unseen");
    let other = vec!["mail".to_owned()];
    assert_eq!(rows(&state, &other), expected(&state, &other));
    state.conclude("crm", vec![put(None, 8, "new")]).unwrap();
    state.commit_register("crm").unwrap();
    let state = reopened(state, &path);
    agrees(&state, "written for another mapping");
    assert_eq!(rows(&state, &other), expected(&state, &other));
}
