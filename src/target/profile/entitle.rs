//! Kinds of entitlement, and kinds of work that can be given to somebody else.

use super::body::SoapDefaults;
use super::call::{Call, Purpose};
use super::expr::Expr;
use super::facts::Evidence;
use super::making::Making;
use crate::document::Node;

/// A kind of thing that accounts hold.
#[derive(Debug)]
pub struct Entitlement {
    /// Its name in the profile.
    pub name: String,
    /// Names in the mapping that begin so belong to it.
    pub prefix: String,
    /// What an account holds, from its item.
    pub read: Option<Expr>,
    /// All there are.
    pub directory: Option<Call>,
    /// Who holds one.
    pub members: Option<Call>,
    /// Gives it to one account.
    pub grant: Vec<Call>,
    /// Takes it from one account.
    pub revoke: Vec<Call>,
    /// Writes everything that an account holds.
    pub replace: Vec<Call>,
    /// Whether it exists, by the settings.
    pub when: Option<Expr>,
    /// How sure that is.
    pub evidence: Evidence,
}

/// A kind of work.
#[derive(Debug)]
pub struct Reassign {
    /// Lists the work of somebody.
    pub find: Vec<Call>,
    /// Gives one piece of it to somebody else.
    pub moves: Vec<Call>,
    /// Whether it exists, by the settings.
    pub when: Option<Expr>,
    /// How sure that is.
    pub evidence: Evidence,
}

/// What is the same for everything that is read here.
pub(super) struct Around<'a> {
    pub soap: &'a SoapDefaults,
    pub evidence: Evidence,
}

/// One table or a list of tables.
pub(super) fn one_or_more<'t>(
    node: &Node<'t>,
    key: &str,
    making: &mut Making<'_>,
) -> Vec<Node<'t>> {
    match node.value(key) {
        Some(value) if value.get_ref().is_table() => {
            node.table(key, &mut making.desk).into_iter().collect()
        }
        Some(_) => node.tables(key, &mut making.desk),
        None => Vec::new(),
    }
}

fn calls(
    node: &Node<'_>,
    key: &str,
    making: &mut Making<'_>,
    around: &Around<'_>,
    purpose: (&str, &[&str], &[&str], bool),
) -> Vec<Call> {
    let (fact, visible, keys, reads) = purpose;
    let tables = one_or_more(node, key, making);
    let read = tables.iter().filter_map(|table| {
        let purpose = Purpose {
            fact: fact.to_owned(),
            evidence: around.evidence,
            visible,
            keys,
            reads,
        };
        Call::read(table, making, around.soap, &purpose)
    });
    read.collect()
}

impl Entitlement {
    /// Reads one `[entitlement.*]`.
    pub(super) fn read(
        name: &str,
        node: &Node<'_>,
        making: &mut Making<'_>,
        around: &Around<'_>,
    ) -> Self {
        let keys = &[
            "prefix",
            "read",
            "directory",
            "members",
            "grant",
            "revoke",
            "replace",
            "when",
            "evidence",
            "comment",
        ];
        node.only(keys, &mut making.desk);
        let evidence = Evidence::read(node, making, around.evidence);
        let around = Around {
            soap: around.soap,
            evidence,
        };
        let fact = format!("entitlement.{name}");
        consistent(node, making);
        let list = ["items", "id", "name", "paging"];
        let first = |mut calls: Vec<Call>| {
            if calls.is_empty() {
                None
            } else {
                Some(calls.swap_remove(0))
            }
        };
        let mut read = |key: &str, visible: &[&str], keys: &[&str], reads: bool| {
            calls(node, key, making, &around, (&fact, visible, keys, reads))
        };
        let directory = first(read("directory", &[], &list, true));
        let members = first(read("members", &["entitlement"], &list, true));
        let grant = read("grant", &["id", "entitlement", "current"], &[], false);
        let revoke = read("revoke", &["id", "entitlement", "current"], &[], false);
        let replace = read("replace", &["id", "entitlements", "current"], &[], false);
        Self {
            name: name.to_owned(),
            prefix: node
                .text("prefix", &mut making.desk)
                .map(|text| text.value)
                .unwrap_or_default(),
            read: making.expr(node, "read", &["item"]),
            directory,
            members,
            grant,
            revoke,
            replace,
            when: making.expr(node, "when", &[]),
            evidence,
        }
    }
}

/// What can be given can be taken, in one of the two ways.
fn consistent(node: &Node<'_>, making: &mut Making<'_>) {
    let has = |key: &str| node.value(key).is_some();
    if has("replace") && (has("grant") || has("revoke")) {
        let message = "`replace` and `grant`/`revoke` exclude each other";
        making
            .desk
            .note(node.key_span("replace"), &node.field("replace"), message);
    }
    if has("replace") && !has("read") {
        making.missing(
            node,
            "read",
            "`replace` keeps what others gave, so what an account holds must be read",
        );
    }
    if has("grant") != has("revoke") && !has("replace") {
        let missing = if has("grant") { "revoke" } else { "grant" };
        making.missing(
            node,
            missing,
            "what can be given must be able to be taken, and the reverse",
        );
    }
    if !has("grant") && !has("replace") && !has("revoke") {
        making.missing(node, "grant", "add grant and revoke, or replace");
    }
}

impl Reassign {
    /// Reads one `[reassign.*]`.
    pub(super) fn read(
        name: &str,
        node: &Node<'_>,
        making: &mut Making<'_>,
        around: &Around<'_>,
    ) -> Self {
        node.only(
            &["find", "move", "when", "evidence", "comment"],
            &mut making.desk,
        );
        let evidence = Evidence::read(node, making, around.evidence);
        let around = Around {
            soap: around.soap,
            evidence,
        };
        let fact = format!("reassign.{name}");
        if node.value("move").is_none() {
            making.missing(
                node,
                "move",
                "the call that gives one piece of work to somebody else",
            );
        }
        let list = ["items", "id", "paging"];
        Self {
            find: calls(
                node,
                "find",
                making,
                &around,
                (&fact, &["from"], &list, true),
            ),
            moves: calls(
                node,
                "move",
                making,
                &around,
                (&fact, &["from", "to", "item"], &[], false),
            ),
            when: making.expr(node, "when", &[]),
            evidence,
        }
    }
}
