//! A light tokeniser for templates and expressions.
//!
//! minijinja reports unknown filters and functions only when a template runs, and does not show its syntax tree.
//! This finds the names early, with their places, so that a misspelt one is a problem of the file and not of a person.
//! It does not judge syntax: minijinja has already accepted the text.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A name or keyword.
    Name,
    /// A text literal, quotes included.
    Literal,
    /// A number.
    Number,
    /// One character of punctuation.
    Mark,
}

/// A token inside a tag (or anywhere in an expression).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token<'t> {
    pub kind: Kind,
    pub text: &'t str,
    pub span: Range<usize>,
}

impl Token<'_> {
    fn is(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }
}

/// A name with its place and, where the first argument is a text literal, that literal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mention<'t> {
    pub name: &'t str,
    pub span: Range<usize>,
    /// The literal as written and its place.
    pub literal: Option<(&'t str, Range<usize>)>,
}

/// The names that a template or expression mentions.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Mentions<'t> {
    pub filters: Vec<Mention<'t>>,
    pub tests: Vec<Mention<'t>>,
    pub calls: Vec<Mention<'t>>,
    /// Every other name, keywords included.
    pub names: Vec<Mention<'t>>,
    /// `a-b` written without blanks: probably one attribute name.
    pub hyphenated: Vec<Range<usize>>,
}

impl<'t> Mentions<'t> {
    /// Notes names joined by a hyphen; `a-b-c` is one.
    fn join(&mut self, pair: Option<(&Token<'t>, &Token<'t>)>) {
        let Some((left, right)) = pair else {
            return;
        };
        match self.hyphenated.last_mut() {
            Some(last) if last.end == left.span.end => last.end = right.span.end,
            Some(_) | None => self.hyphenated.push(left.span.start..right.span.end),
        }
    }

    /// `map('lower')` and `select('defined')` name a filter or test in a literal.
    fn borrowed(&mut self, tokens: &[Token<'t>], index: usize) {
        let Some(name) = tokens.get(index).map(|token| token.text) else {
            return;
        };
        if !matches!(name, "map" | "select" | "reject") {
            return;
        }
        let Some((literal, span)) = first_literal(tokens, index) else {
            return;
        };
        let mention = Mention {
            name: literal.trim_matches(['\'', '"']),
            span,
            literal: literal_after(tokens, index + 2),
        };
        if name == "map" {
            self.filters.push(mention);
        } else {
            self.tests.push(mention);
        }
    }
}

/// The tokens inside the tags of a template.
pub(super) fn template(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(open) = text.get(at..).and_then(|rest| rest.find('{')) {
        let start = at + open;
        let tag = text.get(start..start + 2).unwrap_or_default();
        at = match tag {
            "{#" => end_of(text, start + 2, "#}"),
            "{{" => tokens_until(text, start + 2, "}}", &mut tokens),
            "{%" => {
                let first = tokens.len();
                let end = tokens_until(text, start + 2, "%}", &mut tokens);
                let raw = tokens.get(first).is_some_and(|token| token.text == "raw");
                if raw {
                    end_of(text, end, "endraw")
                } else {
                    end
                }
            }
            _ => start + 1,
        };
    }
    tokens
}

/// The tokens of an expression.
pub(super) fn expression(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    tokens_until(text, 0, "\0", &mut tokens);
    tokens
}

/// The fixed text before the first tag and after the last one; `None` if there is no tag at all.
pub(super) fn fixed_ends(text: &str) -> Option<(&str, &str)> {
    let first = ["{{", "{%", "{#"]
        .iter()
        .filter_map(|tag| text.find(tag))
        .min()?;
    let last = ["}}", "%}", "#}"]
        .iter()
        .filter_map(|tag| text.rfind(tag))
        .max()
        .map_or(text.len(), |at| at + 2);
    Some((text.get(..first)?, text.get(last..)?))
}

fn end_of(text: &str, from: usize, mark: &str) -> usize {
    let found = text.get(from..).and_then(|rest| rest.find(mark));
    found.map_or(text.len(), |at| from + at + mark.len())
}

fn tokens_until<'t>(text: &'t str, from: usize, end: &str, tokens: &mut Vec<Token<'t>>) -> usize {
    let mut at = from;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(end) && !closes_map(rest, end, tokens) {
            return at + end.len();
        }
        let Some(first) = rest.chars().next() else {
            break;
        };
        let (kind, length) = match first {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '\'' | '"' => (Kind::Literal, literal_length(rest, first)),
            c if c.is_alphabetic() || c == '_' => (Kind::Name, word_length(rest)),
            c if c.is_ascii_digit() => (Kind::Number, word_length(rest)),
            c => (Kind::Mark, c.len_utf8()),
        };
        let span = at..at + length;
        let text = text.get(span.clone()).unwrap_or_default();
        tokens.push(Token { kind, text, span });
        at += length;
    }
    text.len()
}

/// Whether a `}}` closes maps inside the tag rather than the tag itself: braces opened since are still open.
fn closes_map(rest: &str, end: &str, tokens: &[Token<'_>]) -> bool {
    let open = tokens.iter().filter(|token| token.is("{")).count();
    let closed = tokens.iter().filter(|token| token.is("}")).count();
    end == "}}" && open > closed && rest.starts_with("}}")
}

fn literal_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

fn word_length(rest: &str) -> usize {
    rest.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len())
}

