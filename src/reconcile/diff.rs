//! What to do about one identity: the case table.
//!
//! | identity            | account                 | decision                                                   |
//! |---------------------|-------------------------|------------------------------------------------------------|
//! | active, in scope    | none                    | create                                                     |
//! | active, in scope    | free one matches        | link, then as below                                        |
//! | active, in scope    | linked, active          | update and entitle where different                         |
//! | active, in scope    | suspended by us         | update, entitle, re-activate                               |
//! | active, in scope    | inactive by others      | update; never re-activate; remark                          |
//! | active, in scope    | deleted by others       | held: never made again behind an administrator's back      |
//! | reasons to suspend  | none                    | nothing: an account that must not be usable is not created |
//! | reasons to suspend  | free one matches        | in scope: link, then suspend. Out of scope: not ours       |
//! | reasons to suspend  | linked, active          | suspend; attributes and entitlements stay as they are      |
//! | reasons to suspend  | suspended by us         | nothing; after the retention time delete, if the policy says so |
//! | gone, proven        | linked                  | as for reasons to suspend, with `leaver`                   |
//! | missing, unproven   | linked, active          | held                                                       |

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::correlate::Correlation;
use super::desired::{Desired, Want};
use super::mapping::{Apply, Compare, Rule};
use super::situation::{Person, Presence, Situation, fold};
use super::{DriftPolicy, protect};
use crate::model::{
    Account, AccountId, Action, AttributeChange, Change, Held, HeldWhy, How, Life, Notice, Reason,
    Shadow, SuspendReason, Suspensions, Value,
};

/// The decision about one identity.
#[derive(Clone, Debug, Default)]
pub(super) struct Decision {
    pub changes: Vec<Change>,
    pub held: Vec<Held>,
    pub notices: Vec<Notice>,
    /// The next moment at which time alone changes the answer.
    pub due: Option<Timestamp>,
}

/// One identity, everything about it side by side.
pub(super) struct Case<'a> {
    pub person: &'a Person,
    pub desired: Option<&'a Desired>,
    pub correlation: &'a Correlation,
    /// The linked or matched account as read now.
    pub live: Option<&'a Account>,
    pub situation: &'a Situation<'a>,
    pub label: String,
}

/// Decides about one identity.
pub(super) fn decide(case: &Case<'_>) -> Decision {
    let mut decision = Decision::default();
    match (reasons(case), case.correlation) {
        (Err(why), _) => case.hold(&mut decision, why),
        (Ok(reasons), Correlation::Undecided(why)) => {
            // Nobody is given an account we are not sure of, and a person who must not have one needs no decision.
            if reasons.is_empty() || !reasons.contains(&SuspendReason::OutOfScope) {
                case.hold(&mut decision, why.clone());
            }
        }
        (Ok(reasons), Correlation::New) => {
            if reasons.is_empty() {
                create(case, &mut decision);
            }
        }
        (Ok(reasons), Correlation::Matched { account, rule }) => {
            // Somebody else's account of a person outside the scope is none of our business.
            if !reasons.contains(&SuspendReason::OutOfScope) {
                link(case, account, rule, &mut decision);
                keep(case, account, &reasons, &mut decision);
            }
        }
        (Ok(reasons), Correlation::Linked(account)) => {
            linked(case, account, &reasons, &mut decision);
        }
    }
    if case
        .desired
        .is_some_and(|desired| desired.pending && desired.reasons.is_empty())
    {
        case.notice(
            &mut decision,
            "refers to a person who has no account yet; completed as soon as there is one",
        );
    }
    if decision.due.is_none() {
        decision.due = case.desired.and_then(|desired| desired.due);
    }
    protect::filter(case, &mut decision);
    decision
}

