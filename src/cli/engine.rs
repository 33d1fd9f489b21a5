//! The engine for a command: a session, a runtime, and a sign of life.

use crate::engine::{EngineError, Request, RunReport, Session, View};
use crate::model::Outcome;

use super::args::Global;
use super::progress::{self, Progress};
use super::{Stop, load};

/// The session of a command.
pub(super) fn session(global: &Global) -> Result<Session, Stop> {
    let mut session = Session::open(load::config(global)?)?;
    session.read_progress = progress::read;
    session.apply_progress = progress::applied;
    Ok(session)
}

/// What to run for these targets.
pub(super) fn request(targets: &[String], live: bool) -> Request {
    Request {
        targets: targets.to_vec(),
        view: if live { View::Reconcile } else { View::Sync },
        ..Request::default()
    }
}

/// Plans without changing anything.
pub(super) fn plan(
    session: &Session,
    request: &Request,
    global: &Global,
) -> Result<RunReport, Stop> {
    let _progress = Progress::start(global, "planning");
    block_on(crate::engine::plan(session, request))
}

/// Runs one full cycle.
pub(super) fn sync(
    session: &Session,
    request: &Request,
    global: &Global,
) -> Result<RunReport, Stop> {
    let _progress = Progress::start(global, "running");
    block_on(crate::engine::sync(session, request))
}

/// The outcome of a report that was the last thing to be done: it goes with the process, which ends faster than a report
/// of a whole company is taken apart, change by change.
pub(super) fn ended(report: RunReport) -> Outcome {
    let outcome = report.outcome();
    std::mem::forget(report);
    outcome
}

/// Runs to the end on a runtime of its own.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, EngineError>>) -> Result<T, Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::failed(format!("no threads can be started: {error}")))?;
    Ok(runtime.block_on(work)?)
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        let outcome: Outcome = error.outcome();
        Self::Said(outcome, format!("provost: {error}"))
    }
}
