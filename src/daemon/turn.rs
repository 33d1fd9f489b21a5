//! The loop: looks what is due, hands it to `work`, and takes in what became of it.
//!
//! Every turn starts from the time as it is now. Nothing counts on the last turn having been a moment ago: the machine
//! may have slept, the clock may have been set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::known::{Known, again, job, leaves_access, tell};
use super::memory;
use super::schedule::{self, Again, Regular, Times, What, next_wake};
use super::upkeep::Upkeep;
use super::work::{Cause, Event, Job, Waiting, Work};
use crate::engine::{EngineError, Read, Retry, Session, Snapshot, TargetReport, View};

/// The longest sleep: a clock that was set, or a machine that slept, is noticed after this at the latest.
const LONGEST: Duration = Duration::from_secs(2);
/// The same while time is rehearsed.
const REHEARSAL: Duration = Duration::from_millis(25);
/// A difference between the wall clock and the time that really passed, from which on the clock was set.
const STEP: SignedDuration = SignedDuration::from_secs(3);

/// The daemon at work.
pub(super) struct Turn {
    pub session: Session,
    pub known: BTreeMap<String, Known>,
    pub work: Work,
    pub events: mpsc::UnboundedReceiver<Event>,
    pub stop: CancellationToken,
    pub metrics: super::metrics::Metrics,
    /// What each source said when it could not be read in full.
    pub trouble: BTreeMap<String, String>,
    instance: [u8; 16],
    /// The next beginning or end of an override.
    order_edge: Option<Timestamp>,
    last_look: Option<(Timestamp, Instant)>,
    /// What is done now and then.
    pub upkeep: Upkeep,
}

impl Turn {
    pub(super) fn new(
        session: Session,
        stop: CancellationToken,
        metrics: super::metrics::Metrics,
    ) -> Result<Self, EngineError> {
        let (sender, events) = mpsc::unbounded_channel();
        let instance = session.state.instance()?;
        let mut turn = Self {
            session,
            known: BTreeMap::new(),
            work: Work::new(sender, stop.clone()),
            events,
            stop,
            metrics,
            trouble: BTreeMap::new(),
            instance,
            order_edge: None,
            last_look: None,
            upkeep: Upkeep::default(),
        };
        turn.configure()?;
        turn.order_edge = turn.session.next_order_edge()?;
        Ok(turn)
    }

    /// Takes schedules from the configuration. What is known of targets that stay is kept.
    pub(super) fn configure(&mut self) -> Result<(), EngineError> {
        let mut before = std::mem::take(&mut self.known);
        for spec in &self.session.config.targets {
            let mut known = match before.remove(&spec.name) {
                Some(known) => known,
                None => self.recall(&spec.name)?,
            };
            let plan = &spec.schedule;
            let share = |names: &[&[u8]]| schedule::own_share(plan.jitter, names);
            known.times.sync = Regular {
                table: plan.sync.clone(),
                // One read serves all targets of a source, so they keep together.
                jitter: share(&[&self.instance, spec.source.as_bytes()]),
                last: known.began.sync,
            };
            known.times.reconcile = Regular {
                table: plan.reconcile.clone(),
                jitter: share(&[&self.instance, spec.source.as_bytes(), spec.name.as_bytes()]),
                last: known.began.reconcile,
            };
            known.times.letter = self.session.next_letter(&spec.name, Timestamp::MIN)?;
            self.known.insert(spec.name.clone(), known);
        }
        self.metrics.exchange.watch(&self.session.config);
        // Work on targets that were removed ends by itself; nothing new is begun for them.
        Ok(())
    }

    fn recall(&self, target: &str) -> Result<Known, EngineError> {
        let mut began = memory::recall(&self.session, target)?;
        // The first run of all lists the accounts anyway.
        began.reconcile = began.reconcile.or(Some(self.session.clock.now()));
        let times = Times {
            edge: self.session.next_edge(target, Timestamp::MIN)?,
            ..Times::default()
        };
        Ok(Known {
            times,
            began,
            ..Known::default()
        })
    }

    /// One look at the time: starts what is due, and says how long to sleep.
    pub(super) fn look(&mut self) -> Result<Duration, EngineError> {
        let now = self.session.clock.now();
        self.mind_the_clock(now)?;
        if self.stop.is_cancelled() {
            return Ok(LONGEST);
        }
        if self.order_edge.is_some_and(|at| at <= now) {
            let names: Vec<String> = self.known.keys().cloned().collect();
            self.hurry(&names)?;
        }
        let due = match self.next() {
            Some((at, due)) if at <= now => due,
            _ => Vec::new(),
        };
        self.start(&due, now)?;
        if self.work.is_idle() {
            self.upkeep.look(&self.session, now);
        }
        let longest = if self.session.clock.is_rehearsed() {
            REHEARSAL
        } else {
            LONGEST
        };
        let next = [self.next().map(|(at, _)| at), self.order_edge];
        let next = next.into_iter().flatten().min().map_or(longest, |at| {
            Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
        });
        Ok(next.clamp(Duration::from_millis(5), longest))
    }