/// The reasons to suspend, or why that cannot be said.
fn reasons(case: &Case<'_>) -> Result<Suspensions, HeldWhy> {
    let already = case
        .shadow()
        .is_some_and(|shadow| !shadow.suspended.is_empty());
    match (&case.person.presence, case.desired) {
        (Presence::Present(_), Some(desired)) => {
            if let Some(error) = &desired.scope_error {
                let attribute = "scope".to_owned();
                let message = error.clone();
                return Err(HeldWhy::Mapping { attribute, message });
            }
            let mut reasons = desired.reasons.clone();
            if !case.situation.rules.suspend_out_of_scope
                && reasons.remove(&SuspendReason::OutOfScope)
                && reasons.is_empty()
            {
                return Err(HeldWhy::Policy {
                    policy: "suspend-out-of-scope = false".to_owned(),
                    action: "suspending people who left the scope".to_owned(),
                });
            }
            let only_scope = reasons.iter().eq([&SuspendReason::OutOfScope]);
            if only_scope && !case.situation.is_complete() && case.has_account() && !already {
                return Err(HeldWhy::ScopeUnproven);
            }
            Ok(reasons)
        }
        (Presence::Present(_), None) => Err(HeldWhy::Unreadable("no desired state".to_owned())),
        (Presence::Unreadable(why), _) => Err(HeldWhy::Unreadable(why.clone())),
        (Presence::Gone, _) => Ok(with(&case.person.imposed, SuspendReason::Leaver)),
        (Presence::MissingOnce | Presence::Unproven, _) if already => {
            // Already suspended by us: nothing to give back and nothing to take.
            Ok(with(&case.person.imposed, SuspendReason::Leaver))
        }
        (Presence::MissingOnce, _) => Err(HeldWhy::MissingOnce),
        (Presence::Unproven, _) => Err(HeldWhy::MissingUnproven),
    }
}

fn with(imposed: &Suspensions, reason: SuspendReason) -> Suspensions {
    let mut reasons = imposed.clone();
    reasons.insert(reason);
    reasons
}

fn create(case: &Case<'_>, decision: &mut Decision) {
    let Some(desired) = case.desired else { return };
    if let Some((attribute, message)) = desired.hold.clone() {
        return case.hold(decision, HeldWhy::Mapping { attribute, message });
    }
    if case.situation.is_stale() {
        return case.hold(decision, HeldWhy::Stale);
    }
    let mut change = case.change(Action::Create, Reason::Joiner);
    change.attributes = case
        .situation
        .mapping
        .rules()
        .iter()
        .filter_map(|rule| match desired.attributes.get(&rule.name) {
            Some(Want::Value(value, _)) => Some(AttributeChange {
                name: rule.name.clone(),
                before: None,
                after: Some(value.clone()),
                identifier: rule.unique,
            }),
            Some(Want::Clear | Want::Leave) | None => None,
        })
        .collect();
    decision.changes.push(change);
    entitle(case, None, Reason::Joiner, decision);
}

fn link(case: &Case<'_>, account: &AccountId, rule: &str, decision: &mut Decision) {
    let mut change = case.change(Action::Link, Reason::Adoption);
    change.account = Some(account.clone());
    let value = case
        .live
        .and_then(|live| live.attributes.get(rule))
        .cloned();
    change.attributes = vec![AttributeChange {
        name: rule.to_owned(),
        before: value.clone(),
        after: value,
        identifier: false,
    }];
    decision.changes.push(change);
}

fn linked(case: &Case<'_>, account: &AccountId, reasons: &Suspensions, decision: &mut Decision) {
    let Some(shadow) = case.shadow() else { return };
    match &shadow.life {
        Life::Unconfirmed { doing } => {
            return case.hold(decision, HeldWhy::Unconfirmed(doing.clone()));
        }
        Life::Tombstone { .. } => {
            if reasons.is_empty() {
                case.hold(decision, HeldWhy::AccountGone);
            }
            return;
        }
        Life::Live => {}
    }
    if case.situation.live.gone.contains(account) {
        if reasons.is_empty() {
            case.hold(decision, HeldWhy::AccountGone);
        }
        return;
    }
    keep(case, account, reasons, decision);
}

/// An account that exists and is ours: suspended, re-activated, or kept in step.
fn keep(case: &Case<'_>, account: &AccountId, reasons: &Suspensions, decision: &mut Decision) {
    let before = case
        .shadow()
        .map(|s| s.suspended.clone())
        .unwrap_or_default();
    let usable = case.is_usable();
    if reasons.is_empty() {
        let Some(desired) = case.desired else { return };
        if let Some((attribute, message)) = desired.hold.clone() {
            return case.hold(decision, HeldWhy::Mapping { attribute, message });
        }
        let reason = if before.is_empty() {
            Reason::Mover
        } else {
            opening(&before)
        };
        update(case, account, desired, reason, decision);
        entitle(case, Some(account), reason, decision);
        if before.is_empty() {
            if !usable {
                case.notice(
                    decision,
                    "deactivated in the application by somebody else; not re-activated",
                );
            }
        } else if case.situation.is_stale() {
            decision.changes.clear();
            case.hold(decision, HeldWhy::Stale);
        } else {
            let how = case
                .shadow()
                .map(|s| s.suspended_by.clone())
                .unwrap_or_default();
            let mut change = case.change(Action::Reactivate(how), reason);
            change.account = Some(account.clone());
            change.suspended_before = before;
            decision.changes.push(change);
        }
        return;
    }
    if usable {
        suspend(case, account, &before, reasons, decision);
    } else if !before.is_empty() {
        retire(case, account, &before, reasons, decision);
    }
}

