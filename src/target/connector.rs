//! The two traits that every connector implements, and the one error type, whose variants say what the caller does.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::model::{
    Account, AccountDraft, AccountId, AccountPatch, Capabilities, MembershipChange, Value,
};

/// What went wrong with a call; the variant says what happens next.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The call did not reach the application, or it said "try again": nothing was changed. Tried again later.
    #[error("temporary failure: {0}")]
    Transient(String),
    /// Too many requests. Nothing was changed; tried again after the pause.
    #[error(
        "no more requests for now: the application asks to slow down, or its request budget is spent"
    )]
    Throttled {
        /// How long the application asked to wait.
        retry_after: Option<Duration>,
    },
    /// The credentials were refused. The whole target stops until a probe succeeds.
    #[error("the application refused our credentials: {0}")]
    Unauthorised(String),
    /// A unique value is taken. Looked up, never retried blindly.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The account or entitlement does not exist.
    #[error("not found: {0}")]
    NotFound(String),
    /// The application understood and said no. The identity is held; repeating will not help.
    #[error("rejected: {0}")]
    Rejected(String),
    /// No licence or seat is left. Nothing was changed; tried again when one may have come free.
    #[error("waits for a licence: {0}")]
    Exhausted(String),
    /// The call may or may not have taken effect. Resolved by reading, never by repeating.
    #[error("outcome unknown: {0}")]
    Ambiguous(String),
    /// Nobody but a person can do it, and a person was asked to. It counts when it is confirmed, and not before.
    #[error("awaiting confirmation: {0}")]
    Handed(String),
    /// Nothing was sent, because it would change nothing: another system checks this account's password. The caller
    /// decides whether that is enough.
    #[error("without effect: {0}")]
    Idle(String),
    /// The answer made no sense (wrong type, not JSON, an HTML page, another account). Counts towards stopping the target.
    #[error("unexpected answer: {0}")]
    Protocol(String),
}

impl ConnectorError {
    /// The same error with its text changed: for taking out what must not be shown.
    #[must_use]
    pub fn map_text(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Transient(text) => Self::Transient(change(text)),
            Self::Throttled { retry_after } => Self::Throttled { retry_after },
            Self::Unauthorised(text) => Self::Unauthorised(change(text)),
            Self::Conflict(text) => Self::Conflict(change(text)),
            Self::NotFound(text) => Self::NotFound(change(text)),
            Self::Rejected(text) => Self::Rejected(change(text)),
            Self::Exhausted(text) => Self::Exhausted(change(text)),
            Self::Ambiguous(text) => Self::Ambiguous(change(text)),
            Self::Handed(text) => Self::Handed(change(text)),
            Self::Idle(text) => Self::Idle(change(text)),
            Self::Protocol(text) => Self::Protocol(change(text)),
        }
    }

    /// What an error means once the application has said that it did what was asked: doing it again could do it twice,
    /// so it is only ever resolved by reading.
    #[must_use]
    pub fn after(self, done: &str) -> Self {
        if matches!(self, Self::Ambiguous(_)) {
            return self;
        }
        Self::Ambiguous(format!("{done}, but {self}"))
    }
}

/// One thing that an online check found out about a target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// What was found.
    pub found: String,
    /// Whether operation is possible with it.
    pub ok: bool,
}

