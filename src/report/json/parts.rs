//! The parts of a plan as version 1 spells them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{
    Action, AttributeChange, Change, Held, HeldWhy, PasswordStep, Suspensions, Value,
};
use crate::report::Review;
use crate::report::text::ChangeResult;

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Basis<'a> {
    now: String,
    read_at: String,
    people: u64,
    complete: bool,
    shortfalls: &'a [String],
    config: &'a str,
    live: bool,
}

impl<'a> Basis<'a> {
    pub(super) fn new(basis: &'a crate::model::Basis) -> Self {
        Self {
            now: basis.now.to_string(),
            read_at: basis.read_at.to_string(),
            people: basis.people,
            complete: basis.shortfalls.is_empty(),
            shortfalls: &basis.shortfalls,
            config: &basis.config,
            live: basis.live,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ChangeV1<'a> {
    anchor: &'a str,
    label: &'a str,
    account: Option<&'a str>,
    action: &'static str,
    how: Vec<String>,
    done: Vec<String>,
    password: Option<&'static str>,
    leaves_sessions: bool,
    heir: Option<&'a str>,
    reason: &'static str,
    rename: bool,
    attributes: Vec<AttributeV1<'a>>,
    grant: Vec<&'a str>,
    revoke: Vec<&'a str>,
    suspended_before: Vec<&'static str>,
    suspended_after: Vec<&'static str>,
}

impl<'a> ChangeV1<'a> {
    pub(super) fn new(change: &'a Change) -> Self {
        Self {
            anchor: change.anchor.as_str(),
            label: &change.label,
            account: change.account.as_ref().map(|id| id.0.as_str()),
            action: change.action.as_str(),
            how: how(&change.action),
            done: change.done.iter().map(ToString::to_string).collect(),
            password: change.password.map(PasswordStep::as_str),
            leaves_sessions: change.leaves_sessions(),
            heir: change.heir.as_ref().map(|id| id.0.as_str()),
            reason: change.reason.as_str(),
            rename: change.is_rename(),
            attributes: change.attributes.iter().map(AttributeV1::new).collect(),
            grant: change.grant.iter().map(String::as_str).collect(),
            revoke: change.revoke.iter().map(String::as_str).collect(),
            suspended_before: reasons(&change.suspended_before),
            suspended_after: reasons(&change.suspended_after),
        }
    }
}

fn how(action: &Action) -> Vec<String> {
    match action {
        Action::Suspend(how) | Action::Reactivate(how) => {
            how.iter().map(ToString::to_string).collect()
        }
        Action::Delete | Action::Link | Action::Update | Action::Create | Action::Entitle => {
            Vec::new()
        }
    }
}

fn reasons(set: &Suspensions) -> Vec<&'static str> {
    set.iter().map(|reason| reason.as_str()).collect()
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct AttributeV1<'a> {
    name: &'a str,
    before: Option<Plain<'a>>,
    after: Option<Plain<'a>>,
    identifier: bool,
}

impl<'a> AttributeV1<'a> {
    pub(super) fn new(change: &'a AttributeChange) -> Self {
        Self {
            name: &change.name,
            before: change.before.as_ref().map(Plain::new),
            after: change.after.as_ref().map(Plain::new),
            identifier: change.identifier,
        }
    }
}

/// A value with its own JSON type.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Plain<'a> {
    Bool(bool),
    Int(i64),
    Text(&'a str),
    Set(Vec<&'a str>),
}

impl<'a> Plain<'a> {
    pub(super) fn new(value: &'a Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Text(value) => Self::Text(value),
            Value::Set(values) => Self::Set(values.iter().map(String::as_str).collect()),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct HeldV1<'a> {
    anchor: &'a str,
    label: &'a str,
    account: Option<&'a str>,
    why: &'static str,
    text: String,
}

impl<'a> HeldV1<'a> {
    pub(super) fn new(held: &'a Held) -> Self {
        Self {
            anchor: held.anchor.as_str(),
            label: &held.label,
            account: held.account.as_ref().map(|id| id.0.as_str()),
            why: held_why(&held.why),
            text: held.why.to_string(),
        }
    }
}

fn held_why(why: &HeldWhy) -> &'static str {
    match why {
        HeldWhy::Mapping { .. } => "mapping",
        HeldWhy::Ambiguous { .. } => "ambiguous",
        HeldWhy::Contested { .. } => "contested",
        HeldWhy::NotAdoptable { .. } => "not-adoptable",
        HeldWhy::NameTaken { .. } => "name-taken",
        HeldWhy::Unreadable(_) => "unreadable",
        HeldWhy::Missing { .. } => "missing-once",
        HeldWhy::MissingUnproven => "missing-unproven",
        HeldWhy::ScopeUnproven => "scope-unproven",
        HeldWhy::Protected(_) => "protected",
        HeldWhy::Policy { .. } => "policy",
        HeldWhy::AccountGone => "account-gone",
        HeldWhy::Unconfirmed(_) => "unconfirmed",
        HeldWhy::Stale => "stale",
        HeldWhy::Strict => "strict",
        HeldWhy::Access(_) => "access",
        HeldWhy::Incapable(_) => "incapable",
        HeldWhy::NoHeir { .. } => "no-heir",
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct NoticeV1<'a> {
    anchor: &'a str,
    label: &'a str,
    text: &'a str,
}

impl<'a> NoticeV1<'a> {
    pub(super) fn new(notice: &'a crate::model::Notice) -> Self {
        Self {
            anchor: notice.anchor.as_str(),
            label: &notice.label,
            text: &notice.what,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct LetterV1<'a> {
    kind: &'static str,
    anchor: &'a str,
    label: &'a str,
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closes: Option<String>,
}

impl<'a> LetterV1<'a> {
    pub(super) fn new(letter: &'a crate::model::Letter) -> Self {
        Self {
            kind: letter.kind.as_str(),
            anchor: letter.anchor.as_str(),
            label: &letter.label,
            to: letter.to.as_deref().ok(),
            problem: letter.to.as_ref().err().map(String::as_str),
            closes: letter.closes.map(|at| at.to_string()),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct OrphanV1<'a> {
    account: &'a str,
    label: &'a str,
    active: Option<bool>,
}

impl<'a> OrphanV1<'a> {
    pub(super) fn new(orphan: &'a crate::model::Orphan) -> Self {
        Self {
            account: &orphan.account.0,
            label: &orphan.label,
            active: orphan.active,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Guard<'a> {
    approved: usize,
    staged: usize,
    release: Option<&'a str>,
    breaches: Vec<BreachV1<'a>>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct BreachV1<'a> {
    kind: &'a str,
    count: usize,
    allowed: usize,
    text: &'a str,
}

impl<'a> Guard<'a> {
    pub(super) fn new(review: &'a Review) -> Self {
        let breaches = review.breaches.iter().map(|breach| BreachV1 {
            kind: &breach.kind,
            count: breach.count,
            allowed: breach.allowed,
            text: &breach.text,
        });
        Self {
            approved: review.approved,
            staged: review.staged,
            release: review.release.as_ref().map(|digest| digest.0.as_str()),
            breaches: breaches.collect(),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ResultV1<'a> {
    anchor: &'a str,
    action: &'static str,
    state: &'static str,
    detail: Option<&'a str>,
}

impl<'a> ResultV1<'a> {
    pub(super) fn new(result: &'a ChangeResult) -> Self {
        Self {
            anchor: result.change.anchor.as_str(),
            action: result.change.action.as_str(),
            state: result.state.as_str(),
            detail: result.detail.as_deref(),
        }
    }
}
