//! Rules for all calls: requests in general, how answers are judged, what refusals mean.

use std::time::Duration;

use http::HeaderName;
use regex::{Regex, RegexBuilder};

use super::expr::{Expr, Template};
use super::facts::Evidence;
use super::making::Making;
use super::paging::count;
use crate::document::Node;

/// What an answer that is no success means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A unique value is taken.
    Conflict,
    /// It does not exist.
    NotFound,
    /// Too many requests.
    Throttled,
    /// It said no.
    Rejected,
    /// No licence is left.
    LicenceExhausted,
    /// Our session or credentials are not accepted.
    Unauthorised,
    /// Later it may work.
    Transient,
    /// It is a success after all.
    Success,
}

const CLASSES: [(&str, Class); 8] = [
    ("conflict", Class::Conflict),
    ("not-found", Class::NotFound),
    ("throttled", Class::Throttled),
    ("rejected", Class::Rejected),
    ("licence-exhausted", Class::LicenceExhausted),
    ("unauthorised", Class::Unauthorised),
    ("transient", Class::Transient),
    ("success", Class::Success),
];

/// What some answers mean.
#[derive(Debug)]
pub struct ErrorRule {
    /// One of these statuses, if there are any.
    pub status: Vec<u16>,
    /// The message or body fits this.
    pub matches: Option<Regex>,
    /// This holds.
    pub expression: Option<Expr>,
    /// Then it is this.
    pub class: Class,
}

/// How answers are judged.
#[derive(Debug)]
pub struct AnswerRules {
    /// What must hold besides a good status.
    pub success: Option<Expr>,
    /// The text that people should read.
    pub message: Option<Expr>,
    /// How sure that is.
    pub evidence: Evidence,
}

/// How lists stand in queries and forms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lists {
    /// `a=1,2`
    Comma,
    /// `a=1&a=2`
    Repeat,
    /// `a[]=1&a[]=2`
    Brackets,
}

/// Requests in general.
#[derive(Debug)]
pub struct HttpRules {
    /// Sent with every request.
    pub headers: Vec<(HeaderName, Template)>,
    /// What answers we take.
    pub accept: Option<String>,
    /// The content type of JSON bodies.
    pub json_type: String,
    /// How lists stand in queries and forms.
    pub lists: Lists,
    /// What stands for true and false there.
    pub flags: [String; 2],
    /// Requests in so long a time, at most.
    pub budgets: Vec<(Duration, u64)>,
    /// Requests side by side.
    pub parallelism: usize,
    /// Time to connect.
    pub connect_timeout: Option<String>,
    /// Deadline of one request.
    pub request_timeout: Option<String>,
    /// Largest answer.
    pub body_limit: Option<String>,
}

/// The names that expressions over an answer can see.
pub(super) const ANSWER: [&str; 4] = ["answer", "status", "header", "cookie"];

const HTTP_KEYS: &[&str] = &[
    "headers",
    "accept",
    "json-type",
    "query-lists",
    "query-flags",
    "per-second",
    "per-minute",
    "per-hour",
    "per-day",
    "parallelism",
    "connect-timeout",
    "request-timeout",
    "body-limit",
    "evidence",
    "comment",
];

impl HttpRules {
    /// Reads `[http]`.
    pub(super) fn read(root: &Node<'_>, making: &mut Making<'_>) -> Self {
        let mut rules = Self {
            headers: Vec::new(),
            accept: None,
            json_type: "application/json".to_owned(),
            lists: Lists::Repeat,
            flags: ["true".to_owned(), "false".to_owned()],
            budgets: Vec::new(),
            parallelism: 4,
            connect_timeout: None,
            request_timeout: None,
            body_limit: None,
        };
        let Some(node) = root.table("http", &mut making.desk) else {
            return rules;
        };
        node.only(HTTP_KEYS, &mut making.desk);
        rules.headers = headers(&node, "headers", making, &["secret"]);
        let text = |key: &str, making: &mut Making<'_>| {
            node.text(key, &mut making.desk).map(|text| text.value)
        };
        rules.accept = text("accept", making);
        if let Some(kind) = text("json-type", making) {
            rules.json_type = kind;
        }
        rules.connect_timeout = text("connect-timeout", making);
        rules.request_timeout = text("request-timeout", making);
        rules.body_limit = text("body-limit", making);
        let lists = [
            ("comma", Lists::Comma),
            ("repeat", Lists::Repeat),
            ("brackets", Lists::Brackets),
        ];
        rules.lists = node
            .choice("query-lists", &lists, &mut making.desk)
            .unwrap_or(Lists::Repeat);
        let flags = node.texts("query-flags", &mut making.desk);
        match flags.as_slice() {
            [] => {}
            [yes, no] => rules.flags = [yes.value.clone(), no.value.clone()],
            _ => node.wrong(
                "query-flags",
                "two texts, such as [\"1\", \"0\"]",
                &mut making.desk,
            ),
        }
        for (key, seconds) in [
            ("per-second", 1),
            ("per-minute", 60),
            ("per-hour", 3600),
            ("per-day", 86_400),
        ] {
            let limit = count(&node, key, 1, making);
            rules
                .budgets
                .extend(limit.map(|limit| (Duration::from_secs(seconds), limit)));
        }
        if let Some(number) = count(&node, "parallelism", 1, making) {
            rules.parallelism = usize::try_from(number).unwrap_or(64).min(64);
        }
        rules
    }
}

