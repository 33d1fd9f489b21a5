//! How we prove who we are, as the profile says: a call that signs in, OAuth 2.0 with rotating refresh tokens, or fixed headers.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use ::http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value as Json};
use tokio::sync::Mutex;
use url::Url;

use super::answer::{Verdict, judge_discreetly};
use super::keep::Keep;
use super::request::{Added, build, headers};
use crate::target::ConnectorError;
use crate::target::http::{
    Answer, Call as Request, Credential, Line, Origin, SignIn, Token, basic, bearer,
    check_transport, granted, parse, renew_at, sensitive,
};
use crate::target::profile::{
    Auth, AuthKind, Call, Grant, Lifetime, OAuth, Place, Profile, Scope, Template,
};
use crate::target::settings::HttpAppSettings;

/// The way to fetch credentials, if there is something to fetch.
///
/// # Errors
/// [`ConnectorError::Rejected`] for settings that cannot work.
pub fn way(
    auth: &Auth,
    settings: &HttpAppSettings,
    open: &Scope,
) -> Result<Option<Box<dyn SignIn>>, ConnectorError> {
    let origin = Origin::new(&settings.http.base, settings.http.danger_plain)?;
    Ok(match &auth.kind {
        AuthKind::SignIn { .. } => Some(Box::new(ByCall {
            profile: Arc::clone(&settings.profile),
            when: auth.evidence,
            at: settings
                .profile
                .auth
                .iter()
                .position(|known| std::ptr::eq(known, auth))
                .unwrap_or(0),
            origin,
            open: open.clone(),
        })),
        AuthKind::OAuth(oauth) => Some(Box::new(ByOAuth::new(oauth, settings, &origin, open)?)),
        AuthKind::Basic { .. }
        | AuthKind::Headers(_)
        | AuthKind::Parameters { .. }
        | AuthKind::None => None,
    })
}

/// Headers that are the same for every request.
///
/// # Errors
/// [`ConnectorError::Unauthorised`] if a secret cannot stand in a header.
pub fn fixed_headers(
    auth: &Auth,
    profile: &Profile,
    open: &Scope,
) -> Result<HeaderMap, ConnectorError> {
    let made = |templates: &[(HeaderName, Template)]| {
        headers(templates, open).map_err(ConnectorError::Unauthorised)
    };
    let mut fixed = made(&profile.http.headers)?;
    match &auth.kind {
        AuthKind::Headers(templates) => fixed.extend(made(templates)?),
        AuthKind::Basic { user, password } => {
            let text =
                |template: &Template| template.text(open).map_err(ConnectorError::Unauthorised);
            let (user, password) = (
                text(user)?.unwrap_or_default(),
                text(password)?.unwrap_or_default(),
            );
            fixed.insert(AUTHORIZATION, basic(&user, &password)?);
        }
        AuthKind::SignIn { .. }
        | AuthKind::OAuth(_)
        | AuthKind::Parameters { .. }
        | AuthKind::None => {}
    }
    Ok(fixed)
}

/// A call whose answer holds the credential.
struct ByCall {
    profile: Arc<Profile>,
    when: crate::target::profile::Evidence,
    at: usize,
    origin: Origin,
    open: Scope,
}

// Secrets never show.
impl fmt::Debug for ByCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ByCall({:?})", self.when)
    }
}

impl ByCall {
    async fn ask(
        &self,
        line: &Line,
        call: &Call,
        scope: &Scope,
    ) -> Result<(Answer, Scope), ConnectorError> {
        let request = build(
            call,
            scope,
            &self.origin,
            &self.profile.http,
            &Added::default(),
        )?;
        let answer = line.ask(&request, "signing in").await?;
        if answer.status.is_server_error() || answer.status.as_u16() == 429 {
            let text = format!("signing in: status {}", answer.status.as_u16());
            return Err(ConnectorError::Transient(text));
        }
        let discreet = || line.discreet(&request, &answer);
        match judge_discreetly(&self.profile, call, &answer, scope, false, discreet) {
            Verdict::Good(reply) => Ok((answer, reply.scope)),
            Verdict::Bad(ConnectorError::Transient(why)) => Err(ConnectorError::Transient(why)),
            Verdict::Bad(ConnectorError::Protocol(why) | ConnectorError::Ambiguous(why)) => {
                Err(ConnectorError::Protocol(why))
            }
            Verdict::Bad(error) | Verdict::Expired(error) => {
                Err(ConnectorError::Unauthorised(error.to_string()))
            }
        }
    }
}

