//! Compiling the values of a profile: expressions, templates and trees, each name in them checked against what can be seen there.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Number, Value as Json};
use toml::Spanned;
use toml::de::DeValue;

use super::expr::{Expr, Piece, Template};
use super::filters;
use super::tree::Tree;
use crate::document::suggest::nearest;
use crate::document::{Desk, Node, Text};

/// The state of compiling one profile.
pub(super) struct Making<'f> {
    /// The file and its problems.
    pub desk: Desk<'f>,
    /// Declared settings, as expressions spell them.
    pub settings: BTreeSet<String>,
    /// Declared secrets, as expressions spell them.
    pub secrets: BTreeSet<String>,
    /// The attributes that the profile knows.
    pub fields: BTreeSet<String>,
    /// What earlier calls of the same operation captured; nothing where that is not known.
    pub got: Option<BTreeSet<String>>,
    /// Names used by what was compiled since this was last emptied.
    pub used: BTreeSet<String>,
}

/// The name of a setting as expressions spell it.
pub(super) fn spelled(name: &str) -> String {
    name.replace('-', "_")
}

impl<'f> Making<'f> {
    pub fn new(file: &'f str) -> Self {
        Self {
            desk: Desk::new(file),
            settings: BTreeSet::new(),
            secrets: BTreeSet::new(),
            fields: BTreeSet::new(),
            got: None,
            used: BTreeSet::new(),
        }
    }

    /// The expression under a key, if there is one.
    pub fn expr(&mut self, node: &Node<'_>, key: &str, visible: &[&str]) -> Option<Expr> {
        let text = node.text(key, &mut self.desk)?;
        self.expr_of(&node.field(key), &text, visible)
    }

    pub fn expr_of(&mut self, field: &str, text: &Text, visible: &[&str]) -> Option<Expr> {
        if text.value.contains("{{") || text.value.contains("{%") {
            let message = "this is an expression: it has no braces";
            self.desk
                .advise(text.span.clone(), field, message, "leave out {{ and }}");
            return None;
        }
        let whole = 0..text.value.len();
        self.compile(field, text, whole, visible)
    }

    fn compile(
        &mut self,
        field: &str,
        text: &Text,
        part: Range<usize>,
        visible: &[&str],
    ) -> Option<Expr> {
        let source = text.value.get(part.clone()).unwrap_or_default();
        let expr = match Expr::compile(source.trim()) {
            Ok(expr) => expr,
            Err(error) => {
                let what = error
                    .detail()
                    .map_or_else(|| error.kind().to_string(), str::to_owned);
                let help = "text goes into quotes; templates have {{ … }}, expressions do not";
                self.desk.advise(
                    text.part(part),
                    field,
                    format!("this does not parse: {what}"),
                    help,
                );
                return None;
            }
        };
        let sound = self.filters_known(field, text, &part, source)
            & self.names_known(field, text, &part, &expr, visible);
        sound.then_some(expr)
    }

    fn names_known(
        &mut self,
        field: &str,
        text: &Text,
        part: &Range<usize>,
        expr: &Expr,
        visible: &[&str],
    ) -> bool {
        let mut sound = true;
        for name in expr.names() {
            let (root, inner) = name.split_once('.').unwrap_or((&name, ""));
            let inner = inner.split('.').next().unwrap_or_default();
            let complaint = match root {
                "settings" if self.secrets.contains(inner) => Some((
                    format!("`{inner}` is a secret"),
                    "write secret. instead; secrets are for [[auth]] and [http] headers".to_owned(),
                )),
                "settings" if inner.is_empty() => Some((
                    "this needs the name of a setting".to_owned(),
                    "write settings.name".to_owned(),
                )),
                "settings" => unknown("setting", inner, self.settings.iter().map(String::as_str)),
                "secret" if visible.contains(&"secret") => {
                    unknown("secret", inner, self.secrets.iter().map(String::as_str))
                }
                "secret" => Some((
                    "secrets cannot be used here".to_owned(),
                    "they are for [[auth]] and [http] headers".to_owned(),
                )),
                "got" if visible.contains(&"got") => self.captured(inner),
                "password" if !visible.contains(&"password") => Some((
                    "a password cannot be used here".to_owned(),
                    "it goes into the body of [[operation.set-password]] or [[operation.create]]; addresses are kept in many logs".to_owned(),
                )),
                _ => unknown("name", root, visible.iter().copied().chain(["settings"])),
            };
            match complaint {
                Some((message, help)) => {
                    sound = false;
                    let known_root = matches!(root, "settings" | "secret");
                    let shown = if known_root { name.as_str() } else { root };
                    let code = text.value.get(part.clone());
                    let place = code.and_then(|code| code.find(shown)).map_or_else(
                        || part.clone(),
                        |at| part.start + at..part.start + at + shown.len(),
                    );
                    self.desk.advise(text.part(place), field, message, help);
                }
                None => {
                    self.used.insert(root.to_owned());
                }
            }
        }
        sound
    }

