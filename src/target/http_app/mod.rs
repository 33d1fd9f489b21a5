//! Applications that a profile describes: its calls are made, its answers judged, its lists read to their proven end.
//!
//! What matters is never believed from an answer alone: a change of the active flag or the login switch is read back, an account
//! that comes back must be the one that was asked for, and absence must be said by the application itself.
//! Nothing here knows an application, and nothing decides what an account should hold.

mod account;
mod answer;
mod describe;
mod entitle;
mod keep;
mod pages;
mod probe;
mod read;
mod request;
mod sign_in;
mod write;
mod xml;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;

use self::answer::{Reply, Verdict, judge_discreetly};
use self::entitle::Directory;
use self::request::{Added, build, pairs};
use super::connector::{AccountReader, AccountWriter, AfterLogin, ConnectorError, Finding};
use super::http::{self, Answer, Http};
use super::profile::{Auth, AuthKind, Call, Op, Profile, Scope};
use super::settings::HttpAppSettings;
use crate::model::{
    Account, AccountDraft, AccountId, AccountPatch, Capabilities, MembershipChange, Value,
};

/// An application that a profile describes.
#[derive(Debug)]
pub struct HttpApp {
    http: Http,
    profile: Arc<Profile>,
    settings: HttpAppSettings,
    /// The settings, for expressions.
    base: Scope,
    /// Credentials as parameters of every call.
    credentials: Added,
    /// Whether a web page instead of data means that the session ended.
    ends: bool,
    capabilities: Capabilities,
    /// Names that the application's own description lacks.
    absent: BTreeSet<String>,
    /// Names and ids of entitlements, by kind.
    directories: tokio::sync::Mutex<BTreeMap<String, Arc<Directory>>>,
    /// Held while everything that an account holds is read, changed and written.
    replacing: tokio::sync::Mutex<()>,
}

/// The way to prove who we are that applies with these settings.
fn chosen<'p>(profile: &'p Profile, base: &Scope) -> Result<&'p Auth, ConnectorError> {
    for auth in &profile.auth {
        let applies = auth.when.as_ref().map_or(Ok(true), |when| when.holds(base));
        if applies.map_err(ConnectorError::Rejected)? {
            return Ok(auth);
        }
    }
    let text = "no [[auth]] of the profile applies with these settings".to_owned();
    Err(ConnectorError::Rejected(text))
}

/// The settings and the secrets, for expressions that may see them.
fn with_secrets(settings: &HttpAppSettings) -> Scope {
    let secrets = settings.given.secrets.iter();
    let secrets =
        secrets.map(|(name, secret)| (name.replace('-', "_"), Json::from(secret.expose_secret())));
    let secrets = Json::Object(secrets.collect());
    settings.given.scope().with_json("secret", &secrets)
}

impl HttpApp {
    /// Prepares the connector and reads the application's description of itself, where the profile has one.
    ///
    /// # Errors
    /// [`ConnectorError::Rejected`] for settings that cannot work; else as reading goes.
    pub async fn connect(settings: HttpAppSettings) -> Result<Self, ConnectorError> {
        let profile = Arc::clone(&settings.profile);
        let base = settings.given.scope();
        let open = with_secrets(&settings);
        let auth = chosen(&profile, &base)?;
        let way = sign_in::way(auth, &settings, &open)?;
        let ends = matches!(auth.kind, AuthKind::SignIn { .. });
        let secrets: Vec<SecretString> = settings.given.secrets.values().cloned().collect();
        let fixed = sign_in::fixed_headers(auth, &profile, &open)?;
        let http = Http::signed_in_by(&settings.http, "application/json", way, secrets)?;
        let credentials = parameters(auth, &open, &profile).map_err(ConnectorError::Rejected)?;
        let mut app = Self {
            http: http.with_headers(fixed),
            capabilities: none(&settings),
            base,
            credentials,
            ends,
            absent: BTreeSet::new(),
            directories: tokio::sync::Mutex::new(BTreeMap::new()),
            replacing: tokio::sync::Mutex::new(()),
            profile,
            settings,
        };
        app.absent = app.lacking().await?;
        app.capabilities = app.able().map_err(ConnectorError::Rejected)?;
        Ok(app)
    }

