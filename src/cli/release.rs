//! `provost release`: allows one staged plan, or one shrunken read of a source, and no other.

use crate::daemon::control::ask::Command;
use crate::engine::{Released, Session};
use crate::model::Outcome;

use super::args::{Global, Release};
use super::orders::who;
use super::out::Out;
use super::{Stop, engine, service};

pub(super) fn run(args: &Release, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let command = match (&args.target, &args.plan, &args.source) {
        (Some(target), Some(plan), _) => Command::Release {
            target: target.clone(),
            plan: plan.clone(),
        },
        (_, _, Some(source)) => Command::AcceptSource {
            source: source.clone(),
        },
        (Some(_), None, None) | (None, _, None) => {
            return Err(Stop::failed("name a target with --plan, or a --source"));
        }
    };
    if let Some(outcome) = service::ask(command, global, out)? {
        return Ok(outcome);
    }
    let session = engine::session(global)?;
    let text = match (&args.target, &args.plan) {
        (Some(target), Some(plan)) => staged(&session, target, plan, &who())?,
        (Some(_) | None, _) => {
            source(&session, args.source.as_deref().unwrap_or_default(), &who())?
        }
    };
    out.report(&text)?;
    Ok(Outcome::Applied)
}

/// Allows what was set aside for a target.
pub(super) fn staged(
    session: &Session,
    target: &str,
    digest: &str,
    by: &str,
) -> Result<String, Stop> {
    Ok(match session.release(target, digest, by)? {
        Released::Waiting(count) => format!(
            "{count} changes are released for {target}. The next `provost sync {target}` within the hour makes them, if they are still the same."
        ),
        Released::Ahead => format!(
            "Nothing waits in {target} yet. The next `provost sync {target}` within the hour makes what it would set aside, if that is exactly {digest}."
        ),
    })
}

/// Accepts that a source holds fewer people now.
pub(super) fn source(session: &Session, source: &str, by: &str) -> Result<String, Stop> {
    let people = session.accept_source(source, by)?;
    Ok(format!(
        "{people} people are accepted for the next read of {source}."
    ))
}
