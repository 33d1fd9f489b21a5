//! The practice application: accounts in a file, with rules and switches of a real one, and faults on demand.
//!
//! It decides nothing that a real application would not decide: unique and required attributes, which switches exist, what
//! a list shows. Point a real directory at it to see what Provost would do before any application is involved.
//! It is not meant to be fast or safe against power cuts.

mod application;
mod faults;
mod file;
mod inside;
mod practice;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::application::{Mutation, fold};
use self::faults::{Counts, Fate, Faults, Stop};
use self::file::AccountFile;
use super::connector::{AccountReader, ConnectorError, Finding};
use super::settings::SandboxSettings;
use crate::model::{Account, AccountId, Capabilities, Value};

pub use self::faults::FAULTS;
pub use self::inside::{Entry, Inside, Mail, SignIn};
pub use self::practice::Practice;

/// Members named in one membership request.
const MEMBERS: usize = 100;
/// Requests side by side: one after the other, so that the same practice gives the same ids again.
const PARALLEL: usize = 1;

/// The practice application, connected.
#[derive(Debug)]
pub struct Sandbox {
    settings: SandboxSettings,
    capabilities: Capabilities,
    faults: Faults,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: AccountFile,
    counts: Counts,
}

/// Checks the spelling of faults, for `config`.
///
/// # Errors
/// Says which is wrong, and which there are.
pub fn check_faults(words: &[String]) -> Result<(), String> {
    Faults::parse(words).map(|_faults| ())
}

/// The application's own view of its accounts, without any fault, ordered by id.
///
/// # Errors
/// When the file cannot be read.
pub fn snapshot(path: &Path) -> Result<Vec<Account>, ConnectorError> {
    let mut file = AccountFile::new(path, &[]);
    file.refresh()?;
    Ok(file.application.accounts().cloned().collect())
}

impl Sandbox {
    /// Connects: reads the file, and writes it anew if most of it is past.
    ///
    /// # Errors
    /// When the file cannot be read or written, or a fault is misspelt.
    pub fn open(settings: &SandboxSettings) -> Result<Self, ConnectorError> {
        let sandbox = Self::new(settings)?;
        sandbox.inner().file.compact()?;
        Ok(sandbox)
    }

    /// Connects for reading: the file is read and never written.
    ///
    /// # Errors
    /// When the file cannot be read, or a fault is misspelt.
    pub fn open_reader(settings: &SandboxSettings) -> Result<Self, ConnectorError> {
        let sandbox = Self::new(settings)?;
        sandbox.inner().file.refresh()?;
        Ok(sandbox)
    }

    fn new(settings: &SandboxSettings) -> Result<Self, ConnectorError> {
        let faults = Faults::parse(&settings.faults).map_err(ConnectorError::Rejected)?;
        let capabilities = Capabilities {
            deactivate: settings.deactivate,
            block_login: settings.block_login,
            set_password: settings.set_password,
            force_change: settings.force_change,
            revoke_sessions: settings.revoke_sessions,
            reassign: settings.reassign.clone(),
            delete: settings.delete,
            list_inactive: settings.list_inactive,
            entitlements: settings.entitlements,
            members_per_request: MEMBERS,
            inherits: false,
            parallelism: PARALLEL,
        };
        let inner = Inner {
            file: AccountFile::new(&settings.path, &settings.unique),
            counts: Counts::default(),
        };
        Ok(Self {
            settings: settings.clone(),
            capabilities,
            faults,
            inner: Mutex::new(inner),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self) {
        if let Some(slow) = self.faults.slow {
            tokio::time::sleep(Duration::from_millis(slow)).await;
        }
    }

    /// What every call begins with.
    async fn called(&self) -> Result<MutexGuard<'_, Inner>, ConnectorError> {
        self.wait().await;
        let mut inner = self.inner();
        self.faults.meet(&mut inner.counts)?;
        inner.file.refresh()?;
        Ok(inner)
    }

    /// Makes a change of a kind, or loses it or its answer, or refuses it, as the faults say.
    fn change<T>(
        &self,
        inner: &mut Inner,
        call: &str,
        decide: impl FnOnce(&application::Application) -> Result<(Vec<Mutation>, T), ConnectorError>,
    ) -> Result<T, ConnectorError> {
        let fate = self.faults.fate(&mut inner.counts, call == "create");
        let lost = || ConnectorError::Ambiguous("the answer was lost, by a fault".to_owned());
        if self.faults.refuses(call) {
            let why = format!("by the fault refuse={call}");
            return Err(ConnectorError::Rejected(why));
        }
        match fate {
            Fate::LostBefore => Err(lost()),
            Fate::LostAfter => inner.file.change(decide).and_then(|_answer| Err(lost())),
            Fate::Answered if self.faults.loses(call) => {
                inner.file.change(decide).and_then(|_answer| Err(lost()))
            }
            Fate::Answered => inner.file.change(decide),
        }
    }

    /// Adds a line to the ledger, if one is kept.
    fn note(&self, mutations: &mut Vec<Mutation>, id: &AccountId, what: &str) {
        if self.settings.ledger {
            mutations.push(Mutation::Done(Entry {
                account: id.0.clone(),
                what: what.to_owned(),
            }));
        }
    }

    /// Stops for ever where a fault says so, and says so in a file beside the accounts: somebody waits to kill us there.
    async fn stop(&self, call: &str, when: Stop) {
        if !self.faults.stops(call, when) {
            return;
        }
        let mut name = self.settings.path.as_os_str().to_owned();
        name.push(".stopped");
        if std::fs::write(PathBuf::from(name), call).is_ok() {
            std::future::pending::<()>().await;
        }
    }

    fn rejected_by_fault(&self, id: Option<&AccountId>, account: &Account) -> bool {
        let mut values = account.attributes.values().map(fold);
        match id {
            None => values.any(|value| self.faults.fails_create(&value)),
            Some(id) => {
                self.faults.fails_update(&id.0.to_lowercase())
                    || values.any(|value| self.faults.fails_update(&value))
            }
        }
    }
}

#[async_trait]
impl AccountReader for Sandbox {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn list(&self) -> Result<Vec<Account>, ConnectorError> {
        let inner = self.called().await?;
        if self.faults.cut_list {
            return Err(ConnectorError::Transient(
                "the list broke off, by the fault cut-list".to_owned(),
            ));
        }
        let accounts = inner.file.application.accounts();
        let shown =
            accounts.filter(|account| self.settings.list_inactive || account.active != Some(false));
        Ok(shown.cloned().collect())
    }

    async fn get(&self, id: &AccountId) -> Result<Option<Account>, ConnectorError> {
        let inner = self.called().await?;
        Ok(inner.file.application.get(id).cloned())
    }

    async fn find(&self, attribute: &str, value: &Value) -> Result<Vec<Account>, ConnectorError> {
        let inner = self.called().await?;
        let application = &inner.file.application;
        Ok(application.find(attribute, value, &self.settings.unique))
    }

    async fn probe(&self) -> Result<Vec<Finding>, ConnectorError> {
        let inner = self.called().await?;
        let finding = |what: &str, found: String| Finding {
            what: what.to_owned(),
            found,
            ok: true,
        };
        let switch = |on: bool| if on { "yes" } else { "no" }.to_owned();
        Ok(vec![
            finding("file", self.settings.path.display().to_string()),
            finding("accounts", inner.file.application.len().to_string()),
            finding("deactivate", switch(self.settings.deactivate)),
            finding("block-login", switch(self.settings.block_login)),
            finding("delete", switch(self.settings.delete)),
            finding("entitlements", switch(self.settings.entitlements)),
        ])
    }
}
