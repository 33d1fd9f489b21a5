//! How a list is read page by page.

use super::expr::Expr;
use super::making::Making;
use crate::document::Node;

/// The keys of `paging`.
const KEYS: &[&str] = &[
    "type",
    "parameter",
    "first",
    "size-parameter",
    "size",
    "total-pages",
    "total",
    "more",
    "next",
    "limit",
    "in",
    "max-pages",
];

/// The way to the next page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// By number.
    Page,
    /// By the number of items to skip.
    Offset,
    /// By a mark that the answer gives.
    Cursor,
    /// By a URL that the answer gives.
    Link,
    /// There is one page.
    None,
}

/// How a list is read page by page.
#[derive(Debug)]
pub struct Paging {
    /// The way to the next page.
    pub style: Style,
    /// The parameter that says which page.
    pub parameter: Option<String>,
    /// The number of the first page or item.
    pub first: u64,
    /// The parameter that says how many items.
    pub size_parameter: Option<String>,
    /// How many items.
    pub size: Option<u64>,
    /// How many pages there are.
    pub total_pages: Option<Expr>,
    /// How many items there are.
    pub total: Option<Expr>,
    /// Whether there is another page.
    pub more: Option<Expr>,
    /// The next cursor or URL.
    pub next: Option<Expr>,
    /// A list of this length may have been cut.
    pub limit: Option<u64>,
    /// Whether parameters go into the body.
    pub in_body: bool,
    /// More pages than this are no list.
    pub max_pages: u64,
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            style: Style::None,
            parameter: None,
            first: 1,
            size_parameter: None,
            size: None,
            total_pages: None,
            total: None,
            more: None,
            next: None,
            limit: None,
            in_body: false,
            max_pages: 10_000,
        }
    }
}

/// A whole number of at least one.
pub(super) fn count(
    node: &Node<'_>,
    key: &str,
    least: i64,
    making: &mut Making<'_>,
) -> Option<u64> {
    let value = node.value(key)?;
    let number = value
        .get_ref()
        .as_integer()
        .and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
    let number = number
        .filter(|number| *number >= least)
        .and_then(|number| u64::try_from(number).ok());
    if number.is_none() {
        making.desk.note(
            value.span(),
            &node.field(key),
            format!("expected a whole number, at least {least}"),
        );
    }
    number
}

impl Paging {
    /// Reads `paging` of a call.
    pub(super) fn read(call: &Node<'_>, making: &mut Making<'_>, visible: &[&str]) -> Self {
        let Some(node) = call.table("paging", &mut making.desk) else {
            return Self::default();
        };
        node.only(KEYS, &mut making.desk);
        let styles = [
            ("page", Style::Page),
            ("offset", Style::Offset),
            ("cursor", Style::Cursor),
            ("link", Style::Link),
            ("none", Style::None),
        ];
        if node.value("type").is_none() {
            making.missing(
                &node,
                "type",
                "\"page\", \"offset\", \"cursor\", \"link\" or \"none\"",
            );
        }
        let style = node
            .choice("type", &styles, &mut making.desk)
            .unwrap_or(Style::None);
        let text = |key: &str, making: &mut Making<'_>| {
            node.text(key, &mut making.desk).map(|text| text.value)
        };
        let paging = Self {
            style,
            parameter: text("parameter", making),
            first: count(&node, "first", 0, making).unwrap_or(u64::from(style == Style::Page)),
            size_parameter: text("size-parameter", making),
            size: count(&node, "size", 1, making),
            total_pages: making.expr(&node, "total-pages", visible),
            total: making.expr(&node, "total", visible),
            more: making.expr(&node, "more", visible),
            next: making.expr(&node, "next", visible),
            limit: count(&node, "limit", 1, making),
            in_body: node
                .choice("in", &[("query", false), ("body", true)], &mut making.desk)
                .unwrap_or(false),
            max_pages: count(&node, "max-pages", 1, making).unwrap_or(10_000),
        };
        paging.complete(&node, making);
        paging
    }

    fn complete(&self, node: &Node<'_>, making: &mut Making<'_>) {
        let needs_parameter = matches!(self.style, Style::Page | Style::Offset | Style::Cursor);
        if needs_parameter && self.parameter.is_none() && node.value("parameter").is_none() {
            making.missing(node, "parameter", "the parameter that says which page");
        }
        let needs_next = matches!(self.style, Style::Cursor | Style::Link);
        if needs_next && node.value("next").is_none() {
            making.missing(
                node,
                "next",
                "an expression for what leads to the next page, such as \"answer.next\"",
            );
        }
        if self.size_parameter.is_some() && self.size.is_none() {
            making.missing(node, "size", "how many items a page shall have");
        }
    }
}
