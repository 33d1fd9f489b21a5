//! The practice application's file: JSON lines, one change each, appended under a lock that is held for one call only.
//!
//! Several processes may use the same file, as people and programs use a real application at the same time.
//! A last line without its end was never answered and is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::application::{Application, Mutation};
use super::inside::{Entry, Inside, Mail};
use crate::model::{Account, AccountId, Value};
use crate::target::ConnectorError;

/// Lines beyond twice the accounts before the file is written anew.
const SLACK: u64 = 1000;

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Put(Record),
    Delete(String),
    Entitlement(String),
    Next(u64),
    Inside(String, Inside),
    Done(Entry),
    Mail(Mail),
}

/// An account as people read it in the file.
#[derive(Serialize, Deserialize)]
struct Record {
    id: String,
    #[serde(default)]
    attributes: BTreeMap<String, serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login_allowed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entitlements: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// The file and what has been read of it.
#[derive(Debug)]
pub(super) struct AccountFile {
    path: PathBuf,
    unique: Vec<String>,
    pub(super) application: Application,
    inode: u64,
    read: u64,
    lines: u64,
}

impl AccountFile {
    /// Nothing read yet.
    pub(super) fn new(path: &Path, unique: &[String]) -> Self {
        Self {
            path: path.to_path_buf(),
            unique: unique.to_vec(),
            application: Application::default(),
            inode: 0,
            read: 0,
            lines: 0,
        }
    }

    /// Reads what was appended since, or everything if the file is another one. A file that is not there is empty.
    pub(super) fn refresh(&mut self) -> Result<(), ConnectorError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                *self = Self::new(&self.path, &self.unique);
                return Ok(());
            }
            Err(e) => return Err(self.failed("open", &e)),
        };
        let found = file.metadata().map_err(|e| self.failed("read", &e))?;
        if found.ino() != self.inode || found.len() < self.read {
            *self = Self::new(&self.path, &self.unique);
            self.inode = found.ino();
        }
        if found.len() == self.read {
            return Ok(());
        }
        let mut reader = BufReader::new(file);
        reader
            .seek(SeekFrom::Start(self.read))
            .map_err(|e| self.failed("read", &e))?;
        let mut text = Vec::new();
        loop {
            text.clear();
            let length = reader
                .read_until(b'\n', &mut text)
                .map_err(|e| self.failed("read", &e))?;
            if text.last() != Some(&b'\n') {
                return Ok(());
            }
            self.lines += 1;
            let mutation = parse(&text).map_err(|why| {
                ConnectorError::Protocol(format!(
                    "{}:{}: {why}; mend the line or remove it",
                    self.path.display(),
                    self.lines
                ))
            })?;
            self.application.apply(mutation, &self.unique);
            self.read += length as u64;
        }
    }

    /// Makes changes: `decide` sees the newest state and says what to change. The lock is held meanwhile.
    pub(super) fn change<T>(
        &mut self,
        decide: impl FnOnce(&Application) -> Result<(Vec<Mutation>, T), ConnectorError>,
    ) -> Result<T, ConnectorError> {
        let _lock = self.lock()?;
        self.refresh()?;
        let (mutations, answer) = decide(&self.application)?;
        let mut text = Vec::new();
        for mutation in &mutations {
            write_line(&mut text, mutation)?;
        }
        if !text.is_empty() {
            self.append(&text)?;
            self.read += text.len() as u64;
            self.lines += mutations.len() as u64;
            for mutation in mutations {
                self.application.apply(mutation, &self.unique);
            }
        }
        Ok(answer)
    }

    fn append(&mut self, text: &[u8]) -> Result<(), ConnectorError> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path)
            .map_err(|e| self.failed("open", &e))?;
        self.inode = file.metadata().map_err(|e| self.failed("read", &e))?.ino();
        // Whatever follows the last whole line was never answered.
        file.set_len(self.read)
            .and_then(|()| file.seek(SeekFrom::Start(self.read)))
            .and_then(|_| file.write_all(text))
            .map_err(|e| match file.set_len(self.read) {
                Ok(()) => self.failed("write", &e),
                Err(_) => ConnectorError::Ambiguous(format!("{}: {e}", self.path.display())),
            })
    }

    /// Writes the file anew if most of it is past.
    pub(super) fn compact(&mut self) -> Result<(), ConnectorError> {
        let _lock = self.lock()?;
        self.refresh()?;
        if self.lines <= 2 * self.application.lines() as u64 + SLACK {
            return Ok(());
        }
        let mut text = Vec::new();
        for mutation in self.application.mutations() {
            write_line(&mut text, &mutation)?;
        }
        let temporary = beside(&self.path, "new");
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&temporary, &self.path));
        written.map_err(|e| self.failed("write anew", &e))?;
        self.refresh()
    }

    fn lock(&self) -> Result<File, ConnectorError> {
        let path = beside(&self.path, "lock");
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|e| self.failed("lock", &e))
    }

    fn failed(&self, what: &str, e: &std::io::Error) -> ConnectorError {
        ConnectorError::Transient(format!("{}: cannot {what}: {e}", self.path.display()))
    }
}

