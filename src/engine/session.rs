//! A session: one configuration, one state directory, one clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::absent::ASKED;
use super::orders::accepted;
use super::snapshot::{IndexSieve, Judgement, Snapshot};
use super::{Clock, EngineError};
use crate::config::{self, Config, Lean, Moment, SourceSpec, TargetSpec};
use crate::model::{Anchor, How, Life};
use crate::reconcile::absence::{self, Again};
use crate::reconcile::mapping::GroupUse;
use crate::report::safe;
use crate::source::{self, FetchRequest, GroupNeed, SourceError};
use crate::store::{Settled, SourceIndex, SourceMeta, State, TargetMeta, Vault};

/// Everything a run needs that outlives it.
#[derive(Clone)]
pub struct Session {
    /// The configuration.
    pub config: Arc<Config>,
    /// The state directory, held by this process alone.
    pub state: Arc<State>,
    /// The sealed secrets, if the configuration says how they are sealed.
    pub vault: Option<Arc<Vault>>,
    /// The clock.
    pub clock: Clock,
    /// Cancelled when runs should end early: the change in hand is finished, the rest waits for the next run.
    pub stop: CancellationToken,
    /// Told how many entries a read has returned so far.
    pub read_progress: fn(u64),
    /// Told how many changes are done, of how many.
    pub apply_progress: fn(usize, usize),
    /// Held while an order is written: entries of the trail are numbered.
    orders: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.config.state_dir)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Opens the state directory of a configuration.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be used.
    pub fn open(config: Config) -> Result<Self, EngineError> {
        let state = State::open(&config.state_dir)?;
        let vault = open_vault(&config)?;
        Ok(Self {
            config: Arc::new(config),
            state: Arc::new(state),
            vault: vault.map(Arc::new),
            clock: Clock::System,
            stop: CancellationToken::new(),
            read_progress: |_| {},
            apply_progress: |_, _| {},
            orders: Arc::default(),
        })
    }

    /// The zone in which moments are read that name none.
    #[must_use]
    pub fn zone(&self) -> TimeZone {
        config::system_zone()
    }

    /// The same session at an assumed time: nothing is applied in it.
    ///
    /// # Errors
    /// When the time is not understood.
    pub fn assuming(mut self, text: &str) -> Result<Self, EngineError> {
        self.clock = Clock::Assumed(self.moment(text)?.at);
        Ok(self)
    }

    /// A moment as typed, read as calendars do.
    ///
    /// # Errors
    /// When it is not understood.
    pub fn moment(&self, text: &str) -> Result<Moment, EngineError> {
        config::moment(text, self.clock.now(), &self.zone(), Lean::Calendar)
            .map_err(|why| EngineError::Refused(format!("\"{}\": {why}", safe::text(text))))
    }

    pub(super) fn ordering(&self) -> MutexGuard<'_, ()> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same state under another configuration. Sealed secrets stay open with the keys they were opened with.
    ///
    /// # Errors
    /// When the configuration is for another state directory, or its sealed secrets cannot be opened.
    pub fn with_config(&self, config: Config) -> Result<Self, EngineError> {
        if config.state_dir != self.config.state_dir {
            let why = "another `state-dir` needs a restart; nothing was changed";
            return Err(EngineError::Digest(why.to_owned()));
        }
        let vault = match &self.vault {
            Some(vault) => Some(Arc::clone(vault)),
            None => open_vault(&config)?.map(Arc::new),
        };
        Ok(Self {
            config: Arc::new(config),
            vault,
            ..self.clone()
        })
    }

    /// Has everybody in a target looked at again: what was judged rests on a time that is not true. What the clock alone
    /// makes of them is foretold all the same: when it was wrong for everybody, it is put right for everybody.
    ///
    /// # Errors
    /// When the store fails.
    pub fn unsettle(&self, target: &str) -> Result<(), EngineError> {
        let marks: Vec<_> = self
            .state
            .settled(target)?
            .into_iter()
            .map(|(anchor, mark)| {
                let again = Settled {
                    overdue: true,
                    ..mark
                };
                (anchor, Some(again))
            })
            .collect();
        Ok(self.state.commit_settled(target, &marks)?)
    }

    /// The targets of these names, or all.
    ///
    /// # Errors
    /// When a name is not configured.
    pub fn select(&self, names: &[String]) -> Result<Vec<TargetSpec>, EngineError> {
        let all = &self.config.targets;
        if names.is_empty() {
            return Ok(all.clone());
        }
        names
            .iter()
            .map(|name| self.target(name).cloned())
            .collect()
    }

    /// The target of this name.
    ///
    /// # Errors
    /// When it is not configured.
    pub fn target(&self, name: &str) -> Result<&TargetSpec, EngineError> {
        self.config.target(name).ok_or_else(|| {
            let known: Vec<&str> = self
                .config
                .targets
                .iter()
                .map(|t| t.name.as_str())
                .collect();
            EngineError::Unknown {
                kind: "target",
                name: name.to_owned(),
                known: known.join(", "),
            }
        })
    }

    /// The source of this name.
    ///
    /// # Errors
    /// When it is not configured.
    pub fn source(&self, name: &str) -> Result<&SourceSpec, EngineError> {
        self.config.source(name).ok_or_else(|| {
            let known: Vec<&str> = self
                .config
                .sources
                .iter()
                .map(|s| s.settings.name.as_str())
                .collect();
            EngineError::Unknown {
                kind: "source",
                name: name.to_owned(),
                known: known.join(", "),
            }
        })
    }

    /// Reads a source now. If it cannot be reached, the last stored read stands in, marked as not complete.
    ///
    /// # Errors
    /// When the store fails, or the source cannot be read and never was.
    pub(super) async fn fetch(&self, name: &str) -> Result<Snapshot, EngineError> {
        let spec = self.source(name)?;
        let before = self.state.source_meta(name)?;
        let request = needs(&self.config, name);
        let mut sieve = IndexSieve::load(&self.state, name, self.read_progress);
        if before
            .as_ref()
            .is_none_or(|meta| meta.last_full_at.is_none())
        {
            sieve.await_also(self.account_holders(name)?);
        }
        let reader = source::connect(&spec.settings);
        match reader.fetch(&request, &mut sieve).await {
            Ok(report) => {
                let sieve = sieve.loaded()?;
                // After what was remembered is lost, it is not known which server returned whom.
                let same = before.as_ref().is_some_and(|meta| {
                    meta.last_full_at.is_some() && meta.server == report.server
                });
                let again = if absence::may_ask(report.completeness.is_full(), same) {
                    self.ask_again(name, &*reader, sieve.newly_absent(ASKED))
                        .await?
                } else {
                    Again::default()
                };
                let by = Judgement {
                    source: name,
                    now: self.clock.now(),
                    before: before.as_ref(),
                    shrink: spec.shrink,
                    accepted: self.accepted(name)?,
                    confirm: self.confirm(name),
                    request: digest(&request),
                    again,
                };
                Ok(Snapshot::judge(sieve, report, &by))
            }
            // Refused credentials are not weather: a person must look, and nothing is done meanwhile but say so.
            Err(error) => match before {
                Some(meta) if !matches!(error, SourceError::Refused { .. }) => {
                    drop(sieve);
                    let index = self.state.source_index(name)?;
                    let why = vec![error.to_string()];
                    Ok(failed(name, index, meta, why))
                }
                Some(_) | None => Err(error.into()),
            },
        }
    }

    /// The last read of a source.
    ///
    /// # Errors
    /// When it was never read, or the store fails.
    pub(super) fn stored(&self, name: &str) -> Result<Snapshot, EngineError> {
        self.source(name)?;
        tokio::task::block_in_place(|| {
            let Some(meta) = self.state.source_meta(name)? else {
                return Err(EngineError::NeverRead(name.to_owned()));
            };
            let index = self.state.source_index(name)?;
            let shortfalls = meta.shortfalls.clone();
            Ok(Snapshot::stored(name, index, &meta, shortfalls))
        })
    }

    /// Remembers that a source could not be read at all: whoever stays closed after a read that failed must do so at the
    /// next edge too.
    pub(super) fn read_failed(&self, name: &str, why: &EngineError) -> Result<(), EngineError> {
        let Some(meta) = self.state.source_meta(name)? else {
            return Ok(());
        };
        let why = vec![why.to_string()];
        let mut failed = failed(name, SourceIndex::default(), meta, why);
        if let Some(news) = failed.take_news() {
            tokio::task::block_in_place(|| self.state.commit_read(name, news))?;
        }
        Ok(())
    }

    /// Everybody who has an account in a target of this source.
    fn account_holders(&self, source: &str) -> Result<BTreeMap<Anchor, String>, EngineError> {
        let mut holders = BTreeMap::new();
        for target in &self.config.targets {
            if target.source != source {
                continue;
            }
            self.state.shadows(&target.name, &mut |shadow| {
                let gone = matches!(shadow.life, Life::Tombstone { .. });
                if !gone {
                    holders.insert(shadow.anchor, shadow.label);
                }
            })?;
        }
        Ok(holders)
    }

    fn confirm(&self, source: &str) -> u8 {
        self.config
            .targets
            .iter()
            .filter(|target| target.source == source)
            .map(super::gather::confirm)
            .max()
            .unwrap_or(2)
    }

    /// A smaller number of entries that an operator accepted for the next read.
    fn accepted(&self, source: &str) -> Result<Option<u64>, EngineError> {
        let meta = self.state.target_meta(&source_key(source))?;
        Ok(meta.counters.get("accepted").copied())
    }

    /// Accepts the number of entries of the last read although it is far smaller than before.
    ///
    /// # Errors
    /// When the source is not configured or was never read.
    pub fn accept_source(&self, source: &str, by: &str) -> Result<u64, EngineError> {
        self.source(source)?;
        let Some(meta) = self.state.source_meta(source)? else {
            let text = format!("source \"{source}\" was never read; run `provost plan` first");
            return Err(EngineError::Digest(text));
        };
        let key = source_key(source);
        let mut record = self.state.target_meta(&key)?;
        record.counters.insert("accepted".to_owned(), meta.entries);
        self.state.set_target_meta(&key, record)?;
        self.note(accepted(source, meta.entries, by, self.clock.now()))?;
        Ok(meta.entries)
    }

    /// An acceptance is for one read.
    pub(super) fn forget_acceptance(&self, source: &str) -> Result<(), EngineError> {
        let key = source_key(source);
        let mut record: TargetMeta = self.state.target_meta(&key)?;
        if record.counters.remove("accepted").is_some() {
            self.state.set_target_meta(&key, record)?;
        }
        Ok(())
    }
}

