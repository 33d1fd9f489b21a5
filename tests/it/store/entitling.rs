//! Intents of entitlements are noted without shadows: what they were is taken from what is stored.

use std::borrow::Cow;
use std::collections::BTreeSet;

use provost::model::{AccountId, Action, Life};
use provost::store::{Conclusion, Entitling, Intent, ShadowMove, State};

use super::{anchor, dir, hold, put, shadow};

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn begin(state: &State) -> provost::store::OpId {
    let (anchor, account) = (anchor(1), AccountId("u-1".to_owned()));
    let (grant, revoke) = (names(&["new"]), names(&["old"]));
    let one = Entitling {
        anchor: Cow::Borrowed(&anchor),
        label: Cow::Borrowed("Person One"),
        account: Some(Cow::Borrowed(&account)),
        summary: Cow::Borrowed("entitle"),
        grant: Cow::Borrowed(&grant),
        revoke: Cow::Borrowed(&revoke),
    };
    state.intend_entitling("crm", 1, &[one]).unwrap()[0]
}

#[test]
fn they_are_open_until_concluded_with_the_shadow_as_it_is_then() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    let mut before = shadow(1, "p1");
    before.entitlements = names(&["old", "other"]);
    let conclude = |shadow: &provost::model::Shadow, op| {
        let conclusion = Conclusion {
            op,
            anchor: anchor(1),
            shadow: ShadowMove::Put(Box::new(shadow.clone())),
            result: "done".to_owned(),
        };
        state.conclude("crm", vec![conclusion]).unwrap();
    };
    conclude(&before, None);
    let op = begin(&state);
    let mut expected = Intent {
        anchor: anchor(1),
        action: Action::Entitle,
        account: Some(AccountId("u-1".to_owned())),
        keys: std::collections::BTreeMap::new(),
        summary: "entitle".to_owned(),
        after: Box::new(before.clone()),
        before: Some(Box::new(before.clone())),
    };
    "Person One".clone_into(&mut expected.after.label);
    expected.after.entitlements = names(&["new", "other"]);
    assert_eq!(
        state.open_intents("crm").unwrap(),
        vec![(op, expected.clone())]
    );

    // The outcome is not known, but part of it: the operation stays open, and what is known is its past.
    before.entitlements = names(&["other"]);
    before.life = Life::Unconfirmed {
        doing: "entitle".to_owned(),
    };
    conclude(&before, None);
    expected.after.life = before.life.clone();
    expected.before = Some(Box::new(before));
    let open = vec![(op, expected)];
    assert_eq!(state.open_intents("crm").unwrap(), open);

    // Neither a restart nor a summary loses it.
    drop(state);
    let state = hold(&path).unwrap();
    assert_eq!(state.open_intents("crm").unwrap(), open);
    state.compact().unwrap();
    drop(state);
    let state = hold(&path).unwrap();
    assert_eq!(state.open_intents("crm").unwrap(), open);
    assert!(state.verify().unwrap().is_sound());
    state.conclude("crm", vec![put(Some(op), 1, "p1")]).unwrap();
    assert_eq!(state.open_intents("crm").unwrap(), vec![]);
}

#[test]
fn outcomes_and_what_is_begun_after_them_become_durable_together() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    let first = state
        .turn("crm", Vec::new(), 1, &[super::intent(1)])
        .unwrap();
    let size = || std::fs::metadata(path.join("journal.log")).unwrap().len();
    let before = size();
    let second = state
        .turn(
            "crm",
            vec![put(Some(first[0]), 1, "p1")],
            1,
            &[super::intent(2)],
        )
        .unwrap();
    let together = size() - before;
    assert_eq!(
        state.open_intents("crm").unwrap(),
        vec![(second[0], super::intent(2))]
    );
    assert_eq!(
        state.shadow("crm", &anchor(1)).unwrap(),
        Some(shadow(1, "p1"))
    );
    // One frame, and not two.
    let before = size();
    state.conclude("crm", vec![put(None, 1, "p1")]).unwrap();
    state.intend("crm", 1, &[super::intent(2)]).unwrap();
    assert!(together < size() - before);
    drop(state);
    let state = hold(&path).unwrap();
    assert_eq!(state.open_intents("crm").unwrap().len(), 2);
    assert!(state.verify().unwrap().is_sound());
}
