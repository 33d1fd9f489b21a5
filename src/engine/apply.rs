//! Applying an approved plan: journal the intent, call, record the outcome, move the shadow. In that order, always.
//!
//! Changes go in windows. While calls are under way, another thread records how those before them ended, and then what
//! the window after them is about to do.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future;

use super::book::Book;
use super::calls::{Caller, Calls, Done};
use super::members;
use super::procedure;
use super::result::{ChangeResult, ChangeStatus};
use super::taken::Conflict;
use crate::model::{AccountId, Action, Anchor, Change};
use crate::reconcile::guard::ApprovedPlan;
use crate::store::{Conclusion, Label, ShadowMove, StoreError};
use crate::target::{ConnectorError, urgently};

/// So many intents are made durable by one write to the disk, or more where one request makes many accounts. Three
/// windows are under way at a time, and so many calls at the most are in doubt after a crash.
pub(super) const WINDOW: usize = 512;
/// So few suspensions in one run tell nothing about how fast the application is.
const MEASURED: u64 = 3;
/// A target that fails this many times, and more often than it succeeds, is left alone for this run.
const FAILURES: usize = 20;

/// What applying needs.
pub(super) struct Applying<'a> {
    pub caller: Arc<Caller>,
    /// Whether only taking access away and giving it back is for now. The rest is left as if the run had been set aside.
    pub access_only: bool,
    /// Why the application could not be asked, if it could not: then nothing but what moves access is begun.
    pub unasked: Option<ConnectorError>,
    /// How many people were left out of the plan because they must be looked up first.
    pub waiting: usize,
    /// Told how many changes are done, of how many.
    pub progress: &'a (dyn Fn(usize, usize) + Send + Sync),
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
    /// Accounts that were not in the plan, because they are new to us.
    accounts: HashMap<Anchor, AccountId>,
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
        by.caller.gate.set_aside();
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

/// Applies a group of changes each of which is a call of its own. Nobody has two of the same kind, so they do not depend
/// on each other: while some calls are under way, the outcomes of others are recorded, and then what is to be called next.
pub(super) async fn one_by_one(
    group: &[Arc<Change>],
    progress: &mut Progress,
    by: &Applying<'_>,
) -> Result<(), StoreError> {
    let size = window(group, &by.caller);
    let mut windows = group.chunks(size);
    let mut calls = Calls::new(&by.caller);
    let mut outcomes = Vec::new();
    let mut recording = None;
    loop {
        if recording.is_none() {
            let next = if calls.waiting() < size {
                windows.next()
            } else {
                None
            };
            let due = outcomes.len() >= size || (calls.is_idle() && !outcomes.is_empty());
            if due || next.is_some() {
                let next = next.map(|window| progress.ready(window, by));
                let outcomes = std::mem::take(&mut outcomes);
                let turn = by.caller.book.turn(outcomes, next.unwrap_or_default());
                recording = Some(Box::pin(turn));
            }
        }
        tokio::select! {
            begun = recorded(&mut recording), if recording.is_some() => {
                recording = None;
                match begun {
                    Ok(steps) => calls.add(steps),
                    Err(error) => {
                        calls.abandon().await;
                        return Err(error);
                    }
                }
            }
            Some(done) = calls.ended(), if !calls.is_idle() => {
                outcomes.extend(progress.judge(done, by));
            }
            else => break,
        }
    }
    let spent = std::mem::take(&mut progress.spent);
    by.caller.book.passwords.forget(&spent);
    Ok(())
}

/// What is being recorded, once it is.
async fn recorded<T>(recording: &mut Option<Pin<Box<impl Future<Output = T>>>>) -> T {
    match recording {
        Some(recording) => recording.await,
        None => future::pending().await,
    }
}

/// How many changes of a group are recorded together: where one request makes many accounts, as many as all requests
/// side by side can hold.
fn window(group: &[Arc<Change>], caller: &Caller) -> usize {
    let creates = |change: &Arc<Change>| change.action == Action::Create;
    if !group.first().is_some_and(creates) {
        return WINDOW;
    }
    let together = caller.book.writer.creates_together();
    WINDOW.max(together.saturating_mul(caller.parallelism()))
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

    /// The account that this run made or linked for somebody.
    pub(super) fn made(&self, anchor: &Anchor) -> Option<&AccountId> {
        self.accounts.get(anchor)
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
        let halt = by.caller.halt();
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
            by.caller.gate.shut();
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
        log(&by.caller.book, &change, &result);
        match &performed.status {
            ChangeStatus::Done | ChangeStatus::DoneWith(_) => {
                self.failures = self.failures.saturating_sub(1);
                self.made += 1;
            }
            // The account is there; what is missing is made good by the next run.
            ChangeStatus::Partly(_) => {}
            ChangeStatus::Failed(_) | ChangeStatus::Unconfirmed(_) => {
                // Once nothing may be begun, what was cut short says nothing about the application either.
                self.failures += usize::from(by.caller.halt().is_none());
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
                .extend(by.caller.book.passwords.spent(&change, generation));
        }
        if let ShadowMove::Put(shadow) = &performed.shadow
            && let (None, Some(account)) = (&change.account, &shadow.account)
        {
            let anchor = change.anchor.clone();
            self.accounts.insert(anchor, account.clone());
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
