//! `provost completions`: the completion script for a shell.

use clap::CommandFactory as _;

use crate::model::Outcome;

use super::Stop;
use super::args::{Cli, Completions};
use super::out::Out;

pub(super) fn run(args: &Completions, out: &mut Out) -> Result<Outcome, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "provost", &mut script);
    out.report(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::NothingToDo)
}
