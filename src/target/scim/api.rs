//! SCIM requests over the HTTP client: addresses, errors of RFC 7644 §3.12, and reading a list to its proven end.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::Value as Json;

use super::json;
use super::paging::{Next, Page, Paging};
use super::wire;
use crate::target::ConnectorError;
use crate::target::http::{Answer, Call, Http, Origin};

/// The kind of resource, as its endpoint is called.
pub const USERS: &str = "Users";
/// Groups.
pub const GROUPS: &str = "Groups";
/// How often a list is read again because entries came or went meanwhile.
const LIST_ATTEMPTS: usize = 3;

/// A connection to one SCIM service.
#[derive(Debug)]
pub struct Api {
    http: Http,
    quirks: BTreeMap<String, String>,
}

/// How a list is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ListStyle {
    /// Entries per page.
    pub count: u32,
    /// By cursor (RFC 9865) instead of by index.
    pub by_cursor: bool,
}

impl Api {
    /// Over this client; quirks map a piece of an error's text to an error class.
    #[must_use]
    pub fn new(http: Http, quirks: BTreeMap<String, String>) -> Self {
        Self { http, quirks }
    }

    /// Where requests go.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        self.http.origin()
    }

    /// Sends GET and returns whatever the service answered.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn get(
        &self,
        kind: &str,
        id: Option<&str>,
        query: &[(&str, &str)],
    ) -> Result<Answer, ConnectorError> {
        let url = self.http.origin().at(kind, id, query)?;
        self.http.send(&Call::get(url)).await
    }

    /// Sends GET to an endpoint that a service may not have, or not have right.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn get_optional(&self, endpoint: &str) -> Result<Answer, ConnectorError> {
        let mut call = Call::get(self.http.origin().at(endpoint, None, &[])?);
        call.optional = true;
        self.http.send(&call).await
    }

    /// Sends a write and returns whatever the service answered.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn write(
        &self,
        method: Method,
        kind: &str,
        id: Option<&str>,
        body: Option<&Json>,
        if_match: Option<String>,
    ) -> Result<Answer, ConnectorError> {
        let mut call = self.call(method, kind, id, body)?;
        call.if_match = if_match;
        self.http.send(&call).await
    }

    /// Writes to one user something that must not show, whatever the service repeats.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn write_secret(
        &self,
        method: Method,
        id: &str,
        body: &Json,
        if_match: Option<String>,
        secret: &SecretString,
    ) -> Result<Answer, ConnectorError> {
        let mut call = self.call(method, USERS, Some(id), Some(body))?;
        call.if_match = if_match;
        call.hidden.push(secret.clone());
        self.http.send(&call).await
    }

    fn call(
        &self,
        method: Method,
        kind: &str,
        id: Option<&str>,
        body: Option<&Json>,
    ) -> Result<Call, ConnectorError> {
        let url = self.http.origin().at(kind, id, &[])?;
        let body = match body {
            Some(json) => Some(serde_json::to_vec(json).map_err(|_| {
                ConnectorError::Rejected("the request cannot be written as JSON".to_owned())
            })?),
            None => None,
        };
        Ok(Call::new(method, url, body))
    }

    /// Sends a POST with a body that is JSON already.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn post(&self, endpoint: &str, body: Vec<u8>) -> Result<Answer, ConnectorError> {
        let url = self.http.origin().at(endpoint, None, &[])?;
        self.http
            .send(&Call::new(Method::POST, url, Some(body)))
            .await
    }

    /// One resource by id; `None` only if the service itself says that there is none.
    ///
    /// # Errors
    /// Any but [`ConnectorError::NotFound`].
    pub async fn resource(&self, kind: &str, id: &str) -> Result<Option<Json>, ConnectorError> {
        let answer = self.get(kind, Some(id), &[]).await?;
        if answer.status == StatusCode::NOT_FOUND {
            if !answer.is_json_object() {
                // Somebody between us and the service may have said this: a wrong base URL must not look like absence.
                self.sentinel(kind).await?;
            }
            return Ok(None);
        }
        let resource = self.success(&answer, "read")?.json()?;
        check_id(&resource, kind, id)?;
        Ok(Some(resource))
    }

    async fn sentinel(&self, kind: &str) -> Result<(), ConnectorError> {
        let answer = self
            .get(kind, None, &[("startIndex", "1"), ("count", "1")])
            .await?;
        if answer.status.is_success() && answer.json()?.is_object() {
            return Ok(());
        }
        Err(ConnectorError::Protocol(format!(
            "not even the list of {kind} exists ({}); check the base URL",
            answer.describe()
        )))
    }

    /// The answer if it is a success, else what its status means.
    ///
    /// # Errors
    /// The class of the refusal.
    pub fn success<'a>(
        &self,
        answer: &'a Answer,
        doing: &str,
    ) -> Result<&'a Answer, ConnectorError> {
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(self.refusal(answer, doing))
        }
    }

    /// What a refusal means (RFC 7644 §3.12), with the quirks of this service.
    #[must_use]
    pub fn refusal(&self, answer: &Answer, doing: &str) -> ConnectorError {
        let said = answer.describe();
        let text = format!("{doing}: {said}");
        let lower = said.to_lowercase();
        let quirk = self
            .quirks
            .iter()
            .find(|(piece, _)| lower.contains(&piece.to_lowercase()));
        if let Some((_, class)) = quirk {
            match class.as_str() {
                "conflict" => return ConnectorError::Conflict(text),
                "not-found" => return ConnectorError::NotFound(text),
                "rejected" => return ConnectorError::Rejected(text),
                "transient" => return ConnectorError::Transient(text),
                "unauthorised" => return ConnectorError::Unauthorised(text),
                _ => {}
            }
        }
        match answer.status {
            StatusCode::NOT_FOUND => ConnectorError::NotFound(text),
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => {
                ConnectorError::Conflict(text)
            }
            StatusCode::BAD_REQUEST if lower.contains("uniqueness") => {
                ConnectorError::Conflict(text)
            }
            StatusCode::GONE => ConnectorError::Protocol(text),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => ConnectorError::Transient(text),
            _ => ConnectorError::Rejected(text),
        }
    }

    /// As [`Self::success`], for reads: being forbidden to read concerns the whole target.
    fn readable<'a>(&self, answer: &'a Answer, doing: &str) -> Result<&'a Answer, ConnectorError> {
        if answer.status == StatusCode::FORBIDDEN {
            return Err(ConnectorError::Unauthorised(format!(
                "{doing}: {}",
                answer.describe()
            )));
        }
        self.success(answer, doing)
    }

    /// Reads a whole list, each resource turned into something smaller on the way.
    ///
    /// # Errors
    /// Any; a list without a proven end is an error, never a shorter list.
    pub async fn list<T: Send>(
        &self,
        kind: &'static str,
        style: ListStyle,
        extra: &[(&str, &str)],
        take: &(dyn Fn(Json) -> T + Sync),
    ) -> Result<Vec<T>, ConnectorError> {
        for _ in 0..LIST_ATTEMPTS {
            if let Some(list) = self.list_once(kind, style, extra, take).await? {
                return Ok(list);
            }
        }
        Err(ConnectorError::Transient(format!(
            "the list of {kind} changed each time while it was read"
        )))
    }

    async fn list_once<T: Send>(
        &self,
        kind: &'static str,
        style: ListStyle,
        extra: &[(&str, &str)],
        take: &(dyn Fn(Json) -> T + Sync),
    ) -> Result<Option<Vec<T>>, ConnectorError> {
        let mut paging = Paging::new(
            kind,
            style.by_cursor,
            style.count.try_into().unwrap_or(usize::MAX),
        );
        let mut list = Vec::new();
        let mut with_count = true;
        let mut cursor = String::new();
        loop {
            let start = (paging.collected() + 1).to_string();
            let count = style.count.to_string();
            let mut query = extra.to_vec();
            if style.by_cursor {
                query.push(("cursor", &cursor));
            } else {
                query.push(("startIndex", &start));
            }
            if with_count {
                query.push(("count", &count));
            }
            let result = self.get(kind, None, &query).await;
            // Some servers fail on `count`.
            if with_count && list.is_empty() && matches!(result, Err(ConnectorError::Transient(_)))
            {
                with_count = false;
                continue;
            }
            let answer = result?;
            // Some servers refuse to start beyond the end.
            let beyond = answer.status.is_client_error() && answer.status != StatusCode::FORBIDDEN;
            if beyond && !style.by_cursor && !list.is_empty() && paging.meets_total() {
                return Ok(Some(list));
            }
            let json = self.readable(&answer, &format!("list {kind}"))?.json()?;
            let (page, resources) = split(json, kind)?;
            match paging.accept(&page)? {
                Next::Repeated => return Ok(Some(list)),
                Next::Doubtful => {
                    let half = (style.count / 2).to_string();
                    let answer = self
                        .get(kind, None, &[("startIndex", "1"), ("count", &half)])
                        .await?;
                    let json = self.readable(&answer, &format!("list {kind}"))?.json()?;
                    paging.confirms(&split(json, kind)?.0)?;
                    return Ok(Some(list));
                }
                Next::Changed => return Ok(None),
                next @ (Next::More | Next::End) => {
                    list.extend(resources.into_iter().map(take));
                    if next == Next::End {
                        return Ok(Some(list));
                    }
                }
            }
            cursor = page.cursor.unwrap_or_default();
        }
    }

    /// The first page of a filtered list, or `None` if the service does not understand the filter.
    ///
    /// # Errors
    /// Any.
    pub async fn filtered(
        &self,
        kind: &'static str,
        filter: &str,
    ) -> Result<Option<Vec<Json>>, ConnectorError> {
        self.found(kind, &[("filter", filter)]).await
    }

    /// As [`Self::filtered`], without an attribute that may be large (RFC 7644 §3.9). A service may send it all the same.
    ///
    /// # Errors
    /// Any.
    pub async fn filtered_without(
        &self,
        kind: &'static str,
        filter: &str,
        attribute: &str,
    ) -> Result<Option<Vec<Json>>, ConnectorError> {
        let query = [("filter", filter), ("excludedAttributes", attribute)];
        self.found(kind, &query).await
    }

    async fn found(
        &self,
        kind: &'static str,
        query: &[(&str, &str)],
    ) -> Result<Option<Vec<Json>>, ConnectorError> {
        let answer = self.get(kind, None, query).await?;
        if matches!(
            answer.status,
            StatusCode::BAD_REQUEST
                | StatusCode::NOT_FOUND
                | StatusCode::NOT_IMPLEMENTED
                | StatusCode::UNPROCESSABLE_ENTITY
        ) {
            return Ok(None);
        }
        let json = self.readable(&answer, &format!("search {kind}"))?.json()?;
        Ok(Some(split(json, kind)?.1))
    }
}

