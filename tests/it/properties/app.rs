//! What becomes of a plan: the application is as naive as one can be, it does what a change says, and refuses a login that
//! is taken. Shadows move as applying moves them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use provost::model::{
    Account, Action, Change, CredentialMode, How, Life, Origin, Password, PasswordState,
    PasswordStep, Shadow, Value,
};
use provost::reconcile::guard::ApprovedPlan;
use provost::reconcile::remember;

use super::world::{Rules, Secret, World};

impl World {
    /// Does what was approved. Returns what the application refused.
    pub(super) fn apply(&mut self, plan: &ApprovedPlan, rules: &Rules) -> Vec<Action> {
        let mut refused = Vec::new();
        let mut blocked = BTreeSet::new();
        for change in plan.changes() {
            if !blocked.contains(&change.anchor) && !self.perform(change, rules) {
                blocked.insert(change.anchor.clone());
                refused.push(change.action.clone());
            }
        }
        refused
    }

    fn perform(&mut self, change: &Change, rules: &Rules) -> bool {
        let login = change.attributes.iter().find(|a| a.name == "login");
        let wanted = login.and_then(|a| a.after.as_ref()).map(Value::to_string);
        let before = self.shadows.get(&change.anchor).cloned();
        let mut id = before
            .as_ref()
            .and_then(|shadow| shadow.account.clone())
            .or_else(|| change.account.clone());
        let changes_login = matches!(change.action, Action::Create | Action::Update);
        if let Some(holder) = wanted.as_deref().and_then(|login| self.holder(login))
            && changes_login
            && Some(holder) != id.as_ref()
        {
            return false;
        }
        if change.action == Action::Create {
            assert_eq!(id, None, "an account was created for somebody who has one");
            id = Some(self.insert(BTreeMap::new()));
        }
        let id = id.expect("every other change is about an account");
        let origin = if change.action == Action::Create {
            Origin::Created
        } else {
            Origin::Adopted
        };
        let fresh = || Shadow::new(change.anchor.clone(), change.label.clone(), origin);
        let mut shadow = before.unwrap_or_else(fresh);
        let now = self.now();
        let Some(account) = self.accounts.get_mut(&id) else {
            shadow.life = Life::Tombstone { since: now };
            self.shadows.insert(change.anchor.clone(), shadow);
            return false;
        };
        let mode = rules.rules.credentials;
        alter(change, account, &mut shadow, now);
        let secret = self.passwords.get_mut(&id).expect("every account has one");
        match &change.action {
            Action::Suspend(steps) => take(change, steps, account, &mut shadow, secret, mode),
            Action::Reactivate(steps) => give(change, steps, account, &mut shadow, secret),
            Action::Create | Action::Update => first(change, &mut shadow, secret, mode),
            Action::Link | Action::Entitle | Action::Delete => {}
        }
        match &change.action {
            Action::Suspend(_) => drop(self.ours.insert(id.clone())),
            Action::Reactivate(_) => drop(self.ours.remove(&id)),
            Action::Create | Action::Link | Action::Update | Action::Entitle | Action::Delete => {}
        }
        shadow.account = Some(id.clone());
        shadow.active = account.active;
        if matches!(change.action, Action::Create | Action::Link) {
            let names = rules.mapping.rules().iter().map(|rule| rule.name.as_str());
            remember(&mut shadow, account, names);
        }
        if change.action == Action::Delete {
            self.accounts.remove(&id);
            self.shadows.remove(&change.anchor);
            return true;
        }
        self.shadows.insert(change.anchor.clone(), shadow);
        true
    }
}

