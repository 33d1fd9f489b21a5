//! Entitlements go by group: one request names many accounts. A person's change is done when all their groups are.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};

use super::apply::{Applying, Done, Progress};
use super::book;
use super::intent::{intent, summary};
use super::perform::{Bench, Performed, failed};
use super::result::ChangeStatus;
use crate::model::{AccountId, Change, Effect, Life, MembershipChange, Shadow};
use crate::store::{OpId, ShadowMove, StoreError};
use crate::target::ConnectorError;

/// So many people's entitlements are begun before the first group is sent: with fewer, every large group would be sent
/// many times over, a few members each. Repeating a membership after a crash does no harm.
const TOGETHER: usize = 32_768;
/// So many intents, or outcomes, are made durable by one write to the disk.
const WRITTEN: usize = 4096;

/// One person whose entitlements are on their way. Of the account only the id is kept: these are many.
struct Member {
    change: Arc<Change>,
    op: OpId,
    account: Option<AccountId>,
}

type Answers = BTreeMap<String, Result<(), ConnectorError>>;

/// Carries out entitlement changes, group by group.
pub(super) async fn entitle(
    changes: &[Arc<Change>],
    progress: &mut Progress,
    by: &Applying<'_>,
) -> Result<(), StoreError> {
    for together in changes.chunks(TOGETHER) {
        let mut members = Vec::with_capacity(together.len());
        for window in together.chunks(WRITTEN) {
            let steps = by.book.turn(Vec::new(), progress.ready(window, by)).await?;
            members.extend(steps.into_iter().map(|step| Member {
                // The account of a newcomer was made earlier in this run: its id is in the shadow, not in the plan.
                account: step.intent.account.or(step.intent.after.account),
                change: step.change,
                op: step.op,
            }));
        }
        let answers = send_all(&members, by).await;
        let mut recording = None;
        for window in members.chunks(WRITTEN) {
            let done = tokio::task::block_in_place(|| ended(window, &answers, by))?;
            let outcomes = progress.judge(done, by);
            // The next ones are judged while these are written.
            if let Some(before) = recording.replace(by.book.turn(outcomes, Vec::new())) {
                before.await?;
            }
        }
        if let Some(last) = recording {
            last.await?;
        }
    }
    Ok(())
}

/// How it ended for these people.
fn ended(
    members: &[Member],
    answers: &Answers,
    by: &Applying<'_>,
) -> Result<Vec<Done>, StoreError> {
    let anchors = members.iter().map(|member| &member.change.anchor);
    let befores = by.book.shadows(anchors)?;
    let bench = by.book.bench();
    let one = |(member, before): (&Member, Option<Shadow>)| Done {
        change: Arc::clone(&member.change),
        op: member.op,
        performed: member.outcome(before, answers, &bench),
    };
    let all = members.par_iter().zip(befores);
    Ok(all.with_min_len(book::TOGETHER).map(one).collect())
}

/// Sends every group once, several at a time.
async fn send_all(members: &[Member], by: &Applying<'_>) -> Answers {
    let mut groups: BTreeMap<String, MembershipChange> = BTreeMap::new();
    for member in members {
        let Some(id) = &member.account else {
            continue;
        };
        for name in &member.change.grant {
            group(&mut groups, name).add.insert(id.clone());
        }
        for name in &member.change.revoke {
            group(&mut groups, name).remove.insert(id.clone());
        }
    }
    let writer = &*by.book.writer;
    let sending: Vec<_> = groups
        .into_values()
        .map(|change| send(by, change))
        .collect();
    stream::iter(sending)
        .buffer_unordered(writer.capabilities().parallelism.max(1))
        .collect()
        .await
}

async fn send(by: &Applying<'_>, change: MembershipChange) -> (String, Result<(), ConnectorError>) {
    if let Some(why) = by.halt() {
        let why = format!("not begun: {why}");
        return (change.entitlement, Err(ConnectorError::Transient(why)));
    }
    let answer = by.book.writer.set_members(&change).await;
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

impl Member {
    /// What one person's groups say together: what was confirmed is recorded, what failed is tried again.
    fn outcome(&self, before: Option<Shadow>, answers: &Answers, bench: &Bench<'_>) -> Performed {
        let Some(id) = &self.account else {
            let error = ConnectorError::NotFound("the account has no id".to_owned());
            return failed(&intent(&self.change, before, bench), &error, bench);
        };
        let mut shadow = before.unwrap_or_else(|| intent(&self.change, None, bench).after);
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
        for name in &self.change.grant {
            if check(name) {
                shadow.entitlements.insert(name.clone());
            }
        }
        for name in &self.change.revoke {
            if check(name) {
                shadow.entitlements.remove(name);
            }
        }
        let (status, result) = if errors.is_empty() {
            (ChangeStatus::Done, "done".to_owned())
        } else if unknown {
            // A grant that may have taken effect may be ours to revoke: the account is read before anything is decided.
            shadow.life = Life::Unconfirmed {
                doing: summary(&self.change),
            };
            let text = errors.join("; ");
            (ChangeStatus::Unconfirmed(text.clone()), text)
        } else {
            let text = errors.join("; ");
            (ChangeStatus::Failed(text.clone()), text)
        };
        shadow.remember(Effect {
            at: bench.now,
            what: summary(&self.change),
            result,
        });
        Performed {
            status,
            shadow: ShadowMove::Put(shadow),
            stop,
            conflict: None,
        }
    }
}
