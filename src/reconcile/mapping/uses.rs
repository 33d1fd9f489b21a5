//! Compiling one template or expression: its syntax, every name in it, and what it needs from the directory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use minijinja::Error;
use minijinja::value::Value as Jinja;

use super::facts::VARIABLES;
use super::program::{Engine, Program};
use super::reader::{Desk, Text};
use super::scan::{self, Mention, Mentions, Token};
use super::suggest::nearest;
use super::types::GroupUse;
use super::{convert, dn, filters};

/// Largest compiled size of one regular expression, in bytes.
const PATTERN_SIZE: usize = 256 << 10;

/// The state of compiling one mapping file.
#[derive(Debug)]
pub(super) struct Compiler<'f> {
    /// The file and its problems.
    pub desk: Desk<'f>,
    /// Where programs live.
    pub engine: Engine,
    /// Attributes that programs read, lower case.
    pub attributes: BTreeSet<String>,
    /// Those attributes as programs spell them.
    pub spellings: BTreeSet<String>,
    /// Groups that the mapping refers to.
    pub groups: GroupUse,
    /// Lookup tables.
    pub tables: BTreeMap<String, BTreeMap<String, Jinja>>,
    /// Compiled patterns.
    pub patterns: HashMap<String, regex::Regex>,
}

/// One program under examination.
struct Exam<'t> {
    field: &'t str,
    text: &'t Text,
    extra: &'t [&'t str],
    inputs: BTreeSet<String>,
    sound: bool,
}

impl<'f> Compiler<'f> {
    pub fn new(file: &'f str) -> Self {
        Self {
            desk: Desk::new(file),
            engine: Engine::new(),
            attributes: BTreeSet::new(),
            spellings: BTreeSet::new(),
            groups: GroupUse::None,
            tables: BTreeMap::new(),
            patterns: HashMap::new(),
        }
    }

    /// Compiles a template; `extra` names variables that it may use besides the usual ones.
    pub fn template(&mut self, field: &str, text: &Text, extra: &[&str]) -> Option<Program> {
        let tokens = scan::template(&text.value);
        let strict = scan::is_strict(&tokens);
        let made = self.engine.template(field, &text.value, strict);
        self.finish(made, field, text, extra, &tokens)
    }

    /// Compiles an expression.
    pub fn expression(&mut self, field: &str, text: &Text, extra: &[&str]) -> Option<Program> {
        let tokens = scan::expression(&text.value);
        let strict = scan::is_strict(&tokens);
        let made = self.engine.expression(field, &text.value, strict);
        self.finish(made, field, text, extra, &tokens)
    }

