//! The freeze: nothing is written to one application, or to any, until somebody thaws it. Reading and planning go on.

use serde::{Deserialize, Serialize};

use super::overrides::reason;
use super::trail::{Trail, entry};
use super::{FREEZE, Record, Writes};
use crate::engine::{EngineError, Session};
use crate::model::{AuditEntry, AuditWhat, Freeze};
use crate::store::{State, StoreError};

/// The key of the freeze of all targets; no target's name begins like this.
const ALL: &str = "@all";

/// What was frozen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Frozen {
    /// What is frozen now because of this order.
    pub frozen: Vec<Freeze>,
    /// What was frozen already, and stays so under the older order.
    pub already: Vec<Freeze>,
}

/// What was thawed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Thawed {
    /// What is no longer frozen.
    pub thawed: Vec<Freeze>,
}

/// Where one target stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FreezeStatus {
    /// The target.
    pub target: String,
    /// What freezes it: an order of its own, or one for all.
    pub freeze: Option<Freeze>,
    /// Suspensions and deletions that waited behind the freeze when the last run looked.
    pub waiting: u64,
}

/// The order that freezes a target now, if there is one.
pub(in crate::engine) fn frozen(state: &State, target: &str) -> Result<Option<Freeze>, StoreError> {
    for key in [ALL, target] {
        if let Some(Record::Freeze(freeze)) = state.document::<Record>(FREEZE, key)? {
            return Ok(Some(freeze));
        }
    }
    Ok(None)
}

/// What waits behind a freeze is remembered under this name.
pub(in crate::engine) const WAITING: &str = "frozen";

fn key(target: Option<&str>) -> String {
    target.unwrap_or(ALL).to_owned()
}

impl Session {
    /// Stops all writing to these targets, or to all.
    ///
    /// # Errors
    /// When a name is not configured, when there is no reason, or when the state cannot be written.
    pub fn freeze(&self, targets: &[String], why: &str, by: &str) -> Result<Frozen, EngineError> {
        let why = reason(why)?;
        let _alone = self.ordering();
        let now = self.clock.now();
        let mut done = Frozen {
            frozen: Vec::new(),
            already: Vec::new(),
        };
        let mut trail = Trail::open(&self.state)?;
        let mut writes = Writes::default();
        for target in self.named(targets)? {
            let key = key(target.as_deref());
            if let Some(Record::Freeze(freeze)) = self.state.document::<Record>(FREEZE, &key)? {
                done.already.push(freeze);
                continue;
            }
            let freeze = Freeze {
                target: target.clone(),
                reason: why.clone(),
                by: by.to_owned(),
                at: now,
            };
            let entry = AuditEntry {
                target,
                ..entry(AuditWhat::Freeze, now, by, &why)
            };
            trail.add(entry, &mut writes);
            writes.put(FREEZE, key, Record::Freeze(freeze.clone()));
            done.frozen.push(freeze);
        }
        writes.commit(&self.state)?;
        Ok(done)
    }

    /// Allows writing again: to these targets, or, without names, to everything.
    ///
    /// # Errors
    /// When a name is not configured, when a target is frozen together with all others, or when the state cannot be
    /// written.
    pub fn thaw(&self, targets: &[String], why: &str, by: &str) -> Result<Thawed, EngineError> {
        let _alone = self.ordering();
        let now = self.clock.now();
        let named = self.named(targets)?;
        let all = self.state.document::<Record>(FREEZE, ALL)?;
        if all.is_some() && !targets.is_empty() {
            let text = "all targets are frozen together; `provost freeze off` without a name thaws them, and `provost freeze on TARGET` keeps one frozen";
            return Err(EngineError::Refused(text.to_owned()));
        }
        let mut done = Thawed { thawed: Vec::new() };
        let mut trail = Trail::open(&self.state)?;
        let mut writes = Writes::default();
        for (key, record) in self.state.documents::<Record>(FREEZE)? {
            let Record::Freeze(freeze) = record else {
                continue;
            };
            if !targets.is_empty() && !named.contains(&freeze.target) {
                continue;
            }
            let entry = AuditEntry {
                target: freeze.target.clone(),
                ..entry(AuditWhat::Thaw, now, by, why.trim())
            };
            trail.add(entry, &mut writes);
            writes.remove(FREEZE, key);
            done.thawed.push(freeze);
        }
        writes.commit(&self.state)?;
        Ok(done)
    }

    /// Where every target stands.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub fn freezes(&self) -> Result<Vec<FreezeStatus>, EngineError> {
        let mut all = Vec::new();
        for target in &self.config.targets {
            let freeze = frozen(&self.state, &target.name)?;
            let meta = self.state.target_meta(&target.name)?;
            let waiting = meta.counters.get(WAITING).copied().unwrap_or(0);
            all.push(FreezeStatus {
                target: target.name.clone(),
                waiting: if freeze.is_some() { waiting } else { 0 },
                freeze,
            });
        }
        Ok(all)
    }

    /// The targets of these names; no name means all of them together.
    fn named(&self, targets: &[String]) -> Result<Vec<Option<String>>, EngineError> {
        if targets.is_empty() {
            return Ok(vec![None]);
        }
        let found = self.select(targets)?;
        Ok(found.into_iter().map(|target| Some(target.name)).collect())
    }
}