    /// What the application can do: described, switched on, and not denied by its own description.
    fn able(&self) -> Result<Capabilities, String> {
        let profile = &self.profile;
        let mut can = BTreeMap::new();
        for (name, described) in [
            ("deactivate", self.has(Op::Deactivate)),
            ("block-login", self.has(Op::BlockLogin)),
            ("set-password", self.has(Op::SetPassword)),
            ("revoke-sessions", self.has(Op::RevokeSessions)),
            ("delete", self.has(Op::Delete)),
            ("list-inactive", true),
            ("entitlements", !profile.entitlements.is_empty()),
            ("reassign", !profile.reassign.is_empty()),
        ] {
            can.insert(name, profile.can(name, described, &self.base)?);
        }
        let is = |name: &str| can.get(name).copied().unwrap_or(false);
        let forced = profile.capabilities.contains_key("force-change");
        let mut reassign = BTreeSet::new();
        for (name, work) in &profile.reassign {
            let on = work
                .when
                .as_ref()
                .map_or(Ok(true), |when| when.holds(&self.base))?;
            if on && is("reassign") && self.present(work.find.iter().chain(&work.moves)) {
                reassign.insert(name.clone());
            }
        }
        Ok(Capabilities {
            deactivate: is("deactivate"),
            block_login: is("block-login"),
            set_password: is("set-password"),
            force_change: profile.can("force-change", forced && is("set-password"), &self.base)?,
            revoke_sessions: is("revoke-sessions"),
            reassign,
            delete: is("delete") && self.settings.allow_delete,
            inherits: profile.calls(Op::Delete).iter().any(|call| call.uses_heir),
            list_inactive: is("list-inactive"),
            entitlements: is("entitlements"),
            ..none(&self.settings)
        })
    }

    /// Whether an operation is described and nothing that it needs is lacking.
    fn has(&self, op: Op) -> bool {
        let calls = self.profile.calls(op);
        !calls.is_empty() && self.present(calls.iter())
    }

    fn present<'c>(&self, mut calls: impl Iterator<Item = &'c Call>) -> bool {
        calls.all(|call| !call.needs.iter().any(|need| self.absent.contains(need)))
    }

    /// Makes one call and judges its answer. Where the session had ended it is made again, once.
    async fn make(
        &self,
        call: &Call,
        scope: &Scope,
        page: &Added,
    ) -> Result<Reply, ConnectorError> {
        let mut added = self.credentials.clone();
        added.query.extend(page.query.iter().cloned());
        added.body.extend(page.body.iter().cloned());
        let origin = self.http.origin();
        let mut request = build(call, scope, origin, &self.profile.http, &added)?;
        request.hidden.extend(scope.secret("password"));
        let mut renewed = false;
        loop {
            let answer = self.http.send(&request).await?;
            match self.judge(call, &request, &answer, scope) {
                Verdict::Good(reply) => return Ok(reply),
                Verdict::Bad(error) => return Err(error),
                Verdict::Expired(error) => {
                    // It was refused, so it was not performed.
                    if renewed || !self.http.renew(&answer).await? {
                        return Err(error);
                    }
                    renewed = true;
                }
            }
        }
    }

    /// As [`Self::make`], following a link that the application gave.
    async fn follow(
        &self,
        call: &Call,
        scope: &Scope,
        link: &str,
    ) -> Result<Reply, ConnectorError> {
        let origin = self.http.origin();
        let mut request = build(call, scope, origin, &self.profile.http, &self.credentials)?;
        request.url = origin.follow(link)?;
        let answer: Answer = self.http.send(&request).await?;
        match self.judge(call, &request, &answer, scope) {
            Verdict::Good(reply) => Ok(reply),
            Verdict::Bad(error) | Verdict::Expired(error) => Err(error),
        }
    }

    fn judge(&self, call: &Call, request: &http::Call, answer: &Answer, scope: &Scope) -> Verdict {
        judge_discreetly(&self.profile, call, answer, scope, self.ends, || {
            self.http.discreet(request, answer)
        })
    }

    /// Whether a call applies now.
    fn applies(call: &Call, scope: &Scope) -> Result<bool, ConnectorError> {
        let holds = call
            .when
            .as_ref()
            .map_or(Ok(true), |when| when.holds(scope));
        holds.map_err(|why| ConnectorError::Rejected(format!("{}: {why}", call.fact)))
    }
}

