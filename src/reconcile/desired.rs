//! What one identity should have in the target: attributes, entitlements and the reasons why it must not be usable.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::mapping::{Judged, Projected};
use super::situation::{Person, Presence, Reference, Situation};
use crate::model::{Identity, SuspendReason, Suspensions, Value};

/// What should become of one attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Want {
    /// This value; for unique attributes, the alternatives in order.
    Value(Value, Vec<Value>),
    /// No value.
    Clear,
    /// Whatever it is.
    Leave,
}

/// What one present identity should have.
#[derive(Clone, Debug)]
pub(super) struct Desired {
    /// In the order of the mapping's rules.
    pub attributes: Vec<Want>,
    pub entitlements: Result<BTreeSet<String>, String>,
    /// Why the account must not be usable; empty means active.
    pub reasons: Suspensions,
    /// The value to look for, per match rule.
    pub matches: Vec<Option<Value>>,
    /// An attribute that cannot be produced, and why.
    pub hold: Option<(String, String)>,
    /// An attribute refers to a person who has no account yet.
    pub pending: bool,
    /// The scope could not be judged.
    pub scope_error: Option<String>,
    /// The next moment at which dates alone change the answer.
    pub due: Option<Timestamp>,
}

/// Computes what a present identity should have. Identities that are not present have no desired state of their own.
pub(super) fn desire(person: &Person, situation: &Situation<'_>) -> Option<Desired> {
    let Presence::Present(identity) = &person.presence else {
        return None;
    };
    let judged = situation.mapping.judge(identity);
    let mut reasons = person.imposed.clone();
    let dates = dates(identity, &judged, situation.now, &mut reasons);
    if identity.state.disabled {
        reasons.insert(SuspendReason::SourceDisabled);
    }
    if !judged.inside {
        reasons.insert(SuspendReason::OutOfScope);
    }
    let mut due = earliest(dates, person.imposed_until);
    if !shuts_for_long(&reasons) {
        due = earliest(due, person.access.next);
    }
    Some(assemble(judged, reasons, due, situation))
}

/// The earlier of two moments that may not come.
pub(super) fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Whether something else than the clock keeps an account suspended, so that its windows need not be watched.
fn shuts_for_long(reasons: &Suspensions) -> bool {
    reasons.iter().any(|reason| match reason {
        SuspendReason::Leaver
        | SuspendReason::SourceDisabled
        | SuspendReason::Expired
        | SuspendReason::NotYetStarted
        | SuspendReason::OutOfScope => true,
        SuspendReason::AccessWindow | SuspendReason::Operator => false,
    })
}

/// Adds the reasons that follow from dates and returns the next date that matters.
fn dates(
    identity: &Identity,
    judged: &Judged,
    now: Timestamp,
    reasons: &mut Suspensions,
) -> Option<Timestamp> {
    let ends = earliest(identity.state.expires, judged.ends);
    // Both the directory and the mapping may name a start; the account opens when both have come.
    let starts = identity.state.starts.max(judged.starts);
    if ends.is_some_and(|end| end <= now) {
        reasons.insert(SuspendReason::Expired);
    }
    if starts.is_some_and(|start| start > now) {
        reasons.insert(SuspendReason::NotYetStarted);
    }
    let future = |date: Option<Timestamp>| date.filter(|date| *date > now);
    earliest(future(ends), future(starts))
}

fn assemble(
    judged: Judged,
    reasons: Suspensions,
    due: Option<Timestamp>,
    situation: &Situation<'_>,
) -> Desired {
    let mut hold: Option<(String, String)> = None;
    let mut pending = false;
    let rules = situation.mapping.rules().iter();
    let attributes = rules.zip(judged.attributes).map(|(rule, projected)| {
        match projected {
            Projected::Value(value, alternatives) => Want::Value(value, alternatives),
            Projected::Clear => Want::Clear,
            Projected::Omit => Want::Leave,
            Projected::Reference(dn) => match situation.references.get(&dn) {
                Some(Reference::Account(id)) => Want::Value(Value::Text(id.0.clone()), Vec::new()),
                Some(Reference::NoAccountYet) => {
                    pending = true;
                    Want::Leave
                }
                None => Want::Leave,
            },
            Projected::Hold(message) => {
                // The first by name is told.
                if hold.as_ref().is_none_or(|(first, _)| rule.name < *first) {
                    hold = Some((rule.name.clone(), message));
                }
                Want::Leave
            }
        }
    });
    Desired {
        attributes: attributes.collect(),
        entitlements: judged.entitlements,
        reasons,
        matches: judged.matches,
        hold,
        pending,
        scope_error: judged.error,
        due,
    }
}
