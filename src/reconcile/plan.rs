//! The whole decision: every identity to a plan. The order of the input never changes the plan.

use std::sync::Arc;

use jiff::Timestamp;
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

use super::correlate::{self, Correlation, Matcher};
use super::desired::{Desired, desire};
use super::diff::{Case, Decision, decide};
use super::situation::{Person, Presence, Situation};
use super::unique::{self, Claimants};
use crate::model::{Account, Action, Anchor, Change, Held, HeldWhy, Notice, Plan, SuspendReason};

/// A plan, and when each identity must be looked at again although nothing about it changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reconciled {
    /// The plan.
    pub plan: Plan,
    /// Each identity that is (or will be, once its changes are made) as wanted, with the next moment that changes the answer;
    /// in the order of their anchors.
    pub settled: Vec<(Anchor, Option<Timestamp>)>,
}

/// So many people at least are worth another thread.
pub(super) const TOGETHER: usize = 64;
/// So many people are decided about in one go.
const IN_ONE_GO: usize = 512;
/// How many places there are in the order of application.
const PLACES: usize = 14;

/// Decides what is to be done in one target. Pure: the same situation always gives the same plan.
///
/// From here on everybody goes by their place in the order of the anchors.
#[must_use]
pub fn reconcile(situation: &Situation<'_>) -> Reconciled {
    let mut people: Vec<&Person> = situation.people.iter().collect();
    if !people.is_sorted_by(|a, b| a.anchor <= b.anchor) {
        people.par_sort_by(|a, b| a.anchor.cmp(&b.anchor));
    }
    let matcher = Matcher::new(situation);
    // Nobody's wishes depend on anybody else's.
    let wishes = |person: &&Person| {
        let mut desired = desire(person, situation);
        let correlation = matcher.correlate(person, desired.as_ref(), situation);
        if let Some(desired) = &mut desired {
            desired.matches = Vec::new();
        }
        (desired, correlation)
    };
    let (mut desired, mut correlations): (Vec<Option<Desired>>, Vec<Correlation>) =
        (Vec::new(), Vec::new());
    people
        .par_iter()
        .with_min_len(TOGETHER)
        .map(wishes)
        .unzip_into_vecs(&mut desired, &mut correlations);
    correlate::forbid_sharing(&people, &mut correlations);
    let mut claimants = Claimants {
        people: &people,
        desired: &mut desired,
        correlations: &correlations,
        matcher: &matcher,
    };
    let names = unique::settle(&mut claimants, situation);
    let mut plan = empty(situation);
    plan.orphans = correlate::orphans(situation, &correlations);
    let parts: Vec<Part> = people
        .par_chunks(IN_ONE_GO)
        .zip(desired.par_chunks_mut(IN_ONE_GO))
        .zip(correlations.par_chunks(IN_ONE_GO))
        .enumerate()
        .map(|(number, ((people, desired), correlations))| {
            let mut part = Part::default();
            let first = number * IN_ONE_GO;
            let cases = people.iter().zip(desired).zip(correlations).enumerate();
            for (place, ((person, desired), correlation)) in cases {
                let mut case = Case {
                    person,
                    desired: desired.take(),
                    correlation,
                    live: live(correlation, &matcher),
                    situation,
                    label: label(person),
                };
                let mut decision = decide(&mut case);
                if let Some(why) = names.get(&(first + place)) {
                    give_up(&case, why, &mut decision);
                }
                part.take(&case, decision);
            }
            part
        })
        .collect();
    join(plan, parts)
}

/// What was decided about some people who follow one another.
#[derive(Default)]
struct Part {
    /// By their place in the order of application, then by anchor.
    changes: [Vec<Arc<Change>>; PLACES],
    held: Vec<Held>,
    notices: Vec<Notice>,
    settled: Vec<(Anchor, Option<Timestamp>)>,
    pending: Vec<Anchor>,
    foretold: Vec<Anchor>,
    unchanged: usize,
}

impl Part {
    fn take(&mut self, case: &Case<'_>, decision: Decision) {
        let anchor = &case.person.anchor;
        if case.is_pending() {
            self.pending.push(anchor.clone());
        } else if decision.held.is_empty() {
            self.settled.push((anchor.clone(), decision.due));
        }
        if decision.foretold && !decision.changes.is_empty() {
            self.foretold.push(anchor.clone());
        }
        if decision.changes.is_empty() && decision.held.is_empty() {
            self.unchanged += 1;
        }
        for change in decision.changes {
            if let Some(changes) = self.changes.get_mut(place(&change)) {
                changes.push(Arc::new(change));
            }
        }
        self.held.extend(decision.held);
        self.notices.extend(decision.notices);
    }
}

/// All parts as one.
fn join(mut plan: Plan, mut parts: Vec<Part>) -> Reconciled {
    let count = |of: fn(&Part) -> usize| parts.iter().map(of).sum();
    plan.changes
        .reserve_exact(count(|part| part.changes.iter().map(Vec::len).sum()));
    let mut settled = Vec::with_capacity(count(|part| part.settled.len()));
    for place in 0..PLACES {
        for changes in parts.iter_mut().filter_map(|p| p.changes.get_mut(place)) {
            plan.changes.append(changes);
        }
    }
    for part in parts {
        plan.held.extend(part.held);
        plan.notices.extend(part.notices);
        plan.pending.extend(part.pending);
        plan.foretold.extend(part.foretold);
        plan.unchanged += part.unchanged;
        settled.extend(part.settled);
    }
    Reconciled { plan, settled }
}

fn empty(situation: &Situation<'_>) -> Plan {
    Plan {
        target: situation.rules.name.clone(),
        basis: situation.basis.clone(),
        changes: Vec::new(),
        held: Vec::new(),
        notices: Vec::new(),
        letters: Vec::new(),
        orphans: Vec::new(),
        pending: std::collections::BTreeSet::new(),
        foretold: std::collections::BTreeSet::new(),
        unchanged: situation.untouched,
        managed: situation.register.managed,
    }
}

/// Somebody's account as read now, if it was read.
fn live<'a>(correlation: &Correlation, matcher: &Matcher<'a>) -> Option<&'a Account> {
    match correlation {
        Correlation::Linked(id) | Correlation::Matched { account: id, .. } => matcher.account(id),
        Correlation::New | Correlation::Undecided(_) => None,
    }
}

/// A name for people to read: the directory's, else the one we remember.
fn label(person: &Person) -> &str {
    match (&person.presence, &person.shadow) {
        (Presence::Present(identity), _) => identity.label(),
        (_, Some(shadow)) => &shadow.label,
        (_, None) => person.anchor.as_str(),
    }
}

/// A person whose unique value cannot be settled keeps what they have; nothing is created or renamed.
fn give_up(case: &Case<'_>, why: &HeldWhy, decision: &mut Decision) {
    decision.changes.retain(|change| match change.action {
        Action::Suspend(_) | Action::Delete => true,
        Action::Link
        | Action::Update
        | Action::Create
        | Action::Entitle
        | Action::Reactivate(_) => false,
    });
    case.hold(decision, why.clone());
}

/// The place of a change in the order of application: by action, leavers first among suspensions. Within one place the order
/// is that of the anchors.
fn place(change: &Change) -> usize {
    let rank = match change.action {
        Action::Suspend(_) => 0,
        Action::Delete => 1,
        Action::Link => 2,
        Action::Update => 3,
        Action::Create => 4,
        Action::Entitle => 5,
        Action::Reactivate(_) => 6,
    };
    let leaver = change.suspended_after.contains(&SuspendReason::Leaver);
    2 * rank + usize::from(!leaver)
}
