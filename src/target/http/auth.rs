//! How we prove who we are: fixed headers, or a credential that is fetched (such as by OAuth 2.0 client credentials, RFC 6749 §4.4),
//! kept, renewed by one caller for all, and given back.

use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use super::body;
use super::line::Line;
use super::origin::check_transport;
use super::{Answer, Call};
use crate::target::ConnectorError;
use crate::target::settings::{Auth, HttpSettings};

/// A token is renewed so long before it expires.
const EARLY: Duration = Duration::from_secs(60);

/// A header to send, marked sensitive.
pub type Credential = (HeaderName, HeaderValue);

/// The credentials of one target.
pub enum Credentials {
    /// None that this client knows of.
    None,
    /// The same header every time.
    Fixed(Credential),
    /// A token that is fetched and renewed.
    Token(TokenSource),
}

// Credentials never show.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Fixed(_) => "Fixed(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

/// A credential that was fetched, and until when it is good.
pub struct Token {
    /// The header to send.
    pub credential: Credential,
    /// What of it must never be shown.
    pub secret: SecretString,
    /// When to fetch another one before this one ends.
    pub until: Option<Instant>,
}

// Credentials never show.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A way to fetch credentials.
#[async_trait]
pub trait SignIn: Send + Sync + fmt::Debug {
    /// Fetches one.
    ///
    /// # Errors
    /// [`ConnectorError::Unauthorised`] if we are refused; [`ConnectorError::Transient`], [`ConnectorError::Protocol`].
    async fn sign_in(&self, line: &Line) -> Result<Token, ConnectorError>;

    /// Gives one back, so that it does not use up a limited pool.
    ///
    /// # Errors
    /// As [`Self::sign_in`].
    async fn sign_out(&self, _line: &Line, _token: &Token) -> Result<(), ConnectorError> {
        Ok(())
    }
}

/// Keeps a credential; one request for another at a time however many callers wait.
#[derive(Debug)]
pub struct TokenSource {
    way: Box<dyn SignIn>,
    current: Mutex<Option<Token>>,
}

/// OAuth 2.0 client credentials.
struct ClientCredentials {
    url: Url,
    client_id: String,
    client_secret: SecretString,
    scope: Option<String>,
    in_body: bool,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCredentials(…)")
    }
}

impl Credentials {
    /// Prepares the credentials.
    ///
    /// # Errors
    /// [`ConnectorError::Unauthorised`] if they cannot be put into a header; [`ConnectorError::Rejected`] for an unsafe token URL.
    pub fn new(settings: &HttpSettings) -> Result<Self, ConnectorError> {
        Ok(match &settings.auth {
            Auth::None => Self::None,
            Auth::Bearer(token) => Self::Fixed((AUTHORIZATION, bearer(token.expose_secret())?)),
            Auth::Basic { user, password } => {
                Self::Fixed((AUTHORIZATION, basic(user, password.expose_secret())?))
            }
            Auth::Header { name, value } => {
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                    ConnectorError::Unauthorised(format!("\"{name}\" is not a header name"))
                })?;
                Self::Fixed((name, sensitive(value.expose_secret())?))
            }
            Auth::ClientCredentials {
                token_url,
                client_id,
                client_secret,
                scope,
                in_body,
            } => {
                check_transport(token_url, settings.danger_plain)?;
                Self::by(Box::new(ClientCredentials {
                    url: token_url.clone(),
                    client_id: client_id.clone(),
                    client_secret: client_secret.clone(),
                    scope: scope.clone(),
                    in_body: *in_body,
                }))
            }
        })
    }

    /// Credentials that are fetched in this way.
    #[must_use]
    pub fn by(way: Box<dyn SignIn>) -> Self {
        Self::Token(TokenSource {
            way,
            current: Mutex::new(None),
        })
    }

    /// The header for the next request; fetches a token if there is none or it is about to expire.
    ///
    /// # Errors
    /// As [`SignIn::sign_in`].
    pub async fn header(&self, line: &Line) -> Result<Option<Credential>, ConnectorError> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(credential) => Ok(Some(credential.clone())),
            Self::Token(source) => source.token(line, None).await.map(Some),
        }
    }

    /// After a refusal: fetches a new token unless somebody else already has. `false` if there is nothing to renew.
    ///
    /// # Errors
    /// As [`SignIn::sign_in`].
    pub async fn renew(
        &self,
        line: &Line,
        refused: Option<&HeaderValue>,
    ) -> Result<bool, ConnectorError> {
        match (self, refused) {
            (Self::Token(source), Some(refused)) => {
                source.token(line, Some(refused)).await.map(|_| true)
            }
            (Self::None | Self::Fixed(_) | Self::Token(_), _) => Ok(false),
        }
    }

    /// Gives back what was fetched.
    ///
    /// # Errors
    /// As [`SignIn::sign_out`].
    pub async fn close(&self, line: &Line) -> Result<(), ConnectorError> {
        let Self::Token(source) = self else {
            return Ok(());
        };
        let token = source.current.lock().await.take();
        match token {
            Some(token) => source.way.sign_out(line, &token).await,
            None => Ok(()),
        }
    }
}

