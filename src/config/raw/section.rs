//! One table of a file: its values by key and type, each problem recorded where it stands.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Findings, Located, is_name, not_an_option, printable};
use crate::config::keys::{self, Keys};
use crate::config::{suggest, units};
use crate::model::Problem;

/// A table that is being read.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    table: &'a DeTable<'a>,
    span: Range<usize>,
    path: String,
    findings: &'a Findings,
}

impl<'a> Section<'a> {
    /// A table at a place; `path` is empty for the file itself.
    #[must_use]
    pub fn new(
        table: &'a DeTable<'a>,
        span: Range<usize>,
        path: String,
        findings: &'a Findings,
    ) -> Self {
        Self {
            table,
            span,
            path,
            findings,
        }
    }

    /// Refuses keys that are not among these.
    pub fn expect(&self, keys: &Keys) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if keys.keys.contains(&name) {
                continue;
            }
            let field = self.field(&printable(name));
            let message = format!("unknown key in {}", keys.table);
            let mut problem = Problem::new(Some(key.span()), &field, message);
            problem.help = Some(meant(name, keys));
            self.findings.error(problem);
        }
    }

    /// The keys of the table, for tables whose keys are the administrator's own.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.table.keys().map(|key| &**key.get_ref())
    }

    /// Where the table stands.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The table itself with its place and path, for reading that has rules of its own.
    #[must_use]
    pub fn raw(&self) -> (&'a DeTable<'a>, Range<usize>, String) {
        (self.table, self.span(), self.path.clone())
    }

    /// The findings of this file.
    #[must_use]
    pub fn findings(&self) -> &'a Findings {
        self.findings
    }

    /// The path of a field in this table.
    #[must_use]
    pub fn field(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Whether the key is present, with whatever value.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A problem at a key's value, or at the table if the key is absent.
    #[must_use]
    pub fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        let span = self.get(key).map_or(self.span(), Spanned::span);
        Problem::new(Some(span), &self.field(key), message)
    }

    /// Records an error at a key with what to do about it.
    pub fn error(&self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.findings.error(self.problem(key, message).help(help));
    }

    /// Records a warning at a key with what to do about it.
    pub fn warning(&self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.findings.warning(self.problem(key, message).help(help));
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.get(key)
    }

    fn wrong_type(&self, key: &str, found: &DeValue<'_>, wanted: &str) {
        let message = format!("must be {wanted}, not {}", kind(found));
        self.findings.error(self.problem(key, message));
    }

    /// A value as it stands, for keys whose type is decided elsewhere.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&'a DeValue<'a>> {
        self.get(key).map(Spanned::get_ref)
    }

    /// A text that is not empty and has no control characters.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Located<String>> {
        let found = self.get(key)?;
        if let Some(text) = found.get_ref().as_str() {
            self.checked(text, found.span(), self.field(key))
        } else {
            self.wrong_type(key, found.get_ref(), "a text in quotes");
            None
        }
    }

    /// A text as it stands, for looking at it again: its problems are recorded elsewhere.
    #[must_use]
    pub fn peek(&self, key: &str) -> Option<Located<String>> {
        let found = self.get(key)?;
        Some(Located {
            value: found.get_ref().as_str()?.to_owned(),
            span: found.span(),
            field: self.field(key),
        })
    }

    /// Whether the key holds a list without items.
    #[must_use]
    pub fn is_empty_list(&self, key: &str) -> bool {
        let list = self.get(key).and_then(|found| found.get_ref().as_array());
        list.is_some_and(|items| items.is_empty())
    }

    /// A text that must be there; `help` says what it is for.
    #[must_use]
    pub fn required(&self, key: &str, help: &str) -> Option<Located<String>> {
        if !self.has(key) {
            self.missing(key, help);
        }
        self.text(key)
    }

    /// Records that a key is missing.
    pub fn missing(&self, key: &str, help: &str) {
        self.error(key, format!("`{key}` is missing"), help);
    }

    fn checked(&self, text: &str, span: Range<usize>, field: String) -> Option<Located<String>> {
        let wrong = if text.is_empty() {
            "must not be empty"
        } else if text.chars().any(char::is_control) {
            "must not contain control characters or line breaks"
        } else if text.trim() != text {
            "must not begin or end with a space"
        } else {
            return Some(Located {
                value: text.to_owned(),
                span,
                field,
            });
        };
        self.findings.error(Problem::new(Some(span), &field, wrong));
        None
    }

    /// A list of texts; none if the key is absent.
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<Located<String>> {
        let Some(found) = self.get(key) else {
            return Vec::new();
        };
        let Some(items) = found.get_ref().as_array() else {
            self.wrong_type(
                key,
                found.get_ref(),
                "a list of texts, such as [\"a\", \"b\"]",
            );
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let field = format!("{}[{}]", self.field(key), index + 1);
            if let Some(text) = item.get_ref().as_str() {
                texts.extend(self.checked(text, item.span(), field));
            } else {
                let message = format!("must be a text in quotes, not {}", kind(item.get_ref()));
                let problem = Problem::new(Some(item.span()), &field, message);
                self.findings.error(problem);
            }
        }
        texts
    }

    /// `true` or `false`.
    #[must_use]
    pub fn flag(&self, key: &str, default: bool) -> bool {
        let Some(found) = self.get(key) else {
            return default;
        };
        found.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type(key, found.get_ref(), "true or false");
            default
        })
    }

    /// A whole number within a range.
    #[must_use]
    pub fn number(&self, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let found = self.get(key)?;
        let Some(written) = found.get_ref().as_integer() else {
            self.wrong_type(key, found.get_ref(), "a whole number");
            return None;
        };
        let number = i128::from_str_radix(written.as_str(), written.radix()).ok();
        let number = number.and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (low, high) = (range.start(), range.end());
            let message = format!("must be a whole number from {low} to {high}");
            self.findings.error(self.problem(key, message));
        }
        number
    }

    /// A whole or decimal number from 0 to 100.
    #[must_use]
    pub fn percent(&self, key: &str) -> Option<f32> {
        let found = self.get(key)?;
        let value = found.get_ref();
        let number: Option<f32> = match (value.as_integer(), value.as_float()) {
            (Some(number), _) if number.radix() == 10 => number.as_str().parse().ok(),
            (_, Some(number)) => number.as_str().parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (0.0..=100.0).contains(number));
        if number.is_none() {
            let message = "must be a percentage: a number from 0 to 100, without quotes or %";
            self.findings.error(self.problem(key, message));
        }
        number
    }

    /// A duration within a range.
    #[must_use]
    pub fn duration(&self, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
        let found = self.get(key)?;
        let Some(text) = found.get_ref().as_str() else {
            self.wrong_type(
                key,
                found.get_ref(),
                "a duration in quotes, such as \"30s\"",
            );
            return None;
        };
        let read = units::duration(text).and_then(|duration| {
            if range.contains(&duration) {
                return Ok(duration);
            }
            let low = units::show_duration(*range.start());
            let high = units::show_duration(*range.end());
            Err(format!("must be a duration from {low} to {high}"))
        });
        read.map_err(|message| self.findings.error(self.problem(key, message)))
            .ok()
    }

    /// A size in bytes within a range.
    #[must_use]
    pub fn size(&self, key: &str, range: RangeInclusive<usize>) -> Option<usize> {
        let found = self.get(key)?;
        let Some(text) = found.get_ref().as_str() else {
            self.wrong_type(key, found.get_ref(), "a size in quotes, such as \"4MiB\"");
            return None;
        };
        let read = units::size(text).and_then(|size| {
            let size = usize::try_from(size)
                .ok()
                .filter(|size| range.contains(size));
            size.ok_or_else(|| {
                let low = units::show_size(*range.start() as u64);
                let high = units::show_size(*range.end() as u64);
                format!("must be a size from {low} to {high}")
            })
        });
        read.map_err(|message| self.findings.error(self.problem(key, message)))
            .ok()
    }

    /// One of several words.
    #[must_use]
    pub fn choice<T: Copy>(&self, key: &str, options: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = options.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            self.findings.error(not_an_option(&text, options));
        }
        found.map(|(_, value)| *value)
    }

    /// A table below this one; its keys are checked.
    #[must_use]
    pub fn table(&self, key: &str, keys: &Keys) -> Option<Self> {
        let section = self.any_table(key)?;
        section.expect(keys);
        Some(section)
    }

    /// A table below this one, for looking at it again: its problems are recorded elsewhere.
    #[must_use]
    pub fn any_table_quietly(&self, key: &str) -> Option<Self> {
        let found = self.get(key)?;
        let table = found.get_ref().as_table()?;
        let path = self.field(key);
        Some(Section::new(table, found.span(), path, self.findings))
    }

    /// A table below this one whose keys are not known yet.
    #[must_use]
    pub fn any_table(&self, key: &str) -> Option<Self> {
        let found = self.get(key)?;
        if let Some(table) = found.get_ref().as_table() {
            let path = self.field(key);
            Some(Section::new(table, found.span(), path, self.findings))
        } else {
            self.wrong_type(key, found.get_ref(), "a table");
            None
        }
    }

    /// Whether the key holds a table.
    #[must_use]
    pub fn is_table(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|found| found.get_ref().is_table())
    }

    /// The tables of `[[key]]`, their paths made of their names where they have proper ones.
    #[must_use]
    pub fn tables(&self, key: &str) -> Vec<Self> {
        let Some(found) = self.get(key) else {
            return Vec::new();
        };
        let Some(items) = found.get_ref().as_array() else {
            let help = format!("write [[{key}]] with two brackets: there may be several");
            self.error(key, "must be a list of tables", help);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let Some(table) = item.get_ref().as_table() else {
                self.wrong_type(key, item.get_ref(), "a list of tables");
                continue;
            };
            let name = table.get("name").and_then(|name| name.get_ref().as_str());
            let path = match name.filter(|name| is_name(name)) {
                Some(name) => format!("{key}.{name}"),
                None => format!("{key}[{}]", index + 1),
            };
            sections.push(Section::new(table, item.span(), path, self.findings));
        }
        sections
    }
}

/// What an unknown key was probably meant to be: a mistyped one, or one that belongs to another table.
fn meant(name: &str, keys: &Keys) -> String {
    let elsewhere: Vec<&str> = keys::ALL
        .iter()
        .filter(|other| other.keys.contains(&name))
        .map(|other| other.table)
        .collect();
    if !elsewhere.is_empty() {
        let places = elsewhere.join(", or of ");
        return format!(
            "`{name}` is a key of {places}; in TOML a key belongs to the last [header] above it"
        );
    }
    match suggest::nearest(name, keys.keys.iter().copied()) {
        Some(key) => format!("did you mean `{key}`?"),
        None => format!("the keys here are {}", keys.keys.join(", ")),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
