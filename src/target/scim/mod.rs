//! SCIM 2.0 (RFC 7643, RFC 7644) as real services speak it.
//!
//! What a service says is checked wherever it matters: hits of a search against the question, a list against its end, a change of
//! the active flag by reading it back. What it announces about itself is used, what it gets wrong is learned.
//! Nothing here decides what an account should hold.

mod api;
mod bulk;
mod directory;
mod discovery;
mod groups;
mod json;
mod paging;
mod password;
mod patch;
mod path;
mod probe;
mod schema;
mod search;
mod update;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use http::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::Value as Json;

pub use discovery::Discovered;
pub use patch::{Delta, request};
pub use path::{Clause, Path};
pub use schema::{Schema, Shape};
pub use wire::Field;

use self::api::{Api, ListStyle, USERS};
use super::connector::{AccountReader, AccountWriter, AfterLogin, ConnectorError, Finding};
use super::http::{Answer, Http};
use super::settings::ScimSettings;
use crate::model::{
    Account, AccountDraft, AccountId, AccountPatch, Capabilities, MembershipChange, Value,
};

/// A SCIM service.
#[derive(Debug)]
pub struct ScimConnector {
    api: Api,
    settings: ScimSettings,
    found: Discovered,
    fields: BTreeMap<String, Field>,
    capabilities: Capabilities,
    /// PATCH was announced (or not denied) and does not work.
    patch_broken: AtomicBool,
    /// Bulk was announced and does not work.
    bulk_broken: AtomicBool,
    /// Members were seen in a group, so a group without any is empty.
    members_listed: AtomicBool,
    /// Group ids by name.
    directory: tokio::sync::Mutex<directory::Directory>,
    /// Which attributes the service can search by, as experience shows.
    searchable: Mutex<HashMap<String, search::Trust>>,
    /// Values that a create was refused for: a search that does not find them is not believed.
    taken: Mutex<BTreeSet<String>>,
}

impl ScimConnector {
    /// Connects and asks the service about itself.
    ///
    /// # Errors
    /// [`ConnectorError::Rejected`] for settings that cannot work, [`ConnectorError::Unauthorised`] for refused credentials,
    /// [`ConnectorError::Transient`] if it cannot be reached.
    pub async fn connect(settings: ScimSettings) -> Result<Self, ConnectorError> {
        let http = Http::new(&settings.http, "application/scim+json")?;
        let api = Api::new(http, settings.quirks.clone());
        let found = Discovered::ask(&api, &settings).await?;
        let mut fields = BTreeMap::new();
        for name in settings.attributes.iter().chain(&settings.unique) {
            let field = Field::parse(name, &found.schema).map_err(ConnectorError::Rejected)?;
            fields.insert(name.clone(), field);
        }
        let capabilities = Capabilities {
            deactivate: true,
            block_login: false,
            set_password: settings.passwords,
            force_change: false,
            revoke_sessions: false,
            reassign: BTreeSet::new(),
            delete: settings.allow_delete,
            list_inactive: true,
            entitlements: found.groups != Some(false),
            members_per_request: settings.members_per_request.max(1),
            inherits: false,
            parallelism: settings.http.parallelism.max(1),
        };
        Ok(Self {
            api,
            found,
            fields,
            capabilities,
            patch_broken: AtomicBool::new(false),
            bulk_broken: AtomicBool::new(false),
            members_listed: AtomicBool::new(false),
            directory: tokio::sync::Mutex::default(),
            searchable: Mutex::new(HashMap::new()),
            taken: Mutex::new(BTreeSet::new()),
            settings,
        })
    }

    fn style(&self) -> ListStyle {
        let count = self.settings.page_size.max(1);
        ListStyle {
            count: self.found.max_results.map_or(count, |max| count.min(max)),
            by_cursor: self.found.cursor,
        }
    }

    fn field(&self, name: &str) -> Result<Field, ConnectorError> {
        match self.fields.get(name) {
            Some(field) => Ok(field.clone()),
            None => Field::parse(name, &self.found.schema).map_err(ConnectorError::Rejected),
        }
    }

