//! Operations whose outcome nobody knows: found in the journal after a crash, or left by a timeout. Resolved by reading.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::EngineError;
use crate::model::{Account, Action, Anchor, Effect, How, Life, Shadow};
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
    /// A sentence for people.
    pub remark: String,
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
    let mut recovered = Vec::new();
    for (anchor, mut intents) in latest {
        // Operations on one account are begun one after the other: what the last one finds is the truth for all.
        intents.sort_by_key(|(op, _)| *op);
        let Some((last, intent)) = intents.pop() else {
            continue;
        };
        let shadow = resolve(&intent, reader, mapping, now)
            .await
            .map_err(|error| EngineError::Target {
                target: target.to_owned(),
                error,
            })?;
        let remark = match &shadow {
            Some(shadow) => match &shadow.life {
                Life::Live => format!(
                    "{}: \"{}\" was unfinished; the account was read",
                    shadow.label, intent.summary
                ),
                Life::Unconfirmed { doing } => {
                    format!("{}: \"{doing}\" is still unconfirmed", shadow.label)
                }
                Life::Tombstone { .. } => format!("{}: the account is gone", shadow.label),
            },
            None => format!("{anchor}: \"{}\" had not taken effect", intent.summary),
        };
        for (op, _) in intents {
            recovered.push(Recovered {
                op,
                anchor: anchor.clone(),
                shadow: shadow.clone(),
                remark: String::new(),
            });
        }
        recovered.push(Recovered {
            op: last,
            anchor,
            shadow,
            remark,
        });
    }
    Ok(recovered)
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
            op: Some(found.op),
            anchor: found.anchor.clone(),
            shadow: found
                .shadow
                .clone()
                .map_or(ShadowMove::Remove, ShadowMove::Put),
            result: "resolved by reading".to_owned(),
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
            Search::None => return Ok(intent.before.clone()),
            Search::Several => {
                let mut shadow = intent.after.clone();
                shadow.life = Life::Unconfirmed {
                    doing: intent.summary.clone(),
                };
                return Ok(Some(shadow));
            }
        },
    };
    let mut shadow = match (&account, &intent.before) {
        (Some(account), Some(before)) if !took_effect(intent, account) => before.clone(),
        (Some(_) | None, _) => intent.after.clone(),
    };
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

/// Whether a suspension or re-activation is visible on the account.
fn took_effect(intent: &Intent, account: &Account) -> bool {
    let closed = |how: &How| match how {
        How::Deactivate => account.active == Some(false),
        How::BlockLogin => account.login_allowed == Some(false),
    };
    match &intent.action {
        Action::Suspend(how) => how.iter().all(closed),
        Action::Reactivate(how) => !how.iter().any(closed),
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
    possible.extend(intent.before.as_ref().map(ours).unwrap_or_default());
    shadow.entitlements = match &account.entitlements {
        Some(held) => possible.intersection(held).cloned().collect(),
        None => intent.before.as_ref().map(ours).unwrap_or_default(),
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