/// Something that time alone brings, for people who must know ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coming<'a> {
    /// The access of an account ends.
    Ends(&'a AccountId),
    /// The access of an account begins, or begins again.
    Begins(&'a AccountId),
    /// Somebody starts who needs this account.
    Joins(&'a AccountDraft),
}

/// Reading accounts. All that planning ever gets.
#[async_trait]
pub trait AccountReader: Send + Sync {
    /// What the target can do.
    fn capabilities(&self) -> &Capabilities;

    /// Every account, inactive ones included, with the entitlements held where the target lists them.
    /// `attributes` are the mapping's account attributes: others may be left out.
    ///
    /// # Errors
    /// Any; a list that could not be read to its proven end is an error, never a shorter list.
    async fn list(&self) -> Result<Vec<Account>, ConnectorError>;

    /// One account by id; `None` only if the application says that it does not exist.
    ///
    /// # Errors
    /// Any but [`ConnectorError::NotFound`].
    async fn get(&self, id: &AccountId) -> Result<Option<Account>, ConnectorError>;

    /// The accounts whose attribute equals a value, inactive ones included. The connector checks every hit against
    /// the question (some servers ignore filters) and drops those that do not match.
    ///
    /// # Errors
    /// Any but [`ConnectorError::NotFound`]. [`ConnectorError::Rejected`] if the target cannot search by this attribute.
    async fn find(&self, attribute: &str, value: &Value) -> Result<Vec<Account>, ConnectorError>;

    /// Read-only checks of connection, credentials and capabilities for `check --online`.
    ///
    /// # Errors
    /// When nothing could be found out.
    async fn probe(&self) -> Result<Vec<Finding>, ConnectorError>;

    /// Gives back what was taken for the run, such as one of a limited number of sessions. Nothing can be asked afterwards
    /// that would not take it again.
    async fn close(&self) {}
}

/// Changing accounts. Only applying an approved plan gets one.
#[async_trait]
pub trait AccountWriter: AccountReader {
    /// Creates an account, active, and returns it as the application confirmed it.
    ///
    /// # Errors
    /// [`ConnectorError::Conflict`] if a unique value is taken; [`ConnectorError::Ambiguous`] if it may exist now.
    async fn create(&self, draft: &AccountDraft) -> Result<Account, ConnectorError>;

    /// How many accounts one request can create; 1 where each takes a request of its own.
    fn creates_together(&self) -> usize {
        1
    }

    /// Creates several accounts, each as [`Self::create`] does. One answer for each, in their order.
    async fn create_together(
        &self,
        drafts: Vec<AccountDraft>,
    ) -> Vec<Result<Account, ConnectorError>> {
        let mut answers = Vec::with_capacity(drafts.len());
        for draft in &drafts {
            answers.push(self.create(draft).await);
        }
        answers
    }

    /// Changes an account and returns it as read back. A change of `active` or `login_allowed` is confirmed by reading:
    /// if the application answered well and did nothing, that is [`ConnectorError::Rejected`].
    ///
    /// # Errors
    /// Any.
    async fn update(&self, id: &AccountId, patch: &AccountPatch)
    -> Result<Account, ConnectorError>;

    /// Adds accounts to and removes them from one entitlement, in as many requests as the target needs.
    ///
    /// # Errors
    /// Any. A failure leaves the batch unconfirmed as a whole; adding or removing again is harmless.
    async fn set_members(&self, change: &MembershipChange) -> Result<(), ConnectorError>;

    /// Deletes an account. Deleting one that is already gone succeeds.
    ///
    /// # Errors
    /// Any but [`ConnectorError::NotFound`].
    async fn delete(&self, id: &AccountId) -> Result<(), ConnectorError>;

    /// Deletes an account and gives what it has to another one, where [`Capabilities::inherits`] says so.
    ///
    /// # Errors
    /// As [`Self::delete`].
    async fn delete_for(&self, id: &AccountId, _heir: &AccountId) -> Result<(), ConnectorError> {
        self.delete(id).await
    }

    /// Sets an account's password, without the application telling anybody. Setting the same one again is harmless.
    ///
    /// # Errors
    /// Any; [`ConnectorError::Rejected`] also where the target cannot set passwords.
    async fn set_password(
        &self,
        _id: &AccountId,
        _password: &SecretString,
        _then: AfterLogin,
    ) -> Result<(), ConnectorError> {
        Err(unable("set passwords"))
    }

    /// Ends the sessions an account has open. Ending none succeeds.
    ///
    /// # Errors
    /// Any; [`ConnectorError::Rejected`] also where the target cannot do it.
    async fn revoke_sessions(&self, _id: &AccountId) -> Result<(), ConnectorError> {
        Err(unable("end sessions"))
    }

    /// Called once at the end of a run that was to change something, with the run's time. `whole` says that everybody
    /// was decided about and everything was allowed, so that what was not asked for in this run is no longer wanted.
    ///
    /// # Errors
    /// Any.
    async fn finish(&self, _now: Timestamp, _whole: bool) -> Result<(), ConnectorError> {
        Ok(())
    }

    /// How far ahead people must know whose access ends or begins; `None` where nobody needs to.
    fn foresees(&self) -> Option<jiff::SignedDuration> {
        None
    }

    /// Says what happens at a moment that is known already. Nothing is changed before.
    ///
    /// # Errors
    /// Any.
    async fn foresee(&self, _what: Coming<'_>, _at: Timestamp) -> Result<(), ConnectorError> {
        Ok(())
    }

    /// Gives all work of one kind (a name from [`Capabilities::reassign`]) from an account to another.
    /// Where there is none, that succeeds; repeating it is harmless.
    ///
    /// # Errors
    /// Any; [`ConnectorError::Rejected`] also where the target cannot do it.
    async fn reassign(
        &self,
        _from: &AccountId,
        _kind: &str,
        _to: &AccountId,
    ) -> Result<(), ConnectorError> {
        Err(unable("reassign work"))
    }
}

/// What the application asks of a person at the next login with a password that we set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterLogin {
    /// Nothing.
    Keep,
    /// To choose another password at once, where the target can demand that.
    Change,
}

fn unable(what: &str) -> ConnectorError {
    ConnectorError::Rejected(format!("this kind of target cannot {what}"))
}
