//! The vault: passwords that must be given back or delivered, sealed in a file of their own.
//!
//! Append-only, one record per secret: XChaCha20-Poly1305 (RFC 8439, with the 192-bit nonce of draft-irtf-cfrg-xchacha-03)
//! under a key that is derived per file (HKDF, RFC 5869), a random nonce, and the whole label as associated data, so that
//! no record can stand in for another. A record counts only after it was made durable, read back and opened.
//!
//! Damage costs the secrets it hit and no others, and is told at every turn: a secret that is not found in a damaged vault is
//! an error, never "there is none". What cannot be noticed here is an older copy of the whole file put in its place.

mod frame;
mod key;
mod label;
mod record;
mod rewrite;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use secrecy::{ExposeSecret as _, SecretString};

use super::error::StoreError;
use super::files;
use frame::{HEADER, Header};
use record::{Book, Head, Kind};

pub use key::{VaultKey, VaultKeys};
pub use label::{Label, Purpose};

const NAME: &str = "vault";
const LOCK: &str = "vault.lock";
/// Below this much free space nothing new is sealed.
const RESERVE: u64 = 4 << 20;
/// So many dead records, and more of them than live ones, are worth a rewrite at the next start.
const DEAD: usize = 256;

/// The open vault of one state directory, held by one process.
#[derive(Debug)]
pub struct Vault {
    path: PathBuf,
    reference: String,
    inner: Mutex<Inner>,
    _lock: File,
}

/// What a look at the whole file found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VaultCheck {
    /// Secrets that were opened.
    pub secrets: usize,
    /// Records that are of no use any more and go at the next rewrite.
    pub dead: usize,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// The key that the file is sealed with.
    pub key: String,
    /// Whether that is the current key, and not one that should be rotated out.
    pub current: bool,
    /// What is damaged, in words.
    pub problems: Vec<String>,
}

/// The open file and what is in it.
struct Inner {
    file: File,
    header: Header,
    cipher: chacha20poly1305::XChaCha20Poly1305,
    book: Book,
    current: bool,
    /// Set by a write that failed half way.
    stopped: Option<String>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("live", &self.book.live.len())
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault of a state directory, or begins one (mode 0600). Every record is opened once.
    ///
    /// # Errors
    /// [`StoreError::Key`] if it was sealed with none of these keys; [`StoreError::Damaged`] if not even its header is sound;
    /// [`StoreError::Locked`], [`StoreError::Version`], [`StoreError::Permissions`], [`StoreError::Io`].
    pub fn open(dir: &Path, keys: &VaultKeys) -> Result<Self, StoreError> {
        files::private_dir(dir)?;
        let lock = files::lock(&dir.join(LOCK))?;
        let path = dir.join(NAME);
        rewrite::remove_leftover(&path)?;
        let exists = path
            .try_exists()
            .map_err(|e| StoreError::io(&path, "look for", e))?;
        if !exists {
            rewrite::begin(&path, &keys.current)?;
        }
        let mut inner = Inner::open(&path, keys)?;
        let dead = inner.book.dead();
        if dead >= DEAD && dead > inner.book.live.len() && inner.book.damaged.is_empty() {
            let key = used_key(&inner.header, keys, &path)?.clone();
            rewrite::replace(&path, &mut inner, &key)?;
        }
        Ok(Self {
            path,
            reference: keys.current.reference().to_owned(),
            inner: Mutex::new(inner),
            _lock: lock,
        })
    }

