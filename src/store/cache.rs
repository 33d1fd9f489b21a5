//! The cache: `sled`, wrapped so that nothing it does wrong is believed.
//!
//! Every value is framed and bound to its key (see [`super::codec`]). Every call is made where a panic of `sled` is caught.
//! A commit is one batch, a flush, and an fsync of its files: `flush()` alone does not survive a power cut.
//! The cache is never repaired: it is moved aside and made anew from the journal.

use std::collections::BTreeMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::codec::{self, CodecError};
use super::error::StoreError;
use super::files;
use super::journal::Mark;

/// Memory that `sled` may use for its pages, in bytes.
const CACHE: u64 = 16 << 20;
/// How often and how long to wait for a database that this process has just closed: its threads let go a little later.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// Bytes, and values, that are written in one batch.
const BATCH: usize = 128 << 10;
const MANY: usize = 256;

const STAMP: &[u8] = b"!stamp";

/// Why the cache cannot be used.
#[derive(Debug)]
pub(super) enum CacheError {
    /// It is damaged or does not belong here: make it anew.
    Damaged(String),
    /// The system does not let us: making it anew would not help.
    Store(StoreError),
}

/// Which journal the cache was made from, and up to where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Stamp {
    /// The instance.
    pub instance: [u8; 16],
    /// The last journal entries that the cache contains.
    pub mark: Mark,
}

/// Takes a key and a payload.
type Each<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), CacheError>;

/// Takes a kind and a payload.
type OfKind<'a> = &'a mut dyn FnMut(u8, &[u8]) -> Result<(), CacheError>;
/// A key and a payload.
type Record = (Vec<u8>, Vec<u8>);

/// What one commit changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    items: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
}

impl Changes {
    /// Sets a value.
    pub(super) fn put(&mut self, key: Vec<u8>, payload: &[u8]) {
        let framed = codec::seal(&key, payload);
        self.bytes += framed.len();
        self.items.insert(key, Some(framed));
    }

    /// Sets a value whose frame is begun, see [`codec::unsealed`].
    pub(super) fn put_unsealed(&mut self, key: Vec<u8>, unsealed: Vec<u8>) {
        let framed = codec::close(&key, unsealed);
        self.bytes += framed.len();
        self.items.insert(key, Some(framed));
    }

    /// Removes a value.
    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.items.insert(key, None);
    }

    /// Sets the stamp.
    pub(super) fn stamp(&mut self, stamp: &Stamp) -> Result<(), CodecError> {
        self.put(STAMP.to_vec(), &codec::encode(stamp)?);
        Ok(())
    }

    /// Whether nothing changes.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether they are worth a batch of their own: much larger ones cost `sled` a lot of memory.
    pub(super) fn is_much(&self) -> bool {
        self.bytes >= BATCH || self.items.len() >= MANY
    }
}

/// The open cache.
#[derive(Debug)]
pub(super) struct Cache {
    db: sled::Db,
    dir: PathBuf,
    file: File,
}

impl Cache {
    /// Opens the database in `dir`, or makes it.
    pub(super) fn open(dir: &Path) -> Result<Self, CacheError> {
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace);
        let mut tries = 0;
        let db = loop {
            match guarded(dir, || config.open()) {
                Ok(db) => break db,
                Err(CacheError::Store(StoreError::Io { source, .. }))
                    if tries < TRIES && is_sled_lock(&source) =>
                {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                Err(e) => return Err(e),
            }
        };
        let path = dir.join("db");
        let file =
            File::open(&path).map_err(|e| CacheError::Store(StoreError::io(&path, "open", e)))?;
        Ok(Self {
            db,
            dir: dir.to_path_buf(),
            file,
        })
    }

    /// The stamp; `None` in a new database.
    pub(super) fn stamp(&self) -> Result<Option<Stamp>, CacheError> {
        let Some(payload) = self.get(STAMP)? else {
            return if self.is_empty()? {
                Ok(None)
            } else {
                Err(CacheError::Damaged("its stamp is missing".to_owned()))
            };
        };
        codec::decode(&payload)
            .map(Some)
            .map_err(|e| self.unsound(STAMP, e))
    }

    fn is_empty(&self) -> Result<bool, CacheError> {
        guarded(&self.dir, || {
            Ok(self.db.iter().next().transpose()?.is_none())
        })
    }

