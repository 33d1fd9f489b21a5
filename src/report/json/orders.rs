//! What operators ordered, as version 1 spells it.

use schemars::JsonSchema;
use serde::Serialize;

use super::VERSION;
use crate::model::{AuditEntry, Change, Freeze, Outcome, Override};

/// A document about orders: `kind` is `override`, `overrides` or `freeze`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Orders<'a> {
    version: u32,
    kind: &'static str,
    outcome: &'static str,
    overrides: Vec<OverrideV1<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ended: Vec<OverrideV1<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trail: Vec<EntryV1<'a>>,
}

impl<'a> Orders<'a> {
    /// The overrides that stand, or the one that was given.
    #[must_use]
    pub fn new(kind: &'static str, outcome: Outcome, standing: &'a [Override]) -> Self {
        Self {
            version: VERSION,
            kind,
            outcome: outcome.as_str(),
            overrides: standing.iter().map(OverrideV1::new).collect(),
            ended: Vec::new(),
            remarks: Vec::new(),
            trail: Vec::new(),
        }
    }

    /// Adds overrides that were revoked or replaced.
    #[must_use]
    pub fn with_ended(mut self, ended: &'a [Override]) -> Self {
        self.ended = ended.iter().map(OverrideV1::new).collect();
        self
    }

    /// Adds remarks.
    #[must_use]
    pub fn with_remarks(mut self, remarks: &'a [String]) -> Self {
        self.remarks = remarks.iter().map(String::as_str).collect();
        self
    }

    /// Adds the trail.
    #[must_use]
    pub fn with_trail(mut self, trail: &'a [AuditEntry]) -> Self {
        self.trail = trail.iter().map(EntryV1::new).collect();
        self
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> String {
        // Plain owned data with string keys always serialises.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct OverrideV1<'a> {
    id: &'a str,
    anchor: &'a str,
    label: &'a str,
    target: Option<&'a str>,
    effect: &'static str,
    from: String,
    until: Option<String>,
    reason: &'a str,
    by: &'a str,
    at: String,
}

impl<'a> OverrideV1<'a> {
    fn new(order: &'a Override) -> Self {
        Self {
            id: &order.id,
            anchor: order.anchor.as_str(),
            label: &order.label,
            target: order.target.as_deref(),
            effect: order.effect.as_str(),
            from: order.from.to_string(),
            until: order.until.map(|until| until.to_string()),
            reason: &order.reason,
            by: &order.by,
            at: order.at.to_string(),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct EntryV1<'a> {
    number: u64,
    at: String,
    by: &'a str,
    what: &'static str,
    about: Option<&'a str>,
    target: Option<&'a str>,
    anchor: Option<&'a str>,
    label: Option<&'a str>,
    until: Option<String>,
    reason: &'a str,
}

impl<'a> EntryV1<'a> {
    fn new(entry: &'a AuditEntry) -> Self {
        Self {
            number: entry.number,
            at: entry.at.to_string(),
            by: &entry.by,
            what: entry.what.as_str(),
            about: entry.about.as_deref(),
            target: entry.target.as_deref(),
            anchor: entry.anchor.as_ref().map(|anchor| anchor.as_str()),
            label: entry.label.as_deref(),
            until: entry.until.map(|until| until.to_string()),
            reason: &entry.reason,
        }
    }
}

/// Where one target stands with a freeze; `kind` is `freeze`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct FreezeStatusV1<'a> {
    target: &'a str,
    frozen: Option<FreezeV1<'a>>,
    waiting: u64,
}

impl<'a> FreezeStatusV1<'a> {
    /// A target, what freezes it, and how many people keep access because of that.
    #[must_use]
    pub fn new(target: &'a str, freeze: Option<&'a Freeze>, waiting: u64) -> Self {
        Self {
            target,
            frozen: freeze.map(FreezeV1::new),
            waiting,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct FreezeV1<'a> {
    all: bool,
    since: String,
    by: &'a str,
    reason: &'a str,
}

impl<'a> FreezeV1<'a> {
    pub(super) fn new(freeze: &'a Freeze) -> Self {
        Self {
            all: freeze.target.is_none(),
            since: freeze.at.to_string(),
            by: &freeze.by,
            reason: &freeze.reason,
        }
    }
}

/// Somebody who keeps access because of a freeze.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WaitingV1<'a> {
    anchor: &'a str,
    label: &'a str,
    action: &'static str,
    reason: &'static str,
}

impl<'a> WaitingV1<'a> {
    pub(super) fn new(change: &'a Change) -> Self {
        Self {
            anchor: change.anchor.as_str(),
            label: &change.label,
            action: change.action.as_str(),
            reason: change.reason.as_str(),
        }
    }
}