/// Headers that HTTP itself needs.
const RESERVED: &[&str] = &[
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "accept-encoding",
];

/// A table of headers.
pub(super) fn headers(
    node: &Node<'_>,
    key: &str,
    making: &mut Making<'_>,
    visible: &[&str],
) -> Vec<(HeaderName, Template)> {
    let mut headers = Vec::new();
    let Some(table) = node.table(key, &mut making.desk) else {
        return headers;
    };
    for (name, span, value) in table.entries() {
        let parsed = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).ok();
        let usable = parsed.filter(|header| !RESERVED.contains(&header.as_str()));
        if usable.is_none() {
            let help = "header names have letters, digits and dashes; those that HTTP itself needs cannot be set";
            making
                .desk
                .advise(span, &table.field(name), "this header cannot be set", help);
        }
        let template = making.value(&table.field(name), value, visible);
        headers.extend(usable.zip(template));
    }
    headers
}

impl AnswerRules {
    /// Reads `[answer]`.
    pub(super) fn read(root: &Node<'_>, making: &mut Making<'_>, evidence: Evidence) -> Self {
        let none = Self {
            success: None,
            message: None,
            evidence,
        };
        let Some(node) = root.table("answer", &mut making.desk) else {
            // Nothing is claimed.
            return Self {
                evidence: Evidence::Vendor,
                ..none
            };
        };
        node.only(
            &["success", "message", "evidence", "comment"],
            &mut making.desk,
        );
        Self {
            success: making.expr(&node, "success", &ANSWER),
            message: making.expr(&node, "message", &ANSWER),
            evidence: Evidence::read(&node, making, evidence),
        }
    }
}

/// Reads `[[error]]` or the `errors` of a call.
pub(super) fn errors(node: &Node<'_>, key: &str, making: &mut Making<'_>) -> Vec<ErrorRule> {
    let tables = node.tables(key, &mut making.desk);
    tables
        .iter()
        .filter_map(|table| error(table, making))
        .collect()
}

fn error(node: &Node<'_>, making: &mut Making<'_>) -> Option<ErrorRule> {
    node.only(
        &[
            "status",
            "matches",
            "expression",
            "class",
            "evidence",
            "comment",
        ],
        &mut making.desk,
    );
    let status = statuses(node, making);
    let matches = node.text("matches", &mut making.desk).and_then(|text| {
        let built = RegexBuilder::new(&text.value)
            .case_insensitive(true)
            .size_limit(1 << 20)
            .build();
        if let Err(why) = &built {
            let why = why.to_string();
            let last = why.lines().last().unwrap_or_default();
            let message = format!("this is no regular expression: {last}");
            making.desk.note(text.span, &node.field("matches"), message);
        }
        built.ok()
    });
    let expression = making.expr(node, "expression", &ANSWER);
    let has = |key: &str| node.value(key).is_some();
    if !has("status") && !has("matches") && !has("expression") {
        let help = "add status, matches or expression";
        making.desk.advise(
            node.span.clone(),
            &node.path,
            "nothing says which answers this is about",
            help,
        );
    }
    if !has("class") {
        let words: Vec<&str> = CLASSES.iter().map(|(word, _)| *word).collect();
        making.missing(
            node,
            "class",
            &format!("what such an answer means: {}", words.join(", ")),
        );
    }
    let class = node.choice("class", &CLASSES, &mut making.desk)?;
    Some(ErrorRule {
        status,
        matches,
        expression,
        class,
    })
}

fn statuses(node: &Node<'_>, making: &mut Making<'_>) -> Vec<u16> {
    let Some(value) = node.value("status") else {
        return Vec::new();
    };
    let one = std::slice::from_ref(value);
    let items = value.get_ref().as_array().map_or(one, |items| items);
    let mut statuses = Vec::new();
    for item in items {
        let number = item
            .get_ref()
            .as_integer()
            .and_then(|n| n.as_str().parse::<u16>().ok());
        match number.filter(|number| (100..=599).contains(number)) {
            Some(number) => statuses.push(number),
            None => making.desk.note(
                item.span(),
                &node.field("status"),
                "expected a status from 100 to 599",
            ),
        }
    }
    statuses
}
