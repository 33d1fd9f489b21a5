//! `provost plan`: what would be done. Changes nothing anywhere.

use crate::daemon::control::ask::Command;
use crate::engine::Session;
use crate::model::Outcome;

use super::args::{Global, PlanArgs, Targets};
use super::out::Out;
use super::show::{self, About};
use super::{Stop, engine, service};

/// What was shown.
#[derive(Debug)]
pub(super) struct Seen {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// The digest of the first target's plan, as people type it.
    pub(super) digest: Option<String>,
}

pub(super) fn run(args: &PlanArgs, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let command = Command::Plan {
        targets: args.targets.targets.clone(),
        live: args.targets.live,
        at: args.at.clone(),
    };
    if let Some(outcome) = service::ask_for(command, &args.targets.files, global, out)? {
        return Ok(outcome);
    }
    let session = engine::session(global)?;
    let session = match &args.at {
        Some(text) => session.assuming(text)?,
        None => session,
    };
    Ok(of(&session, &args.targets, global, out)?.outcome)
}

/// Plans and shows, and says what was shown.
pub(super) fn show(args: &Targets, global: &Global, out: &mut Out) -> Result<Seen, Stop> {
    of(&engine::session(global)?, args, global, out)
}

fn of(session: &Session, args: &Targets, global: &Global, out: &mut Out) -> Result<Seen, Stop> {
    let request = engine::request(&args.targets, args.live);
    let report = engine::plan(session, &request, global)?;
    show::run_report(&report, About::Plan, out)?;
    show::into_files(&report, &session.config, &args.files)?;
    let digest = show::only_plan(&report).map(|plan| plan.digest().short().to_owned());
    Ok(Seen {
        outcome: engine::ended(report),
        digest,
    })
}
