//! The path of a call: split into segments before values are put in, so that a value is never more than a part of one segment.

use super::expr::{self, Expr, Piece, Scope};
use super::making::Making;
use crate::document::Text;

/// A path below the application's address.
#[derive(Debug)]
pub struct Path {
    segments: Vec<Vec<Piece>>,
    slash: bool,
}

impl Path {
    /// Compiles a path.
    pub(super) fn compile(
        making: &mut Making<'_>,
        field: &str,
        text: &Text,
        visible: &[&str],
    ) -> Option<Self> {
        let value = &text.value;
        let outside = "the path leads outside of the application's address";
        if value.contains("://") || value.starts_with("//") || value.contains('\\') {
            making.desk.advise(
                text.span.clone(),
                field,
                outside,
                "write the part below `url` only, such as \"users/{{ id }}\"",
            );
            return None;
        }
        let mut segments = Vec::new();
        let start = usize::from(value.starts_with('/'));
        let mut sound = true;
        let parts = split(value, start);
        let slash = parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty());
        let count = parts.len() - usize::from(slash);
        for part in parts.into_iter().take(count) {
            let pieces = making.pieces(field, text, part.clone(), visible)?;
            let plain: String = pieces
                .iter()
                .map(|piece| {
                    if let Piece::Text(text) = piece {
                        text
                    } else {
                        "x"
                    }
                })
                .collect();
            let complaint = if plain == ".." || plain == "." {
                Some((outside, "remove the dots"))
            } else if plain.is_empty() && value.len() > start {
                Some(("a segment of the path is empty", "write one slash only"))
            } else if plain.contains(['?', '#']) {
                Some((
                    "a path has no `?` and no `#`",
                    "put parameters into `query`",
                ))
            } else if coded(&plain) {
                Some((
                    "a path is written as it reads, without %-codes",
                    "write the character itself: it is encoded where that is needed",
                ))
            } else {
                None
            };
            if let Some((message, help)) = complaint {
                sound = false;
                making.desk.advise(text.part(part), field, message, help);
            } else if !pieces.is_empty() {
                segments.push(pieces);
            }
        }
        sound.then_some(Self { segments, slash })
    }

    /// The decoded segments for one call, and whether a slash follows the last.
    ///
    /// # Errors
    /// A text for people, where something is missing.
    pub fn segments(&self, scope: &Scope) -> Result<(Vec<String>, bool), String> {
        let mut segments = Vec::new();
        for pieces in &self.segments {
            let text = expr::join(pieces, scope)?;
            segments.push(text.ok_or("something in the path is missing")?);
        }
        Ok((segments, self.slash))
    }

    /// The expressions in it.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.segments.iter().flatten().filter_map(Piece::expr)
    }
}

/// Whether there is a `%` with two hexadecimal digits.
fn coded(text: &str) -> bool {
    text.split('%').skip(1).any(|rest| {
        let code = rest.as_bytes().get(..2);
        code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Splits at slashes outside of `{{ … }}`.
fn split(text: &str, start: usize) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let mut begin = start;
    let mut inside = false;
    let bytes = text.as_bytes();
    for at in start..bytes.len() {
        let pair = bytes.get(at..at + 2);
        if pair == Some(b"{{") {
            inside = true;
        } else if pair == Some(b"}}") {
            inside = false;
        } else if bytes.get(at) == Some(&b'/') && !inside {
            parts.push(begin..at);
            begin = at + 1;
        }
    }
    parts.push(begin..bytes.len());
    parts
}