/// The vault, if the configuration says how it is sealed and its key was read.
fn open_vault(config: &Config) -> Result<Option<Vault>, EngineError> {
    let Some(keys) = config.vault.as_ref().and_then(|spec| spec.keys.as_ref()) else {
        return Ok(None);
    };
    let vault = Vault::open(&config.state_dir, keys)?;
    for problem in vault.problems()? {
        tracing::error!(%problem, "the vault is damaged; restore it from a backup");
    }
    if !vault.is_current()? {
        tracing::warn!(
            "the vault is still sealed with an old key; run `provost secrets rotate`, then remove the old key"
        );
    }
    Ok(Some(vault))
}

/// What all targets of a source together need from it.
#[must_use]
pub fn needs(config: &Config, source: &str) -> FetchRequest {
    let mut request = FetchRequest::default();
    for target in config
        .targets
        .iter()
        .filter(|target| target.source == source)
    {
        request
            .attributes
            .extend(target.mapping.source_attributes().iter().cloned());
        // Names for people to read, whatever the mapping uses.
        request
            .attributes
            .extend(["displayname".to_owned(), "cn".to_owned()]);
        if let Some(delivery) = &config.delivery {
            request.attributes.extend(delivery.letters.attributes());
        }
        let rules = &target.rules;
        let reassigns = rules.suspend.any(|how| matches!(how, How::Reassign(_)));
        if reassigns || (rules.delete_after.is_some() && target.connector.inherits()) {
            request
                .attributes
                .insert(target.rules.heir.attribute.clone());
        }
        request.attributes.extend(target.access.source_attributes());
        for used in std::iter::once(target.mapping.group_need()).chain(target.access.group_needs())
        {
            request.groups = both(std::mem::take(&mut request.groups), used);
        }
    }
    request
}

