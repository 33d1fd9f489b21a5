//! Letters to a webhook: one signed POST each, in the form of standard-webhooks.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ring::hmac;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use zeroize::Zeroizing;

use super::settings::WebhookSettings;
use super::{DeliverError, Message, chain, said};
use crate::veil::Veil;

/// How much of an answer is read for the error message.
const ANSWER: usize = 512;

/// An HTTP endpoint.
pub(super) struct Webhook {
    client: reqwest::Client,
    url: url::Url,
    key: Option<hmac::Key>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Webhook").field(&self.url.as_str()).finish()
    }
}

/// What is posted. Version 1 may only grow.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Posted<'a> {
    version: u32,
    id: &'a str,
    kind: &'a str,
    target: &'a str,
    to: &'a str,
    person: &'a str,
    login: &'a str,
    written: String,
    subject: &'a str,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<&'a serde_json::Value>,
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings) -> Result<Self, DeliverError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(settings.ca_pem.as_deref())?)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(settings.timeout)
            .timeout(settings.timeout)
            .user_agent(concat!("provost/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build()
            .map_err(|e| DeliverError::Later(chain(&e, &Veil::default())))?;
        let secret = settings.secret.as_ref();
        Ok(Self {
            client,
            url: settings.url.clone(),
            key: secret.map(|secret| key(secret.expose_secret())),
        })
    }

    pub(super) async fn send(&self, message: &Message<'_>) -> Result<(), DeliverError> {
        let posted = Posted {
            version: 1,
            id: message.id,
            kind: message.kind,
            target: message.target,
            to: message.to,
            person: message.person,
            login: message.login,
            written: message.at.to_string(),
            subject: message.subject,
            body: message.body.expose_secret(),
            password: message.password.map(|secret| secret.expose_secret()),
            tasks: message.tasks,
        };
        let body = serde_json::to_vec(&posted).map_err(|e| DeliverError::Never(e.to_string()))?;
        let body = Zeroizing::new(body);
        let headers = self.headers(message, &body)?;
        let request = self.client.post(self.url.clone()).headers(headers);
        let answer = request.body(body.to_vec()).send().await;
        let answer =
            answer.map_err(|e| DeliverError::Later(chain(&e.without_url(), &Veil::default())))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = format!(
            "{}: {}",
            status,
            self.excerpt(answer, message.password).await
        );
        // Too early, too many, time-out, and what a person must mend at the receiver's (login, path).
        let again = status.is_server_error()
            || status.is_redirection()
            || matches!(status.as_u16(), 401 | 403 | 404 | 408 | 425 | 429);
        Err(if again {
            DeliverError::Later(text)
        } else {
            DeliverError::Never(text)
        })
    }

    /// An endpoint for POST answers OPTIONS with whatever it likes; that it answers is all that is asked.
    pub(super) async fn probe(&self) -> Result<String, DeliverError> {
        let request = self
            .client
            .request(reqwest::Method::OPTIONS, self.url.clone());
        match request.send().await {
            Ok(answer) if !answer.status().is_server_error() => {
                Ok(format!("answers ({})", answer.status()))
            }
            Ok(answer) => Err(DeliverError::Later(answer.status().to_string())),
            Err(error) => Err(DeliverError::Later(chain(
                &error.without_url(),
                &Veil::default(),
            ))),
        }
    }

    fn headers(&self, message: &Message<'_>, body: &[u8]) -> Result<HeaderMap, DeliverError> {
        let at = message.at.as_second().to_string();
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: &str| {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_why| DeliverError::Never("a header cannot be written".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
            Ok(())
        };
        put("idempotency-key", message.id)?;
        put("webhook-id", message.id)?;
        put("webhook-timestamp", &at)?;
        if let Some(key) = &self.key {
            let mut sign = hmac::Context::with_key(key);
            for part in [message.id.as_bytes(), b".", at.as_bytes(), b".", body] {
                sign.update(part);
            }
            let signature = STANDARD.encode(sign.sign());
            put("webhook-signature", &format!("v1,{signature}"))?;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(headers)
    }

    /// What the receiver says, without the password that it was told.
    async fn excerpt(&self, mut answer: reqwest::Response, told: Option<&SecretString>) -> String {
        let mut text = Vec::new();
        while text.len() < ANSWER {
            match answer.chunk().await {
                Ok(Some(chunk)) => text.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
        text.truncate(ANSWER);
        let veil = Veil::over(told.map(|secret| secret.expose_secret().as_bytes()));
        said(&String::from_utf8_lossy(&text), &veil)
    }
}

/// A secret of the form `whsec_…` is base64 (standard-webhooks); any other is taken as it is.
fn key(secret: &str) -> hmac::Key {
    let decoded = secret
        .strip_prefix("whsec_")
        .and_then(|text| STANDARD.decode(text).ok());
    let bytes = Zeroizing::new(decoded.unwrap_or_else(|| secret.as_bytes().to_vec()));
    hmac::Key::new(hmac::HMAC_SHA256, &bytes)
}

fn tls(ca_pem: Option<&[u8]>) -> Result<ClientConfig, DeliverError> {
    let later = |e: String| DeliverError::Later(format!("TLS cannot be set up: {e}"));
    let mut roots = RootCertStore::empty();
    if let Some(pem) = ca_pem {
        for found in CertificateDer::pem_slice_iter(pem) {
            let certificate = found.map_err(|e| later(e.to_string()))?;
            roots.add(certificate).map_err(|e| later(e.to_string()))?;
        }
    } else {
        // One unreadable certificate in the system's store must not take the others with it.
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| later(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        // The example of the specification.
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = hmac::sign(
            &key,
            b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}",
        );
        assert_eq!(
            STANDARD.encode(signed),
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
