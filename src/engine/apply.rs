//! Applying an approved plan: journal the intent, call, record the outcome, move the shadow. In that order, always.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use super::intent::intent;
use super::members;
use super::perform::{Bench, Performed, perform};
use super::result::{ChangeResult, ChangeStatus};
use crate::model::{Action, Anchor, Change, Shadow};
use crate::reconcile::guard::ApprovedPlan;
use crate::reconcile::mapping::Mapping;
use crate::store::{Conclusion, Intent, OpId, ShadowMove, State, StoreError};
use crate::target::{AccountWriter, ConnectorError};

/// So many intents are made durable by one write to the disk, and so many calls at the most are in doubt after a crash.
const WINDOW: usize = 1024;
/// The same for entitlements. They go by group, so a small window would send every large group many times over, a few
/// members each; and repeating a membership after a crash does no harm.
const WINDOW_ENTITLE: usize = 32_768;
/// A target that fails this many times, and more often than it succeeds, is left alone for this run.
const FAILURES: usize = 20;

/// What applying needs.
pub(super) struct Applying<'a> {
    pub target: &'a str,
    pub run: u64,
    pub state: &'a State,
    pub writer: &'a dyn AccountWriter,
    pub mapping: &'a Mapping,
    pub now: Timestamp,
    /// Told how many changes are done, of how many.
    pub progress: &'a (dyn Fn(usize, usize) + Send + Sync),
}

/// How applying went.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub results: Vec<ChangeResult>,
    /// Why it stopped early.
    pub stopped: Option<ConnectorError>,
}

/// One change on its way.
pub(super) struct Step<'a> {
    pub change: &'a Arc<Change>,
    pub op: OpId,
    pub intent: Intent,
}

/// What is known while applying.
pub(super) struct Progress {
    shadows: HashMap<Anchor, Shadow>,
    blocked: HashSet<Anchor>,
    failures: usize,
    pub applied: Applied,
}

/// Applies every change of an approved plan, group by group in plan order.
pub(super) async fn apply(plan: &ApprovedPlan, by: &Applying<'_>) -> Result<Applied, StoreError> {
    let mut progress = Progress {
        shadows: HashMap::new(),
        blocked: HashSet::new(),
        failures: 0,
        applied: Applied::default(),
    };
    let total = plan.changes().len();
    for group in plan.changes().chunk_by(|a, b| rank(a) == rank(b)) {
        let by_group = group.first().map(rank) == Some(Action::Entitle.as_str());
        let size = if by_group { WINDOW_ENTITLE } else { WINDOW };
        for window in group.chunks(size) {
            let ready = progress.ready(window);
            let steps = begin(&ready, &progress, by)?;
            let done = if by_group {
                members::entitle(steps, by).await
            } else {
                call(steps, by).await
            };
            progress.conclude(done, by)?;
            (by.progress)(progress.applied.results.len(), total);
        }
    }
    Ok(progress.applied)
}

fn rank(change: &Arc<Change>) -> &'static str {
    change.action.as_str()
}

/// Makes the intents durable.
fn begin<'a>(
    ready: &[&'a Arc<Change>],
    progress: &Progress,
    by: &Applying<'_>,
) -> Result<Vec<Step<'a>>, StoreError> {
    let bench = bench(by);
    let mut intents = Vec::with_capacity(ready.len());
    for change in ready {
        let before = match progress.shadows.get(&change.anchor) {
            Some(shadow) => Some(shadow.clone()),
            None => by.state.shadow(by.target, &change.anchor)?,
        };
        intents.push(intent(change, before.as_ref(), &bench));
    }
    if intents.is_empty() {
        return Ok(Vec::new());
    }
    let ops = tokio::task::block_in_place(|| by.state.intend(by.target, by.run, &intents))?;
    Ok(ready
        .iter()
        .zip(ops)
        .zip(intents)
        .map(|((change, op), intent)| Step { change, op, intent })
        .collect())
}

pub(super) fn bench<'a>(by: &Applying<'a>) -> Bench<'a> {
    Bench {
        writer: by.writer,
        mapping: by.mapping,
        now: by.now,
    }
}

/// Calls the target for each step, several at a time.
async fn call<'a>(steps: Vec<Step<'a>>, by: &Applying<'_>) -> Vec<(Step<'a>, Performed)> {
    let bench = bench(by);
    let bench = &bench;
    let parallelism = by.writer.capabilities().parallelism.max(1);
    let stopped = AtomicBool::new(false);
    let stopped = &stopped;
    let calls: Vec<_> = steps
        .into_iter()
        .map(|step| one(step, bench, stopped))
        .collect();
    stream::iter(calls)
        .buffer_unordered(parallelism)
        .collect()
        .await
}

