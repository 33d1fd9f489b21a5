//! Why the store cannot do what it was asked, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the store. Each names the file and the next step.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the state directory.
    #[error(
        "{path} is in use by another provost{}; stop it, or talk to it instead of opening its state",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(), path = path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The holder, if it wrote its number.
        pid: Option<u32>,
    },
    /// A file is damaged in a way that cannot be mended without losing something.
    #[error("{path}: {what}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong and the next step.
        what: String,
    },
    /// Reading or writing failed.
    #[error("{path}: cannot {what}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// No space is left. Nothing was changed.
    #[error("{path}: the file system is full ({what}); free some space, and restart provost if it does not go on by itself", path = path.display())]
    Full {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        what: String,
    },
    /// Written by another version.
    #[error(
        "{path} was written by another version of provost (format {found}, this one knows {known}); use the version that wrote it",
        path = path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
        /// The format known here.
        known: u16,
    },
    /// A file or directory is not private to this user.
    #[error("{path}: {what}", path = path.display())]
    Permissions {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong and the next step.
        what: String,
    },
    /// The vault is not sealed with any of the keys that are named.
    #[error("{path}: {what}", path = path.display())]
    Key {
        /// The vault.
        path: PathBuf,
        /// Which key it needs and the next step.
        what: String,
    },
    /// Another secret is sealed under the same label. Nothing was changed.
    #[error("{path}: another secret is sealed as {label} already; a new value needs a new generation", path = path.display())]
    Taken {
        /// The vault.
        path: PathBuf,
        /// The label.
        label: String,
    },
    /// An earlier write failed half way; what is in memory may not be what is on disk.
    #[error("{path}: an earlier write failed ({why}); restart provost, which checks and repairs its state", path = path.display())]
    Stopped {
        /// The state directory.
        path: PathBuf,
        /// The earlier failure.
        why: String,
    },
}

impl StoreError {
    /// From a failed system call; a full file system gets its own variant.
    pub(super) fn io(path: &Path, what: &str, source: io::Error) -> Self {
        let path = path.to_path_buf();
        let what = what.to_owned();
        if matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            Self::Full { path, what }
        } else {
            Self::Io { path, what, source }
        }
    }

    /// Damage at a path.
    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_path_buf(),
            what: what.into(),
        }
    }
}
