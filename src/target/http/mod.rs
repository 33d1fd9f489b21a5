//! One HTTP client for every HTTP connector: who we are, how fast, how long, how much, and what a failure means.
//!
//! It knows nothing of accounts. It retries only what is harmless: reads that failed on the server's side, and any request that
//! was answered "later" and therefore not performed. Whether a broken write took effect is never guessed: it is
//! [`ConnectorError::Ambiguous`].

mod auth;
mod body;
mod fault;
mod line;
mod meter;
mod origin;
mod pace;
mod shell;
mod spent;
mod tls;

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use http::header::{HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

pub use auth::{Credential, SignIn, Token, basic, bearer, granted, renew_at, sensitive};
pub use body::{MAX_DEPTH, excerpt, parse};
pub use line::Line;
pub use meter::{Class, Counted, Meter};
pub use origin::{Origin, check_transport, encode, segment};
pub use pace::retry_after;
pub use spent::Spent;

use self::auth::Credentials;
use self::fault::Fault;
use self::meter::{class, is_later};
use self::pace::Pace;
use super::ConnectorError;
use super::settings::HttpSettings;

/// Quick retries of a read that the server failed to answer.
const READ_RETRIES: usize = 3;
/// What is waited shorter than this is not counted as waiting.
const WAIT: Duration = Duration::from_millis(1);
/// How often one request is repeated after "later".
const LATER_RETRIES: u32 = 5;

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
    /// Where to; made by [`Origin`].
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

    fn intent(&self) -> Intent {
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
    intent: Intent,
    content_type: Option<String>,
    refused: Option<HeaderValue>,
    headers: HeaderMap,
    body: Vec<u8>,
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

/// The client of one target.
#[derive(Debug)]
pub struct Http {
    line: Line,
    origin: Origin,
    credentials: Credentials,
    pace: Pace,
    places: Semaphore,
    meter: Meter,
}

/// What one attempt leads to.
enum Next {
    Done(Box<Result<Answer, ConnectorError>>),
    Again,
}

fn done(result: Result<Answer, ConnectorError>) -> Next {
    Next::Done(Box::new(result))
}

/// What has been tried for one request.
struct Tries {
    backoff: backon::ExponentialBackoff,
    later: u32,
    renewed: bool,
}

impl Http {
    /// Prepares the client; nothing is sent.
    ///
    /// # Errors
    /// [`ConnectorError::Rejected`] or [`ConnectorError::Unauthorised`] for settings that cannot work.
    pub fn new(settings: &HttpSettings, media_type: &'static str) -> Result<Self, ConnectorError> {
        let credentials = Credentials::new(settings)?;
        Self::with(settings, media_type, credentials, Vec::new())
    }

    /// As [`Self::new`], with credentials that are fetched, and secrets that must not show in what the application answers.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn signed_in_by(
        settings: &HttpSettings,
        media_type: &'static str,
        way: Option<Box<dyn SignIn>>,
        secrets: Vec<SecretString>,
    ) -> Result<Self, ConnectorError> {
        let credentials = way.map_or(Credentials::None, Credentials::by);
        Self::with(settings, media_type, credentials, secrets)
    }

    fn with(
        settings: &HttpSettings,
        media_type: &'static str,
        credentials: Credentials,
        secrets: Vec<SecretString>,
    ) -> Result<Self, ConnectorError> {
        Ok(Self {
            line: Line {
                client: tls::client(settings)?,
                deadline: settings.request_timeout,
                limit: settings.body_limit,
                media_type: HeaderValue::from_static(media_type),
                headers: HeaderMap::new(),
                secrets,
            },
            origin: Origin::new(&settings.base, settings.danger_plain)?,
            credentials,
            pace: Pace::new(
                settings.requests_per_second,
                &settings.budgets,
                settings.spent.clone(),
            ),
            places: Semaphore::new(settings.parallelism.max(1)),
            meter: settings.meter.clone(),
        })
    }

    /// With headers for every request, those that fetch credentials included.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.line.headers = headers;
        self
    }

    /// After an answer that refused our credential in words of its own: fetches another, once for all who wait.
    /// `false` if there is nothing to renew.
    ///
    /// # Errors
    /// As [`SignIn::sign_in`].
    pub async fn renew(&self, answer: &Answer) -> Result<bool, ConnectorError> {
        self.credentials
            .renew(&self.line, answer.refused.as_ref())
            .await
    }

    /// As [`Line::discreet`].
    #[must_use]
    pub fn discreet(&self, call: &Call, answer: &Answer) -> Answer {
        self.line.discreet(call, answer)
    }

    /// Gives back what was fetched: ends the session.
    ///
    /// # Errors
    /// As [`SignIn::sign_out`].
    pub async fn close(&self) -> Result<(), ConnectorError> {
        self.credentials.close(&self.line).await
    }

    /// Where requests go.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Sends a request and returns a complete answer.
    ///
    /// # Errors
    /// [`ConnectorError::Transient`]: nothing happened. [`ConnectorError::Ambiguous`]: a write whose end is unknown.
    /// [`ConnectorError::Throttled`], [`ConnectorError::Unauthorised`]: not performed. [`ConnectorError::Protocol`]: a redirect, or too large.
    pub async fn send(&self, call: &Call) -> Result<Answer, ConnectorError> {
        let mut tries = Tries {
            backoff: ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(50))
                .with_max_times(READ_RETRIES)
                .with_jitter()
                .build(),
            later: 0,
            renewed: false,
        };
        let _place = self
            .places
            .acquire()
            .await
            .map_err(|_| ConnectorError::Transient("the client was shut down".to_owned()))?;
        loop {
            self.ready().await?;
            let credential = self.credentials.header(&self.line).await?;
            if tracing::enabled!(target: "provost::http", tracing::Level::DEBUG) {
                let command = shell::command(call, credential.as_ref(), &self.line);
                tracing::debug!(target: "provost::http", "{command}");
            }
            let asked = Instant::now();
            let attempt = self.line.attempt(call, credential.as_ref()).await;
            self.meter.ended(class(&attempt), asked.elapsed());
            let next = match attempt {
                Ok((answer, headers)) => self.judge(call, answer, &headers, &mut tries).await?,
                Err(fault) => unfinished(call, &fault, &mut tries).await,
            };
            match next {
                Next::Done(result) => return *result,
                Next::Again => {}
            }
        }
    }

    /// Waits for the pace.
    async fn ready(&self) -> Result<(), ConnectorError> {
        let began = Instant::now();
        let ready = self.pace.ready().await;
        let waited = began.elapsed();
        if waited >= WAIT {
            self.meter.waited(waited);
        }
        ready
    }

    async fn judge(
        &self,
        call: &Call,
        answer: Answer,
        headers: &HeaderMap,
        tries: &mut Tries,
    ) -> Result<Next, ConnectorError> {
        let status = answer.status;
        let asked = text(headers, "retry-after");
        if is_later(status, headers) {
            let date = text(headers, "date");
            let asked = asked.and_then(|value| retry_after(&value, date.as_deref()));
            let (pause, short) = self.pace.throttled(asked);
            tries.later += 1;
            if short && tries.later <= LATER_RETRIES {
                return Ok(Next::Again);
            }
            return Ok(done(Err(ConnectorError::Throttled {
                retry_after: Some(pause),
            })));
        }
        self.pace.flowing();
        if status == StatusCode::UNAUTHORIZED {
            if !tries.renewed && self.renew(&answer).await? {
                tries.renewed = true;
                return Ok(Next::Again);
            }
            return Ok(done(Err(ConnectorError::Unauthorised(
                self.describe(call, &answer),
            ))));
        }
        if (status.is_redirection() && !call.lenient) || status.is_informational() {
            let what = format!(
                "{}: redirects are not followed; check the base URL",
                self.describe(call, &answer)
            );
            // "See other" is what comes after something was done (RFC 9110 §15.4.4).
            let acted = status == StatusCode::SEE_OTHER && answer.intent == Intent::Write;
            return Ok(done(Err(if acted {
                ConnectorError::Ambiguous(what)
            } else {
                ConnectorError::Protocol(what)
            })));
        }
        let excused =
            (call.optional || call.lenient) && status == StatusCode::INTERNAL_SERVER_ERROR;
        if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED && !excused {
            let what = self.describe(call, &answer);
            return Ok(match answer.intent {
                Intent::Write => done(Err(ConnectorError::Ambiguous(what))),
                Intent::Read => retry_read(tries, what).await,
            });
        }
        Ok(done(Ok(answer)))
    }

    fn describe(&self, call: &Call, answer: &Answer) -> String {
        let base = self.origin.base().path().trim_end_matches('/');
        let path = call.url.path();
        format!(
            "{} {} answered {}",
            call.method,
            path.strip_prefix(base).unwrap_or(path),
            answer.describe()
        )
    }
}

async fn unfinished(call: &Call, fault: &Fault, tries: &mut Tries) -> Next {
    let what = format!("{} {}: {fault}", call.method, call.url.path());
    match (fault, call.intent()) {
        (Fault::Connect(_), _) | (Fault::Timeout, Intent::Read) => {
            done(Err(ConnectorError::Transient(what)))
        }
        (Fault::TooLarge(_), Intent::Read) => done(Err(ConnectorError::Protocol(what))),
        (Fault::Broken(_), Intent::Read) => retry_read(tries, what).await,
        (Fault::Timeout | Fault::Broken(_) | Fault::TooLarge(_), Intent::Write) => {
            done(Err(ConnectorError::Ambiguous(what)))
        }
    }
}

async fn retry_read(tries: &mut Tries, what: String) -> Next {
    match tries.backoff.next() {
        Some(delay) => {
            tokio::time::sleep(delay).await;
            Next::Again
        }
        None => done(Err(ConnectorError::Transient(what))),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(ToOwned::to_owned)
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
