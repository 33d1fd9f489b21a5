//! The mapping: which people an application is for, and what their accounts hold.
//!
//! A [`Mapping`] is compiled once from a mapping file (read and located by `config`) and is pure from then on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::Value;

/// How an account attribute is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Apply {
    /// At every run.
    Always,
    /// Only when the account is created.
    OnCreate,
}

/// How two values of an attribute are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    /// Byte for byte.
    Exact,
    /// Without regard to case (Unicode simple folding by `str::to_lowercase`).
    IgnoreCase,
}

/// What reconciliation must know about one account attribute. Its expression stays inside the mapping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// The account attribute's name.
    pub name: String,
    /// When it is written.
    pub apply: Apply,
    /// Never changed after create: a difference is reported.
    pub immutable: bool,
    /// No two accounts may have the same value; a change of it is a rename.
    pub unique: bool,
    /// How values are compared.
    pub compare: Compare,
}

/// One rule for recognising an existing account at first contact, in order of precedence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MatchRule {
    /// A short name for reports: the account attribute compared.
    pub account: String,
    /// Whether a match by this rule may adopt the account; otherwise it is held.
    pub adopt: bool,
    /// How values are compared.
    pub compare: Compare,
}

/// What a mapping makes of one attribute of one identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Projected {
    /// This value, and for unique attributes the alternatives to try in order if it is taken.
    Value(Value, Vec<Value>),
    /// The account's value is removed.
    Clear,
    /// The account's value is left as it is.
    Omit,
    /// The account id of another person, named by DN as the directory spelled it.
    Reference(String),
    /// The identity cannot be provisioned; says why and what to do.
    Hold(String),
}

/// One clause of the scope and whether it holds, for `explain`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clause {
    /// The clause as written.
    pub text: String,
    /// Whether it holds for the identity.
    pub holds: bool,
}

/// Whether an identity is in scope, clause by clause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    /// All clauses hold.
    pub inside: bool,
    /// Each clause.
    pub clauses: Vec<Clause>,
    /// A clause could not be evaluated: the identity is held, whatever the others say.
    pub error: Option<String>,
}

/// What a mapping makes of one identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Projection {
    /// Every account attribute of the mapping, by name.
    pub attributes: BTreeMap<String, Projected>,
    /// The entitlements the identity should hold, or why that cannot be said.
    pub entitlements: Result<BTreeSet<String>, String>,
    /// The value to look for, for each match rule in order; `None` where the identity has none.
    pub matches: Vec<Option<Value>>,
    /// A start date that the mapping found in attributes.
    pub starts: Option<Timestamp>,
    /// An end date that the mapping found in attributes.
    pub ends: Option<Timestamp>,
}