    /// Whether a state directory has a vault.
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        dir.join(NAME).exists()
    }

    /// Seals a secret: when this returns it is durable and was read back.
    ///
    /// # Errors
    /// [`StoreError::Taken`] if another value is sealed under the label; when it cannot be made durable.
    pub fn seal(&self, label: &Label, secret: &SecretString) -> Result<(), StoreError> {
        self.seal_all(&[(label.clone(), secret.clone())])
    }

    /// As [`Self::seal`] for many secrets with one write to the disk. All or none are sealed as far as anybody can tell.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_all(&self, secrets: &[(Label, SecretString)]) -> Result<(), StoreError> {
        let mut inner = self.inner()?;
        let mut new: BTreeMap<&Label, &SecretString> = BTreeMap::new();
        for (label, secret) in secrets {
            let known = match new.get(label) {
                Some(known) => Some((*known).clone()),
                // In a damaged vault, what is not found may be sealed anew: whoever needs the earlier value asks first.
                None if !inner.book.live.contains_key(label) => None,
                None => inner.reveal(&self.path, label)?,
            };
            match known {
                Some(known) if known.expose_secret() == secret.expose_secret() => {}
                Some(_) => {
                    return Err(StoreError::Taken {
                        path: self.path.clone(),
                        label: label.to_string(),
                    });
                }
                None => {
                    new.insert(label, secret);
                }
            }
        }
        let mut records = Vec::with_capacity(new.len());
        for (label, secret) in &new {
            records.push((Kind::Seal, (*label).clone(), secret.expose_secret()));
        }
        inner.append(&self.path, &records)?;
        for (label, secret) in new {
            let back = inner.reveal(&self.path, label)?;
            if back.is_none_or(|back| back.expose_secret() != secret.expose_secret()) {
                let why = "what was just sealed could not be read back".to_owned();
                inner.stopped = Some(why.clone());
                return Err(StoreError::damaged(
                    &self.path,
                    format!("{why}; look at the disk, and restart provost"),
                ));
            }
        }
        Ok(())
    }

    /// The secret under a label; `None` if there is none for certain.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it may have been where the vault is damaged.
    pub fn reveal(&self, label: &Label) -> Result<Option<SecretString>, StoreError> {
        self.inner()?.reveal(&self.path, label)
    }

    /// Forgets secrets. Their sealed bytes stay in the file until it is rewritten.
    ///
    /// # Errors
    /// When that cannot be made durable.
    pub fn forget(&self, labels: &[Label]) -> Result<(), StoreError> {
        let mut inner = self.inner()?;
        let known: Vec<_> = labels
            .iter()
            .filter(|label| inner.book.live.contains_key(*label))
            .map(|label| (Kind::Forget, label.clone(), ""))
            .collect();
        inner.append(&self.path, &known)
    }

    /// Under which labels secrets are sealed.
    ///
    /// # Errors
    /// After a write that failed half way.
    pub fn labels(&self) -> Result<Vec<Label>, StoreError> {
        Ok(self.inner()?.book.live.keys().cloned().collect())
    }

    /// What is damaged, in words; empty if nothing is.
    ///
    /// # Errors
    /// After a write that failed half way.
    pub fn problems(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.inner()?.book.damaged.clone())
    }

    /// Reads the whole file again and opens every record.
    ///
    /// # Errors
    /// When the file cannot be read, or its header is damaged.
    pub fn verify(&self) -> Result<VaultCheck, StoreError> {
        let mut inner = self.inner()?;
        let bytes = read(&self.path, &inner.file)?;
        let header = Header::from_bytes(&bytes, &self.path)?;
        let mut book = Book::read(&header, &inner.cipher, &bytes);
        if header != inner.header || book.end != inner.book.end {
            let what = "the file is not the one that this process wrote; restore it from a backup";
            book.damaged.push(what.to_owned());
        }
        inner.book.damaged.clone_from(&book.damaged);
        Ok(VaultCheck {
            secrets: book.live.len(),
            dead: book.dead(),
            bytes: bytes.len() as u64,
            key: key::show_id(header.key),
            current: inner.current,
            problems: book.damaged,
        })
    }

    /// Whether everything is sealed with the current key, so that older ones may be destroyed.
    ///
    /// # Errors
    /// After a write that failed half way.
    pub fn is_current(&self) -> Result<bool, StoreError> {
        Ok(self.inner()?.current)
    }

    /// Seals everything anew with another key: a new file is written, read back and put in place, then the old one is
    /// overwritten. Forgotten secrets are gone after it. A crash leaves the old file or the new one, each whole.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if something in the vault is damaged: it would be lost for good. When the new file cannot be written.
    pub fn rotate(&self, new: &VaultKey) -> Result<usize, StoreError> {
        let mut inner = self.inner()?;
        rewrite::replace(&self.path, &mut inner, new)?;
        inner.current = true;
        Ok(inner.book.live.len())
    }

    fn inner(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let stopped = |why: &str| StoreError::Stopped {
            path: self.path.clone(),
            why: why.to_owned(),
        };
        let inner = self
            .inner
            .lock()
            .map_err(|_poisoned| stopped("a panic while writing"))?;
        match &inner.stopped {
            Some(why) => Err(stopped(why)),
            None => Ok(inner),
        }
    }

    /// Where the current key came from.
    #[must_use]
    pub fn key_reference(&self) -> &str {
        &self.reference
    }
}

