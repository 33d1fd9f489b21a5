//! The commands: from arguments to a report and an exit code.
//!
//! One file per command, each short: it calls `engine`, shows what came back, and returns an [`Outcome`].
//! Nothing is decided here, and nothing is printed except through `out`.

mod apply;
mod args;
mod check;
mod completions;
mod delivery;
mod demo;
mod engine;
mod explain;
mod files;
mod freeze;
mod load;
mod logs;
mod memory;
mod orders;
mod out;
mod overrides;
mod plan;
mod progress;
mod release;
mod run;
mod schema;
mod secrets;
mod service;
mod show;
mod state;
mod status;
mod sync;
mod windows;
mod worklist;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;

use crate::daemon::control::ask as control;
use crate::model::Outcome;
use crate::store::StoreError;

use args::{Cli, Command};
use out::Out;

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    // A usage error ends the process here, with exit code 2 and clap's own message.
    let cli = Cli::parse();
    if cli.global.json && !cli.command.speaks_json() {
        out::complain(
            "provost: this command writes no JSON, so this is text; docs/json.md names the commands that do",
        );
    }
    logs::start(&cli);
    memory::page_by_page();
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
    let global = &cli.global;
    match &cli.command {
        Command::Check(args) => check::run(args, global, out),
        Command::Probe(args) => check::probe(args, global, out),
        Command::Plan(args) => plan::run(args, global, out),
        Command::Apply(args) => apply::run(args, global, out),
        Command::Sync(args) => sync::run(args, global, out),
        Command::Release(args) => release::run(args, global, out),
        Command::Explain(args) => explain::run(args, global, out),
        Command::Freeze(args) => freeze::run(args, global, out),
        Command::Override(args) => overrides::run(args, global, out),
        Command::Windows(args) => windows::run(args, global, out),
        Command::Status(args) => status::run(args, global, out),
        Command::Run(args) => run::run(args, global),
        Command::Reload => service::must_ask(control::Command::Reload {}, global, out),
        Command::LogLevel(args) => {
            let level = args.level.clone();
            service::must_ask(control::Command::LogLevel { level }, global, out)
        }
        Command::Secrets(args) => secrets::run(args, global, out),
        Command::State(args) => state::run(args, global, out),
        Command::Schema => schema::run(out),
        Command::Delivery(args) => delivery::run(args, global, out),
        Command::Demo(args) => demo::run(args, global, out),
        Command::WorkList(args) => worklist::run(args, global, out),
        Command::Completions(args) => completions::run(args, out),
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
            | StoreError::Key { .. }
            | StoreError::Taken { .. }
            | StoreError::Stopped { .. } => Outcome::Failed,
        };
        Self::Said(outcome, format!("provost: {error}"))
    }
}
