//! What can go wrong below HTTP, told apart by whether the application may have acted.

use std::error::Error as _;
use std::fmt;

/// A request that got no complete answer.
#[derive(Debug)]
pub enum Fault {
    /// No connection: nothing was sent.
    Connect(String),
    /// The deadline passed after the request may have been sent.
    Timeout,
    /// The connection broke, or the answer did, after the request may have been sent.
    Broken(String),
    /// The answer is larger than allowed.
    TooLarge(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(why) => write!(f, "no connection: {why}"),
            Self::Timeout => f.write_str("no complete answer before the deadline"),
            Self::Broken(why) => write!(f, "the answer broke off: {why}"),
            Self::TooLarge(limit) => write!(f, "the answer is larger than {limit} bytes"),
        }
    }
}

impl From<reqwest::Error> for Fault {
    fn from(error: reqwest::Error) -> Self {
        if error.is_connect() || error.is_builder() {
            Self::Connect(chain(error))
        } else if error.is_timeout() {
            Self::Timeout
        } else {
            Self::Broken(chain(error))
        }
    }
}

/// The causes of an error in one line, without its URL (a URL can hold personal data).
#[must_use]
pub fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    super::body::excerpt(&text)
}

/// Reads a body in chunks, after decompression, up to a limit.
///
/// # Errors
/// [`Fault::TooLarge`], [`Fault::Broken`].
pub async fn read(mut response: reqwest::Response, limit: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > limit {
            return Err(Fault::TooLarge(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
