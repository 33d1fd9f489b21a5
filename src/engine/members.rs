//! Entitlements go by group: one request names many accounts. A person's change is done when all their groups are.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt as _, stream};

use super::apply::{Applying, Step, bench};
use super::perform::{Performed, failed};
use super::result::ChangeStatus;
use crate::model::{AccountId, Anchor, Effect, Life, MembershipChange, Shadow};
use crate::store::ShadowMove;
use crate::target::{AccountWriter, ConnectorError};

/// Carries out entitlement changes, group by group.
pub(super) async fn entitle<'a>(
    steps: Vec<Step<'a>>,
    by: &Applying<'_>,
) -> Vec<(Step<'a>, Performed)> {
    let mut groups: BTreeMap<String, MembershipChange> = BTreeMap::new();
    let mut accounts: HashMap<Anchor, AccountId> = HashMap::new();
    for step in &steps {
        // The account of a newcomer was made earlier in this run: its id is in the shadow, not in the plan.
        let Some(id) = step
            .intent
            .account
            .clone()
            .or_else(|| step.intent.after.account.clone())
        else {
            continue;
        };
        accounts.insert(step.change.anchor.clone(), id.clone());
        for name in &step.change.grant {
            group(&mut groups, name).add.insert(id.clone());
        }
        for name in &step.change.revoke {
            group(&mut groups, name).remove.insert(id.clone());
        }
    }
    let parallelism = by.writer.capabilities().parallelism.max(1);
    let sending: Vec<_> = groups
        .into_values()
        .map(|change| send(by.writer, change))
        .collect();
    let answers: BTreeMap<String, Result<(), ConnectorError>> = stream::iter(sending)
        .buffer_unordered(parallelism)
        .collect()
        .await;
    steps
        .into_iter()
        .map(|step| {
            let performed = match accounts.get(&step.change.anchor) {
                Some(id) => outcome(&step, id, &answers, by),
                None => {
                    let error = ConnectorError::NotFound("the account has no id".to_owned());
                    failed(&step.intent, &error, &bench(by))
                }
            };
            (step, performed)
        })
        .collect()
}

async fn send(
    writer: &dyn AccountWriter,
    change: MembershipChange,
) -> (String, Result<(), ConnectorError>) {
    let answer = writer.set_members(&change).await;
    (change.entitlement, answer)
}

fn group<'a>(
    groups: &'a mut BTreeMap<String, MembershipChange>,
    name: &str,
) -> &'a mut MembershipChange {
    groups
        .entry(name.to_owned())
        .or_insert_with(|| MembershipChange {
            entitlement: name.to_owned(),
            ..MembershipChange::default()
        })
}

/// What one person's groups say together: what was confirmed is recorded, what failed is tried again.
fn outcome(
    step: &Step<'_>,
    id: &AccountId,
    answers: &BTreeMap<String, Result<(), ConnectorError>>,
    by: &Applying<'_>,
) -> Performed {
    let before = step.intent.before.as_ref().unwrap_or(&step.intent.after);
    let mut shadow: Shadow = before.clone();
    shadow.account.get_or_insert_with(|| id.clone());
    let mut errors = Vec::new();
    let mut stop = None;
    let mut unknown = false;
    let mut check = |name: &String| match answers.get(name) {
        Some(Ok(())) => true,
        Some(Err(error)) => {
            errors.push(format!("{name}: {error}"));
            unknown |= matches!(error, ConnectorError::Ambiguous(_));
            if matches!(
                error,
                ConnectorError::Unauthorised(_) | ConnectorError::Throttled { .. }
            ) {
                stop = Some(error.clone());
            }
            false
        }
        None => false,
    };
    for name in &step.change.grant {
        if check(name) {
            shadow.entitlements.insert(name.clone());
        }
    }
    for name in &step.change.revoke {
        if check(name) {
            shadow.entitlements.remove(name);
        }
    }
    let (status, result) = if errors.is_empty() {
        (ChangeStatus::Done, "done".to_owned())
    } else if unknown {
        // A grant that may have taken effect may be ours to revoke: the account is read before anything is decided.
        shadow.life = Life::Unconfirmed {
            doing: step.intent.summary.clone(),
        };
        let text = errors.join("; ");
        (ChangeStatus::Unconfirmed(text.clone()), text)
    } else {
        let text = errors.join("; ");
        (ChangeStatus::Failed(text.clone()), text)
    };
    shadow.remember(Effect {
        at: by.now,
        what: step.intent.summary.clone(),
        result,
    });
    Performed {
        status,
        shadow: ShadowMove::Put(shadow),
        stop,
    }
}
