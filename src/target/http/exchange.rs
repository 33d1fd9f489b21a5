//! One request and its answer, as values: what is asked, and what came back whole.

use http::header::{HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::body::{self, excerpt, parse};
use crate::target::ConnectorError;

/// Whether a request can change anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intent {
    /// It cannot; repeating is harmless.
    Read,
    /// It can; an unclear end is [`ConnectorError::Ambiguous`].
    Write,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Where to; made by [`Origin`](super::Origin).
    pub url: Url,
    /// What to send.
    pub body: Option<Vec<u8>>,
    /// What that is; by default the client's media type.
    pub content_type: Option<HeaderValue>,
    /// What is wanted back; by default the client's media type.
    pub accept: Option<HeaderValue>,
    /// More headers.
    pub headers: HeaderMap,
    /// Whether it changes anything, where the method does not tell.
    pub intent: Option<Intent>,
    /// Redirects (which are never followed) and 500 are answers like any other: the caller knows what they mean here.
    pub lenient: bool,
    /// The version that must still hold (RFC 9110 §13.1.1).
    pub if_match: Option<String>,
    /// A 500 is an answer like any other: what is asked for may be left out.
    pub optional: bool,
    /// Secrets in the request that must not show, whatever the answer is. Headers marked as sensitive are hidden anyway.
    pub hidden: Vec<SecretString>,
}

impl Call {
    /// A read.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url, None)
    }

    /// A write, with or without a body.
    #[must_use]
    pub fn new(method: Method, url: Url, body: Option<Vec<u8>>) -> Self {
        Self {
            method,
            url,
            body,
            content_type: None,
            accept: None,
            headers: HeaderMap::new(),
            intent: None,
            lenient: false,
            if_match: None,
            optional: false,
            hidden: Vec::new(),
        }
    }

    pub(super) fn intent(&self) -> Intent {
        match self.intent {
            Some(intent) => intent,
            None if self.method == Method::GET => Intent::Read,
            None => Intent::Write,
        }
    }
}

/// A complete answer: 2xx, 4xx (but 401 and 429), 501, or 500 where that was excused. Everything else has become an error.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The Location header.
    pub location: Option<String>,
    /// The ETag header.
    pub etag: Option<String>,
    pub(super) intent: Intent,
    pub(super) content_type: Option<String>,
    pub(super) refused: Option<HeaderValue>,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer to one operation among several that a write asked for together.
    #[must_use]
    pub fn part(status: StatusCode, body: Vec<u8>) -> Self {
        Self {
            status,
            location: None,
            etag: None,
            intent: Intent::Write,
            content_type: None,
            refused: None,
            headers: HeaderMap::new(),
            body,
        }
    }

    /// The body as it came.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether this is a web page: a login page or a proxy's.
    #[must_use]
    pub fn is_page(&self) -> bool {
        body::looks_like_html(self.content_type.as_deref(), &self.body)
    }

    /// What kind of body the application says this is.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Whether there is a body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.iter().all(u8::is_ascii_whitespace)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`ConnectorError::Protocol`] for a web page and for unusable JSON; after a successful write unusable JSON is
    /// [`ConnectorError::Ambiguous`], because the write happened.
    pub fn json(&self) -> Result<Value, ConnectorError> {
        if body::looks_like_html(self.content_type.as_deref(), &self.body) {
            return Err(ConnectorError::Protocol(format!(
                "status {} with a web page instead of JSON (a login page or a proxy? check the base URL)",
                self.status.as_u16()
            )));
        }
        parse(&self.body).map_err(|why| {
            let why = format!("status {}, but the body is {why}", self.status.as_u16());
            match self.intent {
                Intent::Write if self.status.is_success() => ConnectorError::Ambiguous(why),
                Intent::Write | Intent::Read => ConnectorError::Protocol(why),
            }
        })
    }

    /// Whether the body is a JSON object: the application itself spoke, not something in between.
    #[must_use]
    pub fn is_json_object(&self) -> bool {
        parse(&self.body).is_ok_and(|value| value.is_object())
    }

    /// Status and a short piece of the body, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let status = self.status.as_u16();
        if body::looks_like_html(self.content_type.as_deref(), &self.body) {
            return format!("status {status} with a web page");
        }
        let said = parse(&self.body).ok().and_then(|json| {
            let texts = [
                "scimType",
                "detail",
                "message",
                "error_description",
                "error",
            ];
            let said: Vec<&str> = texts
                .iter()
                .filter_map(|key| json.get(key).and_then(Value::as_str))
                .collect();
            (!said.is_empty()).then(|| said.join(": "))
        });
        match said {
            Some(text) => format!("status {status}: {}", excerpt(&text)),
            None => format!("status {status}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(intent: Intent, content_type: &str, body: &str) -> Answer {
        Answer {
            status: StatusCode::OK,
            location: None,
            etag: None,
            intent,
            content_type: Some(content_type.to_owned()),
            refused: None,
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn an_unreadable_success_is_not_a_success() {
        use ConnectorError::{Ambiguous, Protocol};
        let json = "application/scim+json";
        let read = answer(Intent::Read, json, "{\"id\":").json().unwrap_err();
        assert!(matches!(read, Protocol(_)));
        let write = answer(Intent::Write, json, "{\"id\":").json().unwrap_err();
        assert!(matches!(write, Ambiguous(_)));
        let page = answer(Intent::Write, "text/html", "<html>").json();
        assert!(matches!(page.unwrap_err(), Protocol(_)));
        assert!(answer(Intent::Read, "text/plain", "{}").json().is_ok());
    }

    #[test]
    fn answers_are_described_safely() {
        let text = answer(
            Intent::Read,
            "a/b",
            r#"{"detail":"no\u001b[2J\nway","x":"y"}"#,
        );
        assert_eq!(text.describe(), "status 200: no [2J way");
        assert_eq!(answer(Intent::Read, "a/b", "boom").describe(), "status 200");
    }
}