    fn finish(
        &mut self,
        made: Result<(Program, Vec<String>), Error>,
        field: &str,
        text: &Text,
        extra: &[&str],
        tokens: &[Token<'_>],
    ) -> Option<Program> {
        let (mut program, open) = match made {
            Ok(made) => made,
            Err(error) => {
                self.syntax(&error, field, text, tokens);
                return None;
            }
        };
        let mut exam = Exam {
            field,
            text,
            extra,
            inputs: BTreeSet::new(),
            sound: true,
        };
        let found = scan::mentions(tokens);
        self.hyphens(&mut exam, &found);
        self.filters(&mut exam, &found);
        self.calls(&mut exam, &found);
        if exam.sound {
            self.names(&mut exam, &found, &open);
        }
        program.inputs = exam.inputs.into_iter().collect();
        exam.sound.then_some(program)
    }

    fn syntax(&mut self, error: &Error, field: &str, text: &Text, tokens: &[Token<'_>]) {
        let span = error.range().filter(|range| range.start < text.value.len());
        let span = span.map_or_else(|| text.span.clone(), |range| text.part(range));
        let what = error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned);
        let message = format!("this does not parse: {what}");
        if tokens.is_empty() {
            self.desk.note(span, field, message);
        } else {
            let help =
                "text goes into quotes, attributes are written plainly, templates have {{ … }}";
            self.desk.advise(span, field, message, help);
        }
    }

    fn hyphens(&mut self, exam: &mut Exam<'_>, found: &Mentions<'_>) {
        for span in &found.hyphenated {
            let text = exam
                .text
                .value
                .get(span.clone())
                .unwrap_or_default()
                .to_owned();
            let message = format!("\"{text}\" reads as a subtraction");
            let help = format!("an attribute with a hyphen in its name is written attr('{text}')");
            self.bad(exam, span.clone(), message, help);
        }
    }

    fn bad(&mut self, exam: &mut Exam<'_>, part: Range<usize>, message: String, help: String) {
        exam.sound = false;
        self.desk
            .advise(exam.text.part(part), exam.field, message, help);
    }

    fn filters(&mut self, exam: &mut Exam<'_>, found: &Mentions<'_>) {
        for (kind, mentions, known) in [
            ("filter", &found.filters, filters::NAMES),
            ("test", &found.tests, convert::TESTS),
        ] {
            for mention in mentions {
                if !known.contains(&mention.name) {
                    let message = format!("unknown {kind} \"{}\"", mention.name);
                    self.bad(
                        exam,
                        mention.span.clone(),
                        message,
                        meant(mention.name, known),
                    );
                }
            }
        }
        for mention in &found.filters {
            match mention.name {
                "lookup" => self.table(exam, mention),
                "regex_replace" | "regex_match" | "regex_find" => self.pattern(exam, mention),
                _ => {}
            }
        }
    }

    fn literal(
        &mut self,
        exam: &mut Exam<'_>,
        mention: &Mention<'_>,
        what: &str,
    ) -> Option<(String, Range<usize>)> {
        let found = mention.literal.as_ref();
        let found = found.and_then(|(text, span)| Some((self.engine.literal(text)?, span.clone())));
        if found.is_none() {
            let message = format!("\"{}\" needs {what} written out as a text", mention.name);
            let help = format!("write {}('…')", mention.name);
            self.bad(exam, mention.span.clone(), message, help);
        }
        found
    }

    fn table(&mut self, exam: &mut Exam<'_>, mention: &Mention<'_>) {
        let Some((name, span)) = self.literal(exam, mention, "the name of its table") else {
            return;
        };
        if self.tables.contains_key(&name) {
            return;
        }
        let near = nearest(&name, self.tables.keys().map(String::as_str));
        let help = near.map_or_else(
            || format!("add a table [lookup.{name}]"),
            |near| format!("did you mean \"{near}\"?"),
        );
        self.bad(
            exam,
            span,
            format!("there is no table [lookup.{name}]"),
            help,
        );
    }

    fn pattern(&mut self, exam: &mut Exam<'_>, mention: &Mention<'_>) {
        let Some((pattern, span)) = self.literal(exam, mention, "a pattern") else {
            return;
        };
        let built = regex::RegexBuilder::new(&pattern)
            .size_limit(PATTERN_SIZE)
            .build();
        match built {
            Ok(regex) => {
                self.patterns.insert(pattern, regex);
            }
            Err(error) => {
                let why = error.to_string();
                let why = why
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned();
                let help = "patterns follow the syntax of the Rust regex crate: no look-around, no back-references";
                self.bad(
                    exam,
                    span,
                    format!("the pattern is not valid: {why}"),
                    help.to_owned(),
                );
            }
        }
    }

    fn calls(&mut self, exam: &mut Exam<'_>, found: &Mentions<'_>) {
        for mention in &found.calls {
            match mention.name {
                "attr" | "all" => self.attribute_literal(exam, mention),
                "in_group" => {
                    exam.inputs.insert("groups".to_owned());
                    match mention
                        .literal
                        .as_ref()
                        .and_then(|(text, _)| self.engine.literal(text))
                    {
                        Some(name) => self.groups.name(&name),
                        None => self.groups = GroupUse::All,
                    }
                }
                "in_ou" => {
                    exam.inputs.insert("dn".to_owned());
                    if let Some((base, span)) = self.literal(exam, mention, "a DN")
                        && dn::base(&base).is_none()
                    {
                        let help = "write the whole DN, such as OU=People,DC=example,DC=com";
                        self.bad(
                            exam,
                            span,
                            format!("\"{base}\" is not a DN"),
                            help.to_owned(),
                        );
                    }
                }
                "first_of" => {}
                name => {
                    let help = if filters::NAMES.contains(&name) {
                        format!("\"{name}\" is a filter: write value | {name}")
                    } else {
                        meant(name, convert::FUNCTIONS)
                    };
                    self.bad(
                        exam,
                        mention.span.clone(),
                        format!("unknown function \"{name}\""),
                        help,
                    );
                }
            }
        }
    }

    fn attribute_literal(&mut self, exam: &mut Exam<'_>, mention: &Mention<'_>) {
        let Some((name, span)) = self.literal(exam, mention, "the attribute's name") else {
            return;
        };
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b';' | b'.');
        if name.is_empty() || !name.bytes().all(fits) {
            let help =
                "attribute names have letters, digits, hyphens and options after a semicolon";
            self.bad(
                exam,
                span,
                format!("no directory attribute can be called \"{name}\""),
                help.to_owned(),
            );
            return;
        }
        exam.inputs.insert(self.attribute(&name));
    }

    /// Notes that an attribute is needed; gives its name in lower case.
    pub fn attribute(&mut self, name: &str) -> String {
        let lower = name.to_ascii_lowercase();
        self.spellings.insert(name.to_owned());
        self.attributes.insert(lower.clone());
        lower
    }

    fn names(&mut self, exam: &mut Exam<'_>, found: &Mentions<'_>, open: &[String]) {
        let mut open: Vec<&str> = open.iter().map(String::as_str).collect();
        open.sort_unstable();
        for name in open {
            if convert::FUNCTIONS.contains(&name) {
                continue;
            }
            if VARIABLES.contains(&name) || exam.extra.contains(&name) {
                if name == "groups" {
                    self.groups = GroupUse::All;
                }
                exam.inputs.insert(name.to_owned());
                continue;
            }
            let place = found.names.iter().find(|mention| mention.name == name);
            let span = place.map_or(0..exam.text.value.len(), |mention| mention.span.clone());
            if let Some((message, help)) = impossible(name, exam.extra) {
                self.bad(exam, span, message, help);
            } else {
                exam.inputs.insert(self.attribute(name));
            }
        }
    }
}

/// Why a name cannot be an attribute, if it cannot.
fn impossible(name: &str, extra: &[&str]) -> Option<(String, String)> {
    let only_in = match name {
        "group" => Some("the name of an entitlement with from-groups"),
        "n" => Some("alternatives"),
        _ => None,
    };
    if let Some(place) = only_in {
        let message = format!("\"{name}\" is not known here");
        return Some((message, format!("it is known only in {place}")));
    }
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let known = VARIABLES
        .iter()
        .chain(convert::FUNCTIONS)
        .chain(extra)
        .copied();
    let help = nearest(name, known).map_or_else(
        || format!("if it really is one, write attr('{name}')"),
        |near| format!("did you mean \"{near}\"?"),
    );
    Some((
        format!("no directory attribute can be called \"{name}\""),
        help,
    ))
}

fn meant(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied()).map_or_else(
        || format!("known: {}", known.join(", ")),
        |near| format!("did you mean \"{near}\"?"),
    )
}
