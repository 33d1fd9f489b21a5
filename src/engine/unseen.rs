//! Accounts that may be there although nobody can see them: their creation was never answered, and looking for them found
//! nobody, because the application does not show whoever is new or holds nothing yet.
//!
//! If the application then refuses the name as taken, it may well be by that account. Another name would make a second
//! account for the same person, so none is tried, and people are told.

use std::collections::BTreeMap;

use super::recover::Recovered;
use super::taken::Conflict;
use crate::model::{Anchor, Value};
use crate::store::{DocumentWrite, State, StoreError};

/// The kind of our record of the names under which an account was asked for.
const KIND: &str = "unseen-account";

type Names = BTreeMap<String, Value>;

fn key(target: &str, anchor: &Anchor) -> String {
    format!("{target}/{anchor}")
}

/// Writes down the names of creations that nobody learnt the end of, and forgets those of people who have an account now.
///
/// # Errors
/// When our own records cannot be read or written.
pub(super) fn keep(target: &str, state: &State, recovered: &[Recovered]) -> Result<(), StoreError> {
    let sought = recovered
        .iter()
        .filter_map(|found| Some((key(target, &found.anchor), found.sought.clone()?)));
    let mut kept: Vec<(String, Option<Names>)> =
        sought.map(|(key, names)| (key, Some(names))).collect();
    for (key, _) in state.documents::<Names>(KIND)? {
        let anchor = key
            .strip_prefix(target)
            .and_then(|key| key.strip_prefix('/'));
        let Some(anchor) = anchor.and_then(|anchor| Anchor::new(anchor).ok()) else {
            continue;
        };
        let shadow = state.shadow(target, &anchor)?;
        if shadow.is_some_and(|shadow| shadow.account.is_some()) {
            kept.push((key, None));
        }
    }
    if kept.is_empty() {
        return Ok(());
    }
    let writes: Vec<_> = kept
        .iter()
        .map(|(key, value)| DocumentWrite {
            kind: KIND,
            key,
            value: value.as_ref(),
        })
        .collect();
    state.set_documents(&writes)
}

/// Takes out the conflicts that may be with an account of our own that nobody can see, and says so of each.
///
/// # Errors
/// When our own records cannot be read.
pub(super) fn spare(
    target: &str,
    state: &State,
    conflicts: &mut Vec<Conflict>,
) -> Result<Vec<String>, StoreError> {
    let mut said = Vec::new();
    let mut others = Vec::with_capacity(conflicts.len());
    for conflict in std::mem::take(conflicts) {
        let change = &conflict.change;
        let names: Option<Names> = state.document(KIND, &key(target, &change.anchor))?;
        let asked = names.is_some_and(|names| {
            let mut sent = change.attributes.iter();
            sent.any(|sent| sent.after.is_some() && names.get(&sent.name) == sent.after.as_ref())
        });
        if asked {
            said.push(format!(
                "{}: an account was asked for before, and no answer said whether it was made; its name is taken now, perhaps by that account, so no other name was tried. Look for it in the application; if it is theirs, let it be seen and adopted, else give the person another name",
                change.label
            ));
        } else {
            others.push(conflict);
        }
    }
    *conflicts = others;
    Ok(said)
}
