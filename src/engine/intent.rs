//! What is about to be done, written down before it is done: enough to find out after a crash what became of it.

use jiff::Timestamp;

use super::perform::Bench;
use crate::model::{Action, Change, How, Life, Origin, Shadow, Value};
use crate::store::Intent;

/// The intent of a change: enough to find out after a crash what became of it.
pub(super) fn intent(change: &Change, before: Option<Shadow>, bench: &Bench<'_>) -> Intent {
    let mut keys = std::collections::BTreeMap::new();
    if change.action == Action::Create {
        for name in bench.mapping.identifying() {
            if let Some(value) = after(change, name) {
                keys.insert(name.to_owned(), value.clone());
            }
        }
    }
    Intent {
        anchor: change.anchor.clone(),
        action: change.action.clone(),
        account: change
            .account
            .clone()
            .or_else(|| before.as_ref()?.account.clone()),
        keys,
        summary: summary(change),
        after: intended(change, before.as_ref(), bench.now),
        before,
    }
}

fn after<'a>(change: &'a Change, name: &str) -> Option<&'a Value> {
    let attribute = change
        .attributes
        .iter()
        .find(|attribute| attribute.name == name)?;
    attribute.after.as_ref()
}

/// A change in a few words, without values: it goes to logs.
pub(super) fn summary(change: &Change) -> String {
    format!("{} ({})", change.action.as_str(), change.reason)
}

/// The shadow as it will be if the change takes effect exactly as planned.
fn intended(change: &Change, before: Option<&Shadow>, now: Timestamp) -> Shadow {
    let origin = if change.action == Action::Create {
        Origin::Created
    } else {
        Origin::Adopted
    };
    let mut shadow = before
        .cloned()
        .unwrap_or_else(|| Shadow::new(change.anchor.clone(), change.label.clone(), origin));
    shadow.label.clone_from(&change.label);
    if shadow.account.is_none() {
        shadow.account.clone_from(&change.account);
    }
    match &change.action {
        Action::Create | Action::Update => {
            for attribute in &change.attributes {
                match &attribute.after {
                    Some(value) => shadow
                        .attributes
                        .insert(attribute.name.clone(), value.clone()),
                    None => shadow.attributes.remove(&attribute.name),
                };
            }
            if change.action == Action::Create {
                shadow.active = Some(true);
            }
        }
        Action::Suspend(how) => {
            shadow.suspended.clone_from(&change.suspended_after);
            shadow.suspended_by.clone_from(how);
            shadow.suspended_since = shadow.suspended_since.or(Some(now));
            if how.contains(&How::Deactivate) {
                shadow.active = Some(false);
            }
        }
        Action::Reactivate(how) => {
            shadow.suspended.clear();
            shadow.suspended_by.clear();
            shadow.suspended_since = None;
            if how.contains(&How::Deactivate) {
                shadow.active = Some(true);
            }
        }
        Action::Entitle => {
            shadow.entitlements.extend(change.grant.iter().cloned());
            shadow
                .entitlements
                .retain(|name| !change.revoke.contains(name));
        }
        Action::Delete => shadow.life = Life::Tombstone { since: now },
        Action::Link => {}
    }
    shadow
}