async fn one<'a>(step: Step<'a>, bench: &Bench<'_>, stopped: &AtomicBool) -> (Step<'a>, Performed) {
    if stopped.load(Ordering::Relaxed) {
        let performed = not_begun(&step, "the application stopped answering");
        return (step, performed);
    }
    let performed = perform(step.change, &step.intent, bench).await;
    if performed.stop.is_some() {
        stopped.store(true, Ordering::Relaxed);
    }
    (step, performed)
}

/// A step whose call was never made: nothing happened, so the shadow stays.
pub(super) fn not_begun(step: &Step<'_>, why: &str) -> Performed {
    let shadow = step
        .intent
        .before
        .clone()
        .map_or(ShadowMove::Keep, ShadowMove::Put);
    Performed {
        status: ChangeStatus::Skipped(why.to_owned()),
        shadow,
        stop: None,
    }
}

impl Progress {
    /// The changes of a window that may go on; the others are recorded as skipped.
    fn ready<'a>(&mut self, window: &'a [Arc<Change>]) -> Vec<&'a Arc<Change>> {
        let mut ready = Vec::with_capacity(window.len());
        for change in window {
            let why = if self.applied.stopped.is_some() {
                "the application stopped answering"
            } else if self.blocked.contains(&change.anchor) {
                "an earlier change to the same account failed"
            } else {
                ready.push(change);
                continue;
            };
            self.applied.results.push(ChangeResult {
                change: Arc::clone(change),
                status: ChangeStatus::Skipped(why.to_owned()),
            });
        }
        ready
    }

    /// Makes the outcomes durable, then moves the shadows.
    fn conclude(
        &mut self,
        done: Vec<(Step<'_>, Performed)>,
        by: &Applying<'_>,
    ) -> Result<(), StoreError> {
        let mut conclusions = Vec::with_capacity(done.len());
        for (step, performed) in done {
            let result = describe(&performed.status);
            log(by, step.change, &result);
            match &performed.status {
                ChangeStatus::Done | ChangeStatus::DoneWith(_) => {
                    self.failures = self.failures.saturating_sub(1);
                }
                ChangeStatus::Failed(_)
                | ChangeStatus::Unconfirmed(_)
                | ChangeStatus::Skipped(_) => {
                    self.failures += 1;
                    self.blocked.insert(step.change.anchor.clone());
                }
            }
            if let ShadowMove::Put(shadow) = &performed.shadow {
                self.shadows
                    .insert(step.change.anchor.clone(), shadow.clone());
            }
            if let Some(error) = performed.stop {
                self.applied.stopped.get_or_insert(error);
            }
            // An operation whose outcome nobody knows stays open, so that the next run reads the account before it decides.
            let known = !matches!(performed.status, ChangeStatus::Unconfirmed(_));
            conclusions.push(Conclusion {
                op: known.then_some(step.op),
                anchor: step.change.anchor.clone(),
                shadow: performed.shadow,
                result,
            });
            self.applied.results.push(ChangeResult {
                change: Arc::clone(step.change),
                status: performed.status,
            });
        }
        if self.failures >= FAILURES && self.applied.stopped.is_none() {
            let why = "too many changes failed; the rest waits for the next run".to_owned();
            self.applied.stopped = Some(ConnectorError::Transient(why));
        }
        if conclusions.is_empty() {
            return Ok(());
        }
        tokio::task::block_in_place(|| by.state.conclude(by.target, conclusions))
    }
}

fn describe(status: &ChangeStatus) -> String {
    match status {
        ChangeStatus::Done => "done".to_owned(),
        ChangeStatus::DoneWith(what) => what.clone(),
        ChangeStatus::Failed(why) => format!("failed: {why}"),
        ChangeStatus::Unconfirmed(why) => format!("unconfirmed: {why}"),
        ChangeStatus::Skipped(why) => format!("skipped: {why}"),
    }
}

/// One event per change, with fixed fields and no personal data.
fn log(by: &Applying<'_>, change: &Change, result: &str) {
    tracing::info!(
        target: "provost::change",
        run = by.run,
        target_name = by.target,
        anchor = %change.anchor,
        action = change.action.as_str(),
        reason = change.reason.as_str(),
        result,
    );
}
