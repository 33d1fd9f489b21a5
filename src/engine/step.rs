//! One step of a procedure against the target, and what is believed when nobody knows whether it took effect.

use secrecy::{ExposeSecret as _, SecretString};

use super::perform::{Bench, still_theirs, update};
use crate::model::{
    Account, AccountId, AccountPatch, Action, Cause, Change, How, MembershipChange, PasswordStep,
    Shadow,
};
use crate::store::Intent;
use crate::target::{AfterLogin, ConnectorError};
use crate::veil::Veil;

/// What a step of a suspension is carried out with.
pub(super) struct Doing<'a> {
    pub change: &'a Change,
    pub intent: &'a Intent,
    pub password: Option<&'a Result<SecretString, String>>,
    pub bench: &'a Bench<'a>,
}

type Answer = Result<Option<Account>, ConnectorError>;

impl Doing<'_> {
    /// Takes access away. Before anything is taken, the account is read: its id may belong to somebody else by now.
    pub(super) async fn close(&self, step: &How) -> Answer {
        still_theirs(self.intent, self.bench).await?;
        match step {
            How::Deactivate => self.switch(Some(false), None).await,
            How::BlockLogin => self.switch(None, Some(false)).await,
            How::FuzzPassword => self.set_password(AfterLogin::Keep).await,
            How::RemoveEntitlements => {
                for name in &self.change.revoke {
                    self.member(name, false).await?;
                }
                Ok(None)
            }
            How::RevokeSessions => {
                let (writer, id) = (self.bench.writer, self.id()?);
                twice(writer.revoke_sessions(id), writer.revoke_sessions(id)).await?;
                Ok(None)
            }
            How::Reassign(kind) => {
                let Some(heir) = &self.change.heir else {
                    let why = format!("nobody is named who gets the {kind}");
                    return Err(ConnectorError::Rejected(why));
                };
                let (writer, id) = (self.bench.writer, self.id()?);
                let call = || writer.reassign(id, kind, heir);
                twice(call(), call()).await?;
                Ok(None)
            }
        }
    }

    /// Gives back what a step took.
    pub(super) async fn open(&self, step: &How) -> Answer {
        match step {
            How::Deactivate => self.switch(Some(true), None).await,
            How::BlockLogin => self.switch(None, Some(true)).await,
            How::FuzzPassword => match self.change.password {
                Some(PasswordStep::Temporary) => self.set_password(AfterLogin::Change).await,
                Some(PasswordStep::Restore | PasswordStep::Initial | PasswordStep::Fuzz) => {
                    self.set_password(AfterLogin::Keep).await
                }
                None => Ok(None),
            },
            How::RemoveEntitlements => {
                for name in &self.change.grant {
                    self.member(name, true).await?;
                }
                Ok(None)
            }
            How::RevokeSessions | How::Reassign(_) => Ok(None),
        }
    }

    /// Sets the sealed password on the account of the intent.
    pub(super) async fn set_password(&self, then: AfterLogin) -> Answer {
        self.set_password_of(self.id()?, then).await.map(|()| None)
    }

    /// Sets the sealed password; after a lost answer the same one once more, which is harmless.
    pub(super) async fn set_password_of(
        &self,
        id: &AccountId,
        then: AfterLogin,
    ) -> Result<(), ConnectorError> {
        let secret = match self.password {
            Some(Ok(secret)) => secret,
            Some(Err(why)) => return Err(ConnectorError::Rejected(why.clone())),
            None => return Err(ConnectorError::Rejected("no password was made".to_owned())),
        };
        let writer = self.bench.writer;
        let then = if writer.capabilities().force_change {
            then
        } else {
            AfterLogin::Keep
        };
        let call = || writer.set_password(id, secret, then);
        let answer = twice(call(), call()).await;
        answer.map_err(|error| scrubbed(error, secret))
    }

    async fn switch(&self, active: Option<bool>, login_allowed: Option<bool>) -> Answer {
        let closes = active == Some(false) || login_allowed == Some(false);
        // The strongest reason comes first in the set.
        let reason = self.change.suspended_after.first().filter(|_| closes);
        let patch = AccountPatch {
            active,
            login_allowed,
            cause: reason.map(|reason| Cause {
                reason: *reason,
                day: self.bench.mapping.day(self.bench.now),
            }),
            ..AccountPatch::default()
        };
        update(self.intent, &patch, self.bench).await
    }

    async fn member(&self, name: &str, add: bool) -> Result<(), ConnectorError> {
        let id = self.id()?.clone();
        let mut change = MembershipChange {
            entitlement: name.to_owned(),
            ..MembershipChange::default()
        };
        if add {
            change.add.insert(id);
        } else {
            change.remove.insert(id);
        }
        let writer = self.bench.writer;
        twice(writer.set_members(&change), writer.set_members(&change)).await
    }

    fn id(&self) -> Result<&AccountId, ConnectorError> {
        self.intent
            .account
            .as_ref()
            .ok_or_else(|| ConnectorError::NotFound("the account has no id".to_owned()))
    }
}