/// One change on its account and shadow.
fn alter(change: &Change, account: &mut Account, shadow: &mut Shadow, now: Timestamp) {
    match &change.action {
        Action::Create | Action::Update => {
            for attribute in &change.attributes {
                let name = attribute.name.clone();
                for attributes in [&mut account.attributes, &mut shadow.attributes] {
                    match attribute.after.clone() {
                        Some(value) => attributes.insert(name.clone(), value),
                        None => attributes.remove(&name),
                    };
                }
            }
        }
        Action::Suspend(_) => {
            shadow.suspended.clone_from(&change.suspended_after);
            shadow.suspended_since = shadow.suspended_since.or(Some(now));
        }
        Action::Reactivate(_) | Action::Link | Action::Delete => {}
        Action::Entitle => {
            let held = account.entitlements.get_or_insert_default();
            held.extend(change.grant.iter().cloned());
            held.retain(|name| !change.revoke.contains(name));
            shadow.entitlements.extend(change.grant.iter().cloned());
            shadow
                .entitlements
                .retain(|name| !change.revoke.contains(name));
        }
    }
}

/// The first password of a new account.
fn first(change: &Change, shadow: &mut Shadow, secret: &mut Secret, mode: CredentialMode) {
    if change.password != Some(PasswordStep::Initial) {
        return;
    }
    let next = shadow.password.generation + 1;
    let managed = mode == CredentialMode::Managed;
    let state = if managed {
        PasswordState::Managed
    } else {
        PasswordState::Issued
    };
    *secret = Secret::Made(next);
    shadow.password = Password {
        state,
        generation: next,
        kept: managed.then_some(next),
        told: true,
    };
}

/// Takes access away by these steps.
fn take(
    change: &Change,
    steps: &[How],
    account: &mut Account,
    shadow: &mut Shadow,
    secret: &mut Secret,
    mode: CredentialMode,
) {
    for step in steps {
        match step {
            How::Deactivate => account.active = Some(false),
            How::BlockLogin => account.login_allowed = Some(false),
            How::FuzzPassword => {
                assert_eq!(change.password, Some(PasswordStep::Fuzz));
                let (next, before) = (shadow.password.generation + 1, shadow.password);
                *secret = Secret::Nobodys;
                let managed = mode == CredentialMode::Managed;
                shadow.password = Password {
                    state: PasswordState::Fuzzed,
                    generation: next,
                    kept: before.kept.or(managed.then_some(next)),
                    told: before.told && before.kept.is_some(),
                };
            }
            How::RemoveEntitlements => {
                let held = account.entitlements.get_or_insert_default();
                held.retain(|name| !change.revoke.contains(name));
                for name in &change.revoke {
                    let ours = shadow.entitlements.remove(name);
                    *shadow.removed.entry(name.clone()).or_default() |= ours;
                }
            }
            How::RevokeSessions | How::Reassign(_) => {}
        }
        shadow.suspended_by.retain(|how| how != step);
        shadow.suspended_by.push(step.clone());
    }
}

/// Undoes these steps.
fn give(
    change: &Change,
    steps: &[How],
    account: &mut Account,
    shadow: &mut Shadow,
    secret: &mut Secret,
) {
    for step in steps {
        match step {
            How::Deactivate => account.active = Some(true),
            How::BlockLogin => account.login_allowed = Some(true),
            How::FuzzPassword => set(change, shadow, secret),
            How::RemoveEntitlements => {
                let held = account.entitlements.get_or_insert_default();
                held.extend(change.grant.iter().cloned());
                let ours = change.grant.iter().filter(|name| shadow.removed[*name]);
                shadow.entitlements.extend(ours.cloned());
            }
            How::RevokeSessions | How::Reassign(_) => panic!("{step} cannot be undone"),
        }
    }
    shadow.suspended.clear();
    shadow.suspended_by.clear();
    shadow.removed = BTreeMap::new();
    shadow.suspended_since = None;
}

/// A password that somebody knows again.
fn set(change: &Change, shadow: &mut Shadow, secret: &mut Secret) {
    let next = shadow.password.generation + 1;
    match change.password {
        Some(PasswordStep::Restore) => {
            let kept = shadow.password.kept.expect("the one that is sealed");
            *secret = Secret::Made(kept);
            shadow.password.state = PasswordState::Managed;
            shadow.password.told = true;
        }
        Some(PasswordStep::Temporary) => {
            *secret = Secret::Made(next);
            shadow.password = Password {
                state: PasswordState::Issued,
                generation: next,
                kept: None,
                told: true,
            };
        }
        other => panic!("{other:?} gives nobody access"),
    }
}
