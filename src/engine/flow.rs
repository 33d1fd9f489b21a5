//! The flow for one target, in one place: look, decide, judge, apply, settle.
//!
//! A dry run and a real one are the same steps; the dry one never holds a writer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::apply::{Applying, apply};
use super::book::Book;
use super::bulletin;
use super::calls::{Caller, Gate};
use super::gather::{Gathered, Inputs, View, gather};
use super::orders::frozen;
use super::password::Passwords;
use super::recover::{self, Recovered, recover};
use super::result::{ChangeStatus, Retry, TargetReport};
use super::settle::{remember, settle};
use super::taken::{self, Conflict, Earlier};
use super::{EngineError, Session, Snapshot};
use super::{heirs, letters, remarks, unseen};
use crate::config::TargetSpec;
use crate::model::{Anchor, Freeze, Letter, Plan};
use crate::reconcile::guard::{self, Approval, GuardContext};
use crate::reconcile::{Reconciled, reconcile};
use crate::store::{Conclusion, ShadowMove, TargetMeta};
use crate::target::{self, AccountReader, AccountWriter, ConnectorError};

/// The run of one target.
pub(super) struct OneTarget<'a> {
    pub(super) session: &'a Session,
    pub(super) spec: &'a TargetSpec,
    pub(super) snapshot: &'a Snapshot,
    pub(super) view: View,
    pub(super) approve: Option<String>,
    pub(super) run: u64,
    pub(super) dry: bool,
    /// Whether only taking access away and giving it back is for now.
    pub(super) access_only: bool,
}

