//! Who has access when, as version 1 spells it.

use schemars::JsonSchema;
use serde::Serialize;

use super::VERSION;
use crate::reconcile::access::{Closing, Outlook};
use crate::report::windows::{Asked, Windows};

/// The document of kind `windows`.
#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WindowsV1<'a> {
    version: u32,
    kind: &'static str,
    outcome: &'static str,
    at: String,
    to: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    remarks: &'a [String],
    targets: Vec<TargetV1<'a>>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
struct TargetV1<'a> {
    target: &'a str,
    read_at: String,
    shortfalls: &'a [String],
    time_zones: &'a str,
    policies: usize,
    closings: Vec<ClosingV1>,
    people: Vec<PersonV1<'a>>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
struct PersonV1<'a> {
    anchor: &'a str,
    label: &'a str,
    in_scope: bool,
    state: &'static str,
    reasons: Vec<&'static str>,
    why: String,
    policies: Vec<PartV1<'a>>,
    notices: &'a [String],
    next: Option<String>,
    transitions: Vec<EdgeV1>,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
struct PartV1<'a> {
    policy: &'a str,
    zone: &'a str,
    rule: &'a str,
    open: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
struct EdgeV1 {
    at: String,
    open: bool,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ClosingV1 {
    at: String,
    people: usize,
    seconds: i64,
    begin: String,
    late_seconds: i64,
}

impl ClosingV1 {
    fn new(closing: &Closing) -> Self {
        Self {
            at: closing.at.to_string(),
            people: closing.people,
            seconds: closing.takes.as_secs(),
            begin: closing.begin.to_string(),
            late_seconds: closing.late.as_secs(),
        }
    }
}

impl<'a> PersonV1<'a> {
    fn new(one: &'a Outlook) -> Self {
        let state = match (one.is_open(), one.reasons.is_empty()) {
            (true, _) => "open",
            (false, false) => "closed",
            (false, true) => "undecided",
        };
        Self {
            anchor: one.anchor.as_str(),
            label: &one.label,
            in_scope: one.in_scope,
            state,
            reasons: one.reasons.iter().map(|reason| reason.as_str()).collect(),
            why: one.access.why(),
            policies: one
                .access
                .parts
                .iter()
                .map(|part| PartV1 {
                    policy: &part.policy,
                    zone: &part.zone.name,
                    rule: &part.rule,
                    open: part.open,
                })
                .collect(),
            notices: &one.access.notices,
            next: one.next.map(|next| next.to_string()),
            transitions: one
                .transitions
                .iter()
                .map(|edge| EdgeV1 {
                    at: edge.at.to_string(),
                    open: edge.open,
                })
                .collect(),
        }
    }
}

/// The document of kind `windows`.
#[must_use]
pub fn windows(all: &[Windows<'_>], asked: &Asked) -> String {
    let document = WindowsV1 {
        version: VERSION,
        kind: "windows",
        outcome: crate::model::Outcome::NothingToDo.as_str(),
        at: asked.at.to_string(),
        to: asked.to.map(|to| to.to_string()),
        remarks: &asked.remarks,
        targets: all
            .iter()
            .map(|one| TargetV1 {
                target: one.target,
                read_at: one.read_at.to_string(),
                shortfalls: one.shortfalls,
                time_zones: one.time_zones,
                policies: one.policies,
                closings: one.closings().iter().map(ClosingV1::new).collect(),
                people: one.people.iter().map(PersonV1::new).collect(),
            })
            .collect(),
    };
    // Plain owned data with string keys always serialises.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}
