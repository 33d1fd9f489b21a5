//! Writing: first the journal, durably; then the cache follows. A cache that cannot follow stops everything.

use std::sync::{MutexGuard, PoisonError};

use super::cache::{CacheError, Changes, Stamp};
use super::codec::CodecError;
use super::error::StoreError;
use super::journal::{Entry, Unwritten};
use super::state::{CACHE, Inner, SUSPECT, State};

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
        let done = self.cache.commit(self.stamped(inner, changes)?);
        self.followed(inner, done)
    }

    /// As [`Self::follow`], to be made durable by the next one.
    pub(super) fn follow_later(
        &self,
        inner: &mut Inner,
        changes: Changes,
    ) -> Result<(), StoreError> {
        let done = self.cache.apply(self.stamped(inner, changes)?);
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
