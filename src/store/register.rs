//! Who owns which account and which unique values, for everybody of a target in a few large records.
//!
//! A copy of what the shadows say, so that a run that looks at few people need not read the shadows of all. Each row
//! names the journal entry that its shadow came from: a row whose shadow has moved since is not believed, and if any row
//! is missing, the shadows themselves are read and the copy is made anew.

use std::collections::{BTreeMap, HashMap};

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use serde::{Deserialize, Serialize};

use super::cache::{CacheError, Changes};
use super::codec;
use super::error::StoreError;
use super::keys::{self, Kind};
use super::state::{Inner, State};
use super::targets::content;
use super::types::ShadowMove;
use crate::model::{AccountId, Anchor, Life, Shadow, Value};

/// So many buckets at least are worth another thread.
const TOGETHER: usize = 32;

/// What a shadow says about others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RegisterRow {
    /// The account, once linked.
    pub account: Option<AccountId>,
    /// Whether the account is gone and only the link is kept.
    pub buried: bool,
    /// The values of the attributes asked for, in their order.
    pub values: Vec<Option<Value>>,
}

impl RegisterRow {
    /// What this shadow says, of these attributes.
    #[must_use]
    pub fn of(shadow: &Shadow, attributes: &[String]) -> Self {
        let value = |name: &String| shadow.attributes.get(name).cloned();
        Self {
            account: shadow.account.clone(),
            buried: matches!(shadow.life, Life::Tombstone { .. }),
            values: attributes.iter().map(value).collect(),
        }
    }
}

/// The entry a shadow came from, and what it says.
type Row = (u64, RegisterRow);
/// A bucket as stored, with the attributes that its rows hold.
type Bucket = (Vec<String>, Vec<(Anchor, Row)>);

/// What becomes of rows of one bucket.
type Moves = Vec<(Anchor, Option<Row>)>;

/// What has moved since the register of a target was read or written.
#[derive(Debug)]
pub(super) struct Following {
    attributes: Vec<String>,
    moved: HashMap<Anchor, Option<Row>>,
    /// Nothing that is stored is of use.
    anew: bool,
}

impl Following {
    /// Notes what becomes of a shadow.
    pub(super) fn note(&mut self, anchor: &Anchor, generation: u64, shadow: &ShadowMove) {
        let row = match shadow {
            ShadowMove::Put(shadow) => {
                Some((generation, RegisterRow::of(shadow, &self.attributes)))
            }
            ShadowMove::Remove => None,
            ShadowMove::Keep => return,
        };
        self.moved.insert(anchor.clone(), row);
    }

    /// Notes that a shadow was forgotten.
    pub(super) fn forget(&mut self, anchor: &Anchor) {
        self.moved.insert(anchor.clone(), None);
    }
}

/// Whether a row says what the current shadow of its person says.
fn is_current(inner: &Inner, target: &str, anchor: &Anchor, (generation, _): &Row) -> bool {
    let live = inner.ledger.live(target, anchor.as_str());
    live.is_some_and(|live| live.generation == *generation)
}

impl State {
    /// What every shadow of a target says about its account and these attributes, ordered by anchor.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the cache does not agree with the journal; what was delivered until then is discarded.
    pub fn register(
        &self,
        target: &str,
        attributes: &[String],
        each: &mut dyn FnMut(Anchor, RegisterRow),
    ) -> Result<(), StoreError> {
        let mut inner = self.inner()?;
        let mut rows = self
            .stored_rows(&inner, target, attributes)
            .map_err(|e| self.doubt(e))?;
        let followed = inner
            .registers
            .remove(target)
            .filter(|following| following.attributes == attributes);
        let mut following = followed.unwrap_or_else(|| Following {
            attributes: attributes.to_vec(),
            moved: HashMap::new(),
            anew: false,
        });
        for (anchor, row) in &following.moved {
            match row
                .as_ref()
                .filter(|row| is_current(&inner, target, anchor, row))
            {
                Some(row) => rows.insert(anchor.clone(), row.clone()),
                None => rows.remove(anchor),
            };
        }
        if rows.len() as u64 != inner.ledger.count(target) {
            rows.clear();
            self.scan_shadows(&mut inner, target, &mut |shadow, generation| {
                let row = RegisterRow::of(&shadow, attributes);
                rows.insert(shadow.anchor, (generation, row));
            })?;
            following.anew = true;
            following.moved = rows
                .iter()
                .map(|(anchor, row)| (anchor.clone(), Some(row.clone())))
                .collect();
        }
        inner.registers.insert(target.to_owned(), following);
        drop(inner);
        let mut rows: Vec<(Anchor, Row)> = rows.into_iter().collect();
        rows.par_sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (anchor, (_generation, row)) in rows {
            each(anchor, row);
        }
        Ok(())
    }

