//! Applying an approved plan: journal the intent, call, record the outcome, move the shadow. In that order, always.
//!
//! Changes go in windows. While the calls of one window are under way, another thread records how the window before it
//! ended, and then what the window after it is about to do.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, future, stream};
use tokio_util::sync::CancellationToken;

use super::book::{Book, Step};
use super::members;
use super::orders::frozen;
use super::perform::{Bench, Performed, draft, judge, perform};
use super::procedure;
use super::result::{ChangeResult, ChangeStatus};
use super::taken::Conflict;
use crate::model::{AccountDraft, Action, Anchor, Change};
use crate::reconcile::guard::ApprovedPlan;
use crate::store::{Conclusion, Label, OpId, ShadowMove, StoreError};
use crate::target::{ConnectorError, urgently};

/// So many intents are made durable by one write to the disk, or more where one request makes many accounts. Three
/// windows are under way at a time, and so many calls at the most are in doubt after a crash.
pub(super) const WINDOW: usize = 512;
/// Why a change was not begun although nothing was wrong.
const INTERRUPTED: &str = "the run was asked to end early";
/// So few suspensions in one run tell nothing about how fast the application is.
const MEASURED: u64 = 3;
/// A target that fails this many times, and more often than it succeeds, is left alone for this run.
const FAILURES: usize = 20;

/// What applying needs.
pub(super) struct Applying<'a> {
    pub book: Book,
    /// Cancelled when nothing more should be begun.
    pub stop: &'a CancellationToken,
    /// Whether only taking access away and giving it back is for now. The rest is left as if the run had been set aside.
    pub access_only: bool,
    /// Why the application could not be asked, if it could not: then nothing but what moves access is begun.
    pub unasked: Option<ConnectorError>,
    /// How many people were left out of the plan because they must be looked up first.
    pub waiting: usize,
    /// Told how many changes are done, of how many.
    pub progress: &'a (dyn Fn(usize, usize) + Send + Sync),
    /// Why nothing more may be begun, as of so many writes to our own records.
    pub halted: Mutex<Option<(u64, Option<String>)>>,
}

impl Applying<'_> {
    /// Why nothing more may be begun, although nothing is wrong with the application.
    pub(super) fn halt(&self) -> Option<String> {
        if self.stop.is_cancelled() {
            return Some(INTERRUPTED.to_owned());
        }
        // Asked before every call: the records themselves are read only when they have changed.
        let writes = self.book.state.document_writes();
        let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((as_of, why)) = &*halted
            && *as_of == writes
        {
            return why.clone();
        }
        let why = match frozen(&self.book.state, &self.book.target) {
            Ok(freeze) => freeze.map(|freeze| freeze.to_string()),
            Err(error) => Some(error.to_string()),
        };
        *halted = Some((writes, why.clone()));
        why
    }
}

/// One change whose call has ended.
pub(super) struct Done {
    pub change: Arc<Change>,
    pub op: OpId,
    pub performed: Performed,
}

/// How applying went.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub results: Vec<ChangeResult>,
    /// Why it stopped early.
    pub stopped: Option<ConnectorError>,
    /// What the application refused because a unique value is somebody's already.
    pub conflicts: Vec<Conflict>,
    /// How long taking one account's access away took, on average, in thousandths of a second, and for how many accounts.
    pub pace: Option<(u64, u64)>,
}

/// What is known while applying.
#[derive(Default)]
pub(super) struct Progress {
    blocked: HashSet<Anchor>,
    failures: usize,
    made: u64,
    /// Set as soon as it is known that no further call makes sense.
    stop: AtomicBool,
    total: usize,
    applied: Applied,
    /// Sealed passwords that nobody needs once the outcomes are recorded.
    spent: Vec<Label>,
}