/// The name with another ending: `accounts.jsonl` and `accounts.jsonl.lock`.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn parse(text: &[u8]) -> Result<Mutation, String> {
    let line: Line = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    Ok(match line {
        Line::Put(record) => Mutation::Put(record.into_account()?),
        Line::Delete(id) => Mutation::Delete(AccountId(id)),
        Line::Entitlement(name) => Mutation::Entitlement(name),
        Line::Next(next) => Mutation::Next(next),
        Line::Inside(id, inside) => Mutation::Inside(AccountId(id), inside),
        Line::Done(entry) => Mutation::Done(entry),
        Line::Mail(mail) => Mutation::Mail(mail),
    })
}

fn write_line(text: &mut Vec<u8>, mutation: &Mutation) -> Result<(), ConnectorError> {
    let line = match mutation {
        Mutation::Put(account) => Line::Put(Record::of(account)),
        Mutation::Delete(id) => Line::Delete(id.0.clone()),
        Mutation::Entitlement(name) => Line::Entitlement(name.clone()),
        Mutation::Next(next) => Line::Next(*next),
        Mutation::Inside(id, inside) => Line::Inside(id.0.clone(), inside.clone()),
        Mutation::Done(entry) => Line::Done(entry.clone()),
        Mutation::Mail(mail) => Line::Mail(mail.clone()),
    };
    serde_json::to_writer(&mut *text, &line)
        .map_err(|e| ConnectorError::Rejected(format!("cannot be written: {e}")))?;
    text.push(b'\n');
    Ok(())
}

impl Record {
    fn of(account: &Account) -> Self {
        let attributes = account.attributes.iter();
        Self {
            id: account.id.0.clone(),
            attributes: attributes.map(|(k, v)| (k.clone(), to_json(v))).collect(),
            active: account.active,
            login_allowed: account.login_allowed,
            entitlements: account.entitlements.clone(),
            version: account.version.clone(),
        }
    }

    fn into_account(self) -> Result<Account, String> {
        let mut attributes = BTreeMap::new();
        for (name, value) in self.attributes {
            let value = from_json(value).ok_or_else(|| {
                format!("attribute {name} is not a truth value, a whole number, a text or a list of texts")
            })?;
            attributes.insert(name, value);
        }
        Ok(Account {
            id: AccountId(self.id),
            attributes,
            active: self.active,
            login_allowed: self.login_allowed,
            entitlements: self.entitlements,
            version: self.version,
        })
    }
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Text(value) => value.clone().into(),
        Value::Set(values) => values.iter().cloned().collect::<Vec<_>>().into(),
    }
}

fn from_json(value: serde_json::Value) -> Option<Value> {
    match value {
        serde_json::Value::Bool(value) => Some(Value::Bool(value)),
        serde_json::Value::Number(value) => value.as_i64().map(Value::Int),
        serde_json::Value::String(value) => Value::text(&value),
        serde_json::Value::Array(values) => {
            let texts: Option<BTreeSet<String>> = values
                .into_iter()
                .map(|v| v.as_str().map(str::to_owned))
                .collect();
            texts.filter(|t| !t.is_empty()).map(Value::Set)
        }
        serde_json::Value::Null | serde_json::Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_written() {
        let account = Account {
            id: AccountId("u-000001".to_owned()),
            attributes: BTreeMap::from([
                ("admin".to_owned(), Value::Bool(false)),
                ("floor".to_owned(), Value::Int(-3)),
                ("mail".to_owned(), Value::Text("a\n\"b".to_owned())),
                (
                    "tags".to_owned(),
                    Value::Set(BTreeSet::from(["x".to_owned(), "y".to_owned()])),
                ),
            ]),
            active: Some(true),
            login_allowed: None,
            entitlements: Some(BTreeSet::new()),
            version: Some("1".to_owned()),
        };
        for mutation in [
            Mutation::Put(account),
            Mutation::Delete(AccountId("u-2".to_owned())),
            Mutation::Entitlement("Staff".to_owned()),
            Mutation::Next(7),
            Mutation::Inside(AccountId("u-1".to_owned()), Inside::default()),
        ] {
            let mut text = Vec::new();
            write_line(&mut text, &mutation).unwrap();
            assert_eq!(text.iter().filter(|&&b| b == b'\n').count(), 1);
            assert_eq!(parse(&text), Ok(mutation));
        }
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for text in [
            "",
            "{}",
            "[1]",
            r#"{"put":{"id":"a","attributes":{"x":null}}}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
