//! Reports for programs: versioned JSON, described in `docs/json.md`.
//!
//! These types are separate from the model's on purpose: the model may change freely, version 1 may only grow.
//! Strings are kebab-case names, times are RFC 3339, values keep their types. Strings from outside are not altered;
//! JSON escapes what must be escaped.

mod orders;
mod parts;
mod schema;
mod secrets;
mod windows;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Change, Freeze, Outcome, Plan};

use super::Review;
use super::text::ChangeResult;
pub use orders::{FreezeStatusV1, Orders};
use orders::{FreezeV1, WaitingV1};
use parts::{Basis, ChangeV1, Guard, HeldV1, LetterV1, NoticeV1, OrphanV1, ResultV1};
pub use schema::schema;
pub use secrets::Secrets;
pub use windows::windows;

/// The version of everything in this module.
pub const VERSION: u32 = 1;

/// What every document begins with.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Document<T> {
    version: u32,
    kind: &'static str,
    outcome: &'static str,
    targets: Vec<T>,
}

/// A document about several targets: `kind` is `plan` or `run`.
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
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Target<'a> {
    /// It was planned.
    Planned(Box<TargetPlan<'a>>),
    /// It could not be planned.
    Failed(TargetFailure<'a>),
}

/// A target for which no plan could be made.
#[derive(Debug, Serialize, JsonSchema)]
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
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct TargetPlan<'a> {
    target: &'a str,
    outcome: &'static str,
    digest: String,
    basis: Basis<'a>,
    changes: Vec<ChangeV1<'a>>,
    held: Vec<HeldV1<'a>>,
    notices: Vec<NoticeV1<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    letters: Vec<LetterV1<'a>>,
    orphans: Vec<OrphanV1<'a>>,
    unchanged: usize,
    managed: usize,
    guard: Guard<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<ResultV1<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen: Option<FreezeV1<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    remarks: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<WaitingV1<'a>>,
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
            changes: plan
                .changes
                .iter()
                .map(|change| ChangeV1::new(change))
                .collect(),
            held: plan.held.iter().map(HeldV1::new).collect(),
            notices: plan.notices.iter().map(NoticeV1::new).collect(),
            letters: plan.letters.iter().map(LetterV1::new).collect(),
            orphans: plan.orphans.iter().map(OrphanV1::new).collect(),
            unchanged: plan.unchanged,
            managed: plan.managed,
            guard: Guard::new(review),
            results: None,
            frozen: None,
            remarks: &[],
            waiting: Vec::new(),
            error: None,
        }
    }

    /// Adds what became of the changes.
    #[must_use]
    pub fn with_results(mut self, results: &'a [ChangeResult]) -> Self {
        self.results = Some(results.iter().map(ResultV1::new).collect());
        self
    }

    /// Adds remarks on the run itself.
    #[must_use]
    pub fn with_remarks(mut self, remarks: &'a [String]) -> Self {
        self.remarks = remarks;
        self
    }

    /// Adds the freeze, and who keeps access because of it.
    #[must_use]
    pub fn with_freeze(mut self, freeze: Option<&'a Freeze>, waiting: &[&'a Change]) -> Self {
        self.frozen = freeze.map(FreezeV1::new);
        self.waiting = waiting
            .iter()
            .map(|change| WaitingV1::new(change))
            .collect();
        self
    }

    /// Adds why applying stopped.
    #[must_use]
    pub fn with_error(mut self, error: Option<&'a str>) -> Self {
        self.error = error;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Anchor, How, Reason, SuspendReason};

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
            changes: vec![change.into()],
            held: Vec::new(),
            notices: Vec::new(),
            letters: Vec::new(),
            orphans: Vec::new(),
            pending: std::collections::BTreeSet::new(),
            foretold: std::collections::BTreeSet::new(),
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
