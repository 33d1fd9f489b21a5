//! How we prove who we are: fixed headers, or OAuth 2.0 client credentials (RFC 6749 §4.4) with a cached token.

use std::fmt;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use super::body;
use super::fault::{self, Fault};
use super::origin::check_transport;
use crate::target::ConnectorError;
use crate::target::settings::{Auth, HttpSettings};

/// A token is renewed so long before it expires.
const EARLY: Duration = Duration::from_secs(60);
/// Largest token answer accepted.
const TOKEN_LIMIT: usize = 64 * 1024;

/// A header to send, marked sensitive.
pub type Credential = (HeaderName, HeaderValue);

/// The credentials of one target.
pub enum Credentials {
    /// The same header every time.
    Fixed(Credential),
    /// A token that is fetched and renewed.
    Token(Box<TokenSource>),
}

// Credentials never show.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed(_) => "Fixed(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

/// Fetches tokens; one request at a time however many callers wait.
pub struct TokenSource {
    url: Url,
    client_id: String,
    client_secret: SecretString,
    scope: Option<String>,
    in_body: bool,
    deadline: Duration,
    current: Mutex<Option<Token>>,
}

struct Token {
    header: HeaderValue,
    until: Option<Instant>,
}

impl Credentials {
    /// Prepares the credentials.
    ///
    /// # Errors
    /// [`ConnectorError::Unauthorised`] if they cannot be put into a header; [`ConnectorError::Rejected`] for an unsafe token URL.
    pub fn new(settings: &HttpSettings) -> Result<Self, ConnectorError> {
        Ok(match &settings.auth {
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
                Self::Token(Box::new(TokenSource {
                    url: token_url.clone(),
                    client_id: client_id.clone(),
                    client_secret: client_secret.clone(),
                    scope: scope.clone(),
                    in_body: *in_body,
                    deadline: settings.request_timeout,
                    current: Mutex::new(None),
                }))
            }
        })
    }

    /// The header for the next request; fetches a token if there is none or it is about to expire.
    ///
    /// # Errors
    /// As the token endpoint answers: [`ConnectorError::Unauthorised`], [`ConnectorError::Transient`], [`ConnectorError::Protocol`].
    pub async fn header(&self, client: &reqwest::Client) -> Result<Credential, ConnectorError> {
        match self {
            Self::Fixed(credential) => Ok(credential.clone()),
            Self::Token(source) => Ok((AUTHORIZATION, source.token(client, None).await?)),
        }
    }

    /// After a 401: fetches a new token unless somebody else already has. `false` if there is nothing to renew.
    ///
    /// # Errors
    /// As [`Self::header`].
    pub async fn renew(
        &self,
        client: &reqwest::Client,
        refused: &HeaderValue,
    ) -> Result<bool, ConnectorError> {
        match self {
            Self::Fixed(_) => Ok(false),
            Self::Token(source) => source.token(client, Some(refused)).await.map(|_| true),
        }
    }
}

impl TokenSource {
    async fn token(
        &self,
        client: &reqwest::Client,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, ConnectorError> {
        // Held across the request on purpose: whoever waits here gets the token that the first one fetched.
        let mut current = self.current.lock().await;
        if let Some(token) = &*current {
            let fresh = token.until.is_none_or(|until| Instant::now() < until);
            if fresh && refused != Some(&token.header) {
                return Ok(token.header.clone());
            }
        }
        *current = None;
        let token = self.fetch(client).await?;
        let header = token.header.clone();
        *current = Some(token);
        Ok(header)
    }

    async fn fetch(&self, client: &reqwest::Client) -> Result<Token, ConnectorError> {
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
        let mut request = client
            .post(self.url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(form.as_bytes().to_vec());
        if !self.in_body {
            // RFC 6749 §2.3.1: both parts are form-encoded before they are joined.
            let part = |text: &str| -> String {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            request = request.header(AUTHORIZATION, basic(&part(&self.client_id), &part(secret))?);
        }
        let asked = Instant::now();
        let (status, bytes) = tokio::time::timeout(self.deadline, async {
            let response = request.send().await.map_err(Fault::from)?;
            let status = response.status();
            Ok((status, fault::read(response, TOKEN_LIMIT).await?))
        })
        .await
        .unwrap_or(Err(Fault::Timeout))
        .map_err(|f| ConnectorError::Transient(format!("the token endpoint failed: {f}")))?;
        self.judge(status, &bytes, asked)
    }

    fn judge(
        &self,
        status: http::StatusCode,
        bytes: &[u8],
        asked: Instant,
    ) -> Result<Token, ConnectorError> {
        let answer = body::parse(bytes).ok();
        let field = |name: &str| answer.as_ref().and_then(|a| a.get(name));
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
        let until = lifetime.and_then(|seconds| {
            let seconds = Duration::from_secs(seconds.min(365 * 86_400));
            asked.checked_add(seconds.saturating_sub(EARLY).max(seconds / 2))
        });
        Ok(Token {
            header: bearer(token)?,
            until,
        })
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ConnectorError> {
    sensitive(&Zeroizing::new(format!("Bearer {token}")))
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, ConnectorError> {
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let encoded = Zeroizing::new(BASE64.encode(pair.as_bytes()));
    sensitive(&Zeroizing::new(format!("Basic {}", &*encoded)))
}

fn sensitive(text: &str) -> Result<HeaderValue, ConnectorError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        ConnectorError::Unauthorised(
            "the secret holds characters that no header can carry; is there a line break in its file?"
                .to_owned(),
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}
