//! One request as a profile describes it, and what is read from its answer.

use http::{HeaderName, Method};

use super::body::{self, Body, SoapDefaults};
use super::expr::{Expr, Template};
use super::facts::Evidence;
use super::making::Making;
use super::paging::Paging;
use super::path::Path;
use super::rules::{self, ANSWER, ErrorRule};
use crate::document::Node;

/// The keys of every call.
const KEYS: &[&str] = &[
    "method", "path", "query", "headers", "json", "form", "xml", "soap", "graphql", "when",
    "for-each", "capture", "intent", "success", "errors", "body", "needs", "evidence", "rests-on",
    "comment",
];

/// What an answer's body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// A SOAP envelope.
    Soap,
    /// A GraphQL response.
    GraphQl,
    /// It means nothing.
    None,
}

/// One request.
#[derive(Debug)]
pub struct Call {
    /// The fact that it is right.
    pub fact: String,
    /// How sure that is.
    pub evidence: Evidence,
    /// The fact of another entry that says the same: this one is not counted besides it.
    pub rests_on: Option<String>,
    /// The method.
    pub method: Method,
    /// The path below the application's address.
    pub path: Path,
    /// The query.
    pub query: Vec<(String, Template)>,
    /// Headers.
    pub headers: Vec<(HeaderName, Template)>,
    /// The body.
    pub body: Body,
    /// Whether repeating it is harmless.
    pub reads: bool,
    /// The body of the answer.
    pub form: Form,
    /// Whether it is made at all.
    pub when: Option<Expr>,
    /// It is made for each of these.
    pub for_each: Option<Expr>,
    /// For later calls.
    pub capture: Vec<(String, Expr)>,
    /// What must hold besides a good status.
    pub success: Option<Expr>,
    /// What refusals mean here.
    pub errors: Vec<ErrorRule>,
    /// What a description of the interface must have.
    pub needs: Vec<String>,
    /// Attributes that it writes.
    pub attributes: Vec<String>,
    /// One account in the answer.
    pub item: Option<Expr>,
    /// Several things in the answer.
    pub items: Option<Expr>,
    /// The id of one of them.
    pub id: Option<Expr>,
    /// The name of one of them.
    pub name: Option<Expr>,
    /// What is put into an account.
    pub add: Vec<(String, Expr)>,
    /// The attribute that is searched by.
    pub by: Option<String>,
    /// Page by page.
    pub paging: Paging,
    /// What a probe must see.
    pub expect: Option<Expr>,
    /// The facts that a probe confirms.
    pub confirms: Vec<String>,
    /// What a probe tells people.
    pub says: Option<String>,
    /// It mentions `fields`.
    pub uses_fields: bool,
    /// It mentions `current`.
    pub uses_current: bool,
    /// It mentions `to`: somebody gets something.
    pub uses_heir: bool,
}

/// What a call is for.
pub(super) struct Purpose<'p> {
    pub fact: String,
    pub evidence: Evidence,
    /// The names that its request can use.
    pub visible: &'p [&'p str],
    /// The keys that it may have besides those of every call.
    pub keys: &'p [&'p str],
    pub reads: bool,
}

