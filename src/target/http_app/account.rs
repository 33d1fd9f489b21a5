//! From an item in an answer to an account, and from attributes to what the application calls them.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Map, Value as Json};

use super::HttpApp;
use super::request::Added;
use crate::model::{Account, AccountId, Value};
use crate::target::ConnectorError;
use crate::target::profile::expr::plain;
use crate::target::profile::{Field, Op, Scope};

impl HttpApp {
    /// The id of an item.
    pub(super) fn id_of(&self, item: &Json) -> Result<String, ConnectorError> {
        let scope = self.base.clone().with_json("item", item);
        let id = self
            .profile
            .account
            .id
            .text(&scope)
            .map_err(ConnectorError::Protocol)?;
        id.ok_or_else(|| {
            ConnectorError::Protocol("the application returned an account without an id".to_owned())
        })
    }

    /// Whether an item is the account of a person.
    pub(super) fn is_person(&self, item: &Json) -> Result<bool, ConnectorError> {
        let Some(skip) = &self.profile.account.skip else {
            return Ok(true);
        };
        let scope = self.base.clone().with_json("item", item);
        skip.holds(&scope)
            .map(|skip| !skip)
            .map_err(ConnectorError::Protocol)
    }

    /// The described attributes that exist with these settings.
    pub(super) fn fields(&self) -> Result<Vec<(&str, &Field)>, ConnectorError> {
        let mut fields = Vec::new();
        for (name, field) in &self.profile.fields {
            let on = field
                .when
                .as_ref()
                .map_or(Ok(true), |when| when.holds(&self.base));
            if on.map_err(ConnectorError::Rejected)? {
                fields.push((name.as_str(), field));
            }
        }
        Ok(fields)
    }

    /// The field of an attribute.
    pub(super) fn field(&self, name: &str) -> Result<&Field, ConnectorError> {
        let found = self.fields()?.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, field)| field).ok_or_else(|| {
            ConnectorError::Rejected(format!(
                "the profile has no field for \"{name}\"; add [field.\"{name}\"]"
            ))
        })
    }

    /// One account.
    pub(super) async fn account(&self, item: &Json) -> Result<Account, ConnectorError> {
        let mut accounts = self.accounts(std::slice::from_ref(item), false).await?;
        accounts
            .pop()
            .ok_or_else(|| ConnectorError::Protocol("there is no account".to_owned()))
    }

    /// Accounts with what they hold; `all` says that these are all there are.
    pub(super) async fn accounts(
        &self,
        items: &[Json],
        all: bool,
    ) -> Result<Vec<Account>, ConnectorError> {
        let fields = self.fields()?;
        let mut accounts = Vec::with_capacity(items.len());
        for item in items {
            let scope = self.base.clone().with_json("item", item);
            let flag = |expr: Option<&crate::target::profile::Expr>| match expr {
                Some(expr) => expr
                    .json(&scope)
                    .map(|found| found.as_ref().and_then(truth)),
                None => Ok(None),
            };
            let mut attributes = BTreeMap::new();
            for (name, field) in &fields {
                let value = field
                    .get(item, &self.base)
                    .map_err(ConnectorError::Protocol)?;
                attributes.extend(value.map(|value| ((*name).to_owned(), value)));
            }
            accounts.push(Account {
                id: AccountId(self.id_of(item)?),
                attributes,
                active: flag(self.profile.account.active.as_ref())
                    .map_err(ConnectorError::Protocol)?,
                login_allowed: flag(self.profile.account.login_allowed.as_ref())
                    .map_err(ConnectorError::Protocol)?,
                entitlements: None,
                version: None,
            });
        }
        if let Some(held) = self.holdings(items, &accounts, all).await? {
            for (account, held) in accounts.iter_mut().zip(held) {
                account.entitlements = Some(held);
            }
        }
        Ok(accounts)
    }

    /// What is missing in items is read, item by item.
    pub(super) async fn detailed(&self, items: Vec<Json>) -> Result<Vec<Json>, ConnectorError> {
        if self.profile.calls(Op::Detail).is_empty() || !self.has(Op::Detail) {
            return Ok(items);
        }
        let width = self.settings.http.parallelism.max(1);
        let reading = items.into_iter().map(|item| self.detail(item));
        stream::iter(reading).buffered(width).try_collect().await
    }

    async fn detail(&self, mut item: Json) -> Result<Json, ConnectorError> {
        let id = self.id_of(&item)?;
        for call in self.profile.calls(Op::Detail) {
            let scope = self
                .base
                .clone()
                .with_json("id", &Json::from(id.as_str()))
                .with_json("item", &item);
            if !Self::applies(call, &scope)? {
                continue;
            }
            let scope = match self.make(call, &scope, &Added::default()).await {
                Ok(reply) => reply.scope,
                // Nothing more is known about this account.
                Err(ConnectorError::NotFound(_)) => continue,
                Err(error) => return Err(error),
            };
            let object = item.as_object_mut().ok_or_else(|| {
                ConnectorError::Protocol(format!("{}: an account is no object", call.fact))
            })?;
            for (name, expr) in &call.add {
                let found = expr.json(&scope).map_err(ConnectorError::Protocol)?;
                object.extend(found.map(|found| (name.clone(), found)));
            }
        }
        Ok(item)
    }

    /// What is to be written, as the application names it; `names` are the attributes.
    pub(super) fn wire(
        &self,
        values: &BTreeMap<String, Option<Value>>,
        names: &BTreeSet<String>,
    ) -> Result<Json, ConnectorError> {
        let mut fields = Map::new();
        for name in names {
            let Some(value) = values.get(name) else {
                continue;
            };
            let field = self.field(name)?;
            let wire = field.wire(value.as_ref(), &self.base);
            let wire = wire.map_err(|why| ConnectorError::Rejected(format!("{name}: {why}")))?;
            if let Some(wire) = wire {
                field.put(&mut fields, wire);
            }
        }
        Ok(Json::Object(fields))
    }
}

/// Attributes by the mapping's names, for expressions.
pub(super) fn by_name(values: &BTreeMap<String, Option<Value>>) -> Json {
    let json = |value: &Option<Value>| match value {
        None => Json::Null,
        Some(Value::Bool(value)) => Json::from(*value),
        Some(Value::Int(value)) => Json::from(*value),
        Some(Value::Text(value)) => Json::from(value.as_str()),
        Some(Value::Set(values)) => values.iter().map(String::as_str).collect(),
    };
    Json::Object(
        values
            .iter()
            .map(|(name, value)| (name.clone(), json(value)))
            .collect(),
    )
}

/// A truth value, also from applications that send it as text or number.
pub(super) fn truth(value: &Json) -> Option<bool> {
    match plain(value)?.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

/// A scope with the id of an account.
pub(super) fn with_id(base: &Scope, id: &AccountId) -> Scope {
    base.clone().with_json("id", &Json::from(id.0.as_str()))
}