/// The groups that are needed for one thing and another.
fn both(need: GroupNeed, used: &GroupUse) -> GroupNeed {
    match (need, used) {
        (GroupNeed::All, _) | (_, GroupUse::All) => GroupNeed::All,
        (need, GroupUse::None) => need,
        (GroupNeed::None, GroupUse::Named(names)) => GroupNeed::Named(names.clone()),
        (GroupNeed::Named(mut need), GroupUse::Named(names)) => {
            need.extend(names.iter().cloned());
            GroupNeed::Named(need)
        }
    }
}

/// Names of targets never begin with "@".
fn source_key(source: &str) -> String {
    format!("@{source}")
}

fn digest(request: &FetchRequest) -> [u8; 16] {
    let mut hash = Sha256::new();
    for attribute in &request.attributes {
        hash.update(attribute.as_bytes());
        hash.update([0]);
    }
    match &request.groups {
        GroupNeed::None => hash.update([0]),
        GroupNeed::All => hash.update([1]),
        GroupNeed::Named(names) => {
            for name in names {
                hash.update(name.as_bytes());
                hash.update([2]);
            }
        }
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(hash.finalize().get(..16).unwrap_or(&[0; 16]));
    digest
}

/// The last read, after one that failed. That it failed is remembered with it.
fn failed(source: &str, index: SourceIndex, mut meta: SourceMeta, why: Vec<String>) -> Snapshot {
    meta.full = false;
    meta.shortfalls.clone_from(&why);
    let mut stored = Snapshot::stored(source, index, &meta, why);
    stored.meta = Some(meta);
    stored
}
