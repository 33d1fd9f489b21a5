//! Who works on what: one run of a target at a time, one read of a source at a time, everything else side by side.
//!
//! Nothing here waits. Work is handed to tasks of its own, and what becomes of it comes back as an [`Event`]; a target or
//! directory that does not answer delays nobody but itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::engine::{
    ChangeResult, EngineError, Read, RunReport, Session, Snapshot, SourceReport, TargetReport,
    TargetRun, View,
};

/// So often in a row work that gets nothing done, such as reading everything, is set aside for something more urgent,
/// before it may finish.
const SET_ASIDE: u32 = 3;

/// Why a run is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cause {
    /// A moment at which time alone changes something, or an order that must be obeyed at once.
    Edge,
    /// The schedule.
    Schedule,
    /// Another try.
    Retry,
    /// A letter that waited for its moment.
    Letter,
    /// Somebody asked for it.
    Operator,
}

impl Cause {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Schedule => "schedule",
            Self::Retry => "retry",
            Self::Letter => "letter",
            Self::Operator => "operator",
        }
    }
}

/// What to do with one target.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub batch: u64,
    pub target: String,
    pub view: View,
    pub read: Read,
    pub cause: Cause,
    pub approve: Option<String>,
    /// The edge that it is for.
    pub due: Option<Timestamp>,
    /// What was made before the work was set aside for something more urgent.
    pub made: Vec<ChangeResult>,
    /// How often that happened since anything was made.
    pub set_aside: u32,
}

/// What comes back from a task.
#[derive(Debug)]
pub(super) enum Event {
    /// A source was read, or could not be.
    Read {
        source: String,
        result: Result<Arc<Snapshot>, EngineError>,
        /// How long that took.
        took: Duration,
    },
    /// The run of a target ended.
    Ran {
        job: Box<Job>,
        began: Timestamp,
        report: Box<TargetReport>,
        /// What was read for it, if it had to take the stored read.
        source: Option<SourceReport>,
        /// The next moment at which time alone changes something.
        edge: Option<Timestamp>,
    },
}

/// Who waits for a run.
pub(super) type Waiting = oneshot::Sender<RunReport>;

/// Several targets that are run for one reason.
struct Batch {
    run: u64,
    began: Timestamp,
    open: BTreeSet<String>,
    sources: BTreeMap<String, SourceReport>,
    done: Vec<TargetReport>,
    waiting: Option<Waiting>,
}

/// The run of a target that goes on now.
pub(super) struct Running {
    pub cause: Cause,
    pub began: Timestamp,
    set_aside: u32,
    stop: CancellationToken,
}

#[derive(Default)]
struct Target {
    running: Option<Running>,
    queue: VecDeque<(Job, Option<Arc<Snapshot>>)>,
}

#[derive(Default)]
struct Source {
    reading: Option<Vec<Job>>,
    next: Vec<Job>,
}

/// All work that goes on or waits.
pub(super) struct Work {
    targets: BTreeMap<String, Target>,
    sources: BTreeMap<String, Source>,
    batches: BTreeMap<u64, Batch>,
    numbers: u64,
    events: mpsc::UnboundedSender<Event>,
    stop: CancellationToken,
}

impl Work {
    pub(super) fn new(events: mpsc::UnboundedSender<Event>, stop: CancellationToken) -> Self {
        Self {
            targets: BTreeMap::new(),
            sources: BTreeMap::new(),
            batches: BTreeMap::new(),
            numbers: 0,
            events,
            stop,
        }
    }

    /// Whether nothing goes on.
    pub(super) fn is_idle(&self) -> bool {
        let reading = self.sources.values().any(|one| one.reading.is_some());
        !reading && self.targets.values().all(|one| one.running.is_none())
    }

    /// The run of a target that goes on now.
    pub(super) fn running(&self, target: &str) -> Option<&Running> {
        self.targets.get(target)?.running.as_ref()
    }

    /// Has what runs for a target set aside: what it was judged by is no longer true.
    pub(super) fn set_aside(&self, target: &str) {
        if let Some(running) = self.running(target) {
            running.stop.cancel();
        }
    }

