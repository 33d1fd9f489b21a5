//! One HTTP client for every HTTP connector: who we are, how fast, how long, how much, and what a failure means.
//!
//! It knows nothing of accounts. It retries only what is harmless: reads that failed on the server's side, and any request that
//! was answered "later" and therefore not performed. Whether a broken write took effect is never guessed: it is
//! [`ConnectorError::Ambiguous`].

mod auth;
mod body;
mod exchange;
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
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};
use secrecy::SecretString;
use tokio::sync::Semaphore;

pub use auth::{Credential, SignIn, Token, basic, bearer, granted, renew_at, sensitive};
pub use body::{MAX_DEPTH, excerpt, parse};
pub use exchange::{Answer, Call, Intent};
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
