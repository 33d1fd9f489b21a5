//! The body of a request as a profile describes it: a tree of values for a serializer, never text.

use toml::Spanned;
use toml::de::DeValue;

use super::expr::Template;
use super::making::Making;
use super::tree::Tree;
use crate::document::Node;

/// What is sent.
#[derive(Debug)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Tree),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, Template)>),
    /// XML: the root element and what is in it.
    Xml(String, Tree),
    /// A SOAP envelope.
    Soap(Soap),
    /// A GraphQL request.
    GraphQl {
        /// The query, without values.
        query: String,
        /// The values.
        variables: Vec<(String, Tree)>,
    },
}

/// A SOAP call.
#[derive(Debug)]
pub struct Soap {
    /// The method.
    pub method: String,
    /// Its namespace.
    pub namespace: String,
    /// Version 1.2 instead of 1.1.
    pub v12: bool,
    /// The SOAPAction.
    pub action: String,
    /// Its parameters, in order.
    pub parameters: Vec<(String, Tree)>,
}

/// What is the same for all SOAP calls.
#[derive(Clone, Debug, Default)]
pub struct SoapDefaults {
    /// The namespace of methods.
    pub namespace: Option<String>,
    /// Version 1.2 instead of 1.1.
    pub v12: bool,
    /// The SOAPAction.
    pub action: Option<String>,
}

/// Reads the body of a call.
pub(super) fn body(
    node: &Node<'_>,
    making: &mut Making<'_>,
    soap: &SoapDefaults,
    visible: &[&str],
) -> Option<Body> {
    let kinds = ["json", "form", "xml", "soap", "graphql"];
    let mut there = kinds.iter().filter(|key| node.value(key).is_some());
    let Some(kind) = there.next() else {
        return Some(Body::None);
    };
    if let Some(second) = there.next() {
        let message = format!("a call has one body: `{kind}` and `{second}` exclude each other");
        making
            .desk
            .note(node.key_span(second), &node.field(second), message);
        return None;
    }
    let value = node.value(kind)?;
    match *kind {
        "json" => json(&node.field(kind), value, making, visible),
        "form" => Some(Body::Form(making.values(node, kind, visible))),
        "xml" => xml(node, value, making, visible),
        "soap" => soap_call(node, making, soap, visible),
        _ => graphql(node, making, visible),
    }
}

fn json(
    field: &str,
    value: &Spanned<DeValue<'_>>,
    making: &mut Making<'_>,
    visible: &[&str],
) -> Option<Body> {
    // A text that begins like JSON would be sent as one JSON string, which nobody wants.
    let text = value.get_ref().as_str().map(str::trim_start);
    if text.is_some_and(|text| {
        (text.starts_with('{') && !text.starts_with("{{")) || text.starts_with('[')
    }) {
        let help = "write a TOML table, such as json = { name = \"{{ fields.name }}\" }: a serializer escapes its values";
        making.desk.advise(
            value.span(),
            field,
            "a body is not put together from text",
            help,
        );
        return None;
    }
    making.tree(field, value, visible).map(Body::Json)
}

/// Whether a text can be the name of an element or attribute.
pub(super) fn is_xml_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first)
        && name
            .chars()
            .all(|c| first(c) || c.is_ascii_digit() || matches!(c, '-' | '.' | ':'))
}

fn xml(
    node: &Node<'_>,
    value: &Spanned<DeValue<'_>>,
    making: &mut Making<'_>,
    visible: &[&str],
) -> Option<Body> {
    if value.get_ref().is_str() {
        let help = "write a TOML table with the root element as its key, such as xml = { user = { name = \"{{ fields.name }}\" } }: values are escaped";
        making.desk.advise(
            value.span(),
            &node.field("xml"),
            "XML is not put together from text",
            help,
        );
        return None;
    }
    let table = node.table("xml", &mut making.desk)?;
    let mut members = making.members(&table, visible)?;
    xml_names(&members, &table, making);
    if members.len() != 1 {
        let help = "xml = { root = { … } }";
        making.desk.advise(
            table.span.clone(),
            &table.path,
            "XML has one root element",
            help,
        );
        return None;
    }
    members.pop().map(|(name, tree)| Body::Xml(name, tree))
}

