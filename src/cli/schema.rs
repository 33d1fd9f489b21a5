//! `provost schema`: the JSON Schema of everything that `--json` writes.

use crate::model::Outcome;
use crate::report::json;

use super::Stop;
use super::args::{Command, SecretsCommand};
use super::out::Out;

pub(super) fn run(out: &mut Out) -> Result<Outcome, Stop> {
    out.report(&json::schema())?;
    Ok(Outcome::NothingToDo)
}

impl Command {
    /// Whether `--json` has a meaning for it.
    pub(super) const fn speaks_json(&self) -> bool {
        match self {
            Self::Plan(_)
            | Self::Apply(_)
            | Self::Sync(_)
            | Self::Freeze(_)
            | Self::Override(_)
            | Self::Windows(_)
            | Self::Status(_)
            | Self::Schema => true,
            Self::Secrets(store) => matches!(store.command, SecretsCommand::Verify),
            Self::Check(_)
            | Self::Probe(_)
            | Self::Release(_)
            | Self::Explain(_)
            | Self::Run(_)
            | Self::Reload
            | Self::LogLevel(_)
            | Self::State(_)
            | Self::Delivery(_)
            | Self::Demo(_)
            | Self::WorkList(_)
            | Self::Completions(_) => false,
        }
    }
}
