//! What a mapping tells the rest of reconciliation: rules, scope clauses, projections. Plain values, nothing decided here.

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

impl Scope {
    /// It cannot be said.
    pub(super) fn unknown(why: &str) -> Self {
        Self {
            inside: false,
            clauses: Vec::new(),
            error: Some(why.to_owned()),
        }
    }
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

/// All that a plan needs to know of how a mapping sees one identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// All clauses of the scope hold.
    pub inside: bool,
    /// The scope cannot be judged: the identity is held.
    pub error: Option<String>,
    /// Every account attribute of the mapping, in the order of its rules.
    pub attributes: Vec<Projected>,
    /// The entitlements the identity should hold, or why that cannot be said.
    pub entitlements: Result<BTreeSet<String>, String>,
    /// The value to look for, for each match rule in order; `None` where the identity has none.
    pub matches: Vec<Option<Value>>,
    /// A start date that the mapping found in attributes.
    pub starts: Option<Timestamp>,
    /// An end date that the mapping found in attributes.
    pub ends: Option<Timestamp>,
}

/// Which groups a mapping refers to, so that the source resolves only those.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum GroupUse {
    /// None at all.
    #[default]
    None,
    /// These, each by short name or by DN, in any case.
    Named(BTreeSet<String>),
    /// Any: the mapping looks at all groups, or matches them by pattern.
    All,
}

impl GroupUse {
    /// Adds one group.
    pub(super) fn name(&mut self, name: &str) {
        match self {
            Self::All => {}
            Self::None => *self = Self::Named(BTreeSet::from([name.to_owned()])),
            Self::Named(names) => {
                names.insert(name.to_owned());
            }
        }
    }
}

/// How one part of a mapping came to its result for one identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explained {
    /// The account attribute, match rule or entitlement, as a path such as `attributes.userName`.
    pub field: String,
    /// The template or expression as written.
    pub source: String,
    /// What it reads, each with its values as text; no values if the directory has none.
    pub inputs: Vec<(String, Vec<String>)>,
    /// The outcome.
    pub outcome: Projected,
}

/// How a mapping sees one identity, for `explain`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The scope, clause by clause.
    pub scope: Scope,
    /// Every account attribute, in the order of the file.
    pub attributes: Vec<Explained>,
    /// Every match rule, in order of precedence.
    pub matches: Vec<Explained>,
    /// The entitlements, or why they cannot be said.
    pub entitlements: Result<BTreeSet<String>, String>,
    /// The start date found.
    pub starts: Option<Timestamp>,
    /// The end date found.
    pub ends: Option<Timestamp>,
}