#[async_trait]
impl SignIn for ByCall {
    async fn sign_in(&self, line: &Line) -> Result<Token, ConnectorError> {
        let Some(AuthKind::SignIn {
            login,
            token,
            place,
            lifetime,
            ..
        }) = self.profile.auth.get(self.at).map(|auth| &auth.kind)
        else {
            return Err(ConnectorError::Rejected(
                "the profile has no such [[auth]]".to_owned(),
            ));
        };
        let asked = Instant::now();
        let (_, scope) = self.ask(line, login, &self.open).await?;
        let found = token.text(&scope).map_err(ConnectorError::Protocol)?;
        let Some(found) = found else {
            return Err(ConnectorError::Unauthorised(
                "the answer to signing in holds no credential".to_owned(),
            ));
        };
        let lifetime = match lifetime {
            Lifetime::Unknown => None,
            Lifetime::Fixed(lifetime) => Some(*lifetime),
            Lifetime::Said(expr) => {
                let said = expr.text(&scope).map_err(ConnectorError::Protocol)?;
                said.and_then(|said| said.parse().ok())
                    .map(std::time::Duration::from_secs)
            }
        };
        Ok(Token {
            credential: placed(place, &found, &self.open)?,
            secret: SecretString::from(found),
            until: lifetime.and_then(|lifetime| renew_at(asked, lifetime)),
        })
    }

    async fn sign_out(&self, line: &Line, token: &Token) -> Result<(), ConnectorError> {
        let Some(AuthKind::SignIn {
            logout: Some(logout),
            ..
        }) = self.profile.auth.get(self.at).map(|auth| &auth.kind)
        else {
            return Ok(());
        };
        let scope = self
            .open
            .clone()
            .with_json("token", &Json::from(token.secret.expose_secret()));
        let mut request = build(
            logout,
            &scope,
            &self.origin,
            &self.profile.http,
            &Added::default(),
        )?;
        request
            .headers
            .insert(token.credential.0.clone(), token.credential.1.clone());
        line.ask(&request, "signing out").await.map(|_answer| ())
    }
}

fn placed(place: &Place, token: &str, open: &Scope) -> Result<Credential, ConnectorError> {
    match place {
        Place::Cookie(name) => {
            let odd = |c: char| c.is_control() || matches!(c, ';' | ',' | ' ');
            if token.contains(odd) {
                return Err(ConnectorError::Protocol(
                    "the session's cookie has odd characters".to_owned(),
                ));
            }
            Ok((COOKIE, sensitive(&format!("{name}={token}"))?))
        }
        Place::Header(name, template) => {
            let scope = open.clone().with_json("token", &Json::from(token));
            let text = template
                .text(&scope)
                .map_err(ConnectorError::Unauthorised)?;
            Ok((name.clone(), sensitive(&text.unwrap_or_default())?))
        }
    }
}

/// OAuth 2.0.
struct ByOAuth {
    url: Url,
    grant: Grant,
    client_id: String,
    client_secret: Option<SecretString>,
    scope: Option<String>,
    json: bool,
    basic: bool,
    /// The refresh token to use next.
    refresh: Mutex<Option<SecretString>>,
    keep: Keep,
}

// Secrets never show.
impl fmt::Debug for ByOAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByOAuth(…)")
    }
}

