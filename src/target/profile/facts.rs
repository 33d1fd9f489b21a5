//! How sure each fact of a profile is, and what the facts are called.

use std::collections::BTreeSet;

use super::making::Making;
use super::{Expr, Given, Op, Profile};
use crate::document::Node;

/// How sure a fact is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Evidence {
    /// The vendor says so.
    Vendor,
    /// Somebody's code or notes against the real interface say so.
    Observed,
    /// A guess from a convention or an analogy.
    Assumed,
}

/// One claim of a profile.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Fact {
    /// Its name, such as `operation.create` or `field.phone`.
    pub name: String,
    /// How sure it is.
    pub evidence: Evidence,
}

impl Evidence {
    const WORDS: [(&'static str, Self); 3] = [
        ("vendor", Self::Vendor),
        ("observed", Self::Observed),
        ("assumed", Self::Assumed),
    ];

    /// The evidence that a table gives, else that of what surrounds it.
    pub(super) fn read(node: &Node<'_>, making: &mut Making<'_>, around: Self) -> Self {
        node.choice("evidence", &Self::WORDS, &mut making.desk)
            .unwrap_or(around)
    }
}

/// The name of the call of an operation at a position from 0.
pub(super) fn numbered(name: &str, at: usize) -> String {
    if at == 0 {
        name.to_owned()
    } else {
        format!("{name}#{}", at + 1)
    }
}

/// Every fact.
pub(super) fn all(profile: &Profile) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |name: String, evidence| facts.push(Fact { name, evidence });
    for (at, auth) in profile.auth.iter().enumerate() {
        add(numbered("auth", at), auth.evidence);
    }
    add("account".to_owned(), profile.account.evidence);
    add("answer".to_owned(), profile.answer.evidence);
    for call in profile.operations.values().flatten() {
        if call.rests_on.is_none() {
            add(call.fact.clone(), call.evidence);
        }
    }
    for (name, field) in &profile.fields {
        add(format!("field.{name}"), field.evidence);
    }
    for kind in &profile.entitlements {
        add(format!("entitlement.{}", kind.name), kind.evidence);
    }
    for (name, work) in &profile.reassign {
        add(format!("reassign.{name}"), work.evidence);
    }
    for (name, setting) in &profile.settings {
        if setting.default.is_some() {
            add(format!("setting.{name}"), setting.evidence);
        }
    }
    facts
}

/// The facts that are in use with these settings and nobody has confirmed: what the target rests on.
pub(super) fn assumed(profile: &Profile, use_of: &Use<'_>) -> Vec<String> {
    let base = use_of.given.scope();
    // What cannot be said before a run counts as used.
    let on = |when: Option<&Expr>| {
        when.is_none_or(|when| {
            let known = when.names().iter().all(|name| name.starts_with("settings"));
            !known || when.holds(&base).unwrap_or(true)
        })
    };
    let mut used = Vec::new();
    if let Some(at) = profile.auth.iter().position(|auth| on(auth.when.as_ref())) {
        used.push(numbered("auth", at));
    }
    used.extend(["account".to_owned(), "answer".to_owned()]);
    for (op, calls) in &profile.operations {
        let able = profile.can(op.name(), true, &base).unwrap_or(true);
        if able && (*op != Op::Delete || use_of.deletes) {
            used.extend(
                calls
                    .iter()
                    .filter(|call| on(call.when.as_ref()))
                    .filter(|call| call.rests_on.is_none())
                    .map(|call| call.fact.clone()),
            );
        }
    }
    for (name, field) in &profile.fields {
        if use_of.attributes.contains(name) && on(field.when.as_ref()) {
            used.push(format!("field.{name}"));
        }
    }
    let entitled = profile
        .entitlements
        .iter()
        .filter(|kind| on(kind.when.as_ref()));
    used.extend(entitled.map(|kind| format!("entitlement.{}", kind.name)));
    let work = profile
        .reassign
        .iter()
        .filter(|(_, work)| on(work.when.as_ref()));
    used.extend(work.map(|(name, _)| format!("reassign.{name}")));
    used.extend(
        use_of
            .given
            .defaulted
            .iter()
            .map(|name| format!("setting.{name}")),
    );
    let facts = all(profile);
    used.retain(|name| {
        let fact = facts.iter().find(|fact| fact.name == *name);
        fact.is_some_and(|fact| fact.evidence == Evidence::Assumed)
            && !use_of.confirmed.contains(name)
    });
    used
}

/// How a configuration uses a profile.
#[derive(Clone, Copy, Debug)]
pub struct Use<'u> {
    /// The values of its settings.
    pub given: &'u Given,
    /// The account attributes that the mapping uses.
    pub attributes: &'u [String],
    /// Facts that the customer has verified.
    pub confirmed: &'u BTreeSet<String>,
    /// Whether accounts may be deleted.
    pub deletes: bool,
}
