//! Letters by mail: one plain text each, over a connection that is protected or not made at all.

use std::time::SystemTime;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::settings::{SmtpSecurity, SmtpSettings};
use super::{DeliverError, Message, Paper, chain};
use crate::veil::Veil;

/// A mail server.
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    /// For messages: the server's name and port.
    place: String,
    /// What the server was told at the login.
    password: Option<SecretString>,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Smtp").field(&self.place).finish()
    }
}

impl Smtp {
    pub(super) fn new(settings: &SmtpSettings) -> Result<Self, DeliverError> {
        let tls = match settings.security {
            SmtpSecurity::StartTls => Tls::Required(tls(settings)?),
            SmtpSecurity::Tls => Tls::Wrapper(tls(settings)?),
            SmtpSecurity::Plain => Tls::None,
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.clone())
                .port(settings.port)
                .timeout(Some(settings.timeout))
                .tls(tls);
        if let Some((user, password)) = &settings.login {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        let (address, name) = &settings.from;
        Ok(Self {
            transport: builder.build(),
            from: Mailbox::new(name.clone(), parse(address)?),
            reply_to: match &settings.reply_to {
                Some(address) => Some(Mailbox::new(None, parse(address)?)),
                None => None,
            },
            place: format!("{}:{}", settings.host, settings.port),
            password: settings
                .login
                .as_ref()
                .map(|(_, password)| password.clone()),
        })
    }

    pub(super) async fn send(&self, message: &Message<'_>) -> Result<(), DeliverError> {
        let mail = self.mail(message)?;
        let sent = self.transport.send(mail).await;
        sent.map(drop)
            .map_err(|error| self.failure(&error, message.password))
    }

    pub(super) async fn send_paper(&self, paper: &Paper<'_>) -> Result<(), DeliverError> {
        let page = Attachment::new(paper.file.to_owned());
        let page = page.body(paper.page.to_owned(), ContentType::TEXT_HTML);
        let text = SinglePart::plain(paper.text.to_owned());
        let parts = MultiPart::mixed().singlepart(text).singlepart(page);
        let mail = self.envelope(paper.id, paper.at, paper.to, paper.subject)?;
        let mail = mail.multipart(parts).map_err(|error| never(&error))?;
        let sent = self.transport.send(mail).await;
        sent.map(drop).map_err(|error| self.failure(&error, None))
    }

    pub(super) async fn probe(&self) -> Result<String, DeliverError> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(format!("{} answers and lets us in", self.place)),
            Ok(false) => Err(DeliverError::Later(format!(
                "{} does not answer",
                self.place
            ))),
            Err(error) => Err(self.failure(&error, None)),
        }
    }

    /// The mail of a letter.
    fn mail(&self, message: &Message<'_>) -> Result<lettre::Message, DeliverError> {
        let to = [message.to.to_owned()];
        let mail = self.envelope(message.id, message.at, &to, message.subject)?;
        mail.singlepart(SinglePart::plain(message.body.expose_secret().to_owned()))
            .map_err(|error| never(&error))
    }

    /// What stands above a mail. Every name and subject is encoded; addresses are parsed, never pasted.
    fn envelope(
        &self,
        id: &str,
        at: jiff::Timestamp,
        to: &[String],
        subject: &str,
    ) -> Result<MessageBuilder, DeliverError> {
        let domain = self.from.email.domain();
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .date(SystemTime::from(at))
            .message_id(Some(format!("<{id}@{domain}>")))
            .subject(subject);
        for address in to {
            mail = mail.to(Mailbox::new(None, parse(address)?));
        }
        if let Some(reply_to) = &self.reply_to {
            mail = mail.reply_to(reply_to.clone());
        }
        // Keeps absence notes from quoting a password back to us (RFC 3834).
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        Ok(mail.raw_header(HeaderValue::new(name, "auto-generated".to_owned())))
    }

    /// A refused login or an unprotected connection is nothing that another letter would change, so it is tried again;
    /// only what the server says of this letter is final.
    fn failure(
        &self,
        error: &lettre::transport::smtp::Error,
        told: Option<&SecretString>,
    ) -> DeliverError {
        let secrets = self.password.iter().chain(told);
        let veil = Veil::over(secrets.map(|secret| secret.expose_secret().as_bytes()));
        let text = format!("{}: {}", self.place, chain(error, &veil));
        let status = error.status().map(u16::from);
        // 530 to 538: authentication (RFC 4954 §6). 421, 454 and the like are transient.
        let login = status.is_some_and(|code| (530..540).contains(&code) || code == 502);
        if error.is_permanent() && !login {
            DeliverError::Never(text)
        } else {
            DeliverError::Later(text)
        }
    }
}

fn never(error: &lettre::error::Error) -> DeliverError {
    DeliverError::Never(chain(error, &Veil::default()))
}

fn parse(address: &str) -> Result<Address, DeliverError> {
    address
        .parse()
        .map_err(|_why| DeliverError::Never("the address is not one".to_owned()))
}

fn tls(settings: &SmtpSettings) -> Result<TlsParameters, DeliverError> {
    let later =
        |e: lettre::transport::smtp::Error| DeliverError::Later(chain(&e, &Veil::default()));
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(pem) = &settings.ca_pem {
        builder = builder.certificate_store(CertificateStore::None);
        for found in CertificateDer::pem_slice_iter(pem) {
            let der = found.map_err(|e| DeliverError::Later(format!("the CA file: {e}")))?;
            builder =
                builder.add_root_certificate(Certificate::from_der(der.to_vec()).map_err(later)?);
        }
    }
    builder.build().map_err(later)
}
