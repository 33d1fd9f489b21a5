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
//! | reasons to suspend  | linked, steps left      | suspend by these steps; attributes stay as they are        |
//! | reasons to suspend  | linked, all steps done  | nothing; after the retention time delete, if the policy says so |
//! | gone, proven        | linked                  | as for reasons to suspend, with `leaver`                   |
//! | missing, unproven   | linked, active          | held; suspended if a window or an operator says so         |

use jiff::Timestamp;

use super::attributes::update;
use super::correlate::Correlation;
use super::desired::{Desired, Want, earliest};
use super::entitle::entitle;
use super::protect;
use super::situation::{Person, Presence, Situation};
use super::suspend;
use crate::model::{
    Account, AccountId, Action, AttributeChange, Change, Held, HeldWhy, Life, Notice,
    PasswordState, PasswordStep, Reason, Shadow, SuspendReason, Suspensions,
};

/// The decision about one identity.
#[derive(Clone, Debug, Default)]
pub(super) struct Decision {
    pub changes: Vec<Change>,
    pub held: Vec<Held>,
    pub notices: Vec<Notice>,
    /// The next moment at which time alone changes the answer.
    pub due: Option<Timestamp>,
    /// An earlier run foretold what is suspended or re-activated.
    pub foretold: bool,
}

/// One identity, everything about it side by side.
pub(super) struct Case<'a> {
    pub person: &'a Person,
    /// What they should have; values are moved from here to changes.
    pub desired: Option<Desired>,
    pub correlation: &'a Correlation,
    /// The linked or matched account as read now.
    pub live: Option<&'a Account>,
    pub situation: &'a Situation<'a>,
    pub label: &'a str,
}