impl ByOAuth {
    fn new(
        oauth: &OAuth,
        settings: &HttpAppSettings,
        origin: &Origin,
        open: &Scope,
    ) -> Result<Self, ConnectorError> {
        let text = |template: &Template| template.text(open).map_err(ConnectorError::Unauthorised);
        let maybe = |template: &Option<Template>| template.as_ref().map_or(Ok(None), text);
        let url = text(&oauth.token_url)?.unwrap_or_default();
        let url = if oauth.is_path {
            origin.at(url.trim_start_matches('/'), None, &[])?
        } else {
            let url = Url::parse(&url)
                .map_err(|_| ConnectorError::Rejected("token-url is not a URL".to_owned()))?;
            check_transport(&url, settings.http.danger_plain)?;
            url
        };
        let first = maybe(&oauth.refresh_token)?.map(SecretString::from);
        let keep = Keep::new(settings.token_file.clone(), first.as_ref());
        let refresh = if oauth.grant == Grant::RefreshToken {
            keep.latest()?.or(first)
        } else {
            first
        };
        Ok(Self {
            url,
            grant: oauth.grant,
            client_id: text(&oauth.client_id)?.unwrap_or_default(),
            client_secret: maybe(&oauth.client_secret)?.map(SecretString::from),
            scope: maybe(&oauth.scope)?,
            json: oauth.json,
            basic: oauth.basic,
            refresh: Mutex::new(refresh),
            keep,
        })
    }

    fn request(&self, refresh: Option<&SecretString>) -> Result<Request, ConnectorError> {
        let mut parts: Vec<(&str, &str)> = Vec::new();
        match refresh {
            Some(token) => {
                parts.push(("grant_type", "refresh_token"));
                parts.push(("refresh_token", token.expose_secret()));
            }
            None => parts.push(("grant_type", "client_credentials")),
        }
        if let Some(scope) = &self.scope {
            parts.push(("scope", scope));
        }
        let secret = self.client_secret.as_ref().map(ExposeSecret::expose_secret);
        if !self.basic {
            parts.push(("client_id", &self.client_id));
            parts.extend(secret.map(|secret| ("client_secret", secret)));
        }
        let (body, kind) = if self.json {
            let object: Map<String, Json> = parts
                .iter()
                .map(|(k, v)| ((*k).to_owned(), Json::from(*v)))
                .collect();
            (Json::Object(object).to_string(), "application/json")
        } else {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            (
                form.extend_pairs(parts).finish(),
                "application/x-www-form-urlencoded",
            )
        };
        let mut request = Request::new(
            ::http::Method::POST,
            self.url.clone(),
            Some(body.into_bytes()),
        );
        request.content_type = Some(HeaderValue::from_static(kind));
        request.hidden.extend(refresh.cloned());
        request.hidden.extend(self.client_secret.clone());
        if self.basic {
            let part = |text: &str| {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
            };
            let header = basic(&part(&self.client_id), &part(secret.unwrap_or_default()))?;
            request.headers.insert(AUTHORIZATION, header);
        }
        Ok(request)
    }
}

#[async_trait]
impl SignIn for ByOAuth {
    async fn sign_in(&self, line: &Line) -> Result<Token, ConnectorError> {
        let mut refresh = self.refresh.lock().await;
        let asked = Instant::now();
        let mut answer = line
            .ask(&self.request(refresh.as_ref())?, "the token endpoint")
            .await?;
        if refresh.is_some()
            && answer.status.is_client_error()
            && self.grant == Grant::ClientCredentials
        {
            // A refresh token that is used up is no reason to stop while there is a secret.
            *refresh = None;
            answer = line.ask(&self.request(None)?, "the token endpoint").await?;
        }
        let (token, lifetime) = granted(&answer)?;
        let rotated = parse(answer.body())
            .ok()
            .and_then(|body| Some(body.get("refresh_token")?.as_str()?.to_owned()));
        if let Some(rotated) = rotated {
            let rotated = SecretString::from(rotated);
            if self.grant == Grant::RefreshToken {
                // The old one is used up: the new one is kept before anything else can go wrong.
                self.keep.store(&rotated)?;
            }
            *refresh = Some(rotated);
        }
        Ok(Token {
            credential: (AUTHORIZATION, bearer(&token)?),
            secret: SecretString::from(token),
            until: lifetime.and_then(|lifetime| renew_at(asked, lifetime)),
        })
    }
}
