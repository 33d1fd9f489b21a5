//! Reading accounts: the merged lists, one account, and accounts by an attribute.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::HttpApp;
use super::account::with_id;
use super::request::Added;
use crate::model::{AccountId, Value};
use crate::target::ConnectorError;
use crate::target::profile::{Call, Evidence, Op};

impl HttpApp {
    /// Every account, as the application shows it.
    pub(super) async fn items(&self) -> Result<Vec<Json>, ConnectorError> {
        let key = |item: &Json| self.id_of(item);
        let mut seen = BTreeSet::new();
        let mut items = Vec::new();
        for call in self.profile.calls(Op::List) {
            if !Self::applies(call, &self.base)? {
                continue;
            }
            for item in self.whole(call, &self.base, &key).await? {
                // The lists may overlap: somebody who is in both is one account.
                if self.is_person(&item)? && seen.insert(self.id_of(&item)?) {
                    items.push(item);
                }
            }
        }
        self.detailed(items).await
    }

    /// One account; `None` only if the application itself says that there is none.
    pub(super) async fn item(&self, id: &AccountId) -> Result<Option<Json>, ConnectorError> {
        let calls = self.profile.calls(Op::Get);
        let Some(call) = calls.first().filter(|_| self.has(Op::Get)) else {
            return self.listed(id).await;
        };
        let scope = with_id(&self.base, id);
        let reply = match self.make(call, &scope, &Added::default()).await {
            Ok(reply) => reply,
            Err(ConnectorError::NotFound(why)) => {
                self.sentinel(&why).await?;
                return Ok(None);
            }
            // An id that cannot stand in a path is nobody's.
            Err(ConnectorError::Rejected(_)) if matches!(id.0.as_str(), "" | "." | "..") => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let item = match &call.item {
            Some(expr) => expr.json(&reply.scope).map_err(ConnectorError::Protocol)?,
            None => Some(reply.body),
        };
        let item = match item {
            None | Some(Json::Null) => return Ok(None),
            Some(item) => item,
        };
        let found = self.id_of(&item)?;
        if found != id.0 {
            return Err(ConnectorError::Protocol(format!(
                "asked for account {id} and got another one"
            )));
        }
        if !self.is_person(&item)? {
            return Ok(None);
        }
        let mut items = self.detailed(vec![item]).await?;
        Ok(items.pop())
    }

    async fn listed(&self, id: &AccountId) -> Result<Option<Json>, ConnectorError> {
        for item in self.items().await? {
            if self.id_of(&item)? == id.0 {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// "Not found" may have been said by somebody between us and the application, or by a wrong address: then the list is missing too.
    async fn sentinel(&self, why: &str) -> Result<(), ConnectorError> {
        let calls = self.profile.calls(Op::List);
        for call in calls {
            if Self::applies(call, &self.base)? {
                let asked = self.make(call, &self.base, &Added::default()).await;
                return match asked {
                    Ok(_) => Ok(()),
                    Err(ConnectorError::NotFound(_)) => Err(ConnectorError::Protocol(format!(
                        "{why}; not even the list exists; check the address"
                    ))),
                    Err(error) => Err(error),
                };
            }
        }
        Ok(())
    }

    /// The accounts whose attribute equals the value, letters compared without case.
    pub(super) async fn search(
        &self,
        attribute: &str,
        value: &Value,
    ) -> Result<Vec<Json>, ConnectorError> {
        if let Value::Set(_) = value {
            return Err(ConnectorError::Rejected(format!(
                "\"{attribute}\" holds several values and cannot be searched by"
            )));
        }
        self.field(attribute)?;
        let calls = self.profile.calls(Op::Find);
        let call = calls
            .iter()
            .find(|call| call.by.as_deref() == Some(attribute));
        if let Some(call) = call
            && self.present(std::iter::once(call))
            && Self::applies(call, &self.base)?
            && let Some(hits) = self.ask(call, attribute, value).await?
        {
            return Ok(hits);
        }
        let mut hits = Vec::new();
        for item in self.items().await? {
            if self.is(&item, attribute, value)? {
                hits.push(item);
            }
        }
        Ok(hits)
    }

    /// By the application's own search. Finding nobody is believed only if it is no guess that the search looks at everybody:
    /// some searches ignore what they are asked, or leave out who is inactive. `None`: look through the list.
    async fn ask(
        &self,
        call: &Call,
        attribute: &str,
        value: &Value,
    ) -> Result<Option<Vec<Json>>, ConnectorError> {
        let wire = self.field(attribute)?.wire(Some(value), &self.base);
        let wire = wire
            .map_err(ConnectorError::Rejected)?
            .unwrap_or(Json::Null);
        let scope = self.base.clone().with_json("value", &wire);
        let key = |item: &Json| self.id_of(item);
        let found = match self.whole(call, &scope, &key).await {
            Ok(found) => found,
            Err(ConnectorError::NotFound(_)) => Vec::new(),
            Err(ConnectorError::Rejected(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut hits = Vec::new();
        for item in self.detailed(found).await? {
            if self.is_person(&item)? && self.is(&item, attribute, value)? {
                hits.push(item);
            }
        }
        let sure =
            call.evidence != Evidence::Assumed || self.settings.confirmed.contains(&call.fact);
        Ok((sure || !hits.is_empty()).then_some(hits))
    }

    fn is(&self, item: &Json, attribute: &str, value: &Value) -> Result<bool, ConnectorError> {
        let have = self.field(attribute)?.get(item, &self.base);
        let wanted = value.to_string().to_lowercase();
        Ok(match have.map_err(ConnectorError::Protocol)? {
            Some(Value::Set(values)) => values.iter().any(|have| have.to_lowercase() == wanted),
            Some(have) => have.to_string().to_lowercase() == wanted,
            None => false,
        })
    }
}