impl TokenSource {
    async fn token(
        &self,
        line: &Line,
        refused: Option<&HeaderValue>,
    ) -> Result<Credential, ConnectorError> {
        // Held across the request on purpose: whoever waits here gets the token that the first one fetched.
        let mut current = self.current.lock().await;
        if let Some(token) = &*current {
            let fresh = token.until.is_none_or(|until| Instant::now() < until);
            if fresh && refused != Some(&token.credential.1) {
                return Ok(token.credential.clone());
            }
        }
        *current = None;
        let token = self.way.sign_in(line).await?;
        let credential = token.credential.clone();
        *current = Some(token);
        Ok(credential)
    }
}

/// When a token that is good for so long from a moment on should be replaced.
#[must_use]
pub fn renew_at(asked: Instant, lifetime: Duration) -> Option<Instant> {
    let lifetime = lifetime.min(Duration::from_secs(365 * 86_400));
    asked.checked_add(lifetime.saturating_sub(EARLY).max(lifetime / 2))
}

#[async_trait]
impl SignIn for ClientCredentials {
    async fn sign_in(&self, line: &Line) -> Result<Token, ConnectorError> {
        let mut form = Zeroizing::new(String::from("grant_type=client_credentials"));
        let mut add = |name: &str, value: &str| {
            let pair: String = url::form_urlencoded::Serializer::new(String::new())
                .append_pair(name, value)
                .finish();
            form.push('&');
            form.push_str(&pair);
        };
        if let Some(scope) = &self.scope {
            add("scope", scope);
        }
        let secret = self.client_secret.expose_secret();
        if self.in_body {
            add("client_id", &self.client_id);
            add("client_secret", secret);
        }
        let mut call = Call::new(
            http::Method::POST,
            self.url.clone(),
            Some(form.as_bytes().to_vec()),
        );
        call.content_type = Some(HeaderValue::from_static(
            "application/x-www-form-urlencoded",
        ));
        if !self.in_body {
            // RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
            let part = |text: &str| -> String {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            let header = basic(&part(&self.client_id), &part(secret))?;
            call.headers.insert(AUTHORIZATION, header);
        }
        call.hidden.push(self.client_secret.clone());
        let asked = Instant::now();
        let answer = line.ask(&call, "the token endpoint").await?;
        let (token, lifetime) = granted(&answer)?;
        Ok(Token {
            credential: (AUTHORIZATION, bearer(&token)?),
            until: lifetime.and_then(|lifetime| renew_at(asked, lifetime)),
            secret: SecretString::from(token),
        })
    }
}

/// The access token in the answer of a token endpoint (RFC 6749 §5), and how long it is good.
///
/// # Errors
/// [`ConnectorError::Unauthorised`] if it was refused, [`ConnectorError::Transient`], [`ConnectorError::Protocol`].
pub fn granted(answer: &Answer) -> Result<(String, Option<Duration>), ConnectorError> {
    let json = body::parse(answer.body()).ok();
    let field = |name: &str| json.as_ref().and_then(|a| a.get(name));
    let status = answer.status;
    if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
        return Err(ConnectorError::Transient(format!(
            "the token endpoint answered {}",
            status.as_u16()
        )));
    }
    if !status.is_success() {
        let code = field("error").and_then(serde_json::Value::as_str);
        return Err(ConnectorError::Unauthorised(format!(
            "the token endpoint answered {} {}",
            status.as_u16(),
            body::excerpt(code.unwrap_or_default())
        )));
    }
    let Some(token) = field("access_token").and_then(serde_json::Value::as_str) else {
        return Err(ConnectorError::Protocol(
            "the token endpoint answered without an access token".to_owned(),
        ));
    };
    // Some servers send the number as text.
    let lifetime = field("expires_in").and_then(|v| match v.as_u64() {
        Some(seconds) => Some(seconds),
        None => v.as_str().and_then(|text| text.parse().ok()),
    });
    Ok((token.to_owned(), lifetime.map(Duration::from_secs)))
}

/// A bearer token as a header's value.
///
/// # Errors
/// [`ConnectorError::Unauthorised`] if no header can carry it.
pub fn bearer(token: &str) -> Result<HeaderValue, ConnectorError> {
    sensitive(&Zeroizing::new(format!("Bearer {token}")))
}

/// A user name and a password as a header's value.
///
/// # Errors
/// As [`bearer`].
pub fn basic(user: &str, password: &str) -> Result<HeaderValue, ConnectorError> {
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let encoded = Zeroizing::new(BASE64.encode(pair.as_bytes()));
    sensitive(&Zeroizing::new(format!("Basic {}", &*encoded)))
}

/// A secret as a header's value that is never shown.
///
/// # Errors
/// As [`bearer`].
pub fn sensitive(text: &str) -> Result<HeaderValue, ConnectorError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        ConnectorError::Unauthorised(
            "the secret holds characters that no header can carry; is there a line break in its file?"
                .to_owned(),
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}
