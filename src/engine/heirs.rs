//! Who gets the work of people whose access is taken away. Reads what the directory and our records say, decides nothing.

use std::collections::{BTreeMap, HashMap};

use super::EngineError;
use super::gather::Inputs;
use crate::model::{AccountId, Anchor, How, Identity, Life, Shadow};
use crate::reconcile::{Person, Presence};

/// Whose account gets the work of whom: that of the person whom the directory names, if it can be used.
pub(super) fn heirs(
    inputs: &Inputs<'_>,
    people: &[Person],
) -> Result<BTreeMap<Anchor, AccountId>, EngineError> {
    let mut heirs = BTreeMap::new();
    let rules = &inputs.spec.rules;
    if !rules.suspend.any(|how| matches!(how, How::Reassign(_))) {
        return Ok(heirs);
    }
    let shadows: HashMap<&Anchor, Option<&Shadow>> = people
        .iter()
        .map(|p| (&p.anchor, p.shadow.as_ref()))
        .collect();
    for person in people.iter().filter(|person| person.shadow.is_some()) {
        let Some(named) = named_by(inputs, person)? else {
            continue;
        };
        let Some(heir) = inputs.snapshot.by_dn(&named) else {
            continue;
        };
        let stored;
        let shadow = match shadows.get(heir) {
            Some(shadow) => *shadow,
            None => {
                stored = inputs.state.shadow(&inputs.spec.name, heir)?;
                stored.as_ref()
            }
        };
        if let Some(account) = shadow.and_then(usable) {
            heirs.insert(person.anchor.clone(), account.clone());
        }
    }
    Ok(heirs)
}

/// The DN that a person's entry names. Of somebody who is not there any more, the directory's last word counts.
fn named_by(inputs: &Inputs<'_>, person: &Person) -> Result<Option<String>, EngineError> {
    let named = |identity: &Identity| {
        let attribute = &inputs.spec.rules.heir.attribute;
        identity.attributes.text(attribute).map(str::to_owned)
    };
    Ok(match &person.presence {
        Presence::Present(identity) => named(identity),
        Presence::Unreadable(_) | Presence::MissingOnce | Presence::Unproven | Presence::Gone => {
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
