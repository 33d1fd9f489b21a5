//! Opening a state directory: lock, journal, cache, and what to do when they disagree.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use super::cache::{Cache, CacheError, Changes, Stamp};
use super::codec::CodecError;
use super::entry::{self, Head, Moved};
use super::error::StoreError;
use super::files;
use super::follow::Behind;
use super::journal::{Header, Journal, Mark, Scan};
use super::keys::{self, Kind};
use super::ledger::Ledger;
use super::register::Following;
use super::types::Opened;
use crate::model::Anchor;

const LOCK: &str = "lock";
const JOURNAL: &str = "journal.log";
pub(super) const CACHE: &str = "cache";
/// Its presence asks the next start to make the cache anew; its content says why.
pub(super) const SUSPECT: &str = "cache.suspect";

/// The state of one Provost: everything below one directory, held by one process.
#[derive(Debug)]
pub struct State {
    pub(super) dir: PathBuf,
    pub(super) cache: Cache,
    pub(super) inner: Mutex<Inner>,
    pub(super) document_writes: AtomicU64,
    /// Held while what a directory said is written or read as a whole.
    pub(super) reading: Mutex<()>,
    opened: Opened,
    notes: Vec<String>,
    _lock: File,
}

/// What writes must agree on.
#[derive(Debug)]
pub(super) struct Inner {
    pub journal: Journal,
    pub ledger: Ledger,
    /// By target, what the stored register lacks.
    pub registers: BTreeMap<String, Following>,
    /// Shadows that the cache does not have yet.
    pub behind: Behind,
    /// Set by a write that failed half way: nothing is written or believed after it.
    pub stopped: Option<String>,
}

impl State {
    /// Opens a state directory, or begins one (mode 0700), and brings its cache up to date.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process holds it; [`StoreError::Damaged`] if the journal is damaged other than at
    /// its very end; [`StoreError::Version`], [`StoreError::Permissions`], [`StoreError::Full`], [`StoreError::Io`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        files::private_dir(dir)?;
        let lock = files::lock(&dir.join(LOCK))?;
        let mut notes = Vec::new();
        let fresh = !dir
            .join(JOURNAL)
            .try_exists()
            .map_err(|e| StoreError::io(&dir.join(JOURNAL), "look for", e))?;
        let mut journal = if fresh {
            begin(dir)?
        } else {
            Journal::open(&dir.join(JOURNAL))?
        };
        let (mut cache, mut doubt) = open_cache(dir)?;
        let (mut ledger, at_stamp) = load(dir, &mut journal, stamp_seq(&cache), &mut notes)?;
        if super::compact::is_due(&journal, &ledger) {
            let before = journal.len();
            (journal, ledger) = super::compact::compact(&dir.join(JOURNAL), &journal, &ledger)?;
            notes.push(format!(
                "the journal was summarised from {before} to {} bytes",
                journal.len()
            ));
        }
        if let Some((_, stamp)) = &cache {
            doubt = doubt.or_else(|| disagreement(*stamp, &journal, at_stamp));
        }
        let mut opened = if fresh { Opened::Fresh } else { Opened::Clean };
        let (cache, from) = match (cache.take(), doubt) {
            (Some((cache, Some(stamp))), None) => (cache, stamp.mark.seq),
            (Some((cache, None)), None) => {
                if journal.mark().seq > 0 {
                    opened = Opened::Rebuilt {
                        why: "there was none".to_owned(),
                        moved_to: None,
                    };
                }
                (cache, 0)
            }
            (found, doubt) => {
                drop(found);
                let moved_to = set_aside(dir)?;
                opened = Opened::Rebuilt {
                    why: doubt.unwrap_or_default(),
                    moved_to,
                };
                (Cache::open(&dir.join(CACHE)).map_err(|e| fatal(dir, e))?, 0)
            }
        };
        let n = replay(dir, &cache, &journal, &ledger, from)?;
        clear_suspicion(dir)?;
        if n > 0 && opened == Opened::Clean {
            opened = Opened::Replayed { n };
        }
        let inner = Inner {
            journal,
            ledger,
            registers: BTreeMap::new(),
            behind: Behind::default(),
            stopped: None,
        };
        Ok(Self {
            dir: dir.to_path_buf(),
            cache,
            inner: Mutex::new(inner),
            document_writes: AtomicU64::new(0),
            reading: Mutex::default(),
            opened,
            notes,
            _lock: lock,
        })
    }

    /// What opening found.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// What else opening did, for the log: a torn tail cut off, a journal summarised.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What tells this state directory from every other: drawn once, when it was begun.
    ///
    /// # Errors
    /// After a write that failed half way.
    pub fn instance(&self) -> Result<[u8; 16], StoreError> {
        Ok(self.inner()?.journal.header().instance)
    }

    /// The number of a new run; never handed out twice.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn next_run(&self) -> Result<u64, StoreError> {
        let mut inner = self.inner()?;
        let number = inner.ledger.run() + 1;
        let bytes = entry::write(Head::Run { number }, &()).map_err(|e| self.unencodable(e))?;
        self.append(&mut inner, &[bytes])?;
        Ok(number)
    }
}

