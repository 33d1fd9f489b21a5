//! Progress on standard error while something takes long: only on a terminal, and never with `--quiet` or JSON logs.

use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::{Global, LogFormat};

/// How often the sign of life moves.
const TICK: Duration = Duration::from_millis(120);

/// The sign of life of this process: the engine tells its progress to plain functions.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Shows a sign of life until it is dropped.
#[derive(Debug)]
pub(super) struct Progress;

impl Progress {
    /// Starts to show what is being done.
    pub(super) fn start(global: &Global, doing: &'static str) -> Self {
        if !global.quiet && global.log == LogFormat::Text && io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner().with_message(doing);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            replace(Some(bar));
        }
        Self
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        replace(None);
    }
}

/// What the service says that goes on.
pub(super) fn say(what: &str) {
    tell(|| crate::report::safe::text(what));
}

/// So many entries were read.
pub(super) fn read(entries: u64) {
    tell(|| format!("reading people: {entries}"));
}

/// So many of so many changes were made.
pub(super) fn applied(done: usize, all: usize) {
    tell(|| format!("making changes: {done} of {all}"));
}

fn tell(message: impl FnOnce() -> String) {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bar) = &*shown {
        bar.set_message(message());
    }
}

fn replace(new: Option<ProgressBar>) {
    let mut shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(old) = std::mem::replace(&mut *shown, new) {
        old.finish_and_clear();
    }
}
