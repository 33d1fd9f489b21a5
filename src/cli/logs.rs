//! Log lines on standard error, as text or JSON.
//!
//! Under journald the time is left out, because the journal has its own. `ldap3` logs whole messages at its lower
//! levels, values included, so nothing below error is ever taken from it.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::args::{Global, LogFormat};

/// Starts logging for this process. A second start in one process (tests) changes nothing.
pub(super) fn start(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, _) => "debug",
    };
    // Only our own crate follows the level: libraries may log what must not be seen.
    let filter = EnvFilter::new(format!("error,ldap3=error,provost={level}"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let started = match global.log {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder
            .with_ansi(false)
            .with_target(false)
            .with_timer(Unless {
                journal: under_journald(),
            })
            .try_init(),
    };
    started.ok();
}

/// Writes the time, unless the journal does.
struct Unless {
    journal: bool,
}

impl FormatTime for Unless {
    fn format_time(&self, w: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
        if self.journal {
            return Ok(());
        }
        SystemTime.format_time(w)
    }
}

/// Whether standard error goes to the journal: systemd says so in `JOURNAL_STREAM`.
#[expect(
    clippy::disallowed_methods,
    reason = "this is about the process's own standard error, before any configuration is read"
)]
fn under_journald() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}