    /// When the next work is due, and which.
    pub(super) fn next(&self) -> Option<(Timestamp, Vec<(String, What)>)> {
        let all = self
            .known
            .iter()
            .map(|(name, one)| (name.as_str(), &one.times));
        let (at, due) = next_wake(all, self.session.clock.now())?;
        let due = due.into_iter().map(|(name, what)| (name.to_owned(), what));
        Some((at, due.collect()))
    }

    /// A clock that went back has made judgements that rest on a later time than now. They are made again.
    fn mind_the_clock(&mut self, now: Timestamp) -> Result<(), EngineError> {
        let looked = self.last_look.replace((now, Instant::now()));
        let Some((before, at)) = looked else {
            return Ok(());
        };
        let passed = SignedDuration::try_from(at.elapsed()).unwrap_or(SignedDuration::ZERO);
        let step = now.duration_since(before) - passed;
        if step.abs() < STEP {
            return Ok(());
        }
        tracing::info!(
            seconds = step.as_secs(),
            "the clock was set, or the machine slept"
        );
        if step.is_negative() {
            for (name, known) in &mut self.known {
                self.session.unsettle(name)?;
                known.times.edge = Some(now);
                known.began.sync = known.began.sync.map(|at| at.min(now));
                known.began.reconcile = known.began.reconcile.map(|at| at.min(now));
                known.times.sync.last = known.began.sync;
                known.times.reconcile.last = known.began.reconcile;
            }
        }
        Ok(())
    }

    /// Starts what is due. The targets of one source that are due for the same work share one read.
    fn start(&mut self, due: &[(String, What)], now: Timestamp) -> Result<(), EngineError> {
        let mut shared: BTreeMap<(String, What), Vec<String>> = BTreeMap::new();
        for (name, what) in due {
            let Some(known) = self.known.get_mut(name) else {
                continue;
            };
            // One kind of work covers what is less urgent, where it does more.
            if *what != What::Edge && known.times.at_work {
                continue;
            }
            match what {
                What::Edge => {
                    known.times.at_edge = true;
                    known.due = known.times.edge.take();
                }
                What::Retry => {
                    known.times.at_work = true;
                    known.times.again = None;
                }
                What::Letter => {
                    known.times.at_work = true;
                    known.times.letter = None;
                }
                What::Reconcile | What::Sync => {
                    known.times.at_work = true;
                    known.times.again = None;
                    known.began.sync = Some(now);
                    known.times.sync.last = Some(now);
                    if *what == What::Reconcile {
                        known.began.reconcile = Some(now);
                        known.times.reconcile.last = Some(now);
                    }
                }
            }
            let source = self.session.target(name)?.source.clone();
            shared
                .entry((source, *what))
                .or_default()
                .push(name.clone());
        }
        for ((_, what), targets) in shared {
            match what {
                What::Edge => self.begin(&targets, (Read::Stored, View::Sync), Cause::Edge)?,
                What::Reconcile => {
                    self.begin(&targets, (Read::Now, View::Reconcile), Cause::Schedule)?;
                }
                What::Sync => self.begin(&targets, (Read::Now, View::Sync), Cause::Schedule)?,
                What::Letter => self.begin(&targets, (Read::Stored, View::Sync), Cause::Letter)?,
                What::Retry => self.try_again(&targets)?,
            }
        }
        Ok(())
    }

