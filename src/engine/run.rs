//! The flow of one run: read the sources, then, for each target side by side: look, decide, judge, apply.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tracing::Instrument as _;

use super::flow::OneTarget;
use super::gather::View;
use super::result::{RunReport, TargetReport};
use super::{EngineError, Session, Snapshot};

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
    let only = names.len() == 1;
    for name in names {
        match session.snapshot(name, request.read, dry).await {
            Ok(snapshot) => {
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
    for spec in targets {
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
        };
        let session = session.clone();
        tasks.push(tokio::spawn(async move {
            match one {
                Ok(snapshot) => session.run_target(&spec.name, snapshot, how).await,
                Err(why) => TargetReport::unread(&spec.name, why),
            }
        }));
    }
    let mut reports = Vec::new();
    for task in tasks {
        // A panic inside is a report already; none is lost.
        reports.extend(task.await.ok());
    }
    let ended = session.clock.now();
    Ok(RunReport {
        run,
        began,
        ended,
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
}

impl Session {
    /// Everybody in a source, for any number of targets. What was read is remembered, unless this is for a dry run.
    ///
    /// # Errors
    /// When the store fails, or the source cannot be read and never was.
    pub async fn snapshot(
        &self,
        source: &str,
        read: Read,
        dry: bool,
    ) -> Result<Arc<Snapshot>, EngineError> {
        let mut snapshot = match read {
            Read::Now => self.fetch(source).await?,
            Read::Stored => self.stored(source)?,
        };
        if !dry && read == Read::Now {
            if snapshot.is_complete() {
                self.forget_acceptance(source)?;
            }
            tokio::task::block_in_place(|| snapshot.commit(&self.state))?;
        }
        Ok(Arc::new(snapshot))
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
        let work = async move {
            let one = OneTarget {
                session: &session,
                spec: &spec,
                snapshot: &snapshot,
                view: how.view,
                approve: how.approve,
                run: how.run,
                dry: how.dry,
            };
            Box::pin(one.run()).await
        };
        // What happens inside is told as part of whatever it was begun for.
        let run = tokio::spawn(work.instrument(tracing::Span::current()));
        run.await.unwrap_or_else(|_panic| {
            TargetReport::failed(target, &EngineError::Panicked(target.to_owned()))
        })
    }
}
