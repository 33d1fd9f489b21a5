//! What directories said last. A copy, and nothing but a copy: losing it costs one full read.
//!
//! A row in the index and an identity belong together. A read that changes more than fits one batch is written identities
//! first, under a mark: if the mark is found later, the commit was interrupted, and every fingerprint is treated as unknown.

use std::collections::{BTreeMap, HashSet};

use super::cache::{CacheError, Changes};
use super::codec;
use super::error::StoreError;
use super::keys::{self, Kind};
use super::state::{Inner, State};
use super::targets::content;
use super::types::{IndexRow, ReadCommit, SourceIndex, SourceMeta};
use crate::model::{Anchor, Fingerprint, Identity};

/// Identities written in one batch.
const BATCH: usize = 4096;

/// A key and a payload.
type Encoded = (Vec<u8>, Vec<u8>);

type Rows = BTreeMap<Anchor, IndexRow>;

impl State {
    /// Everybody whom the source returned, with what is needed to notice changes.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if a record is, or if rows are missing.
    pub fn source_index(&self, source: &str) -> Result<SourceIndex, StoreError> {
        let _inner = self.inner()?;
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
        if index.len() as u64 != expected {
            return Err(CacheError::Damaged(format!(
                "the index of source \"{source}\" has {} rows where {expected} were written",
                index.len()
            )));
        }
        if self
            .cache
            .get(&keys::prefix(Kind::Reading, source))?
            .is_some()
        {
            for row in index.values_mut() {
                row.fingerprint = Fingerprint::default();
            }
        }
        Ok(index)
    }

    /// About the last read; `None` before the first, or if what was remembered had to be dropped.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the record is.
    pub fn source_meta(&self, source: &str) -> Result<Option<SourceMeta>, StoreError> {
        let _inner = self.inner()?;
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
        let payload = self
            .cache
            .get(&keys::by_anchor(Kind::Identity, source, anchor))
            .map_err(|e| self.doubt(e))?;
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
        let _inner = self.inner()?;
        self.scan_identities(source, each)
            .map_err(|e| self.doubt(e))
    }

    fn scan_identities(
        &self,
        source: &str,
        each: &mut dyn FnMut(Identity),
    ) -> Result<(), CacheError> {
        let mut awaited: HashSet<Anchor> = self.load_index(source)?.into_keys().collect();
        self.cache.scan(
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

    /// Remembers what a read changed. A crash leaves either the old index or the new one. `rows` of people who are not in
    /// the index are ignored. With nothing changed only the meta is written.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn commit_read(&self, source: &str, read: ReadCommit) -> Result<(), StoreError> {
        let mut inner = self.inner()?;
        let ReadCommit {
            changed,
            rows,
            gone,
            meta,
        } = read;
        let mut moves: BTreeMap<u32, Vec<(Anchor, Move)>> = BTreeMap::new();
        let mut add = |anchor: &Anchor, step: Move| {
            let bucket = moves.entry(keys::bucket(anchor)).or_default();
            bucket.push((anchor.clone(), step));
        };
        for (anchor, row) in &rows {
            add(anchor, Move::Update(*row));
        }
        for (identity, row) in &changed {
            add(&identity.anchor, Move::Put(*row));
        }
        let mut changes = Changes::default();
        for anchor in &gone {
            add(anchor, Move::Remove);
            changes.remove(keys::by_anchor(Kind::Identity, source, anchor));
        }
        let staged = self.put_identities(&mut inner, source, &changed)?;
        for (key, payload) in staged {
            changes.put(key, &payload);
        }
        let before = self.load_meta(source).map_err(|e| self.doubt(e))?;
        let mut total = before.map_or(0, |(rows, _)| rows);
        for (bucket, steps) in moves {
            let key = keys::by_bucket(Kind::Index, source, bucket);
            let mut rows = self.load_bucket(&key).map_err(|e| self.doubt(e))?;
            total -= (rows.len() as u64).min(total);
            for (anchor, step) in steps {
                step.apply(&mut rows, anchor);
            }
            total += rows.len() as u64;
            if rows.is_empty() {
                changes.remove(key);
            } else {
                let rows: Vec<(Anchor, IndexRow)> = rows.into_iter().collect();
                changes.put(key, &codec::encode(&rows).map_err(|e| self.unencodable(e))?);
            }
        }
        let payload = codec::encode(&(total, meta)).map_err(|e| self.unencodable(e))?;
        changes.put(keys::prefix(Kind::Source, source), &payload);
        changes.remove(keys::prefix(Kind::Reading, source));
        self.follow(&mut inner, changes)
    }

    fn load_bucket(&self, key: &[u8]) -> Result<Rows, CacheError> {
        let Some(payload) = self.cache.get(key)? else {
            return Ok(Rows::new());
        };
        let rows: Vec<(Anchor, IndexRow)> = codec::decode(&payload).map_err(content)?;
        Ok(rows.into_iter().collect())
    }

    /// Writes identities batch by batch; the last batch (often the only one) is returned, to go together with the index.
    fn put_identities(
        &self,
        inner: &mut Inner,
        source: &str,
        changed: &[(Identity, IndexRow)],
    ) -> Result<Vec<Encoded>, StoreError> {
        let mut batches = changed.chunks(BATCH).peekable();
        while let Some(batch) = batches.next() {
            let encoded = batch
                .iter()
                .map(|(identity, _)| {
                    let key = keys::by_anchor(Kind::Identity, source, &identity.anchor);
                    Ok((key, codec::encode(identity)?))
                })
                .collect::<Result<Vec<_>, _>>()
                .map_err(|e| self.unencodable(e))?;
            if batches.peek().is_none() {
                return Ok(encoded);
            }
            let mut changes = Changes::default();
            changes.put(keys::prefix(Kind::Reading, source), &[]);
            for (key, payload) in encoded {
                changes.put(key, &payload);
            }
            self.follow(inner, changes)?;
        }
        Ok(Vec::new())
    }
}

/// What becomes of an index row.
enum Move {
    Put(IndexRow),
    Update(IndexRow),
    Remove,
}

impl Move {
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