    /// The rows that are stored and current.
    fn stored_rows(
        &self,
        inner: &Inner,
        target: &str,
        attributes: &[String],
    ) -> Result<HashMap<Anchor, Row>, CacheError> {
        let mut payloads = Vec::new();
        let prefix = keys::prefix(Kind::Register, target);
        self.cache.scan(&prefix, &mut |_, payload| {
            payloads.push(payload.to_vec());
            Ok(())
        })?;
        let current = |payload: Vec<u8>| {
            let (stored, mut bucket): Bucket = codec::decode(&payload).map_err(content)?;
            if stored != attributes {
                return Ok(Vec::new());
            }
            bucket.retain(|(anchor, row)| is_current(inner, target, anchor, row));
            Ok(bucket)
        };
        let buckets: Vec<Vec<(Anchor, Row)>> = payloads
            .into_par_iter()
            .with_min_len(TOGETHER)
            .map(current)
            .collect::<Result<_, CacheError>>()?;
        let mut rows = HashMap::with_capacity(buckets.iter().map(Vec::len).sum());
        rows.extend(buckets.into_iter().flatten());
        Ok(rows)
    }

    /// Writes what has moved since the register of a target was last read. Losing it costs one reading of all shadows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn commit_register(&self, target: &str) -> Result<(), StoreError> {
        let mut inner = self.inner()?;
        let Some(following) = inner.registers.remove(target) else {
            return Ok(());
        };
        let Following {
            attributes,
            moved,
            anew,
        } = following;
        let mut buckets: BTreeMap<u32, Moves> = BTreeMap::new();
        for (anchor, row) in moved {
            let bucket = buckets.entry(keys::bucket(&anchor)).or_default();
            bucket.push((anchor, row));
        }
        let buckets: Vec<(u32, Moves)> = buckets.into_iter().collect();
        let all = buckets.into_par_iter().with_min_len(TOGETHER);
        let written = all.map(|(bucket, moves)| {
            let key = keys::by_bucket(Kind::Register, target, bucket);
            let payload = self.entered(&key, &attributes, moves, anew)?;
            Ok((key, payload))
        });
        let written: Vec<(Vec<u8>, Vec<u8>)> = written.collect::<Result<_, StoreError>>()?;
        let mut changes = Changes::default();
        for (key, payload) in written {
            changes.put(key, &payload);
            // Each bucket stands for itself.
            if changes.is_much() {
                self.follow_partly(&mut inner, std::mem::take(&mut changes))?;
            }
        }
        if !changes.is_empty() {
            self.follow_partly(&mut inner, changes)?;
        }
        let following = Following {
            attributes,
            moved: HashMap::new(),
            anew: false,
        };
        inner.registers.insert(target.to_owned(), following);
        Ok(())
    }

    /// What a bucket is once these have moved.
    fn entered(
        &self,
        key: &[u8],
        attributes: &[String],
        moves: Moves,
        anew: bool,
    ) -> Result<Vec<u8>, StoreError> {
        let mut rows: BTreeMap<Anchor, Row> = BTreeMap::new();
        if !anew {
            let stored = self.cache.get(key).map_err(|e| self.doubt(e))?;
            let stored = stored.map(|payload| codec::decode::<Bucket>(&payload));
            let stored = stored.transpose().map_err(|e| self.doubt(content(e)))?;
            let stored = stored.filter(|(names, _)| names == attributes);
            rows.extend(stored.into_iter().flat_map(|(_, rows)| rows));
        }
        for (anchor, row) in moves {
            match row {
                Some(row) => rows.insert(anchor, row),
                None => rows.remove(&anchor),
            };
        }
        let rows: Vec<(&Anchor, &Row)> = rows.iter().collect();
        codec::encode(&(attributes, rows)).map_err(|e| self.unencodable(e))
    }
}