fn xml_names(members: &[(String, Tree)], table: &Node<'_>, making: &mut Making<'_>) {
    for (name, tree) in members {
        let plain = name.strip_prefix('@').unwrap_or(name);
        if name != "#text" && !is_xml_name(plain) {
            let message = format!("\"{plain}\" is no name for XML");
            making.desk.note(table.span.clone(), &table.path, message);
        }
        if let Tree::Table(inner) = tree {
            xml_names(inner, table, making);
        }
    }
}

fn soap_call(
    node: &Node<'_>,
    making: &mut Making<'_>,
    defaults: &SoapDefaults,
    visible: &[&str],
) -> Option<Body> {
    let table = node.table("soap", &mut making.desk)?;
    table.only(
        &["method", "namespace", "version", "action", "parameters"],
        &mut making.desk,
    );
    for (key, given) in [
        ("method", false),
        ("namespace", defaults.namespace.is_some()),
    ] {
        if !given && table.value(key).is_none() {
            making.missing(
                &table,
                key,
                "SOAP needs a method and its namespace; [soap] can give the namespace for all",
            );
        }
    }
    let method = table.text("method", &mut making.desk);
    if let Some(name) = method.as_ref().filter(|name| !is_xml_name(&name.value)) {
        making.desk.note(
            name.span.clone(),
            &table.field("method"),
            "this is no name for a method",
        );
        return None;
    }
    let over = SoapDefaults::read_keys(&table, making);
    let parameters = match table.table("parameters", &mut making.desk) {
        Some(inner) => {
            let members = making.members(&inner, visible)?;
            xml_names(&members, &inner, making);
            members
        }
        None => Vec::new(),
    };
    let namespace = over.namespace.or_else(|| defaults.namespace.clone())?;
    let method = method?.value;
    let action = over.action.or_else(|| {
        defaults
            .action
            .as_ref()
            .map(|base| format!("{base}{method}"))
    });
    let action = action.unwrap_or_else(|| format!("{}/{method}", namespace.trim_end_matches('/')));
    Some(Body::Soap(Soap {
        method,
        namespace,
        v12: over.v12 || defaults.v12,
        action,
        parameters,
    }))
}

impl SoapDefaults {
    /// Reads `[soap]`.
    pub(super) fn read(root: &Node<'_>, making: &mut Making<'_>) -> Self {
        let Some(node) = root.table("soap", &mut making.desk) else {
            return Self::default();
        };
        node.only(
            &["namespace", "version", "action", "comment", "evidence"],
            &mut making.desk,
        );
        Self::read_keys(&node, making)
    }

    fn read_keys(node: &Node<'_>, making: &mut Making<'_>) -> Self {
        let text = |key: &str, making: &mut Making<'_>| {
            node.text(key, &mut making.desk).map(|text| text.value)
        };
        Self {
            namespace: text("namespace", making),
            v12: node
                .choice(
                    "version",
                    &[("1.1", false), ("1.2", true)],
                    &mut making.desk,
                )
                .unwrap_or(false),
            action: text("action", making),
        }
    }
}

fn graphql(node: &Node<'_>, making: &mut Making<'_>, visible: &[&str]) -> Option<Body> {
    let table = node.table("graphql", &mut making.desk)?;
    table.only(&["query", "variables"], &mut making.desk);
    if table.value("query").is_none() {
        making.missing(&table, "query", "the query or mutation");
    }
    let query = table.text("query", &mut making.desk)?;
    if let Some(at) = query.value.find("{{") {
        let help = "declare a variable ($id: ID!) and give its value in `variables`";
        making.desk.advise(
            query.part(at..at + 2),
            &table.field("query"),
            "values do not go into a GraphQL query",
            help,
        );
        return None;
    }
    let variables = match table.table("variables", &mut making.desk) {
        Some(inner) => making.members(&inner, visible)?,
        None => Vec::new(),
    };
    Some(Body::GraphQl {
        query: query.value,
        variables,
    })
}
