//! Taking access away and giving it back: which steps of the procedure are left, and what is undone in which order.
//!
//! What is done is read from the shadow, corrected by the live account. So a procedure that stopped goes on where it
//! stopped, a stronger reason adds its steps, and giving back undoes exactly what was done. Who is suspended at all is
//! decided in `diff`, carrying out is the engine's.

use std::collections::BTreeSet;

use super::diff::{Case, Decision};
use crate::model::{
    AccountId, Action, CredentialMode, HeldWhy, How, PasswordState, PasswordStep, Reason, Shadow,
    SuspendReason, Suspensions, despite_failure,
};

/// Carries out what is left of the procedures for these reasons. Returns whether nothing is left.
pub(super) fn close(
    case: &Case<'_>,
    account: &AccountId,
    before: &Suspensions,
    reasons: &Suspensions,
    decision: &mut Decision,
) -> bool {
    let situation = case.situation;
    let wanted = situation.rules.suspend.of_all(reasons);
    let left: Vec<How> = wanted
        .into_iter()
        .filter(|how| !is_done(case, how))
        .collect();
    if left.is_empty() {
        return true;
    }
    let done = case
        .shadow()
        .map(|shadow| shadow.suspended_by.clone())
        .unwrap_or_default();
    let (possible, impossible): (Vec<How>, Vec<How>) =
        left.into_iter().partition(|how| is_possible(case, how));
    if !done.iter().chain(&possible).any(How::stops_access) && !case.is_shut() {
        let what = "it offers none of the configured ways to suspend".to_owned();
        case.hold(decision, HeldWhy::Incapable(what));
        return false;
    }
    for how in impossible {
        case.notice(decision, &format!("the application cannot do \"{how}\""));
    }
    let steps = inheritable(case, &done, possible, decision);
    if steps.is_empty() {
        return false;
    }
    let mut change = case.change(
        Action::Suspend(steps.clone()),
        why(case, before, reasons, &steps),
    );
    change.account = Some(account.clone());
    change.suspended_before = before.clone();
    change.suspended_after = reasons.clone();
    change.resumes = !before.is_empty()
        && case
            .shadow()
            .is_some_and(|shadow| steps.iter().all(|how| shadow.pending.contains(how)));
    if steps.contains(&How::RemoveEntitlements) {
        change.revoke = held(case);
    }
    if steps.contains(&How::FuzzPassword) {
        change.password = Some(PasswordStep::Fuzz);
    }
    if steps.iter().any(|how| matches!(how, How::Reassign(_))) {
        change.heir = heir(case);
    }
    change.done = done
        .into_iter()
        .filter(|how| !steps.contains(how))
        .collect();
    decision.changes.push(change);
    false
}

/// Undoes what was done, the last first. Called only when no reason is left.
pub(super) fn open(
    case: &Case<'_>,
    account: &AccountId,
    before: &Suspensions,
    reason: Reason,
    decision: &mut Decision,
) {
    let Some(shadow) = case.shadow() else { return };
    let mode = case.situation.rules.credentials;
    let mut steps: Vec<How> = shadow
        .suspended_by
        .iter()
        .rev()
        .filter(|how| how.is_undone())
        .cloned()
        .collect();
    if mode == CredentialMode::Sso && shadow.password.kept.is_none() {
        // Somebody else checks passwords: the local one stays what nobody knows.
        steps.retain(|how| *how != How::FuzzPassword);
    }
    let password = if !steps.contains(&How::FuzzPassword) {
        None
    } else if mode == CredentialMode::Reset {
        Some(PasswordStep::Temporary)
    } else if mode == CredentialMode::Managed || shadow.password.kept.is_some() {
        Some(PasswordStep::Restore)
    } else {
        let what = format!("its password was fuzzed, and credentials = \"{mode}\" sets no other");
        return case.hold(decision, HeldWhy::Incapable(what));
    };
    let grant = if steps.contains(&How::RemoveEntitlements) {
        given_back(case, shadow)
    } else {
        BTreeSet::new()
    };
    let mut change = case.change(Action::Reactivate(steps), reason);
    change.account = Some(account.clone());
    change.suspended_before = before.clone();
    change.grant = grant;
    change.password = password;
    decision.changes.push(change);
}

