//! Settled marks: whose account was found as wanted, so that nobody need decide about them again.
//!
//! They are kept in buckets, each mark with the journal entry of the shadow it was made for.

use std::collections::{BTreeMap, HashSet};

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};

use super::cache::Changes;
use super::codec;
use super::error::StoreError;
use super::keys::{self, Kind};
use super::shelves::Change;
use super::state::{Inner, State};
use super::targets::content;
use super::types::{Settled, SettledIndex};
use crate::model::Anchor;

/// So many buckets at least are worth another thread.
const TOGETHER: usize = 32;

/// Marks of one bucket to set or remove.
type Marks<'a> = Vec<&'a (Anchor, Option<Settled>)>;

/// A settled mark, and which shadow it was made for: once the shadow has moved, it means nothing.
type Mark = (Anchor, Settled, u64);

impl State {
    /// Everybody whose account was found as wanted and whose shadow has not moved since.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if a record is.
    pub fn settled(&self, target: &str) -> Result<SettledIndex, StoreError> {
        let mut index = SettledIndex::new();
        self.each_settled(target, &mut |anchor, settled| {
            // Whatever was stored as an anchor is one.
            if let Ok(anchor) = Anchor::new(anchor) {
                index.insert(anchor, settled);
            }
        })?;
        Ok(index)
    }

    /// As [`Self::settled`], without holding them all.
    ///
    /// # Errors
    /// As [`Self::settled`]; what was delivered until then is to be discarded.
    pub fn each_settled(
        &self,
        target: &str,
        each: &mut dyn FnMut(&str, Settled),
    ) -> Result<(), StoreError> {
        let inner = self.inner()?;
        let prefix = keys::prefix(Kind::Settled, target);
        let scanned = self.cache.scan(&prefix, &mut |_, payload| {
            let rows: Vec<(&str, Settled, u64)> = codec::borrow(payload).map_err(content)?;
            for (anchor, settled, generation) in rows {
                if generation_of(&inner, target, anchor) == generation {
                    each(anchor, settled);
                }
            }
            Ok(())
        });
        scanned.map_err(|e| self.doubt(e))
    }

    /// The first moment after `after` (Unix seconds) at which time alone changes what somebody should have in a target.
    /// Marks that mean nothing any more count too: an edge too many costs a look, one too few an hour of access.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if a record is.
    pub fn earliest_due(&self, target: &str, after: i64) -> Result<Option<i64>, StoreError> {
        let _inner = self.inner()?;
        let mut earliest: Option<i64> = None;
        let prefix = keys::prefix(Kind::Settled, target);
        let scanned = self.cache.scan(&prefix, &mut |_, payload| {
            let rows: Vec<Mark> = codec::decode(payload).map_err(content)?;
            let dues = rows.iter().filter_map(|(_, settled, _)| settled.due);
            for due in dues.filter(|due| *due > after) {
                earliest = Some(earliest.map_or(due, |known| known.min(due)));
            }
            Ok(())
        });
        scanned.map_err(|e| self.doubt(e))?;
        Ok(earliest)
    }

    /// Remembers or forgets settled marks. Losing them is harmless: everybody is then looked at again.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn commit_settled(
        &self,
        target: &str,
        marks: &[(Anchor, Option<Settled>)],
    ) -> Result<(), StoreError> {
        if marks.is_empty() {
            return Ok(());
        }
        let mut inner = self.inner()?;
        let mut buckets: BTreeMap<u32, Marks<'_>> = BTreeMap::new();
        for mark in marks {
            buckets.entry(keys::bucket(&mark.0)).or_default().push(mark);
        }
        let buckets: Vec<(u32, Marks<'_>)> = buckets.into_iter().collect();
        let marked: Vec<Change> = {
            let inner = &*inner;
            let of_bucket = |(bucket, marks): (u32, Marks<'_>)| {
                let key = keys::by_bucket(Kind::Settled, target, bucket);
                let payload = self.marked(inner, target, &key, &marks)?;
                Ok((key, payload))
            };
            let all = buckets.into_par_iter().with_min_len(TOGETHER);
            all.map(of_bucket).collect::<Result<_, StoreError>>()?
        };
        let mut changes = Changes::default();
        for (key, payload) in marked {
            match payload {
                Some(payload) => changes.put(key, &payload),
                None => changes.remove(key),
            }
            // Each bucket stands for itself.
            if changes.is_much() {
                self.follow_partly(&mut inner, std::mem::take(&mut changes))?;
            }
        }
        self.follow(&mut inner, changes)
    }

    /// What a bucket is once these marks are set or removed; `None` if nothing is left in it.
    fn marked(
        &self,
        inner: &Inner,
        target: &str,
        key: &[u8],
        marks: &Marks<'_>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let before = self.cache.get(key).map_err(|e| self.doubt(e))?;
        let mut rows: Vec<(&str, Settled, u64)> = Vec::new();
        if let Some(before) = &before {
            let moved: HashSet<&str> = marks.iter().map(|(anchor, _)| anchor.as_str()).collect();
            rows = codec::borrow(before).map_err(|e| self.doubt(content(e)))?;
            rows.retain(|(anchor, ..)| !moved.contains(anchor));
        }
        for (anchor, settled) in marks {
            if let Some(settled) = settled {
                let generation = generation_of(inner, target, anchor.as_str());
                rows.push((anchor.as_str(), *settled, generation));
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let payload = codec::encode(&rows).map_err(|e| self.unencodable(e))?;
        Ok(Some(payload))
    }
}

/// Which journal entry an identity's shadow comes from; 0 if there is none.
fn generation_of(inner: &Inner, target: &str, anchor: &str) -> u64 {
    let live = inner.ledger.live(target, anchor);
    live.map_or(0, |live| live.generation)
}
