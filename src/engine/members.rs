//! Entitlements go by group: one request names many accounts. A person's change is done when all their groups are.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};

use super::abreast::Abreast;
use super::apply::{Applying, Progress};
use super::book::{self, Book, Member};
use super::calls::{Caller, Done};
use super::intent::{intent, summary};
use super::perform::{Bench, Performed, failed};
use super::result::ChangeStatus;
use crate::model::{AccountId, Change, Effect, Life, MembershipChange, Shadow};
use crate::store::{ShadowMove, StoreError};
use crate::target::ConnectorError;

/// So many people's entitlements are begun before the first group is sent: with fewer, every large group would be sent
/// many times over, a few members each. Repeating a membership after a crash does no harm.
const TOGETHER: usize = 32_768;
/// So many outcomes are made durable by one write to the disk.
const WRITTEN: usize = 4096;

/// What the application said to each group, and to single accounts where licences did not suffice for all of a group.
#[derive(Default)]
struct Answers {
    groups: BTreeMap<String, Result<(), ConnectorError>>,
    accounts: BTreeMap<(String, AccountId), Result<(), ConnectorError>>,
}

impl Answers {
    fn of(&self, group: &str, account: &AccountId) -> Option<&Result<(), ConnectorError>> {
        let single = self.accounts.get(&(group.to_owned(), account.clone()));
        single.or_else(|| self.groups.get(group))
    }

    fn enter(&mut self, sent: Sent) {
        for (account, answer) in sent.accounts {
            self.accounts.insert((sent.group.clone(), account), answer);
        }
        self.groups.insert(sent.group, sent.answer);
    }
}

/// What became of one group.
struct Sent {
    group: String,
    answer: Result<(), ConnectorError>,
    accounts: Vec<(AccountId, Result<(), ConnectorError>)>,
}

/// Carries out entitlement changes, group by group.
pub(super) async fn entitle(
    changes: &[Arc<Change>],
    progress: &mut Progress,
    by: &Applying<'_>,
) -> Result<(), StoreError> {
    let book = &by.caller.book;
    for together in changes.chunks(TOGETHER) {
        let accounts = progress.ready(together, by).into_iter().map(|change| {
            // The account of a newcomer was made earlier in this run: its id is not in the plan.
            let account = change.account.as_ref();
            let account = account.or_else(|| progress.made(&change.anchor)).cloned();
            (change, account)
        });
        let members = accounts.collect();
        let members: Arc<[Member]> = book.entitling(members).await?.into();
        let answers = send_all(&members, &by.caller).await;
        let mut recording = None;
        for window in members.chunks(WRITTEN) {
            let done = tokio::task::block_in_place(|| ended(window, &answers, book))?;
            let outcomes = progress.judge(done, by);
            // The next ones are judged while these are written.
            if let Some(before) = recording.replace(book.turn(outcomes, Vec::new())) {
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
fn ended(members: &[Member], answers: &Answers, book: &Book) -> Result<Vec<Done>, StoreError> {
    let anchors = members.iter().map(|member| &member.change.anchor);
    let befores = book.shadows(anchors)?;
    let bench = book.bench();
    let one = |(member, before): (&Member, Option<Box<Shadow>>)| Done {
        change: Arc::clone(&member.change),
        op: member.op,
        performed: member.outcome(before, answers, &bench),
    };
    let all = members.par_iter().zip(befores);
    Ok(all.with_min_len(book::TOGETHER).map(one).collect())
}

/// Sends every group once, several at a time.
async fn send_all(members: &[Member], caller: &Arc<Caller>) -> Answers {
    let mut groups: BTreeMap<&str, MembershipChange> = BTreeMap::new();
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
    // What takes something away goes first: it may free a licence that another group needs.
    let (first, rest): (Vec<_>, Vec<_>) = groups
        .into_values()
        .partition(|change| !change.remove.is_empty());
    let mut answers = Answers::default();
    for wave in [first, rest] {
        let sending = wave
            .into_iter()
            .map(|change| send(Arc::clone(caller), change));
        for sent in Abreast::all(caller.parallelism(), sending).await {
            answers.enter(sent);
        }
    }
    answers
}

async fn send(caller: Arc<Caller>, change: MembershipChange) -> Sent {
    let mut accounts = Vec::new();
    let answer = match caller.halt() {
        Some(why) => Err(ConnectorError::Transient(format!("not begun: {why}"))),
        None => caller.book.writer.set_members(&change).await,
    };
    if matches!(answer, Err(ConnectorError::Exhausted(_))) {
        accounts = one_at_a_time(&caller, &change).await;
    }
    Sent {
        group: change.entitlement,
        answer,
        accounts,
    }
}

/// There are not licences for all of a group: who gets one, and who waits, is known only account by account. Taking away
/// goes first, and doing again what was done already is harmless.
async fn one_at_a_time(
    caller: &Caller,
    change: &MembershipChange,
) -> Vec<(AccountId, Result<(), ConnectorError>)> {
    let removed = change.remove.iter().map(|account| (account, false));
    let added = change.add.iter().map(|account| (account, true));
    let mut answers = Vec::new();
    for (account, give) in removed.chain(added) {
        if caller.halt().is_some() {
            break;
        }
        let mut single = MembershipChange {
            entitlement: change.entitlement.clone(),
            ..MembershipChange::default()
        };
        let side = if give {
            &mut single.add
        } else {
            &mut single.remove
        };
        side.insert(account.clone());
        let answer = caller.book.writer.set_members(&single).await;
        let ended = matches!(
            answer,
            Err(ConnectorError::Unauthorised(_) | ConnectorError::Throttled { .. })
        );
        answers.push((account.clone(), answer));
        if ended {
            break;
        }
    }
    answers
}

fn group<'a, 'n>(
    groups: &'a mut BTreeMap<&'n str, MembershipChange>,
    name: &'n str,
) -> &'a mut MembershipChange {
    groups.entry(name).or_insert_with(|| MembershipChange {
        entitlement: name.to_owned(),
        ..MembershipChange::default()
    })
}

impl Member {
    /// What one person's groups say together: what was confirmed is recorded, what failed is tried again.
    fn outcome(
        &self,
        before: Option<Box<Shadow>>,
        answers: &Answers,
        bench: &Bench<'_>,
    ) -> Performed {
        let Some(id) = &self.account else {
            let error = ConnectorError::NotFound("the account has no id".to_owned());
            return failed(&intent(&self.change, before, bench), &error, bench);
        };
        let mut shadow = before.unwrap_or_else(|| intent(&self.change, None, bench).after);
        shadow.account.get_or_insert_with(|| id.clone());
        let mut errors = Vec::new();
        let mut stop = None;
        let mut unknown = false;
        let mut refused = false;
        let mut check = |name: &String| match answers.of(name, id) {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                errors.push(format!("{name}: {error}"));
                unknown |= matches!(error, ConnectorError::Ambiguous(_));
                refused |= !matches!(error, ConnectorError::Exhausted(_));
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
            let status = match refused {
                true => ChangeStatus::Failed(text.clone()),
                false => ChangeStatus::Waiting(text.clone()),
            };
            (status, text)
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