/// Makes the cache of a state directory anew from its journal, whatever state it is in, and says where the old one is.
///
/// # Errors
/// As [`State::open`].
pub fn rebuild(dir: &Path) -> Result<Opened, StoreError> {
    files::private_dir(dir)?;
    {
        let _lock = files::lock(&dir.join(LOCK))?;
        let path = dir.join(SUSPECT);
        std::fs::write(&path, "an operator asked for it")
            .map_err(|e| StoreError::io(&path, "write", e))?;
    }
    State::open(dir).map(|state| state.opened().clone())
}

/// Begins a new journal, unless a cache is there: then the journal was lost, and beginning anew would forget everybody.
fn begin(dir: &Path) -> Result<Journal, StoreError> {
    if dir.join(CACHE).exists() {
        return Err(StoreError::damaged(
            &dir.join(JOURNAL),
            "the journal is missing although there is a cache; restore the file from a backup, or move the state directory aside to start anew",
        ));
    }
    let header = Header {
        instance: crate::random::array()
            .map_err(|e| StoreError::io(dir, "begin a journal", std::io::Error::other(e)))?,
        prior: Mark::default(),
    };
    Journal::replace(&dir.join(JOURNAL), header, |_| Ok(()))
}

type Found = Option<(Cache, Option<Stamp>)>;

/// Opens the cache as it is. A reason to doubt it comes second.
fn open_cache(dir: &Path) -> Result<(Found, Option<String>), StoreError> {
    let suspicion = dir.join(SUSPECT);
    if suspicion.exists() {
        let why = std::fs::read_to_string(&suspicion).unwrap_or_default();
        return Ok((None, Some(format!("it was found damaged: {why}"))));
    }
    let opened = Cache::open(&dir.join(CACHE)).and_then(|cache| {
        let stamp = cache.stamp()?;
        Ok((cache, stamp))
    });
    match opened {
        Ok(found) => Ok((Some(found), None)),
        Err(CacheError::Damaged(why)) => Ok((None, Some(why))),
        Err(CacheError::Store(e)) => Err(e),
    }
}

fn stamp_seq(found: &Found) -> Option<u64> {
    found
        .as_ref()
        .and_then(|(_, stamp)| stamp.map(|s| s.mark.seq))
}

/// Reads the journal into a ledger and cuts off a torn tail. Also returns the mark at the number asked for.
fn load(
    dir: &Path,
    journal: &mut Journal,
    wanted: Option<u64>,
    notes: &mut Vec<String>,
) -> Result<(Ledger, Option<Mark>), StoreError> {
    let (ledger, scan, at) = read(dir, journal, wanted)?;
    if scan.torn > 0 {
        notes.push(format!(
            "the last {} bytes of the journal were an incomplete commit and were cut off",
            scan.torn
        ));
    }
    journal.settle(&scan)?;
    Ok((ledger, at))
}

/// Reads the journal into a ledger.
pub(super) fn read(
    dir: &Path,
    journal: &Journal,
    wanted: Option<u64>,
) -> Result<(Ledger, Scan, Option<Mark>), StoreError> {
    let mut ledger = Ledger::default();
    let mut at = None;
    let scan = journal.scan(
        &mut |entry| {
            ledger.apply(&entry).map_err(|e| {
                StoreError::damaged(
                    &dir.join(JOURNAL),
                    format!("entry {}: {e}; restore the file from a backup", entry.seq),
                )
            })
        },
        &mut |mark| {
            if Some(mark.seq) == wanted {
                at = Some(mark);
            }
        },
    )?;
    Ok((ledger, scan, at))
}

/// Why a cache cannot be the index of this journal, if it cannot.
fn disagreement(stamp: Option<Stamp>, journal: &Journal, at: Option<Mark>) -> Option<String> {
    let stamp = stamp?;
    let header = journal.header();
    if stamp.instance != header.instance {
        return Some("it belongs to another state directory".to_owned());
    }
    if stamp.mark.seq == 0 || stamp.mark == header.prior || at == Some(stamp.mark) {
        return None;
    }
    Some(if stamp.mark.seq > journal.mark().seq {
        "it is ahead of the journal, which lost entries or was restored from a backup".to_owned()
    } else if stamp.mark.seq < header.prior.seq {
        "it is older than what the journal remembers in detail".to_owned()
    } else {
        "it was made from another journal".to_owned()
    })
}

