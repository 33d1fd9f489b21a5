//! Brings together everything a plan is made from. Reads only: it is handed an [`AccountReader`] and nothing that writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use jiff::Timestamp;
use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use sha2::{Digest as _, Sha256};

use super::EngineError;
use super::heirs::heirs;
use super::look::{correct, is_known, look};
use super::marks::{Marked, Marks};
use super::orders::{Orders, orders};
use super::recover::Recovered;
use super::shadows::Shadows;
use super::snapshot::{Snapshot, Somebody, Standing};
use crate::config::TargetSpec;
use crate::model::{Anchor, Basis, Fingerprint, Identity, Override, Shadow, Suspensions};
use crate::reconcile::access::{Access, Judge, Pace};
use crate::reconcile::{Person, Presence, Reference, Situation};
use crate::store::{Settled, State};
use crate::target::AccountReader;

/// So many people at least are worth another thread.
const TOGETHER: usize = 512;

/// How the target is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum View {
    /// Shadows are believed; newcomers are looked up. The usual run.
    #[default]
    Sync,
    /// Every account is listed and compared: finds drift and orphans.
    Reconcile,
}

/// What each person's settlement rests on, in the order of their anchors.
pub(super) type Digests = Vec<(Anchor, Rests)>;

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
    let due = undecided(inputs, listing, &orders)?;
    let untouched = inputs.snapshot.len().saturating_sub(due.len());
    let mut shadows = Shadows::default();
    if !due.is_empty() || listing {
        shadows = Shadows::read(inputs, &due, listing)?;
    }
    let (mut people, digests) = gather_people(inputs, due, listing, &orders, &mut shadows)?;
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

/// Somebody who must be decided about, and how they appear in the snapshot if they do.
pub(super) type Due<'a> = (Anchor, Option<Somebody<'a>>, Rests);

/// Everybody who must be decided about, with what is known of them, in the order of their anchors.
fn gather_people(
    inputs: &Inputs<'_>,
    due: Vec<Due<'_>>,
    listing: bool,
    orders: &Orders,
    shadows: &mut Shadows,
) -> Result<(Vec<Person>, Digests), EngineError> {
    let asked = || Asked {
        judge: inputs.spec.access.at(inputs.now),
        edges: BTreeMap::new(),
        orders,
    };
    let theirs = shadows.take_of(&due);
    let failed = OnceLock::new();
    let (mut people, mut digests) = (Vec::new(), Vec::new());
    due.into_par_iter()
        .zip(theirs)
        .with_min_len(TOGETHER)
        .map_init(asked, |asked, (due, shadow)| {
            let anchor = due.0.clone();
            let (person, rests) = one(inputs, due, shadow, asked).unwrap_or_else(|error| {
                // The first is told; what was gathered is of no use then.
                drop(failed.set(error));
                (nobody(anchor.clone()), Rests::default())
            });
            (person, (anchor, rests))
        })
        .unzip_into_vecs(&mut people, &mut digests);
    if let Some(error) = failed.into_inner() {
        return Err(error);
    }
    if listing {
        // People whose accounts we manage and whom this source never returned.
        let mut asked = asked();
        for (anchor, shadow) in std::mem::take(&mut shadows.by_anchor) {
            let (presence, shadow) = (Presence::Unproven, Some(shadow));
            people.push(person(anchor, presence, shadow, None, inputs, &mut asked)?);
        }
    }
    Ok((people, digests))
}

/// Somebody of whom nothing is known.
fn nobody(anchor: Anchor) -> Person {
    Person {
        anchor,
        presence: Presence::Unproven,
        shadow: None,
        imposed: Suspensions::new(),
        imposed_until: None,
        access: Access::default(),
        foretold: false,
    }
}

/// Somebody who must be decided about, with what is known of them.
fn one<'a>(
    inputs: &Inputs<'a>,
    (anchor, somebody, mut rests): Due<'_>,
    shadow: Option<Shadow>,
    asked: &mut Asked<'a>,
) -> Result<(Person, Rests), EngineError> {
    let presence = match &somebody {
        Some(somebody) => {
            let confirm = confirm(inputs.spec);
            inputs.snapshot.presence(somebody, confirm, inputs.state)?
        }
        // We have an account for somebody this source never returned: no proof of anything.
        None => Presence::Unproven,
    };
    let mut person = person(anchor, presence, shadow, rests.early, inputs, asked)?;
    let access = &person.access;
    if !access.is_early() && rests.early.take().is_some() {
        rests.foretold &= !rests.chosen;
    }
    rests.closes = access.next.filter(|_| access.open);
    person.foretold = rests.foretold;
    Ok((person, rests))
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

/// Who must be decided about: everybody whose settlement does not rest on what is true now, in the order of their anchors.
fn undecided<'a>(
    inputs: &Inputs<'a>,
    listing: bool,
    orders: &Orders,
) -> Result<Vec<Due<'a>>, EngineError> {
    let confirm = confirm(inputs.spec);
    let context = Sha256::new_with_prefix(inputs.config.as_bytes());
    let rests = |somebody: &Somebody<'_>| Rests {
        digest: rests_on(
            context.clone(),
            somebody.standing,
            confirm,
            somebody.fingerprint,
        ),
        orders: of_orders(orders.get(somebody.anchor)),
        ..Rests::default()
    };
    let mut marks = Marks::new(inputs.snapshot.len(), inputs.now, inputs.pace);
    inputs
        .state
        .each_settled(&inputs.spec.name, &mut |anchor, settled| {
            if let Some(somebody) = inputs.snapshot.find(anchor) {
                marks.enter(somebody.number, anchor, &settled, &rests(&somebody));
            }
        })?;
    marks.begin_early();
    let is_due = |one: &Somebody<'_>| listing || marks.of(one.number) != Marked::Settled;
    let mut found: Vec<Somebody<'_>> = inputs.snapshot.everybody().filter(is_due).collect();
    found.par_sort_unstable_by(|a, b| a.anchor.cmp(b.anchor));
    let due = |somebody: Somebody<'a>| {
        let mark = marks.of(somebody.number);
        let mut rests = rests(&somebody);
        rests.chosen = mark == Marked::Early;
        rests.foretold = rests.chosen || mark == Marked::Foretold;
        rests.early = marks.early(somebody.number);
        (somebody.anchor.clone(), Some(somebody), rests)
    };
    let mut due: Vec<Due<'_>> = found
        .into_par_iter()
        .with_min_len(TOGETHER)
        .map(due)
        .collect();
    // Unfinished business is looked at whatever else is true.
    let is_due = |anchor: &Anchor| {
        due.binary_search_by(|(other, ..)| other.cmp(anchor))
            .is_ok()
    };
    let others = inputs.recovered.iter().map(|found| &found.anchor);
    let others: BTreeSet<&Anchor> = others.filter(|anchor| !is_due(anchor)).collect();
    if !others.is_empty() {
        due.extend(others.into_iter().map(|anchor| {
            let somebody = inputs.snapshot.find(anchor.as_str());
            (anchor.clone(), somebody, Rests::default())
        }));
        due.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    }
    Ok(due)
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
