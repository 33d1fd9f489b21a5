//! The whole decision: every identity to a plan. The order of the input never changes the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rayon::iter::IntoParallelRefIterator as _;
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::correlate::{self, Correlation, Matcher};
use super::desired::{Desired, desire};
use super::diff::{Case, Decision, decide};
use super::situation::{Person, Presence, Situation};
use super::unique::{self, Claimant};
use crate::model::{Action, Anchor, Change, Held, HeldWhy, Plan, SuspendReason};

/// A plan, and when each identity must be looked at again although nothing about it changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reconciled {
    /// The plan.
    pub plan: Plan,
    /// For each identity that is (or will be, once its changes are made) as wanted: the next moment that changes the answer.
    pub settled: BTreeMap<Anchor, Option<Timestamp>>,
}

/// So many people at least are worth another thread.
const TOGETHER: usize = 64;
/// So many people's wishes and changes are held at the same time.
const AT_A_TIME: usize = 4096;

/// Decides what is to be done in one target. Pure: the same situation always gives the same plan.
#[must_use]
pub fn reconcile(situation: &Situation<'_>) -> Reconciled {
    let mut people: Vec<&Person> = situation.people.iter().collect();
    people.sort_by(|a, b| a.anchor.cmp(&b.anchor));
    let matcher = Matcher::new(situation);
    // Nobody's wishes depend on anybody else's.
    let wishes: Vec<(Anchor, Desired)> = people
        .par_iter()
        .with_min_len(TOGETHER)
        .filter_map(|person| Some((person.anchor.clone(), desire(person, situation)?)))
        .collect();
    let mut desired: BTreeMap<Anchor, Desired> = wishes.into_iter().collect();
    let mut correlations: BTreeMap<Anchor, Correlation> = people
        .iter()
        .map(|person| {
            let correlation = matcher.correlate(person, desired.get(&person.anchor), situation);
            (person.anchor.clone(), correlation)
        })
        .collect();
    correlate::forbid_sharing(&mut correlations);
    let names = settle_names(&people, &mut desired, &correlations, &matcher, situation);
    let mut plan = empty(situation);
    plan.orphans = correlate::orphans(situation, &correlations);
    let mut settled = BTreeMap::new();
    let decided = people.chunks(AT_A_TIME).flat_map(|people| {
        // Taken out, so that memory goes from wishes to changes instead of holding both for everybody.
        let cases: Vec<_> = people
            .iter()
            .map(|person| (*person, desired.remove(&person.anchor)))
            .collect();
        let decided: Vec<_> = cases
            .into_par_iter()
            .with_min_len(TOGETHER)
            .map(|(person, wanted)| {
                let wanted = wanted.as_ref();
                let decision = decide_one(person, wanted, &correlations, &matcher, situation);
                let pending = wanted.is_some_and(|w| w.pending && w.reasons.is_empty());
                (person, decision, pending)
            })
            .collect();
        decided
    });
    for (person, mut decision, pending) in decided {
        if let Some(why) = names.get(&person.anchor) {
            give_up(person, why, &mut decision);
        }
        if pending {
            plan.pending.insert(person.anchor.clone());
        } else if decision.held.is_empty() {
            settled.insert(person.anchor.clone(), decision.due);
        }
        if decision.foretold && !decision.changes.is_empty() {
            plan.foretold.insert(person.anchor.clone());
        }
        if decision.changes.is_empty() && decision.held.is_empty() {
            plan.unchanged += 1;
        }
        plan.changes
            .extend(decision.changes.into_iter().map(Arc::new));
        plan.held.extend(decision.held);
        plan.notices.extend(decision.notices);
    }
    plan.changes.sort_by(|a, b| order(a).cmp(&order(b)));
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

fn decide_one(
    person: &Person,
    desired: Option<&Desired>,
    correlations: &BTreeMap<Anchor, Correlation>,
    matcher: &Matcher<'_>,
    situation: &Situation<'_>,
) -> Decision {
    let correlation = correlations
        .get(&person.anchor)
        .unwrap_or(&Correlation::New);
    let live = match correlation {
        Correlation::Linked(id) | Correlation::Matched { account: id, .. } => matcher.account(id),
        Correlation::New | Correlation::Undecided(_) => None,
    };
    decide(&Case {
        person,
        desired,
        correlation,
        live,
        situation,
        label: label(person),
    })
}

/// A name for people to read: the directory's, else the one we remember.
fn label(person: &Person) -> String {
    match (&person.presence, &person.shadow) {
        (Presence::Present(identity), _) => identity.label().to_owned(),
        (_, Some(shadow)) => shadow.label.clone(),
        (_, None) => person.anchor.to_string(),
    }
}

/// Settles unique attributes among everybody who is to be active.
fn settle_names(
    people: &[&Person],
    desired: &mut BTreeMap<Anchor, Desired>,
    correlations: &BTreeMap<Anchor, Correlation>,
    matcher: &Matcher<'_>,
    situation: &Situation<'_>,
) -> BTreeMap<Anchor, HeldWhy> {
    let by_anchor: BTreeMap<&Anchor, &Person> = people.iter().map(|p| (&p.anchor, *p)).collect();
    let claimants = desired
        .iter_mut()
        .filter(|(_, desired)| desired.reasons.is_empty() && desired.hold.is_none())
        .filter_map(|(anchor, desired)| {
            let correlation = correlations.get(anchor)?;
            let shadow = by_anchor.get(anchor)?.shadow.as_ref();
            let live = match correlation {
                Correlation::Linked(id) | Correlation::Matched { account: id, .. } => {
                    matcher.account(id)
                }
                Correlation::New => None,
                Correlation::Undecided(_) => return None,
            };
            Some(Claimant {
                anchor,
                desired,
                correlation,
                current: unique::current(live, shadow),
            })
        })
        .collect();
    unique::settle(claimants, situation)
}

/// A person whose unique value cannot be settled keeps what they have; nothing is created or renamed.
fn give_up(person: &Person, why: &HeldWhy, decision: &mut Decision) {
    let label = label(person);
    let account = person.shadow.as_ref().and_then(|s| s.account.clone());
    decision.changes.retain(|change| match change.action {
        Action::Suspend(_) | Action::Delete => true,
        Action::Link
        | Action::Update
        | Action::Create
        | Action::Entitle
        | Action::Reactivate(_) => false,
    });
    decision.held.push(Held {
        anchor: person.anchor.clone(),
        label,
        account,
        why: why.clone(),
    });
}

/// The order of application: by action, leavers first among suspensions, then by anchor.
fn order(change: &Change) -> (u8, bool, &Anchor) {
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
    (rank, !leaver, &change.anchor)
}
