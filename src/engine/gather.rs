//! Brings together everything a plan is made from. Reads only: it is handed an [`AccountReader`] and nothing that writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::EngineError;
use super::heirs::heirs;
use super::look::{correct, is_known, look};
use super::marks::{Marked, Marks};
use super::orders::{Orders, orders};
use super::recover::Recovered;
use super::snapshot::{Snapshot, Standing};
use crate::config::TargetSpec;
use crate::model::{Anchor, Basis, Fingerprint, Identity, Override, Shadow};
use crate::reconcile::access::{Access, Judge, Pace};
use crate::reconcile::{Person, Presence, Reference, Register, Situation, name_of};
use crate::store::{RegisterRow, Settled, State};
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
pub(super) type Digests = HashMap<Anchor, Rests>;

/// What the settlement of a person rests on: the directory and the configuration, and the operators' orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Rests {
    pub digest: [u8; 16],
    pub orders: u64,
    /// A change by the clock that the mark of an earlier run foretold for now.
    pub foretold: bool,
    /// They are among those who are closed now although their time has not come.
    pub chosen: bool,
    /// When a window closes for them next.
    pub closes: Option<Timestamp>,
    /// When a window closes for them that they are closed before.
    pub early: Option<Timestamp>,
}

impl Rests {
    /// Whether a mark holds still: nothing changed since, and its time has not come.
    pub(super) fn is_settled(&self, mark: &Settled, now: i64) -> bool {
        let same = mark.digest == self.digest && mark.orders == self.orders;
        same && !mark.overdue && mark.due.is_none_or(|due| due > now)
    }

    /// Whether a mark of the same configuration and the same person foretold that something happens by now.
    pub(super) fn is_foretold(&self, mark: &Settled, now: i64) -> bool {
        mark.digest == self.digest && (mark.overdue || mark.due.is_some_and(|due| due <= now))
    }
}

/// What was gathered.
pub(super) struct Gathered<'a> {
    pub situation: Situation<'a>,
    /// What each person's settlement rests on.
    pub digests: Digests,
    /// Shadows that the live accounts correct.
    pub observed: Vec<Shadow>,
    /// How many people were left out because they must be looked up first.
    pub waiting: usize,
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
    /// How fast the target takes access away, if closings are begun early there.
    pub pace: Option<Pace>,
    /// Whether whoever must be looked up in the target first is left out: it cannot be asked, or not now.
    pub known_only: bool,
}

pub(super) async fn gather<'a>(
    inputs: &Inputs<'a>,
    reader: &'a dyn AccountReader,
) -> Result<Gathered<'a>, EngineError> {
    let meta = inputs.state.target_meta(&inputs.spec.name)?;
    let first = meta.last_list_at.is_none();
    let listing = inputs.view == View::Reconcile || first;
    let orders = orders(inputs.state, &inputs.spec.name, inputs.now)?;
    let (due, mut digests) = undecided(inputs, listing, &orders)?;
    let untouched = inputs
        .snapshot
        .everybody()
        .count()
        .saturating_sub(due.len());
    let mut shadows = Shadows::default();
    if !due.is_empty() || listing {
        shadows = Shadows::read(inputs, &due, listing)?;
    }
    let mut people = gather_people(inputs, due, listing, &orders, &mut digests, &mut shadows)?;
    let everybody = people.len();
    if inputs.known_only {
        people.retain(|person| is_known(person, inputs));
    }
    let waiting = everybody - people.len();
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
    let can = reader.capabilities();
    let inherits = can.delete && can.inherits && inputs.spec.rules.delete_after.is_some();
    let situation = Situation {
        heirs: heirs(inputs, &people, inherits)?,
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
        waiting,
    })
}

/// Everybody who must be decided about, with what is known of them.
fn gather_people(
    inputs: &Inputs<'_>,
    due: Vec<Anchor>,
    listing: bool,
    orders: &Orders,
    digests: &mut Digests,
    shadows: &mut Shadows,
) -> Result<Vec<Person>, EngineError> {
    let mut people = Vec::with_capacity(due.len());
    let confirm = confirm(inputs.spec);
    let mut asked = Asked {
        judge: inputs.spec.access.at(inputs.now),
        edges: BTreeMap::new(),
        orders,
    };
    for anchor in due {
        let presence = inputs.snapshot.presence(&anchor, confirm, inputs.state)?;
        let shadow = shadows.by_anchor.remove(&anchor);
        let early = digests.get(&anchor).and_then(|rests| rests.early);
        let mut person = person(anchor, presence, shadow, early, inputs, &mut asked)?;
        if let Some(rests) = digests.get_mut(&person.anchor) {
            let access = &person.access;
            if !access.is_early() && rests.early.take().is_some() {
                rests.foretold &= !rests.chosen;
            }
            rests.closes = access.next.filter(|_| access.open);
            person.foretold = rests.foretold;
        }
        people.push(person);
    }
    if listing {
        // People whose accounts we manage and whom this source never returned.
        for (anchor, shadow) in std::mem::take(&mut shadows.by_anchor) {
            let (presence, shadow) = (Presence::Unproven, Some(shadow));
            people.push(person(anchor, presence, shadow, None, inputs, &mut asked)?);
        }
    }
    Ok(people)
}

