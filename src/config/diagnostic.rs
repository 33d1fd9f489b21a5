//! Shows problems in files: for people with the line and a caret, for logs as one line each.
//!
//! Pure. Places that may hold secrets were blanked out of the text before it came here.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::model::Problem;

/// Whether problems prevent operation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The configuration is not used.
    Error,
    /// The configuration is used.
    Warning,
}

/// One file with its problems.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileProblems {
    /// The file as messages name it.
    pub file: String,
    /// Its text, blanked where secrets may stand.
    pub text: String,
    /// What is wrong with it, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Problems of several files. `Display` shows each with its line and a caret, without colours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problems {
    severity: Severity,
    files: Vec<FileProblems>,
}

impl Problems {
    /// No problems yet.
    #[must_use]
    pub fn new(severity: Severity) -> Self {
        Self {
            severity,
            files: Vec::new(),
        }
    }

    /// One problem that belongs to no line, such as a file that cannot be read.
    #[must_use]
    pub fn single(file: &str, problem: Problem) -> Self {
        let mut problems = Self::new(Severity::Error);
        problems.add(file, "", vec![problem], &[]);
        problems
    }

    /// Adds the problems of a file; text in the `hidden` ranges is never shown.
    pub fn add(&mut self, file: &str, text: &str, problems: Vec<Problem>, hidden: &[Range<usize>]) {
        if problems.is_empty() {
            return;
        }
        self.files.push(FileProblems {
            file: file.to_owned(),
            text: blank(text, hidden),
            problems,
        });
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.iter().map(|file| file.problems.len()).sum()
    }

    /// Every problem with the name of its file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Problem)> {
        self.files.iter().flat_map(|file| {
            let name = file.file.as_str();
            file.problems.iter().map(move |problem| (name, problem))
        })
    }

    /// Each problem as one line: `file:line:column: field: message (help)`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.files.iter().flat_map(FileProblems::lines).collect()
    }

    /// Each problem with its line and a caret, and a last line that counts them.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut out = String::new();
        for file in &self.files {
            for problem in &file.problems {
                out.push_str(&file.render(problem, self.severity, &renderer));
                out.push_str("\n\n");
            }
        }
        let what = match self.severity {
            Severity::Error => "problem",
            Severity::Warning => "warning",
        };
        let count = self.len();
        let plural = if count == 1 { "" } else { "s" };
        let names: Vec<&str> = self.files.iter().map(|file| file.file.as_str()).collect();
        out.push_str(&format!("{count} {what}{plural} in {}", names.join(", ")));
        out
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

impl FileProblems {
    fn lines(&self) -> impl Iterator<Item = String> {
        self.problems.iter().map(|problem| {
            let mut line = self.file.clone();
            if let Some(span) = &problem.span {
                let (row, column) = place(&self.text, span.start);
                line.push_str(&format!(":{row}:{column}"));
            }
            line.push_str(&format!(": {}", title(problem)));
            if let Some(help) = &problem.help {
                line.push_str(&format!(" ({help})"));
            }
            line
        })
    }

    fn render(&self, problem: &Problem, severity: Severity, renderer: &Renderer) -> String {
        let level = match severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(title(problem));
        let mut group: Group<'_> = match &problem.span {
            Some(span) => title.element(
                Snippet::source(self.text.as_str())
                    .path(self.file.as_str())
                    .annotation(AnnotationKind::Primary.span(first_line(&self.text, span))),
            ),
            None => title.element(Origin::path(self.file.as_str())),
        };
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// The message with its field in front, unless the message is about the file as a whole.
fn title(problem: &Problem) -> String {
    if problem.field.is_empty() {
        problem.message.clone()
    } else {
        format!("{}: {}", problem.field, problem.message)
    }
}

/// Line and column of a byte, both from 1; columns count characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let at = boundary(text, at);
    let before = text.get(..at).unwrap_or(text);
    let row = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |line| line.chars().count())
        + 1;
    (row, column)
}

/// The part of a range that lies on its first line and inside the text, on character boundaries.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = boundary(text, span.start);
    let end = boundary(text, span.end).max(start);
    let line = text
        .get(start..end)
        .and_then(|part| part.find(['\n', '\r']));
    start..line.map_or(end, |length| start + length)
}

fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The text with every character in the ranges replaced by `*`, lines and lengths in bytes kept.
fn blank(text: &str, hidden: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c != '\n' && hidden.iter().any(|range| range.contains(&at)) {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_place_field_message_and_help() {
        let mut problems = Problems::new(Severity::Error);
        let problem = Problem::new(Some(6..8), "a.b", "is wrong").help("do better");
        problems.add("x.toml", "é = 1\nb = 2\n", vec![problem], &[]);
        assert_eq!(problems.lines(), ["x.toml:1:6: a.b: is wrong (do better)"]);
        assert_eq!(problems.len(), 1);
    }

    #[test]
    fn hidden_text_is_never_shown() {
        let text = "token = \"hüntér2\" # x\n";
        let mut problems = Problems::new(Severity::Error);
        let problem = Problem::new(Some(8..19), "token", "must not be written here");
        problems.add(
            "x.toml",
            text,
            vec![problem],
            std::slice::from_ref(&(8..19)),
        );
        let shown = problems.render(false);
        assert!(
            shown.contains("token = ***") && shown.contains("# x"),
            "{shown}"
        );
        assert!(!shown.contains("nt"), "{shown}");
    }

    #[test]
    fn ranges_outside_the_text_do_no_harm() {
        let mut problems = Problems::new(Severity::Warning);
        for span in [90..99, 1..2, 0..99, 3..3] {
            let problem = Problem::new(Some(span), "", "odd");
            problems.add("x.toml", "é\nab", vec![problem], &[]);
        }
        assert!(
            problems
                .render(false)
                .ends_with("4 warnings in x.toml, x.toml, x.toml, x.toml")
        );
        assert_eq!(problems.lines().len(), 4);
    }
}
