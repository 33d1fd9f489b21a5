//! Read-only checks for `check --online`: what the service says about itself, and whether the mapping fits it.

use serde_json::Value as Json;

use super::ScimConnector;
use super::api::USERS;
use super::json;
use crate::target::{ConnectorError, Finding};

impl ScimConnector {
    /// Looks at credentials, the list of accounts, features, attributes and groups.
    pub(super) async fn look_around(&self) -> Result<Vec<Finding>, ConnectorError> {
        let mut findings = vec![self.look_at_users().await?];
        let said = |known: Option<bool>| match known {
            Some(true) => "offered",
            Some(false) => "not offered",
            None => "not said; tried when needed",
        };
        let found = &self.found;
        let mut note = |what: &str, text: &str, ok: bool| {
            findings.push(Finding {
                what: what.to_owned(),
                found: text.to_owned(),
                ok,
            });
        };
        note(
            "self-description",
            if found.described {
                "ServiceProviderConfig is there"
            } else {
                "no ServiceProviderConfig; defaults are used"
            },
            true,
        );
        note("PATCH", said(found.patch), true);
        note("filter", said(found.filter), true);
        let etag = if found.etag {
            "used"
        } else {
            "not offered; concurrent changes are not noticed"
        };
        note("If-Match", etag, true);
        let style = self.style();
        let by = if style.by_cursor { "cursor" } else { "index" };
        note(
            "paging",
            &format!("by {by}, {} accounts per page", style.count),
            true,
        );
        for field in self.fields.values() {
            let (text, ok) = match found.schema.has(&field.path) {
                Some(true) => ("known to the application", true),
                Some(false) => (
                    "not in the application's schema: it will be refused or dropped",
                    false,
                ),
                None => ("the application does not tell its attributes", true),
            };
            note(&format!("attribute {}", field.name), text, ok);
        }
        let groups = self.look_at_groups().await?;
        findings.push(groups);
        Ok(findings)
    }

    async fn look_at_users(&self) -> Result<Finding, ConnectorError> {
        let answer = self
            .api
            .get(USERS, None, &[("startIndex", "1"), ("count", "1")])
            .await?;
        if answer.status == http::StatusCode::FORBIDDEN {
            return Err(ConnectorError::Unauthorised(answer.describe()));
        }
        let json = self.api.success(&answer, "list Users")?.json()?;
        let total = json
            .as_object()
            .and_then(|o| json::lookup(o, "totalResults"))
            .and_then(Json::as_u64);
        Ok(Finding {
            what: "accounts".to_owned(),
            found: match total {
                Some(total) => format!("credentials accepted; {total} accounts"),
                None => "credentials accepted, but the list is not a ListResponse".to_owned(),
            },
            ok: total.is_some(),
        })
    }

    async fn look_at_groups(&self) -> Result<Finding, ConnectorError> {
        let text = match self.groups().await? {
            None => "the application has none; entitlements cannot be managed".to_owned(),
            Some(groups) if groups.is_empty() => "none yet".to_owned(),
            Some(groups) => {
                let number = groups.len();
                if groups.iter().any(|g| g.members.is_some()) {
                    format!("{number} groups, members are listed")
                } else {
                    format!(
                        "{number} groups, but the list has no members: they are read one by one or not at all"
                    )
                }
            }
        };
        Ok(Finding {
            what: "groups".to_owned(),
            found: text,
            ok: true,
        })
    }
}
