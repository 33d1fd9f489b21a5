//! The service: works on schedule and at the edges of windows, and answers to commands while it holds the state.
//!
//! `schedule` is pure and says when; `turn` is the loop; `work` is who does what; `control` is the socket.
//! Nothing here decides anything about people.

pub mod control;
mod exchange;
mod known;
mod memory;
mod metrics;
mod notify;
mod orders;
mod paper;
mod reload;
mod reports;
pub mod schedule;
mod serve;
pub mod status;
mod turn;
mod upkeep;
mod work;

use std::path::PathBuf;

use crate::config::Config;
use crate::engine::{EngineError, RunReport, Session};
use crate::model::Outcome;
use control::Peer;
use control::ask::{Answer, Command, Show};

/// How reports are made and commands carried out: the same way as without a service.
pub trait Voice: Sync + std::fmt::Debug {
    /// The report of a run.
    fn run(&self, report: &RunReport, config: &Config, show: Show) -> Answer;

    /// The report of a plan.
    fn plan(&self, report: &RunReport, config: &Config, show: Show) -> Answer;

    /// Carries out a command that needs nothing of the loop. May block.
    fn carry_out(&self, session: &Session, command: &Command, by: Peer, show: Show) -> Answer;

    /// Logs from this level on.
    ///
    /// # Errors
    /// When there is no such level.
    fn log_level(&self, level: &str) -> Result<(), String>;
}

/// What the service is started with.
#[derive(Debug)]
pub struct Options {
    /// The configuration file, to read it again.
    pub path: PathBuf,
    /// What it says now.
    pub config: Config,
    /// A file that shows the time of a rehearsal.
    pub clock: Option<PathBuf>,
    /// How reports are made.
    pub voice: &'static dyn Voice,
}

/// Why the service ended, or could not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state cannot be used any more.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The system refused something.
    #[error("{what}: {error}")]
    System {
        /// What it was for.
        what: String,
        /// What it said.
        error: std::io::Error,
    },
}

impl DaemonError {
    /// The outcome that every surface shows for this error.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Engine(error) => error.outcome(),
            Self::System { .. } => Outcome::Failed,
        }
    }

    fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |error| Self::System { what, error }
    }
}

/// Runs until it is told to stop.
///
/// # Errors
/// When it cannot start, or the state cannot be used any more.
pub fn run(options: Options) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::system("no threads can be started"))?;
    let ended = runtime.block_on(async {
        let mut daemon = serve::Daemon::start(options).await?;
        daemon.serve().await
    });
    // What still hangs in a call is in the journal; the next start looks at it.
    runtime.shutdown_background();
    ended
}