/// Applies every change of an approved plan, group by group in plan order.
pub(super) async fn apply(plan: &ApprovedPlan, by: &Applying<'_>) -> Result<Applied, StoreError> {
    let mut progress = Progress {
        total: plan.changes().len(),
        ..Progress::default()
    };
    let groups = || plan.changes().chunk_by(|a, b| rank(a) == rank(b));
    let (first, rest): (Vec<_>, Vec<_>) = if by.access_only || by.unasked.is_some() {
        groups().partition(|group| group.first().is_some_and(moves_access))
    } else {
        (groups().collect(), Vec::new())
    };
    for group in first {
        if matches!(group.first().map(|c| &c.action), Some(Action::Suspend(_))) {
            let (began, before) = (Instant::now(), progress.made);
            urgently(apply_group(group, &mut progress, by)).await?;
            // A procedure has several steps for one account.
            let made = progress.made.saturating_sub(before).min(group.len() as u64);
            progress.applied.pace = pace(began.elapsed(), made);
        } else {
            apply_group(group, &mut progress, by).await?;
        }
    }
    if let Some(error) = &by.unasked {
        progress.applied.stopped.get_or_insert(error.clone());
    } else if by.access_only && progress.applied.results.iter().any(|one| !one.is_settled()) {
        // It is tried again after a pause, not at once and for ever.
        progress.applied.stopped.get_or_insert_with(|| {
            let why = "some access could not be taken away or given back; the rest waits for it";
            ConnectorError::Transient(why.to_owned())
        });
    } else if !rest.is_empty() || (by.access_only && by.waiting > 0) {
        // The next edge must not wait for these.
        by.stop.cancel();
    }
    for group in rest {
        apply_group(group, &mut progress, by).await?;
    }
    Ok(progress.applied)
}

fn moves_access(change: &Arc<Change>) -> bool {
    matches!(change.action, Action::Suspend(_) | Action::Reactivate(_))
}

/// Applies changes of one kind.
async fn apply_group(
    group: &[Arc<Change>],
    progress: &mut Progress,
    by: &Applying<'_>,
) -> Result<(), StoreError> {
    if group.first().map(rank) == Some(Action::Entitle.as_str()) {
        members::entitle(group, progress, by).await
    } else if procedure::is_long(group) {
        procedure::carry_out(group, progress, by).await
    } else {
        one_by_one(group, progress, by).await
    }
}

/// The average, if enough was done to speak of one.
fn pace(took: Duration, made: u64) -> Option<(u64, u64)> {
    let millis = u64::try_from(took.as_millis()).ok()?;
    (made >= MEASURED).then(|| (millis.div_ceil(made).max(1), made))
}

fn rank(change: &Arc<Change>) -> &'static str {
    change.action.as_str()
}

/// Applies a group of changes each of which is a call of its own. Nobody has two of the same kind, so the windows of a
/// group do not depend on each other.
pub(super) async fn one_by_one(
    group: &[Arc<Change>],
    progress: &mut Progress,
    by: &Applying<'_>,
) -> Result<(), StoreError> {
    let mut windows = group.chunks(window(group, by));
    let mut next = windows.next();
    let mut outcomes = Vec::new();
    let mut steps = Vec::new();
    while next.is_some() || !steps.is_empty() {
        let ready = next.map(|window| progress.ready(window, by));
        let recording = by.book.turn(outcomes, ready.unwrap_or_default());
        let (done, begun) = future::join(call(steps, &progress.stop, by), recording).await;
        outcomes = progress.judge(done, by);
        steps = begun?;
        next = windows.next();
    }
    by.book.turn(outcomes, Vec::new()).await?;
    by.book
        .passwords
        .forget(&std::mem::take(&mut progress.spent));
    Ok(())
}

/// How many changes of a group are under way together: where one request makes many accounts, as many as all requests
/// side by side can hold. A smaller window would end before all of them are in use.
fn window(group: &[Arc<Change>], by: &Applying<'_>) -> usize {
    let creates = |change: &Arc<Change>| change.action == Action::Create;
    if !group.first().is_some_and(creates) {
        return WINDOW;
    }
    let writer = &by.book.writer;
    let parallelism = writer.capabilities().parallelism.max(1);
    WINDOW.max(writer.creates_together().saturating_mul(parallelism))
}