/// Why a suspended account opens again, from the reasons it was suspended for.
fn opening(before: &Suspensions) -> Reason {
    match before.first() {
        Some(SuspendReason::Leaver) | None => Reason::Rehire,
        Some(reason) => Reason::Cleared(*reason),
    }
}

fn suspend(
    case: &Case<'_>,
    account: &AccountId,
    before: &Suspensions,
    reasons: &Suspensions,
    decision: &mut Decision,
) {
    let capabilities = case.situation.capabilities;
    let how: BTreeSet<How> = case
        .situation
        .rules
        .suspend_with
        .iter()
        .copied()
        .filter(|how| match how {
            How::Deactivate => capabilities.deactivate,
            How::BlockLogin => capabilities.block_login,
        })
        .collect();
    if how.is_empty() {
        let what = "it offers none of the configured ways to suspend".to_owned();
        return case.hold(decision, HeldWhy::Incapable(what));
    }
    let reason = match (before.is_empty(), reasons.first()) {
        (true, Some(reason)) => Reason::Suspended(*reason),
        // We suspended it before; somebody made it usable again.
        (false, _) | (true, None) => Reason::Drift,
    };
    let mut change = case.change(Action::Suspend(how), reason);
    change.account = Some(account.clone());
    change.suspended_before = before.clone();
    change.suspended_after = reasons.clone();
    decision.changes.push(change);
}

/// A suspended account stays as it is until the retention time has passed.
fn retire(
    case: &Case<'_>,
    account: &AccountId,
    before: &Suspensions,
    reasons: &Suspensions,
    decision: &mut Decision,
) {
    let Some(after) = case.situation.rules.delete_after else {
        return;
    };
    let Some(since) = case.shadow().and_then(|s| s.suspended_since) else {
        return;
    };
    // Only people who have left are ever deleted, and only on proof, never on a shut window or a date.
    if !reasons.contains(&SuspendReason::Leaver) || case.person.presence != Presence::Gone {
        return;
    }
    let Ok(deadline) = since.checked_add(after) else {
        return;
    };
    if case.situation.now < deadline {
        decision.due = Some(deadline);
        return;
    }
    if !case.situation.capabilities.delete {
        return case.hold(
            decision,
            HeldWhy::Incapable("it cannot delete accounts".to_owned()),
        );
    }
    let mut change = case.change(Action::Delete, Reason::Retention);
    change.account = Some(account.clone());
    change.suspended_before = before.clone();
    change.suspended_after = reasons.clone();
    decision.changes.push(change);
}

fn update(
    case: &Case<'_>,
    account: &AccountId,
    desired: &Desired,
    reason: Reason,
    decision: &mut Decision,
) {
    let empty = BTreeMap::new();
    let current = super::unique::current(case.live, case.shadow()).unwrap_or(&empty);
    let mut changes = Vec::new();
    let mut drift = true;
    for rule in case.situation.mapping.rules() {
        let Some(change) = difference(rule, desired, current) else {
            continue;
        };
        if let Some(remark) = standing(rule, &change, case) {
            case.notice(decision, &remark);
            continue;
        }
        // Drift is what differs although we had confirmed exactly what is wanted.
        drift &= case.live.is_some()
            && case.shadow().is_some_and(|s| {
                s.account.is_some() && s.attributes.get(&rule.name) == change.after.as_ref()
            });
        changes.push(change);
    }
    if changes.is_empty() {
        return;
    }
    if drift && case.situation.rules.drift == DriftPolicy::Report {
        let names: Vec<&str> = changes.iter().map(|c| c.name.as_str()).collect();
        return case.notice(
            decision,
            &format!("changed in the application: {}", names.join(", ")),
        );
    }
    let mut change = case.change(Action::Update, if drift { Reason::Drift } else { reason });
    change.account = Some(account.clone());
    change.attributes = changes;
    decision.changes.push(change);
}

