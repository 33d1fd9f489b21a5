//! The guard, over plans of every shape.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use provost::model::{
    AccountId, Action, AttributeChange, Basis, Change, Digest, How, Plan, Reason, SuspendReason,
    Suspensions, Value,
};
use provost::reconcile::guard::{
    Approval, GuardContext, Kind, RELEASE_VALID, Verdict, kind, review,
};
use provost::reconcile::{DriftPolicy, Limit, SyncPolicy, TargetRules};

use super::world::anchor;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// One change in a few numbers: whose, what, and whether it renames or revokes.
type Seed = (u8, u8, bool);

fn change((who, what, harsh): Seed) -> Change {
    let how = vec![How::Deactivate];
    let action = match what {
        0 => Action::Suspend(how),
        1 => Action::Delete,
        2 => Action::Link,
        3 => Action::Update,
        4 => Action::Create,
        5 => Action::Entitle,
        _ => Action::Reactivate(how),
    };
    let mut change = Change::new(anchor(who), format!("Person {who}"), action, Reason::Mover);
    change.account = (what != 4).then(|| AccountId(format!("u-{who}")));
    match what {
        0 => {
            change.reason = Reason::Suspended(SuspendReason::Leaver);
            change.suspended_after = Suspensions::from([SuspendReason::Leaver]);
        }
        3 => {
            change.attributes.push(AttributeChange {
                name: "login".to_owned(),
                before: None,
                after: Some(Value::Text(format!("p{who}"))),
                identifier: harsh,
            });
        }
        5 if harsh => drop(change.revoke.insert("crm".to_owned())),
        5 => drop(change.grant.insert("crm".to_owned())),
        _ => {}
    }
    change
}

fn plan() -> impl Strategy<Value = Plan> {
    let seeds = prop::collection::btree_set((0..12_u8, 0..7_u8, any::<bool>()), 0..40);
    (seeds, 0..60_usize).prop_map(|(seeds, managed)| {
        let mut changes: Vec<Arc<Change>> = seeds.into_iter().map(change).map(Arc::new).collect();
        changes.sort_by(|a, b| (&a.action, &a.anchor).cmp(&(&b.action, &b.anchor)));
        Plan {
            target: "tiny".to_owned(),
            basis: Basis {
                now: now(),
                read_at: now(),
                people: 0,
                shortfalls: Vec::new(),
                config: String::new(),
                live: false,
            },
            changes,
            held: Vec::new(),
            notices: Vec::new(),
            letters: Vec::new(),
            orphans: Vec::new(),
            pending: BTreeSet::new(),
            foretold: BTreeSet::new(),
            unchanged: 0,
            managed,
        }
    })
}

fn any_rules() -> impl Strategy<Value = TargetRules> {
    let limit = || {
        (0..5_u32, 0..20_u8).prop_map(|(count, percent)| Limit {
            count,
            percent: f32::from(percent),
        })
    };
    let some = prop::array::uniform8(limit());
    (some, prop::bool::weighted(0.2)).prop_map(|(limits, review_first_run)| {
        let base = super::rules(SyncPolicy::Sync, DriftPolicy::Repair, true).rules;
        let [
            suspend,
            day,
            delete,
            rename,
            revoke,
            create,
            update,
            reactivate,
        ] = limits;
        TargetRules {
            review_first_run,
            limits: provost::reconcile::Limits {
                suspend,
                suspend_per_day: day,
                delete,
                rename,
                revoke,
                create,
                update,
                reactivate,
            },
            ..base
        }
    })
}

fn context(recent: usize, reviewed_before: bool, approval: Approval) -> GuardContext {
    GuardContext {
        now: now(),
        reviewed_before,
        recent_destructive: recent,
        created: BTreeSet::new(),
        approval,
    }
}

fn counts(changes: &[Arc<Change>]) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for kind in changes.iter().filter_map(|change| kind(change)) {
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

fn allowed(rules: &TargetRules, kind: Kind, managed: usize) -> usize {
    let limits = &rules.limits;
    let limit = match kind {
        Kind::Suspend => limits.suspend,
        Kind::Delete => limits.delete,
        Kind::Rename => limits.rename,
        Kind::Revoke => limits.revoke,
        Kind::Create => limits.create,
        Kind::Update => limits.update,
        Kind::Reactivate => limits.reactivate,
    };
    limit.allowed(managed)
}

/// What was set aside is everything that was not approved, in the plan's order, and nobody is half done.
fn divided(plan: &Plan, verdict: &Verdict) {
    let approved = verdict.approved.changes();
    assert_eq!(approved.len() + verdict.staged.len(), plan.changes.len());
    let (mut some, mut others) = (approved.iter().peekable(), verdict.staged.iter().peekable());
    let mut waiting = BTreeSet::new();
    for change in &plan.changes {
        if some.next_if_eq(&change).is_some() {
            assert!(!waiting.contains(&change.anchor), "overtaken: {change:?}");
        } else {
            assert_eq!(others.next(), Some(change));
            waiting.insert(change.anchor.clone());
        }
    }
    assert_eq!(verdict.release.is_some(), !verdict.staged.is_empty());
    assert_eq!(verdict.breaches.is_empty(), verdict.staged.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_more_than_the_limits_without_approval(
        plan in plan(),
        rules in any_rules(),
        recent in 0..8_usize,
        reviewed in any::<bool>(),
    ) {
        let verdict = review(&plan, &rules, &context(recent, reviewed, Approval::None));
        divided(&plan, &verdict);
        prop_assert!(!verdict.approval_used);
        let counts = counts(verdict.approved.changes());
        for (kind, count) in &counts {
            let allowed = allowed(&rules, *kind, plan.managed);
            let first = rules.review_first_run && !reviewed;
            prop_assert!(!first, "the first run waits");
            prop_assert!(*count <= allowed, "{count} × {kind} where {allowed} are allowed");
        }
        let destructive: usize =
            counts.iter().filter(|(kind, _)| kind.is_destructive()).map(|(_, n)| n).sum();
        let day = rules.limits.suspend_per_day.allowed(plan.managed);
        prop_assert!(destructive == 0 || destructive + recent <= day);
    }

    #[test]
    fn an_approval_is_for_one_plan_and_no_other(
        plan in plan(),
        other in plan(),
        rules in any_rules(),
        whole in any::<bool>(),
    ) {
        let without = review(&plan, &rules, &context(0, true, Approval::None));
        let foreign = review(&other, &rules, &context(0, true, Approval::None));
        let approve = |digest: Digest| if whole {
            Approval::Plan(digest)
        } else {
            Approval::Staged { named: digest.0, at: now() }
        };
        let theirs = if whole { other.digest() } else { foreign.release.unwrap_or(other.digest()) };
        let ours = if whole { plan.digest() } else { without.release.clone().unwrap_or(plan.digest()) };
        if theirs != ours {
            let verdict = review(&plan, &rules, &context(0, true, approve(theirs)));
            prop_assert_eq!(&verdict, &without);
        }
        let verdict = review(&plan, &rules, &context(0, true, approve(ours.clone())));
        prop_assert_eq!(verdict.approved.changes(), &plan.changes[..]);
        prop_assert_eq!(verdict.approval_used, !without.staged.is_empty());
        prop_assert_eq!(verdict.release, None);
        if !whole && !without.staged.is_empty() {
            let late = now().checked_sub(RELEASE_VALID + SignedDuration::from_secs(1)).unwrap();
            let stale = Approval::Staged { named: ours.0, at: late };
            prop_assert_eq!(&review(&plan, &rules, &context(0, true, stale)), &without);
        }
    }
}