    /// Whether an earlier call of the operation captures this.
    fn captured(&self, name: &str) -> Option<(String, String)> {
        let got = self.got.as_ref()?;
        if name.is_empty() || got.contains(name) {
            return None;
        }
        let help = match nearest(name, got.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("add capture = {{ {name} = \"answer.…\" }} to a call before this one"),
        };
        Some((format!("no earlier call captures \"{name}\""), help))
    }

    /// Attributes that a call names must be fields.
    pub fn is_field(&mut self, field: &str, text: &Text) {
        let known = self.fields.iter().map(String::as_str);
        if self.fields.contains(&text.value) {
            return;
        }
        let help = match nearest(&text.value, known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("add [field.{}]", text.value),
        };
        let message = format!("unknown field \"{}\"", text.value);
        self.desk.advise(text.span.clone(), field, message, help);
    }

    /// Names after a single `|` must be filters: the engine would only notice when the expression runs.
    fn filters_known(
        &mut self,
        field: &str,
        text: &Text,
        part: &Range<usize>,
        source: &str,
    ) -> bool {
        let mut sound = true;
        for (at, name) in filter_names(source) {
            if filters::names().any(|known| known == name) {
                continue;
            }
            sound = false;
            let help = nearest(name, filters::names()).map_or_else(
                || "docs/http-profiles.md lists the filters".to_owned(),
                |near| format!("did you mean \"{near}\"?"),
            );
            let place = part.start + at..part.start + at + name.len();
            self.desk.advise(
                text.part(place),
                field,
                format!("unknown filter \"{name}\""),
                help,
            );
        }
        sound
    }

    /// A template from text.
    pub fn template(&mut self, field: &str, text: &Text, visible: &[&str]) -> Option<Template> {
        let mut pieces = self.pieces(field, text, 0..text.value.len(), visible)?;
        Some(match (pieces.len(), pieces.pop()) {
            (0 | 1, None) => Template::Fixed(Json::String(String::new())),
            (1, Some(Piece::Text(text))) => Template::Fixed(Json::String(text)),
            (1, Some(Piece::Expr(expr))) => Template::Typed(expr),
            (_, last) => {
                pieces.extend(last);
                Template::Mixed(pieces)
            }
        })
    }