/// Decides about one identity.
pub(super) fn decide(case: &mut Case<'_>) -> Decision {
    let mut decision = Decision::default();
    match (reasons(case), case.correlation) {
        (Err(why), _) => case.hold(&mut decision, why),
        (Ok(_), Correlation::New | Correlation::Matched { .. } | Correlation::Undecided(_))
            if let Some(doing) = case.doubt() =>
        {
            // An account may have been made and not be known to us: nothing is made or adopted until that is found out.
            case.hold(&mut decision, HeldWhy::Unconfirmed(doing));
        }
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
    if case.is_pending() {
        case.notice(
            &mut decision,
            "refers to a person who has no account yet; completed as soon as there is one",
        );
    }
    if decision.due.is_none() {
        let due = case.desired.as_ref().and_then(|desired| desired.due);
        decision.due = earliest(due, case.person.imposed_until);
    }
    for what in &case.person.access.notices {
        case.notice(&mut decision, what);
    }
    decision.foretold = is_foretold(case, &decision);
    protect::filter(case, &mut decision);
    decision
}

/// Whether all that is suspended or re-activated is what an earlier run foretold: by windows, and by nothing besides.
fn is_foretold(case: &Case<'_>, decision: &Decision) -> bool {
    let by_window = |reasons: &Suspensions| reasons.iter().eq([&SuspendReason::AccessWindow]);
    case.person.foretold
        && decision.changes.iter().all(|change| match change.action {
            Action::Suspend(_) => by_window(&change.suspended_after),
            Action::Reactivate(_) => by_window(&change.suspended_before),
            Action::Delete | Action::Link | Action::Update | Action::Create | Action::Entitle => {
                true
            }
        })
}

/// The reasons to suspend, or why that cannot be said.
fn reasons(case: &Case<'_>) -> Result<Suspensions, HeldWhy> {
    let already = case
        .shadow()
        .is_some_and(|shadow| !shadow.suspended.is_empty());
    match (&case.person.presence, &case.desired) {
        (Presence::Present(_), Some(desired)) => {
            if let Some(error) = &desired.scope_error {
                let attribute = "scope".to_owned();
                let message = error.clone();
                return Err(HeldWhy::Mapping { attribute, message });
            }
            let mut reasons = desired.reasons.clone();
            // No window touches what is protected.
            let protected = protect::is_protected(case);
            if protected {
                reasons.remove(&SuspendReason::AccessWindow);
            }
            if let Some(why) = &case.person.access.hold
                && reasons.is_empty()
                && !protected
            {
                return Err(HeldWhy::Access(why.clone()));
            }
            if !case.situation.rules.suspend_out_of_scope
                && reasons.remove(&SuspendReason::OutOfScope)
                && reasons.is_empty()
            {
                return Err(HeldWhy::Policy {
                    policy: "suspend-out-of-scope = false".to_owned(),
                    action: "suspending people who left the scope".to_owned(),
                });
            }
            if !case.situation.is_complete()
                && case.has_account()
                && !already
                && reasons.remove(&SuspendReason::OutOfScope)
                && reasons.is_empty()
            {
                return Err(HeldWhy::ScopeUnproven);
            }
            Ok(reasons)
        }
        (Presence::Present(_), None) => Err(HeldWhy::Unreadable("no desired state".to_owned())),
        // What is imposed rests on no entry, so a doubtful one does not stop it. Nothing is given back on it either.
        (Presence::Unreadable(_) | Presence::Missing { .. } | Presence::Unproven, _)
            if !case.person.imposed.is_empty() =>
        {
            let mut reasons = case.person.imposed.clone();
            reasons.extend(case.shadow().iter().flat_map(|shadow| &shadow.suspended));
            Ok(reasons)
        }
        // A window closes on what was last known of somebody; nothing opens on it.
        (Presence::Unreadable(_) | Presence::Missing { .. } | Presence::Unproven, _)
            if case.is_imposed() && case.has_account() =>
        {
            let mut reasons = case.person.imposed.clone();
            reasons.extend(case.shadow().iter().flat_map(|shadow| &shadow.suspended));
            Ok(reasons)
        }
        (Presence::Unreadable(why), _) => Err(HeldWhy::Unreadable(why.clone())),
        (Presence::Gone, _) => Ok(with(&case.person.imposed, SuspendReason::Leaver)),
        (Presence::Missing { .. } | Presence::Unproven, _) if already => {
            // Already suspended by us: nothing to give back and nothing to take, and nothing new is known about why.
            let mut reasons = case.person.imposed.clone();
            reasons.extend(case.shadow().iter().flat_map(|shadow| &shadow.suspended));
            Ok(reasons)
        }
        // Somebody without an account loses nothing by being gone, proven or not.
        (Presence::Missing { .. } | Presence::Unproven, _) if case.shadow().is_none() => {
            Ok(with(&case.person.imposed, SuspendReason::Leaver))
        }
        (&Presence::Missing { reads, more }, _) => Err(HeldWhy::Missing { reads, more }),
        (Presence::Unproven, _) => Err(HeldWhy::MissingUnproven),
    }
}

fn with(imposed: &Suspensions, reason: SuspendReason) -> Suspensions {
    let mut reasons = imposed.clone();
    reasons.insert(reason);
    reasons
}

fn create(case: &mut Case<'_>, decision: &mut Decision) {
    let Some(desired) = &mut case.desired else {
        return;
    };
    if let Some((attribute, message)) = desired.hold.clone() {
        return case.hold(decision, HeldWhy::Mapping { attribute, message });
    }
    let wants = std::mem::take(&mut desired.attributes);
    if let Some(why) = case.too_old(None) {
        return case.hold(decision, why);
    }
    let mut change = case.change(Action::Create, Reason::Joiner);
    change.password = case.sets_passwords().then_some(PasswordStep::Initial);
    let rules = case.situation.mapping.rules().iter();
    let values = rules.zip(wants).filter_map(|(rule, want)| match want {
        Want::Value(value, _) => Some(AttributeChange {
            name: rule.name.clone(),
            before: None,
            after: Some(value),
            identifier: rule.unique,
        }),
        Want::Clear | Want::Leave => None,
    });
    change.attributes = values.collect();
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

fn linked(
    case: &mut Case<'_>,
    account: &AccountId,
    reasons: &Suspensions,
    decision: &mut Decision,
) {
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
fn keep(case: &mut Case<'_>, account: &AccountId, reasons: &Suspensions, decision: &mut Decision) {
    let before = case
        .shadow()
        .map(|s| s.suspended.clone())
        .unwrap_or_default();
    if reasons.is_empty() {
        let Some(desired) = &case.desired else {
            return;
        };
        if let Some((attribute, message)) = desired.hold.clone() {
            return case.hold(decision, HeldWhy::Mapping { attribute, message });
        }
        let reason = if before.is_empty() {
            Reason::Mover
        } else {
            opening(&before)
        };
        update(case, account, desired, reason, decision);
        first_password(case, account, decision);
        entitle(case, Some(account), reason, decision);
        if before.is_empty() {
            if case.is_shut() {
                case.notice(
                    decision,
                    "deactivated in the application by somebody else; not re-activated",
                );
            }
        } else if let Some(why) = case.too_old(case.vouched(&before)) {
            decision.changes.clear();
            case.hold(decision, why);
        } else {
            suspend::open(case, account, &before, reason, decision);
        }
        return;
    }
    if suspend::close(case, account, &before, reasons, decision) && !before.is_empty() {
        retire(case, account, &before, reasons, decision);
    }
}

/// An account that we made and that still waits for its first password gets it.
fn first_password(case: &Case<'_>, account: &AccountId, decision: &mut Decision) {
    let state = case.shadow().map(|shadow| shadow.password.state);
    if state != Some(PasswordState::Pending) || !case.sets_passwords() {
        return;
    }
    let updates = |change: &&mut Change| change.action == Action::Update;
    if decision.changes.iter_mut().find(updates).is_none() {
        let mut change = case.change(Action::Update, Reason::Joiner);
        change.account = Some(account.clone());
        decision.changes.push(change);
    }
    if let Some(change) = decision.changes.iter_mut().find(updates) {
        change.password = Some(PasswordStep::Initial);
    }
}

/// Why a suspended account opens again, from the reasons it was suspended for.
fn opening(before: &Suspensions) -> Reason {
    match before.first() {
        Some(SuspendReason::Leaver) | None => Reason::Rehire,
        Some(reason) => Reason::Cleared(*reason),
    }
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
    if case.situation.capabilities.inherits {
        change.heir = suspend::heir(case);
    }
    decision.changes.push(change);
}

impl Case<'_> {
    /// Whether something of what they are to have waits for another person's account.
    pub(super) fn is_pending(&self) -> bool {
        let desired = self.desired.as_ref();
        desired.is_some_and(|desired| desired.pending && desired.reasons.is_empty())
    }

    pub(super) fn shadow(&self) -> Option<&Shadow> {
        self.person.shadow.as_ref()
    }

    /// What was begun for this identity with an outcome that nobody knows.
    fn doubt(&self) -> Option<String> {
        match &self.shadow()?.life {
            Life::Unconfirmed { doing } => Some(doing.clone()),
            Life::Live | Life::Tombstone { .. } => None,
        }
    }

    /// Whether an operator or a window suspends, with nothing protecting from it.
    fn is_imposed(&self) -> bool {
        !self.person.imposed.is_empty() && !protect::is_protected(self)
    }

    /// When an operator vouched for somebody who was suspended for these reasons: a grant lifts a window and nothing else.
    fn vouched(&self, before: &Suspensions) -> Option<Timestamp> {
        let by_window = before.iter().eq([&SuspendReason::AccessWindow]);
        self.person.access.granted.filter(|_| by_window)
    }

    /// Why they may not be given access on what is known of the directory, if so, or on the word of somebody who vouched for
    /// them later.
    fn too_old(&self, vouched: Option<Timestamp>) -> Option<HeldWhy> {
        if self.situation.is_stale(vouched) {
            Some(HeldWhy::Stale)
        } else if self.person.access.strict && !self.situation.is_complete() {
            Some(HeldWhy::Strict)
        } else {
            None
        }
    }

    fn has_account(&self) -> bool {
        self.shadow().is_some_and(|shadow| shadow.account.is_some())
    }

    /// Whether passwords are ours to set here.
    fn sets_passwords(&self) -> bool {
        let situation = self.situation;
        situation.rules.credentials.is_ours() && situation.capabilities.set_password
    }

    /// Whether the account is known to be inactive, by whomever.
    pub(super) fn is_shut(&self) -> bool {
        let live = self.live.and_then(|live| live.active);
        live.or_else(|| self.shadow()?.active) == Some(false)
    }

    pub(super) fn change(&self, action: Action, reason: Reason) -> Change {
        Change::new(
            self.person.anchor.clone(),
            self.label.to_owned(),
            action,
            reason,
        )
    }

    pub(super) fn hold(&self, decision: &mut Decision, why: HeldWhy) {
        decision.held.push(Held {
            anchor: self.person.anchor.clone(),
            label: self.label.to_owned(),
            account: self.shadow().and_then(|shadow| shadow.account.clone()),
            why,
        });
    }

    pub(super) fn notice(&self, decision: &mut Decision, what: &str) {
        decision.notices.push(Notice {
            anchor: self.person.anchor.clone(),
            label: self.label.to_owned(),
            what: what.to_owned(),
        });
    }
}
