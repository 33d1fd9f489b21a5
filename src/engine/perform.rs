//! One change against the target: the call, what it means, and the shadow that follows from it.

use jiff::Timestamp;

use secrecy::SecretString;

use super::password;
use super::result::ChangeStatus;
use super::step::{Doing, first, in_doubt};
use crate::model::{
    Account, AccountDraft, AccountPatch, Action, Change, CredentialMode, Effect, How, Life,
    Password, PasswordState, PasswordStep, Shadow,
};
use crate::reconcile::fold;
use crate::reconcile::mapping::Mapping;
use crate::store::{Intent, ShadowMove};
use crate::target::{AccountWriter, AfterLogin, ConnectorError};

/// What a change needs to be carried out.
pub(super) struct Bench<'a> {
    pub writer: &'a dyn AccountWriter,
    pub mapping: &'a Mapping,
    pub credentials: CredentialMode,
    pub now: Timestamp,
}

/// How one change ended, and what becomes of the shadow.
pub(super) struct Performed {
    pub status: ChangeStatus,
    pub shadow: ShadowMove,
    /// The error that should stop the whole target, if it is one of those.
    pub stop: Option<ConnectorError>,
    /// What the application said, if it refused because a unique value is somebody's already.
    pub conflict: Option<String>,
}

/// Carries out one change other than an entitlement, which goes by group (see `members`).
pub(super) async fn perform(
    change: &Change,
    intent: Intent,
    password: Option<&Result<SecretString, String>>,
    bench: &Bench<'_>,
) -> Performed {
    let doing = Doing {
        change,
        intent: &intent,
        password,
        bench,
    };
    let answer = match &change.action {
        Action::Create => match password {
            // An account without the password it needs is worse than none.
            Some(Err(why)) => Err(ConnectorError::Rejected(why.clone())),
            Some(Ok(_)) | None => bench.writer.create(&draft(change)).await.map(Some),
        },
        Action::Link => adopt(&intent, bench).await,
        Action::Update => {
            let attributes = change
                .attributes
                .iter()
                .map(|a| (a.name.clone(), a.after.clone()));
            let patch = AccountPatch {
                attributes: attributes.collect(),
                ..AccountPatch::default()
            };
            if patch == AccountPatch::default() {
                adopt(&intent, bench).await
            } else {
                update(&intent, &patch, bench).await
            }
        }
        Action::Suspend(steps) => match steps.first() {
            Some(step) => doing.close(step).await,
            None => Ok(None),
        },
        Action::Reactivate(steps) => match steps.first() {
            Some(step) => doing.open(step).await,
            None => Ok(None),
        },
        Action::Delete => match still_theirs(&intent, bench).await {
            Ok(()) => return conclude_delete(change, &intent, bench).await,
            Err(error) => Err(error),
        },
        // Not reachable: `apply` sends these to `members`. Doing nothing is right as well.
        Action::Entitle => Ok(None),
    };
    let (answer, idle) = idle(answer, &intent);
    let missing = match &answer {
        Ok(account) => first_password(&doing, account.as_ref()).await,
        Err(_) => None,
    };
    let mut performed = conclude(change, intent, answer, missing, bench);
    if let (Some(why), ChangeStatus::Done) = (idle, &performed.status) {
        performed.status = ChangeStatus::DoneWith(why);
    }
    performed
}

/// A password that nobody is asked for takes no access away: such a step counts as done, with a remark, where another
/// step took the access away before it, and where access is given back. Else it failed, and what comes later must close.
fn idle(
    answer: Result<Option<Account>, ConnectorError>,
    intent: &Intent,
) -> (Result<Option<Account>, ConnectorError>, Option<String>) {
    let Err(ConnectorError::Idle(why)) = answer else {
        return (answer, None);
    };
    let by = |how: &How| how.stops_access() && *how != How::FuzzPassword;
    let before = intent.before.as_ref();
    let closed = before.is_some_and(|shadow| shadow.suspended_by.iter().any(by));
    if matches!(intent.action, Action::Suspend(_)) && !closed {
        return (Err(ConnectorError::Rejected(why)), None);
    }
    (Ok(None), Some(why))
}

