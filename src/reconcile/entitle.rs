//! Groups, roles and licences: what to grant and what to revoke.

use std::collections::BTreeSet;

use super::diff::{Case, Decision};
use super::suspend::given_back;
use crate::model::{AccountId, Action, Reason};

/// Grants and revokes entitlements. Ours is what we granted; others' grants stay unless the mapping owns the whole list.
pub(super) fn entitle(
    case: &Case<'_>,
    account: Option<&AccountId>,
    reason: Reason,
    decision: &mut Decision,
) {
    if !case.situation.capabilities.entitlements {
        return;
    }
    let wanted = match case.desired.map(|desired| &desired.entitlements) {
        Some(Ok(wanted)) => wanted,
        Some(Err(message)) => {
            return case.notice(decision, &format!("entitlements left alone: {message}"));
        }
        None => return,
    };
    let ours = case
        .shadow()
        .map(|s| s.entitlements.clone())
        .unwrap_or_default();
    let held = case
        .live
        .and_then(|live| live.entitlements.as_ref())
        .unwrap_or(&ours);
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