/// What windows and orders are asked of.
struct Asked<'a> {
    judge: Judge<'a>,
    /// The same at the moments before which people are closed.
    edges: BTreeMap<Timestamp, Judge<'a>>,
    orders: &'a Orders,
}

impl<'a> Asked<'a> {
    fn judge(
        &mut self,
        identity: &Identity,
        orders: &[Override],
        early: Option<Timestamp>,
        spec: &'a TargetSpec,
    ) -> Access {
        let now = self.judge.judge(identity, orders);
        let Some(at) = early else {
            return now;
        };
        let edge = self.edges.entry(at).or_insert_with(|| spec.access.at(at));
        edge.before_time(&now, identity, orders).unwrap_or(now)
    }
}

/// A person with what windows say and operators ordered.
fn person<'a>(
    anchor: Anchor,
    presence: Presence,
    shadow: Option<Shadow>,
    early: Option<Timestamp>,
    inputs: &Inputs<'a>,
    asked: &mut Asked<'a>,
) -> Result<Person, EngineError> {
    let orders = asked.orders.get(&anchor).map_or(&[][..], Vec::as_slice);
    let access = match &presence {
        Presence::Present(identity) => asked.judge(identity, orders, early, inputs.spec),
        Presence::Gone => asked.judge.judge_absent(&anchor, orders),
        // Windows close on what was last known of somebody.
        Presence::Unreadable(_) | Presence::Missing { .. } | Presence::Unproven => {
            match inputs.snapshot.identity(&anchor, inputs.state)? {
                Some(identity) => asked.judge(&identity, orders, early, inputs.spec),
                None => asked.judge.judge_absent(&anchor, orders),
            }
        }
    };
    let edges = orders
        .iter()
        .filter_map(|order| order.next_edge(inputs.now));
    Ok(Person {
        imposed_until: edges.min(),
        imposed: access.reasons.clone(),
        access,
        anchor,
        presence,
        shadow,
        foretold: false,
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
fn undecided(
    inputs: &Inputs<'_>,
    listing: bool,
    orders: &Orders,
) -> Result<(Vec<Anchor>, Digests), EngineError> {
    let confirm = confirm(inputs.spec);
    let context = Sha256::new_with_prefix(inputs.config.as_bytes());
    let rests = |anchor: &str, standing, fingerprint| Rests {
        digest: rests_on(context.clone(), standing, confirm, fingerprint),
        orders: of_orders(orders.get(anchor)),
        ..Rests::default()
    };
    let mut marks = Marks::new(inputs.snapshot.len(), inputs.now, inputs.pace);
    inputs
        .state
        .each_settled(&inputs.spec.name, &mut |anchor, settled| {
            if let Some((number, standing, fingerprint)) = inputs.snapshot.find(anchor) {
                let rests = rests(anchor, standing, fingerprint);
                marks.enter(number, anchor, &settled, &rests);
            }
        })?;
    marks.begin_early();
    let mut due = Vec::new();
    let mut digests = HashMap::new();
    for (number, anchor, standing, fingerprint) in inputs.snapshot.numbered() {
        let mark = marks.of(number);
        if mark == Marked::Settled && !listing {
            continue;
        }
        due.push(anchor.clone());
        let mut rests = rests(anchor.as_str(), standing, fingerprint);
        rests.chosen = mark == Marked::Early;
        rests.foretold = rests.chosen || mark == Marked::Foretold;
        rests.early = marks.early(number);
        digests.insert(anchor.clone(), rests);
    }
    // Unfinished business is looked at whatever else is true.
    for found in inputs.recovered {
        if !digests.contains_key(&found.anchor) {
            due.push(found.anchor.clone());
            digests.insert(found.anchor.clone(), Rests::default());
        }
    }
    Ok((due, digests))
}

/// A changed order makes its person be decided about again, although nothing else changed.
fn of_orders(orders: Option<&Vec<Override>>) -> u64 {
    let Some(orders) = orders.filter(|orders| !orders.is_empty()) else {
        return 0;
    };
    let mut hash = Sha256::new();
    for order in orders {
        // An id is never used twice, and an override never changes.
        hash.update((order.id.len() as u64).to_le_bytes());
        hash.update(order.id.as_bytes());
    }
    let mut first = [0; 8];
    first.copy_from_slice(hash.finalize().get(..8).unwrap_or(&[0; 8]));
    u64::from_le_bytes(first)
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