impl Inner {
    fn open(path: &Path, keys: &VaultKeys) -> Result<Self, StoreError> {
        let file = files::private_file(path, false)?;
        let bytes = read(path, &file)?;
        let header = Header::from_bytes(&bytes, path)?;
        let key = used_key(&header, keys, path)?;
        let cipher = key.cipher(&header.instance);
        let book = Book::read(&header, &cipher, &bytes);
        if book.end < bytes.len() {
            file.set_len(book.end as u64)
                .and_then(|()| file.sync_all())
                .map_err(|e| StoreError::io(path, "cut off a torn tail", e))?;
        }
        Ok(Self {
            current: *key == keys.current,
            file,
            header,
            cipher,
            book,
            stopped: None,
        })
    }

    fn reveal(&self, path: &Path, label: &Label) -> Result<Option<SecretString>, StoreError> {
        let Some(&(at, length)) = self.book.live.get(label) else {
            if self.book.damaged.is_empty() {
                return Ok(None);
            }
            return Err(StoreError::damaged(
                path,
                format!(
                    "the secret {label} is not found, and the vault is damaged ({}); restore the file from a backup",
                    self.book.damaged.join("; ")
                ),
            ));
        };
        let mut payload = vec![0; length];
        self.file
            .read_exact_at(&mut payload, at as u64)
            .map_err(|e| StoreError::io(path, "read", e))?;
        let opened = record::open(&self.header, &self.cipher, &payload);
        match opened {
            Some((head, secret)) if head.label == *label && head.kind == Kind::Seal => {
                Ok(Some(secret))
            }
            Some(_) | None => Err(StoreError::damaged(
                path,
                format!(
                    "the secret {label} at byte {at} cannot be opened any more; restore the file from a backup"
                ),
            )),
        }
    }

    /// Appends records and makes them durable.
    fn append(&mut self, path: &Path, records: &[(Kind, Label, &str)]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        if let Some(dir) = path.parent() {
            files::require_space(dir, RESERVE)?;
        }
        let mut bytes = Vec::new();
        let mut heads = Vec::with_capacity(records.len());
        for (seq, (kind, label, secret)) in (self.book.seq + 1..).zip(records) {
            let head = Head::new(seq, *kind, label.clone()).map_err(|e| random(path, e))?;
            let frame = record::seal(&self.header, &self.cipher, &head, secret)
                .and_then(|payload| self.header.frame(&payload).map(|f| (f, payload.len())));
            let Some((frame, length)) = frame else {
                return Err(StoreError::damaged(
                    path,
                    format!("the secret {label} is too large to be sealed"),
                ));
            };
            bytes.extend_from_slice(&frame);
            heads.push((head, frame.len(), length));
        }
        let written = self.file.write_all_at(&bytes, self.book.end as u64);
        if let Err(e) = written {
            if self.file.set_len(self.book.end as u64).is_err() {
                self.stopped = Some(format!("writing failed: {e}"));
            }
            return Err(StoreError::io(path, "write", e));
        }
        // After a failed fsync nobody knows what is on disk, and a second one may lie: stop.
        if let Err(e) = self.file.sync_data() {
            self.stopped = Some(format!("making it durable failed: {e}"));
            return Err(StoreError::io(path, "make durable", e));
        }
        for (head, frame, length) in heads {
            self.book.add(head, frame, length);
        }
        Ok(())
    }
}

/// The key that a file is sealed with.
fn used_key<'k>(
    header: &Header,
    keys: &'k VaultKeys,
    path: &Path,
) -> Result<&'k VaultKey, StoreError> {
    let mut all = std::iter::once(&keys.current).chain(&keys.old);
    all.find(|key| key.raw_id() == header.key)
        .ok_or_else(|| StoreError::Key {
            path: path.to_path_buf(),
            what: format!(
                "it is sealed with the key {}, and {} is the key {}; name the right one, or add it to `old-keys`",
                key::show_id(header.key),
                keys.current.reference(),
                keys.current.id()
            ),
        })
}

fn read(path: &Path, file: &File) -> Result<Vec<u8>, StoreError> {
    let io = |e| StoreError::io(path, "read", e);
    let length = file.metadata().map_err(io)?.len();
    let length = usize::try_from(length).map_err(|_large| {
        StoreError::damaged(path, "is too large to be a vault; restore it from a backup")
    })?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0).map_err(io)?;
    if bytes.len() < HEADER {
        return Err(StoreError::damaged(
            path,
            "the vault is shorter than its header; restore the file from a backup",
        ));
    }
    Ok(bytes)
}

fn random(path: &Path, why: crate::random::NoRandomness) -> StoreError {
    StoreError::io(path, "seal a secret", std::io::Error::other(why))
}
