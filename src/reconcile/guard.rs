//! The guard: judges a whole plan before the first write, identically in a dry run.
//!
//! Only this module can make an [`ApprovedPlan`], and only an `ApprovedPlan` can be applied.
//! A breached limit sets aside every change of that kind, and whatever depends on one; the rest goes on.
//! What is set aside can be released by its digest, which covers those changes and no others.

mod breach;
mod kind;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

pub use breach::Breach;
use kind::kinds;
pub use kind::{Kind, kind};

use super::{Limit, Limits, TargetRules};
use crate::model::{Action, Anchor, Change, Digest, Plan, Reason, SuspendReason};

/// How long a release stays valid.
pub const RELEASE_VALID: SignedDuration = SignedDuration::from_mins(60);

/// What a person has approved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Approval {
    /// Nothing.
    None,
    /// What was set aside under this digest, at this time.
    Staged {
        /// The digest of the changes set aside, or its first 12 characters or more.
        named: String,
        /// When it was released.
        at: Timestamp,
    },
    /// The whole plan under this digest, just now.
    Plan(Digest),
}

/// What the guard needs to know besides the plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GuardContext {
    /// The time.
    pub now: Timestamp,
    /// A plan for this target was approved before.
    pub reviewed_before: bool,
    /// Destructive changes confirmed in the last 24 hours.
    pub recent_destructive: usize,
    /// Accounts made earlier in this run: completing them (a manager's id) is part of what was approved.
    pub created: BTreeSet<Anchor>,
    /// What a person has approved.
    pub approval: Approval,
}

/// Changes that may be applied. Only [`review`] makes one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovedPlan {
    target: String,
    changes: Vec<Arc<Change>>,
}

impl ApprovedPlan {
    /// The target's name.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The changes, in the order of application.
    #[must_use]
    pub fn changes(&self) -> &[Arc<Change>] {
        &self.changes
    }
}

/// The guard's verdict on a plan.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// What may be applied.
    pub approved: ApprovedPlan,
    /// What is set aside, in the order of application.
    pub staged: Vec<Arc<Change>>,
    /// Why.
    pub breaches: Vec<Breach>,
    /// The digest that releases what is set aside; `None` if nothing is.
    pub release: Option<Digest>,
    /// Whether an approval was used up by this verdict.
    pub approval_used: bool,
}

impl Limits {
    /// The limit on one kind of change in one run.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Limit {
        match kind {
            Kind::Suspend => self.suspend,
            Kind::Delete => self.delete,
            Kind::Rename => self.rename,
            Kind::Revoke => self.revoke,
            Kind::Create => self.create,
            Kind::Update => self.update,
            Kind::Reactivate => self.reactivate,
        }
    }
}

/// Judges a plan.
#[must_use]
pub fn review(plan: &Plan, rules: &TargetRules, context: &GuardContext) -> Verdict {
    let breaches = breaches(plan, rules, context);
    if breaches.is_empty() {
        return Verdict {
            approved: ApprovedPlan {
                target: plan.target.clone(),
                changes: plan.changes.clone(),
            },
            staged: Vec::new(),
            breaches,
            release: None,
            approval_used: false,
        };
    }
    let (approved, staged) = divide(plan, &breaches, context);
    let digest = Digest::of(&plan.target, &staged);
    let is_approved = match &context.approval {
        Approval::None => false,
        Approval::Staged { named, at } => {
            digest.is_named_by(named) && context.now.duration_since(*at) <= RELEASE_VALID
        }
        Approval::Plan(whole) => *whole == plan.digest(),
    };
    if staged.is_empty() || is_approved {
        return Verdict {
            approved: ApprovedPlan {
                target: plan.target.clone(),
                changes: plan.changes.clone(),
            },
            staged: Vec::new(),
            approval_used: is_approved && !staged.is_empty(),
            breaches: if is_approved { Vec::new() } else { breaches },
            release: None,
        };
    }
    Verdict {
        approved: ApprovedPlan {
            target: plan.target.clone(),
            changes: approved,
        },
        staged,
        breaches,
        release: Some(digest),
        approval_used: false,
    }
}

/// How much of a limit a plan uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Use {
    /// The kind of change; `None` for the destructive changes of all kinds in 24 hours.
    pub kind: Option<Kind>,
    /// How many there are; for 24 hours, those of earlier runs included.
    pub count: usize,
    /// How many are allowed.
    pub allowed: usize,
}

/// How much of each limit a plan uses, in the order of [`Kind::ALL`] with the day at the end.
#[must_use]
pub fn uses(plan: &Plan, rules: &TargetRules, context: &GuardContext) -> Vec<Use> {
    let (counts, destructive) = counts(plan, context);
    let count = |kind: Kind| counts.get(&kind).copied().unwrap_or(0);
    let mut uses: Vec<Use> = Kind::ALL
        .into_iter()
        .map(|kind| Use {
            kind: Some(kind),
            count: count(kind),
            allowed: rules.limits.of(kind).allowed(plan.managed),
        })
        .collect();
    uses.push(Use {
        kind: None,
        count: context.recent_destructive + destructive,
        allowed: rules.limits.suspend_per_day.allowed(plan.managed),
    });
    uses
}