impl Call {
    /// Reads one call.
    pub(super) fn read(
        node: &Node<'_>,
        making: &mut Making<'_>,
        soap: &SoapDefaults,
        purpose: &Purpose<'_>,
    ) -> Option<Self> {
        let keys: Vec<&str> = KEYS.iter().chain(purpose.keys).copied().collect();
        node.only(&keys, &mut making.desk);
        making.used.clear();
        let mut visible = purpose.visible.to_vec();
        visible.extend(["got", "each"]);
        let mut after = visible.clone();
        after.extend(ANSWER);
        let each = [&after[..], &["item"]].concat();
        let when = making.expr(node, "when", &visible);
        let for_each = making.expr(node, "for-each", &visible);
        let (path, query) = address(node, making, &visible);
        let headers = rules::headers(node, "headers", making, &visible);
        let body = body::body(node, making, soap, &visible);
        let reads = node
            .choice(
                "intent",
                &[("read", true), ("write", false)],
                &mut making.desk,
            )
            .unwrap_or(purpose.reads);
        let form = form(node, making, body.as_ref());
        let text = |key: &str, making: &mut Making<'_>| {
            node.text(key, &mut making.desk).map(|text| text.value)
        };
        let words = |key: &str, making: &mut Making<'_>| {
            let found = node.texts(key, &mut making.desk);
            found
                .into_iter()
                .map(|text| text.value)
                .collect::<Vec<String>>()
        };
        let mut needs = words("needs", making);
        if let Some(Body::Soap(soap)) = &body {
            needs.push(soap.method.clone());
        }
        let used = std::mem::take(&mut making.used);
        let (attributes, by) = named(node, making);
        let body = body?;
        Some(Self {
            method: method(node, making, &body, reads)?,
            path: path?,
            fact: purpose.fact.clone(),
            evidence: Evidence::read(node, making, purpose.evidence),
            rests_on: text("rests-on", making),
            query,
            headers,
            body,
            reads,
            form,
            when,
            for_each,
            capture: making.exprs(node, "capture", &after),
            success: making.expr(node, "success", &after),
            errors: rules::errors(node, "errors", making),
            needs,
            attributes,
            item: making.expr(node, "item", &after),
            items: making.expr(node, "items", &after),
            id: making.expr(node, "id", &each),
            name: making.expr(node, "name", &each),
            add: making.exprs(node, "add", &each),
            by,
            paging: Paging::read(node, making, &after),
            expect: making.expr(node, "expect", &after),
            confirms: words("confirms", making),
            says: text("says", making),
            uses_fields: used.contains("fields") || used.contains("account"),
            uses_current: used.contains("current"),
            uses_heir: used.contains("to"),
        })
    }
}

/// Path and query. Addresses are kept in logs of servers and proxies, so no password goes into one.
fn address(
    node: &Node<'_>,
    making: &mut Making<'_>,
    visible: &[&str],
) -> (Option<Path>, Vec<(String, Template)>) {
    let mut open = visible.to_vec();
    open.retain(|name| *name != "password");
    let path = path(node, making, &open);
    (path, making.values(node, "query", &open))
}

/// The attributes that a call writes, and the one that it searches by.
fn named(node: &Node<'_>, making: &mut Making<'_>) -> (Vec<String>, Option<String>) {
    let attributes = node.texts("attributes", &mut making.desk);
    let by = node.text("by", &mut making.desk);
    for name in &attributes {
        making.is_field(&node.field("attributes"), name);
    }
    if let Some(name) = &by {
        making.is_field(&node.field("by"), name);
    }
    let attributes = attributes.into_iter().map(|text| text.value);
    (attributes.collect(), by.map(|text| text.value))
}

fn path(node: &Node<'_>, making: &mut Making<'_>, visible: &[&str]) -> Option<Path> {
    if node.value("path").is_none() {
        let help = "the path below the application's address; \"/\" is the address itself";
        making.missing(node, "path", help);
    }
    let text = node.text("path", &mut making.desk)?;
    Path::compile(making, &node.field("path"), &text, visible)
}

fn method(node: &Node<'_>, making: &mut Making<'_>, body: &Body, reads: bool) -> Option<Method> {
    let words = [
        ("GET", Method::GET),
        ("POST", Method::POST),
        ("PUT", Method::PUT),
        ("PATCH", Method::PATCH),
        ("DELETE", Method::DELETE),
    ];
    if node.value("method").is_some() {
        let numbered: Vec<(&str, usize)> = words
            .iter()
            .enumerate()
            .map(|(i, (word, _))| (*word, i))
            .collect();
        let chosen = node.choice("method", &numbered, &mut making.desk)?;
        return words.into_iter().nth(chosen).map(|(_, method)| method);
    }
    let plain = matches!(body, Body::None);
    Some(if reads && plain {
        Method::GET
    } else {
        Method::POST
    })
}

fn form(node: &Node<'_>, making: &mut Making<'_>, body: Option<&Body>) -> Form {
    let words = [
        ("json", Form::Json),
        ("xml", Form::Xml),
        ("none", Form::None),
    ];
    let said = node.choice("body", &words, &mut making.desk);
    said.unwrap_or(match body {
        Some(Body::Soap(_)) => Form::Soap,
        Some(Body::GraphQl { .. }) => Form::GraphQl,
        Some(Body::Xml(..)) => Form::Xml,
        Some(Body::None | Body::Json(_) | Body::Form(_)) | None => Form::Json,
    })
}

impl Call {
    /// Whether it is a SOAP call.
    #[must_use]
    pub fn is_soap(&self) -> bool {
        matches!(self.body, Body::Soap(_))
    }
}
