//! The book of a work list: its tasks, and what is confirmed of each account. A file of its own, written whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::Value;
use crate::target::ConnectorError;

/// What an administrator is asked to do. The order of the variants is the order of the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Make an account unusable. First: it is security, and it frees licences.
    Disable,
    /// Delete an account.
    Delete,
    /// Change fields.
    Change,
    /// Make an account.
    Create,
    /// Make an account usable again.
    Enable,
    /// Move an end date before it is reached.
    Renew,
}

impl Kind {
    /// Every kind, in the order of the list.
    pub const ALL: [Self; 6] = [
        Self::Disable,
        Self::Delete,
        Self::Change,
        Self::Create,
        Self::Enable,
        Self::Renew,
    ];

    /// As configuration, lists and CSV spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Delete => "delete",
            Self::Change => "change",
            Self::Create => "create",
            Self::Enable => "enable",
            Self::Renew => "renew",
        }
    }
}

/// One field of a task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Field {
    /// The attribute by its mapping name.
    pub name: String,
    /// What is confirmed; nothing for a new account.
    pub before: Option<Value>,
    /// What is wanted; nothing clears the field.
    pub after: Option<Value>,
}

/// Where a task stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// To be done.
    Open,
    /// Somebody said that it is done.
    Ticked {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The application's own export shows it.
    Verified {
        /// The time of the export.
        at: Timestamp,
    },
    /// No longer wanted.
    Withdrawn {
        /// When.
        at: Timestamp,
    },
}

/// One task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Task {
    /// What people type. The same task always has the same id.
    pub id: String,
    /// What is to be done.
    pub kind: Kind,
    /// The account.
    pub account: String,
    /// The fields, exactly.
    pub fields: Vec<Field>,
    /// Remarks that belong to it.
    pub notes: Vec<String>,
    /// Tasks that must be done before.
    pub after: Vec<String>,
    /// Licences that it takes.
    pub takes: BTreeSet<String>,
    /// Licences that it gives back.
    pub frees: BTreeSet<String>,
    /// The last day, as `YYYY-MM-DD`, or the moment; nothing means as soon as possible.
    pub due: Option<String>,
    /// When its time comes, if it is on the list ahead of it.
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// Since when it is on the list.
    pub since: Option<Timestamp>,
    /// Where it stands.
    pub standing: Standing,
}

impl Task {
    /// Whether it is still to be done.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.standing == Standing::Open
    }

    /// When somebody or something said that it is done.
    #[must_use]
    pub fn confirmed_at(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Ticked { at, .. } | Standing::Verified { at } => Some(at),
            Standing::Open | Standing::Withdrawn { .. } => None,
        }
    }

    /// What a field is to be.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// What is confirmed of one account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Known {
    /// Attributes by mapping name.
    pub attributes: BTreeMap<String, Value>,
    /// Whether it is usable.
    pub active: bool,
    /// Whether it was deleted.
    pub gone: bool,
    /// When that was confirmed.
    pub as_of: Timestamp,
}

/// The book.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Book {
    /// Accounts by id.
    pub accounts: BTreeMap<String, Known>,
    /// Tasks in the order in which they came up.
    pub tasks: Vec<Task>,
}

impl Book {
    /// The id of a task: the same for the same work, and another one when the same work comes up again later.
    #[must_use]
    pub fn id_of(&self, kind: Kind, account: &str, fields: &[Field]) -> String {
        let same = |task: &&Task| task.kind == kind && task.account == account;
        let closed = |task: &&Task| task.confirmed_at().is_some();
        let round = self.tasks.iter().filter(same).filter(closed).count();
        let mut hash = Sha256::new();
        hash.update(format!("{}\0{account}\0{round}", kind.as_str()));
        for field in fields {
            let after = field.after.as_ref().map(ToString::to_string);
            hash.update(format!("\0{}\0{}", field.name, after.unwrap_or_default()));
        }
        let digest = hash.finalize();
        digest
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Ticks a task off: from now on, what it asked for counts as confirmed, until an export says otherwise.
    ///
    /// # Errors
    /// Says why there is nothing to tick off.
    pub fn tick(&mut self, id: &str, by: &str, now: Timestamp) -> Result<Task, String> {
        let found = self.tasks.iter_mut().rev().find(|task| task.id == id);
        let task = found.ok_or_else(|| format!("there is no task {id}"))?;
        match &task.standing {
            Standing::Open => {}
            Standing::Ticked { by, .. } => {
                return Err(format!("task {id} was ticked off by {by} before"));
            }
            Standing::Verified { .. } => {
                return Err(format!("task {id} is verified by an export already"));
            }
            Standing::Withdrawn { .. } => {
                return Err(format!(
                    "task {id} is no longer wanted; do not do it, and undo it if it is done"
                ));
            }
        }
        task.standing = Standing::Ticked {
            by: by.to_owned(),
            at: now,
        };
        let task = task.clone();
        self.confirm(&task, now);
        Ok(task)
    }

    fn confirm(&mut self, task: &Task, now: Timestamp) {
        let known = self
            .accounts
            .entry(task.account.clone())
            .or_insert_with(|| Known {
                attributes: BTreeMap::new(),
                active: true,
                gone: false,
                as_of: now,
            });
        known.as_of = now;
        match task.kind {
            Kind::Disable => known.active = false,
            Kind::Enable => known.active = true,
            Kind::Delete => known.gone = true,
            Kind::Create => {
                known.gone = false;
                known.active = true;
            }
            Kind::Change | Kind::Renew => {}
        }
        for field in &task.fields {
            match &field.after {
                Some(value) => known.attributes.insert(field.name.clone(), value.clone()),
                None => known.attributes.remove(&field.name),
            };
        }
    }
}

/// Reads the book of a folder. One that is not there is empty.
///
/// # Errors
/// When it cannot be read.
pub fn read(folder: &Path) -> Result<Book, ConnectorError> {
    let path = folder.join("book.json");
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Book::default()),
        Err(e) => return Err(failed(&path, "read", &e)),
    };
    serde_json::from_slice(&bytes).map_err(|e| {
        ConnectorError::Protocol(format!(
            "{}: {e}; restore the file from a backup, or move it away to begin a new list",
            path.display()
        ))
    })
}

/// Changes the book of a folder, and gives what `change` gives. The lock is held meanwhile.
///
/// # Errors
/// When it cannot be read or written.
pub fn change<T>(
    folder: &Path,
    change: impl FnOnce(&mut Book) -> Result<T, ConnectorError>,
) -> Result<T, ConnectorError> {
    std::fs::create_dir_all(folder).map_err(|e| failed(folder, "make", &e))?;
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let lock = options
        .open(&path)
        .and_then(|file| file.lock().map(|()| file));
    let _lock: File = lock.map_err(|e| failed(&path, "lock", &e))?;
    let mut book = read(folder)?;
    let answer = change(&mut book)?;
    let bytes = serde_json::to_vec_pretty(&book)
        .map_err(|e| ConnectorError::Transient(format!("the book cannot be written: {e}")))?;
    write(&folder.join("book.json"), &bytes)?;
    Ok(answer)
}

/// Writes a file whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), ConnectorError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = PathBuf::from(name);
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|e| failed(path, "write", &e))
}

pub(super) fn failed(path: &Path, what: &str, e: &std::io::Error) -> ConnectorError {
    ConnectorError::Transient(format!("{}: cannot {what}: {e}", path.display()))
}
