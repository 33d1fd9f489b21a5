//! Everybody in a directory as of one read: an index of all, and in full only those who changed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, OnceLock, mpsc};

use jiff::Timestamp;

use super::rows::{Row, Rows, rows};
use super::{EngineError, SourceReport};
use crate::model::{
    Anchor, Attributes, Completeness, EntryProblem, Fingerprint, Identity, ReadReport, Shortfall,
    Sieve, SourceState, dn_key,
};
use crate::reconcile::absence::{self, Again};
use crate::reconcile::{Limit, Presence};
use crate::store::{IndexRow, ReadCommit, SourceIndex, SourceMeta, State, StoreError};

pub(super) use super::rows::{Somebody, Standing};

/// One read of one source.
#[derive(Debug)]
pub struct Snapshot {
    /// The source's name.
    pub source: String,
    /// When it was read.
    pub read_at: Timestamp,
    /// Entries returned.
    pub people: u64,
    /// What was missing from the read; empty means complete.
    pub shortfalls: Vec<String>,
    /// Which server answered.
    pub server: String,
    /// Entries without a usable anchor, for the report.
    pub problems: Vec<EntryProblem>,
    rows: Rows,
    unreadable: HashMap<Anchor, String>,
    by_dn: OnceLock<HashMap<u64, Anchor>>,
    pub(super) meta: Option<SourceMeta>,
}

/// The sieve that a source streams into: knows the index of the last read, which is loaded while the source connects.
#[derive(Debug)]
pub(super) struct IndexSieve {
    rows: Rows,
    /// Where the index comes from, until it is needed.
    loading: Option<mpsc::Receiver<Result<Rows, StoreError>>>,
    failed: Option<EngineError>,
    unreadable: HashMap<Anchor, String>,
    problems: Vec<EntryProblem>,
    seen: u64,
    progress: fn(u64),
    /// Where people are remembered, and the source. Of some, only an account may be.
    earlier: (Arc<State>, String),
}

impl IndexSieve {
    /// Begins to load what the last read of a source returned.
    pub(super) fn load(state: &Arc<State>, source: &str, progress: fn(u64)) -> Self {
        let (state, source) = (Arc::clone(state), source.to_owned());
        let earlier = (Arc::clone(&state), source.clone());
        let (give, loading) = mpsc::channel();
        tokio::task::spawn_blocking(move || {
            let index = state.source_index(&source);
            // It can only fail if nobody wants the index any more.
            drop(give.send(index.map(|index| rows(index, |_| false))));
        });
        Self {
            rows: Rows::new(),
            loading: Some(loading),
            failed: None,
            unreadable: HashMap::new(),
            problems: Vec::new(),
            seen: 0,
            progress,
            earlier,
        }
    }

    /// Also awaits these people, as if a read before had returned them: without that, nobody would notice that they left
    /// while what was remembered of the directory was lost. Of each, only anchor and name are known.
    pub(super) fn await_also(&mut self, people: impl IntoIterator<Item = (Anchor, String)>) {
        self.arrive();
        for (anchor, label) in people {
            if self.rows.contains_key(&anchor) {
                continue;
            }
            let row = IndexRow {
                fingerprint: Fingerprint::default(),
                dn_key: 0,
                missed: 0,
            };
            let identity = Identity {
                anchor: anchor.clone(),
                dn: label,
                attributes: Attributes::new(),
                groups: Vec::new(),
                state: SourceState::default(),
            };
            self.put(anchor, row, false, identity);
        }
    }

    /// Waits for the index.
    fn arrive(&mut self) {
        let Some(loading) = self.loading.take() else {
            return;
        };
        match tokio::task::block_in_place(|| loading.recv()) {
            Ok(Ok(rows)) => self.rows = rows,
            Ok(Err(error)) => self.failed = Some(error.into()),
            Err(_gone) => self.failed = Some(EngineError::Panicked("the index".to_owned())),
        }
    }

    /// The sieve with its index, whether or not anybody was read.
    ///
    /// # Errors
    /// When the index could not be loaded: what was let through then means nothing.
    pub(super) fn loaded(mut self) -> Result<Self, EngineError> {
        self.arrive();
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// Everybody whom every read before returned and this one did not, unless they are more than `most`.
    pub(super) fn newly_absent(&self, most: usize) -> Option<Vec<Anchor>> {
        let absent = |(_, row): &(&Anchor, &Row)| !row.seen && row.row.missed == 0;
        let mut found: Vec<Anchor> = Vec::new();
        for (anchor, _) in self.rows.iter().filter(absent) {
            if found.len() == most {
                return None;
            }
            found.push(anchor.clone());
        }
        found.sort();
        Some(found)
    }

    /// Sets a row that differs from what is stored; its person was read now, or is only awaited.
    fn put(&mut self, anchor: Anchor, row: IndexRow, read: bool, identity: Identity) {
        let next = self.rows.len();
        let place = self.rows.entry(anchor);
        let number = match &place {
            Entry::Occupied(known) => known.get().number,
            Entry::Vacant(_) => next,
        };
        place.insert_entry(Row {
            row,
            seen: read,
            dirty: read,
            number,
            changed: Some(Arc::new(identity)),
        });
    }

    fn count(&mut self) {
        self.seen += 1;
        if self.seen.is_multiple_of(1000) {
            (self.progress)(self.seen);
        }
    }
}

impl Sieve for IndexSieve {
    fn is_unchanged(&mut self, anchor: &Anchor, fingerprint: Fingerprint) -> bool {
        self.arrive();
        match self.rows.get_mut(anchor) {
            Some(row) if row.row.fingerprint == fingerprint => {
                row.seen = true;
                if row.row.missed > 0 {
                    row.row.missed = 0;
                    row.dirty = true;
                }
                self.count();
                true
            }
            Some(_) | None => false,
        }
    }