/// Calls the target for each step, several at a time.
async fn call(steps: Vec<Step>, stop: &AtomicBool, by: &Applying<'_>) -> Vec<Done> {
    let bench = by.book.bench();
    let bench = &bench;
    let parallelism = by.book.writer.capabilities().parallelism.max(1);
    let together = by.book.writer.creates_together();
    // A first password goes to an account of its own, right after it was made.
    let creates =
        |step: &Step| step.change.action == Action::Create && step.change.password.is_none();
    if together > 1 && steps.iter().all(creates) {
        let mut steps = steps.into_iter();
        let batches = std::iter::from_fn(|| {
            let batch: Vec<Step> = steps.by_ref().take(together).collect();
            (!batch.is_empty()).then_some(batch)
        });
        let calls: Vec<_> = batches
            .map(|batch| several(batch, bench, stop, by))
            .collect();
        let done: Vec<Vec<Done>> = stream::iter(calls)
            .buffer_unordered(parallelism)
            .collect()
            .await;
        return done.into_iter().flatten().collect();
    }
    let calls: Vec<_> = steps
        .into_iter()
        .map(|step| one(step, bench, stop, by))
        .collect();
    stream::iter(calls)
        .buffer_unordered(parallelism)
        .collect()
        .await
}

/// Why a call is not made after all.
/// Asked before each: an order to end or a freeze holds from one call to the next, however long the run is.
fn hold_back(stop: &AtomicBool, by: &Applying<'_>) -> Option<String> {
    let stopped = || "the application stopped answering".to_owned();
    by.halt()
        .or_else(|| stop.load(Ordering::Relaxed).then(stopped))
}

async fn one(step: Step, bench: &Bench<'_>, stop: &AtomicBool, by: &Applying<'_>) -> Done {
    let performed = match hold_back(stop, by) {
        Some(why) => not_begun(&step, &why),
        None => perform(&step.change, &step.intent, step.password.as_ref(), bench).await,
    };
    if performed.stop.is_some() {
        stop.store(true, Ordering::Relaxed);
    }
    let Step { change, op, .. } = step;
    Done {
        change,
        op,
        performed,
    }
}

/// Creates several accounts by as few requests as the target needs.
async fn several(
    steps: Vec<Step>,
    bench: &Bench<'_>,
    stop: &AtomicBool,
    by: &Applying<'_>,
) -> Vec<Done> {
    let held_back = hold_back(stop, by);
    let mut answers = Vec::new();
    if held_back.is_none() {
        let drafts: Vec<AccountDraft> = steps.iter().map(|step| draft(&step.change)).collect();
        answers = bench.writer.create_together(&drafts).await;
    }
    let mut answers = answers.into_iter();
    let mut done = Vec::with_capacity(steps.len());
    for step in steps {
        let performed = match (&held_back, answers.next()) {
            (Some(why), _) => not_begun(&step, why),
            (None, answer) => {
                let unsaid = || Err(ConnectorError::Ambiguous("there was no answer".to_owned()));
                let answer = answer.unwrap_or_else(unsaid);
                judge(&step.change, &step.intent, answer.map(Some), bench)
            }
        };
        if performed.stop.is_some() {
            stop.store(true, Ordering::Relaxed);
        }
        let Step { change, op, .. } = step;
        done.push(Done {
            change,
            op,
            performed,
        });
    }
    done
}

/// A step whose call was never made: nothing happened, so the shadow stays.
fn not_begun(step: &Step, why: &str) -> Performed {
    let shadow = step
        .intent
        .before
        .clone()
        .map_or(ShadowMove::Keep, ShadowMove::Put);
    Performed {
        status: ChangeStatus::Skipped(why.to_owned()),
        shadow,
        stop: None,
        conflict: None,
    }
}

impl Progress {
    /// How many results there are.
    pub(super) fn results(&self) -> usize {
        self.applied.results.len()
    }

    /// Takes back the results from a number on.
    pub(super) fn take_results(&mut self, from: usize) -> Vec<ChangeResult> {
        self.applied.results.split_off(from)
    }

    /// Adds results.
    pub(super) fn add_results(&mut self, results: impl Iterator<Item = ChangeResult>) {
        self.applied.results.extend(results);
    }

    /// Nothing more is done for somebody.
    pub(super) fn block(&mut self, anchor: &Anchor) {
        self.blocked.insert(anchor.clone());
    }

    /// Something is still done for somebody although a step failed.
    pub(super) fn unblock(&mut self, anchor: &Anchor) {
        self.blocked.remove(anchor);
    }