    /// The pieces of a part of a text.
    pub fn pieces(
        &mut self,
        field: &str,
        text: &Text,
        part: Range<usize>,
        visible: &[&str],
    ) -> Option<Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut at = part.start;
        let end = part.end;
        while at < end {
            let rest = text.value.get(at..end).unwrap_or_default();
            let Some(open) = rest.find("{{") else {
                if let Some(stray) = rest.find("{%") {
                    self.desk.advise(
                        text.part(at + stray..at + stray + 2),
                        field,
                        "templates here have {{ … }} only",
                        "use a conditional expression, or `when` of the call",
                    );
                    return None;
                }
                pieces.push(Piece::Text(rest.to_owned()));
                break;
            };
            let Some(close) = closing(rest.get(open..).unwrap_or_default()) else {
                self.desk.advise(
                    text.part(at + open..at + open + 2),
                    field,
                    "this `{{` is never closed",
                    "close it with }}",
                );
                return None;
            };
            if open > 0 {
                pieces.push(Piece::Text(rest.get(..open).unwrap_or_default().to_owned()));
            }
            let code = at + open + 2..at + open + close;
            pieces.push(Piece::Expr(self.compile(field, text, code, visible)?));
            at += open + close + 2;
        }
        Some(pieces)
    }

    /// The template under a key; numbers and truth values stand for themselves.
    pub fn value(
        &mut self,
        field: &str,
        value: &Spanned<DeValue<'_>>,
        visible: &[&str],
    ) -> Option<Template> {
        match self.tree(field, value, visible)? {
            Tree::Leaf(template) => Some(template),
            Tree::List(_) | Tree::Table(_) => {
                self.desk.note(
                    value.span(),
                    field,
                    "expected one value, found a list or a table",
                );
                None
            }
        }
    }

    /// A tree of values.
    pub fn tree(
        &mut self,
        field: &str,
        value: &Spanned<DeValue<'_>>,
        visible: &[&str],
    ) -> Option<Tree> {
        Some(match value.get_ref() {
            DeValue::String(_) => {
                let text = self.desk.text(value)?;
                Tree::Leaf(self.template(field, &text, visible)?)
            }
            DeValue::Integer(number) => {
                let found = i64::from_str_radix(number.as_str(), number.radix()).ok();
                if found.is_none() {
                    self.desk
                        .note(value.span(), field, "this number is too large");
                }
                Tree::Leaf(Template::Fixed(Json::Number(Number::from(found?))))
            }
            DeValue::Float(number) => {
                let found = number.as_str().parse().ok().and_then(Number::from_f64);
                Tree::Leaf(Template::Fixed(Json::Number(found?)))
            }
            DeValue::Boolean(flag) => Tree::Leaf(Template::Fixed(Json::Bool(*flag))),
            DeValue::Datetime(_) => {
                self.desk.advise(
                    value.span(),
                    field,
                    "dates are written as text",
                    "put it into quotes",
                );
                return None;
            }
            DeValue::Array(items) => {
                let trees: Vec<_> = items
                    .iter()
                    .map(|item| self.tree(field, item, visible))
                    .collect();
                Tree::List(trees.into_iter().collect::<Option<_>>()?)
            }
            DeValue::Table(table) => {
                let node = Node::new(table, value.span(), field.to_owned());
                Tree::Table(self.members(&node, visible)?)
            }
        })
    }

    /// The members of a table, in the order of the file.
    pub fn members(&mut self, node: &Node<'_>, visible: &[&str]) -> Option<Vec<(String, Tree)>> {
        let mut members = Vec::new();
        let mut sound = true;
        for (name, _, value) in node.entries() {
            match self.tree(&node.field(name), value, visible) {
                Some(tree) => members.push((name.to_owned(), tree)),
                None => sound = false,
            }
        }
        sound.then_some(members)
    }

    /// A table of templates, in the order of the file; empty if the key is absent.
    pub fn values(
        &mut self,
        node: &Node<'_>,
        key: &str,
        visible: &[&str],
    ) -> Vec<(String, Template)> {
        let Some(table) = node.table(key, &mut self.desk) else {
            return Vec::new();
        };
        let entries = table.entries();
        let found = entries.into_iter().filter_map(|(name, _, value)| {
            // A list is one value here: it becomes several parameters or one, by the rules of the application.
            let template = match self.tree(&table.field(name), value, visible)? {
                Tree::Leaf(template) => template,
                Tree::List(items) => Template::Fixed(fixed_list(items)?),
                Tree::Table(_) => {
                    self.desk.note(
                        value.span(),
                        &table.field(name),
                        "expected one value, found a table",
                    );
                    return None;
                }
            };
            Some((name.to_owned(), template))
        });
        found.collect()
    }

    /// A table of expressions, in the order of the file.
    pub fn exprs(&mut self, node: &Node<'_>, key: &str, visible: &[&str]) -> Vec<(String, Expr)> {
        let Some(table) = node.table(key, &mut self.desk) else {
            return Vec::new();
        };
        let names = table.entries();
        let found = names
            .into_iter()
            .filter_map(|(name, _, _)| Some((name.to_owned(), self.expr(&table, name, visible)?)));
        found.collect()
    }

    /// Notes that a key is missing.
    pub fn missing(&mut self, node: &Node<'_>, key: &str, help: &str) {
        let message = format!("`{key}` is missing");
        self.desk
            .advise(node.span.clone(), &node.field(key), message, help);
    }
}

fn fixed_list(items: Vec<Tree>) -> Option<Json> {
    let fixed = items.into_iter().map(|item| match item {
        Tree::Leaf(Template::Fixed(value)) => Some(value),
        Tree::Leaf(Template::Typed(_) | Template::Mixed(_)) | Tree::List(_) | Tree::Table(_) => {
            None
        }
    });
    fixed.collect::<Option<Vec<Json>>>().map(Json::Array)
}

fn unknown<'k>(
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Option<(String, String)> {
    if known.clone().any(|k| k == name) {
        return None;
    }
    let all: Vec<&str> = known.clone().collect();
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if all.is_empty() => "none is declared in [settings]".to_owned(),
        None => format!("known here: {}", all.join(", ")),
    };
    Some((format!("unknown {kind} \"{name}\""), help))
}

/// Where the `}}` of a text that begins with `{{` stands, quotes respected.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0_usize;
    let bytes = text.as_bytes();
    let mut at = 2;
    while let Some(&byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), _) if open == byte => quote = None,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            (Some(_) | None, _) => {}
        }
        at += 1;
    }
    None
}

/// The names of filters in an expression, with their places.
fn filter_names(source: &str) -> Vec<(usize, &str)> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut quote = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), _) if open == byte => quote = None,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'|') => {
                let rest = source.get(at + 1..).unwrap_or_default();
                let begin = at + 1 + (rest.len() - rest.trim_start().len());
                let name = source.get(begin..).unwrap_or_default();
                let end = name
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(name.len());
                found.extend(source.get(begin..begin + end).map(|name| (begin, name)));
            }
            (Some(_) | None, _) => {}
        }
        at += 1;
    }
    found
}