    fn had_groups(&mut self, anchor: &Anchor) -> bool {
        self.arrive();
        let (state, source) = &self.earlier;
        let before = || state.identity(source, anchor).ok().flatten();
        self.rows.contains_key(anchor) && before().is_none_or(|before| !before.groups.is_empty())
    }

    fn accept(&mut self, identity: Identity, fingerprint: Fingerprint) {
        let row = IndexRow {
            fingerprint,
            dn_key: dn_key(&identity.dn).unwrap_or_default(),
            missed: 0,
        };
        self.arrive();
        self.put(identity.anchor.clone(), row, true, identity);
        self.count();
    }

    fn reject(&mut self, problem: EntryProblem) {
        self.arrive();
        if let Some(anchor) = &problem.anchor {
            if let Some(row) = self.rows.get_mut(anchor) {
                row.seen = true;
            }
            self.unreadable.insert(anchor.clone(), problem.why.clone());
        }
        self.problems.push(problem);
        self.count();
    }

    fn restart(&mut self) {
        if self.seen == 0 {
            // The index need not be there yet.
            return;
        }
        for row in self.rows.values_mut() {
            row.seen = false;
        }
        self.unreadable.clear();
        self.problems.clear();
        self.seen = 0;
    }
}

/// What the engine adds to a read: history and limits.
pub(super) struct Judgement<'a> {
    pub source: &'a str,
    pub now: Timestamp,
    pub before: Option<&'a SourceMeta>,
    pub shrink: Limit,
    /// A smaller number of entries that an operator accepted.
    pub accepted: Option<u64>,
    /// After how many complete reads somebody is gone, at the most.
    pub confirm: u8,
    pub request: [u8; 16],
    /// What the directory said when it was asked again about people whom the read lacks.
    pub again: Again,
}

impl Snapshot {
    /// Completes a read: counts who is missing, if the read may be used for that.
    pub(super) fn judge(sieve: IndexSieve, report: ReadReport, by: &Judgement<'_>) -> Self {
        let people = report.bases.iter().map(|base| base.entries).sum();
        let mut shortfalls: Vec<String> = match &report.completeness {
            Completeness::Full(_) => Vec::new(),
            Completeness::Partial(why) => why.iter().map(ToString::to_string).collect(),
        };
        if report.completeness.is_full()
            && let Some(shrunk) = shrunk(people, by)
        {
            shortfalls.push(shrunk.to_string());
        }
        shortfalls.extend(by.again.contradicted.iter().map(ToString::to_string));
        let full = shortfalls.is_empty();
        let mut rows = sieve.rows;
        if full {
            for (anchor, row) in rows.iter_mut().filter(|(_, row)| !row.seen) {
                let confirmed = by.again.confirmed.contains(anchor);
                let missed = absence::missed(row.row.missed, confirmed, by.confirm);
                if row.row.missed < missed {
                    row.row.missed = missed;
                    row.dirty = true;
                }
            }
        }
        let meta = SourceMeta {
            read_at: by.now,
            entries: people,
            full,
            shortfalls: shortfalls.clone(),
            server: report.server.clone(),
            last_full_at: if full {
                Some(by.now)
            } else {
                by.before.and_then(|m| m.last_full_at)
            },
            last_full_entries: if full {
                Some(people)
            } else {
                by.before.and_then(|m| m.last_full_entries)
            },
            request: by.request,
        };
        Self {
            source: by.source.to_owned(),
            read_at: by.now,
            people,
            shortfalls,
            server: report.server,
            problems: sieve.problems,
            rows,
            unreadable: sieve.unreadable,
            by_dn: OnceLock::new(),
            meta: Some(meta),
        }
    }

    /// The last read as stored, when the directory cannot be reached now, or need not be. Absence in it means nothing new.
    pub(super) fn stored(
        source: &str,
        index: SourceIndex,
        meta: &SourceMeta,
        shortfalls: Vec<String>,
    ) -> Self {
        let rows = rows(index, |row| row.missed == 0);
        Self {
            source: source.to_owned(),
            read_at: meta.last_full_at.unwrap_or(meta.read_at),
            people: meta.entries,
            shortfalls,
            server: meta.server.clone(),
            problems: Vec::new(),
            rows,
            unreadable: HashMap::new(),
            by_dn: OnceLock::new(),
            meta: None,
        }
    }

