//! `provost release`: allows one staged plan, or one shrunken read of a source, and no other.

use crate::engine::Released;
use crate::model::Outcome;

use super::args::{Global, Release};
use super::orders::who;
use super::out::Out;
use super::{Stop, engine};

pub(super) fn run(args: &Release, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let session = engine::session(global)?;
    let text = match (&args.target, &args.plan, &args.source) {
        (Some(target), Some(digest), _) => match session.release(target, digest, &who())? {
            Released::Waiting(count) => format!(
                "{count} changes are released for {target}. The next `provost sync {target}` within the hour makes them, if they are still the same."
            ),
            Released::Ahead => format!(
                "Nothing waits in {target} yet. The next `provost sync {target}` within the hour makes what it would set aside, if that is exactly {digest}."
            ),
        },
        (_, _, Some(source)) => {
            let people = session.accept_source(source, &who())?;
            format!("{people} people are accepted for the next read of {source}.")
        }
        (Some(_), None, None) | (None, _, None) => {
            return Err(Stop::failed("name a target with --plan, or a --source"));
        }
    };
    out.report(&text)?;
    Ok(Outcome::Applied)
}
