//! One thing wrong with a file that an administrator wrote.

use std::ops::Range;

/// A problem in a configuration or mapping file. All problems of a file are collected and shown at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Byte range in the file, where known; shown as line, column and caret.
    pub span: Option<Range<usize>>,
    /// The field as a path, such as `attributes.userName.value`.
    pub field: String,
    /// What is wrong. Lower case, no full stop.
    pub message: String,
    /// What to do about it, or what was probably meant.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at a place in the file.
    #[must_use]
    pub fn new(span: Option<Range<usize>>, field: &str, message: impl Into<String>) -> Self {
        Self {
            span,
            field: field.to_owned(),
            message: message.into(),
            help: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
