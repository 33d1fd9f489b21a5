//! The flow of one run: read the sources, then, for each target side by side: look, decide, judge, apply.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::flow::OneTarget;
use super::gather::View;
use super::result::{RunReport, SourceReport, TargetReport};
use super::{EngineError, Session, Snapshot};

/// What to run.
#[derive(Clone, Debug)]
pub struct Request {
    /// The targets; empty means all.
    pub targets: Vec<String>,
    /// How the targets are looked at.
    pub view: View,
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
        match read(session, name, dry).await {
            Ok(snapshot) => {
                sources.insert(name.to_owned(), describe(&snapshot));
                snapshots.insert(name.to_owned(), Ok(Arc::new(snapshot)));
            }
            Err(error) if only => return Err(error),
            Err(error) => {
                snapshots.insert(name.to_owned(), Err(error.to_string()));
            }
        }
    }
    let mut tasks = Vec::new();
    for spec in targets {
        let name = spec.name.clone();
        let task = match snapshots.get(&spec.source) {
            Some(Ok(snapshot)) => {
                let (session, snapshot) = (session.clone(), Arc::clone(snapshot));
                let approve = request.approve.clone();
                let view = request.view;
                Ok(tokio::spawn(async move {
                    let one = OneTarget {
                        session: &session,
                        spec: &spec,
                        snapshot: &snapshot,
                        view,
                        approve,
                        run,
                        dry,
                    };
                    Box::pin(one.run()).await
                }))
            }
            Some(Err(why)) => Err(why.clone()),
            None => Err("its source was not read".to_owned()),
        };
        tasks.push((name, task));
    }
    let mut reports = Vec::new();
    for (name, task) in tasks {
        reports.push(match task {
            Ok(task) => task.await.unwrap_or_else(|_panic| {
                TargetReport::failed(&name, &EngineError::Panicked(name.clone()))
            }),
            Err(why) => TargetReport {
                outcome: crate::model::Outcome::SourceIncomplete,
                ..TargetReport::failed(&name, &EngineError::Digest(why))
            },
        });
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

/// Reads a source and, unless this is a dry run, remembers the read.
async fn read(session: &Session, name: &str, dry: bool) -> Result<Snapshot, EngineError> {
    let mut snapshot = session.fetch(name).await?;
    if !dry {
        if snapshot.is_complete() {
            session.forget_acceptance(name)?;
        }
        tokio::task::block_in_place(|| snapshot.commit(&session.state))?;
    }
    Ok(snapshot)
}

fn describe(snapshot: &Snapshot) -> SourceReport {
    SourceReport {
        server: snapshot.server.clone(),
        read_at: snapshot.read_at,
        people: snapshot.people,
        shortfalls: snapshot.shortfalls.clone(),
        problems: snapshot
            .problems
            .iter()
            .map(|p| format!("{}: {}", p.dn, p.why))
            .collect(),
    }
}
