//! Changing accounts: the calls of an operation in order, and reading back what matters.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value as Json};

use super::HttpApp;
use super::account::{by_name, with_id};
use super::answer::Reply;
use super::request::Added;
use crate::model::{Account, AccountDraft, AccountId, AccountPatch, Cause, Value};
use crate::target::profile::expr::plain;
use crate::target::profile::{Call, Op, Scope};
use crate::target::{AfterLogin, ConnectorError};

/// The calls of one operation on their way: what was captured, and what the last answer said.
pub(super) struct Way {
    pub scope: Scope,
    got: Map<String, Json>,
}

impl Way {
    pub(super) fn new(scope: Scope) -> Self {
        Self {
            scope,
            got: Map::new(),
        }
    }

    fn got(&self, name: &str) -> Option<String> {
        self.got.get(name).and_then(plain)
    }
}

impl HttpApp {
    /// Makes one call of an operation, for each element where it says so; `None` if it does not apply.
    pub(super) async fn step(
        &self,
        call: &Call,
        way: &mut Way,
    ) -> Result<Option<Reply>, ConnectorError> {
        way.scope.set(
            "got",
            crate::target::profile::expr::jinja(&Json::Object(way.got.clone())),
        );
        if !Self::applies(call, &way.scope)? {
            return Ok(None);
        }
        let elements = match &call.for_each {
            Some(expr) => expr.list(&way.scope).map_err(ConnectorError::Rejected)?,
            None => vec![Json::Null],
        };
        let mut last = None;
        for element in elements {
            let scope = way.scope.clone().with_json("each", &element);
            let reply = self.make(call, &scope, &Added::default()).await?;
            for (name, expr) in &call.capture {
                let found = expr.json(&reply.scope).map_err(|why| unread(call, why))?;
                way.got.extend(found.map(|found| (name.clone(), found)));
            }
            last = Some(reply);
        }
        Ok(last)
    }

    /// Makes all calls of an operation.
    pub(super) async fn steps(&self, op: Op, scope: Scope) -> Result<(), ConnectorError> {
        if !self.has(op) {
            return Err(ConnectorError::Rejected(format!(
                "the profile describes no way to do \"{}\", or the application lacks it",
                op.name()
            )));
        }
        let mut way = Way::new(scope);
        for call in self.profile.calls(op) {
            self.step(call, &mut way).await?;
        }
        Ok(())
    }

    /// The attributes that a call writes: its own, or those that no other call claims.
    fn claimed(&self, op: Op, call: &Call, names: &BTreeSet<String>) -> Option<BTreeSet<String>> {
        if !call.attributes.is_empty() {
            let own: BTreeSet<String> = names
                .iter()
                .filter(|n| call.attributes.contains(n))
                .cloned()
                .collect();
            return (!own.is_empty()).then_some(own);
        }
        let others: BTreeSet<&String> = self
            .profile
            .calls(op)
            .iter()
            .flat_map(|call| &call.attributes)
            .collect();
        let rest: BTreeSet<String> = names
            .iter()
            .filter(|name| !others.contains(name))
            .cloned()
            .collect();
        let idle = rest.is_empty() && op == Op::Update && call.uses_fields;
        (!idle).then_some(rest)
    }

