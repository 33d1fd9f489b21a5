//! `provost apply`: makes the changes of a plan once somebody has approved exactly these.
//!
//! An approval names a digest: by `--plan`, or by saying yes to the plan on the screen. If the plan is another one by
//! the time it is made, nothing is applied. `--yes` approves nothing beyond the limits; it only leaves out the question.

use crate::daemon::control::ask::Command;
use crate::engine::Session;
use crate::model::Outcome;

use super::args::{Apply, Global};
use super::out::{self, Out};
use super::show::{self, About};
use super::{Stop, engine, service};

pub(super) fn run(args: &Apply, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    if args.plan.is_some() && args.targets.len() > 1 {
        return Err(Stop::failed(
            "a digest belongs to one plan: name one target with --plan",
        ));
    }
    if args.plan.is_none() && !args.yes && !out::can_ask() {
        return Err(Stop::failed(
            "nobody can be asked here: give --plan DIGEST (`provost plan` shows it) or --yes",
        ));
    }
    if args.plan.is_some() || args.yes {
        let command = Command::Sync {
            targets: args.targets.clone(),
            live: args.live,
            approve: args.plan.clone(),
        };
        if let Some(outcome) = service::ask(command, global, out)? {
            return Ok(outcome);
        }
    }
    let session = engine::session(global)?;
    let mut outcome = Outcome::NothingToDo;
    for target in &args.targets {
        let one = match &args.plan {
            Some(digest) => approved(&session, args, target, Some(digest), global, out)?,
            None if args.yes => approved(&session, args, target, None, global, out)?,
            None => asked(&session, args, target, global, out)?,
        };
        outcome = outcome.max(one);
    }
    Ok(outcome)
}

/// Applies what the digest or the limits approve, and shows the plan together with what became of it.
fn approved(
    session: &Session,
    args: &Apply,
    target: &str,
    digest: Option<&String>,
    global: &Global,
    out: &mut Out,
) -> Result<Outcome, Stop> {
    let mut request = engine::request(&[target.to_owned()], args.live);
    request.approve = digest.cloned();
    let report = engine::sync(session, &request, global)?;
    show::run_report(&report, About::Run, out)?;
    Ok(report.outcome())
}

/// Shows the plan, asks, and applies exactly what was shown.
fn asked(
    session: &Session,
    args: &Apply,
    target: &str,
    global: &Global,
    out: &mut Out,
) -> Result<Outcome, Stop> {
    let mut request = engine::request(&[target.to_owned()], args.live);
    let report = engine::plan(session, &request, global)?;
    show::run_report(&report, About::Plan, out)?;
    let Some(plan) = show::only_plan(&report).filter(|plan| !plan.changes.is_empty()) else {
        return Ok(report.outcome());
    };
    let staged = report.targets.iter().filter_map(|one| one.verdict.as_ref());
    let staged: usize = staged.map(|verdict| verdict.staged.len()).sum();
    let all = plan.changes.len();
    let question = if staged == 0 {
        format!("Apply these {all} changes?")
    } else {
        format!("Apply all {all} changes, also the {staged} that the guard set aside?")
    };
    if !out::confirm(&question)? {
        return Ok(report.outcome());
    }
    request.approve = Some(plan.digest().0);
    let report = engine::sync(session, &request, global)?;
    show::run_report(&report, About::Results, out)?;
    Ok(report.outcome())
}
