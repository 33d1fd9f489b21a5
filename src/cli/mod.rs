//! The commands: from arguments to a report and an exit code.
//!
//! One file per command, each short: it calls `engine`, shows what came back, and returns an [`Outcome`].
//! Nothing is decided here, and nothing is printed except through [`out`].

mod args;
mod check;
mod completions;
// mod demo;
mod load;
mod logs;
mod out;
mod state;
mod status;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;

use crate::model::Outcome;
use crate::store::StoreError;

use args::{Cli, Command};
use out::Out;

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    // A usage error ends the process here, with exit code 2 and clap's own message.
    let cli = Cli::parse();
    logs::start(&cli.global);
    let mut out = Out::new(&cli.global);
    match dispatch(&cli, &mut out) {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        // Whoever read us had enough (`provost plan | head`): that is no failure.
        Err(Stop::PipeClosed) => ExitCode::SUCCESS,
        Err(Stop::Said(outcome, message)) => {
            out::complain(&message);
            ExitCode::from(outcome.exit_code())
        }
    }
}

fn dispatch(cli: &Cli, out: &mut Out) -> Result<Outcome, Stop> {
    match &cli.command {
        Command::Completions(args) => completions::run(args, out),
        Command::Check(args) => check::run(args, &cli.global, out),
        Command::Status => status::run(&cli.global, out),
        Command::State(args) => state::run(args, &cli.global, out),
        Command::Plan(_)
        | Command::Apply(_)
        | Command::Sync(_)
        | Command::Release(_)
        | Command::Explain(_)
        | Command::Demo(_) => {
            load::config(&cli.global)?;
            Err(Stop::failed("this command is not there yet"))
        }
    }
}

/// Why a command ended early.
#[derive(Debug)]
enum Stop {
    /// Standard output was closed by its reader.
    PipeClosed,
    /// This is said on standard error, and the process ends with this outcome.
    Said(Outcome, String),
}

impl Stop {
    /// The command failed.
    fn failed(message: impl std::fmt::Display) -> Self {
        Self::Said(Outcome::Failed, format!("provost: {message}"))
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::PipeClosed
        } else {
            Self::failed(error)
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        let outcome = match error {
            StoreError::Locked { .. } => Outcome::Locked,
            StoreError::Damaged { .. }
            | StoreError::Io { .. }
            | StoreError::Full { .. }
            | StoreError::Version { .. }
            | StoreError::Permissions { .. }
            | StoreError::Stopped { .. } => Outcome::Failed,
        };
        Self::Said(outcome, format!("provost: {error}"))
    }
}
