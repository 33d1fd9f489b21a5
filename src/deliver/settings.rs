//! How letters are handed over, as read from the configuration.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// How letters are handed over.
#[derive(Clone, Debug)]
pub struct DeliverySettings {
    /// By mail or to a webhook.
    pub channel: Channel,
    /// For how long a letter that is not taken is tried again.
    pub give_up_after: Duration,
}

impl DeliverySettings {
    /// Where letters go, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.channel {
            Channel::Smtp(smtp) => format!("{}:{}", smtp.host, smtp.port),
            Channel::Webhook(webhook) => webhook.url.to_string(),
        }
    }
}

/// By which way.
#[derive(Clone, Debug)]
pub enum Channel {
    /// To a mail server.
    Smtp(SmtpSettings),
    /// To an HTTP endpoint.
    Webhook(WebhookSettings),
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmtpSecurity {
    /// TLS by STARTTLS; without it nothing is sent (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// Nothing: everybody on the way can read passwords.
    Plain,
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Its name, which its certificate must have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// Certificates to trust instead of the system's, PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Whom to log in as.
    pub login: Option<(String, SecretString)>,
    /// The sender: address and name.
    pub from: (String, Option<String>),
    /// Where answers go.
    pub reply_to: Option<String>,
    /// Deadline of each step of the dialogue.
    pub timeout: Duration,
}

/// An HTTP endpoint.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// Where letters are posted.
    pub url: Url,
    /// Signs each letter, so that the receiver knows where it comes from.
    pub secret: Option<SecretString>,
    /// Certificates to trust instead of the system's, PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Deadline of one request.
    pub timeout: Duration,
}