/// Moves the cache out of the way; returns where to, if there was one.
fn set_aside(dir: &Path) -> Result<Option<PathBuf>, StoreError> {
    let from = dir.join(CACHE);
    if !from.exists() {
        return Ok(None);
    }
    let free = (1_u32..).map(|n| dir.join(format!("{CACHE}.corrupt-{n}")));
    for to in free {
        if !to.exists() {
            std::fs::rename(&from, &to)
                .map_err(|e| StoreError::io(&from, "move the damaged cache aside", e))?;
            files::sync_dir(dir)?;
            return Ok(Some(to));
        }
    }
    Ok(None)
}

fn clear_suspicion(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(SUSPECT);
    match std::fs::remove_file(&path) {
        Ok(()) => files::sync_dir(dir),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(StoreError::io(&path, "remove", e)),
    }
}

/// Damage of a cache that was only just made.
fn fatal(dir: &Path, e: CacheError) -> StoreError {
    match e {
        CacheError::Store(e) => e,
        CacheError::Damaged(why) => StoreError::damaged(
            &dir.join(CACHE),
            format!("the new cache does not work either: {why}; check the disk"),
        ),
    }
}

/// Brings the cache from entry `from` to the end of the journal. Returns how many entries it had missed.
fn replay(
    dir: &Path,
    cache: &Cache,
    journal: &Journal,
    ledger: &Ledger,
    from: u64,
) -> Result<u64, StoreError> {
    let end = journal.mark();
    let stamp = Stamp {
        instance: journal.header().instance,
        mark: end,
    };
    if from >= end.seq && from > 0 {
        return Ok(0);
    }
    let damaged =
        |e: CodecError| StoreError::damaged(&dir.join(JOURNAL), format!("cannot be replayed: {e}"));
    let mut behind = Behind::default();
    let mut missed = 0;
    journal.scan(
        &mut |entry| {
            let (head, body) = entry::head(entry.bytes).map_err(damaged)?;
            let carried = matches!(head, Head::Shadow { generation, .. } if generation <= from);
            if entry.seq <= from || carried {
                return Ok(());
            }
            let known = replay_entry(&mut behind, ledger, entry.seq, head, body);
            missed += u64::from(known.map_err(damaged)?);
            if behind.is_much() {
                behind.write(cache).map_err(|e| fatal(dir, e))?;
            }
            Ok(())
        },
        &mut |_mark| {},
    )?;
    if missed == 0 && from > 0 {
        return Ok(0);
    }
    behind.write(cache).map_err(|e| fatal(dir, e))?;
    let mut changes = Changes::default();
    changes.stamp(&stamp).map_err(damaged)?;
    cache.commit(changes).map_err(|e| fatal(dir, e))?;
    Ok(missed)
}

/// Adds what an entry changes in the cache; says whether it changes anything.
fn replay_entry(
    behind: &mut Behind,
    ledger: &Ledger,
    seq: u64,
    head: Head<'_>,
    body: &[u8],
) -> Result<bool, CodecError> {
    let (target, anchor, shadow) = match head {
        Head::Ended {
            target,
            anchor,
            moved: Moved::Put,
            ..
        } => (target, anchor, Some((seq, entry::shadow_bytes(body)?))),
        Head::Shadow {
            target,
            anchor,
            generation,
        } => (target, anchor, Some((generation, body))),
        Head::Ended {
            target,
            anchor,
            moved: Moved::Remove,
            ..
        }
        | Head::Forgotten { target, anchor } => (target, anchor, None),
        Head::Ended {
            moved: Moved::Keep, ..
        }
        | Head::Begun { .. }
        | Head::Entitling { .. }
        | Head::Meta { .. }
        | Head::Staged { .. }
        | Head::Document { .. }
        | Head::Run { .. } => return Ok(false),
    };
    let anchor_key = Anchor::new(anchor).map_err(|_not_an_anchor| CodecError::Content)?;
    let key = keys::by_anchor(Kind::Shadow, target, &anchor_key);
    match (shadow, ledger.live(target, anchor)) {
        (Some((generation, bytes)), Some(live)) if live.generation == generation => {
            behind.put(key, Some(shadow_payload(generation, bytes)));
        }
        // A later entry says something else.
        (Some(_) | None, Some(_)) => {}
        (_, None) => behind.put(key, None),
    }
    Ok(true)
}

/// A shadow in the cache: the entry it comes from, then its bytes.
pub(super) fn shadow_payload(generation: u64, bytes: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(bytes.len() + 8);
    payload.extend_from_slice(&generation.to_le_bytes());
    payload.extend_from_slice(bytes);
    payload
}
