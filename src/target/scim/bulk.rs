//! Several new accounts in one request (RFC 7644 §3.7), where the service offers it.
//!
//! Only creating goes this way: whatever takes something away is looked at before and after, one account at a time.
//! Each operation is judged by its own status. What the answer leaves open is ambiguous, and found out by reading.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use http::StatusCode;
use serde_json::{Map, Value as Json};

use super::ScimConnector;
use super::api::USERS;
use super::json::{lookup, text};
use super::wire::{self, Field};
use crate::model::{Account, AccountDraft, AccountId};
use crate::target::ConnectorError;
use crate::target::http::Answer;

/// More operations than this never go into one request: if it breaks off, all of them are in doubt.
const TOGETHER: usize = 100;
/// Bytes around the operations.
const ENVELOPE: usize = 128;

/// How much the service takes in one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bulk {
    /// Operations.
    pub operations: usize,
    /// Bytes.
    pub payload: usize,
}

impl Bulk {
    /// What a service says of itself; nothing if it offers none, or too little to be of use.
    #[must_use]
    pub fn read(config: &Json) -> Option<Self> {
        let bulk = lookup(config.as_object()?, "bulk")?.as_object()?;
        if lookup(bulk, "supported")?.as_bool() != Some(true) {
            return None;
        }
        let number = |name| {
            let number = lookup(bulk, name)?.as_u64()?;
            usize::try_from(number).ok()
        };
        let operations = number("maxOperations")?.min(TOGETHER);
        let payload = number("maxPayloadSize")?;
        (operations > 1 && payload > ENVELOPE).then_some(Self {
            operations,
            payload,
        })
    }
}

/// One account on its way.
struct Operation {
    /// Which of the drafts it is.
    at: usize,
    draft: AccountDraft,
    /// The active flag that it asks for.
    active: Option<bool>,
    extra: Vec<Field>,
    /// As it goes into the request.
    bytes: Vec<u8>,
}

type Created = Result<Account, ConnectorError>;

impl ScimConnector {
    /// What may go into one request now.
    pub(super) fn bulk(&self) -> Option<Bulk> {
        let usable = self.settings.bulk && !self.bulk_broken.load(Ordering::Relaxed);
        self.found.bulk.filter(|_| usable)
    }

    /// Creates accounts in as few requests as the service allows.
    pub(super) async fn create_in_bulk(
        &self,
        drafts: Vec<AccountDraft>,
        most: Bulk,
    ) -> Vec<Created> {
        let total = drafts.len();
        let mut answers: HashMap<usize, Created> = HashMap::with_capacity(total);
        let mut ready: Vec<Operation> = Vec::new();
        let mut size = ENVELOPE;
        for (at, draft) in drafts.into_iter().enumerate() {
            let operation = match self.operation(at, draft) {
                Ok(operation) => operation,
                Err(error) => {
                    answers.insert(at, Err(error));
                    continue;
                }
            };
            let more = operation.bytes.len() + 1;
            if ENVELOPE + more > most.payload {
                let created = self.create_alone(&operation.draft).await;
                answers.insert(at, created);
                continue;
            }
            if ready.len() >= most.operations || size + more > most.payload {
                answers.extend(self.send_bulk(std::mem::take(&mut ready)).await);
                size = ENVELOPE;
            }
            size += more;
            ready.push(operation);
        }
        if !ready.is_empty() {
            answers.extend(self.send_bulk(ready).await);
        }
        let answer = |at| answers.remove(&at).unwrap_or_else(|| Err(unsaid()));
        (0..total).map(answer).collect()
    }

    fn operation(&self, at: usize, draft: AccountDraft) -> Result<Operation, ConnectorError> {
        let (user, extra) = self.resource_of(&draft)?;
        // Around the user as it is: nothing is copied only to be written.
        let mut bytes =
            format!(r#"{{"method":"POST","path":"/Users","bulkId":"{at}","data":"#).into_bytes();
        serde_json::to_writer(&mut bytes, &user).map_err(|_| {
            ConnectorError::Rejected("the request cannot be written as JSON".to_owned())
        })?;
        bytes.push(b'}');
        Ok(Operation {
            at,
            draft,
            active: wire::active(&user),
            extra,
            bytes,
        })
    }

    async fn send_bulk(&self, operations: Vec<Operation>) -> Vec<(usize, Created)> {
        let answer = self.api.post("Bulk", request(&operations)).await;
        let error = match answer {
            Ok(answer) if answer.status.is_success() => match answer.json() {
                Ok(json) => return self.judge_bulk(&json, operations),
                Err(error) => error.after("the application answered that it created accounts"),
            },
            Ok(answer) if refuses_bulk(answer.status) => {
                // Nothing was performed: it was announced and does not work, at least not at this size.
                self.bulk_broken.store(true, Ordering::Relaxed);
                let mut alone = Vec::with_capacity(operations.len());
                for operation in operations {
                    alone.push((operation.at, self.create_alone(&operation.draft).await));
                }
                return alone;
            }
            Ok(answer) => self.api.refusal(&answer, "create several accounts"),
            Err(error) => error,
        };
        let same = |operation: &Operation| (operation.at, Err(error.clone()));
        operations.iter().map(same).collect()
    }

    fn judge_bulk(&self, json: &Json, operations: Vec<Operation>) -> Vec<(usize, Created)> {
        let results = json
            .as_object()
            .and_then(|object| lookup(object, "Operations"))
            .and_then(Json::as_array)
            .map_or(&[][..], Vec::as_slice);
        let by_id: HashMap<&str, &Map<String, Json>> = results
            .iter()
            .filter_map(|result| Some((text(result, "bulkId")?, result.as_object()?)))
            .collect();
        operations
            .into_iter()
            .map(|operation| {
                let result = by_id.get(operation.at.to_string().as_str());
                let at = operation.at;
                let created = result.map_or_else(|| Err(unsaid()), |r| self.judge(r, operation));
                (at, created)
            })
            .collect()
    }

    /// One operation by its own status (RFC 7644 §3.7.3).
    fn judge(&self, result: &Map<String, Json>, operation: Operation) -> Created {
        let status = status(result).ok_or_else(unsaid)?;
        let response = lookup(result, "response").filter(|response| response.is_object());
        if status.is_success() {
            return self
                .created_in_bulk(result, response, operation)
                .map_err(|error| {
                    error.after("the application answered that the account was created")
                });
        }
        let body = response.map(Json::to_string).unwrap_or_default();
        let answer = Answer::part(status, body.into_bytes());
        let said = || format!("create: {}", answer.describe());
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(ConnectorError::Throttled { retry_after: None });
        }
        if status == StatusCode::UNAUTHORIZED {
            return Err(ConnectorError::Unauthorised(said()));
        }
        if !status.is_client_error() && status != StatusCode::NOT_IMPLEMENTED {
            return Err(ConnectorError::Ambiguous(said()));
        }
        Err(self.refused(&answer, &operation.draft))
    }

