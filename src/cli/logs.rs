//! Log lines: to the journal with its own fields when systemd says so, else to standard error as text or JSON.
//!
//! `ldap3` logs whole messages at its lower levels, values included, so nothing below error is ever taken from it.

use std::io;
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use super::args::{Cli, Command, LogFormat};

/// What is logged at the moment; can be changed while the service runs.
static LEVEL: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging for this process. A second start in one process (tests) changes nothing.
pub(super) fn start(cli: &Cli) {
    // A service is asked afterwards what it did, so it says more by itself.
    let service = matches!(cli.command, Command::Run(_));
    let level = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => "error",
        (false, 0) if !service => "warn",
        (false, 0) => "info",
        (false, 1) if !service => "info",
        (false, _) => "debug",
    };
    let (filter, handle) = reload::Layer::new(filter(level));
    let lines = match cli.global.log {
        LogFormat::Text if under_journald() => match tracing_journald::layer() {
            // Fields of ours must not be taken for the journal's own.
            Ok(journal) => journal
                .with_field_prefix(Some("PROVOST".to_owned()))
                .boxed(),
            Err(_no_journal) => text(),
        },
        LogFormat::Text => text(),
        LogFormat::Json => fmt::layer().json().with_writer(io::stderr).boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init();
    if started.is_ok() {
        LEVEL.set(handle).ok();
    }
}

/// Logs from this level on.
///
/// # Errors
/// When there is no such level.
pub(super) fn set_level(level: &str) -> Result<(), String> {
    let known = ["error", "warn", "info", "debug", "trace"];
    if !known.contains(&level) {
        return Err(format!(
            "there is no such level; there are {}",
            known.join(", ")
        ));
    }
    let handle = LEVEL
        .get()
        .ok_or("logging was not started by this program")?;
    handle
        .reload(filter(level))
        .map_err(|error| error.to_string())
}

/// Only our own crate follows the level: libraries may log what must not be seen.
fn filter(level: &str) -> EnvFilter {
    EnvFilter::new(format!("error,ldap3=error,provost={level}"))
}

fn text<S>() -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_writer(io::stderr)
        .boxed()
}

/// Whether standard error goes to the journal: systemd says in `JOURNAL_STREAM` which device and file that is. The
/// variable is inherited by whatever is started from a unit, so it is compared with where standard error really goes.
#[expect(
    clippy::disallowed_methods,
    reason = "this is about the process's own standard error, before any configuration is read"
)]
fn under_journald() -> bool {
    let Some(named) = std::env::var_os("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(here) = rustix::fs::fstat(io::stderr()) else {
        return false;
    };
    named.to_str() == Some(format!("{}:{}", here.st_dev, here.st_ino).as_str())
}