/// Whether something is joined with `~` or ordered with `<` or `>`: operations without an answer for a missing value.
pub(super) fn is_strict(tokens: &[Token<'_>]) -> bool {
    tokens
        .iter()
        .any(|token| ["~", "<", ">"].iter().any(|mark| token.is(mark)))
}

/// The name that a template consists of, if it is nothing but `{{ name }}`.
pub(super) fn only_name(template: &str) -> Option<&str> {
    let name = template.strip_prefix("{{")?.strip_suffix("}}")?;
    let name = name.trim_matches(' ');
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// Sorts the names among tokens by the role they play.
pub(super) fn mentions<'t>(tokens: &[Token<'t>]) -> Mentions<'t> {
    let mut found = Mentions::default();
    for (index, token) in tokens.iter().enumerate() {
        let before = |back: usize| index.checked_sub(back).and_then(|at| tokens.get(at));
        let after = |ahead: usize| tokens.get(index + ahead);
        if token.is("-") && joins(before(1), token, after(1)) {
            found.join(before(1).zip(after(1)));
        }
        let member = before(1).is_some_and(|token| token.is("."));
        let keyword = after(1).is_some_and(|token| token.is("="))
            && !after(2).is_some_and(|token| token.is("="));
        if token.kind != Kind::Name || member || keyword {
            continue;
        }
        let word = |token: Option<&Token<'_>>, word: &str| token.is_some_and(|t| t.text == word);
        let mention = Mention {
            name: token.text,
            span: token.span.clone(),
            literal: first_literal(tokens, index),
        };
        found.borrowed(tokens, index);
        let tested = word(before(1), "is") || (word(before(1), "not") && word(before(2), "is"));
        if before(1).is_some_and(|token| token.is("|")) {
            found.filters.push(mention);
        } else if tested && token.text != "not" {
            found.tests.push(mention);
        } else if after(1).is_some_and(|token| token.is("(")) && !KEYWORDS.contains(&token.text) {
            found.calls.push(mention);
        } else {
            found.names.push(mention);
        }
    }
    found
}

/// Words that may stand before a parenthesis without being functions.
const KEYWORDS: &[&str] = &["and", "or", "not", "in", "if", "elif", "else", "is", "for"];

fn joins(left: Option<&Token<'_>>, mark: &Token<'_>, right: Option<&Token<'_>>) -> bool {
    left.zip(right).is_some_and(|(left, right)| {
        let names = left.kind == Kind::Name && right.kind == Kind::Name;
        names && left.span.end == mark.span.start && mark.span.end == right.span.start
    })
}

/// The first argument of the call at `index`, if it is one text literal.
fn first_literal<'t>(tokens: &[Token<'t>], index: usize) -> Option<(&'t str, Range<usize>)> {
    let open = tokens.get(index + 1)?;
    open.is("(").then(|| literal_after(tokens, index + 1))?
}

/// The argument after the mark at `index`, if it is one text literal.
fn literal_after<'t>(tokens: &[Token<'t>], index: usize) -> Option<(&'t str, Range<usize>)> {
    let mark = tokens.get(index)?;
    let at = if mark.kind == Kind::Literal {
        index + 2
    } else {
        index + 1
    };
    let literal = tokens.get(at)?;
    let end = tokens.get(at + 1)?;
    let fits = literal.kind == Kind::Literal && (end.is(")") || end.is(","));
    fits.then(|| (literal.text, literal.span.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'t>(mentions: &[Mention<'t>]) -> Vec<&'t str> {
        mentions.iter().map(|mention| mention.name).collect()
    }

    #[test]
    fn names_are_sorted_by_their_role() {
        let text = "a | b {{ mail | lower | replace('|x', \"{{\") }}{# | no #}{% if x is not defined and in_group('g') %}{{ y.z }}{% endif %}{% raw %}{{ q | nope }}{% endraw %}{{ {'a': {'b': u}} | last }}";
        let tokens = template(text);
        let found = mentions(&tokens);
        assert_eq!(names(&found.filters), ["lower", "replace", "last"]);
        assert_eq!(names(&found.tests), ["defined"]);
        assert_eq!(names(&found.calls), ["in_group"]);
        assert!(names(&found.names).contains(&"mail"));
        assert!(names(&found.names).contains(&"u"));
        assert!(!names(&found.names).contains(&"z"));
        let literal = found.calls.first().and_then(|call| call.literal.clone());
        assert_eq!(literal.map(|(text, _)| text), Some("'g'"));
    }

    #[test]
    fn spans_point_into_the_text() {
        let text = "Größe {{ ms-DS-x | lower }}";
        let tokens = template(text);
        let found = mentions(&tokens);
        let filter = found
            .filters
            .first()
            .map(|filter| &text[filter.span.clone()]);
        assert_eq!(filter, Some("lower"));
        let hyphens: Vec<&str> = found.hyphenated.iter().map(|s| &text[s.clone()]).collect();
        assert_eq!(hyphens, ["ms-DS-x"]);
    }

    #[test]
    fn unfinished_text_ends_the_scan() {
        for text in ["{{", "{{ 'a", "{% raw %}", "{#", "{", "{{ a | "] {
            assert!(template(text).len() <= 3, "{text}");
        }
        assert_eq!(fixed_ends("crm-{{ group }}-x"), Some(("crm-", "-x")));
        assert_eq!(fixed_ends("plain"), None);
        assert_eq!(only_name("{{ mail }}"), Some("mail"));
        for text in [
            "{{ a.b }}",
            "{{- a }}",
            "{{ a }}\n",
            " {{ a }}",
            "{{ a | b }}",
            "{{ }}",
            "{{ a }}{{ b }}",
        ] {
            assert_eq!(only_name(text), None, "{text}");
        }
    }
}
