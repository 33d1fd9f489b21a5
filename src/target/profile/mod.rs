//! Application profiles: how to speak to an application that has an HTTP interface of its own, as a file says it.
//!
//! Pure. A [`Profile`] is compiled once from the text of a profile file (read and located by `config`); `http_app` runs it.
//! The format is described in `docs/http-profiles.md`. Nothing here sends anything, and nothing decides about people.

mod auth;
mod body;
mod call;
mod compile;
mod entitle;
pub mod expr;
mod facts;
mod field;
mod filters;
mod making;
mod operations;
mod paging;
mod path;
mod rules;
mod setting;
pub mod tree;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use auth::{Auth, AuthKind, Grant, Lifetime, OAuth, Place};
pub use body::{Body, Soap};
pub use call::{Call, Form};
pub use entitle::{Entitlement, Reassign};
pub use expr::{Expr, Scope, Template};
pub use facts::{Evidence, Fact, Use};
pub use field::{Field, Kind, OnClear};
pub use paging::{Paging, Style};
pub use path::Path;
pub use rules::{AnswerRules, Class, ErrorRule, HttpRules, Lists};
pub use setting::{Given, Setting, SettingType, accepts};

use crate::model::Problem;

/// What can be done with accounts, as profiles name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Op {
    /// Every account.
    List,
    /// One account.
    Get,
    /// What is missing in an account that was listed or read.
    Detail,
    /// Accounts by one attribute.
    Find,
    /// A new account.
    Create,
    /// Changed fields.
    Update,
    /// The active flag off.
    Deactivate,
    /// The active flag on.
    Reactivate,
    /// The login switch off.
    BlockLogin,
    /// The login switch on.
    AllowLogin,
    /// A new password.
    SetPassword,
    /// The end of open sessions.
    RevokeSessions,
    /// The end of the account.
    Delete,
}

impl Op {
    /// All, with their names.
    pub const ALL: [(&'static str, Self); 13] = [
        ("list", Self::List),
        ("get", Self::Get),
        ("detail", Self::Detail),
        ("find", Self::Find),
        ("create", Self::Create),
        ("update", Self::Update),
        ("deactivate", Self::Deactivate),
        ("reactivate", Self::Reactivate),
        ("block-login", Self::BlockLogin),
        ("allow-login", Self::AllowLogin),
        ("set-password", Self::SetPassword),
        ("revoke-sessions", Self::RevokeSessions),
        ("delete", Self::Delete),
    ];

    /// As profiles name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, op)| *op == self)
            .map_or("", |(name, _)| name)
    }

    /// Whether it only reads.
    #[must_use]
    pub fn reads(self) -> bool {
        matches!(self, Self::List | Self::Get | Self::Detail | Self::Find)
    }
}

/// The switches of `[capability]`.
pub const CAPABILITIES: [&str; 9] = [
    "deactivate",
    "block-login",
    "set-password",
    "force-change",
    "revoke-sessions",
    "delete",
    "list-inactive",
    "entitlements",
    "reassign",
];

/// A compiled profile.
#[derive(Debug)]
pub struct Profile {
    /// The application's name.
    pub application: String,
    /// Its address, where it is the same for all customers.
    pub url: Option<String>,
    /// What the configuration must or may give.
    pub settings: BTreeMap<String, Setting>,
    /// Requests in general.
    pub http: HttpRules,
    /// Ways to prove who we are; the first that applies is used.
    pub auth: Vec<Auth>,
    /// How an account is found in an answer.
    pub account: AccountRules,
    /// Attributes by the mapping's names.
    pub fields: BTreeMap<String, Field>,
    /// Calls by what they are for.
    pub operations: BTreeMap<Op, Vec<Call>>,
    /// Capabilities that are switched.
    pub capabilities: BTreeMap<String, Expr>,
    /// Kinds of entitlement, those with the longest prefix first.
    pub entitlements: Vec<Entitlement>,
    /// Kinds of work.
    pub reassign: BTreeMap<String, Reassign>,
    /// How answers are judged.
    pub answer: AnswerRules,
    /// What refusals mean.
    pub errors: Vec<ErrorRule>,
    /// Questions for `provost probe`.
    pub probes: Vec<Call>,
    /// The application's description of itself.
    pub describe: Describe,
}

/// How an account is found in an answer.
#[derive(Debug)]
pub struct AccountRules {
    /// Its id.
    pub id: Expr,
    /// Its active flag.
    pub active: Option<Expr>,
    /// Its login switch.
    pub login_allowed: Option<Expr>,
    /// Whether it is no account of a person.
    pub skip: Option<Expr>,
    /// Whether another system checks its password, so that one set here opens and shuts nothing.
    pub password_elsewhere: Option<Expr>,
    /// How sure that is.
    pub evidence: Evidence,
}

/// Where the application describes its interface.
#[derive(Debug, Default)]
pub struct Describe {
    /// A WSDL.
    pub wsdl: Option<Call>,
    /// GraphQL introspection.
    pub graphql: Option<Call>,
}

impl Profile {
    /// Compiles the text of a profile file.
    ///
    /// # Errors
    /// Everything that is wrong with the file, in the order of the file.
    pub fn compile(text: &str) -> Result<Self, Vec<Problem>> {
        compile::compile(text)
    }

    /// The calls of an operation; none if it is not described.
    #[must_use]
    pub fn calls(&self, op: Op) -> &[Call] {
        self.operations.get(&op).map_or(&[], Vec::as_slice)
    }

    /// Whether a capability is on with these settings (a scope with `settings`); what is not switched follows from `described`.
    ///
    /// # Errors
    /// A text for people.
    pub fn can(&self, capability: &str, described: bool, settings: &Scope) -> Result<bool, String> {
        match self.capabilities.get(capability) {
            Some(switch) => Ok(described && switch.holds(settings)?),
            None => Ok(described),
        }
    }

    /// Every fact that the profile claims, with how sure it is.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        facts::all(self)
    }

    /// The assumed facts that a configuration rests on: in use, and confirmed by nobody.
    #[must_use]
    pub fn assumed(&self, use_of: &Use<'_>) -> Vec<String> {
        facts::assumed(self, use_of)
    }

    /// The names of all facts.
    #[must_use]
    pub fn fact_names(&self) -> BTreeSet<String> {
        self.facts().into_iter().map(|fact| fact.name).collect()
    }
}