    /// Begins the work on some targets for one reason.
    pub(super) fn begin(
        &mut self,
        session: &Session,
        targets: &[String],
        how: &Job,
        waiting: Option<Waiting>,
    ) -> Result<(), EngineError> {
        let run = tokio::task::block_in_place(|| session.state.next_run())?;
        self.numbers += 1;
        let number = self.numbers;
        let batch = Batch {
            run,
            began: session.clock.now(),
            open: targets.iter().cloned().collect(),
            sources: BTreeMap::new(),
            done: Vec::new(),
            waiting,
        };
        self.batches.insert(number, batch);
        let mut reads: BTreeMap<String, Vec<Job>> = BTreeMap::new();
        for target in targets {
            let job = Job {
                batch: number,
                target: target.clone(),
                ..how.clone()
            };
            match (job.read, session.target(target)) {
                (Read::Now, Ok(spec)) => reads.entry(spec.source.clone()).or_default().push(job),
                (Read::Stored, _) | (_, Err(_)) => self.enqueue(session, job, None),
            }
        }
        for (source, jobs) in reads {
            self.read(session, source, jobs);
        }
        Ok(())
    }

    /// Has a source read for jobs. A read that has begun may have missed what they are about, so they take the next.
    fn read(&mut self, session: &Session, source: String, jobs: Vec<Job>) {
        let state = self.sources.entry(source.clone()).or_default();
        if state.reading.is_some() {
            state.next.extend(jobs);
            return;
        }
        state.reading = Some(jobs);
        self.start_reading(session, source);
    }

    fn start_reading(&self, session: &Session, source: String) {
        let (session, events) = (session.clone(), self.events.clone());
        let stop = self.stop.clone();
        tokio::spawn(async move {
            let name = source.clone();
            let began = Instant::now();
            let read = tokio::spawn(async move {
                let reading = session.snapshot(&name, Read::Now, false);
                let read = stop.run_until_cancelled(reading).await;
                read.unwrap_or(Err(EngineError::Interrupted))
            });
            let result = read
                .await
                .unwrap_or_else(|_panic| Err(EngineError::Panicked(source.clone())));
            let took = began.elapsed();
            let event = Event::Read {
                source,
                result,
                took,
            };
            events.send(event).ok();
        });
    }

    /// Hands a finished read to all who wait for it. Where there was none, their runs end here; those events are returned.
    pub(super) fn read_done(
        &mut self,
        session: &Session,
        source: &str,
        result: &Result<Arc<Snapshot>, EngineError>,
    ) -> Vec<Event> {
        let Some(state) = self.sources.get_mut(source) else {
            return Vec::new();
        };
        let jobs = state.reading.take().unwrap_or_default();
        let next = std::mem::take(&mut state.next);
        if !next.is_empty() {
            state.reading = Some(next);
            self.start_reading(session, source.to_owned());
        }
        let mut failed = Vec::new();
        for job in jobs {
            match result {
                Ok(snapshot) => {
                    if let Some(batch) = self.batches.get_mut(&job.batch) {
                        let about = snapshot.describe();
                        batch.sources.insert(source.to_owned(), about);
                    }
                    self.enqueue(session, job, Some(Arc::clone(snapshot)));
                }
                Err(error) => failed.push(Event::Ran {
                    began: session.clock.now(),
                    report: Box::new(TargetReport {
                        outcome: error.outcome(),
                        ..TargetReport::failed(&job.target, error)
                    }),
                    job: Box::new(job),
                    source: None,
                    edge: None,
                }),
            }
        }
        failed
    }

    /// Puts a job in its target's queue; an edge goes first, and what runs meanwhile is set aside for it.
    fn enqueue(&mut self, session: &Session, job: Job, snapshot: Option<Arc<Snapshot>>) {
        let target = self.targets.entry(job.target.clone()).or_default();
        let name = job.target.clone();
        if job.cause == Cause::Edge {
            if let Some(running) = &target.running
                && running.cause != Cause::Edge
                && running.set_aside < SET_ASIDE
            {
                running.stop.cancel();
            }
            target.queue.push_front((job, snapshot));
        } else {
            target.queue.push_back((job, snapshot));
        }
        self.pump(session, &name);
    }

