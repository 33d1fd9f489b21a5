//! Reports for programs: versioned JSON, described in `docs/json.md`.
//!
//! These types are separate from the model's on purpose: the model may change freely, version 1 may only grow.
//! Strings are kebab-case names, times are RFC 3339, values keep their types. Strings from outside are not altered;
//! JSON escapes what must be escaped.

use serde::Serialize;

use crate::model::{
    Action, AttributeChange, Change, Held, HeldWhy, Outcome, Plan, Suspensions, Value,
};

use super::Review;
use super::text::{ChangeResult, TargetStatus};

/// The version of everything in this module.
pub const VERSION: u32 = 1;

/// What every document begins with.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Document<T> {
    version: u32,
    kind: &'static str,
    outcome: &'static str,
    targets: Vec<T>,
}

/// A document about several targets: `kind` is `plan`, `run` or `status`.
#[must_use]
pub fn document<T: Serialize>(kind: &'static str, outcome: Outcome, targets: Vec<T>) -> String {
    let document = Document {
        version: VERSION,
        kind,
        outcome: outcome.as_str(),
        targets,
    };
    // Plain owned data with string keys always serialises.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// One target in a plan or run.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Target<'a> {
    /// It was planned.
    Planned(Box<TargetPlan<'a>>),
    /// It could not be planned.
    Failed(TargetFailure<'a>),
}

/// A target for which no plan could be made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TargetFailure<'a> {
    target: &'a str,
    outcome: &'static str,
    error: &'a str,
}

impl<'a> TargetFailure<'a> {
    /// What went wrong with which target.
    #[must_use]
    pub fn new(target: &'a str, outcome: Outcome, error: &'a str) -> Self {
        Self {
            target,
            outcome: outcome.as_str(),
            error,
        }
    }
}

/// One target's plan, and after a run what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TargetPlan<'a> {
    target: &'a str,
    outcome: &'static str,
    digest: String,
    basis: Basis<'a>,
    changes: Vec<ChangeV1<'a>>,
    held: Vec<HeldV1<'a>>,
    notices: Vec<NoticeV1<'a>>,
    orphans: Vec<OrphanV1<'a>>,
    unchanged: usize,
    managed: usize,
    guard: Guard<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<ResultV1<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> TargetPlan<'a> {
    /// A plan that was not applied.
    #[must_use]
    pub fn new(plan: &'a Plan, review: &'a Review, outcome: Outcome) -> Self {
        Self {
            target: &plan.target,
            outcome: outcome.as_str(),
            digest: plan.digest().0,
            basis: Basis::new(&plan.basis),
            changes: plan.changes.iter().map(ChangeV1::new).collect(),
            held: plan.held.iter().map(HeldV1::new).collect(),
            notices: plan.notices.iter().map(NoticeV1::new).collect(),
            orphans: plan.orphans.iter().map(OrphanV1::new).collect(),
            unchanged: plan.unchanged,
            managed: plan.managed,
            guard: Guard::new(review),
            results: None,
            error: None,
        }
    }

    /// Adds what became of the changes.
    #[must_use]
    pub fn with_results(mut self, results: &'a [ChangeResult]) -> Self {
        self.results = Some(results.iter().map(ResultV1::new).collect());
        self
    }

    /// Adds why applying stopped.
    #[must_use]
    pub fn with_error(mut self, error: Option<&'a str>) -> Self {
        self.error = error;
        self
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Basis<'a> {
    now: String,
    read_at: String,
    people: u64,
    complete: bool,
    shortfalls: &'a [String],
    config: &'a str,
    live: bool,
}

impl<'a> Basis<'a> {
    fn new(basis: &'a crate::model::Basis) -> Self {
        Self {
            now: basis.now.to_string(),
            read_at: basis.read_at.to_string(),
            people: basis.people,
            complete: basis.shortfalls.is_empty(),
            shortfalls: &basis.shortfalls,
            config: &basis.config,
            live: basis.live,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ChangeV1<'a> {
    anchor: &'a str,
    label: &'a str,
    account: Option<&'a str>,
    action: &'static str,
    how: Vec<&'static str>,
    reason: &'static str,
    rename: bool,
    attributes: Vec<AttributeV1<'a>>,
    grant: Vec<&'a str>,
    revoke: Vec<&'a str>,
    suspended_before: Vec<&'static str>,
    suspended_after: Vec<&'static str>,
}

impl<'a> ChangeV1<'a> {
    fn new(change: &'a Change) -> Self {
        Self {
            anchor: change.anchor.as_str(),
            label: &change.label,
            account: change.account.as_ref().map(|id| id.0.as_str()),
            action: change.action.as_str(),
            how: how(&change.action),
            reason: change.reason.as_str(),
            rename: change.is_rename(),
            attributes: change.attributes.iter().map(AttributeV1::new).collect(),
            grant: change.grant.iter().map(String::as_str).collect(),
            revoke: change.revoke.iter().map(String::as_str).collect(),
            suspended_before: reasons(&change.suspended_before),
            suspended_after: reasons(&change.suspended_after),
        }
    }
}

fn how(action: &Action) -> Vec<&'static str> {
    match action {
        Action::Suspend(how) | Action::Reactivate(how) => how.iter().map(|h| h.as_str()).collect(),
        Action::Delete | Action::Link | Action::Update | Action::Create | Action::Entitle => {
            Vec::new()
        }
    }
}

fn reasons(set: &Suspensions) -> Vec<&'static str> {
    set.iter().map(|reason| reason.as_str()).collect()
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct AttributeV1<'a> {
    name: &'a str,
    before: Option<Plain<'a>>,
    after: Option<Plain<'a>>,
    identifier: bool,
}

impl<'a> AttributeV1<'a> {
    fn new(change: &'a AttributeChange) -> Self {
        Self {
            name: &change.name,
            before: change.before.as_ref().map(Plain::new),
            after: change.after.as_ref().map(Plain::new),
            identifier: change.identifier,
        }
    }
}

/// A value with its own JSON type.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Plain<'a> {
    Bool(bool),
    Int(i64),
    Text(&'a str),
    Set(Vec<&'a str>),
}

impl<'a> Plain<'a> {
    fn new(value: &'a Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Text(value) => Self::Text(value),
            Value::Set(values) => Self::Set(values.iter().map(String::as_str).collect()),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct HeldV1<'a> {
    anchor: &'a str,
    label: &'a str,
    account: Option<&'a str>,
    why: &'static str,
    text: String,
}

impl<'a> HeldV1<'a> {
    fn new(held: &'a Held) -> Self {
        Self {
            anchor: held.anchor.as_str(),
            label: &held.label,
            account: held.account.as_ref().map(|id| id.0.as_str()),
            why: held_why(&held.why),
            text: held.why.to_string(),
        }
    }
}

fn held_why(why: &HeldWhy) -> &'static str {
    match why {
        HeldWhy::Mapping { .. } => "mapping",
        HeldWhy::Ambiguous { .. } => "ambiguous",
        HeldWhy::Contested { .. } => "contested",
        HeldWhy::NotAdoptable { .. } => "not-adoptable",
        HeldWhy::NameTaken { .. } => "name-taken",
        HeldWhy::Unreadable(_) => "unreadable",
        HeldWhy::MissingOnce => "missing-once",
        HeldWhy::MissingUnproven => "missing-unproven",
        HeldWhy::ScopeUnproven => "scope-unproven",
        HeldWhy::Protected(_) => "protected",
        HeldWhy::Policy { .. } => "policy",
        HeldWhy::AccountGone => "account-gone",
        HeldWhy::Unconfirmed(_) => "unconfirmed",
        HeldWhy::Stale => "stale",
        HeldWhy::Incapable(_) => "incapable",
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct NoticeV1<'a> {
    anchor: &'a str,
    label: &'a str,
    text: &'a str,
}

impl<'a> NoticeV1<'a> {
    fn new(notice: &'a crate::model::Notice) -> Self {
        Self {
            anchor: notice.anchor.as_str(),
            label: &notice.label,
            text: &notice.what,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct OrphanV1<'a> {
    account: &'a str,
    label: &'a str,
    active: Option<bool>,
}

impl<'a> OrphanV1<'a> {
    fn new(orphan: &'a crate::model::Orphan) -> Self {
        Self {
            account: &orphan.account.0,
            label: &orphan.label,
            active: orphan.active,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Guard<'a> {
    approved: usize,
    staged: usize,
    release: Option<&'a str>,
    breaches: Vec<BreachV1<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct BreachV1<'a> {
    kind: &'a str,
    count: usize,
    allowed: usize,
    text: &'a str,
}

impl<'a> Guard<'a> {
    fn new(review: &'a Review) -> Self {
        let breaches = review.breaches.iter().map(|breach| BreachV1 {
            kind: &breach.kind,
            count: breach.count,
            allowed: breach.allowed,
            text: &breach.text,
        });
        Self {
            approved: review.approved,
            staged: review.staged,
            release: review.release.as_ref().map(|digest| digest.0.as_str()),
            breaches: breaches.collect(),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ResultV1<'a> {
    anchor: &'a str,
    action: &'static str,
    state: &'static str,
    detail: Option<&'a str>,
}

impl<'a> ResultV1<'a> {
    fn new(result: &'a ChangeResult) -> Self {
        Self {
            anchor: result.change.anchor.as_str(),
            action: result.change.action.as_str(),
            state: result.state.as_str(),
            detail: result.detail.as_deref(),
        }
    }
}

/// Where one target stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StatusV1<'a> {
    target: &'a str,
    last_run: Option<String>,
    last_outcome: Option<&'static str>,
    managed: usize,
    suspended: usize,
    unconfirmed: usize,
    waiting_digest: Option<&'a str>,
    waiting_changes: usize,
}

impl<'a> StatusV1<'a> {
    /// From what `status` knows.
    #[must_use]
    pub fn new(status: &'a TargetStatus) -> Self {
        let waiting = status.waiting.as_ref();
        Self {
            target: &status.target,
            last_run: status.last.map(|(at, _)| at.to_string()),
            last_outcome: status.last.map(|(_, outcome)| outcome.as_str()),
            managed: status.managed,
            suspended: status.suspended,
            unconfirmed: status.unconfirmed,
            waiting_digest: waiting.map(|(digest, _)| digest.as_str()),
            waiting_changes: waiting.map_or(0, |(_, count)| *count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Anchor, How, Reason, SuspendReason};

    #[test]
    fn a_plan_has_version_one_and_kebab_case_names() {
        let how = [How::BlockLogin].into();
        let reason = Reason::Suspended(SuspendReason::SourceDisabled);
        let anchor = Anchor::new("1").unwrap();
        let change = Change::new(anchor, "A\u{1b}".to_owned(), Action::Suspend(how), reason);
        let plan = Plan {
            target: "crm".to_owned(),
            basis: crate::model::Basis {
                now: "2026-01-05T08:00:00Z".parse().unwrap(),
                read_at: "2026-01-05T07:00:00Z".parse().unwrap(),
                people: 1,
                shortfalls: Vec::new(),
                config: String::new(),
                live: false,
            },
            changes: vec![change],
            held: Vec::new(),
            notices: Vec::new(),
            orphans: Vec::new(),
            pending: std::collections::BTreeSet::new(),
            unchanged: 0,
            managed: 1,
        };
        let review = Review::passed(&plan);
        let target = TargetPlan::new(&plan, &review, Outcome::ChangesPlanned);
        let text = document("plan", Outcome::ChangesPlanned, vec![target]);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["version"], 1);
        assert_eq!(json["outcome"], "changes-planned");
        let target = &json["targets"][0];
        assert_eq!(target["basis"]["read-at"], "2026-01-05T07:00:00Z");
        assert_eq!(target["digest"], plan.digest().0);
        let change = &target["changes"][0];
        assert_eq!(change["how"][0], "block-login");
        assert_eq!(change["reason"], "source-disabled");
        assert_eq!(change["label"], "A\u{1b}");
        assert!(
            !text.contains('\u{1b}'),
            "JSON must escape control characters"
        );
    }
}
