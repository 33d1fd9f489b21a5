//! The flow of one run: read the sources, then, for each target side by side: look, decide, judge, apply.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument as _;

use super::flow::OneTarget;
use super::gather::View;
use super::result::{RunReport, TargetReport};
use super::{EngineError, Session, Snapshot};
use crate::store::StoreError;
use crate::target::{until_set_aside, urgently};

/// Where a run takes people from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Read {
    /// The directory is read now; the last read stands in if it cannot be reached.
    #[default]
    Now,
    /// The last read, as stored: time alone has moved on. Nothing is asked of the directory.
    Stored,
}

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The targets; empty means all.
    pub targets: Vec<String>,
    /// How the targets are looked at.
    pub view: View,
    /// Where people are taken from.
    pub read: Read,
    /// The digest of a whole plan that a person approved, or a prefix of it.
    pub approve: Option<String>,
}

/// Plans, and changes nothing: neither a target nor our own state.
///
/// # Errors
/// When the state or a source cannot be used at all, or a name is unknown. Trouble with one target is in its report.
pub async fn plan(session: &Session, request: &Request) -> Result<RunReport, EngineError> {
    run(session, request, true).await
}

/// Runs one full cycle: what the guard allows is applied.
///
/// # Errors
/// As for [`plan`].
pub async fn sync(session: &Session, request: &Request) -> Result<RunReport, EngineError> {
    session.real_time()?;
    run(session, request, false).await
}

async fn run(session: &Session, request: &Request, dry: bool) -> Result<RunReport, EngineError> {
    let began = session.clock.now();
    let targets = session.select(&request.targets)?;
    let run = if dry { 0 } else { session.state.next_run()? };
    let mut sources = BTreeMap::new();
    let mut snapshots: HashMap<String, Result<Arc<Snapshot>, String>> = HashMap::new();
    let names: BTreeSet<&str> = targets
        .iter()
        .map(|target| target.source.as_str())
        .collect();
    let (only, mut remembering) = (names.len() == 1, Vec::new());
    for name in names {
        match session.read(name, request.read, dry).await {
            Ok((snapshot, writing)) => {
                remembering.push((name.to_owned(), writing));
                sources.insert(name.to_owned(), snapshot.describe());
                snapshots.insert(name.to_owned(), Ok(snapshot));
            }
            Err(error) if only => return Err(error),
            Err(error) => {
                snapshots.insert(name.to_owned(), Err(error.to_string()));
            }
        }
    }
    let mut tasks = Vec::new();
    for spec in &targets {
        let one = match snapshots.get(&spec.source) {
            Some(Ok(snapshot)) => Ok(Arc::clone(snapshot)),
            Some(Err(why)) => Err(why.clone()),
            None => Err("its source was not read".to_owned()),
        };
        let how = TargetRun {
            view: request.view,
            approve: request.approve.clone(),
            run,
            dry,
            urgent: false,
        };
        let (session, name) = (session.clone(), spec.name.clone());
        tasks.push(tokio::spawn(async move {
            match one {
                Ok(snapshot) => session.run_target(&name, snapshot, how).await,
                Err(why) => TargetReport::unread(&name, why),
            }
        }));
    }
    let mut reports = Vec::new();
    for task in tasks {
        // A panic inside is a report already; none is lost.
        reports.extend(task.await.ok());
    }
    for (source, writing) in remembering {
        if let Err(error) = writing.ended().await {
            let theirs = targets.iter().filter(|spec| spec.source == source);
            let theirs: BTreeSet<&str> = theirs.map(|spec| spec.name.as_str()).collect();
            for report in &mut reports {
                if theirs.contains(report.target.as_str()) {
                    report.add_error(&error, dry);
                }
            }
        }
    }
    // Giving back every person's data one by one keeps nobody waiting.
    rayon::spawn(move || drop(snapshots));
    Ok(RunReport {
        run,
        began,
        ended: session.clock.now(),
        sources,
        targets: reports,
    })
}