/// Whether a step is done, by us or by somebody else, as far as is known.
fn is_done(case: &Case<'_>, how: &How) -> bool {
    let shadow = case.shadow();
    // What is also still to be done was begun, and nobody knows how it ended.
    let ours = shadow
        .is_some_and(|shadow| shadow.suspended_by.contains(how) && !shadow.pending.contains(how));
    match how {
        How::Deactivate => match case.live.and_then(|live| live.active) {
            Some(active) => !active,
            None => ours || shadow.is_some_and(|shadow| shadow.active == Some(false)),
        },
        How::BlockLogin => match case.live.and_then(|live| live.login_allowed) {
            Some(allowed) => !allowed,
            None => ours,
        },
        // Once, for good, where another system checks passwords.
        How::FuzzPassword => {
            ours || (case.situation.rules.credentials == CredentialMode::Sso
                && shadow.is_some_and(|shadow| shadow.password.state == PasswordState::Fuzzed))
        }
        How::RemoveEntitlements => match case.live.and_then(|live| live.entitlements.as_ref()) {
            Some(held) => held.is_empty(),
            // Between lists there is nothing to take but what we granted.
            None => {
                ours || shadow
                    .is_some_and(|s| s.entitlements.is_empty() && !s.pending.contains(how))
            }
        },
        How::RevokeSessions | How::Reassign(_) => ours,
    }
}

fn is_possible(case: &Case<'_>, how: &How) -> bool {
    let fuzzes = *how == How::FuzzPassword;
    how.is_possible(case.situation.capabilities)
        && !(fuzzes && case.situation.rules.credentials == CredentialMode::None)
}

/// Cuts the steps where work has no heir: what comes later waits, but the access is taken away all the same.
fn inheritable(
    case: &Case<'_>,
    done: &[How],
    steps: Vec<How>,
    decision: &mut Decision,
) -> Vec<How> {
    if heir(case).is_some() {
        return steps;
    }
    let Some(at) = steps.iter().position(|how| matches!(how, How::Reassign(_))) else {
        return steps;
    };
    let mut now = steps;
    let later = now.split_off(at);
    if let Some(How::Reassign(kind)) = later.first() {
        let kind = kind.clone();
        case.hold(decision, HeldWhy::NoHeir { kind });
    }
    let so_far: Vec<How> = done.iter().chain(&now).cloned().collect();
    let mode = case.situation.rules.credentials;
    now.extend(despite_failure(&so_far, &later, mode));
    now
}

/// Whose account gets this person's work; never their own.
pub(super) fn heir(case: &Case<'_>) -> Option<AccountId> {
    let own = case.shadow().and_then(|shadow| shadow.account.as_ref());
    let named = case.situation.heirs.get(&case.person.anchor);
    let fallback = case.situation.rules.heir.fallback.as_ref();
    named
        .into_iter()
        .chain(fallback)
        .find(|id| Some(*id) != own)
        .cloned()
}

/// Why steps are carried out now.
fn why(case: &Case<'_>, before: &Suspensions, reasons: &Suspensions, steps: &[How]) -> Reason {
    let ours = |shadow: &Shadow, how: &How| {
        shadow.suspended_by.contains(how) && !shadow.pending.contains(how)
    };
    let again = case
        .shadow()
        .is_some_and(|shadow| steps.iter().all(|how| ours(shadow, how)));
    if again && !before.is_empty() {
        // We did this before; somebody made it undone.
        return Reason::Drift;
    }
    let new = reasons.difference(before).next();
    match new.or_else(|| reasons.first()) {
        Some(reason) => Reason::Suspended(*reason),
        None => Reason::Suspended(SuspendReason::Operator),
    }
}

/// The entitlements that the account holds, as far as is known. What was begun to be taken away and never confirmed may
/// still be there.
fn held(case: &Case<'_>) -> BTreeSet<String> {
    if let Some(held) = case.live.and_then(|live| live.entitlements.clone()) {
        return held;
    }
    let Some(shadow) = case.shadow() else {
        return BTreeSet::new();
    };
    let mut held = shadow.entitlements.clone();
    held.extend(shadow.removed.keys().cloned());
    held
}

/// What the suspension took away and the person should have again. What we had granted and the mapping does not call for
/// any more is not given back.
pub(super) fn given_back(case: &Case<'_>, shadow: &Shadow) -> BTreeSet<String> {
    let wanted = match case.desired.as_ref().map(|desired| &desired.entitlements) {
        Some(Ok(wanted)) => Some(wanted),
        Some(Err(_)) | None => None,
    };
    let due = |name: &str, ours: bool| {
        let managed = ours || case.situation.mapping.entitlement_owns_all(name);
        !managed || wanted.is_none_or(|wanted| wanted.contains(name))
    };
    shadow
        .removed
        .iter()
        .filter(|(name, ours)| due(name, **ours))
        .map(|(name, _)| name.clone())
        .collect()
}
