//! Progress on standard error while something takes long: only on a terminal, and never with `--quiet` or JSON logs.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::{Global, LogFormat};

/// How often the sign of life moves.
const TICK: Duration = Duration::from_millis(120);

/// A sign of life that disappears when it is dropped.
#[derive(Debug)]
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Starts to show what is being done.
    pub(super) fn start(global: &Global, doing: &str) -> Self {
        let shown = !global.quiet && global.log == LogFormat::Text && io::stderr().is_terminal();
        if !shown {
            return Self(None);
        }
        let bar = ProgressBar::new_spinner().with_message(doing.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self(Some(bar))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