    /// Everybody present, by DN. Made when first asked for: most mappings refer to nobody.
    fn dns(&self) -> &HashMap<u64, Anchor> {
        self.by_dn.get_or_init(|| {
            self.rows
                .iter()
                .filter(|(_, row)| row.row.dn_key != 0 && row.row.missed == 0)
                .map(|(anchor, row)| (row.row.dn_key, anchor.clone()))
                .collect()
        })
    }

    /// What is to be remembered of the read, once. Whether anything was done about it is remembered per target, not here.
    pub(super) fn take_news(&mut self) -> Option<ReadCommit> {
        let meta = self.meta.take()?;
        let new = self.rows.values().filter(|row| row.dirty);
        let mut changed = Vec::with_capacity(new.filter(|row| row.changed.is_some()).count());
        let mut rows = Vec::new();
        for (anchor, row) in self.rows.iter().filter(|(_, row)| row.dirty) {
            match &row.changed {
                Some(identity) => changed.push((Arc::clone(identity), row.row)),
                None => rows.push((anchor.clone(), row.row)),
            }
        }
        Some(ReadCommit {
            changed,
            rows,
            gone: Vec::new(),
            meta,
        })
    }

    /// Everybody ever read from this source, in no particular order.
    pub(super) fn everybody(&self) -> impl Iterator<Item = Somebody<'_>> {
        self.rows
            .iter()
            .map(|(anchor, row)| self.somebody(anchor, row))
    }

    fn somebody<'a>(&self, anchor: &'a Anchor, row: &'a Row) -> Somebody<'a> {
        Somebody {
            anchor,
            number: row.number,
            standing: self.standing(anchor, row),
            fingerprint: row.row.fingerprint,
            changed: row.changed.as_ref(),
        }
    }

    /// How many people there are, and with that how many numbers.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Somebody, by their anchor.
    pub(super) fn find(&self, anchor: &str) -> Option<Somebody<'_>> {
        let (anchor, row) = self.rows.get_key_value(anchor)?;
        Some(self.somebody(anchor, row))
    }

    fn standing(&self, anchor: &Anchor, row: &Row) -> Standing {
        if !self.unreadable.is_empty() && self.unreadable.contains_key(anchor) {
            Standing::Unreadable
        } else if row.seen {
            Standing::Present
        } else if absence::is_proven(row.row.missed, self.shortfalls.is_empty()) {
            Standing::Missing(row.row.missed)
        } else {
            Standing::Unproven
        }
    }

    /// How somebody appears, attributes included.
    pub(super) fn presence(
        &self,
        somebody: &Somebody<'_>,
        confirm: u8,
        state: &State,
    ) -> Result<Presence, EngineError> {
        let anchor = somebody.anchor;
        Ok(match somebody.standing {
            Standing::Unreadable => {
                Presence::Unreadable(self.unreadable.get(anchor).cloned().unwrap_or_default())
            }
            Standing::Missing(reads) => absence::presence(reads, self.is_complete(), confirm),
            Standing::Unproven => Presence::Unproven,
            Standing::Present => match self.attributes(anchor, somebody.changed, state)? {
                Some(identity) => Presence::Present(identity),
                None => Presence::Unreadable(
                    "its stored copy is lost; the next read restores it".to_owned(),
                ),
            },
        })
    }

    /// The attributes of somebody present.
    pub(super) fn identity(
        &self,
        anchor: &Anchor,
        state: &State,
    ) -> Result<Option<Arc<Identity>>, EngineError> {
        let row = self.rows.get(anchor);
        self.attributes(anchor, row.and_then(|row| row.changed.as_ref()), state)
    }

    fn attributes(
        &self,
        anchor: &Anchor,
        changed: Option<&Arc<Identity>>,
        state: &State,
    ) -> Result<Option<Arc<Identity>>, EngineError> {
        match changed {
            Some(identity) => Ok(Some(Arc::clone(identity))),
            None => Ok(state.identity(&self.source, anchor)?.map(Arc::new)),
        }
    }

    /// Who is meant by a DN that an attribute holds.
    pub(super) fn by_dn(&self, name: &str) -> Option<&Anchor> {
        self.dns().get(&dn_key(name)?)
    }

    /// What reports say of it.
    #[must_use]
    pub fn describe(&self) -> SourceReport {
        let problems = self.problems.iter();
        SourceReport {
            server: self.server.clone(),
            read_at: self.read_at,
            people: self.people,
            shortfalls: self.shortfalls.clone(),
            problems: problems.map(|p| format!("{}: {}", p.dn, p.why)).collect(),
        }
    }

    /// Whether this read was complete.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.shortfalls.is_empty()
    }
}

/// Far fewer entries than in the last complete read mean that something is wrong with the read, not with the people.
fn shrunk(now: u64, by: &Judgement<'_>) -> Option<Shortfall> {
    let before = by.before?.last_full_entries?;
    let known = usize::try_from(before).unwrap_or(usize::MAX);
    let tolerated = u64::try_from(by.shrink.allowed(known)).unwrap_or(u64::MAX);
    let accepted = by.accepted.is_some_and(|accepted| now >= accepted);
    (before.saturating_sub(now) > tolerated && !accepted)
        .then_some(Shortfall::Shrunk { before, now })
}
