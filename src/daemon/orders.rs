//! Orders of operators while the service holds the state: overrides and freezes. What they mean is the engine's.

use serde::Serialize;

use super::control::ask::Command;
use crate::engine::{EngineError, OverrideOrder, Session};

/// Carries out an order; its result as JSON, for the command that asked to show.
pub(super) fn carry_out(
    session: &Session,
    command: &Command,
    by: &str,
) -> Result<String, EngineError> {
    match command {
        Command::GiveOverride { order } => {
            let order = OverrideOrder {
                by: by.to_owned(),
                ..order.clone()
            };
            json(&session.give_override(&order)?)
        }
        Command::RevokeOverride { named } => json(&session.revoke_override(named, by)?),
        Command::ListOverrides { past } => json(&session.overrides(*past)?),
        Command::Freeze { targets, reason } => json(&session.freeze(targets, reason, by)?),
        Command::Thaw { targets, reason } => json(&session.thaw(targets, reason, by)?),
        Command::Freezes {} => json(&session.freezes()?),
        Command::Status {}
        | Command::Plan { .. }
        | Command::Explain { .. }
        | Command::Windows { .. }
        | Command::Sync { .. }
        | Command::Release { .. }
        | Command::AcceptSource { .. }
        | Command::Reload {}
        | Command::LogLevel { .. } => Err(EngineError::Refused(format!(
            "{} is no order",
            command.name()
        ))),
    }
}

fn json(value: &impl Serialize) -> Result<String, EngineError> {
    serde_json::to_string(value).map_err(|error| EngineError::Refused(error.to_string()))
}
