//! `provost status`: where everything stands. The running service knows more than what is remembered.

use crate::config::Secrets;
use crate::daemon::control::ask::Command;
use crate::daemon::status::{orders, remembered};
use crate::engine::{Clock, Session};
use crate::model::Outcome;
use crate::report::text;

use super::args::{Global, Status};
use super::out::Out;
use super::{Stop, load, service};

pub(super) fn run(args: &Status, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let stands = match service::ask(Command::Status {}, global, out)? {
        Some(outcome) => outcome,
        None => from_memory(global, out)?,
    };
    // Without --exit-code the exit code is about this command: it looked and told.
    Ok(if args.exit_code {
        stands
    } else {
        Outcome::NothingToDo
    })
}

fn from_memory(global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let config = load::config_quietly(global, Secrets::CheckFormOnly)?.config;
    // Looking must not begin a state directory.
    let status = if config.state_dir.exists() {
        let session = Session::open(config)?;
        let now = session.clock.now();
        let mut status = remembered(&session.config, Some(&session.state), now, true)?;
        orders(&mut status, &session)?;
        status
    } else {
        remembered(&config, None, Clock::System.now(), true)?
    };
    let report = if out.json {
        status.json()
    } else {
        text::status(&status, out.look)
    };
    out.report(&report)?;
    Ok(status.outcome())
}