/// What an answer of the target means for a change and its shadow.
pub(super) fn judge(
    change: &Change,
    intent: Intent,
    answer: Result<Option<Account>, ConnectorError>,
    bench: &Bench<'_>,
) -> Performed {
    conclude(change, intent, answer, None, bench)
}

fn conclude(
    change: &Change,
    intent: Intent,
    answer: Result<Option<Account>, ConnectorError>,
    missing: Option<ConnectorError>,
    bench: &Bench<'_>,
) -> Performed {
    match answer {
        Ok(account) => confirmed(change, intent, account, missing, bench),
        Err(error) => failed(&intent, &error, bench),
    }
}

/// Sets the first password of an account that was just made, or of one that waits for it. Says what went wrong.
async fn first_password(doing: &Doing<'_>, account: Option<&Account>) -> Option<ConnectorError> {
    let waits = matches!(doing.change.action, Action::Create | Action::Update);
    if !waits || doing.change.password.is_none() {
        return None;
    }
    let then = match doing.bench.credentials {
        // What we keep and set again must stay what it is.
        CredentialMode::Managed => AfterLogin::Keep,
        CredentialMode::Reset | CredentialMode::Sso | CredentialMode::None => AfterLogin::Change,
    };
    let set = match account {
        Some(account) => doing.set_password_of(&account.id, then).await,
        None => doing.set_password(then).await.map(|_none| ()),
    };
    // Whoever is not asked for a password here needs no first one.
    set.err()
        .filter(|error| !matches!(error, ConnectorError::Idle(_)))
}

/// The account that a change asks for.
pub(super) fn draft(change: &Change) -> AccountDraft {
    let wanted = change.attributes.iter();
    AccountDraft {
        attributes: wanted
            .filter_map(|attribute| Some((attribute.name.clone(), attribute.after.clone()?)))
            .collect(),
    }
}

async fn adopt(intent: &Intent, bench: &Bench<'_>) -> Result<Option<Account>, ConnectorError> {
    let Some(id) = &intent.account else {
        return Ok(None);
    };
    match bench.writer.get(id).await? {
        Some(account) => Ok(Some(account)),
        None => Err(ConnectorError::NotFound(format!("account {id}"))),
    }
}

/// Sends a patch; where the answer got lost, the account itself says what became of it.
pub(super) async fn update(
    intent: &Intent,
    patch: &AccountPatch,
    bench: &Bench<'_>,
) -> Result<Option<Account>, ConnectorError> {
    let Some(id) = &intent.account else {
        return Err(ConnectorError::NotFound("the account has no id".to_owned()));
    };
    match bench.writer.update(id, patch).await {
        Err(ConnectorError::Ambiguous(why)) => match bench.writer.get(id).await {
            Ok(Some(account)) if holds(&account, patch) => Ok(Some(account)),
            Ok(Some(_)) => Err(ConnectorError::Transient(why)),
            Ok(None) => Err(ConnectorError::NotFound(format!("account {id}"))),
            Err(_) => Err(ConnectorError::Ambiguous(why)),
        },
        answer => answer.map(Some),
    }
}

fn holds(account: &Account, patch: &AccountPatch) -> bool {
    patch
        .active
        .is_none_or(|active| account.active == Some(active))
        && patch
            .login_allowed
            .is_none_or(|allowed| account.login_allowed == Some(allowed))
        && patch
            .attributes
            .iter()
            .all(|(name, value)| account.attributes.get(name) == value.as_ref())
}

/// Before something is taken away: does the id still belong to the same person? Some applications use ids again.
pub(super) async fn still_theirs(intent: &Intent, bench: &Bench<'_>) -> Result<(), ConnectorError> {
    let Some(id) = &intent.account else {
        return Ok(());
    };
    let Some(account) = bench.writer.get(id).await? else {
        return Err(ConnectorError::NotFound(format!("account {id}")));
    };
    let before = intent.before.as_ref().unwrap_or(&intent.after);
    let known: Vec<bool> = bench
        .mapping
        .identifying()
        .filter_map(|name| Some((before.attributes.get(name)?, account.attributes.get(name)?)))
        .map(|(ours, theirs)| fold(&ours.to_string()) == fold(&theirs.to_string()))
        .collect();
    if known.is_empty() || known.contains(&true) {
        return Ok(());
    }
    Err(ConnectorError::Rejected(format!(
        "account {id} no longer carries any name we know; it may belong to somebody else now, so nothing was taken away"
    )))
}

