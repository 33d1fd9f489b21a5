//! What a decision may not contain: changes to protected accounts, and kinds of change that the policy leaves out.

use super::SyncPolicy;
use super::diff::{Case, Decision};
use crate::model::{Action, Change, HeldWhy, PasswordStep};

/// Takes out of a decision what must not happen, and says so.
pub(super) fn filter(case: &Case<'_>, decision: &mut Decision) {
    let policy = case.situation.rules.policy;
    let protected = protection(case);
    let mut refused = Vec::new();
    decision.changes.retain_mut(|change| {
        if let Some(why) = &protected
            && is_dangerous(change)
        {
            refused.push(HeldWhy::Protected(why.clone()));
            return false;
        }
        if policy == SyncPolicy::UpsertOnly {
            // Granting goes on, only taking away does not.
            change.revoke.clear();
        }
        if policy == SyncPolicy::CreateOnly && change.password == Some(PasswordStep::Initial) {
            // The first password belongs to creating an account, even if it comes late.
            change
                .attributes
                .retain(|_| change.action == Action::Create);
            return true;
        }
        if allowed(policy, change) {
            return true;
        }
        refused.push(HeldWhy::Policy {
            policy: policy.to_string(),
            action: change.action.as_str().to_owned(),
        });
        false
    });
    decision.changes.retain(|change| {
        change.action != Action::Entitle || !change.grant.is_empty() || !change.revoke.is_empty()
    });
    for why in refused {
        case.hold(decision, why);
    }
}

/// Changes that could lock somebody out or rename them.
fn is_dangerous(change: &Change) -> bool {
    match &change.action {
        Action::Suspend(_) | Action::Delete => true,
        Action::Update => change.is_rename(),
        Action::Entitle => !change.revoke.is_empty(),
        Action::Create | Action::Link | Action::Reactivate(_) => false,
    }
}

fn allowed(policy: SyncPolicy, change: &Change) -> bool {
    match (policy, &change.action) {
        (SyncPolicy::Sync, _) => true,
        (SyncPolicy::UpsertOnly, Action::Suspend(_) | Action::Delete) => false,
        (
            SyncPolicy::UpsertOnly,
            Action::Create
            | Action::Link
            | Action::Update
            | Action::Entitle
            | Action::Reactivate(_),
        ) => true,
        (SyncPolicy::CreateOnly, Action::Create) => true,
        // The entitlements a new account starts with belong to creating it.
        (SyncPolicy::CreateOnly, Action::Entitle) => change.account.is_none(),
        (
            SyncPolicy::CreateOnly,
            Action::Suspend(_)
            | Action::Delete
            | Action::Link
            | Action::Update
            | Action::Reactivate(_),
        ) => false,
    }
}

/// Whether an account is protected.
pub(super) fn is_protected(case: &Case<'_>) -> bool {
    let rules = case.situation.rules;
    let named = !rules.protected_people.is_empty() || !rules.protected_accounts.is_empty();
    named && protection(case).is_some()
}

/// Why this identity's account is protected, if it is.
fn protection(case: &Case<'_>) -> Option<String> {
    let rules = case.situation.rules;
    if rules.protected_people.contains(case.person.anchor.as_str()) {
        return Some("the person is named in protected-people".to_owned());
    }
    if let super::situation::Presence::Present(identity) = &case.person.presence
        && rules
            .protected_people
            .iter()
            .any(|name| same_dn(name, &identity.dn))
    {
        return Some("the person is named in protected-people".to_owned());
    }
    let shadow = case.shadow();
    let id = case
        .live
        .map(|live| &live.id)
        .or_else(|| shadow.and_then(|shadow| shadow.account.as_ref()))?;
    if rules.protected_accounts.contains(&id.0) {
        return Some("the account is named in protected-accounts".to_owned());
    }
    let attributes = super::unique::current(case.live, shadow)?;
    let unique = case
        .situation
        .mapping
        .rules()
        .iter()
        .filter(|rule| rule.unique);
    let mut names = unique.filter_map(|rule| attributes.get(&rule.name));
    names
        .any(|value| {
            let value = super::situation::fold(&value.to_string());
            rules
                .protected_accounts
                .iter()
                .any(|name| super::situation::fold(name) == value)
        })
        .then(|| "the account is named in protected-accounts".to_owned())
}

fn same_dn(a: &str, b: &str) -> bool {
    crate::model::normalise_dn(a).is_some_and(|a| Some(a) == crate::model::normalise_dn(b))
}