/// How many changes count against the limit of each kind, and how many take something away.
fn counts(plan: &Plan, context: &GuardContext) -> (BTreeMap<Kind, usize>, usize) {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut destructive = 0;
    for change in plan
        .changes
        .iter()
        .filter(|change| !is_exempt(change, plan, context))
    {
        for kind in kinds(change) {
            *counts.entry(kind).or_default() += 1;
        }
        destructive += usize::from(kind(change).is_some_and(Kind::is_destructive));
    }
    (counts, destructive)
}

fn breaches(plan: &Plan, rules: &TargetRules, context: &GuardContext) -> Vec<Breach> {
    if rules.review_first_run && !context.reviewed_before {
        return if plan.changes.is_empty() {
            Vec::new()
        } else {
            vec![Breach::FirstRun]
        };
    }
    let (counts, destructive) = counts(plan, context);
    let limits = &rules.limits;
    let managed = plan.managed;
    let mut breaches: Vec<Breach> = counts
        .iter()
        .map(|(kind, count)| (*kind, *count, limits.of(*kind).allowed(managed)))
        .filter(|(_, count, allowed)| count > allowed)
        .map(|(kind, count, allowed)| Breach::Limit {
            kind,
            count,
            allowed,
            managed,
        })
        .collect();
    let count = destructive;
    let allowed = limits.suspend_per_day.allowed(managed);
    let recent = context.recent_destructive;
    if count > 0 && recent + count > allowed {
        breaches.push(Breach::Day {
            count,
            recent,
            allowed,
        });
    }
    breaches.extend(vanished(plan));
    breaches
}

/// Suspending again somebody whose suspension was already confirmed is not a new effect (a restored backup, a curious
/// administrator), and neither is going on with steps that were approved before and held up by one that failed.
///
/// A window that closes or opens as an earlier run foretold for just this person is no accident.
/// Nor is completing an account that this very run made. And what an operator ordered by name is approved by that order.
fn is_exempt(change: &Change, plan: &Plan, context: &GuardContext) -> bool {
    let again = matches!(change.action, Action::Suspend(_))
        && (change.reason == Reason::Drift || change.resumes)
        && !change.suspended_before.is_empty();
    let completes = change.action == Action::Update
        && !change.is_rename()
        && context.created.contains(&change.anchor);
    let ordered = matches!(
        change.reason,
        Reason::Suspended(SuspendReason::Operator) | Reason::Cleared(SuspendReason::Operator)
    );
    again || completes || is_foretold(change, plan) || ordered
}

/// Whether an earlier run foretold this for just this person.
#[must_use]
pub fn is_foretold(change: &Change, plan: &Plan) -> bool {
    matches!(change.action, Action::Suspend(_) | Action::Reactivate(_))
        && plan.foretold.contains(&change.anchor)
}

/// Attributes that would be cleared on suspiciously many accounts.
fn vanished(plan: &Plan) -> Vec<Breach> {
    let allowed = (plan.managed / 100).max(5);
    let mut cleared: BTreeMap<&str, usize> = BTreeMap::new();
    for change in plan.changes.iter().filter(|c| c.action == Action::Update) {
        for attribute in change.attributes.iter().filter(|a| a.after.is_none()) {
            *cleared.entry(&attribute.name).or_default() += 1;
        }
    }
    cleared
        .into_iter()
        .filter(|(_, count)| *count > allowed)
        .map(|(attribute, count)| Breach::Vanished {
            attribute: attribute.to_owned(),
            count,
            allowed,
        })
        .collect()
}

type Changes = Vec<Arc<Change>>;

/// Divides the changes into what goes on and what is set aside.
fn divide(plan: &Plan, breaches: &[Breach], context: &GuardContext) -> (Changes, Changes) {
    let first = breaches.contains(&Breach::FirstRun);
    let day = breaches.iter().any(|b| matches!(b, Breach::Day { .. }));
    let over: BTreeSet<Kind> = breaches
        .iter()
        .filter_map(|breach| match breach {
            Breach::Limit { kind, .. } => Some(*kind),
            Breach::FirstRun | Breach::Day { .. } | Breach::Vanished { .. } => None,
        })
        .collect();
    let attributes: BTreeSet<&str> = breaches
        .iter()
        .filter_map(|breach| match breach {
            Breach::Vanished { attribute, .. } => Some(attribute.as_str()),
            Breach::FirstRun | Breach::Day { .. } | Breach::Limit { .. } => None,
        })
        .collect();
    let is_staged = |change: &Change| {
        let counted = !is_exempt(change, plan, context);
        first
            || (counted
                && kinds(change).any(|kind| over.contains(&kind) || (day && kind.is_destructive())))
            || (change.action == Action::Update
                && change
                    .attributes
                    .iter()
                    .any(|a| a.after.is_none() && attributes.contains(a.name.as_str())))
    };
    // Changes to one account build on each other in plan order: what follows a staged one waits with it.
    let mut waiting: BTreeSet<&Anchor> = BTreeSet::new();
    let (mut approved, mut staged) = (Vec::new(), Vec::new());
    for change in &plan.changes {
        if is_staged(change) || waiting.contains(&change.anchor) {
            waiting.insert(&change.anchor);
            staged.push(Arc::clone(change));
        } else {
            approved.push(Arc::clone(change));
        }
    }
    (approved, staged)
}
