//! Files that are private to this user: the lock, safe opening, and making names durable.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::error::StoreError;

/// `O_NOFOLLOW`: a symbolic link in place of a state file is refused.
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// Creates the directory if needed (mode 0700) and refuses one that others can enter.
pub(super) fn private_dir(dir: &Path) -> Result<(), StoreError> {
    let io = |what: &'static str| move |e| StoreError::io(dir, what, e);
    match fs::symlink_metadata(dir) {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .map_err(io("create the state directory"))?;
            if let Some(parent) = dir.parent().filter(|p| !p.as_os_str().is_empty()) {
                sync_dir(parent)?;
            }
        }
        Err(e) => return Err(io("look at the state directory")(e)),
    }
    let found = fs::symlink_metadata(dir).map_err(io("look at the state directory"))?;
    let refuse = |what: String| {
        Err(StoreError::Permissions {
            path: dir.to_path_buf(),
            what,
        })
    };
    if found.is_symlink() {
        return refuse("the state directory is a symbolic link; name its destination".to_owned());
    }
    if !found.is_dir() {
        return refuse("the state directory is not a directory".to_owned());
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return refuse(format!(
            "the state directory belongs to user {}; run provost as that user, or change its owner",
            found.uid()
        ));
    }
    if found.mode() & 0o077 != 0 {
        return refuse(format!(
            "other users can enter the state directory (mode {:03o}); run `chmod 700 {}`",
            found.mode() & 0o777,
            dir.display()
        ));
    }
    Ok(())
}

/// Opens a private file for reading and writing, made if `create` says so (mode 0600).
pub(super) fn private_file(path: &Path, create: bool) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .mode(0o600)
        .custom_flags(NO_FOLLOW)
        .open(path)
        .map_err(|e| match e.raw_os_error() {
            Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
                StoreError::Permissions {
                    path: path.to_path_buf(),
                    what: "is a symbolic link, which is refused here; put the file itself there"
                        .to_owned(),
                }
            }
            _ => StoreError::io(path, "open", e),
        })?;
    let found = file
        .metadata()
        .map_err(|e| StoreError::io(path, "look at", e))?;
    if !found.is_file() {
        return Err(StoreError::Permissions {
            path: path.to_path_buf(),
            what: "is not a plain file; remove it".to_owned(),
        });
    }
    if found.mode() & 0o077 != 0 {
        return Err(StoreError::Permissions {
            path: path.to_path_buf(),
            what: format!(
                "other users can open it (mode {:03o}); run `chmod 600 {}`",
                found.mode() & 0o777,
                path.display()
            ),
        });
    }
    Ok(file)
}

/// Takes the lock of a state directory for as long as the file is held.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let mut file = private_file(path, true)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let pid = match file.read_to_string(&mut text) {
                Ok(_) => text.trim().parse().ok(),
                Err(_) => None,
            };
            return Err(StoreError::Locked {
                path: path.to_path_buf(),
                pid,
            });
        }
        Err(TryLockError::Error(e)) => return Err(StoreError::io(path, "lock", e)),
    }
    // The number is only for the message of whoever comes second; a full disk must not prevent opening.
    let noted = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(why) = noted {
        tracing::debug!(%why, "the process number could not be noted in the lock file");
    }
    Ok(file)
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|file| file.sync_all())
        .map_err(|e| StoreError::io(dir, "make the directory durable", e))
}

/// Refuses to begin anything new when less than `reserve` bytes are free.
pub(super) fn require_space(dir: &Path, reserve: u64) -> Result<(), StoreError> {
    let Ok(stat) = rustix::fs::statvfs(dir) else {
        return Ok(());
    };
    if stat.f_bavail.saturating_mul(stat.f_frsize) < reserve {
        return Err(StoreError::Full {
            path: dir.to_path_buf(),
            what: format!("less than {} MiB are left", reserve >> 20),
        });
    }
    Ok(())
}
