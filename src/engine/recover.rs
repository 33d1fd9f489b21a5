//! Operations whose outcome nobody knows: found in the journal after a crash, or left by a timeout. Resolved by reading.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::EngineError;
use super::perform::pending;
use super::step::{first, in_doubt};
use crate::model::{Account, Action, Anchor, Effect, How, Life, Shadow, Value};
use crate::reconcile::mapping::Mapping;
use crate::reconcile::remember;
use crate::store::{Conclusion, Intent, OpId, ShadowMove, State};
use crate::target::{AccountReader, ConnectorError};

/// What reading found out about one unfinished operation.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Recovered {
    pub op: OpId,
    pub anchor: Anchor,
    /// The shadow as it now is; `None` if there is no account and never was.
    pub shadow: Option<Shadow>,
    /// Whether the outcome is known now; if not, the operation stays open and its person is held.
    pub known: bool,
    /// A sentence for people.
    pub remark: String,
    /// The names of an account whose creation was begun, and which cannot be found.
    pub sought: Option<BTreeMap<String, Value>>,
}

/// Reads every account with an unfinished operation. Changes nothing: the caller records the result, unless this is a dry run.
pub(super) async fn recover(
    target: &str,
    state: &State,
    reader: &dyn AccountReader,
    mapping: &Mapping,
    now: Timestamp,
) -> Result<Vec<Recovered>, EngineError> {
    let mut latest: BTreeMap<Anchor, Vec<(OpId, Intent)>> = BTreeMap::new();
    for (op, intent) in state.open_intents(target)? {
        latest
            .entry(intent.anchor.clone())
            .or_default()
            .push((op, intent));
    }
    let resolving: Vec<_> = latest
        .into_iter()
        .map(|(anchor, intents)| resolve_all(anchor, intents, reader, mapping, now))
        .collect();
    let resolved: Vec<Vec<Recovered>> = stream::iter(resolving)
        .buffered(reader.capabilities().parallelism.max(1))
        .try_collect()
        .await
        .map_err(|error| EngineError::Target {
            target: target.to_owned(),
            error,
        })?;
    Ok(resolved.into_iter().flatten().collect())
}

/// Resolves the unfinished operations on one account. They were begun one after the other: what the last one finds is
/// the truth for all.
async fn resolve_all(
    anchor: Anchor,
    mut intents: Vec<(OpId, Intent)>,
    reader: &dyn AccountReader,
    mapping: &Mapping,
    now: Timestamp,
) -> Result<Vec<Recovered>, ConnectorError> {
    intents.sort_by_key(|(op, _)| *op);
    let Some((last, intent)) = intents.pop() else {
        return Ok(Vec::new());
    };
    let (shadow, known) = match resolve(&intent, reader, mapping, now).await {
        Ok(shadow) => (shadow, true),
        Err(error) if is_about_one(&error) => (Some(doubtful(&intent)), false),
        Err(error) => return Err(error),
    };
    let remark = remark(&anchor, &intent, shadow.as_ref());
    let mut recovered: Vec<Recovered> = intents
        .into_iter()
        .map(|(op, _)| Recovered {
            op,
            anchor: anchor.clone(),
            shadow: shadow.clone(),
            known,
            remark: String::new(),
            sought: None,
        })
        .collect();
    let unseen = known && shadow.is_none() && intent.action == Action::Create;
    recovered.push(Recovered {
        sought: unseen.then_some(intent.keys),
        op: last,
        anchor,
        shadow,
        known,
        remark,
    });
    Ok(recovered)
}

/// What became of an unfinished operation, for people.
fn remark(anchor: &Anchor, intent: &Intent, shadow: Option<&Shadow>) -> String {
    let Some(shadow) = shadow else {
        return format!("{anchor}: \"{}\" had not taken effect", intent.summary);
    };
    match &shadow.life {
        Life::Live => format!(
            "{}: \"{}\" was unfinished; the account was read",
            shadow.label, intent.summary
        ),
        Life::Unconfirmed { doing } => {
            format!("{}: \"{doing}\" is still unconfirmed", shadow.label)
        }
        Life::Tombstone { .. } => format!("{}: the account is gone", shadow.label),
    }
}

/// Whether an error is about one account, so that the others can go on, or about the whole target.
fn is_about_one(error: &ConnectorError) -> bool {
    match error {
        ConnectorError::Conflict(_)
        | ConnectorError::NotFound(_)
        | ConnectorError::Rejected(_)
        | ConnectorError::Exhausted(_)
        | ConnectorError::Ambiguous(_)
        | ConnectorError::Handed(_)
        | ConnectorError::Idle(_)
        | ConnectorError::Protocol(_) => true,
        ConnectorError::Transient(_)
        | ConnectorError::Throttled { .. }
        | ConnectorError::Unauthorised(_) => false,
    }
}

/// The shadow of somebody whose account may or may not be as intended.
fn doubtful(intent: &Intent) -> Shadow {
    let known = intent.before.as_deref().unwrap_or(&intent.after);
    let mut shadow = known.clone();
    shadow.life = Life::Unconfirmed {
        doing: intent.summary.clone(),
    };
    shadow
}

