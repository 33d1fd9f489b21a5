//! What the journal adds up to, held in memory: which shadows are current, which operations are open, each target's meta.
//!
//! It holds no shadow, only the number of the journal entry that each current shadow comes from. A shadow that the cache
//! returns with another number, or does not return, is thereby noticed.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher as _;
use std::path::Path;

use super::codec::CodecError;
use super::entry::{self, Head, Moved};
use super::error::StoreError;
use super::journal::{Entry, Journal};
use super::types::{Intent, OpId, TargetMeta};

/// A current shadow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Live {
    /// The entry it comes from.
    pub generation: u64,
    bytes: u32,
}

/// An operation without a conclusion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Open {
    /// The target.
    pub target: String,
    /// Whether it grants and revokes entitlements.
    pub entitles: bool,
    /// Run number and intent. Many can be open at a time, and they are hardly ever asked for.
    pub place: Place,
}

/// Where the journal holds a body that is not kept in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// Where its bytes begin.
    pub offset: u64,
    /// How many there are.
    pub length: usize,
    /// Their checksum.
    pub crc: u32,
}

impl Place {
    /// Of the body of an entry.
    fn of(entry: &Entry<'_>, body: &[u8]) -> Self {
        Self {
            offset: entry.offset + (entry.bytes.len() - body.len()) as u64,
            length: body.len(),
            crc: crc32fast::hash(body),
        }
    }

    /// Reads the body again.
    pub(super) fn read(&self, dir: &Path, journal: &Journal) -> Result<Vec<u8>, StoreError> {
        let bytes = journal.read_at(self.offset, self.length)?;
        if crc32fast::hash(&bytes) == self.crc {
            return Ok(bytes);
        }
        Err(StoreError::damaged(
            dir,
            "the journal changed while it was open; stop whatever writes to it and restart provost",
        ))
    }
}

/// The sum of the journal.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    hasher: RandomState,
    live: HashMap<u64, Live>,
    counts: BTreeMap<String, u64>,
    open: BTreeMap<OpId, Open>,
    metas: BTreeMap<String, TargetMeta>,
    staged: BTreeMap<String, Place>,
    documents: BTreeMap<(String, String), Box<[u8]>>,
    run: u64,
    live_bytes: u64,
}

impl Ledger {
    /// Adds one entry.
    pub(super) fn apply(&mut self, entry: &Entry<'_>) -> Result<(), CodecError> {
        let (head, body) = entry::head(entry.bytes)?;
        match head {
            Head::Begun { target, op } | Head::Entitling { target, op } => {
                let open = Open {
                    target: target.to_owned(),
                    entitles: matches!(head, Head::Entitling { .. }),
                    place: Place::of(entry, body),
                };
                self.open.insert(op, open);
            }
            Head::Ended {
                target,
                op,
                anchor,
                moved,
            } => {
                if let Some(op) = op {
                    self.open.remove(&op);
                }
                match moved {
                    Moved::Put => self.put(target, anchor, entry.seq, entry.bytes.len()),
                    Moved::Remove => self.remove(target, anchor),
                    Moved::Keep => {}
                }
            }
            Head::Shadow {
                target,
                anchor,
                generation,
            } => self.put(target, anchor, generation, entry.bytes.len()),
            Head::Meta { target } => {
                self.metas.insert(target.to_owned(), entry::body(body)?);
            }
            Head::Staged { target } => {
                let place = Place::of(entry, body);
                self.staged.insert(target.to_owned(), place);
            }
            Head::Forgotten { target, anchor } => self.remove(target, anchor),
            Head::Document { kind, key } => self.document(kind, key, body),
            Head::Run { number } => self.run = self.run.max(number),
        }
        Ok(())
    }

    fn put(&mut self, target: &str, anchor: &str, generation: u64, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let live = Live { generation, bytes };
        self.live_bytes += u64::from(bytes);
        match self.live.insert(self.key(target, anchor), live) {
            Some(before) => self.live_bytes -= u64::from(before.bytes),
            None => *self.counts.entry(target.to_owned()).or_default() += 1,
        }
    }

    fn remove(&mut self, target: &str, anchor: &str) {
        if let Some(before) = self.live.remove(&self.key(target, anchor)) {
            self.live_bytes -= u64::from(before.bytes);
            if let Some(count) = self.counts.get_mut(target) {
                *count = count.saturating_sub(1);
            }
        }
    }

    fn document(&mut self, kind: &str, key: &str, body: &[u8]) {
        let place = (kind.to_owned(), key.to_owned());
        let before = if body.is_empty() {
            self.documents.remove(&place)
        } else {
            self.live_bytes += body.len() as u64;
            self.documents.insert(place, body.into())
        };
        self.live_bytes -= before.map_or(0, |before| before.len() as u64);
    }

    /// Our own records, by kind and key.
    pub(super) fn documents(&self) -> &BTreeMap<(String, String), Box<[u8]>> {
        &self.documents
    }

    fn key(&self, target: &str, anchor: &str) -> u64 {
        self.hasher.hash_one((target, anchor))
    }

    /// The current shadow of an anchor, if there is one.
    pub(super) fn live(&self, target: &str, anchor: &str) -> Option<Live> {
        self.live.get(&self.key(target, anchor)).copied()
    }

    /// How many shadows a target has.
    pub(super) fn count(&self, target: &str) -> u64 {
        self.counts.get(target).copied().unwrap_or(0)
    }

    /// How many shadows there are.
    pub(super) fn total(&self) -> u64 {
        self.live.len() as u64
    }

    /// Bytes that a checkpoint would have, roughly.
    pub(super) fn live_bytes(&self) -> u64 {
        let staged: usize = self.staged.values().map(|staged| staged.length).sum();
        self.live_bytes + staged as u64
    }

    /// Operations without a conclusion.
    pub(super) fn open(&self) -> &BTreeMap<OpId, Open> {
        &self.open
    }

    /// Each target's meta, without its staged plan.
    pub(super) fn metas(&self) -> &BTreeMap<String, TargetMeta> {
        &self.metas
    }

    /// Where each target's staged plan is.
    pub(super) fn staged(&self) -> &BTreeMap<String, Place> {
        &self.staged
    }

    /// The last run number handed out.
    pub(super) fn run(&self) -> u64 {
        self.run
    }
}

/// The run number and the intent of an open operation.
pub(super) fn intent(body: &[u8]) -> Result<(u64, Intent), CodecError> {
    entry::body(body)
}
