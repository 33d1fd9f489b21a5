//! The configuration for a command: complete and checked, or the end of the command.

use crate::config::{Config, Loaded, Secrets, load};
use crate::model::Outcome;
use crate::report::safe;

use super::args::Global;
use super::{Stop, out};

/// The configuration with its secrets; warnings go to the log.
pub(super) fn config(global: &Global) -> Result<Config, Stop> {
    let loaded = config_quietly(global, Secrets::Load)?;
    for line in loaded.warnings.lines() {
        tracing::info!("{line}");
    }
    Ok(loaded.config)
}

/// The configuration with its warnings.
pub(super) fn config_quietly(global: &Global, secrets: Secrets) -> Result<Loaded, Stop> {
    load(&global.config, secrets).map_err(|problems| {
        let text = problems.render(out::errors_in_colour());
        Stop::Said(Outcome::ConfigInvalid, text)
    })
}

/// Refuses a name that is not a target of the configuration.
pub(super) fn known_target(config: &Config, name: &str) -> Result<(), Stop> {
    if config.target(name).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = config.targets.iter().map(|one| &*one.name).collect();
    let message = format!(
        "provost: there is no target named \"{}\"; configured are: {}",
        safe::text(name),
        names.join(", ")
    );
    Err(Stop::Said(Outcome::ConfigInvalid, message))
}
