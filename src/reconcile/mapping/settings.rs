//! The settings of an attribute that have more than one form: where its value comes from, and what happens without one.

use std::collections::BTreeSet;

use toml::de::DeValue;

use super::Compare;
use super::program::Program;
use super::reader::{Desk, Node};
use super::uses::Compiler;
use crate::model::Value;

/// What happens when a value is missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum OnMissing {
    Hold,
    Omit,
    Clear,
    Default(Value),
}

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum From {
    Program(Program),
    /// A person, by the DN in this attribute.
    Reference(String),
}

/// Exactly one of `value`, `expression` and `reference`.
pub(super) fn origin(
    node: &Node<'_>,
    key: std::ops::Range<usize>,
    compiler: &mut Compiler<'_>,
) -> Option<From> {
    let given: Vec<&str> = ["value", "expression", "reference"]
        .into_iter()
        .filter(|key| node.value(key).is_some())
        .collect();
    match given.as_slice() {
        ["value"] => program(node, "value", &node.field("value"), compiler).map(From::Program),
        ["expression"] => super::scope::expression(node, "expression", compiler).map(From::Program),
        ["reference"] => reference(node, compiler),
        [] => {
            let help = "add value = \"…\" (a template), expression = \"…\" or reference = \"…\"";
            compiler
                .desk
                .advise(key, &node.path, "this attribute has no value", help);
            None
        }
        several => {
            let message = format!("only one of {} can give the value", several.join(" and "));
            let last = several.last().copied().unwrap_or_default();
            compiler
                .desk
                .note(node.key_span(last), &node.field(last), message);
            None
        }
    }
}

fn reference(node: &Node<'_>, compiler: &mut Compiler<'_>) -> Option<From> {
    let text = node.text("reference", &mut compiler.desk)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b';' | b'.');
    if !text.value.bytes().all(fits) {
        let message = format!("\"{}\" is not the name of an attribute", text.value);
        let help = "name the attribute that holds the other person's DN, such as manager";
        compiler
            .desk
            .advise(text.span, &node.field("reference"), message, help);
        return None;
    }
    Some(From::Reference(compiler.attribute(&text.value)))
}

/// A template, or a value that is the same for everybody.
pub(super) fn program(
    node: &Node<'_>,
    key: &str,
    field: &str,
    compiler: &mut Compiler<'_>,
) -> Option<Program> {
    let value = node.value(key)?;
    if value.get_ref().is_str() {
        let text = node.text(key, &mut compiler.desk)?;
        return compiler.template(field, &text, &[]);
    }
    match constant(value.get_ref()) {
        Some(found) => Some(Program::constant(field, &found.to_string(), Some(found))),
        None => {
            node.wrong(
                key,
                "a template, true, false, a whole number or a list of texts",
                &mut compiler.desk,
            );
            None
        }
    }
}

/// A TOML value as an account value. Empty texts and lists are none.
pub(super) fn constant(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Value::text(text),
        DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(Value::Int),
        DeValue::Array(items) => {
            let texts: Option<BTreeSet<String>> = items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect();
            texts.filter(|texts| !texts.is_empty()).map(Value::Set)
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// The key `compare`.
pub(super) fn compare(node: &Node<'_>, desk: &mut Desk<'_>) -> Option<Compare> {
    node.choice(
        "compare",
        &[
            ("exact", Compare::Exact),
            ("ignore-case", Compare::IgnoreCase),
        ],
        desk,
    )
}

pub(super) fn on_missing(node: &Node<'_>, desk: &mut Desk<'_>) -> Option<OnMissing> {
    let value = node.value("on-missing")?;
    if let Some(table) = value.get_ref().as_table() {
        let inner = Node::new(table, value.span(), node.field("on-missing"));
        inner.only(&["default"], desk);
        let default = inner
            .value("default")
            .and_then(|value| constant(value.get_ref()));
        if default.is_none() {
            let help = "write on-missing = { default = \"…\" } with a text, a number, true, false or a list of texts";
            desk.advise(
                value.span(),
                &inner.path,
                "this default is not a value",
                help,
            );
        }
        return default.map(OnMissing::Default);
    }
    let words = [
        ("hold", OnMissingWord::Hold),
        ("omit", OnMissingWord::Omit),
        ("clear", OnMissingWord::Clear),
    ];
    node.choice("on-missing", &words, desk)
        .map(|word| match word {
            OnMissingWord::Hold => OnMissing::Hold,
            OnMissingWord::Omit => OnMissing::Omit,
            OnMissingWord::Clear => OnMissing::Clear,
        })
}

#[derive(Clone, Copy)]
enum OnMissingWord {
    Hold,
    Omit,
    Clear,
}
