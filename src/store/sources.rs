//! What directories said last. A copy, and nothing but a copy: losing it costs one full read.
//!
//! A row in the index and an identity belong together. A read that changes more than fits one batch is written under a mark:
//! if the mark is found later, the commit was interrupted, and every fingerprint is treated as unknown.

use std::collections::{BTreeMap, HashSet};
use std::sync::{MutexGuard, PoisonError};

use super::cache::{CacheError, Changes};
use super::codec;
use super::error::StoreError;
use super::keys::{self, Kind};
use super::shelves::{self, Change};
use super::state::State;
use super::targets::content;
use super::types::{IndexRow, ReadCommit, SourceIndex, SourceMeta};
use crate::model::{Anchor, Fingerprint, Identity};

type Rows = BTreeMap<Anchor, IndexRow>;

impl State {
    /// Everybody whom the source returned, with what is needed to notice changes.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if a record is, or if rows are missing.
    pub fn source_index(&self, source: &str) -> Result<SourceIndex, StoreError> {
        let _reading = self.reading()?;
        self.load_index(source).map_err(|e| self.doubt(e))
    }

    fn load_index(&self, source: &str) -> Result<SourceIndex, CacheError> {
        let stored = self.load_meta(source)?;
        let expected = stored.map_or(0, |(rows, _)| rows);
        let mut index =
            SourceIndex::with_capacity(usize::try_from(expected).unwrap_or(0).min(1 << 20));
        self.cache
            .scan(&keys::prefix(Kind::Index, source), &mut |_, payload| {
                let rows: Vec<(Anchor, IndexRow)> = codec::decode(payload).map_err(content)?;
                index.extend(rows);
                Ok(())
            })?;
        if self.is_interrupted(source)? {
            for row in index.values_mut() {
                row.fingerprint = Fingerprint::default();
            }
        } else if index.len() as u64 != expected {
            return Err(CacheError::Damaged(format!(
                "the index of source \"{source}\" has {} rows where {expected} were written",
                index.len()
            )));
        }
        Ok(index)
    }

    /// About the last read; `None` before the first, or if what was remembered had to be dropped.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the record is.
    pub fn source_meta(&self, source: &str) -> Result<Option<SourceMeta>, StoreError> {
        let _reading = self.reading()?;
        let stored = self.load_meta(source).map_err(|e| self.doubt(e))?;
        Ok(stored.map(|(_, meta)| meta))
    }

    fn load_meta(&self, source: &str) -> Result<Option<(u64, SourceMeta)>, CacheError> {
        self.cache
            .get(&keys::prefix(Kind::Source, source))?
            .map(|payload| codec::decode(&payload).map_err(content))
            .transpose()
    }

    /// One person as last read.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the record is.
    pub fn identity(&self, source: &str, anchor: &Anchor) -> Result<Option<Identity>, StoreError> {
        let _inner = self.inner()?;
        let key = keys::by_anchor(Kind::Identity, source, anchor);
        let payload = shelves::get(&self.cache, &key).map_err(|e| self.doubt(e))?;
        payload
            .map(|payload| identity_of(&payload, anchor.as_str()))
            .transpose()
            .map_err(|e| self.doubt(e))
    }

    /// Everybody as last read, ordered by anchor, including those missing from the last reads and not yet forgotten.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if a record is, or if somebody of the index has none: a shorter list would look like absence.
    pub fn identities(
        &self,
        source: &str,
        each: &mut dyn FnMut(Identity),
    ) -> Result<(), StoreError> {
        let _reading = self.reading()?;
        self.scan_identities(source, each)
            .map_err(|e| self.doubt(e))
    }

    fn scan_identities(
        &self,
        source: &str,
        each: &mut dyn FnMut(Identity),
    ) -> Result<(), CacheError> {
        let mut awaited: HashSet<Anchor> = self.load_index(source)?.into_keys().collect();
        shelves::scan(
            &self.cache,
            &keys::prefix(Kind::Identity, source),
            &mut |anchor, payload| {
                let anchor = std::str::from_utf8(anchor).unwrap_or_default();
                // Without a row it comes from an interrupted commit, and the next read brings it again.
                if awaited.remove(anchor) {
                    each(identity_of(payload, anchor)?);
                }
                Ok(())
            },
        )?;
        match awaited.into_iter().next() {
            None => Ok(()),
            Some(anchor) => Err(CacheError::Damaged(format!(
                "{anchor} is in the index of source \"{source}\" and has no record"
            ))),
        }
    }

    /// Held while the record of a source is read or written: nobody else may see it half written.
    fn reading(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.inner().map(|_not_stopped| reading)
    }

