//! One request and its answer, without pace, retries and credentials: what a send is made of, and how credentials are fetched.

use std::time::Duration;

use http::header::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::auth::Credential;
use super::fault::{self, Fault};
use super::{Answer, Call, body, text};
use crate::target::ConnectorError;

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
            if let Some(credential) = credential {
                body::conceal(&mut body, super::secret(credential));
            }
            for secret in &self.secrets {
                body::conceal(&mut body, secret.expose_secret().as_bytes());
            }
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
