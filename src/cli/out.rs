//! Where reports go: one locked writer on standard output, with colour and width settled once.

use std::io::{self, IsTerminal as _, Write};

use anstream::{AutoStream, ColorChoice};

use crate::report::{Look, Paint};

use super::args::{Colour, Global};

/// Columns when standard output is not a terminal.
const PLAIN_WIDTH: usize = 100;

/// Standard output for reports. A closed pipe is an error here and a good end in [`super::run`].
pub(super) struct Out {
    writer: AutoStream<io::StdoutLock<'static>>,
    /// How text reports look.
    pub(super) look: Look,
    /// Whether reports are JSON.
    pub(super) json: bool,
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out")
            .field("look", &self.look)
            .finish_non_exhaustive()
    }
}

impl Out {
    pub(super) fn new(global: &Global) -> Self {
        let stdout = io::stdout();
        let choice = match global.color {
            Colour::Auto => AutoStream::choice(&stdout),
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        };
        let paint = match choice {
            ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => Paint::Ansi,
            ColorChoice::Never => Paint::Plain,
        };
        Self {
            look: Look {
                width: width(&stdout),
                paint,
                changes_per_action: global.quiet.then_some(0),
            },
            writer: AutoStream::new(stdout.lock(), choice),
            json: global.json,
        }
    }

    /// Writes a finished report, with a line end if it has none.
    pub(super) fn report(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            self.writer.write_all(b"\n")?;
        }
        self.writer.flush()
    }
}

fn width(stdout: &io::Stdout) -> usize {
    if !stdout.is_terminal() {
        return PLAIN_WIDTH;
    }
    let columns = comfy_table::Table::new().width().map(usize::from);
    // Some terminals say that they have no columns at all.
    let columns = columns.filter(|columns| *columns > 0);
    columns.unwrap_or(PLAIN_WIDTH).clamp(40, 160)
}

/// Says something on standard error. If even that fails, the exit code still tells.
pub(super) fn complain(text: &str) {
    let mut err = anstream::stderr().lock();
    writeln!(err, "{}", text.trim_end()).ok();
}

/// Asks on the terminal; anything but yes is no.
pub(super) fn confirm(question: &str) -> io::Result<bool> {
    let mut err = anstream::stderr().lock();
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Whether a question can be asked at all.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether messages on standard error may have colour; the writer strips it where it must not be.
pub(super) fn errors_in_colour() -> bool {
    matches!(
        AutoStream::choice(&io::stderr()),
        ColorChoice::Always | ColorChoice::AlwaysAnsi
    )
}