    /// Remembers what a read changed. Others go on using the store meanwhile. After a crash in the middle, whoever was not
    /// written is new or changed to the next read. `rows` of people who are not in
    /// the index are ignored. With nothing changed only the meta is written.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn commit_read(&self, source: &str, read: ReadCommit) -> Result<(), StoreError> {
        let _reading = self.reading()?;
        let ReadCommit {
            mut changed,
            rows,
            mut gone,
            meta,
        } = read;
        let mut total = self.rows(source).map_err(|e| self.doubt(e))?;
        let mut writing = Writing {
            state: self,
            mark: keys::prefix(Kind::Reading, source),
            changes: Changes::default(),
        };
        // An identity is written before its row and removed after it: a row always has its identity.
        let mut steps: BTreeMap<u32, Vec<(Anchor, Step)>> = BTreeMap::new();
        let mut add = |anchor: &Anchor, step: Step| {
            let bucket = steps.entry(keys::bucket(anchor)).or_default();
            bucket.push((anchor.clone(), step));
        };
        for (anchor, row) in &rows {
            add(anchor, Step::Update(*row));
        }
        changed.sort_unstable_by(|a, b| a.0.anchor.cmp(&b.0.anchor));
        writing.shelve(changed.into_iter().map(|(identity, row)| {
            add(&identity.anchor, Step::Put(row));
            let key = keys::by_anchor(Kind::Identity, source, &identity.anchor);
            let payload = codec::encode(&*identity).map_err(|e| self.unencodable(e));
            Ok((key, Some(payload.map_err(CacheError::Store)?)))
        }))?;
        gone.sort_unstable();
        for anchor in &gone {
            add(anchor, Step::Remove);
        }
        for (bucket, steps) in steps {
            let key = keys::by_bucket(Kind::Index, source, bucket);
            let mut rows = self.load_bucket(&key).map_err(|e| self.doubt(e))?;
            total = total.saturating_sub(rows.len() as u64);
            for (anchor, step) in steps {
                step.apply(&mut rows, anchor);
            }
            total += rows.len() as u64;
            let rows: Vec<(Anchor, IndexRow)> = rows.into_iter().collect();
            let payload = codec::encode(&rows).map_err(|e| self.unencodable(e))?;
            writing.change(key, (!rows.is_empty()).then_some(payload.as_slice()))?;
        }
        if !gone.is_empty() {
            let key = |anchor| keys::by_anchor(Kind::Identity, source, anchor);
            writing.shelve(gone.iter().map(|anchor| Ok((key(anchor), None))))?;
        }
        let payload = codec::encode(&(total, meta)).map_err(|e| self.unencodable(e))?;
        let Writing {
            mut changes, mark, ..
        } = writing;
        changes.put(keys::prefix(Kind::Source, source), &payload);
        changes.remove(mark);
        self.follow(&mut *self.inner()?, changes)
    }

    /// How many rows the index has.
    fn rows(&self, source: &str) -> Result<u64, CacheError> {
        if self.is_interrupted(source)? {
            return Ok(self.load_index(source)?.len() as u64);
        }
        Ok(self.load_meta(source)?.map_or(0, |(rows, _)| rows))
    }

    /// Whether the last commit of a read began and did not end.
    fn is_interrupted(&self, source: &str) -> Result<bool, CacheError> {
        let mark = self.cache.get(&keys::prefix(Kind::Reading, source))?;
        Ok(mark.is_some())
    }

    fn load_bucket(&self, key: &[u8]) -> Result<Rows, CacheError> {
        let Some(payload) = self.cache.get(key)? else {
            return Ok(Rows::new());
        };
        let rows: Vec<(Anchor, IndexRow)> = codec::decode(&payload).map_err(content)?;
        Ok(rows.into_iter().collect())
    }
}

/// A commit that goes to the cache batch by batch; all but the last carry the mark of an unfinished commit.
struct Writing<'a> {
    state: &'a State,
    mark: Vec<u8>,
    changes: Changes,
}

impl Writing<'_> {
    fn change(&mut self, key: Vec<u8>, payload: Option<&[u8]>) -> Result<(), StoreError> {
        match payload {
            Some(payload) => self.changes.put(key, payload),
            None => self.changes.remove(key),
        }
        if self.changes.is_much() {
            let changes = std::mem::take(&mut self.changes);
            self.write(changes)?;
        }
        Ok(())
    }

    /// Changes identities, which come in order.
    fn shelve(
        &mut self,
        identities: impl Iterator<Item = Result<Change, CacheError>>,
    ) -> Result<(), StoreError> {
        if !self.changes.is_empty() {
            let changes = std::mem::take(&mut self.changes);
            self.write(changes)?;
        }
        let mut write = |changes| self.write(changes).map_err(CacheError::Store);
        let left = shelves::update(&self.state.cache, identities, &mut write);
        self.changes = left.map_err(|e| self.state.doubt(e))?;
        Ok(())
    }

    fn write(&self, mut changes: Changes) -> Result<(), StoreError> {
        changes.put(self.mark.clone(), &[]);
        self.state.follow_partly(&mut *self.state.inner()?, changes)
    }
}

/// What becomes of an index row.
enum Step {
    Put(IndexRow),
    Update(IndexRow),
    Remove,
}

impl Step {
    fn apply(self, rows: &mut Rows, anchor: Anchor) {
        match self {
            Self::Put(row) => {
                rows.insert(anchor, row);
            }
            Self::Update(row) => {
                if let Some(found) = rows.get_mut(&anchor) {
                    *found = row;
                }
            }
            Self::Remove => {
                rows.remove(&anchor);
            }
        }
    }
}

fn identity_of(payload: &[u8], anchor: &str) -> Result<Identity, CacheError> {
    let identity: Identity = codec::decode(payload).map_err(content)?;
    if identity.anchor.as_str() == anchor {
        Ok(identity)
    } else {
        Err(CacheError::Damaged(format!(
            "the record of {anchor} belongs to somebody else"
        )))
    }
}
