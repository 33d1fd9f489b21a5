//! What the loop knows of one target between its runs, and what the end of a run means for the next.

use jiff::{SignedDuration, Timestamp};

use super::memory::Began;
use super::schedule::{self, Times};
use super::work::{Cause, Job};
use crate::engine::{ChangeResult, Read, Retry, TargetReport, View};
use crate::model::{Action, Outcome};
use crate::report::safe;

/// What the loop knows of one target.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub times: Times,
    pub began: Began,
    /// Tries in vain since the last good run.
    pub tries: u32,
    /// The edge that is being acted on.
    pub due: Option<Timestamp>,
    /// How another try is made.
    pub again: (Read, View),
    /// How the last run ended, in words.
    pub last: Option<(Timestamp, Outcome, Option<String>)>,
}

impl Known {
    /// The state did not let anything begin: what was due stays due.
    pub(super) fn not_begun(&mut self, cause: Cause) {
        match cause {
            Cause::Edge => {
                self.times.at_edge = false;
                self.times.edge = self.due;
            }
            // It is found again when what is due is next read from the state.
            Cause::Letter => self.times.at_work = false,
            Cause::Schedule | Cause::Retry | Cause::Operator => {
                self.times.at_work = false;
                self.began.sync = None;
                self.times.sync.last = None;
            }
        }
    }
}

/// One event for each run, whatever came of it.
pub(super) fn tell(job: &Job, report: &TargetReport) {
    let made = report.results.iter().filter(|one| one.is_made()).count();
    let held = report.plan.as_ref().map_or(0, |plan| plan.held.len());
    let staged = report
        .verdict
        .as_ref()
        .map_or(0, |verdict| verdict.staged.len());
    let error = report.error.as_deref().map(safe::text).unwrap_or_default();
    tracing::info!(
        target: "provost::run",
        name = job.target,
        cause = job.cause.as_str(),
        outcome = report.outcome.as_str(),
        made,
        unmade = report.results.len() - made,
        held,
        staged,
        error,
        "the run ended"
    );
}

pub(super) fn job(read: Read, view: View, cause: Cause) -> Job {
    Job {
        batch: 0,
        target: String::new(),
        view,
        read,
        cause,
        approve: None,
        due: None,
        made: Vec::new(),
        set_aside: 0,
    }
}

/// Whether access that should have been taken away or given back was not, or nobody knows. What was handed to a person is
/// theirs to do.
pub(super) fn leaves_access(report: &TargetReport) -> bool {
    let access = |action: &Action| matches!(action, Action::Suspend(_) | Action::Reactivate(_));
    let waits = |one: &&ChangeResult| !one.is_settled();
    report.plan.is_none()
        || report
            .unmade()
            .filter(waits)
            .any(|one| access(&one.change.action))
}

/// How long to wait before another try; `None` if the next scheduled run is soon enough.
pub(super) fn again(
    report: &TargetReport,
    job: &Job,
    read_failed: bool,
    tries: u32,
) -> Option<SignedDuration> {
    let urgent = if report.plan.is_none() {
        job.cause == Cause::Edge
    } else {
        leaves_access(report)
    };
    let pause = schedule::pause(tries, urgent);
    match report.retry {
        Retry::No if read_failed => Some(schedule::pause(tries, false)),
        Retry::No | Retry::Interrupted => None,
        Retry::Soon => Some(pause),
        Retry::After(asked) => {
            let asked = SignedDuration::try_from(asked).unwrap_or(pause);
            Some(asked.clamp(SignedDuration::from_secs(1), SignedDuration::from_hours(1)))
        }
        Retry::Late => Some(schedule::pause(tries.saturating_add(2), false)),
    }
}