    /// An account with the mapping's attributes and some more.
    fn account<'a>(
        &'a self,
        resource: &Json,
        more: impl Iterator<Item = &'a Field>,
    ) -> Result<Account, ConnectorError> {
        let id = wire::id(resource).ok_or_else(|| {
            ConnectorError::Protocol("the application returned an account without an id".to_owned())
        })?;
        let mut attributes = BTreeMap::new();
        for field in self.fields.values().chain(more) {
            if let Some(value) = field.read(resource) {
                attributes.insert(field.name.clone(), value);
            }
        }
        Ok(Account {
            id: AccountId(id),
            attributes,
            active: wire::active(resource),
            login_allowed: None,
            entitlements: None,
            version: version_of(resource),
        })
    }

    /// The resource that a draft asks for, and its attributes that are not the mapping's.
    fn resource_of(&self, draft: &AccountDraft) -> Result<(Json, Vec<Field>), ConnectorError> {
        let mut user = wire::new_user();
        let mut extra = Vec::new();
        for (name, value) in &draft.attributes {
            match self.fields.get(name) {
                Some(field) => field.set(&mut user, value),
                None => {
                    let field = self.field(name)?;
                    let set = field.set(&mut user, value);
                    extra.push(field);
                    set
                }
            }
            .map_err(ConnectorError::Rejected)?;
        }
        user.entry("active").or_insert(Json::Bool(true));
        Ok((Json::Object(user), extra))
    }

    /// Creates one account by a request of its own.
    async fn create_alone(&self, draft: &AccountDraft) -> Result<Account, ConnectorError> {
        let (body, extra) = self.resource_of(draft)?;
        let answer = self
            .api
            .write(Method::POST, USERS, None, Some(&body), None)
            .await?;
        if !answer.status.is_success() {
            return Err(self.refused(&answer, draft));
        }
        self.confirmed(&answer, draft, &extra)
            .await
            .map_err(|error| error.after("the application answered that the account was created"))
    }

    /// The account that a successful POST made.
    async fn confirmed(
        &self,
        answer: &Answer,
        draft: &AccountDraft,
        extra: &[Field],
    ) -> Result<Account, ConnectorError> {
        let mut resource = if answer.is_empty() {
            Json::Null
        } else {
            answer.json()?
        };
        // Without id and name it is not the whole resource.
        if wire::id(&resource).is_none() {
            resource = self.created(answer, draft).await?;
        } else if json::text(&resource, "userName").is_none() {
            let id = wire::id(&resource).unwrap_or_default();
            resource = self.api.resource(USERS, &id).await?.ok_or_else(|| {
                ConnectorError::Ambiguous(format!("{USERS}/{id} was created but does not exist"))
            })?;
        }
        self.account(&resource, extra.iter())
    }

    /// What a refusal to create means.
    fn refused(&self, answer: &Answer, draft: &AccountDraft) -> ConnectorError {
        let error = self.api.refusal(answer, "create");
        if matches!(error, ConnectorError::Conflict(_)) {
            self.remember_taken(draft);
        }
        // An endpoint that does not exist is not a missing account.
        if let ConnectorError::NotFound(why) = error {
            return ConnectorError::Protocol(why);
        }
        error
    }

    /// The account that a successful POST made, when its answer does not hold it. An address that is not ours to follow
    /// is as good as none.
    async fn created(&self, answer: &Answer, draft: &AccountDraft) -> Result<Json, ConnectorError> {
        let mut found = "it cannot be found".to_owned();
        if let Some(location) = &answer.location {
            match self.api.origin().id_in(location, USERS) {
                Ok(id) => {
                    if let Some(resource) = self.api.resource(USERS, &id).await? {
                        return Ok(resource);
                    }
                }
                Err(why) => found = format!("{found} ({why})"),
            }
        }
        for name in ["userName", "externalId"] {
            let given = draft
                .attributes
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            if let Some((key, value)) = given {
                let mut hits = self.search(&self.field(key)?, value).await?;
                if hits.len() == 1
                    && let Some(resource) = hits.pop()
                {
                    return Ok(resource);
                }
            }
        }
        Err(ConnectorError::Ambiguous(format!(
            "the application answered that the account was created, but {found}"
        )))
    }
}

fn version_of(resource: &Json) -> Option<String> {
    let meta = json::lookup(resource.as_object()?, "meta")?;
    json::text(meta, "version").map(ToOwned::to_owned)
}