/// Records what was found.
pub(super) fn record(
    target: &str,
    state: &State,
    recovered: &[Recovered],
) -> Result<(), EngineError> {
    let conclusions: Vec<Conclusion> = recovered
        .iter()
        .map(|found| Conclusion {
            op: found.known.then_some(found.op),
            anchor: found.anchor.clone(),
            shadow: found.shadow.clone().map_or(ShadowMove::Remove, |shadow| {
                ShadowMove::Put(Box::new(shadow))
            }),
            result: if found.known {
                "resolved by reading".to_owned()
            } else {
                "could not be read".to_owned()
            },
        })
        .collect();
    if conclusions.is_empty() {
        return Ok(());
    }
    Ok(state.conclude(target, conclusions)?)
}

/// The account behind an intent, read now, decides which shadow is true: the one before, or the one intended.
async fn resolve(
    intent: &Intent,
    reader: &dyn AccountReader,
    mapping: &Mapping,
    now: Timestamp,
) -> Result<Option<Shadow>, ConnectorError> {
    let account = match &intent.account {
        Some(id) => reader.get(id).await?,
        None => match search(intent, reader).await? {
            Search::One(account) => Some(*account),
            Search::None => return Ok(intent.before.as_deref().cloned()),
            Search::Several => {
                let mut shadow = Shadow::clone(&intent.after);
                shadow.life = Life::Unconfirmed {
                    doing: intent.summary.clone(),
                };
                return Ok(Some(shadow));
            }
        },
    };
    let mut shadow = match (&account, &intent.before) {
        (Some(account), Some(before)) if !took_effect(intent, account) => {
            in_doubt(intent).unwrap_or_else(|| Shadow::clone(before))
        }
        (Some(_) | None, _) => Shadow::clone(&intent.after),
    };
    if matches!(intent.action, Action::Create | Action::Update) {
        // Nobody knows whether it was set: the same one is set again.
        shadow.password = pending(intent.before.as_deref(), shadow.password);
    }
    match &account {
        Some(account) => {
            shadow.account = Some(account.id.clone());
            shadow.life = Life::Live;
            shadow.active = account.active.or(shadow.active);
            remember(
                &mut shadow,
                account,
                mapping.rules().iter().map(|rule| rule.name.as_str()),
            );
            entitlements(intent, account, &mut shadow);
        }
        None if intent.action == Action::Delete => return Ok(None),
        None => shadow.life = Life::Tombstone { since: now },
    }
    shadow.remember(Effect {
        at: now,
        what: intent.summary.clone(),
        result: "unfinished; resolved by reading the account".to_owned(),
    });
    Ok(Some(shadow))
}

/// Whether the operation took effect, as the account tells. What it does not tell is repeated.
fn took_effect(intent: &Intent, account: &Account) -> bool {
    if let Some((step, closes)) = first(intent) {
        let closed = match step {
            How::Deactivate => account.active == Some(false),
            How::BlockLogin => account.login_allowed == Some(false),
            How::FuzzPassword
            | How::RemoveEntitlements
            | How::RevokeSessions
            | How::Reassign(_) => return false,
        };
        return closed == closes;
    }
    match &intent.action {
        // Nothing was called: our records are all there is.
        Action::Suspend(_) | Action::Reactivate(_) => true,
        // The attributes are taken from the account itself, whichever shadow is chosen.
        Action::Update | Action::Create | Action::Link => true,
        // Granting again and revoking again are harmless; forgetting a grant would not be.
        Action::Entitle | Action::Delete => false,
    }
}

/// After an unfinished grant or revoke: what the target lists, else everything that may be ours.
fn entitlements(intent: &Intent, account: &Account, shadow: &mut Shadow) {
    if intent.action != Action::Entitle {
        return;
    }
    let ours = |shadow: &Shadow| shadow.entitlements.clone();
    let mut possible = ours(&intent.after);
    possible.extend(intent.before.as_deref().map(ours).unwrap_or_default());
    shadow.entitlements = match &account.entitlements {
        Some(held) => possible.intersection(held).cloned().collect(),
        None => intent.before.as_deref().map(ours).unwrap_or_default(),
    };
}

enum Search {
    None,
    One(Box<Account>),
    Several,
}

/// Looks for the account of an unfinished create by each of its keys.
async fn search(intent: &Intent, reader: &dyn AccountReader) -> Result<Search, ConnectorError> {
    for (attribute, value) in &intent.keys {
        let mut found = match reader.find(attribute, value).await {
            Ok(found) => found,
            // The target cannot search by this key; the next one may do.
            Err(ConnectorError::Rejected(_)) => continue,
            Err(error) => return Err(error),
        };
        // A hit by one key only counts if no other key contradicts it: a stranger may hold the same mail address.
        found.retain(|account| {
            intent.keys.iter().all(|(name, wanted)| {
                account.attributes.get(name).is_none_or(|held| {
                    held.to_string().to_lowercase() == wanted.to_string().to_lowercase()
                })
            })
        });
        match found.len() {
            0 => {}
            1 => {
                if let Some(account) = found.pop() {
                    return Ok(Search::One(Box::new(account)));
                }
            }
            _ => return Ok(Search::Several),
        }
    }
    Ok(Search::None)
}
