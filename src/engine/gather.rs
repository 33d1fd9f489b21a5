//! Brings together everything a plan is made from. Reads only: it is handed an [`AccountReader`] and nothing that writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::EngineError;
use super::look::{correct, look};
use super::orders::{Orders, orders};
use super::recover::Recovered;
use super::snapshot::{Snapshot, Standing};
use crate::config::TargetSpec;
use crate::model::{
    Anchor, Basis, Fingerprint, Override, OverrideEffect, Shadow, SuspendReason, Suspensions,
};
use crate::reconcile::{Person, Presence, Reference, Register, Situation, name_of};
use crate::store::{RegisterRow, State};
use crate::target::AccountReader;

/// If more than one person in so many is decided about, reading all shadows in a row is cheaper than reading each.
const MANY: u64 = 4;

/// How the target is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum View {
    /// Shadows are believed; newcomers are looked up. The usual run.
    #[default]
    Sync,
    /// Every account is listed and compared: finds drift and orphans.
    Reconcile,
}

/// What each person's settlement rests on.
pub(super) type Digests = HashMap<Anchor, [u8; 16]>;

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
    let orders = orders(inputs.state, &inputs.spec.name, inputs.now)?;
    let (due, digests) = undecided(inputs, listing, &orders)?;
    let untouched = inputs
        .snapshot
        .everybody()
        .count()
        .saturating_sub(due.len());
    let mut shadows = Shadows::default();
    if !due.is_empty() || listing {
        shadows = Shadows::read(inputs, &due, listing)?;
    }
    let mut people = Vec::with_capacity(due.len());
    let confirm = confirm(inputs.spec);
    for anchor in due {
        let presence = inputs.snapshot.presence(&anchor, confirm, inputs.state)?;
        let shadow = shadows.by_anchor.remove(&anchor);
        people.push(person(anchor, presence, shadow, &orders, inputs.now));
    }
    if listing {
        // People whose accounts we manage and whom this source never returned.
        people.extend(std::mem::take(&mut shadows.by_anchor).into_iter().map(
            |(anchor, shadow)| {
                let shadow = Some(shadow);
                person(anchor, Presence::Unproven, shadow, &orders, inputs.now)
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
        heirs: BTreeMap::new(),
        untouched,
    };
    Ok(Gathered {
        situation,
        digests,
        observed,
    })
}

/// A person with what operators ordered for them.
fn person(
    anchor: Anchor,
    presence: Presence,
    shadow: Option<Shadow>,
    orders: &Orders,
    now: Timestamp,
) -> Person {
    let mut imposed = Suspensions::new();
    let orders = orders.get(&anchor).map_or(&[][..], Vec::as_slice);
    for order in orders.iter().filter(|order| order.is_active(now)) {
        match order.effect {
            OverrideEffect::Suspend => {
                imposed.insert(SuspendReason::Operator);
            }
            // There is no window yet that it could lift.
            OverrideEffect::Grant => {}
        }
    }
    Person {
        imposed_until: orders.iter().filter_map(|o| o.next_edge(now)).min(),
        anchor,
        presence,
        shadow,
        imposed,
    }
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
fn undecided(
    inputs: &Inputs<'_>,
    listing: bool,
    orders: &Orders,
) -> Result<(Vec<Anchor>, Digests), EngineError> {
    let confirm = confirm(inputs.spec);
    let context = Sha256::new_with_prefix(inputs.config.as_bytes());
    let now = inputs.now.as_second();
    let digest = |anchor: &str, standing, fingerprint| {
        let mut context = context.clone();
        feed(&mut context, orders.get(anchor));
        rests_on(context, standing, confirm, fingerprint)
    };
    let mut known = vec![false; inputs.snapshot.len()];
    if !listing {
        inputs
            .state
            .each_settled(&inputs.spec.name, &mut |anchor, settled| {
                if let Some((number, standing, fingerprint)) = inputs.snapshot.find(anchor)
                    && let Some(known) = known.get_mut(number)
                {
                    *known = settled.due.is_none_or(|due| due > now)
                        && settled.digest == digest(anchor, standing, fingerprint);
                }
            })?;
    }
    let mut due = Vec::new();
    let mut digests = HashMap::new();
    for (number, anchor, standing, fingerprint) in inputs.snapshot.numbered() {
        if known.get(number) != Some(&true) {
            due.push(anchor.clone());
            let digest = digest(anchor.as_str(), standing, fingerprint);
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

/// A changed order makes its person be decided about again, although nothing else changed.
fn feed(context: &mut Sha256, orders: Option<&Vec<Override>>) {
    for order in orders.into_iter().flatten() {
        // An id is never used twice, and an override never changes.
        context.update((order.id.len() as u64).to_le_bytes());
        context.update(order.id.as_bytes());
    }
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

/// The shadows of the people to decide about, and what all shadows of the target say together.
#[derive(Default)]
struct Shadows {
    by_anchor: BTreeMap<Anchor, Shadow>,
    register: Register,
}

impl Shadows {
    /// Reads the shadows of these people at least; all of them if they are many anyway, or if everybody is asked for.
    fn read(inputs: &Inputs<'_>, due: &[Anchor], everybody: bool) -> Result<Self, EngineError> {
        let (state, target) = (inputs.state, &inputs.spec.name);
        let mut all = Self::default();
        if everybody || due.len() as u64 > state.shadow_count(target)? / MANY {
            state.shadows(target, &mut |shadow| {
                all.by_anchor.insert(shadow.anchor.clone(), shadow);
            })?;
        } else {
            for anchor in due {
                if let Some(shadow) = state.shadow(target, anchor)? {
                    all.by_anchor.insert(anchor.clone(), shadow);
                }
            }
        }
        let rules = inputs.spec.mapping.rules().iter();
        let unique: Vec<String> = rules.filter(|r| r.unique).map(|r| r.name.clone()).collect();
        let resolved: BTreeSet<&Anchor> = inputs.recovered.iter().map(|r| &r.anchor).collect();
        state.register(target, &unique, &mut |anchor, row| {
            if !resolved.contains(&anchor) {
                all.enter(&anchor, &row, &unique);
            }
        })?;
        for found in inputs.recovered {
            match &found.shadow {
                Some(shadow) => all.by_anchor.insert(found.anchor.clone(), shadow.clone()),
                None => all.by_anchor.remove(&found.anchor),
            };
        }
        // An account can have more than one unfinished operation; what the last one found is the truth for all.
        for anchor in resolved {
            if let Some(shadow) = all.by_anchor.get(anchor) {
                let row = RegisterRow::of(shadow, &unique);
                all.enter(anchor, &row, &unique);
            }
        }
        Ok(all)
    }

    /// Adds what one shadow says to what all say together.
    fn enter(&mut self, anchor: &Anchor, row: &RegisterRow, unique: &[String]) {
        let Some(account) = &row.account else {
            return;
        };
        let register = &mut self.register;
        register.owners.insert(account.clone(), anchor.clone());
        if row.buried {
            // It holds no name any more, and it is no part of what percentages are of.
            return;
        }
        register.managed += 1;
        for (name, value) in unique.iter().zip(&row.values) {
            if let Some(value) = value {
                let name = name_of(name, value);
                register.names.insert(name, anchor.clone());
            }
        }
    }
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
