//! The configuration for a command: complete and checked, or the end of the command.

use crate::config::{Config, Loaded, Secrets, load};
use crate::model::Outcome;

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