    /// A successful operation may leave out the resource: then it is acknowledged as it was sent, and has the id that
    /// its location ends with.
    fn created_in_bulk(
        &self,
        result: &Map<String, Json>,
        response: Option<&Json>,
        operation: Operation,
    ) -> Created {
        let whole =
            |resource: &&Json| wire::id(resource).is_some() && text(resource, "userName").is_some();
        if let Some(resource) = response.filter(whole) {
            return self.account(resource, operation.extra.iter());
        }
        let id = lookup(result, "location")
            .and_then(Json::as_str)
            .and_then(|location| self.api.origin().id_in(location, USERS).ok())
            .ok_or_else(unsaid)?;
        Ok(Account {
            id: AccountId(id),
            attributes: operation
                .draft
                .attributes
                .into_iter()
                .map(|(name, value)| {
                    let extra = || operation.extra.iter().find(|field| field.name == name);
                    match self.fields.get(&name).or_else(extra) {
                        Some(field) => {
                            let held = field.as_held(value);
                            (name, held)
                        }
                        None => (name, value),
                    }
                })
                .collect(),
            active: operation.active,
            login_allowed: None,
            entitlements: None,
            version: None,
        })
    }
}

fn request(operations: &[Operation]) -> Vec<u8> {
    let size: usize = operations.iter().map(|o| o.bytes.len() + 1).sum();
    let mut body = Vec::with_capacity(ENVELOPE + size);
    body.extend_from_slice(
        br#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":["#,
    );
    for (at, operation) in operations.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&operation.bytes);
    }
    body.extend_from_slice(b"]}");
    body
}

/// Statuses by which a service says that it performs no such request at all.
fn refuses_bulk(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::NOT_IMPLEMENTED
    )
}

/// The status of one operation: text in RFC 7644, a number from some, an object with a code in older drafts.
fn status(result: &Map<String, Json>) -> Option<StatusCode> {
    let status = lookup(result, "status")?;
    let status = match status.as_object() {
        Some(object) => lookup(object, "code")?,
        None => status,
    };
    let code = match status.as_u64() {
        Some(code) => u16::try_from(code).ok()?,
        None => status.as_str()?.parse().ok()?,
    };
    StatusCode::from_u16(code).ok()
}

fn unsaid() -> ConnectorError {
    ConnectorError::Ambiguous(
        "the application did not say what became of this part of a bulk request".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_service_offers_is_believed_within_bounds() {
        let offer = |bulk: Json| Bulk::read(&json!({"bulk": bulk}));
        let usual = json!({"supported": true, "maxOperations": 1000, "maxPayloadSize": 1_048_576});
        let expected = Bulk {
            operations: TOGETHER,
            payload: 1_048_576,
        };
        assert_eq!(offer(usual), Some(expected));
        for nothing in [
            json!({"supported": false, "maxOperations": 1000, "maxPayloadSize": 1_048_576}),
            json!({"supported": true, "maxOperations": 1, "maxPayloadSize": 1_048_576}),
            json!({"supported": true, "maxOperations": 10}),
            json!({"supported": true, "maxOperations": -1, "maxPayloadSize": 9}),
            json!(true),
        ] {
            assert_eq!(offer(nothing.clone()), None, "{nothing}");
        }
    }

    #[test]
    fn a_status_is_read_in_every_spelling() {
        for (given, expected) in [
            (json!("201"), Some(201)),
            (json!(409), Some(409)),
            (json!({"code": "400"}), Some(400)),
            (json!("fine"), None),
            (json!(99_999), None),
            (json!(null), None),
        ] {
            let result = json!({"status": given.clone()});
            let found = status(result.as_object().unwrap()).map(|s| s.as_u16());
            assert_eq!(found, expected, "{given}");
        }
    }
}