/// How one attribute differs from what is wanted, if it does.
fn difference(
    rule: &Rule,
    desired: &Desired,
    current: &BTreeMap<String, Value>,
) -> Option<AttributeChange> {
    if rule.apply == Apply::OnCreate {
        return None;
    }
    let before = current.get(&rule.name).cloned();
    let after = match desired.attributes.get(&rule.name)? {
        Want::Value(value, _) => Some(value.clone()),
        Want::Clear => None,
        Want::Leave => return None,
    };
    if same(rule.compare, before.as_ref(), after.as_ref()) {
        return None;
    }
    Some(AttributeChange {
        name: rule.name.clone(),
        before,
        after,
        identifier: rule.unique,
    })
}

fn same(compare: Compare, a: Option<&Value>, b: Option<&Value>) -> bool {
    if a == b {
        return true;
    }
    match (a, b, compare) {
        (Some(a), Some(b), Compare::IgnoreCase) => match (a, b) {
            (Value::Set(a), Value::Set(b)) => {
                let folded =
                    |set: &BTreeSet<String>| set.iter().map(|v| fold(v)).collect::<BTreeSet<_>>();
                folded(a) == folded(b)
            }
            (a, b) => fold(&a.to_string()) == fold(&b.to_string()),
        },
        // One value and a set of just that value are the same thing, whichever way a target returns it.
        (Some(Value::Set(set)), Some(Value::Text(text)), Compare::Exact)
        | (Some(Value::Text(text)), Some(Value::Set(set)), Compare::Exact) => {
            set.len() == 1 && set.contains(text)
        }
        (_, _, Compare::Exact | Compare::IgnoreCase) => false,
    }
}

/// A difference that is left standing, as a remark.
fn standing(rule: &Rule, change: &AttributeChange, case: &Case<'_>) -> Option<String> {
    let wanted = change
        .after
        .as_ref()
        .map_or_else(|| "nothing".to_owned(), ToString::to_string);
    if rule.immutable {
        return Some(format!(
            "{} is immutable and stays as it is; the directory now says {wanted}",
            rule.name
        ));
    }
    let unkept = case.shadow().and_then(|s| s.unkept.get(&rule.name))?;
    (*unkept == change.after).then(|| {
        format!(
            "the application did not keep {} = {wanted}; not sent again",
            rule.name
        )
    })
}

/// Grants and revokes entitlements. Ours is what we granted; others' grants stay unless the mapping owns the whole list.
fn entitle(case: &Case<'_>, account: Option<&AccountId>, reason: Reason, decision: &mut Decision) {
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
    let grant: BTreeSet<String> = wanted.difference(held).cloned().collect();
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

impl Case<'_> {
    pub(super) fn shadow(&self) -> Option<&Shadow> {
        self.person.shadow.as_ref()
    }

    fn has_account(&self) -> bool {
        self.shadow().is_some_and(|shadow| shadow.account.is_some())
    }

    /// Whether the account can be used now, as far as is known. Unknown counts as usable: suspending twice is harmless.
    fn is_usable(&self) -> bool {
        if let Some(live) = self.live
            && (live.active.is_some() || live.login_allowed.is_some())
        {
            let blocked = self
                .shadow()
                .is_some_and(|s| s.suspended_by.contains(&How::BlockLogin))
                && live.login_allowed == Some(false);
            return live.active != Some(false) && !blocked;
        }
        match self.shadow() {
            Some(shadow) => shadow.suspended.is_empty() && shadow.active != Some(false),
            None => true,
        }
    }

    pub(super) fn change(&self, action: Action, reason: Reason) -> Change {
        Change::new(
            self.person.anchor.clone(),
            self.label.clone(),
            action,
            reason,
        )
    }

    pub(super) fn hold(&self, decision: &mut Decision, why: HeldWhy) {
        decision.held.push(Held {
            anchor: self.person.anchor.clone(),
            label: self.label.clone(),
            account: self.shadow().and_then(|shadow| shadow.account.clone()),
            why,
        });
    }

    pub(super) fn notice(&self, decision: &mut Decision, what: &str) {
        decision.notices.push(Notice {
            anchor: self.person.anchor.clone(),
            label: self.label.clone(),
            what: what.to_owned(),
        });
    }
}