impl OneTarget<'_> {
    /// The whole flow for one target. Trouble ends in the report, never in silence.
    pub(super) async fn run(&self) -> TargetReport {
        let result = match self.frozen() {
            Ok(None) if !self.dry => self.sync().await,
            // What is frozen is planned like a dry run: without a writer, nothing can be written.
            Ok(freeze) => self.plan(freeze).await,
            Err(error) => Err(error),
        };
        let report = result.unwrap_or_else(|error| TargetReport::failed(&self.spec.name, &error));
        let untouched = report.plan.is_none() && report.retry == Retry::Interrupted;
        if !self.dry
            && !untouched
            && let Err(error) = remember(self.session, &report)
        {
            return TargetReport::failed(&self.spec.name, &error);
        }
        report
    }

    /// A dry run: opens a reader, and there is no writer to be had here.
    async fn plan(&self, freeze: Option<Freeze>) -> Result<TargetReport, EngineError> {
        let reader = target::open_reader(&self.spec.connector)
            .await
            .map_err(|e| self.failed(e))?;
        let report = self.look(&*reader, freeze).await;
        reader.close().await;
        report
    }

    async fn look(
        &self,
        reader: &dyn AccountReader,
        freeze: Option<Freeze>,
    ) -> Result<TargetReport, EngineError> {
        let recovered = self.recover(reader).await?;
        let gathered = self
            .unless_stopped(self.gather(reader, &recovered, self.view))
            .await?;
        let mut plan = reconcile(&gathered.situation).plan;
        plan.letters = self.letters(&plan)?;
        let mut report = self.judge(plan, &Earlier::default())?;
        let recovered = recovered.into_iter().map(|found| found.remark);
        let assumed = self.session.clock.assumed().map(|at| {
            format!("as if it were {at}, with the directory and the accounts as they are now")
        });
        report.remarks = assumed
            .into_iter()
            .chain(recovered.filter(|remark| !remark.is_empty()))
            .chain(remarks::resting(self.spec))
            .chain(self.session.long_closing(self.spec)?)
            .collect();
        report.frozen = freeze;
        report.outcome = report.judge(self.dry);
        Ok(report)
    }

    /// A run that applies: the same reading and deciding, then what the guard approved.
    async fn sync(&self) -> Result<TargetReport, EngineError> {
        let writer = target::connect(&self.spec.connector)
            .await
            .map_err(|e| self.failed(e))?;
        let report = self.bring(&writer).await;
        writer.close().await;
        report
    }

    /// Recover, and as many passes as are needed: a newcomer's manager may be a newcomer too, and a name may be somebody's
    /// whom the application does not show.
    async fn bring(&self, writer: &Arc<dyn AccountWriter>) -> Result<TargetReport, EngineError> {
        let reader: &dyn AccountReader = &**writer;
        let recovered = self.recover_anyway(reader).await?;
        recover::record(&self.spec.name, &self.session.state, &recovered)?;
        unseen::keep(&self.spec.name, &self.session.state, &recovered)?;
        self.passwords().sweep(&self.session.state)?;
        let recovered: Vec<String> = recovered
            .into_iter()
            .map(|found| found.remark)
            .filter(|r| !r.is_empty())
            .chain(remarks::resting(self.spec))
            .collect();
        let mut earlier = Earlier::default();
        let (mut report, conflicts) = self.pass(writer, self.view, &earlier).await?;
        let conflicts = self.renamable(conflicts, &mut report.remarks)?;
        let mut again = earlier.learn(&report, &conflicts, &self.spec.mapping);
        while again && report.error.is_none() && !self.session.stop.is_cancelled() {
            again = match self.pass(writer, View::Sync, &earlier).await {
                Ok((mut next, conflicts)) => {
                    let conflicts = self.renamable(conflicts, &mut next.remarks)?;
                    let again = earlier.learn(&next, &conflicts, &self.spec.mapping);
                    report = merge(report, next);
                    again
                }
                Err(error) => {
                    report.error = Some(error.to_string());
                    false
                }
            };
        }
        earlier.tell(&mut report);
        self.finish(writer, &mut report).await;
        report.remarks.splice(0..0, recovered);
        report
            .remarks
            .extend(remarks::remaining(self.spec, &report));
        report.remarks.extend(self.session.long_closing(self.spec)?);
        report.frozen = self.frozen()?;
        if report.frozen.is_some() {
            // Whoever thaws it asks for the next run.
            report.retry = Retry::No;
        }
        report.outcome = report.judge(false);
        // What was changed stays changed, whatever becomes of the letters.
        if report.frozen.is_none()
            && let Err(error) = self.tell(&mut report).await
        {
            report.error.get_or_insert(error.to_string());
            report.outcome = report.judge(false);
        }
        Ok(report)
    }

    /// The conflicts after which another name is tried. Who approved a plan by its digest approved the names in it.
    /// What may be an account of our own that nobody can see is told, and left alone.
    fn renamable(
        &self,
        mut conflicts: Vec<Conflict>,
        remarks: &mut Vec<String>,
    ) -> Result<Vec<Conflict>, EngineError> {
        let state = &self.session.state;
        remarks.extend(unseen::spare(&self.spec.name, state, &mut conflicts)?);
        Ok(match self.approve {
            Some(_) => Vec::new(),
            None => conflicts,
        })
    }

    /// Letters to people, and the list to whoever works through it.
    async fn tell(&self, report: &mut TargetReport) -> Result<(), EngineError> {
        letters::post(self.session, self.spec, self.snapshot, report).await?;
        bulletin::send(self.session, self.spec, report).await
    }

    /// Tells the target that the run is over, and whether what it was not asked for is no longer wanted.
    async fn finish(&self, writer: &Arc<dyn AccountWriter>, report: &mut TargetReport) {
        let complete = |plan: &Plan| plan.basis.shortfalls.is_empty();
        let whole = report.error.is_none()
            && report.plan.as_ref().is_some_and(complete)
            && report
                .verdict
                .as_ref()
                .is_some_and(|verdict| verdict.staged.is_empty())
            && !self.session.stop.is_cancelled();
        if whole && let Err(error) = self.foresee(writer).await {
            report.error.get_or_insert(error.to_string());
        }
        if let Err(error) = writer.finish(self.session.clock.now(), whole).await {
            report.error.get_or_insert(error.to_string());
        }
    }

    /// The letters that go with a plan; none is sent here.
    fn letters(&self, plan: &Plan) -> Result<Vec<Letter>, EngineError> {
        letters::foresee(self.session, self.spec, self.snapshot, &plan.changes)
    }

    /// Look, decide, judge, apply, settle: once.
    async fn pass(
        &self,
        writer: &Arc<dyn AccountWriter>,
        view: View,
        earlier: &Earlier,
    ) -> Result<(TargetReport, Vec<Conflict>), EngineError> {
        let reader: &dyn AccountReader = &**writer;
        let gathering = self.gather_anyway(reader, view);
        let (mut gathered, unasked) = self.unless_stopped(gathering).await?;
        self.observe(&gathered)?;
        gathered.situation.live.taken = earlier.taken();
        let can = gathered.situation.capabilities;
        if can.inherits && can.delete {
            heirs::keep(&self.inputs(&[], view)?, &gathered.situation.people)?;
        }
        let mut decided = reconcile(&gathered.situation);
        earlier.spare(&mut decided);
        let Reconciled { mut plan, settled } = decided;
        plan.letters = self.letters(&plan)?;
        // Everything a plan is made from takes far more memory than the plan.
        let (digests, waiting) = (gathered.digests, gathered.waiting);
        drop(gathered.situation);
        let mut report = self.judge(plan, earlier)?;
        report
            .remarks
            .extend(remarks::left_out(waiting, unasked.as_ref()));
        let conflicts = self.apply(writer, unasked, waiting, &mut report).await?;
        settle(self.session, &self.spec.name, &digests, &settled, &report)?;
        heirs::forget(&self.session.state, &report)?;
        Ok((report, conflicts))
    }

    /// Reading may end at any moment; nothing is lost by it.
    async fn unless_stopped<T>(
        &self,
        reading: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let stopped = self.session.stop.run_until_cancelled(reading).await;
        stopped.unwrap_or(Err(EngineError::Interrupted))
    }

    fn frozen(&self) -> Result<Option<Freeze>, EngineError> {
        Ok(frozen(&self.session.state, &self.spec.name)?)
    }

    pub(super) async fn recover(
        &self,
        reader: &dyn AccountReader,
    ) -> Result<Vec<Recovered>, EngineError> {
        let state = &self.session.state;
        let now = self.session.clock.now();
        recover(&self.spec.name, state, reader, &self.spec.mapping, now).await
    }

    pub(super) async fn gather<'b>(
        &'b self,
        reader: &'b dyn AccountReader,
        recovered: &'b [Recovered],
        view: View,
    ) -> Result<Gathered<'b>, EngineError> {
        let inputs = self.inputs(recovered, view)?;
        gather(&inputs, reader).await
    }

    pub(super) fn inputs<'b>(
        &'b self,
        recovered: &'b [Recovered],
        view: View,
    ) -> Result<Inputs<'b>, EngineError> {
        Ok(Inputs {
            spec: self.spec,
            config: &self.session.config.digest,
            state: &self.session.state,
            snapshot: self.snapshot,
            recovered,
            view,
            now: self.session.clock.now(),
            pace: match self.spec.start_early {
                true => self.session.pace(self.spec)?,
                false => None,
            },
            // Who must be looked up is no hurry, and would spend what is kept for what is.
            known_only: self.access_only,
        })
    }

    /// Records what the live accounts corrected.
    fn observe(&self, gathered: &Gathered<'_>) -> Result<(), EngineError> {
        if gathered.observed.is_empty() {
            return Ok(());
        }
        let conclusions = gathered
            .observed
            .iter()
            .map(|shadow| Conclusion {
                op: None,
                anchor: shadow.anchor.clone(),
                shadow: ShadowMove::Put(Box::new(shadow.clone())),
                result: "observed".to_owned(),
            })
            .collect();
        Ok(self.session.state.conclude(&self.spec.name, conclusions)?)
    }

    /// The guard's judgement, the same in a dry run and a real one.
    fn judge(&self, plan: Plan, earlier: &Earlier) -> Result<TargetReport, EngineError> {
        let meta = self.session.state.target_meta(&self.spec.name)?;
        let context = GuardContext {
            now: self.session.clock.now(),
            reviewed_before: meta.released_once || !earlier.is_none(),
            recent_destructive: recent(&meta, self.session.clock.now()),
            created: earlier.created.clone(),
            // What was approved is the first pass's plan; later ones only complete what that one began.
            approval: if earlier.is_none() {
                self.approval(&plan, &meta)?
            } else {
                Approval::None
            },
        };
        let verdict = guard::review(&plan, &self.spec.rules, &context);
        Ok(TargetReport {
            uses: guard::uses(&plan, &self.spec.rules, &context),
            target: self.spec.name.clone(),
            plan: Some(plan),
            verdict: Some(verdict),
            results: Vec::new(),
            frozen: None,
            pace: None,
            error: None,
            remarks: Vec::new(),
            outcome: crate::model::Outcome::NothingToDo,
            retry: Retry::No,
        })
    }

    fn approval(&self, plan: &Plan, meta: &TargetMeta) -> Result<Approval, EngineError> {
        if let Some(typed) = &self.approve {
            let digest = plan.digest();
            if digest.is_named_by(typed) {
                return Ok(Approval::Plan(digest));
            }
            return Err(EngineError::Digest(format!(
                "the plan for \"{}\" is {} now, not {typed}; nothing was applied. Look at it with `provost plan {}`",
                self.spec.name,
                digest.short(),
                self.spec.name
            )));
        }
        Ok(meta
            .release
            .as_ref()
            .map_or(Approval::None, |release| Approval::Staged {
                named: release.digest.0.clone(),
                at: release.at,
            }))
    }

    async fn apply(
        &self,
        writer: &Arc<dyn AccountWriter>,
        unasked: Option<ConnectorError>,
        waiting: usize,
        report: &mut TargetReport,
    ) -> Result<Vec<Conflict>, EngineError> {
        let Some(verdict) = &report.verdict else {
            return Ok(Vec::new());
        };
        let book = Book {
            target: self.spec.name.as_str().into(),
            run: self.run,
            state: Arc::clone(&self.session.state),
            writer: Arc::clone(writer),
            mapping: Arc::clone(&self.spec.mapping),
            passwords: self.passwords(),
            now: self.session.clock.now(),
        };
        let gate = Gate::new(self.session.stop.clone());
        let by = Applying {
            caller: Arc::new(Caller { book, gate }),
            access_only: self.access_only,
            unasked,
            waiting,
            progress: &self.session.apply_progress,
        };
        let applied = apply(&verdict.approved, &by).await?;
        report.results = applied.results;
        let unmade = report.is_stuck() || waiting > 0;
        report.retry = match &applied.stopped {
            _ if unmade && self.session.stop.is_cancelled() => Retry::Interrupted,
            Some(error) => Retry::of(error),
            None if unmade => Retry::Soon,
            None => Retry::No,
        };
        report.pace = applied.pace;
        report.error = applied.stopped.map(|error| error.to_string());
        Ok(applied.conflicts)
    }

    fn passwords(&self) -> Passwords {
        Passwords {
            target: self.spec.name.as_str().into(),
            mode: self.spec.rules.credentials,
            policy: self.spec.password.clone(),
            vault: self.session.vault.clone(),
        }
    }

    pub(super) fn failed(&self, error: ConnectorError) -> EngineError {
        EngineError::Target {
            target: self.spec.name.clone(),
            error,
        }
    }
}

