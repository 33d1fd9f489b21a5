//! Writing: first the journal, durably; then the cache follows. A cache that cannot follow stops everything.
//!
//! Shadows follow a little later, many at a time: an account that is made and then given its groups moves twice, and only
//! what it comes to is written. Until then they are held in memory, and read from there. After a crash the next start
//! replays what the cache lacks.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use super::cache::{Cache, CacheError, Changes, Stamp};
use super::codec::CodecError;
use super::error::StoreError;
use super::journal::{Entry, Unwritten};
use super::shelves::{self, Change};
use super::state::{CACHE, Inner, SUSPECT, State};

/// Shadows are held back up to about so many bytes.
const HELD_BACK: usize = 16 << 20;

/// The newest shadows, which the journal has and the cache does not have yet: by key, as the cache will have them, or
/// `None` for those that are gone.
#[derive(Debug, Default)]
pub(super) struct Behind {
    shadows: HashMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
    /// The stamp of the cache is older than they are.
    unstamped: bool,
}

impl Behind {
    /// What becomes of a shadow.
    pub(super) fn put(&mut self, key: Vec<u8>, payload: Option<Vec<u8>>) {
        self.unstamped = true;
        let size = |payload: &Option<Vec<u8>>| payload.as_ref().map_or(0, Vec::len);
        self.bytes += key.len() + size(&payload);
        let length = key.len();
        if let Some(before) = self.shadows.insert(key, payload) {
            self.bytes -= length + size(&before);
        }
    }

    /// A shadow that is held back: its payload, or that it is gone.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let found = self.shadows.get(key)?;
        Some(found.as_deref())
    }

    /// Writes them all, without a stamp: after a crash they are replayed again, which changes nothing.
    pub(super) fn write(&mut self, cache: &Cache) -> Result<(), CacheError> {
        self.bytes = 0;
        let mut shadows: Vec<Change> = std::mem::take(&mut self.shadows).into_iter().collect();
        shadows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut write = |changes| cache.apply(changes);
        let left = shelves::update(cache, shadows.into_iter().map(Ok), &mut write)?;
        if left.is_empty() { Ok(()) } else { write(left) }
    }

    /// Whether it is time to write them.
    pub(super) fn is_much(&self) -> bool {
        self.bytes > HELD_BACK
    }
}

impl State {
    /// The inner state, unless a write failed half way.
    pub(super) fn inner(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match &inner.stopped {
            None => Ok(inner),
            Some(why) => Err(StoreError::Stopped {
                path: self.dir.clone(),
                why: why.clone(),
            }),
        }
    }

    /// Appends to the journal, durably, and to the ledger. Returns the number of the first entry.
    pub(super) fn append(&self, inner: &mut Inner, items: &[Vec<u8>]) -> Result<u64, StoreError> {
        let first = inner.journal.mark().seq + 1;
        if items.is_empty() {
            return Ok(first);
        }
        let offsets = match inner.journal.append(items) {
            Ok(offsets) => offsets,
            Err(Unwritten::Clean(e)) => return Err(e),
            Err(Unwritten::Stop(e)) => {
                inner.stopped = Some(e.to_string());
                return Err(e);
            }
        };
        for ((seq, bytes), offset) in (first..).zip(items).zip(offsets) {
            let entry = Entry { seq, offset, bytes };
            inner
                .ledger
                .apply(&entry)
                .map_err(|e| self.unencodable(e))?;
        }
        Ok(first)
    }

    /// Commits to the cache together with where the journal stands. After the journal has the facts,
    /// a cache that cannot follow stops everything: the next start replays.
    pub(super) fn follow(&self, inner: &mut Inner, changes: Changes) -> Result<(), StoreError> {
        self.catch_up(inner)?;
        let done = self.cache.commit(self.stamped(inner, changes)?);
        self.followed(inner, done)?;
        inner.behind.unstamped = false;
        Ok(())
    }

    /// As [`Self::follow`], to be made durable by the next one.
    pub(super) fn follow_later(
        &self,
        inner: &mut Inner,
        changes: Changes,
    ) -> Result<(), StoreError> {
        self.catch_up(inner)?;
        let done = self.cache.apply(self.stamped(inner, changes)?);
        self.followed(inner, done)?;
        inner.behind.unstamped = false;
        Ok(())
    }

    /// Writes what was held back.
    pub(super) fn catch_up(&self, inner: &mut Inner) -> Result<(), StoreError> {
        let done = inner.behind.write(&self.cache);
        self.followed(inner, done)
    }

    fn stamped(&self, inner: &Inner, mut changes: Changes) -> Result<Changes, StoreError> {
        let stamp = Stamp {
            instance: inner.journal.header().instance,
            mark: inner.journal.mark(),
        };
        changes.stamp(&stamp).map_err(|e| self.unencodable(e))?;
        Ok(changes)
    }

    /// Part of what [`Self::follow`] will complete and make durable.
    pub(super) fn follow_partly(
        &self,
        inner: &mut Inner,
        changes: Changes,
    ) -> Result<(), StoreError> {
        let done = self.cache.apply(changes);
        self.followed(inner, done)
    }

    fn followed(&self, inner: &mut Inner, done: Result<(), CacheError>) -> Result<(), StoreError> {
        done.map_err(|e| {
            let e = self.doubt(e);
            inner.stopped = Some(e.to_string());
            e
        })
    }

    /// Turns a cache failure into an error, and damage into a request to make the cache anew at the next start.
    pub(super) fn doubt(&self, e: CacheError) -> StoreError {
        match e {
            CacheError::Store(e) => e,
            CacheError::Damaged(why) => {
                let path = self.dir.join(SUSPECT);
                if let Err(e) = std::fs::write(&path, &why) {
                    tracing::warn!(path = %path.display(), %e, "the suspicion could not be noted");
                }
                StoreError::damaged(
                    &self.dir.join(CACHE),
                    format!(
                        "{why}; restart provost, which then makes the cache anew from the journal"
                    ),
                )
            }
        }
    }

    /// A value that cannot be written: a defect of ours, reported as damage of the directory it was meant for.
    pub(super) fn unencodable(&self, e: CodecError) -> StoreError {
        StoreError::damaged(
            &self.dir,
            format!("a value cannot be written: {e}; please report this"),
        )
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // Else the next start would replay it.
        if let Ok(mut inner) = self.inner()
            && inner.behind.unstamped
            && let Err(error) = self.follow_later(&mut inner, Changes::default())
        {
            tracing::warn!(%error, "the cache is behind the journal; the next start makes up for it");
        }
    }
}
