//! Reading a TOML document by hand, so that every problem keeps its place and all problems are found at once.
//!
//! Pure. Mapping files and application profiles are read with it.
//! serde stops at the first problem and loses spans inside tagged enums; these files have few keys, so they are read one by one.

pub mod suggest;

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::Problem;
use suggest::nearest;

/// Parses a file that is no larger than `largest` bytes.
///
/// # Errors
/// Every syntax error with its place.
pub fn parse(text: &str, largest: usize) -> Result<Spanned<DeTable<'_>>, Vec<Problem>> {
    if text.len() > largest {
        let message = format!("the file is larger than {largest} bytes");
        return Err(vec![Problem::new(None, "", message)]);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(document);
    }
    let problem = |error: &toml::de::Error| Problem::new(error.span(), "", error.message());
    Err(errors.iter().map(problem).collect())
}

/// Problems in the order of the file.
#[must_use]
pub fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.span.as_ref().map(|span| (span.start, span.end)));
    problems
}

/// Text from the file, with the place it came from.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text itself.
    pub value: String,
    /// Where it stands, quotes included.
    pub span: Range<usize>,
    /// Where the first character stands, if the file spells the text without escapes.
    inner: Option<usize>,
}

impl Text {
    fn new(file: &str, span: Range<usize>, value: &str) -> Self {
        let raw = file.get(span.clone()).unwrap_or_default();
        let quote = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| raw.starts_with(quote))
            .unwrap_or_default();
        let mut start = quote.len();
        if quote.len() == 3 {
            let rest = raw.get(3..).unwrap_or_default();
            start +=
                usize::from(rest.starts_with("\r\n")) + usize::from(rest.starts_with(['\r', '\n']));
        }
        let inner = raw
            .get(start..)
            .is_some_and(|rest| rest.starts_with(value))
            .then_some(span.start + start);
        Self {
            value: value.to_owned(),
            span,
            inner,
        }
    }

    /// The place in the file of a part of the text; the whole text where escapes make that unknown.
    pub fn part(&self, part: Range<usize>) -> Range<usize> {
        match self.inner {
            Some(start) if part.end <= self.value.len() => start + part.start..start + part.end,
            Some(_) | None => self.span.clone(),
        }
    }
}

/// The file and the problems found in it so far.
#[derive(Debug)]
pub struct Desk<'f> {
    file: &'f str,
    /// The problems.
    pub problems: Vec<Problem>,
}

impl<'f> Desk<'f> {
    /// A desk for one file.
    #[must_use]
    pub fn new(file: &'f str) -> Self {
        Self {
            file,
            problems: Vec::new(),
        }
    }

    /// Notes a problem.
    pub fn note(&mut self, span: Range<usize>, field: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(Some(span), field, message));
    }

    /// Notes a problem together with what to do about it.
    pub fn advise(
        &mut self,
        span: Range<usize>,
        field: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems
            .push(Problem::new(Some(span), field, message).help(help));
    }

    /// The text of a value, if it is one.
    #[must_use]
    pub fn text(&self, value: &Spanned<DeValue<'_>>) -> Option<Text> {
        let text = value.get_ref().as_str()?;
        Some(Text::new(self.file, value.span(), text))
    }
}

/// One table of the file.
#[derive(Clone, Debug)]
pub struct Node<'t> {
    table: &'t DeTable<'t>,
    /// The place of the table.
    pub span: Range<usize>,
    /// The path of the table, empty for the file itself.
    pub path: String,
}

impl<'t> Node<'t> {
    /// A table at a place; `path` is empty for the file itself.
    #[must_use]
    pub fn new(table: &'t DeTable<'t>, span: Range<usize>, path: String) -> Self {
        Self { table, span, path }
    }

