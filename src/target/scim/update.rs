//! Changing one account: PATCH where it works, else PUT, and believing neither where it matters.

use std::sync::atomic::Ordering;

use http::{Method, StatusCode};
use serde_json::Value as Json;

use super::ScimConnector;
use super::api::{USERS, check_id};
use super::json;
use super::patch::{Delta, request};
use super::wire;
use crate::model::AccountId;
use crate::target::ConnectorError;
use crate::target::http::Answer;

/// How often a change is made again because the account changed meanwhile.
const VERSION_ATTEMPTS: usize = 3;

/// How a request to change ended.
enum Sent {
    /// Done; the resource, if the answer held it.
    Done(Option<Json>),
    /// Nothing differed.
    Unneeded(Json),
    /// PATCH does not work here.
    NoPatch,
}

impl ScimConnector {
    /// Changes an account and returns the resource as the service holds it afterwards.
    pub(super) async fn change(
        &self,
        id: &AccountId,
        delta: &Delta,
    ) -> Result<Json, ConnectorError> {
        let mut patched = self.patch_works();
        let mut sent = if patched {
            self.send_patch(id, delta).await?
        } else {
            Sent::NoPatch
        };
        if matches!(sent, Sent::NoPatch) {
            patched = false;
            sent = self.send_put(id, delta).await?;
        }
        let answered = match sent {
            Sent::Unneeded(resource) => return Ok(resource),
            Sent::Done(body) => body,
            Sent::NoPatch => None,
        };
        // An answer is what the service says, not what it holds: the active flag is always read back.
        let held = match answered {
            Some(body) if delta.active.is_none() => body,
            Some(_) | None => self.existing(id).await?,
        };
        if delta.holds_in(&held) {
            return Ok(held);
        }
        let held = if patched {
            self.second_try(id, delta, held).await?
        } else {
            held
        };
        match delta.active {
            Some(wanted) if wire::active(&held) != Some(wanted) => {
                let state = match wire::active(&held) {
                    Some(true) => "the account is still active",
                    Some(false) => "the account is still inactive",
                    None => "the account has no active flag",
                };
                Err(ConnectorError::Rejected(format!(
                    "the application answered that {USERS}/{id} was changed, but {state}"
                )))
            }
            Some(_) | None => Ok(held),
        }
    }

    /// PATCH was answered well and did not take: PUT once, unless it is refused.
    async fn second_try(
        &self,
        id: &AccountId,
        delta: &Delta,
        held: Json,
    ) -> Result<Json, ConnectorError> {
        match self.send_put(id, delta).await {
            Ok(_) => self.existing(id).await,
            Err(
                ConnectorError::Rejected(_)
                | ConnectorError::NotFound(_)
                | ConnectorError::Conflict(_),
            ) => Ok(held),
            Err(error) => Err(error),
        }
    }

    async fn send_patch(&self, id: &AccountId, delta: &Delta) -> Result<Sent, ConnectorError> {
        let mut current = None;
        if self.found.etag || delta.needs_current() {
            current = Some(self.existing(id).await?);
        }
        for _ in 0..VERSION_ATTEMPTS {
            let operations = delta
                .operations(current.as_ref())
                .map_err(ConnectorError::Rejected)?;
            if operations.is_empty() {
                return Ok(match current {
                    Some(resource) => Sent::Unneeded(resource),
                    None => Sent::Unneeded(self.existing(id).await?),
                });
            }
            let version = self.version(current.as_ref());
            let body = request(&operations);
            let answer = self
                .api
                .write(Method::PATCH, USERS, Some(&id.0), Some(&body), version)
                .await?;
            if answer.status == StatusCode::PRECONDITION_FAILED {
                current = Some(self.existing(id).await?);
                continue;
            }
            return self.judge_patch(id, &answer).await;
        }
        Err(changing(id))
    }

    async fn judge_patch(&self, id: &AccountId, answer: &Answer) -> Result<Sent, ConnectorError> {
        match answer.status {
            StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED => {
                self.patch_broken.store(true, Ordering::Relaxed);
                Ok(Sent::NoPatch)
            }
            // The account is there, so it is PATCH that is not.
            StatusCode::NOT_FOUND if self.api.resource(USERS, &id.0).await?.is_some() => {
                self.patch_broken.store(true, Ordering::Relaxed);
                Ok(Sent::NoPatch)
            }
            // It may dislike the path or the operation: PUT says the same in other words. Other changes may still go by PATCH.
            StatusCode::BAD_REQUEST
                if !matches!(
                    self.api.refusal(answer, "change"),
                    ConnectorError::Conflict(_)
                ) =>
            {
                Ok(Sent::NoPatch)
            }
            _ => self.done(id, answer),
        }
    }

    async fn send_put(&self, id: &AccountId, delta: &Delta) -> Result<Sent, ConnectorError> {
        for _ in 0..VERSION_ATTEMPTS {
            let current = self.existing(id).await?;
            if delta
                .operations(Some(&current))
                .map_err(ConnectorError::Rejected)?
                .is_empty()
            {
                return Ok(Sent::Unneeded(current));
            }
            let merged = delta
                .merged(&current, &self.found.schema)
                .map_err(ConnectorError::Rejected)?;
            let version = self.version(Some(&current));
            let body = Json::Object(merged);
            let answer = self
                .api
                .write(Method::PUT, USERS, Some(&id.0), Some(&body), version)
                .await?;
            if answer.status != StatusCode::PRECONDITION_FAILED {
                return self.done(id, &answer);
            }
        }
        Err(changing(id))
    }

    fn done(&self, id: &AccountId, answer: &Answer) -> Result<Sent, ConnectorError> {
        self.api.success(answer, &format!("change {USERS}/{id}"))?;
        if answer.is_empty() {
            return Ok(Sent::Done(None));
        }
        let body = answer.json()?;
        check_id(&body, USERS, &id.0)?;
        // Without its name it is not the whole resource.
        Ok(Sent::Done(
            json::text(&body, "userName").is_some().then_some(body),
        ))
    }

    async fn existing(&self, id: &AccountId) -> Result<Json, ConnectorError> {
        self.api
            .resource(USERS, &id.0)
            .await?
            .ok_or_else(|| ConnectorError::NotFound(format!("{USERS}/{id} does not exist")))
    }

    fn version(&self, current: Option<&Json>) -> Option<String> {
        if !self.found.etag {
            return None;
        }
        super::version_of(current?)
    }

    fn patch_works(&self) -> bool {
        self.found.patch != Some(false) && !self.patch_broken.load(Ordering::Relaxed)
    }

    /// Whether groups may be changed by PATCH, as far as is known.
    pub(super) fn patch_usable(&self) -> bool {
        self.patch_works()
    }
}

fn changing(id: &AccountId) -> ConnectorError {
    ConnectorError::Transient(format!(
        "{USERS}/{id} is being changed by somebody else; nothing was changed"
    ))
}
