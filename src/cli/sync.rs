//! `provost sync`: one full cycle without questions.

use crate::model::Outcome;

use super::args::{Global, Targets};
use super::out::Out;
use super::show::{self, About};
use super::{Stop, engine};

pub(super) fn run(args: &Targets, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let session = engine::session(global)?;
    let request = engine::request(&args.targets, args.live);
    let report = engine::sync(&session, &request, global)?;
    show::run_report(&report, About::Run, out)?;
    show::into_files(&report, &session.config, &args.files)?;
    Ok(report.outcome())
}
