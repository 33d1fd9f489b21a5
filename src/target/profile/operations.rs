//! The operations of a profile, whether each says what it must, and which capabilities are switched.

use std::collections::{BTreeMap, BTreeSet};

use super::call::{Call, Purpose};
use super::entitle::{Around, one_or_more};
use super::expr::Expr;
use super::facts::numbered;
use super::making::Making;
use super::{CAPABILITIES, Op};
use crate::document::Node;
use crate::document::suggest::nearest;

/// The names that the request of an operation can use, and its own keys.
fn shape(op: Op) -> (&'static [&'static str], &'static [&'static str]) {
    match op {
        Op::List => (&[], &["items", "paging"]),
        Op::Get => (&["id"], &["item"]),
        Op::Detail => (&["id", "item"], &["add"]),
        Op::Find => (&["value"], &["by", "items", "paging"]),
        Op::Create => (
            &["fields", "account", "id", "password"],
            &["item", "attributes"],
        ),
        Op::Update => (
            &["id", "fields", "account", "current"],
            &["item", "attributes"],
        ),
        Op::Deactivate | Op::BlockLogin => (&["id", "current", "reason", "today"], &[]),
        Op::Reactivate | Op::AllowLogin => (&["id", "current"], &[]),
        Op::RevokeSessions => (&["id", "current"], &[]),
        Op::Delete => (&["id", "current", "to"], &[]),
        Op::SetPassword => (&["id", "current", "password", "force_change"], &[]),
    }
}

/// Reads `[[operation.*]]`.
pub(super) fn operations(
    root: &Node<'_>,
    making: &mut Making<'_>,
    around: &Around<'_>,
) -> BTreeMap<Op, Vec<Call>> {
    let mut operations = BTreeMap::new();
    let Some(all) = root.table("operation", &mut making.desk) else {
        making.missing(
            root,
            "operation",
            "add [[operation.list]] and so on: the calls",
        );
        return operations;
    };
    for (name, span, _) in all.entries() {
        let Some((_, op)) = Op::ALL.iter().find(|(known, _)| *known == name) else {
            let known = Op::ALL.iter().map(|(known, _)| *known);
            let help = nearest(name, known.clone()).map_or_else(
                || {
                    format!(
                        "known here: {}",
                        known.clone().collect::<Vec<_>>().join(", ")
                    )
                },
                |near| format!("did you mean \"{near}\"?"),
            );
            making.desk.advise(
                span,
                &all.field(name),
                format!("unknown operation \"{name}\""),
                help,
            );
            continue;
        };
        let (visible, keys) = shape(*op);
        let mut calls = Vec::new();
        making.got = Some(BTreeSet::new());
        for (at, node) in one_or_more(&all, name, making).iter().enumerate() {
            let fact = numbered(&format!("operation.{name}"), at);
            let purpose = Purpose {
                fact,
                evidence: around.evidence,
                visible,
                keys,
                reads: op.reads(),
            };
            let call = Call::read(node, making, around.soap, &purpose);
            if let Some(call) = &call {
                complete(*op, call, node, making);
            }
            // Of a call that cannot be read nobody knows what it captures.
            making.got = making.got.take().zip(call.as_ref()).map(|(mut got, call)| {
                got.extend(call.capture.iter().map(|(name, _)| name.clone()));
                got
            });
            calls.extend(call);
        }
        making.got = None;
        operations.insert(*op, calls);
    }
    if all.value("list").is_none() {
        making.missing(
            &all,
            "list",
            "add [[operation.list]]: without a list of all accounts nothing can be compared",
        );
    }
    gives_an_id(&all, making, &operations);
    in_pairs(&all, making, &operations);
    operations
}

/// What we stop we must be able to start again.
fn in_pairs(all: &Node<'_>, making: &mut Making<'_>, operations: &BTreeMap<Op, Vec<Call>>) {
    for (one, other) in [
        (Op::Deactivate, Op::Reactivate),
        (Op::BlockLogin, Op::AllowLogin),
    ] {
        if operations.contains_key(&one) != operations.contains_key(&other) {
            let message = format!("`{}` and `{}` belong together", one.name(), other.name());
            let there = if operations.contains_key(&one) {
                one
            } else {
                other
            };
            making.desk.advise(
                all.key_span(there.name()),
                &all.field(there.name()),
                message,
                "what we stop we must be able to start again",
            );
        }
    }
}

/// A create must say which id the new account has.
fn gives_an_id(all: &Node<'_>, making: &mut Making<'_>, operations: &BTreeMap<Op, Vec<Call>>) {
    let made: &[Call] = operations.get(&Op::Create).map_or(&[], Vec::as_slice);
    let gives_id = made
        .iter()
        .any(|call| call.item.is_some() || call.capture.iter().any(|(name, _)| name == "id"));
    if !made.is_empty() && !gives_id {
        let help =
            "add capture = { id = \"answer.id\" } to the call that creates; `item` works as well";
        making.desk.advise(
            all.key_span("create"),
            "operation.create",
            "nothing says which id the new account has",
            help,
        );
    }
}

fn complete(op: Op, call: &Call, node: &Node<'_>, making: &mut Making<'_>) {
    let (key, there, help) = match op {
        Op::List | Op::Find => (
            "items",
            call.items.is_some(),
            "an expression for the accounts in the answer, such as \"answer.users\"",
        ),
        Op::Get => (
            "item",
            call.item.is_some(),
            "an expression for the account in the answer, such as \"answer\"",
        ),
        Op::Detail => (
            "add",
            !call.add.is_empty(),
            "a table of expressions, such as { roles = \"answer.roles\" }",
        ),
        Op::Create
        | Op::Update
        | Op::Deactivate
        | Op::Reactivate
        | Op::BlockLogin
        | Op::AllowLogin
        | Op::SetPassword
        | Op::RevokeSessions
        | Op::Delete => return,
    };
    if !there && node.value(key).is_none() {
        making.missing(node, key, help);
    }
    if op == Op::Find && call.by.is_none() && node.value("by").is_none() {
        making.missing(node, "by", "the attribute, as the mapping names it");
    }
}

/// Reads `[capability]`.
pub(super) fn capabilities(
    root: &Node<'_>,
    making: &mut Making<'_>,
    operations: &BTreeMap<Op, Vec<Call>>,
) -> BTreeMap<String, Expr> {
    let mut switches = BTreeMap::new();
    let Some(node) = root.table("capability", &mut making.desk) else {
        return switches;
    };
    node.only(&CAPABILITIES, &mut making.desk);
    for (name, span, value) in node.entries() {
        let switch = match value.get_ref().as_bool() {
            Some(flag) => Expr::compile(if flag { "true" } else { "false" }).ok(),
            None => making.expr(&node, name, &[]),
        };
        let needs = match name {
            "force-change" => Some("set-password"),
            "deactivate" | "block-login" | "set-password" | "revoke-sessions" | "delete" => {
                Some(name)
            }
            _ => None,
        };
        let described = |name: &str| operations.keys().any(|op| op.name() == name);
        if let Some(needs) = needs
            && !described(needs)
            && value.get_ref().as_bool() != Some(false)
        {
            let help = format!("add [[operation.{needs}]], or remove this line");
            making.desk.advise(
                span,
                &node.field(name),
                "no operation says how this is done",
                help,
            );
        }
        switches.extend(switch.map(|switch| (name.to_owned(), switch)));
    }
    switches
}
