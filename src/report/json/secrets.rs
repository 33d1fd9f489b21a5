//! What a look at every sealed secret found, as version 1 spells it.

use schemars::JsonSchema;
use serde::Serialize;

use super::VERSION;
use crate::model::Outcome;

/// What was found; no secret is in it.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Secrets<'a> {
    /// How many were opened.
    pub secrets: usize,
    /// Records that are of no use any more.
    pub spent: usize,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// The name of the key that they are sealed with; it tells nothing about the key.
    pub key: &'a str,
    /// Whether that is a key that should be rotated out.
    pub old_key: bool,
    /// What is damaged, in words.
    pub problems: &'a [String],
}

/// The document: `kind` is `secrets`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SecretsV1<'a> {
    version: u32,
    kind: &'static str,
    outcome: &'static str,
    #[serde(flatten)]
    found: Secrets<'a>,
}

impl Secrets<'_> {
    /// The document.
    #[must_use]
    pub fn document(self, outcome: Outcome) -> String {
        let document = SecretsV1 {
            version: VERSION,
            kind: "secrets",
            outcome: outcome.as_str(),
            found: self,
        };
        // Plain owned data with string keys always serialises.
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }
}
