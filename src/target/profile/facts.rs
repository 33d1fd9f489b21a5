//! How sure each fact of a profile is, and what the facts are called.

use super::Profile;
use super::making::Making;
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
        add(call.fact.clone(), call.evidence);
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
