//! What is about to be done, written down before it is done: enough to find out after a crash what became of it.

use std::borrow::Cow;

use super::password;
use super::perform::Bench;
use crate::model::{AccountId, Action, Change, How, Life, Origin, Shadow, Value};
use crate::store::{Entitling, Intent};

/// The intent of a change: enough to find out after a crash what became of it.
pub(super) fn intent(change: &Change, before: Option<Box<Shadow>>, bench: &Bench<'_>) -> Intent {
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
        after: Box::new(intended(change, before.as_deref(), bench)),
        before,
    }
}

/// The intent of a change of entitlements, which are many: without the shadow, which the store has.
pub(super) fn entitling<'a>(change: &'a Change, account: Option<&'a AccountId>) -> Entitling<'a> {
    Entitling {
        anchor: Cow::Borrowed(&change.anchor),
        label: Cow::Borrowed(&change.label),
        account: account.map(Cow::Borrowed),
        summary: Cow::Owned(summary(change)),
        grant: Cow::Borrowed(&change.grant),
        revoke: Cow::Borrowed(&change.revoke),
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
    let step = match &change.action {
        Action::Suspend(steps) | Action::Reactivate(steps) => steps.first(),
        Action::Delete | Action::Link | Action::Update | Action::Create | Action::Entitle => None,
    };
    match step {
        Some(step) if *step != How::Deactivate => {
            format!("{} ({}): {step}", change.action.as_str(), change.reason)
        }
        Some(_) | None => format!("{} ({})", change.action.as_str(), change.reason),
    }
}

/// The shadow as it will be if the change takes effect exactly as planned.
fn intended(change: &Change, before: Option<&Shadow>, bench: &Bench<'_>) -> Shadow {
    let now = bench.now;
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
        Action::Suspend(steps) => {
            shadow.suspended.clone_from(&change.suspended_after);
            shadow.suspended_since = shadow.suspended_since.or(Some(now));
            close(&mut shadow, steps, change);
        }
        Action::Reactivate(steps) => open(&mut shadow, steps, change),
        Action::Entitle => {
            shadow.entitlements.extend(change.grant.iter().cloned());
            shadow
                .entitlements
                .retain(|name| !change.revoke.contains(name));
        }
        Action::Delete => shadow.life = Life::Tombstone { since: now },
        Action::Link => {}
    }
    if let Some(step) = password::step_of(change) {
        shadow.password = password::confirmed(step, shadow.password, bench.credentials);
    }
    shadow
}

/// The first step of a procedure is done, the others are still to come.
fn close(shadow: &mut Shadow, steps: &[How], change: &Change) {
    let Some((step, later)) = steps.split_first() else {
        return;
    };
    shadow.pending = later.to_vec();
    shadow.suspended_by.retain(|how| how != step);
    shadow.suspended_by.push(step.clone());
    match step {
        How::Deactivate => shadow.active = Some(false),
        How::RemoveEntitlements => {
            for name in &change.revoke {
                let ours = shadow.entitlements.remove(name);
                *shadow.removed.entry(name.clone()).or_default() |= ours;
            }
        }
        How::BlockLogin | How::FuzzPassword | How::RevokeSessions | How::Reassign(_) => {}
    }
}

/// The first step is undone; after the last one nothing of the suspension is left.
fn open(shadow: &mut Shadow, steps: &[How], change: &Change) {
    let step = steps.first();
    shadow.suspended_by.retain(|how| Some(how) != step);
    shadow.pending.retain(|how| Some(how) != step);
    match step {
        Some(How::Deactivate) => shadow.active = Some(true),
        Some(How::RemoveEntitlements) => {
            for name in &change.grant {
                if shadow.removed.get(name) == Some(&true) {
                    shadow.entitlements.insert(name.clone());
                }
            }
            shadow.removed.clear();
        }
        Some(How::BlockLogin | How::FuzzPassword | How::RevokeSessions | How::Reassign(_))
        | None => {}
    }
    if steps.len() <= 1 {
        shadow.suspended.clear();
        shadow.suspended_by.clear();
        shadow.pending.clear();
        shadow.removed.clear();
        shadow.suspended_since = None;
    }
}
