//! Letters: handed over once, to the right address, by a server that nobody here wrote; and what becomes of them when it fails.

mod closing;
mod delivering;
mod outbox;
mod webhook;

use std::time::Duration;

use jiff::Timestamp;
use provost::deliver::settings::{Channel, DeliverySettings, SmtpSecurity, SmtpSettings};
use provost::deliver::{DeliverError, Message, Post};
use secrecy::SecretString;

use super::support::{Cert, PASSWORD, Smtp, tls::ca_pem};

/// The settings for a server of the tests.
fn smtp(server: &Smtp, security: SmtpSecurity) -> SmtpSettings {
    SmtpSettings {
        host: "localhost".to_owned(),
        port: server.port,
        security,
        ca_pem: Some(std::fs::read(ca_pem()).unwrap()),
        login: (security != SmtpSecurity::Plain)
            .then(|| ("provost".to_owned(), SecretString::from(PASSWORD))),
        from: (
            "accounts@example.com".to_owned(),
            Some("Accounts, \"Provost\"".to_owned()),
        ),
        reply_to: Some("help@example.com".to_owned()),
        timeout: Duration::from_secs(10),
    }
}

fn post(settings: SmtpSettings) -> Post {
    Post::open(&DeliverySettings {
        channel: Channel::Smtp(settings),
        give_up_after: Duration::from_secs(3600),
    })
    .unwrap()
}

async fn send(post: &Post, to: &str, subject: &str) -> Result<(), DeliverError> {
    let body = SecretString::from("Grüße,\n\n  password  hunter2\n.\n");
    let password = SecretString::from("hunter2");
    let message = Message {
        id: "0123456789abcdef0123456789abcdef",
        at: Timestamp::UNIX_EPOCH,
        kind: "welcome",
        target: "crm",
        to,
        person: "Ann",
        login: "ann",
        subject,
        body: &body,
        password: Some(&password),
        tasks: None,
    };
    post.send(&message).await
}
