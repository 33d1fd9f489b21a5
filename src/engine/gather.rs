//! Brings together everything a plan is made from. Reads only: it is handed an [`AccountReader`] and nothing that writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::EngineError;
use super::recover::Recovered;
use super::snapshot::{Snapshot, Standing};
use crate::config::TargetSpec;
use crate::model::{Account, AccountId, Anchor, Basis, Fingerprint, Shadow, Value};
use crate::reconcile::mapping::Projected;
use crate::reconcile::{Live, Person, Presence, Reference, Register, Situation, names_of, observe};
use crate::store::{SettledIndex, State};
use crate::target::{AccountReader, ConnectorError};

/// Up to this many newcomers are looked up one by one; more, and the whole target is listed.
const LOOKUPS: usize = 50;
/// More linked accounts than this missing from a list mean that the list is wrong, not that the accounts are gone.
const MISSING: usize = 200;

/// How the target is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    /// Shadows are believed; newcomers are looked up. The usual run.
    Sync,
    /// Every account is listed and compared: finds drift and orphans.
    Reconcile,
}

/// What each person's settlement rests on.
type Digests = HashMap<Anchor, [u8; 16]>;

/// What was gathered.
pub(super) struct Gathered<'a> {
    pub situation: Situation<'a>,
    /// What each person's settlement rests on.
    pub digests: Digests,
    /// Shadows that the live accounts correct.
    pub observed: Vec<Shadow>,
}

/// Everything that gathering needs besides the target's reader.
pub(super) struct Inputs<'a> {
    pub spec: &'a TargetSpec,
    pub config: &'a str,
    pub state: &'a State,
    pub snapshot: &'a Snapshot,
    pub recovered: &'a [Recovered],
    pub view: View,
    pub now: Timestamp,
}

pub(super) async fn gather<'a>(
    inputs: &Inputs<'a>,
    reader: &'a dyn AccountReader,
) -> Result<Gathered<'a>, EngineError> {
    let meta = inputs.state.target_meta(&inputs.spec.name)?;
    let first = meta.last_list_at.is_none();
    let listing = inputs.view == View::Reconcile || first;
    let (due, digests) = undecided(inputs, listing)?;
    let untouched = inputs.snapshot.everybody().count() - due.len();
    let mut shadows = Shadows::default();
    if !due.is_empty() || listing {
        shadows = Shadows::read(inputs)?;
    }
    let mut people = Vec::with_capacity(due.len());
    let confirm = confirm(inputs.spec);
    for anchor in due {
        people.push(Person {
            presence: inputs.snapshot.presence(&anchor, confirm, inputs.state)?,
            shadow: shadows.by_anchor.remove(&anchor),
            anchor,
            imposed: BTreeSet::new(),
        });
    }
    if listing {
        // People whose accounts we manage and whom this source never returned.
        people.extend(std::mem::take(&mut shadows.by_anchor).into_iter().map(
            |(anchor, shadow)| Person {
                presence: Presence::Unproven,
                shadow: Some(shadow),
                anchor,
                imposed: BTreeSet::new(),
            },
        ));
    }
    let failed = |error| EngineError::Target {
        target: inputs.spec.name.clone(),
        error,
    };
    let live = look(inputs, reader, &people, &shadows.register, listing)
        .await
        .map_err(failed)?;
    let observed = correct(&mut people, &live, inputs.now);
    let references = references(inputs, &people)?;
    let mut register = shadows.register;
    if people.is_empty() {
        register.managed = meta
            .counters
            .get("managed")
            .and_then(|n| usize::try_from(*n).ok())
            .unwrap_or(0);
    }
    let situation = Situation {
        now: inputs.now,
        rules: &inputs.spec.rules,
        mapping: &inputs.spec.mapping,
        capabilities: reader.capabilities(),
        basis: basis(inputs, live.complete),
        people,
        live,
        register,
        references,
        untouched,
    };
    Ok(Gathered {
        situation,
        digests,
        observed,
    })
}

fn basis(inputs: &Inputs<'_>, live: bool) -> Basis {
    Basis {
        now: inputs.now,
        read_at: inputs.snapshot.read_at,
        people: inputs.snapshot.people,
        shortfalls: inputs.snapshot.shortfalls.clone(),
        config: inputs.config.to_owned(),
        live,
    }
}

pub(super) fn confirm(spec: &TargetSpec) -> u8 {
    u8::try_from(spec.confirm_absence_reads)
        .unwrap_or(u8::MAX)
        .max(1)
}

/// Who must be decided about: everybody whose settlement does not rest on what is true now.
fn undecided(inputs: &Inputs<'_>, listing: bool) -> Result<(Vec<Anchor>, Digests), EngineError> {
    let settled = if listing {
        SettledIndex::new()
    } else {
        inputs.state.settled(&inputs.spec.name)?
    };
    let confirm = confirm(inputs.spec);
    let context = Sha256::new_with_prefix(inputs.config.as_bytes());
    let now = inputs.now.as_second();
    let mut due = Vec::new();
    let mut digests = HashMap::new();
    for (anchor, standing, fingerprint) in inputs.snapshot.everybody() {
        let digest = rests_on(context.clone(), standing, confirm, fingerprint);
        let known = settled.get(anchor).is_some_and(|settled| {
            settled.digest == digest && settled.due.is_none_or(|due| due > now)
        });
        if !known {
            due.push(anchor.clone());
            digests.insert(anchor.clone(), digest);
        }
    }
    // Unfinished business is looked at whatever else is true.
    for found in inputs.recovered {
        if !digests.contains_key(&found.anchor) {
            due.push(found.anchor.clone());
            digests.insert(found.anchor.clone(), [0; 16]);
        }
    }
    Ok((due, digests))
}

