//! What a run did, target by target: what reports, exit codes and status are made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::EngineError;
use crate::model::{Action, Anchor, Change, Freeze, Outcome, Plan};
use crate::reconcile::guard::{Use, Verdict};
use crate::source::SourceError;
use crate::target::ConnectorError;

/// How one change ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangeStatus {
    /// Made and confirmed.
    Done,
    /// Made, but the application holds something else than was sent, or nothing comes of it, as said.
    DoneWith(String),
    /// Some of it was made, then something failed, as said; the next run goes on there.
    Partly(String),
    /// Not made, for this reason; tried again at the next run.
    Failed(String),
    /// Begun, and nobody knows whether it took effect; the next run reads before it decides.
    Unconfirmed(String),
    /// Only a person can make it, and was asked to: it counts when it is confirmed.
    Handed(String),
    /// No licence or seat is free for it, as said; tried again at the next run, and in this one if one came free.
    Waiting(String),
    /// Not begun: an earlier change to the same account was not made, or the target stopped answering.
    Skipped(String),
}

/// One change and how it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeResult {
    /// The change.
    pub change: Arc<Change>,
    /// How it ended.
    pub status: ChangeStatus,
}

impl ChangeResult {
    /// Whether it was made and confirmed.
    #[must_use]
    pub fn is_made(&self) -> bool {
        match self.status {
            ChangeStatus::Done | ChangeStatus::DoneWith(_) => true,
            ChangeStatus::Partly(_)
            | ChangeStatus::Failed(_)
            | ChangeStatus::Unconfirmed(_)
            | ChangeStatus::Handed(_)
            | ChangeStatus::Waiting(_)
            | ChangeStatus::Skipped(_) => false,
        }
    }

    /// Whether nothing is left for us to do: it was made, or a person must bring it further.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_made() || self.waits_for_people()
    }

    /// Whether only a person can bring it further: who was asked to make it, or who orders licences.
    #[must_use]
    pub fn waits_for_people(&self) -> bool {
        matches!(
            self.status,
            ChangeStatus::Handed(_) | ChangeStatus::Waiting(_)
        )
    }
}

/// The run of one target.
#[derive(Clone, PartialEq, Debug)]
pub struct TargetReport {
    /// The target's name.
    pub target: String,
    /// The plan; absent if none could be made.
    pub plan: Option<Plan>,
    /// The guard's verdict on it.
    pub verdict: Option<Verdict>,
    /// How much of each limit the plan uses; empty without a plan.
    pub uses: Vec<Use>,
    /// How each applied change ended, in the order of application. Empty in a dry run.
    pub results: Vec<ChangeResult>,
    /// The order that froze this target: nothing was written, or no more from then on.
    pub frozen: Option<Freeze>,
    /// How long taking one account's access away took, on average, in thousandths of a second; `None` if too few were
    /// to tell.
    pub pace: Option<(u64, u64)>,
    /// Why no plan could be made, or why applying stopped.
    pub error: Option<String>,
    /// Remarks on the run itself (recovered operations, a rebuilt store).
    pub remarks: Vec<String>,
    /// The outcome.
    pub outcome: Outcome,
    /// Whether and when another try is worth while.
    pub retry: Retry,
}

/// Whether another try before the next scheduled run is worth while.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Retry {
    /// Nothing is left to do, or only what a person must look at.
    #[default]
    No,
    /// Something failed that may work in a moment.
    Soon,
    /// The application named the pause that it wants.
    After(Duration),
    /// Credentials were refused: trying often may lock the account.
    Late,
    /// The run was asked to end early.
    Interrupted,
}

impl Retry {
    /// What an application's error asks for.
    #[must_use]
    pub(super) fn of(error: &ConnectorError) -> Self {
        match error {
            ConnectorError::Throttled {
                retry_after: Some(pause),
            } => Self::After(*pause),
            ConnectorError::Unauthorised(_) => Self::Late,
            ConnectorError::Handed(_) | ConnectorError::Idle(_) | ConnectorError::Exhausted(_) => {
                Self::No
            }
            ConnectorError::Throttled { retry_after: None }
            | ConnectorError::Transient(_)
            | ConnectorError::Conflict(_)
            | ConnectorError::NotFound(_)
            | ConnectorError::Rejected(_)
            | ConnectorError::Ambiguous(_)
            | ConnectorError::Protocol(_) => Self::Soon,
        }
    }
}

/// A whole run.
#[derive(Clone, PartialEq, Debug)]
pub struct RunReport {
    /// The run's number; 0 for a dry run.
    pub run: u64,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Each source that was read: a sentence for people.
    pub sources: BTreeMap<String, SourceReport>,
    /// Each target.
    pub targets: Vec<TargetReport>,
}

/// The read of one source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceReport {
    /// Which server or file answered.
    pub server: String,
    /// When the data was read.
    pub read_at: Timestamp,
    /// Entries returned.
    pub people: u64,
    /// What was missing; empty means complete.
    pub shortfalls: Vec<String>,
    /// Entries that could not be read, as "DN: why".
    pub problems: Vec<String>,
}