    pub(super) async fn create_account(
        &self,
        draft: &AccountDraft,
    ) -> Result<Account, ConnectorError> {
        if !self.has(Op::Create) {
            return Err(ConnectorError::Rejected(
                "the profile describes no way to create accounts".to_owned(),
            ));
        }
        let values: BTreeMap<String, Option<Value>> = draft
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), Some(value.clone())))
            .collect();
        let names = self.writable(&values)?;
        for (name, field) in self.fields()? {
            if field.required && !values.contains_key(name) {
                return Err(ConnectorError::Rejected(format!(
                    "{} needs \"{name}\" for a new account; give it in the mapping",
                    self.profile.application
                )));
            }
        }
        let scope = self.base.clone().with_json("account", &by_name(&values));
        let mut way = Way::new(scope.with_json("password", &first_password()?));
        let mut item = None;
        for call in self.profile.calls(Op::Create) {
            let Some(own) = self.claimed(Op::Create, call, &names) else {
                continue;
            };
            let fields = self.wire(&values, &own);
            let fields = fields.map_err(|error| unfinished(error, way.got("id").as_deref()))?;
            way.scope = std::mem::take(&mut way.scope).with_json("fields", &fields);
            let names_it = call.item.is_some() || call.capture.iter().any(|(name, _)| name == "id");
            let reply = self.step(call, &mut way).await;
            let reply = reply.map_err(|error| unfinished(error, way.got("id").as_deref()))?;
            let names_it = names_it && reply.is_some();
            if let (Some(reply), Some(expr)) = (reply, &call.item) {
                item = expr
                    .json(&reply.scope)
                    .map_err(ConnectorError::Ambiguous)?
                    .or(item);
            }
            if let (Some(found), None) = (&item, way.got("id")) {
                let id = self
                    .id_of(found)
                    .map_err(|error| ConnectorError::Ambiguous(error.to_string()))?;
                way.got.insert("id".to_owned(), Json::from(id));
            }
            match way.got("id") {
                Some(id) => {
                    way.scope = std::mem::take(&mut way.scope).with_json("id", &Json::from(id));
                }
                // Whatever comes next needs it: the account must be looked for first.
                None if names_it => break,
                None => {}
            }
        }
        self.created(way.got("id"), item).await
    }

    /// The account that was created, as the application holds it.
    async fn created(
        &self,
        id: Option<String>,
        item: Option<Json>,
    ) -> Result<Account, ConnectorError> {
        let Some(id) = id else {
            return Err(ConnectorError::Ambiguous(
                "the application answered that the account was created, but not which one it is"
                    .to_owned(),
            ));
        };
        let id = AccountId(id);
        let read = self.read_created(&id, item).await;
        read.map_err(|error| unfinished(error, Some(&id.0)))
    }

    async fn read_created(
        &self,
        id: &AccountId,
        item: Option<Json>,
    ) -> Result<Account, ConnectorError> {
        if let Some(item) = item {
            let items = self.detailed(vec![item]).await?;
            if let Some(item) = items.first() {
                return self.account(item).await;
            }
        }
        match self.item(id).await? {
            Some(item) => self.account(&item).await,
            None => Err(ConnectorError::Ambiguous(format!(
                "account {id} was created but does not exist (yet)"
            ))),
        }
    }

    /// The attributes among these that are written at all; unknown ones are refused.
    fn writable(
        &self,
        values: &BTreeMap<String, Option<Value>>,
    ) -> Result<BTreeSet<String>, ConnectorError> {
        let mut names = BTreeSet::new();
        for name in values.keys() {
            if !self.field(name)?.read_only {
                names.insert(name.clone());
            }
        }
        Ok(names)
    }

    pub(super) async fn change(
        &self,
        id: &AccountId,
        patch: &AccountPatch,
    ) -> Result<Account, ConnectorError> {
        let missing = || ConnectorError::NotFound(format!("account {id}"));
        let current = self.item(id).await?.ok_or_else(missing)?;
        let before = self.account(&current).await?;
        let scope = with_id(&self.base, id).with_json("current", &current);
        self.write_fields(&current, patch, &scope).await?;
        let switches = [
            (
                patch.active,
                before.active,
                self.capabilities.deactivate,
                Op::Deactivate,
                Op::Reactivate,
            ),
            (
                patch.login_allowed,
                before.login_allowed,
                self.capabilities.block_login,
                Op::BlockLogin,
                Op::AllowLogin,
            ),
        ];
        for (wanted, have, able, off, on) in switches {
            let Some(wanted) = wanted.filter(|wanted| have != Some(*wanted)) else {
                continue;
            };
            let op = if wanted { on } else { off };
            let scope = because(scope.clone(), patch.cause.filter(|_| !wanted));
            if !able {
                return Err(ConnectorError::Rejected(format!(
                    "this target cannot do \"{}\"",
                    off.name()
                )));
            }
            self.steps(op, scope).await?;
        }
        let held = self.item(id).await?.ok_or_else(missing)?;
        let after = self.account(&held).await?;
        kept(id, "active", patch.active, after.active)?;
        kept(
            id,
            "allowed to log in",
            patch.login_allowed,
            after.login_allowed,
        )?;
        Ok(after)
    }

    async fn write_fields(
        &self,
        current: &Json,
        patch: &AccountPatch,
        scope: &Scope,
    ) -> Result<(), ConnectorError> {
        let mut names = self.writable(&patch.attributes)?;
        for (name, wanted) in &patch.attributes {
            let field = self.field(name)?;
            let have = field
                .get(current, &self.base)
                .map_err(ConnectorError::Protocol)?;
            if have == *wanted && !field.write_only {
                names.remove(name);
            } else if field.immutable {
                return Err(ConnectorError::Rejected(format!(
                    "\"{name}\" cannot be changed after the account was created"
                )));
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        if !self.has(Op::Update) {
            return Err(ConnectorError::Rejected(
                "the profile describes no way to change accounts".to_owned(),
            ));
        }
        let mut way = Way::new(
            scope
                .clone()
                .with_json("account", &by_name(&patch.attributes)),
        );
        for call in self.profile.calls(Op::Update) {
            let Some(own) = self.claimed(Op::Update, call, &names) else {
                continue;
            };
            let fields = self.wire(&patch.attributes, &own)?;
            way.scope = std::mem::take(&mut way.scope).with_json("fields", &fields);
            self.step(call, &mut way).await?;
        }
        Ok(())
    }

    pub(super) async fn delete_account(
        &self,
        id: &AccountId,
        heir: Option<&AccountId>,
    ) -> Result<(), ConnectorError> {
        if !self.capabilities.delete {
            return Err(ConnectorError::Rejected(
                "deleting is not allowed for this target".to_owned(),
            ));
        }
        let Some(current) = self.item(id).await? else {
            return Ok(());
        };
        let mut scope = with_id(&self.base, id).with_json("current", &current);
        if let Some(heir) = heir {
            scope = scope.with_json("to", &Json::from(heir.0.as_str()));
        }
        match self.steps(Op::Delete, scope).await {
            Err(error @ (ConnectorError::NotFound(_) | ConnectorError::Ambiguous(_))) => {
                match self.item(id).await? {
                    None => Ok(()),
                    Some(_) => Err(error),
                }
            }
            other => other,
        }
    }

    pub(super) async fn write_password(
        &self,
        id: &AccountId,
        password: &SecretString,
        then: AfterLogin,
    ) -> Result<(), ConnectorError> {
        if !self.capabilities.set_password {
            return Err(ConnectorError::Rejected(
                "this target cannot set passwords".to_owned(),
            ));
        }
        let scope = self.existing(Op::SetPassword, id).await?;
        if let Some(elsewhere) = &self.profile.account.password_elsewhere {
            let current = self.item(id).await?;
            let current =
                current.ok_or_else(|| ConnectorError::NotFound(format!("account {id}")))?;
            let scope = self.base.clone().with_json("item", &current);
            if elsewhere.holds(&scope).map_err(ConnectorError::Protocol)? {
                return Err(ConnectorError::Idle(format!(
                    "the password of account {id} is checked by another system, so one set here stops nobody; none was set"
                )));
            }
        }
        let scope = scope
            .with_json("password", &Json::from(password.expose_secret()))
            .with_json("force_change", &Json::from(then == AfterLogin::Change));
        self.steps(Op::SetPassword, scope).await
    }

    pub(super) async fn end_sessions(&self, id: &AccountId) -> Result<(), ConnectorError> {
        if !self.capabilities.revoke_sessions {
            return Err(ConnectorError::Rejected(
                "this target cannot end sessions".to_owned(),
            ));
        }
        let scope = self.existing(Op::RevokeSessions, id).await?;
        self.steps(Op::RevokeSessions, scope).await
    }

    /// The scope of an operation, with the account as it is where a call wants to see it.
    async fn existing(&self, op: Op, id: &AccountId) -> Result<Scope, ConnectorError> {
        let scope = with_id(&self.base, id);
        if !self.profile.calls(op).iter().any(|call| call.uses_current) {
            return Ok(scope);
        }
        let current = self.item(id).await?;
        let current = current.ok_or_else(|| ConnectorError::NotFound(format!("account {id}")))?;
        Ok(scope.with_json("current", &current))
    }
}

/// The scope of a switch that is set off, with why and when.
fn because(scope: Scope, cause: Option<Cause>) -> Scope {
    match cause {
        Some(cause) => scope
            .with_json("reason", &Json::from(cause.reason.as_str()))
            .with_json("today", &Json::from(cause.day.to_string())),
        None => scope,
    }
}

/// A password that nobody knows, for applications in which no account can be without one. It has letters of both
/// cases, digits and signs, because some demand that.
fn first_password() -> Result<Json, ConnectorError> {
    use base64::Engine as _;
    let bytes = crate::random::array::<24>();
    let bytes = bytes.map_err(|why| ConnectorError::Transient(why.to_string()))?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    Ok(Json::from(format!("{text}-aA1")))
}

/// An answer that lacks what the profile takes from it: to a write, it says that something was done.
fn unread(call: &Call, why: String) -> ConnectorError {
    if call.reads {
        ConnectorError::Protocol(why)
    } else {
        ConnectorError::Ambiguous(format!("{}: it was done, but {why}", call.fact))
    }
}

/// A create that broke: before there is an account it is what it is; afterwards the account must be read.
fn unfinished(error: ConnectorError, id: Option<&str>) -> ConnectorError {
    match (id, error) {
        (Some(id), error) => error.after(&format!("account {id} was created")),
        // An endpoint that does not exist is not a missing account.
        (None, ConnectorError::NotFound(why)) => ConnectorError::Protocol(why),
        (None, error) => error,
    }
}

fn kept(
    id: &AccountId,
    what: &str,
    wanted: Option<bool>,
    have: Option<bool>,
) -> Result<(), ConnectorError> {
    let Some(wanted) = wanted.filter(|wanted| have != Some(*wanted)) else {
        return Ok(());
    };
    let state = match (wanted, have) {
        (_, None) => format!("the application does not say whether it is {what}"),
        (false, Some(_)) => format!("it is still {what}"),
        (true, Some(_)) => format!("it is still not {what}"),
    };
    Err(ConnectorError::Rejected(format!(
        "the application answered that account {id} was changed, but {state}"
    )))
}