    /// The changes of a window that may go on; the others are recorded as skipped.
    pub(super) fn ready(&mut self, window: &[Arc<Change>], by: &Applying<'_>) -> Vec<Arc<Change>> {
        let halt = by.halt();
        let mut ready = Vec::with_capacity(window.len());
        for change in window {
            let why = if let Some(why) = &halt {
                why.as_str()
            } else if self.applied.stopped.is_some() {
                "the application stopped answering"
            } else if self.blocked.contains(&change.anchor) {
                "an earlier change to the same account was not made"
            } else {
                ready.push(Arc::clone(change));
                continue;
            };
            self.applied.results.push(ChangeResult {
                change: Arc::clone(change),
                status: ChangeStatus::Skipped(why.to_owned()),
            });
        }
        ready
    }

    /// What the ends of calls mean: for the report, for the changes to come, and for the journal.
    pub(super) fn judge(
        &mut self,
        done: impl IntoIterator<Item = Done>,
        by: &Applying<'_>,
    ) -> Vec<Conclusion> {
        let done = done.into_iter();
        let conclusions = done.map(|done| self.judge_one(done, by)).collect();
        if self.failures >= FAILURES && self.applied.stopped.is_none() {
            let why = "too many changes failed; the rest waits for the next run".to_owned();
            self.applied.stopped = Some(ConnectorError::Transient(why));
        }
        if self.applied.stopped.is_some() {
            self.stop.store(true, Ordering::Relaxed);
        }
        (by.progress)(self.applied.results.len(), self.total);
        conclusions
    }

    fn judge_one(&mut self, done: Done, by: &Applying<'_>) -> Conclusion {
        let Done {
            change,
            op,
            performed,
        } = done;
        let result = describe(&performed.status);
        log(&by.book, &change, &result);
        match &performed.status {
            ChangeStatus::Done | ChangeStatus::DoneWith(_) => {
                self.failures = self.failures.saturating_sub(1);
                self.made += 1;
            }
            // The account is there; what is missing is made good by the next run.
            ChangeStatus::Partly(_) => {}
            ChangeStatus::Failed(_) | ChangeStatus::Unconfirmed(_) => {
                // Once nothing may be begun, what was cut short says nothing about the application either.
                self.failures += usize::from(by.halt().is_none());
                self.blocked.insert(change.anchor.clone());
            }
            // What was not begun says nothing about the application, nor does what waits for a person.
            ChangeStatus::Skipped(_) | ChangeStatus::Handed(_) | ChangeStatus::Waiting(_) => {
                self.blocked.insert(change.anchor.clone());
            }
        }
        if let ShadowMove::Put(shadow) = &performed.shadow
            && performed.status == ChangeStatus::Done
        {
            let generation = shadow.password.generation;
            self.spent
                .extend(by.book.passwords.spent(&change, generation));
        }
        if let Some(said) = performed.conflict {
            let change = Arc::clone(&change);
            self.applied.conflicts.push(Conflict { change, said });
        }
        if let Some(error) = performed.stop {
            self.applied.stopped.get_or_insert(error);
        }
        // An operation whose outcome nobody knows stays open, so that the next run reads the account before it decides.
        let known = !matches!(
            performed.status,
            ChangeStatus::Unconfirmed(_) | ChangeStatus::Handed(_)
        );
        let conclusion = Conclusion {
            op: known.then_some(op),
            anchor: change.anchor.clone(),
            shadow: performed.shadow,
            result,
        };
        self.applied.results.push(ChangeResult {
            change,
            status: performed.status,
        });
        conclusion
    }
}

fn describe(status: &ChangeStatus) -> String {
    match status {
        ChangeStatus::Done => "done".to_owned(),
        ChangeStatus::DoneWith(what) => what.clone(),
        ChangeStatus::Partly(what) => format!("partly: {what}"),
        ChangeStatus::Failed(why) => format!("failed: {why}"),
        ChangeStatus::Unconfirmed(why) => format!("unconfirmed: {why}"),
        ChangeStatus::Handed(what) => format!("awaiting confirmation: {what}"),
        ChangeStatus::Waiting(why) => why.clone(),
        ChangeStatus::Skipped(why) => format!("skipped: {why}"),
    }
}

/// One event per change, with fixed fields and no personal data.
fn log(book: &Book, change: &Change, result: &str) {
    tracing::info!(
        target: "provost::change",
        run = book.run,
        target_name = &*book.target,
        anchor = %change.anchor,
        action = change.action.as_str(),
        reason = change.reason.as_str(),
        result,
    );
}