    /// The path of a key.
    pub fn field(&self, key: &str) -> String {
        let plain = key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let key = if plain {
            key.to_owned()
        } else {
            format!("\"{key}\"")
        };
        if self.path.is_empty() {
            key
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Every key with its place and value, in the order of the file.
    pub fn entries(&self) -> Vec<(&'t str, Range<usize>, &'t Spanned<DeValue<'t>>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| (&**key.get_ref(), key.span(), value))
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// The place of a key's name; of the table if the key is absent.
    pub fn key_span(&self, key: &str) -> Range<usize> {
        self.table
            .get_key_value(key)
            .map_or_else(|| self.span.clone(), |(key, _)| key.span())
    }

    /// Notes every key that is not known here.
    pub fn only(&self, known: &[&str], desk: &mut Desk<'_>) {
        for (key, span, _) in self.entries() {
            if known.contains(&key) {
                continue;
            }
            let help = nearest(key, known.iter().copied()).map_or_else(
                || format!("known here: {}", known.join(", ")),
                |near| format!("did you mean \"{near}\"?"),
            );
            desk.advise(
                span,
                &self.field(key),
                format!("unknown key \"{key}\""),
                help,
            );
        }
    }

    /// Notes that a key has a value of the wrong kind.
    pub fn wrong(&self, key: &str, expected: &str, desk: &mut Desk<'_>) {
        if let Some(value) = self.value(key) {
            let found = value.get_ref().type_str();
            let message = format!("expected {expected}, found {}", article(found));
            desk.note(value.span(), &self.field(key), message);
        }
    }

    /// A text.
    pub fn text(&self, key: &str, desk: &mut Desk<'_>) -> Option<Text> {
        let found = self.value(key).and_then(|value| desk.text(value));
        match found {
            Some(text) if text.value.trim().is_empty() => {
                desk.note(text.span, &self.field(key), "this must not be empty");
                None
            }
            Some(text) => Some(text),
            None => {
                self.wrong(key, "a text", desk);
                None
            }
        }
    }

    /// One text or a list of texts.
    pub fn texts(&self, key: &str, desk: &mut Desk<'_>) -> Vec<Text> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        if value.get_ref().is_str() {
            return self.text(key, desk).into_iter().collect();
        }
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, "a list of texts", desk);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            match desk.text(item) {
                Some(text) if !text.value.trim().is_empty() => texts.push(text),
                Some(_) | None => {
                    let message = "expected a text that is not empty";
                    desk.note(item.span(), &self.field(key), message);
                }
            }
        }
        texts
    }

    /// A truth value.
    pub fn flag(&self, key: &str, desk: &mut Desk<'_>) -> Option<bool> {
        let found = self.value(key).and_then(|value| value.get_ref().as_bool());
        if found.is_none() {
            self.wrong(key, "true or false", desk);
        }
        found
    }

    /// One of a few words.
    pub fn choice<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, T)],
        desk: &mut Desk<'_>,
    ) -> Option<T> {
        let text = self.text(key, desk)?;
        let found = words.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("unknown value \"{}\"", text.value);
            let help = format!("use one of: {}", all.join(", "));
            desk.advise(text.span, &self.field(key), message, help);
        }
        found.map(|(_, choice)| *choice)
    }

    /// A table.
    pub fn table(&self, key: &str, desk: &mut Desk<'_>) -> Option<Self> {
        let value = self.value(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(
                key,
                &format!("a table, written [{}]", self.field(key)),
                desk,
            );
            return None;
        };
        Some(Node::new(table, value.span(), self.field(key)))
    }

    /// A list of tables, each with a path such as `match[1]`.
    pub fn tables(&self, key: &str, desk: &mut Desk<'_>) -> Vec<Self> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let expected = format!("tables, each written [[{}]]", self.field(key));
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, &expected, desk);
            return Vec::new();
        };
        let mut nodes = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{}[{}]", self.field(key), index + 1);
            match item.get_ref().as_table() {
                Some(table) => nodes.push(Node::new(table, item.span(), path)),
                None => desk.note(item.span(), &path, format!("expected {expected}")),
            }
        }
        nodes
    }
}

/// A TOML type's name with its article.
fn article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}