#[async_trait]
impl AccountReader for ScimConnector {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn list(&self) -> Result<Vec<Account>, ConnectorError> {
        let accounts = self
            .api
            .list(USERS, self.style(), &[], &|resource| {
                self.account(&resource, std::iter::empty())
            })
            .await?;
        let mut accounts = accounts.into_iter().collect::<Result<Vec<_>, _>>()?;
        if let Some(mut held) = self.memberships().await? {
            for account in &mut accounts {
                account.entitlements = Some(held.remove(&account.id.0).unwrap_or_default());
            }
        }
        Ok(accounts)
    }

    async fn get(&self, id: &AccountId) -> Result<Option<Account>, ConnectorError> {
        match self.api.resource(USERS, &id.0).await? {
            Some(resource) => self.account(&resource, std::iter::empty()).map(Some),
            None => Ok(None),
        }
    }

    async fn find(&self, attribute: &str, value: &Value) -> Result<Vec<Account>, ConnectorError> {
        let field = self.field(attribute)?;
        let hits = self.search(&field, value).await?;
        hits.iter()
            .map(|resource| self.account(resource, std::iter::once(&field)))
            .collect()
    }

    async fn probe(&self) -> Result<Vec<Finding>, ConnectorError> {
        self.look_around().await
    }
}

#[async_trait]
impl AccountWriter for ScimConnector {
    async fn create(&self, draft: &AccountDraft) -> Result<Account, ConnectorError> {
        self.create_alone(draft).await
    }

    fn creates_together(&self) -> usize {
        self.bulk().map_or(1, |bulk| bulk.operations)
    }

    async fn create_together(
        &self,
        drafts: Vec<AccountDraft>,
    ) -> Vec<Result<Account, ConnectorError>> {
        if let Some(bulk) = self.bulk() {
            return self.create_in_bulk(drafts, bulk).await;
        }
        let mut answers = Vec::with_capacity(drafts.len());
        for draft in &drafts {
            answers.push(self.create_alone(draft).await);
        }
        answers
    }

    async fn update(
        &self,
        id: &AccountId,
        patch: &AccountPatch,
    ) -> Result<Account, ConnectorError> {
        if patch.login_allowed.is_some() {
            return Err(ConnectorError::Rejected(
                "SCIM has no login switch apart from the active flag".to_owned(),
            ));
        }
        let mut delta = Delta {
            fields: Vec::new(),
            active: patch.active,
        };
        for (name, value) in &patch.attributes {
            delta.fields.push((self.field(name)?, value.clone()));
        }
        let resource = self.change(id, &delta).await?;
        self.account(&resource, delta.fields.iter().map(|(field, _)| field))
    }

    async fn set_members(&self, change: &MembershipChange) -> Result<(), ConnectorError> {
        if change.add.is_empty() && change.remove.is_empty() {
            return Ok(());
        }
        self.change_members(change).await
    }

    async fn set_password(
        &self,
        id: &AccountId,
        password: &SecretString,
        _then: AfterLogin,
    ) -> Result<(), ConnectorError> {
        self.send_password(id, password).await
    }

    async fn delete(&self, id: &AccountId) -> Result<(), ConnectorError> {
        if !self.settings.allow_delete {
            return Err(ConnectorError::Rejected(
                "deleting is not allowed for this target".to_owned(),
            ));
        }
        match self
            .api
            .write(Method::DELETE, USERS, Some(&id.0), None, None)
            .await
        {
            Ok(answer) if answer.status == StatusCode::NOT_FOUND => {
                // Absence must be said by the service itself.
                self.gone(id).await
            }
            Ok(answer) => self
                .api
                .success(&answer, &format!("delete {USERS}/{id}"))
                .map(|_| ()),
            // Some services fail when the account is already gone.
            Err(ConnectorError::Ambiguous(why)) => self
                .gone(id)
                .await
                .map_err(|_| ConnectorError::Ambiguous(why)),
            Err(error) => Err(error),
        }
    }
}

impl ScimConnector {
    async fn gone(&self, id: &AccountId) -> Result<(), ConnectorError> {
        match self.api.resource(USERS, &id.0).await? {
            None => Ok(()),
            Some(_) => Err(ConnectorError::Rejected(format!(
                "{USERS}/{id} cannot be deleted: it is still there"
            ))),
        }
    }
}