/// The returned resource must be the one that was asked for.
///
/// # Errors
/// [`ConnectorError::Protocol`].
pub fn check_id(resource: &Json, kind: &str, id: &str) -> Result<(), ConnectorError> {
    match wire::id(resource) {
        Some(found) if found == id => Ok(()),
        Some(_) => Err(ConnectorError::Protocol(format!(
            "asked for {kind}/{id} and got another one"
        ))),
        None => Err(ConnectorError::Protocol(format!(
            "asked for {kind}/{id} and got something without an id"
        ))),
    }
}

fn split(json: Json, kind: &str) -> Result<(Page, Vec<Json>), ConnectorError> {
    let not_a_list =
        || ConnectorError::Protocol(format!("the list of {kind} is not a ListResponse"));
    let number = |value: &Json| match value {
        Json::Number(number) => number.as_u64(),
        Json::String(text) => text.parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    let Json::Object(mut object) = json else {
        return Err(not_a_list());
    };
    let total = json::lookup(&object, "totalResults").and_then(number);
    let cursor = json::lookup(&object, "nextCursor")
        .and_then(Json::as_str)
        .map(ToOwned::to_owned);
    let key = object
        .keys()
        .find(|key| key.eq_ignore_ascii_case("resources"))
        .cloned();
    let resources = match key.and_then(|key| object.remove(&key)) {
        Some(Json::Array(resources)) => resources,
        // RFC 7644 §3.4.2: may be left out when there is nothing.
        None | Some(Json::Null) if total.is_some() => Vec::new(),
        Some(_) | None => return Err(not_a_list()),
    };
    let mut ids = Vec::with_capacity(resources.len());
    for resource in &resources {
        ids.push(wire::id(resource).ok_or_else(|| {
            ConnectorError::Protocol(format!("the list of {kind} has an entry without an id"))
        })?);
    }
    Ok((Page { ids, total, cursor }, resources))
}