/// Destructive changes confirmed in the last 24 hours.
fn recent(meta: &TargetMeta, now: jiff::Timestamp) -> usize {
    let day = jiff::SignedDuration::from_hours(24);
    meta.history
        .iter()
        .filter(|effect| now.duration_since(effect.at) < day)
        .map(|effect| effect.count as usize)
        .sum()
}

/// The first pass's plan is what was reviewed; a later pass adds its changes, results and what it found.
fn merge(mut first: TargetReport, second: TargetReport) -> TargetReport {
    taken::replace(&mut first, &second);
    first.results.extend(second.results);
    first.remarks.extend(second.remarks);
    first.error = first.error.or(second.error);
    // What failed in the first pass may have been made in the second.
    let made = first.retry == Retry::Soon && !first.is_stuck();
    if first.retry == Retry::No || made {
        first.retry = second.retry;
    }
    if let (Some(plan), Some(more)) = (&mut first.plan, second.plan) {
        plan.changes.extend(more.changes);
        plan.foretold.extend(more.foretold);
        // Who waits for a person since the first pass waits for nothing else.
        let handed: BTreeSet<&Anchor> = first
            .results
            .iter()
            .filter(|result| matches!(result.status, ChangeStatus::Handed(_)))
            .map(|result| &result.change.anchor)
            .collect();
        let held = more.held.into_iter();
        let held: Vec<_> = held
            .filter(|held| !plan.held.contains(held) && !handed.contains(&held.anchor))
            .collect();
        plan.held.extend(held);
        plan.pending = more.pending;
    }
    if let (Some(verdict), Some(more)) = (&mut first.verdict, second.verdict) {
        verdict.staged.extend(more.staged);
        verdict.breaches.extend(more.breaches);
        verdict.release = verdict.release.take().or(more.release);
    }
    first
}
