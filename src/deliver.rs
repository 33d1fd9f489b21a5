//! Letters on their way to people: by mail or to a webhook.
//!
//! Nothing is decided here: who gets which letter is planned, its words are rendered, and what is done after a failure is
//! decided elsewhere. A letter has an id that stays the same however often it is sent, so that whoever receives can tell.

pub mod settings;
mod smtp;
mod webhook;

use jiff::Timestamp;
use secrecy::SecretString;

use settings::{Channel, DeliverySettings};

use crate::veil::Veil;

/// One letter, ready to be sent.
#[derive(Debug)]
pub struct Message<'a> {
    /// Stays the same however often the letter is sent.
    pub id: &'a str,
    /// When the letter was written.
    pub at: Timestamp,
    /// Which letter: "welcome", "reset", "closing-soon", "worklist" or "test".
    pub kind: &'a str,
    /// The application.
    pub target: &'a str,
    /// The address.
    pub to: &'a str,
    /// Whom it is about.
    pub person: &'a str,
    /// Their name in the application.
    pub login: &'a str,
    /// One line.
    pub subject: &'a str,
    /// The text, password included.
    pub body: &'a SecretString,
    /// The password alone, for receivers that are programs.
    pub password: Option<&'a SecretString>,
    /// What is to be done, for receivers that are programs: an array of tasks.
    pub tasks: Option<&'a serde_json::Value>,
}

/// A report for people, with its page attached.
#[derive(Debug)]
pub struct Paper<'a> {
    /// Stays the same however often the report is sent.
    pub id: &'a str,
    /// When it was made.
    pub at: Timestamp,
    /// The addresses.
    pub to: &'a [String],
    /// One line.
    pub subject: &'a str,
    /// What it says in short.
    pub text: &'a str,
    /// The name of the page's file.
    pub file: &'a str,
    /// The page.
    pub page: &'a str,
}

/// Why a letter was not handed over.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeliverError {
    /// It may be sent again: the receiver cannot be reached, is busy, or what is wrong is not the letter.
    #[error("{0}")]
    Later(String),
    /// It will not be taken however often it is sent.
    #[error("refused: {0}")]
    Never(String),
}

/// A way to hand letters over.
#[derive(Debug)]
pub struct Post(Way);

#[derive(Debug)]
enum Way {
    Smtp(Box<smtp::Smtp>),
    Webhook(Box<webhook::Webhook>),
}

impl Post {
    /// Prepares the way; connects to nothing yet.
    ///
    /// # Errors
    /// [`DeliverError::Later`] if the settings cannot be used.
    pub fn open(settings: &DeliverySettings) -> Result<Self, DeliverError> {
        Ok(Self(match &settings.channel {
            Channel::Smtp(settings) => Way::Smtp(Box::new(smtp::Smtp::new(settings)?)),
            Channel::Webhook(settings) => Way::Webhook(Box::new(webhook::Webhook::new(settings)?)),
        }))
    }

    /// Hands a letter over: when this returns, the receiver has taken responsibility for it.
    ///
    /// # Errors
    /// Whether it may be sent again, and why it was not taken. Never contains the text.
    pub async fn send(&self, message: &Message<'_>) -> Result<(), DeliverError> {
        match &self.0 {
            Way::Smtp(smtp) => smtp.send(message).await,
            Way::Webhook(webhook) => webhook.send(message).await,
        }
    }

    /// Hands a report over to a mail server.
    ///
    /// # Errors
    /// As [`Self::send`]; always where letters go to a webhook.
    pub async fn send_paper(&self, paper: &Paper<'_>) -> Result<(), DeliverError> {
        match &self.0 {
            Way::Smtp(smtp) => smtp.send_paper(paper).await,
            Way::Webhook(_) => Err(DeliverError::Never(
                "reports go by mail only; use type = \"smtp\" in [delivery]".to_owned(),
            )),
        }
    }

    /// Whether the receiver can be reached and lets us in, without sending anything.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self) -> Result<String, DeliverError> {
        match &self.0 {
            Way::Smtp(smtp) => smtp.probe().await,
            Way::Webhook(webhook) => webhook.probe().await,
        }
    }
}

/// What a server said, short and in one line: it may be anything. It does not show what the veil is over.
fn said(text: &str, veil: &Veil) -> String {
    let mut line: String = veil
        .drawn(text.to_owned())
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    line.truncate(line.trim_end().len());
    line
}

/// An error with everything that caused it.
fn chain(error: &dyn std::error::Error, veil: &Veil) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    said(&text, veil)
}