    /// The payload under a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, CacheError> {
        let found = guarded(&self.dir, || self.db.get(key))?;
        found
            .map(|framed| {
                codec::unseal(key, &framed)
                    .map(<[u8]>::to_vec)
                    .map_err(|e| self.unsound(key, e))
            })
            .transpose()
    }

    /// Every key (without the prefix) and payload below a prefix, in order of keys.
    pub(super) fn scan(&self, prefix: &[u8], each: Each<'_>) -> Result<(), CacheError> {
        let mut items = guarded(&self.dir, || Ok(self.db.scan_prefix(prefix)))?;
        while let Some((key, framed)) = guarded(&self.dir, || items.next().transpose())? {
            let payload = codec::unseal(&key, &framed).map_err(|e| self.unsound(&key, e))?;
            each(key.get(prefix.len()..).unwrap_or_default(), payload)?;
        }
        Ok(())
    }

    /// The last key and payload that is not behind `key` and begins with the same `prefix` bytes.
    pub(super) fn last_until(
        &self,
        key: &[u8],
        prefix: usize,
    ) -> Result<Option<Record>, CacheError> {
        let found = guarded(&self.dir, || self.db.range(..=key).next_back().transpose())?;
        let same = found.filter(|(found, _)| found.get(..prefix) == key.get(..prefix));
        same.map(|(key, framed)| {
            let payload = codec::unseal(&key, &framed).map_err(|e| self.unsound(&key, e))?;
            Ok((key.to_vec(), payload.to_vec()))
        })
        .transpose()
    }

    /// The first key behind `key` that begins with the same `prefix` bytes.
    pub(super) fn next_after(
        &self,
        key: &[u8],
        prefix: usize,
    ) -> Result<Option<Vec<u8>>, CacheError> {
        let found = guarded(&self.dir, || self.db.get_gt(key))?;
        let same = found.filter(|(found, _)| found.get(..prefix) == key.get(..prefix));
        Ok(same.map(|(key, _)| key.to_vec()))
    }

    /// Every kind and payload, checked one by one; what is wrong goes to `wrong`.
    pub(super) fn check_all(
        &self,
        wrong: &mut Vec<String>,
        each: OfKind<'_>,
    ) -> Result<(), CacheError> {
        let mut items = guarded(&self.dir, || Ok(self.db.iter()))?;
        while let Some((key, framed)) = guarded(&self.dir, || items.next().transpose())? {
            let kind = key.first().copied().unwrap_or(0);
            let checked = codec::unseal(&key, &framed)
                .map_err(|e| self.unsound(&key, e))
                .and_then(|payload| each(kind, payload));
            match checked {
                Ok(()) => {}
                Err(CacheError::Damaged(what)) => wrong.push(format!("cache: {what}")),
                Err(CacheError::Store(e)) => wrong.push(e.to_string()),
            }
        }
        Ok(())
    }

    /// Makes changes as one, and durable together with all before them.
    pub(super) fn commit(&self, changes: Changes) -> Result<(), CacheError> {
        self.apply(changes)?;
        self.sync().map_err(CacheError::Store)
    }

    /// Makes changes as one, to be made durable by a later commit.
    pub(super) fn apply(&self, changes: Changes) -> Result<(), CacheError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes.items {
            match value {
                Some(framed) => batch.insert(key, framed),
                None => batch.remove(key),
            }
        }
        guarded(&self.dir, || {
            self.db.apply_batch(batch)?;
            // Not for durability. `sled` writes with seven threads, and waits for ever if all of them wait for the writer
            // while the writer waits for one of them to cut the file: so never leave many writes to them.
            self.db.flush()?;
            Ok(())
        })
    }

    /// What `sled` leaves to the operating system: its file, large values in files of their own, and their names.
    fn sync(&self) -> Result<(), StoreError> {
        self.file
            .sync_data()
            .map_err(|e| StoreError::io(&self.dir.join("db"), "make durable", e))?;
        let blobs = self.dir.join("blobs");
        let Ok(names) = std::fs::read_dir(&blobs) else {
            return Ok(());
        };
        let mut any = false;
        for name in names {
            let path = name.map_err(|e| StoreError::io(&blobs, "list", e))?.path();
            match File::open(&path).and_then(|file| file.sync_all()) {
                Ok(()) => any = true,
                // A large value that was replaced meanwhile.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(StoreError::io(&path, "make durable", e)),
            }
        }
        if any {
            files::sync_dir(&blobs)?;
        }
        Ok(())
    }

    fn unsound(&self, key: &[u8], why: CodecError) -> CacheError {
        match why {
            CodecError::Version => CacheError::Store(StoreError::Version {
                path: self.dir.clone(),
                found: u16::from(codec::VALUE_VERSION) + 1,
                known: u16::from(codec::VALUE_VERSION),
            }),
            CodecError::Checksum | CodecError::Content | CodecError::Older => {
                CacheError::Damaged(format!("record {}: {why}", show(key)))
            }
        }
    }
}

/// A key for people: printable characters only.
fn show(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}

/// Calls `sled` where neither its panics nor its errors are mistaken for answers.
fn guarded<T>(dir: &Path, call: impl FnOnce() -> sled::Result<T>) -> Result<T, CacheError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(e))) if is_of_the_system(&e) => {
            Err(CacheError::Store(StoreError::io(dir, "use the cache", e)))
        }
        Ok(Err(e)) => Err(CacheError::Damaged(e.to_string())),
        Err(_panic) => Err(CacheError::Damaged("sled panicked".to_owned())),
    }
}

/// Whether an error comes from the system and not from the content of the files.
fn is_of_the_system(e: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    is_sled_lock(e)
        || matches!(
            e.kind(),
            ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::PermissionDenied
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::OutOfMemory
                | ErrorKind::Interrupted
        )
        || e.raw_os_error().is_some_and(|code| {
            let code = rustix::io::Errno::from_raw_os_error(code);
            code == rustix::io::Errno::IO || code == rustix::io::Errno::MFILE
        })
}

fn is_sled_lock(e: &std::io::Error) -> bool {
    e.to_string().contains("could not acquire lock")
}
