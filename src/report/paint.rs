//! How a report looks: width and colour. Decided by `cli`, obeyed here.

use anstyle::{AnsiColor, Style};

/// Whether styles are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paint {
    /// Text only.
    Plain,
    /// With ANSI styles; the writer may still strip them.
    Ansi,
}

/// How a text report looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Columns. Prose is wrapped to it; values are moved to a line of their own, never cut to it.
    pub width: usize,
    /// Colour.
    pub paint: Paint,
    /// At most this many changes of each action are shown in full; the rest is counted. `None` shows all.
    pub changes_per_action: Option<usize>,
}

impl Look {
    /// What scenario files hold: 100 columns, no colour, everything.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            width: 100,
            paint: Paint::Plain,
            changes_per_action: None,
        }
    }

    /// The text in a style.
    #[must_use]
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        match self.paint {
            Paint::Plain => text.to_owned(),
            Paint::Ansi => format!("{style}{text}{style:#}"),
        }
    }
}

/// For headings.
pub(super) const HEADING: Style = Style::new().bold();
/// For details that matter less.
pub(super) const FAINT: Style = Style::new().dimmed();
/// For what takes something away.
pub(super) const LOSS: Style = AnsiColor::Red.on_default();
/// For what adds something.
pub(super) const GAIN: Style = AnsiColor::Green.on_default();
/// For what changes something.
pub(super) const CHANGE: Style = AnsiColor::Yellow.on_default();
/// For what needs a person.
pub(super) const ALERT: Style = AnsiColor::Red.on_default().bold();

/// Wraps prose at spaces so that no line is wider than `width` if words allow. Words are never cut.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        } else if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_wraps_at_words_and_loses_none() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable x", 4), ["unbreakable", "x"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