impl RunReport {
    /// The outcome of the whole run: that of the target that needs most attention.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let incomplete = self
            .sources
            .values()
            .any(|source| !source.shortfalls.is_empty())
            .then_some(Outcome::SourceIncomplete);
        self.targets
            .iter()
            .map(|target| target.outcome)
            .chain(incomplete)
            .max()
            .unwrap_or(Outcome::NothingToDo)
    }
}

impl TargetReport {
    /// The report of a target for which no plan could be made.
    #[must_use]
    pub fn failed(target: &str, error: &EngineError) -> Self {
        Self {
            target: target.to_owned(),
            plan: None,
            verdict: None,
            uses: Vec::new(),
            results: Vec::new(),
            frozen: None,
            pace: None,
            error: Some(error.to_string()),
            remarks: Vec::new(),
            outcome: error.outcome(),
            retry: match error {
                EngineError::Target { error, .. } => Retry::of(error),
                EngineError::Interrupted => Retry::Interrupted,
                EngineError::Source(SourceError::Refused { .. }) => Retry::Late,
                EngineError::Unknown { .. } | EngineError::Digest(_) | EngineError::Refused(_) => {
                    Retry::No
                }
                EngineError::Store(_)
                | EngineError::Source(_)
                | EngineError::NeverRead(_)
                | EngineError::Randomness(_)
                | EngineError::Panicked(_) => Retry::Soon,
            },
        }
    }

    /// The report of a target whose source could not be read.
    #[must_use]
    pub fn unread(target: &str, why: String) -> Self {
        Self {
            outcome: Outcome::SourceIncomplete,
            retry: Retry::Soon,
            ..Self::failed(target, &EngineError::Digest(why))
        }
    }

    /// Something else went wrong after the run.
    pub(super) fn add_error(&mut self, error: &EngineError, dry: bool) {
        self.error.get_or_insert_with(|| error.to_string());
        self.outcome = self.outcome.max(self.judge(dry));
    }

    /// Changes that were allowed and not made.
    pub fn unmade(&self) -> impl Iterator<Item = &ChangeResult> {
        self.results.iter().filter(|result| !result.is_made())
    }

    /// Changes that were allowed and not made although nobody but the program and the application could have made them.
    pub(super) fn is_stuck(&self) -> bool {
        let waiting: BTreeSet<&Anchor> = self
            .results
            .iter()
            .filter(|result| result.waits_for_people())
            .map(|result| &result.change.anchor)
            .collect();
        self.unmade().any(|result| match result.status {
            ChangeStatus::Skipped(_) => !waiting.contains(&result.change.anchor),
            ChangeStatus::Done
            | ChangeStatus::DoneWith(_)
            | ChangeStatus::Partly(_)
            | ChangeStatus::Failed(_)
            | ChangeStatus::Unconfirmed(_)
            | ChangeStatus::Handed(_)
            | ChangeStatus::Waiting(_) => !result.waits_for_people(),
        })
    }

    /// What takes access away, is allowed, and waits behind a freeze.
    #[must_use]
    pub fn waiting(&self) -> Vec<&Change> {
        let Some(verdict) = self.verdict.as_ref().filter(|_| self.frozen.is_some()) else {
            return Vec::new();
        };
        let takes = |change: &Change| matches!(change.action, Action::Suspend(_) | Action::Delete);
        let made = self.results.iter().filter(|result| result.is_made());
        let done: BTreeSet<&Anchor> = made
            .filter(|result| takes(&result.change))
            .map(|result| &result.change.anchor)
            .collect();
        let approved = verdict.approved.changes().iter().map(AsRef::as_ref);
        approved
            .filter(|change| takes(change) && !done.contains(&change.anchor))
            .collect()
    }

    /// The outcome that follows from plan, verdict and results.
    #[must_use]
    pub(super) fn judge(&self, dry: bool) -> Outcome {
        if !dry && self.frozen.is_some() && self.plan.is_some() {
            return Outcome::Frozen;
        }
        if self.error.is_some() {
            return Outcome::Failed;
        }
        let Some(plan) = &self.plan else {
            return Outcome::Failed;
        };
        if self
            .verdict
            .as_ref()
            .is_some_and(|verdict| !verdict.staged.is_empty())
        {
            return Outcome::Quarantined;
        }
        if self.is_stuck() {
            return Outcome::PartlyFailed;
        }
        if self.unmade().next().is_some() {
            // A person must do the rest.
            return Outcome::Held;
        }
        if dry && !plan.changes.is_empty() {
            return Outcome::ChangesPlanned;
        }
        if !plan.held.is_empty() {
            return Outcome::Held;
        }
        if self.results.is_empty() {
            Outcome::NothingToDo
        } else {
            Outcome::Applied
        }
    }
}
