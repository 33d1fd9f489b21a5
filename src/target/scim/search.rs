//! Searching by one attribute on services whose filters may be ignored, refused, or silently find nothing.
//!
//! An empty answer is believed only for attributes by which a search has already found somebody; until then an account that is
//! known to exist is searched for. Where filters do not work the whole list is read.

use serde_json::Value as Json;

use super::ScimConnector;
use super::api::USERS;
use super::json;
use super::schema::Shape;
use super::wire::Field;
use crate::model::{AccountDraft, Value};
use crate::target::ConnectorError;

/// What experience says about searching by an attribute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// It found somebody: not finding means absence.
    Works,
    /// It does not find those who exist.
    Useless,
}

/// Most values remembered as taken.
const TAKEN: usize = 10_000;

impl ScimConnector {
    /// The resources whose attribute equals the value, letters compared without case.
    pub(super) async fn search(
        &self,
        field: &Field,
        value: &Value,
    ) -> Result<Vec<Json>, ConnectorError> {
        if let Value::Set(_) = value {
            return Err(ConnectorError::Rejected(format!(
                "\"{}\" holds several values and cannot be searched by",
                field.name
            )));
        }
        let trust = self.trust(field);
        if trust == Some(Trust::Useless) || self.found.filter == Some(false) {
            return self.search_list(field, value).await;
        }
        for wanted in spellings(value) {
            let Some(hits) = self.ask(field, &wanted).await? else {
                self.learn(field, Trust::Useless);
                return self.search_list(field, value).await;
            };
            if !hits.is_empty() {
                self.learn(field, Trust::Works);
                return Ok(hits);
            }
        }
        if self.is_taken(value) {
            return self.search_list(field, value).await;
        }
        match trust {
            Some(Trust::Works) => Ok(Vec::new()),
            Some(Trust::Useless) | None => self.verify_absence(field, value).await,
        }
    }

    /// Asks by filter; `None` if that does not work. Hits that do not match are dropped; if there were only such, the filter
    /// was ignored.
    async fn ask(&self, field: &Field, value: &Value) -> Result<Option<Vec<Json>>, ConnectorError> {
        let many = field.shape == Shape::Objects;
        let json = field.single(value).map_err(ConnectorError::Rejected)?;
        let filter = field.path.equals(&json, many);
        let Some(found) = self.api.filtered(USERS, &filter).await? else {
            return Ok(None);
        };
        let all = found.len();
        let hits: Vec<Json> = found
            .into_iter()
            .filter(|resource| is(field, resource, value))
            .collect();
        // Somebody else came back: the answer is a page of everybody, and whom we look for may be on the next.
        if hits.len() < all {
            return Ok(None);
        }
        Ok(Some(hits))
    }

    /// Nobody was found by an attribute that never found anybody: look for somebody who exists.
    async fn verify_absence(
        &self,
        field: &Field,
        value: &Value,
    ) -> Result<Vec<Json>, ConnectorError> {
        let answer = self
            .api
            .get(USERS, None, &[("startIndex", "1"), ("count", "10")])
            .await?;
        let json = self.api.success(&answer, "list Users")?.json()?;
        let page = json
            .as_object()
            .and_then(|o| json::lookup(o, "Resources"))
            .and_then(Json::as_array);
        let known = page.into_iter().flatten().find_map(|r| field.read(r));
        let known = match known {
            Some(Value::Set(values)) => values.into_iter().next().map(Value::Text),
            other => other,
        };
        if let Some(known) = known {
            let works = self
                .ask(field, &known)
                .await?
                .is_some_and(|hits| !hits.is_empty());
            self.learn(field, if works { Trust::Works } else { Trust::Useless });
            if works {
                return Ok(Vec::new());
            }
        }
        self.search_list(field, value).await
    }

    async fn search_list(&self, field: &Field, value: &Value) -> Result<Vec<Json>, ConnectorError> {
        let hits = self
            .api
            .list(USERS, self.style(), &[], &|resource| {
                is(field, &resource, value).then_some(resource)
            })
            .await?;
        Ok(hits.into_iter().flatten().collect())
    }

    /// A create was refused because something is taken: what it held must be findable, if need be by reading the list.
    pub(super) fn remember_taken(&self, draft: &AccountDraft) {
        let mut taken = self
            .taken
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for (name, value) in &draft.attributes {
            let unique = self.settings.unique.iter().any(|u| u == name)
                || name.eq_ignore_ascii_case("userName");
            if unique && taken.len() < TAKEN {
                taken.insert(value.to_string().to_lowercase());
            }
        }
    }

    fn is_taken(&self, value: &Value) -> bool {
        self.taken
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .contains(&value.to_string().to_lowercase())
    }

    fn trust(&self, field: &Field) -> Option<Trust> {
        self.searchable
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(&field.name)
            .copied()
    }

    fn learn(&self, field: &Field, trust: Trust) {
        self.searchable
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(field.name.clone(), trust);
    }
}

/// The value as given, and in lower case for services that compare exactly.
fn spellings(value: &Value) -> Vec<Value> {
    let mut all = vec![value.clone()];
    if let Value::Text(text) = value {
        let lower = text.to_lowercase();
        if lower != *text {
            all.push(Value::Text(lower));
        }
    }
    all
}

fn is(field: &Field, resource: &Json, value: &Value) -> bool {
    let wanted = value.to_string().to_lowercase();
    match field.read(resource) {
        Some(Value::Set(values)) => values.iter().any(|v| v.to_lowercase() == wanted),
        Some(have) => have.to_string().to_lowercase() == wanted,
        None => false,
    }
}
