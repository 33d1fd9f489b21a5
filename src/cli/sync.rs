//! `provost sync`: one full cycle without questions.

use crate::daemon::control::ask::Command;
use crate::model::Outcome;

use super::args::{Global, Targets};
use super::out::Out;
use super::show::{self, About};
use super::{Stop, engine, service};

pub(super) fn run(args: &Targets, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let command = Command::Sync {
        targets: args.targets.clone(),
        live: args.live,
        approve: None,
    };
    if let Some(outcome) = service::ask_for(command, &args.files, global, out)? {
        return Ok(outcome);
    }
    let session = engine::session(global)?;
    let request = engine::request(&args.targets, args.live);
    let report = engine::sync(&session, &request, global)?;
    show::run_report(&report, About::Run, out)?;
    show::into_files(&report, &session.config, &args.files)?;
    Ok(engine::ended(report))
}
