//! One request and its answer, without pace, retries and credentials: what a send is made of, and how credentials are fetched.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::auth::Credential;
use super::fault::{self, Fault};
use super::{Answer, Call, text};
use crate::target::ConnectorError;
use crate::veil::Veil;

/// Largest answer accepted when credentials are fetched.
const SMALL: usize = 256 * 1024;

/// The way to the application.
#[derive(Debug)]
pub struct Line {
    pub(super) client: reqwest::Client,
    pub(super) deadline: Duration,
    pub(super) limit: usize,
    pub(super) media_type: HeaderValue,
    /// Sent with every request.
    pub(super) headers: HeaderMap,
    pub(super) secrets: Vec<SecretString>,
}

impl Line {
    /// Sends a request as it is, for fetching credentials.
    ///
    /// # Errors
    /// [`ConnectorError::Transient`] if there is no complete answer.
    pub async fn ask(&self, call: &Call, what: &str) -> Result<Answer, ConnectorError> {
        match self.timed(call, None, SMALL).await {
            Ok((answer, _)) => Ok(answer),
            Err(fault) => Err(ConnectorError::Transient(format!("{what} failed: {fault}"))),
        }
    }

    /// One attempt within the deadline.
    pub(super) async fn attempt(
        &self,
        call: &Call,
        credential: Option<&Credential>,
    ) -> Result<(Answer, HeaderMap), Fault> {
        self.timed(call, credential, self.limit).await
    }

    async fn timed(
        &self,
        call: &Call,
        credential: Option<&Credential>,
        limit: usize,
    ) -> Result<(Answer, HeaderMap), Fault> {
        tokio::time::timeout(self.deadline, self.exchange(call, credential, limit))
            .await
            .unwrap_or(Err(Fault::Timeout))
    }

    /// An answer without the secrets of its request. Refusals are freed from them as they come; this is for refusals that
    /// look like a success.
    #[must_use]
    pub fn discreet(&self, call: &Call, answer: &Answer) -> Answer {
        let mut discreet = answer.clone();
        self.veil(call, answer.refused.as_ref())
            .draw(&mut discreet.body);
        discreet
    }

    /// Over everything secret in a request.
    fn veil(&self, call: &Call, credential: Option<&HeaderValue>) -> Veil {
        let sensitive = call.headers.values().filter(|value| value.is_sensitive());
        let sent = sensitive.chain(credential).flat_map(secrets);
        let all = self.secrets.iter().chain(&call.hidden).cloned().chain(sent);
        veil(&all.collect::<Vec<_>>())
    }

    async fn exchange(
        &self,
        call: &Call,
        credential: Option<&Credential>,
        limit: usize,
    ) -> Result<(Answer, HeaderMap), Fault> {
        let accept = call.accept.as_ref().unwrap_or(&self.media_type);
        let mut request = self
            .client
            .request(call.method.clone(), call.url.clone())
            .headers(self.headers.clone())
            .headers(call.headers.clone())
            .header(http::header::ACCEPT, accept.clone());
        if let Some((name, value)) = credential {
            request = request.header(name.clone(), value.clone());
        }
        if let Some(body) = &call.body {
            let kind = call.content_type.as_ref().unwrap_or(&self.media_type);
            request = request
                .header(http::header::CONTENT_TYPE, kind.clone())
                .body(body.clone());
        }
        if let Some(version) = &call.if_match {
            request = request.header(http::header::IF_MATCH, version);
        }
        let mut response = request.send().await?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut body = fault::read(response, limit).await?;
        if !status.is_success() {
            // Errors are shown to people, and some services echo the request in them.
            self.veil(call, credential.map(|(_, value)| value))
                .draw(&mut body);
        }
        let answer = Answer {
            status,
            location: text(&headers, "location"),
            etag: text(&headers, "etag"),
            intent: call.intent(),
            content_type: text(&headers, "content-type"),
            refused: credential.map(|(_, value)| value.clone()),
            headers: headers.clone(),
            body,
        };
        Ok((answer, headers))
    }
}

/// Over some secrets.
pub(super) fn veil(secrets: &[SecretString]) -> Veil {
    Veil::over(
        secrets
            .iter()
            .map(|secret| secret.expose_secret().as_bytes()),
    )
}

/// What of a header must never be shown: the credential with and without its scheme, the parts of a Basic one, the values
/// of cookies.
fn secrets(value: &HeaderValue) -> Vec<SecretString> {
    let Ok(text) = value.to_str() else {
        return Vec::new();
    };
    let mut found = vec![text];
    found.extend(text.split_once(' ').map(|(_scheme, rest)| rest));
    found.extend(
        text.split("; ")
            .filter_map(|one| Some(one.split_once('=')?.1)),
    );
    let basic = text.strip_prefix("Basic ");
    let basic = basic.and_then(|code| STANDARD.decode(code).ok());
    let basic = Zeroizing::new(basic.unwrap_or_default());
    let pair = std::str::from_utf8(&basic).unwrap_or_default();
    found.extend(pair.split_once(':').map(|(_user, password)| password));
    found.into_iter().map(SecretString::from).collect()
}