/// How one target is run.
#[derive(Clone, Debug)]
pub struct TargetRun {
    /// How it is looked at.
    pub view: View,
    /// The digest of a whole plan that a person approved, or a prefix of it.
    pub approve: Option<String>,
    /// The number of the run; 0 for a dry one.
    pub run: u64,
    /// Whether nothing is changed anywhere.
    pub dry: bool,
    /// Whether it is for an edge: it may use what is kept of the target's budgets for taking access away, and makes no other
    /// changes than those of access; if there are any, it ends as if it had been set aside.
    pub urgent: bool,
}

/// What was read of a source, on its way into the store.
struct Remembering(Option<JoinHandle<Result<(), StoreError>>>);

impl Remembering {
    /// Waits until it is remembered.
    async fn ended(self) -> Result<(), EngineError> {
        let Some(writing) = self.0 else {
            return Ok(());
        };
        match writing.await.map_err(JoinError::try_into_panic) {
            Ok(written) => Ok(written?),
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // Only when the whole program ends: what was not written is read again.
            Err(Err(_cancelled)) => Ok(()),
        }
    }
}

impl Session {
    /// Everybody in a source, for any number of targets. What was read is remembered when this returns, unless this is for
    /// a dry run.
    ///
    /// # Errors
    /// When the store fails, or the source cannot be read and never was.
    pub async fn snapshot(
        &self,
        source: &str,
        read: Read,
        dry: bool,
    ) -> Result<Arc<Snapshot>, EngineError> {
        let (snapshot, writing) = self.read(source, read, dry).await?;
        writing.ended().await?;
        Ok(snapshot)
    }

    /// As [`Self::snapshot`], while what was read is still being remembered. Nothing that is decided meanwhile needs it:
    /// if it is lost, the next read finds the same people new or changed, and the marks of each target say what was done.
    async fn read(
        &self,
        source: &str,
        read: Read,
        dry: bool,
    ) -> Result<(Arc<Snapshot>, Remembering), EngineError> {
        let mut snapshot = match read {
            Read::Now => match self.fetch(source).await {
                Ok(snapshot) => snapshot,
                Err(error) => {
                    if !dry {
                        self.read_failed(source, &error)?;
                    }
                    return Err(error);
                }
            },
            Read::Stored => self.stored(source)?,
        };
        let mut writing = None;
        if !dry && read == Read::Now {
            if snapshot.is_complete() {
                self.forget_acceptance(source)?;
            }
            writing = snapshot.take_news().map(|read| {
                let (state, source) = (Arc::clone(&self.state), source.to_owned());
                tokio::task::spawn_blocking(move || state.commit_read(&source, read))
            });
        }
        Ok((Arc::new(snapshot), Remembering(writing)))
    }

    /// Refuses to do anything for real at a time that is only assumed.
    fn real_time(&self) -> Result<(), EngineError> {
        match self.clock.assumed() {
            None => Ok(()),
            Some(at) => Err(EngineError::Refused(format!(
                "nothing is applied at an assumed time ({at})"
            ))),
        }
    }

    /// Runs one target to its end. Trouble is in the report, and so is a panic.
    pub async fn run_target(
        &self,
        target: &str,
        snapshot: Arc<Snapshot>,
        how: TargetRun,
    ) -> TargetReport {
        let spec = match self.target(target) {
            Ok(spec) => spec.clone(),
            Err(error) => return TargetReport::failed(target, &error),
        };
        if !how.dry
            && let Err(error) = self.real_time()
        {
            return TargetReport::failed(target, &error);
        }
        if !how.dry
            && let Err(error) = self.prune_overrides()
        {
            return TargetReport::failed(target, &error);
        }
        let session = self.clone();
        let stop = session.stop.clone();
        let work = async move {
            let one = OneTarget {
                session: &session,
                spec: &spec,
                snapshot: &snapshot,
                view: how.view,
                approve: how.approve,
                run: how.run,
                dry: how.dry,
                access_only: how.urgent,
            };
            let work = Box::pin(one.run());
            if how.urgent {
                return urgently(work).await;
            }
            work.await
        };
        // What happens inside is told as part of whatever it was begun for.
        let work = until_set_aside(stop, work).instrument(tracing::Span::current());
        let run = tokio::spawn(work);
        run.await.unwrap_or_else(|_panic| {
            TargetReport::failed(target, &EngineError::Panicked(target.to_owned()))
        })
    }
}
