//! A configuration file as written: tables and values with their places, and the problems found in them.
//!
//! Pure. Reads TOML with spans and checks types, so that all problems of a file come out at once and each with its place.
//! Serde is not used here: it stops at the first problem, and loses places inside tables whose type it must find out first.
//! What values mean is decided in `valid`.

mod section;

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::suggest;
use crate::model::Problem;

pub use section::Section;

/// Syntax errors shown at most; what follows the first few is usually their consequence.
const SYNTAX_ERRORS: usize = 20;

/// A value with its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Range<usize>,
    /// Its field as a path.
    pub field: String,
}

/// What was found while reading one file.
#[derive(Debug, Default)]
pub struct Findings {
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    hidden: RefCell<Vec<Range<usize>>>,
}

impl Findings {
    /// Adds an error.
    pub fn error(&self, problem: Problem) {
        self.errors.borrow_mut().push(problem);
    }

    /// Adds a warning.
    pub fn warning(&self, problem: Problem) {
        self.warnings.borrow_mut().push(problem);
    }

    /// Notes a place that must never be shown, because a secret may stand there.
    pub fn hide(&self, span: Range<usize>) {
        self.hidden.borrow_mut().push(span);
    }

    /// Errors, warnings, and places that must not be shown; the problems in the order of the file.
    #[must_use]
    pub fn finish(self) -> (Vec<Problem>, Vec<Problem>, Vec<Range<usize>>) {
        let sorted = |problems: RefCell<Vec<Problem>>| {
            let mut problems = problems.into_inner();
            problems.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
            problems
        };
        (
            sorted(self.errors),
            sorted(self.warnings),
            self.hidden.into_inner(),
        )
    }
}

/// Parses a file. On syntax errors they are all recorded and there is no table.
#[must_use]
pub fn parse<'t>(text: &'t str, findings: &Findings) -> Option<Spanned<DeTable<'t>>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(table);
    }
    for span in secret_lines(text) {
        findings.hide(span);
    }
    for error in errors.into_iter().take(SYNTAX_ERRORS) {
        let message = format!("not valid TOML: {}", error.message());
        findings.error(Problem::new(error.span(), "", message));
    }
    None
}

/// The values on lines whose key sounds like a secret, found without parsing: a file with a syntax error is quoted in messages too.
fn secret_lines(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let lower = line.to_ascii_lowercase();
        let named = ["password", "secret", "token", "value"]
            .iter()
            .filter_map(|word| lower.find(word))
            .min();
        let after = named.and_then(|at| lower.get(at..)?.find('=').map(|equals| at + equals + 1));
        if let Some(after) = after {
            spans.push(start + after..start + line.trim_end().len().max(after));
        }
        start += line.len();
    }
    spans
}

/// Whether a text is a name: it becomes part of file names, so it is short and of harmless characters.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let harmless = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let first = text.bytes().next();
    first.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && text.len() <= 64
        && text.bytes().all(harmless)
}

/// The problem that a text is none of some words.
#[must_use]
pub fn not_an_option<T>(text: &Located<String>, options: &[(&str, T)]) -> Problem {
    let words: Vec<String> = options
        .iter()
        .map(|(word, _)| format!("\"{word}\""))
        .collect();
    let message = format!("must be one of {}", words.join(", "));
    let mut problem = Problem::new(Some(text.span.clone()), &text.field, message);
    problem.help = suggest::nearest(&text.value, options.iter().map(|(word, _)| *word))
        .map(|word| format!("did you mean \"{word}\"?"));
    problem
}

/// A text from the file that may be shown: control characters escaped, and not endlessly long.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown
}
