//! A configuration file as written: tables and values with their places, and the problems found in them.
//!
//! Pure. Reads TOML with spans and checks types, so that all problems of a file come out at once and each with its place.
//! Serde is not used here: it stops at the first problem, and loses places inside tables whose type it must find out first.
//! What values mean is decided in `valid`.

mod section;

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::secret::Reference;
use super::{keys, suggest};
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
        hide_secrets(table.get_ref(), findings);
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

/// What must not be shown of a file with a syntax error, found line by line: everything but comments, headers and the
/// values of known keys that hold no secrets.
fn secret_lines(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = line.trim_end().len();
        if let Some(from) = secret_part(line) {
            spans.push(start + from..start + end.max(from));
        }
        start += line.len();
    }
    spans
}

/// Where in a line a secret may begin.
fn secret_part(line: &str) -> Option<usize> {
    let words = ["password", "secret", "token", "value"];
    let lower = line.to_ascii_lowercase();
    let word = words.iter().filter_map(|word| lower.find(word)).min();
    // A URL may carry credentials, wrongly.
    let word = word.or_else(|| line.contains('@').then(|| line.find("://")).flatten());
    let equals = line.find('=');
    let key = line.get(..equals.unwrap_or(0)).unwrap_or_default().trim();
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    // An inline table may hold anything.
    let harmless = keys::is_known(key) && !keys::is_secret(key) && key != "auth";
    match (word, equals) {
        (Some(word), Some(equals)) if harmless => Some(word.max(equals + 1)),
        (_, Some(_)) if harmless => None,
        (_, Some(equals)) if key.bytes().all(bare) => Some(equals + 1),
        (_, Some(_)) => Some(0),
        (_, None) if line.trim_start().starts_with('[') => None,
        (_, None) => Some(0),
    }
}

/// Hides what a secret may stand in, wherever in the file: values of secrets' keys that are no references, values of
/// unknown keys (a mistyped one may be a secret's), and URLs with credentials.
fn hide_secrets(table: &DeTable<'_>, findings: &Findings) {
    for (key, value) in table {
        let reference = |text: &str| Reference::parse(text).is_ok();
        let referred = value.get_ref().as_str().is_some_and(reference);
        let doubtful = keys::is_secret(key.get_ref()) || !keys::is_known(key.get_ref());
        if doubtful && !referred {
            findings.hide(value.span());
        } else {
            hide_within(value, findings);
        }
    }
}

fn hide_within(value: &Spanned<DeValue<'_>>, findings: &Findings) {
    match value.get_ref() {
        DeValue::Table(table) => hide_secrets(table, findings),
        DeValue::Array(items) => items.iter().for_each(|item| hide_within(item, findings)),
        DeValue::String(text) => {
            if text.contains("://") && text.contains(['@', '?', '#']) {
                findings.hide(value.span());
            }
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
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
