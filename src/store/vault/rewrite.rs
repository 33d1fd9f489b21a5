//! Writing the whole vault anew: at its beginning, to drop what is forgotten, and for another key.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::frame::Header;
use super::key::VaultKey;
use super::label::Label;
use super::record::{self, Book, Head, Kind};
use super::{Inner, random, read};
use crate::store::error::StoreError;
use crate::store::files;

/// A secret that goes into a new file, or why it cannot be had.
type Item = Result<(Label, SecretString), StoreError>;

fn temporary(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// A new file that a crash left half written is of no use: the old one is whole.
pub(super) fn remove_leftover(path: &Path) -> Result<(), StoreError> {
    let leftover = temporary(path);
    match std::fs::remove_file(&leftover) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(StoreError::io(&leftover, "remove", e)),
    }
}

/// Begins a vault.
pub(super) fn begin(path: &Path, key: &VaultKey) -> Result<(), StoreError> {
    write(path, key, &mut std::iter::empty())?;
    place(path)
}

/// Puts the new file in place.
fn place(path: &Path) -> Result<(), StoreError> {
    std::fs::rename(temporary(path), path)
        .map_err(|e| StoreError::io(path, "put the new vault in place", e))?;
    path.parent().map_or(Ok(()), files::sync_dir)
}

/// Writes a new file with these secrets, makes it durable and reads it back.
fn write(
    path: &Path,
    key: &VaultKey,
    secrets: &mut dyn Iterator<Item = Item>,
) -> Result<(), StoreError> {
    let temporary = temporary(path);
    let header = Header {
        instance: crate::random::array().map_err(|e| random(path, e))?,
        key: key.raw_id(),
    };
    let cipher = key.cipher(&header.instance);
    let io = |what: &'static str| {
        let temporary = temporary.clone();
        move |e| StoreError::io(&temporary, what, e)
    };
    let file = files::private_file(&temporary, true)?;
    file.set_len(0).map_err(io("empty the new vault"))?;
    let mut bytes = header.to_bytes();
    let mut count = 0;
    for (seq, item) in (1..).zip(secrets) {
        let (label, secret) = item?;
        let head = Head::new(seq, Kind::Seal, label).map_err(|e| random(path, e))?;
        let payload = record::seal(&header, &cipher, &head, secret.expose_secret());
        let frame = payload.and_then(|payload| header.frame(&payload));
        let too_large = || StoreError::damaged(path, "a secret is too large to be sealed again");
        bytes.extend_from_slice(&frame.ok_or_else(too_large)?);
        count += 1;
    }
    file.write_all_at(&bytes, 0)
        .map_err(io("write the new vault"))?;
    file.sync_all().map_err(io("make the new vault durable"))?;
    let back = read(&temporary, &file)?;
    let book = Book::read(&header, &cipher, &back);
    if back != bytes || book.live.len() != count || !book.damaged.is_empty() {
        return Err(StoreError::damaged(
            &temporary,
            "the new vault could not be read back; the old one is still in place; look at the disk",
        ));
    }
    Ok(())
}

/// Puts a new file with all live secrets, sealed with this key, in the place of the open one, and overwrites the old one.
pub(super) fn replace(path: &Path, inner: &mut Inner, key: &VaultKey) -> Result<(), StoreError> {
    if !inner.book.damaged.is_empty() {
        return Err(StoreError::damaged(
            path,
            format!(
                "the vault is damaged ({}), and writing it anew would lose for good what was there; restore the file from a backup",
                inner.book.damaged.join("; ")
            ),
        ));
    }
    let labels: Vec<_> = inner.book.live.keys().cloned().collect();
    let old: &Inner = inner;
    let mut secrets = labels.into_iter().map(|label| {
        let missing = || StoreError::damaged(path, "a secret is gone; restore it from a backup");
        let secret = old.reveal(path, &label)?.ok_or_else(missing)?;
        Ok((label, secret))
    });
    write(path, key, &mut secrets)?;
    let keys = super::VaultKeys {
        current: key.clone(),
        old: Vec::new(),
    };
    // From here on the old file may have no name any more, and nothing must be written to it.
    let new = place(path)
        .and_then(|()| Inner::open(path, &keys))
        .inspect_err(|why| inner.stopped = Some(format!("putting a new vault in place: {why}")))?;
    let current = inner.current;
    let old = std::mem::replace(inner, new);
    inner.current = current;
    destroy(&old.file);
    Ok(())
}

/// Overwrites a file that has no name any more. A disk may keep copies of its own; that is why everything in it is sealed.
fn destroy(file: &File) {
    let wiped = file.metadata().and_then(|about| {
        let zeros = vec![0; usize::try_from(about.len()).unwrap_or(0)];
        file.write_all_at(&zeros, 0)?;
        file.sync_data()
    });
    if let Err(why) = wiped {
        tracing::warn!(%why, "the old vault could not be overwritten; its space will be used again");
    }
}