    /// Starts what is next for a target, if nothing runs.
    fn pump(&mut self, session: &Session, name: &str) {
        let Some(target) = self.targets.get_mut(name) else {
            return;
        };
        if target.running.is_some() || self.stop.is_cancelled() {
            return;
        }
        let Some((job, snapshot)) = target.queue.pop_front() else {
            return;
        };
        let run = self.batches.get(&job.batch).map_or(0, |batch| batch.run);
        let stop = self.stop.child_token();
        let mut session = session.clone();
        session.stop = stop.clone();
        let began = session.clock.now();
        target.running = Some(Running {
            cause: job.cause,
            began,
            set_aside: job.set_aside,
            stop,
        });
        let span = tracing::info_span!("run", run, name, cause = job.cause.as_str());
        let events = self.events.clone();
        let lost = (job.clone(), EngineError::Panicked(job.target.clone()));
        let work = tokio::spawn(carry_out(session, job, snapshot, run).instrument(span));
        tokio::spawn(async move {
            let event = work.await.unwrap_or_else(|_panic| Event::Ran {
                report: Box::new(TargetReport::failed(&lost.0.target, &lost.1)),
                job: Box::new(lost.0),
                began,
                source: None,
                edge: None,
            });
            events.send(event).ok();
        });
    }

    /// Notes that a run ended. `true` if its report is final; otherwise the rest of it waits behind the more urgent work.
    pub(super) fn ran(&mut self, session: &Session, job: &Job, interrupted: bool) -> bool {
        let name = job.target.clone();
        if let Some(target) = self.targets.get_mut(&name) {
            target.running = None;
            if interrupted && !self.stop.is_cancelled() {
                let rest = Job {
                    read: Read::Stored,
                    set_aside: job.set_aside + 1,
                    ..job.clone()
                };
                target.queue.push_back((rest, None));
                self.pump(session, &name);
                return false;
            }
        }
        self.pump(session, &name);
        true
    }

    /// Adds a final report to its batch, and ends the batch with the last one.
    pub(super) fn conclude(
        &mut self,
        job: &Job,
        report: TargetReport,
        source: Option<(String, SourceReport)>,
        now: Timestamp,
    ) {
        let Some(batch) = self.batches.get_mut(&job.batch) else {
            return;
        };
        batch.open.remove(&job.target);
        batch.sources.extend(source);
        batch.done.push(report);
        if !batch.open.is_empty() {
            return;
        }
        let Some(batch) = self.batches.remove(&job.batch) else {
            return;
        };
        if let Some(waiting) = batch.waiting {
            let mut targets = batch.done;
            targets.sort_by(|a, b| a.target.cmp(&b.target));
            let report = RunReport {
                run: batch.run,
                began: batch.began,
                ended: now,
                sources: batch.sources,
                targets,
            };
            // Whoever waited may have gone.
            waiting.send(report).ok();
        }
    }
}

/// One run of one target, from its snapshot to the next edge.
async fn carry_out(
    session: Session,
    mut job: Job,
    snapshot: Option<Arc<Snapshot>>,
    run: u64,
) -> Event {
    let began = session.clock.now();
    let target = job.target.clone();
    let fetched = match snapshot {
        Some(snapshot) => Ok((snapshot, None)),
        None => stored(&session, &target).await,
    };
    let how = TargetRun {
        view: job.view,
        approve: job.approve.clone(),
        run,
        dry: false,
        urgent: job.cause == Cause::Edge,
    };
    let (mut report, source) = match fetched {
        Ok((snapshot, about)) => (session.run_target(&target, snapshot, how).await, about),
        Err(error) => (TargetReport::failed(&target, &error), None),
    };
    if report.results.iter().any(ChangeResult::is_made) {
        // Work that gets on may be set aside as often as there is something more urgent.
        job.set_aside = 0;
    }
    job.made.append(&mut report.results);
    report.results.clone_from(&job.made);
    job.made.retain(ChangeResult::is_made);
    // What was passed before this run is not waited for again.
    let edge = tokio::task::block_in_place(|| session.next_edge(&target, began));
    Event::Ran {
        job: Box::new(job),
        began,
        report: Box::new(report),
        source,
        edge: edge.ok().flatten(),
    }
}

async fn stored(
    session: &Session,
    target: &str,
) -> Result<(Arc<Snapshot>, Option<SourceReport>), EngineError> {
    let source = session.target(target)?.source.clone();
    let snapshot = session.snapshot(&source, Read::Stored, false).await?;
    let about = snapshot.describe();
    Ok((snapshot, Some(about)))
}