    fn try_again(&mut self, targets: &[String]) -> Result<(), EngineError> {
        for how in [
            (Read::Now, View::Reconcile),
            (Read::Now, View::Sync),
            (Read::Stored, View::Reconcile),
            (Read::Stored, View::Sync),
        ] {
            let same = |name: &&String| self.known.get(*name).is_some_and(|one| one.again == how);
            let targets: Vec<String> = targets.iter().filter(same).cloned().collect();
            if !targets.is_empty() {
                self.begin(&targets, how, Cause::Retry)?;
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        targets: &[String],
        (read, view): (Read, View),
        cause: Cause,
    ) -> Result<(), EngineError> {
        let dues = targets.iter().filter_map(|name| self.known.get(name)?.due);
        let due = if cause == Cause::Edge {
            dues.min()
        } else {
            None
        };
        let how = Job {
            due,
            ..job(read, view, cause)
        };
        let begun = self.work.begin(&self.session, targets, &how, None);
        if begun.is_err() {
            // Nothing is on its way after all; it is due again.
            for name in targets {
                if let Some(known) = self.known.get_mut(name) {
                    known.not_begun(cause);
                }
            }
        }
        begun
    }

    /// Runs targets because somebody asked for it.
    pub(super) fn ask(
        &mut self,
        targets: &[String],
        view: View,
        approve: Option<String>,
        waiting: Waiting,
    ) -> Result<(), EngineError> {
        let now = self.session.clock.now();
        for name in targets {
            if let Some(known) = self.known.get_mut(name) {
                known.began.sync = Some(now);
                known.times.sync.last = Some(now);
            }
        }
        let how = Job {
            approve,
            ..job(Read::Now, view, Cause::Operator)
        };
        self.work.begin(&self.session, targets, &how, Some(waiting))
    }

    /// Has what failed tried again at once: the reason may be gone.
    pub(super) fn try_now(&mut self) {
        for known in self.known.values_mut() {
            if let Some(again) = &mut known.times.again {
                again.pause = SignedDuration::ZERO;
            }
        }
    }

    /// Has some targets judged at once, on the stored read: an order was given that must be obeyed now.
    pub(super) fn hurry(&mut self, targets: &[String]) -> Result<(), EngineError> {
        let now = self.session.clock.now();
        for name in targets {
            if let Some(known) = self.known.get_mut(name) {
                known.times.edge = Some(now);
            }
        }
        self.order_edge = self.session.next_order_edge()?;
        Ok(())
    }

    /// Takes in what became of some work.
    pub(super) fn take_in(&mut self, event: Event) -> Result<(), EngineError> {
        match event {
            Event::Read {
                source,
                result,
                took,
            } => {
                self.have_read(&source, &result, took);
                for event in self.work.read_done(&self.session, &source, &result) {
                    self.take_in(event)?;
                }
                Ok(())
            }
            Event::Ran {
                mut job,
                began,
                report,
                source,
                edge,
            } => {
                let interrupted = report.retry == Retry::Interrupted;
                if interrupted {
                    self.give_way(&mut job, &report);
                }
                let is_final = self.work.ran(&self.session, &job, interrupted);
                self.note(&job, began, &report, edge, is_final)?;
                if is_final {
                    tell(&job, &report);
                    let now = self.session.clock.now();
                    self.metrics.ran(job.cause, &report, job.due, now);
                    let name = self.session.target(&job.target).ok();
                    let source = name.map(|spec| spec.source.clone()).zip(source);
                    self.work.conclude(&job, *report, source, now);
                }
                Ok(())
            }
        }
    }

    /// Once all that an edge calls for is done, the rest of its run is work like any other, and the next edge goes first.
    fn give_way(&mut self, job: &mut Job, report: &TargetReport) {
        if job.cause != Cause::Edge || leaves_access(report) || self.stop.is_cancelled() {
            return;
        }
        self.metrics
            .acted(report, job.due.take(), self.session.clock.now());
        job.cause = Cause::Retry;
        if let Some(known) = self.known.get_mut(&job.target) {
            known.times.at_edge = false;
        }
    }

    /// Notes how a read ended.
    fn have_read(
        &mut self,
        source: &str,
        result: &Result<Arc<Snapshot>, EngineError>,
        took: Duration,
    ) {
        let ended = match result {
            Ok(snapshot) if snapshot.is_complete() => {
                self.trouble.remove(source);
                "complete"
            }
            Ok(snapshot) => {
                let why = snapshot.shortfalls.join("; ");
                tracing::warn!(source, why, "the directory was not read in full");
                self.trouble.insert(source.to_owned(), why);
                "partial"
            }
            Err(EngineError::Interrupted) => return,
            Err(error) => {
                tracing::warn!(source, %error, "the directory was not read");
                self.trouble.insert(source.to_owned(), error.to_string());
                "failed"
            }
        };
        self.metrics.read(source, ended, took);
    }

    /// Notes how a run ended: when the next edge is, and whether it is worth trying again before the next scheduled run.
    fn note(
        &mut self,
        job: &Job,
        began: Timestamp,
        report: &TargetReport,
        edge: Option<Timestamp>,
        is_final: bool,
    ) -> Result<(), EngineError> {
        let now = self.session.clock.now();
        let unread = self
            .session
            .target(&job.target)
            .is_ok_and(|spec| self.trouble.contains_key(&spec.source));
        // What was due before this run began was seen to, or is tried again like the rest of it.
        let letter = self.session.next_letter(&job.target, began)?;
        let Some(known) = self.known.get_mut(&job.target) else {
            return Ok(());
        };
        let mut edge = edge;
        if report.plan.is_none() {
            edge = self.session.next_edge(&job.target, began)?;
        }
        // An edge that came while this ran is not forgotten for one that comes later.
        known.times.edge = [known.times.edge, edge].into_iter().flatten().min();
        known.times.letter = letter;
        if !is_final {
            return Ok(());
        }
        match job.cause {
            Cause::Edge => known.times.at_edge = false,
            Cause::Schedule | Cause::Retry | Cause::Letter => known.times.at_work = false,
            Cause::Operator => {}
        }
        known.last = Some((now, report.outcome, report.error.clone()));
        let read_failed = job.read == Read::Now && unread;
        match again(report, job, read_failed, known.tries) {
            Some(pause) => {
                known.tries = known.tries.saturating_add(1);
                known.times.again = Some(Again { since: now, pause });
                let read = if read_failed { Read::Now } else { Read::Stored };
                known.again = (read, job.view);
            }
            None if matches!(job.cause, Cause::Edge | Cause::Letter) => {}
            None => {
                known.tries = 0;
                known.times.again = None;
            }
        }
        memory::keep(&self.session, &job.target, known.began)
    }
}