async fn conclude_delete(change: &Change, intent: &Intent, bench: &Bench<'_>) -> Performed {
    let Some(id) = &intent.account else {
        return failed(
            intent,
            &ConnectorError::NotFound("the account has no id".to_owned()),
            bench,
        );
    };
    let deleted = match &change.heir {
        Some(heir) => bench.writer.delete_for(id, heir).await,
        None => bench.writer.delete(id).await,
    };
    match deleted {
        // Nothing is left to manage. Should the person come back, they are somebody new to the application.
        Ok(()) => Performed {
            status: ChangeStatus::Done,
            shadow: ShadowMove::Remove,
            stop: None,
            conflict: None,
        },
        Err(error) => failed(intent, &error, bench),
    }
}

/// The target confirmed: what was sent is in the shadow as the target says it holds it.
fn confirmed(
    change: &Change,
    intent: Intent,
    account: Option<Account>,
    missing: Option<ConnectorError>,
    bench: &Bench<'_>,
) -> Performed {
    let Intent {
        before,
        after: mut shadow,
        summary,
        ..
    } = intent;
    let mut differs = Vec::new();
    if let Some(account) = account {
        let mut held = account.attributes;
        shadow.account = Some(account.id);
        shadow.active = account.active.or(shadow.active);
        shadow.life = Life::Live;
        // Of an account that was ours before, only what was changed is confirmed anew: what somebody else changed
        // meanwhile must still be seen as drift when the accounts are next compared.
        if matches!(change.action, Action::Create | Action::Update) {
            for attribute in &change.attributes {
                let name = &attribute.name;
                let kept = held.get(name);
                if kept == attribute.after.as_ref() {
                    shadow.unkept.remove(name);
                } else {
                    let sent = attribute.after.clone();
                    shadow.unkept.insert(name.clone(), sent);
                    differs.push(name.clone());
                }
                // As it was sent, it is in the shadow already.
                if shadow.attributes.get(name) != kept {
                    match kept {
                        Some(value) => shadow.attributes.insert(name.clone(), value.clone()),
                        None => shadow.attributes.remove(name),
                    };
                }
            }
        }
        if matches!(change.action, Action::Create | Action::Link) {
            let managed = bench.mapping.rules().iter();
            shadow.attributes = managed
                .filter_map(|rule| held.remove_entry(&rule.name))
                .collect();
        }
    }
    // A step that leaves the account as it is confirms that we know how it is.
    shadow.life = Life::Live;
    let (status, result) = if let Some(why) = missing {
        shadow.password = pending(before.as_deref(), shadow.password);
        if matches!(why, ConnectorError::Rejected(_)) {
            // What was refused is not sent again.
            shadow.password = password::refused(PasswordStep::Initial, shadow.password);
        }
        let what = format!("the first password could not be set: {why}; the next run tries again");
        (ChangeStatus::Partly(what.clone()), what)
    } else if differs.is_empty() {
        (ChangeStatus::Done, "done".to_owned())
    } else {
        let what = format!("the application did not keep {}", differs.join(", "));
        (ChangeStatus::DoneWith(what.clone()), what)
    };
    Performed {
        status,
        shadow: put(shadow, summary, result, bench),
        stop: None,
        conflict: None,
    }
}

/// The record of an account whose first password is still to be set.
pub(super) fn pending(before: Option<&Shadow>, after: Password) -> Password {
    let before = before.map(|shadow| shadow.password);
    let before = before.unwrap_or_default();
    if after.state == before.state {
        return after;
    }
    Password {
        state: PasswordState::Pending,
        ..before
    }
}

fn put(mut shadow: Box<Shadow>, what: String, result: String, bench: &Bench<'_>) -> ShadowMove {
    shadow.remember(Effect {
        at: bench.now,
        what,
        result,
    });
    ShadowMove::Put(shadow)
}

