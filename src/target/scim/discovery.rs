//! What the service says about itself (RFC 7643 §5, §6, §7). Everything is optional: what is missing gets the usual default.

use futures_util::future;
use http::StatusCode;
use serde_json::Value as Json;

use super::api::Api;
use super::bulk::Bulk;
use super::json::{lookup, text};
use super::schema::Schema;
use crate::target::ConnectorError;
use crate::target::settings::ScimSettings;

/// What is known about a service before the first change.
#[derive(Clone, Debug, Default)]
pub struct Discovered {
    /// It has a ServiceProviderConfig.
    pub described: bool,
    /// PATCH is offered; `None` if it did not say.
    pub patch: Option<bool>,
    /// `If-Match` is honoured. An ETag header alone does not prove it.
    pub etag: bool,
    /// Filters are offered; `None` if it did not say.
    pub filter: Option<bool>,
    /// The most entries it gives per page.
    pub max_results: Option<u32>,
    /// Cursor paging (RFC 9865) is offered.
    pub cursor: bool,
    /// Bulk requests are offered, so large.
    pub bulk: Option<Bulk>,
    /// The attributes of users.
    pub schema: Schema,
    /// It has groups; `None` if it did not say.
    pub groups: Option<bool>,
}

impl Discovered {
    /// Asks the service. Refused credentials and unreachable services are errors; missing endpoints are not.
    ///
    /// # Errors
    /// Any but [`ConnectorError::NotFound`].
    pub async fn ask(api: &Api, settings: &ScimSettings) -> Result<Self, ConnectorError> {
        let mut found = Self::default();
        let (config, schemas, types) = future::try_join3(
            optional(api, "ServiceProviderConfig"),
            optional(api, "Schemas"),
            optional(api, "ResourceTypes"),
        )
        .await?;
        if let Some(config) = config {
            found.read_config(&config);
        }
        if let Some(json) = schemas {
            found.schema = Schema::read(&resources(json));
        }
        if let Some(json) = types {
            let types = resources(json);
            let is = |resource: &Json, name: &str| {
                ["id", "name"]
                    .iter()
                    .any(|key| text(resource, key).is_some_and(|t| t.eq_ignore_ascii_case(name)))
            };
            if types.iter().any(|resource| is(resource, "User")) {
                found.groups = Some(types.iter().any(|resource| is(resource, "Group")));
            }
        }
        if settings.patch.is_some() {
            found.patch = settings.patch;
        }
        Ok(found)
    }

    fn read_config(&mut self, config: &Json) {
        self.described = true;
        self.patch = flag(config, "patch", "supported");
        self.filter = flag(config, "filter", "supported");
        self.etag = flag(config, "etag", "supported") == Some(true);
        self.cursor = flag(config, "pagination", "cursor") == Some(true);
        self.bulk = Bulk::read(config);
        let number = |part: &str, name: &str| {
            let number = lookup(config.as_object()?, part)?.as_object()?;
            let number = lookup(number, name)?.as_u64()?;
            u32::try_from(number).ok().filter(|n| *n > 0)
        };
        self.max_results = match (
            number("filter", "maxResults"),
            number("pagination", "maxPageSize"),
        ) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

fn flag(config: &Json, part: &str, name: &str) -> Option<bool> {
    let part = lookup(config.as_object()?, part)?.as_object()?;
    match lookup(part, name)? {
        Json::Bool(value) => Some(*value),
        Json::String(text) => text.to_ascii_lowercase().parse().ok(),
        Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

async fn optional(api: &Api, endpoint: &str) -> Result<Option<Json>, ConnectorError> {
    let answer = match api.get_optional(endpoint).await {
        Ok(answer) => answer,
        // A page or a redirect here concerns this endpoint only; the first real request tells whether the base URL is right.
        Err(ConnectorError::Protocol(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    if answer.status == StatusCode::FORBIDDEN {
        return Err(ConnectorError::Unauthorised(format!(
            "{endpoint}: {}",
            answer.describe()
        )));
    }
    if !answer.status.is_success() {
        return Ok(None);
    }
    Ok(answer.json().ok())
}

fn resources(json: Json) -> Vec<Json> {
    match json {
        Json::Array(list) => list,
        Json::Object(mut object) => match object.remove("Resources") {
            Some(Json::Array(list)) => list,
            Some(_) | None => Vec::new(),
        },
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_is_believed_only_where_it_speaks() {
        let mut found = Discovered::default();
        found.read_config(&json!({
            "patch": {"supported": "True"}, "etag": {"supported": true}, "filter": {"maxResults": 200},
            "pagination": {"cursor": true, "maxPageSize": 50}, "bulk": 7,
        }));
        assert_eq!(found.patch, Some(true));
        assert_eq!(found.filter, None);
        assert_eq!(found.max_results, Some(50));
        assert!(found.etag && found.cursor);

        let mut found = Discovered::default();
        found.read_config(&json!([]));
        assert!(found.patch.is_none() && !found.etag && !found.cursor);
    }
}
