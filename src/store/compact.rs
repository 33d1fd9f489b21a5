//! Summarising the journal: current shadows, metas and open operations go into a new file, the past is dropped.
//!
//! The new file is made from the old one alone, never from the cache. It is whole and durable before it takes the old
//! one's place.

use std::path::Path;

use super::entry::{self, Head, Moved};
use super::error::StoreError;
use super::journal::{Header, Journal};
use super::ledger::Ledger;
use super::state::{self, State};

/// A journal smaller than this is left alone.
const WORTH_IT: u64 = 16 << 20;
/// How much larger than its current content a journal may become, in percent: every start reads all of it.
const SURPLUS: u64 = 150;
/// Bytes of entries per frame of a summary.
const FRAME: usize = 1 << 20;

/// Whether summarising is worth its while.
pub(super) fn is_due(journal: &Journal, ledger: &Ledger) -> bool {
    journal.len() > WORTH_IT && journal.len() / 100 > ledger.live_bytes() * SURPLUS / 10_000
}

/// Summarises a journal in place.
pub(super) fn compact(
    path: &Path,
    old: &Journal,
    ledger: &Ledger,
) -> Result<(Journal, Ledger), StoreError> {
    let header = Header {
        instance: old.header().instance,
        prior: old.mark(),
    };
    let mut journal = Journal::replace(path, header, |new| summarise(path, old, ledger, new))?;
    let dir = path.parent().unwrap_or(path);
    let (ledger, scan, _) = state::read(dir, &journal, None)?;
    journal.settle(&scan)?;
    Ok((journal, ledger))
}

fn summarise(
    path: &Path,
    old: &Journal,
    ledger: &Ledger,
    new: &mut Journal,
) -> Result<(), StoreError> {
    let unsound = |e| StoreError::damaged(path, format!("cannot be summarised: {e}"));
    let mut pending = Vec::new();
    let mut bytes = 0;
    let mut add = |item: Vec<u8>, new: &mut Journal| {
        bytes += item.len();
        pending.push(item);
        if bytes < FRAME {
            return Ok(());
        }
        bytes = 0;
        new.append_unsynced(&std::mem::take(&mut pending))
    };
    old.scan(
        &mut |entry| {
            let carried = carry(ledger, entry.seq, entry.bytes).map_err(unsound)?;
            carried.map_or(Ok(()), |item| add(item, new))
        },
        &mut |_mark| {},
    )?;
    for (target, meta) in ledger.metas() {
        add(
            entry::write(Head::Meta { target }, meta).map_err(unsound)?,
            new,
        )?;
    }
    for (target, staged) in ledger.staged() {
        let mut item = entry::head_bytes(Head::Staged { target }).map_err(unsound)?;
        item.extend_from_slice(&staged.read(path, old)?);
        add(item, new)?;
    }
    for ((kind, key), body) in ledger.documents() {
        let mut item = entry::head_bytes(Head::Document { kind, key }).map_err(unsound)?;
        item.extend_from_slice(body);
        add(item, new)?;
    }
    for (&op, open) in ledger.open() {
        let target = &open.target;
        let head = match open.entitles {
            true => Head::Entitling { target, op },
            false => Head::Begun { target, op },
        };
        let mut item = entry::head_bytes(head).map_err(unsound)?;
        item.extend_from_slice(&open.place.read(path, old)?);
        add(item, new)?;
    }
    let number = ledger.run();
    add(
        entry::write(Head::Run { number }, &()).map_err(unsound)?,
        new,
    )?;
    if pending.is_empty() {
        Ok(())
    } else {
        new.append_unsynced(&pending)
    }
}

/// The entry that carries a current shadow over, if this entry holds one.
fn carry(
    ledger: &Ledger,
    seq: u64,
    bytes: &[u8],
) -> Result<Option<Vec<u8>>, super::codec::CodecError> {
    let (head, body) = entry::head(bytes)?;
    let (target, anchor, generation, shadow) = match head {
        Head::Ended {
            target,
            anchor,
            moved: Moved::Put,
            ..
        } => (target, anchor, seq, entry::shadow_bytes(body)?),
        Head::Shadow {
            target,
            anchor,
            generation,
        } => (target, anchor, generation, body),
        Head::Ended {
            moved: Moved::Remove | Moved::Keep,
            ..
        }
        | Head::Begun { .. }
        | Head::Entitling { .. }
        | Head::Meta { .. }
        | Head::Staged { .. }
        | Head::Document { .. }
        | Head::Forgotten { .. }
        | Head::Run { .. } => return Ok(None),
    };
    if ledger.live(target, anchor).map(|live| live.generation) != Some(generation) {
        return Ok(None);
    }
    let mut item = entry::head_bytes(Head::Shadow {
        target,
        anchor,
        generation,
    })?;
    item.extend_from_slice(shadow);
    Ok(Some(item))
}

impl State {
    /// Summarises the journal now, whatever its size. Returns its size before and after, in bytes.
    ///
    /// # Errors
    /// When the new journal cannot be written; the old one then stays.
    pub fn compact(&self) -> Result<(u64, u64), StoreError> {
        let mut inner = self.inner()?;
        self.catch_up(&mut inner)?;
        let before = inner.journal.len();
        let path = self.dir.join("journal.log");
        let (journal, ledger) = compact(&path, &inner.journal, &inner.ledger)?;
        inner.journal = journal;
        inner.ledger = ledger;
        self.follow(&mut inner, super::cache::Changes::default())?;
        Ok((before, inner.journal.len()))
    }

    /// Summarises the journal if that is worth its while; a long-running process calls it now and then.
    ///
    /// # Errors
    /// As [`Self::compact`].
    pub fn compact_if_due(&self) -> Result<Option<(u64, u64)>, StoreError> {
        let due = {
            let inner = self.inner()?;
            is_due(&inner.journal, &inner.ledger)
        };
        if due {
            self.compact().map(Some)
        } else {
            Ok(None)
        }
    }
}