fn rests_on(
    mut context: Sha256,
    standing: Standing,
    confirm: u8,
    fingerprint: Fingerprint,
) -> [u8; 16] {
    let tag = match standing {
        Standing::Present => 0,
        Standing::Unreadable => 1,
        Standing::Missing(reads) if reads >= confirm => 2,
        Standing::Missing(_) => 3,
        Standing::Unproven => 4,
    };
    context.update([tag]);
    context.update(fingerprint.0);
    let mut digest = [0; 16];
    digest.copy_from_slice(context.finalize().get(..16).unwrap_or(&[0; 16]));
    digest
}

/// All shadows of a target, with what the live ones say together.
#[derive(Default)]
struct Shadows {
    by_anchor: BTreeMap<Anchor, Shadow>,
    register: Register,
}

impl Shadows {
    fn read(inputs: &Inputs<'_>) -> Result<Self, EngineError> {
        let mut all = Self::default();
        let rules = inputs.spec.mapping.rules();
        inputs.state.shadows(&inputs.spec.name, &mut |shadow| {
            all.by_anchor.insert(shadow.anchor.clone(), shadow);
        })?;
        for found in inputs.recovered {
            match &found.shadow {
                Some(shadow) => all.by_anchor.insert(found.anchor.clone(), shadow.clone()),
                None => all.by_anchor.remove(&found.anchor),
            };
        }
        for shadow in all.by_anchor.values() {
            let Some(account) = &shadow.account else {
                continue;
            };
            all.register.managed += 1;
            all.register
                .owners
                .insert(account.clone(), shadow.anchor.clone());
            let unique = rules
                .iter()
                .filter(|rule| rule.unique)
                .map(|rule| rule.name.as_str());
            for name in names_of(unique, &shadow.attributes) {
                all.register.names.insert(name, shadow.anchor.clone());
            }
        }
        Ok(all)
    }
}

/// Reads the target as far as this run needs it.
async fn look(
    inputs: &Inputs<'_>,
    reader: &dyn AccountReader,
    people: &[Person],
    register: &Register,
    listing: bool,
) -> Result<Live, ConnectorError> {
    let newcomers: Vec<&Person> = people
        .iter()
        .filter(|person| {
            person
                .shadow
                .as_ref()
                .is_none_or(|shadow| shadow.account.is_none())
        })
        .filter(|person| match &person.presence {
            Presence::Present(identity) => inputs.spec.mapping.scope(identity).inside,
            Presence::Unreadable(_)
            | Presence::MissingOnce
            | Presence::Unproven
            | Presence::Gone => false,
        })
        .collect();
    if listing || newcomers.len() > LOOKUPS {
        return list(reader, register).await;
    }
    let mut questions: BTreeSet<(String, Value)> = BTreeSet::new();
    for person in newcomers {
        questions.extend(questions_about(person, inputs));
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
fn questions_about(person: &Person, inputs: &Inputs<'_>) -> Vec<(String, Value)> {
    let Presence::Present(identity) = &person.presence else {
        return Vec::new();
    };
    let mapping = &inputs.spec.mapping;
    let projection = mapping.project(identity);
    let mut questions: Vec<(String, Value)> = mapping
        .match_rules()
        .iter()
        .zip(projection.matches)
        .filter_map(|(rule, value)| Some((rule.account.clone(), value?)))
        .collect();
    for rule in mapping.rules().iter().filter(|rule| rule.unique) {
        if let Some(Projected::Value(value, alternatives)) = projection.attributes.get(&rule.name) {
            for candidate in std::iter::once(value).chain(alternatives) {
                questions.push((rule.name.clone(), candidate.clone()));
            }
        }
    }
    questions
}

/// Lists every account, and asks by id for those we know and the list does not have: a list alone proves no absence.
async fn list(reader: &dyn AccountReader, register: &Register) -> Result<Live, ConnectorError> {
    let mut accounts = reader.list().await?;
    let listed: BTreeSet<&AccountId> = accounts.iter().map(|account| &account.id).collect();
    let missing: Vec<AccountId> = register
        .owners
        .keys()
        .filter(|id| !listed.contains(id))
        .cloned()
        .collect();
    if missing.len() > MISSING {
        return Err(ConnectorError::Protocol(format!(
            "the list of accounts lacks {} that we manage; is this the right application?",
            missing.len()
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
    })
}

/// Corrects shadows by what was read, and returns those that changed.
fn correct(people: &mut [Person], live: &Live, now: Timestamp) -> Vec<Shadow> {
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

/// Resolves the DNs that attributes refer to.
fn references(
    inputs: &Inputs<'_>,
    people: &[Person],
) -> Result<BTreeMap<String, Reference>, EngineError> {
    let mut references = BTreeMap::new();
    if !inputs.spec.mapping.has_references() {
        return Ok(references);
    }
    let shadows: HashMap<&Anchor, Option<&Shadow>> = people
        .iter()
        .map(|p| (&p.anchor, p.shadow.as_ref()))
        .collect();
    for person in people {
        let Presence::Present(identity) = &person.presence else {
            continue;
        };
        for name in inputs.spec.mapping.references(identity) {
            if references.contains_key(&name) {
                continue;
            }
            let Some(anchor) = inputs.snapshot.by_dn(&name) else {
                continue;
            };
            let account = match shadows.get(anchor) {
                Some(shadow) => shadow.and_then(|shadow| shadow.account.clone()),
                None => inputs
                    .state
                    .shadow(&inputs.spec.name, anchor)?
                    .and_then(|shadow| shadow.account),
            };
            let reference = account.map_or(Reference::NoAccountYet, Reference::Account);
            references.insert(name, reference);
        }
    }
    Ok(references)
}
