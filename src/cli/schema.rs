//! `provost schema`: the JSON Schema of everything that `--json` writes.

use crate::model::Outcome;
use crate::report::json;

use super::Stop;
use super::out::Out;

pub(super) fn run(out: &mut Out) -> Result<Outcome, Stop> {
    out.report(&json::schema())?;
    Ok(Outcome::NothingToDo)
}