/// Nothing that depends on the profile's operations.
fn none(settings: &HttpAppSettings) -> Capabilities {
    Capabilities {
        deactivate: false,
        block_login: false,
        set_password: false,
        force_change: false,
        revoke_sessions: false,
        reassign: BTreeSet::new(),
        delete: false,
        list_inactive: false,
        entitlements: false,
        members_per_request: 100,
        inherits: false,
        parallelism: settings.http.parallelism.max(1),
    }
}

fn parameters(auth: &Auth, open: &Scope, profile: &Profile) -> Result<Added, String> {
    let mut added = Added::default();
    if let AuthKind::Parameters {
        parameters,
        in_query,
    } = &auth.kind
    {
        if *in_query {
            added.query = pairs(parameters, open, &profile.http)?;
        } else {
            for (name, template) in parameters {
                added
                    .body
                    .extend(template.value(open)?.map(|value| (name.clone(), value)));
            }
        }
    }
    Ok(added)
}

#[async_trait]
impl AccountReader for HttpApp {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn list(&self) -> Result<Vec<Account>, ConnectorError> {
        let items = self.items().await?;
        self.accounts(&items, true).await
    }

    async fn get(&self, id: &AccountId) -> Result<Option<Account>, ConnectorError> {
        match self.item(id).await? {
            Some(item) => self.account(&item).await.map(Some),
            None => Ok(None),
        }
    }

    async fn find(&self, attribute: &str, value: &Value) -> Result<Vec<Account>, ConnectorError> {
        let items = self.search(attribute, value).await?;
        self.accounts(&items, false).await
    }

    async fn probe(&self) -> Result<Vec<Finding>, ConnectorError> {
        self.look_around().await
    }

    async fn close(&self) {
        if let Err(error) = self.http.close().await {
            tracing::debug!(%error, "the session could not be ended");
        }
    }
}

#[async_trait]
impl AccountWriter for HttpApp {
    async fn create(&self, draft: &AccountDraft) -> Result<Account, ConnectorError> {
        self.create_account(draft).await
    }

    async fn update(
        &self,
        id: &AccountId,
        patch: &AccountPatch,
    ) -> Result<Account, ConnectorError> {
        self.change(id, patch).await
    }

    async fn set_members(&self, change: &MembershipChange) -> Result<(), ConnectorError> {
        self.change_members(change).await
    }

    async fn delete(&self, id: &AccountId) -> Result<(), ConnectorError> {
        self.delete_account(id, None).await
    }

    async fn delete_for(&self, id: &AccountId, heir: &AccountId) -> Result<(), ConnectorError> {
        self.delete_account(id, Some(heir)).await
    }

    async fn set_password(
        &self,
        id: &AccountId,
        password: &SecretString,
        then: AfterLogin,
    ) -> Result<(), ConnectorError> {
        self.write_password(id, password, then).await
    }

    async fn revoke_sessions(&self, id: &AccountId) -> Result<(), ConnectorError> {
        self.end_sessions(id).await
    }

    async fn reassign(
        &self,
        from: &AccountId,
        kind: &str,
        to: &AccountId,
    ) -> Result<(), ConnectorError> {
        self.move_work(from, kind, to).await
    }
}