/// Makes a call whose repetition is harmless once more if its answer got lost.
async fn twice(
    call: impl Future<Output = Result<(), ConnectorError>> + Send,
    again: impl Future<Output = Result<(), ConnectorError>> + Send,
) -> Result<(), ConnectorError> {
    match call.await {
        Err(ConnectorError::Ambiguous(_)) => again.await,
        answer => answer,
    }
}

/// An error whose text does not repeat the password: applications quote what they refuse.
fn scrubbed(error: ConnectorError, secret: &SecretString) -> ConnectorError {
    let veil = Veil::over([secret.expose_secret().as_bytes()]);
    error.map_text(|text| {
        if veil.is_torn_by(&text) {
            "the application's answer repeats the password and is not shown".to_owned()
        } else {
            text
        }
    })
}

/// The step that an intent is about: the first of its list, and whether it takes access away.
pub(super) fn first(intent: &Intent) -> Option<(&How, bool)> {
    match &intent.action {
        Action::Suspend(steps) => Some((steps.first()?, true)),
        Action::Reactivate(steps) => Some((steps.first()?, false)),
        Action::Delete | Action::Link | Action::Update | Action::Create | Action::Entitle => None,
    }
}

/// What is believed after a step that may or may not have taken effect, where the account itself does not tell: it counts
/// as done where it must be undone, and as not done where it is needed. Both are then repeated, with the same password.
/// `None` if the account tells, or repeating is all there is to it.
pub(super) fn in_doubt(intent: &Intent) -> Option<Shadow> {
    let (step, closes) = first(intent)?;
    let before = intent.before.as_deref()?;
    let mut shadow = before.clone();
    match step {
        How::FuzzPassword => {
            shadow.password.kept = before.password.kept.or(intent.after.password.kept);
        }
        How::RemoveEntitlements if closes => {
            shadow.removed.clone_from(&intent.after.removed);
            shadow.entitlements.clone_from(&intent.after.entitlements);
        }
        How::RemoveEntitlements
        | How::Deactivate
        | How::BlockLogin
        | How::RevokeSessions
        | How::Reassign(_) => return None,
    }
    if closes {
        shadow.suspended.clone_from(&intent.after.suspended);
        shadow.suspended_since = intent.after.suspended_since;
        shadow.pending.clone_from(&intent.after.pending);
    }
    for list in [&mut shadow.suspended_by, &mut shadow.pending] {
        if !list.contains(step) {
            list.push(step.clone());
        }
    }
    Some(shadow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_repeats_the_password_is_not_shown() {
        let password = SecretString::from("a\"b c+d");
        for told in ["a\"b c+d", "{\"password\":\"a\\\"b c+d\"}", "p=a%22b+c%2Bd"] {
            let error = ConnectorError::Rejected(format!("too weak: {told}"));
            let shown = scrubbed(error, &password).to_string();
            assert!(
                shown.contains("is not shown") && !shown.contains("too weak"),
                "{shown}"
            );
        }
        let other = ConnectorError::Conflict("taken".to_owned());
        assert_eq!(scrubbed(other.clone(), &password), other);
    }
}
