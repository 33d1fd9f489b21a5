//! Groups, roles and licences: what to grant and what to revoke.

use std::collections::BTreeSet;

use super::diff::{Case, Decision};
use super::suspend::given_back;
use crate::model::{AccountId, Action, Reason};

/// Grants and revokes entitlements. Ours is what we granted; others' grants stay unless the mapping owns the whole list.
pub(super) fn entitle(
    case: &mut Case<'_>,
    account: Option<&AccountId>,
    reason: Reason,
    decision: &mut Decision,
) {
    if !case.situation.capabilities.entitlements {
        return;
    }
    let newcomer = case.shadow().is_none() && case.live.is_none();
    if newcomer && let Some(Ok(wanted)) = case.desired.as_mut().map(|d| &mut d.entitlements) {
        let grant = std::mem::take(wanted);
        return plan(case, account, reason, (grant, BTreeSet::new()), decision);
    }
    let case = &*case;
    let wanted = match case.desired.as_ref().map(|desired| &desired.entitlements) {
        Some(Ok(wanted)) => wanted,
        Some(Err(message)) => {
            return case.notice(decision, &format!("entitlements left alone: {message}"));
        }
        None => return,
    };
    let shadow = case.person.shadow.as_ref();
    let none = BTreeSet::new();
    let ours = shadow.map_or(&none, |shadow| &shadow.entitlements);
    let held = case
        .live
        .and_then(|live| live.entitlements.as_ref())
        .unwrap_or(ours);
    let mut revoke: BTreeSet<String> = ours.difference(wanted).cloned().collect();
    let owned = held.iter().filter(|name| {
        !wanted.contains(*name) && case.situation.mapping.entitlement_owns_all(name)
    });
    revoke.extend(owned.cloned());
    if !case.situation.is_complete() && !revoke.is_empty() {
        case.notice(
            decision,
            "no entitlement is revoked on a read that was not complete",
        );
        revoke.clear();
    }
    // What a suspension took away is given back by undoing it.
    let back = case
        .shadow()
        .map(|shadow| given_back(case, shadow))
        .unwrap_or_default();
    let grant: BTreeSet<String> = wanted
        .difference(held)
        .filter(|name| !back.contains(*name))
        .cloned()
        .collect();
    plan(case, account, reason, (grant, revoke), decision);
}

/// The change that grants and revokes these, if there are any.
fn plan(
    case: &Case<'_>,
    account: Option<&AccountId>,
    reason: Reason,
    (grant, revoke): (BTreeSet<String>, BTreeSet<String>),
    decision: &mut Decision,
) {
    if grant.is_empty() && revoke.is_empty() {
        return;
    }
    let reason = if reason == Reason::Mover {
        Reason::Entitlement
    } else {
        reason
    };
    let mut change = case.change(Action::Entitle, reason);
    change.account = account.cloned();
    change.grant = grant;
    change.revoke = revoke;
    decision.changes.push(change);
}
