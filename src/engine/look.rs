//! Looks at the target: newcomers and renames one by one, or every account. Reads only, and corrects shadows by what was read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use super::gather::Inputs;
use crate::model::{Account, AccountId, Life, Shadow, Value};
use crate::reconcile::mapping::Projected;
use crate::reconcile::{Live, Person, Presence, Register, fold, observe};
use crate::target::{AccountReader, ConnectorError};

/// Up to this many newcomers and renamed people are looked up one by one; more, and the whole target is listed.
const LOOKUPS: usize = 50;
/// Among more people than this nobody looks for renames: whose name is taken is then told by the application.
const RENAMES: usize = 1000;
/// More linked accounts than this missing from a list mean that the list is wrong, not that the accounts are gone.
const MISSING: usize = 200;

/// Reads the target as far as this run needs it.
pub(super) async fn look(
    inputs: &Inputs<'_>,
    reader: &dyn AccountReader,
    people: &[Person],
    register: &Register,
    listing: bool,
) -> Result<Live, ConnectorError> {
    if listing {
        return list(reader, register, people).await;
    }
    let mut questions: BTreeSet<(String, Value)> = BTreeSet::new();
    let mut lookups = 0;
    for person in people {
        let renames = people.len() <= RENAMES && !inputs.known_only;
        let about = questions_about(person, renames, inputs);
        lookups += usize::from(!about.is_empty());
        questions.extend(about);
    }
    if lookups > LOOKUPS {
        return list(reader, register, people).await;
    }
    let asking: Vec<_> = questions
        .into_iter()
        .map(|(name, value)| ask(reader, name, value))
        .collect();
    let answers: Vec<Vec<Account>> = stream::iter(asking)
        .buffer_unordered(reader.capabilities().parallelism.max(1))
        .try_collect()
        .await?;
    let found: BTreeMap<AccountId, Account> = answers
        .into_iter()
        .flatten()
        .map(|account| (account.id.clone(), account))
        .collect();
    Ok(Live {
        accounts: found.into_values().collect(),
        complete: false,
        gone: BTreeSet::new(),
        taken: BTreeSet::new(),
    })
}

async fn ask(
    reader: &dyn AccountReader,
    attribute: String,
    value: Value,
) -> Result<Vec<Account>, ConnectorError> {
    match reader.find(&attribute, &value).await {
        // Nothing can be asked by this attribute: the other rules and the create itself must tell.
        Err(ConnectorError::Rejected(_)) => Ok(Vec::new()),
        answer => answer,
    }
}

async fn confirm_gone(
    reader: &dyn AccountReader,
    id: AccountId,
) -> Result<(AccountId, Option<Account>), ConnectorError> {
    let account = reader.get(&id).await?;
    Ok((id, account))
}

/// What to ask the target about somebody new: each match rule, and every unique value they might get.
/// About somebody who has an account, and is to be renamed: who holds the names they might get?
fn questions_about(person: &Person, renames: bool, inputs: &Inputs<'_>) -> Vec<(String, Value)> {
    let account = person.shadow.as_ref().filter(|s| s.account.is_some());
    let mapping = &inputs.spec.mapping;
    let identity = match &person.presence {
        Presence::Present(identity) if account.is_none() || renames => identity,
        Presence::Present(_)
        | Presence::Unreadable(_)
        | Presence::Missing { .. }
        | Presence::Unproven
        | Presence::Gone => return Vec::new(),
    };
    if !mapping.scope(identity).inside {
        return Vec::new();
    }
    let projection = mapping.project(identity);
    let mut questions: Vec<(String, Value)> = Vec::new();
    if account.is_none() {
        let rules = mapping.match_rules().iter().zip(projection.matches);
        questions.extend(rules.filter_map(|(rule, value)| Some((rule.account.clone(), value?))));
    }
    for rule in mapping.rules().iter().filter(|rule| rule.unique) {
        let Some(Projected::Value(value, others)) = projection.attributes.get(&rule.name) else {
            continue;
        };
        let own = account.and_then(|shadow| shadow.attributes.get(&rule.name));
        let own = own.map(|own| fold(&own.to_string()));
        let candidates = || std::iter::once(value).chain(others);
        if candidates().any(|candidate| Some(fold(&candidate.to_string())) == own) {
            continue;
        }
        questions.extend(candidates().map(|candidate| (rule.name.clone(), candidate.clone())));
    }
    questions
}

/// Whether somebody can be decided about without asking the target. A new name may wait for that; an end of access may not.
pub(super) fn is_known(person: &Person, inputs: &Inputs<'_>) -> bool {
    questions_about(person, false, inputs).is_empty()
}

/// Lists every account, and asks by id for those we know and the list does not have: a list alone proves no absence.
/// Accounts that we know to be gone are not missed.
async fn list(
    reader: &dyn AccountReader,
    register: &Register,
    people: &[Person],
) -> Result<Live, ConnectorError> {
    let mut accounts = reader.list().await?;
    let listed: BTreeSet<&AccountId> = accounts.iter().map(|account| &account.id).collect();
    let buried: BTreeSet<&AccountId> = people
        .iter()
        .filter_map(|person| person.shadow.as_ref())
        .filter(|shadow| matches!(shadow.life, Life::Tombstone { .. }))
        .filter_map(|shadow| shadow.account.as_ref())
        .collect();
    let missing: Vec<AccountId> = register
        .owners
        .keys()
        .filter(|id| !listed.contains(id) && !buried.contains(id))
        .cloned()
        .collect();
    // Where a list has active accounts only, those that we know to be inactive are not missed.
    let resting: BTreeSet<&AccountId> = people
        .iter()
        .filter_map(|person| person.shadow.as_ref())
        .filter(|shadow| !reader.capabilities().list_inactive && shadow.active == Some(false))
        .filter_map(|shadow| shadow.account.as_ref())
        .collect();
    let missed = missing.iter().filter(|id| !resting.contains(id)).count();
    if missed > MISSING {
        return Err(ConnectorError::Protocol(format!(
            "the list of accounts lacks {missed} that we manage; is this the right application?"
        )));
    }
    let asking: Vec<_> = missing
        .into_iter()
        .map(|id| confirm_gone(reader, id))
        .collect();
    let asked: Vec<(AccountId, Option<Account>)> = stream::iter(asking)
        .buffer_unordered(reader.capabilities().parallelism.max(1))
        .try_collect()
        .await?;
    let mut gone = BTreeSet::new();
    for (id, account) in asked {
        match account {
            Some(account) => accounts.push(account),
            None => {
                gone.insert(id);
            }
        }
    }
    Ok(Live {
        accounts,
        complete: true,
        gone,
        taken: BTreeSet::new(),
    })
}

/// Corrects shadows by what was read, and returns those that changed.
pub(super) fn correct(people: &mut [Person], live: &Live, now: Timestamp) -> Vec<Shadow> {
    let accounts: HashMap<&AccountId, &Account> = live
        .accounts
        .iter()
        .map(|account| (&account.id, account))
        .collect();
    let mut observed = Vec::new();
    for person in people {
        let Some(shadow) = &mut person.shadow else {
            continue;
        };
        let Some(id) = &shadow.account else { continue };
        let corrected = match accounts.get(id) {
            Some(account) => observe(shadow, Some(account), now),
            None if live.gone.contains(id) => observe(shadow, None, now),
            None => None,
        };
        if let Some(corrected) = corrected {
            *shadow = corrected.clone();
            observed.push(corrected);
        }
    }
    observed
}
