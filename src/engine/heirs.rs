//! Who gets the work of people whose access is taken away. Reads what the directory and our records say, decides nothing.

use std::collections::{BTreeMap, HashMap};

use super::EngineError;
use super::gather::Inputs;
use super::result::{ChangeResult, TargetReport};
use crate::model::{AccountId, Action, Anchor, How, Identity, Life, Shadow};
use crate::reconcile::{Person, Presence};
use crate::store::{DocumentWrite, State};

/// The kind of our record of whom the directory named when somebody left: deleting comes much later.
const NAMED: &str = "heir";

/// Whose account gets the work of whom: that of the person whom the directory names, or named when they left, if it can
/// be used.
pub(super) fn heirs(
    inputs: &Inputs<'_>,
    people: &[Person],
    inherits: bool,
) -> Result<BTreeMap<Anchor, AccountId>, EngineError> {
    let mut heirs = BTreeMap::new();
    let rules = &inputs.spec.rules;
    let reassigns = rules.suspend.any(|how| matches!(how, How::Reassign(_)));
    if !reassigns && !inherits {
        return Ok(heirs);
    }
    let shadows: HashMap<&Anchor, Option<&Shadow>> = people
        .iter()
        .map(|p| (&p.anchor, p.shadow.as_ref()))
        .collect();
    for person in people.iter().filter(|person| person.shadow.is_some()) {
        let named = named_by(inputs, person)?;
        let named = named.and_then(|dn| inputs.snapshot.by_dn(&dn).cloned());
        let heir = match (named, &person.presence) {
            (None, Presence::Gone) => recorded(inputs, &person.anchor)?,
            (named, _) => named,
        };
        let Some(heir) = heir else { continue };
        let stored;
        let shadow = match shadows.get(&heir) {
            Some(shadow) => *shadow,
            None => {
                stored = inputs.state.shadow(&inputs.spec.name, &heir)?;
                stored.as_ref()
            }
        };
        if let Some(account) = shadow.and_then(usable) {
            heirs.insert(person.anchor.clone(), account.clone());
        }
    }
    Ok(heirs)
}

fn key(target: &str, anchor: &Anchor) -> String {
    format!("{target}/{anchor}")
}

fn recorded(inputs: &Inputs<'_>, anchor: &Anchor) -> Result<Option<Anchor>, EngineError> {
    let key = key(&inputs.spec.name, anchor);
    Ok(inputs.state.document(NAMED, &key)?)
}

/// Writes down whom the directory names for people who have left, while it still does; where deleting hands over what
/// they have.
///
/// # Errors
/// When our own records cannot be read or written.
pub(super) fn keep(inputs: &Inputs<'_>, people: &[Person]) -> Result<(), EngineError> {
    let mut kept = Vec::new();
    for person in people.iter().filter(|p| p.presence == Presence::Gone) {
        let named = named_by(inputs, person)?;
        let named = named.and_then(|dn| inputs.snapshot.by_dn(&dn).cloned());
        if let Some(heir) = named
            && recorded(inputs, &person.anchor)?.as_ref() != Some(&heir)
        {
            kept.push((key(&inputs.spec.name, &person.anchor), heir));
        }
    }
    let writes: Vec<_> = kept
        .iter()
        .map(|(key, heir)| DocumentWrite {
            kind: NAMED,
            key,
            value: Some(heir),
        })
        .collect();
    if writes.is_empty() {
        return Ok(());
    }
    Ok(inputs.state.set_documents(&writes)?)
}

/// Forgets whom the directory named for somebody whose account is deleted.
///
/// # Errors
/// When our own records cannot be read or written.
pub(super) fn forget(state: &State, report: &TargetReport) -> Result<(), EngineError> {
    let deleted =
        |result: &&ChangeResult| result.change.action == Action::Delete && result.is_made();
    let keys = report.results.iter().filter(deleted);
    let keys: Vec<String> = keys
        .map(|result| key(&report.target, &result.change.anchor))
        .collect();
    let mut writes = Vec::new();
    for key in &keys {
        if state.document::<Anchor>(NAMED, key)?.is_some() {
            writes.push(DocumentWrite::<Anchor> {
                kind: NAMED,
                key,
                value: None,
            });
        }
    }
    if writes.is_empty() {
        return Ok(());
    }
    Ok(state.set_documents(&writes)?)
}

/// The DN that a person's entry names. Of somebody who is not there any more, the directory's last word counts.
fn named_by(inputs: &Inputs<'_>, person: &Person) -> Result<Option<String>, EngineError> {
    let named = |identity: &Identity| {
        let attribute = &inputs.spec.rules.heir.attribute;
        identity.attributes.text(attribute).map(str::to_owned)
    };
    Ok(match &person.presence {
        Presence::Present(identity) => named(identity),
        Presence::Unreadable(_)
        | Presence::Missing { .. }
        | Presence::Unproven
        | Presence::Gone => {
            let last = inputs.snapshot.identity(&person.anchor, inputs.state)?;
            last.as_deref().and_then(named)
        }
    })
}

/// The account of a shadow, if work can be given to it.
fn usable(shadow: &Shadow) -> Option<&AccountId> {
    let usable =
        shadow.suspended.is_empty() && shadow.active != Some(false) && shadow.life == Life::Live;
    shadow.account.as_ref().filter(|_| usable)
}
