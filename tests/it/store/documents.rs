//! Our own records: the latest is current, whatever happens in between.

use provost::store::{DocumentWrite, State};

use super::{dir, hold};

fn set(state: &State, key: &str, value: Option<&str>) {
    let value = value.map(str::to_owned);
    let write = DocumentWrite {
        kind: "note",
        key,
        value: value.as_ref(),
    };
    state.set_documents(&[write]).unwrap();
}

#[test]
fn the_latest_document_of_a_key_survives_restart_and_summary() {
    let (_root, path) = dir();
    let all = [
        ("a".to_owned(), "two".to_owned()),
        ("c".to_owned(), String::new()),
    ];
    {
        let state = hold(&path).unwrap();
        set(&state, "a", Some("one"));
        set(&state, "b", Some("gone"));
        set(&state, "a", Some("two"));
        set(&state, "c", Some(""));
        set(&state, "b", None);
        assert_eq!(state.document::<String>("note", "b").unwrap(), None);
        assert_eq!(state.documents::<String>("note").unwrap(), all);
        assert!(state.documents::<String>("other").unwrap().is_empty());
    }
    {
        let state = hold(&path).unwrap();
        assert_eq!(state.documents::<String>("note").unwrap(), all);
        state.compact().unwrap();
        assert_eq!(state.documents::<String>("note").unwrap(), all);
    }
    let state = hold(&path).unwrap();
    assert_eq!(
        state.document::<String>("note", "a").unwrap().unwrap(),
        "two"
    );
    assert!(state.verify().unwrap().is_sound());
}

#[test]
fn a_document_of_another_type_is_refused() {
    let (_root, path) = dir();
    let state = hold(&path).unwrap();
    set(&state, "a", Some("not a number list"));
    assert!(state.document::<Vec<Vec<u64>>>("note", "a").is_err());
}