/// The target did not confirm: the shadow moves only where the error itself is knowledge.
pub(super) fn failed(intent: &Intent, error: &ConnectorError, bench: &Bench<'_>) -> Performed {
    let text = error.to_string();
    let stop = match error {
        ConnectorError::Unauthorised(_) | ConnectorError::Throttled { .. } => Some(error.clone()),
        ConnectorError::Transient(_)
        | ConnectorError::Conflict(_)
        | ConnectorError::NotFound(_)
        | ConnectorError::Rejected(_)
        | ConnectorError::Exhausted(_)
        | ConnectorError::Ambiguous(_)
        | ConnectorError::Handed(_)
        | ConnectorError::Idle(_)
        | ConnectorError::Protocol(_) => None,
    };
    let doing = intent.summary.clone();
    let (status, shadow) = match (error, &intent.before) {
        (ConnectorError::Handed(what), before) => {
            let mut shadow = before.clone().unwrap_or_else(|| intent.after.clone());
            shadow.life = Life::Unconfirmed {
                doing: doing.clone(),
            };
            (
                ChangeStatus::Handed(what.clone()),
                put(shadow, doing, text, bench),
            )
        }
        (ConnectorError::Ambiguous(_), before) => {
            let (shadow, open) = unknown(intent, before.as_deref(), doing.clone());
            let status = if open {
                ChangeStatus::Unconfirmed(text.clone())
            } else {
                ChangeStatus::Failed(text.clone())
            };
            (status, put(shadow, doing, text, bench))
        }
        (ConnectorError::NotFound(_), Some(before)) => {
            let mut shadow = before.clone();
            shadow.life = Life::Tombstone { since: bench.now };
            (
                ChangeStatus::Failed(text.clone()),
                put(shadow, doing, text, bench),
            )
        }
        (_, Some(before)) => {
            let shadow = Box::new(turned_down(intent, before, error));
            (
                refusal(error, text.clone()),
                put(shadow, doing, text, bench),
            )
        }
        (_, None) => (refusal(error, text), ShadowMove::Keep),
    };
    let conflict = if let ConnectorError::Conflict(said) = error {
        Some(said.clone())
    } else {
        None
    };
    Performed {
        status,
        shadow,
        stop,
        conflict,
    }
}

/// How a change that was not made is reported.
pub(super) fn refusal(error: &ConnectorError, text: String) -> ChangeStatus {
    if matches!(error, ConnectorError::Exhausted(_)) {
        ChangeStatus::Waiting(text)
    } else {
        ChangeStatus::Failed(text)
    }
}

/// After a lost answer: what is believed, and whether the account must be read before anything else is decided.
/// Where a repetition is harmless, repeating is better than asking.
fn unknown(intent: &Intent, before: Option<&Shadow>, doing: String) -> (Box<Shadow>, bool) {
    let mut shadow = in_doubt(intent)
        .or_else(|| before.cloned())
        .map_or_else(|| intent.after.clone(), Box::new);
    let harmless = match first(intent) {
        Some((How::RevokeSessions | How::Reassign(_) | How::RemoveEntitlements, _)) => true,
        Some((How::Deactivate | How::BlockLogin | How::FuzzPassword, _)) | None => false,
    };
    if !harmless {
        shadow.life = Life::Unconfirmed { doing };
    }
    (shadow, !harmless)
}

/// After a refusal: nothing happened, but for the entitlements that went before the one that was refused, and a refused
/// password is not sent again.
fn turned_down(intent: &Intent, before: &Shadow, error: &ConnectorError) -> Shadow {
    let refused = matches!(error, ConnectorError::Rejected(_));
    match first(intent) {
        Some((How::RemoveEntitlements, true)) => in_doubt(intent).unwrap_or_else(|| before.clone()),
        Some((How::FuzzPassword, closes)) if refused => {
            let step = match (closes, before.password.kept) {
                (true, _) => PasswordStep::Fuzz,
                (false, Some(_)) => PasswordStep::Restore,
                (false, None) => PasswordStep::Temporary,
            };
            let mut shadow = before.clone();
            shadow.password = password::refused(step, before.password);
            shadow
        }
        Some(_) | None => before.clone(),
    }
}
