//! The JSON Schema (draft 2020-12) of every document, made from the types themselves.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::orders::{FreezeStatusV1, Orders};
use super::secrets::SecretsV1;
use super::windows::WindowsV1;
use super::{Document, Target};
use crate::report::status;

/// Any document of version 1. `kind` tells which one it is.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[allow(
    dead_code,
    reason = "never made: it only names the types that there are"
)]
enum Any<'a> {
    /// A plan or a run.
    PlanOrRun(Document<Target<'a>>),
    /// Where everything stands.
    Status(status::Document<'a>),
    /// What is frozen.
    Freeze(Document<FreezeStatusV1<'a>>),
    /// Who has access when.
    Windows(WindowsV1<'a>),
    /// Overrides, given, ended or listed.
    Orders(Orders<'a>),
    /// The vault.
    Secrets(SecretsV1<'a>),
}

/// The schema of everything that `--json` writes.
#[must_use]
pub fn schema() -> String {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let mut schema: Schema = generator.into_root_schema_for::<Any<'static>>();
    schema.insert("title".to_owned(), "Provost reports, version 1".into());
    // Plain owned data with string keys always serialises.
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_names_the_members_as_reports_spell_them() {
        let schema: serde_json::Value = serde_json::from_str(&super::schema()).unwrap();
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        let text = schema.to_string();
        for member in [
            "read-at",
            "suspended-before",
            "waiting-digest",
            "last-outcome",
        ] {
            assert!(text.contains(&format!("\"{member}\"")), "{member}");
        }
    }
}
