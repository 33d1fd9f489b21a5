//! The trail: an entry for each order and for each end of one. Entries are added and never changed.

use jiff::Timestamp;

use super::{AUDIT, Record, Writes};
use crate::engine::{EngineError, Posted, Session};
use crate::model::{AuditEntry, AuditWhat, Override};
use crate::store::{State, StoreError};

/// So many entries are kept in the state directory; the log has them all.
const KEPT: usize = 10_000;
/// Who ends what ends by itself.
pub(super) const PROVOST: &str = "provost";

/// A trail being written.
pub(super) struct Trail {
    next: u64,
    known: Vec<String>,
}

impl Trail {
    pub(super) fn open(state: &State) -> Result<Self, StoreError> {
        let known: Vec<String> = state
            .documents::<Record>(AUDIT)?
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        let last = known.last().and_then(|key| key.parse::<u64>().ok());
        let next = last.unwrap_or(0).saturating_add(1);
        Ok(Self { next, known })
    }

    /// The number of the next entry; the first override of an entry is named after it.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Adds an entry to what will be written, and to the log. Its number is filled in.
    pub(super) fn add(&mut self, entry: AuditEntry, writes: &mut Writes) {
        let entry = AuditEntry {
            number: self.next,
            ..entry
        };
        log(&entry);
        let key = format!("{:020}", self.next);
        self.next = self.next.saturating_add(1);
        self.known.push(key.clone());
        let surplus = self.known.len().saturating_sub(KEPT);
        for old in self.known.drain(..surplus) {
            writes.remove(AUDIT, old);
        }
        writes.put(AUDIT, key, Record::Audit(entry));
    }
}

/// Names nobody: the anchor says who, to those who may look it up.
fn log(entry: &AuditEntry) {
    tracing::info!(
        target: "provost::audit",
        number = entry.number,
        what = entry.what.as_str(),
        by = entry.by,
        about = entry.about.as_deref().unwrap_or_default(),
        name = entry.target.as_deref().unwrap_or("all targets"),
        anchor = entry.anchor.as_ref().map_or("", |anchor| anchor.as_str()),
        until = %entry.until.map_or(String::new(), |until| until.to_string()),
        reason = entry.reason,
    );
}

/// An entry about no person.
pub(super) fn entry(what: AuditWhat, at: Timestamp, by: &str, reason: &str) -> AuditEntry {
    AuditEntry {
        number: 0,
        at,
        by: by.to_owned(),
        what,
        about: None,
        target: None,
        anchor: None,
        label: None,
        until: None,
        reason: reason.to_owned(),
    }
}

/// An entry about an override.
pub(super) fn about(
    order: &Override,
    what: AuditWhat,
    at: Timestamp,
    by: &str,
    reason: &str,
) -> AuditEntry {
    AuditEntry {
        about: Some(order.id.clone()),
        target: order.target.clone(),
        anchor: Some(order.anchor.clone()),
        label: Some(order.label.clone()),
        until: order.until,
        ..entry(what, at, by, reason)
    }
}

impl Session {
    /// The last entries of the trail, oldest first.
    ///
    /// # Errors
    /// When the state cannot be used.
    pub fn trail(&self, last: usize) -> Result<Vec<AuditEntry>, EngineError> {
        let all = self.state.documents::<Record>(AUDIT)?;
        let skipped = all.len().saturating_sub(last);
        let shown = all.into_iter().skip(skipped);
        Ok(shown
            .filter_map(|(_, record)| match record {
                Record::Audit(entry) => Some(entry),
                Record::Override(_) | Record::Freeze(_) => None,
            })
            .collect())
    }

    /// Adds an entry about something that is recorded elsewhere.
    pub(in crate::engine) fn note(&self, entry: AuditEntry) -> Result<(), EngineError> {
        let _alone = self.ordering();
        let mut trail = Trail::open(&self.state)?;
        let mut writes = Writes::default();
        trail.add(entry, &mut writes);
        Ok(writes.commit(&self.state)?)
    }
}

/// What was released for a target.
pub(in crate::engine) fn released(
    target: &str,
    digest: &str,
    by: &str,
    at: Timestamp,
) -> AuditEntry {
    AuditEntry {
        about: Some(digest.to_owned()),
        target: Some(target.to_owned()),
        ..entry(AuditWhat::Release, at, by, "")
    }
}

/// How many people of a source were accepted.
pub(in crate::engine) fn accepted(
    source: &str,
    people: u64,
    by: &str,
    at: Timestamp,
) -> AuditEntry {
    let reason = format!("{people} people");
    AuditEntry {
        about: Some(source.to_owned()),
        ..entry(AuditWhat::Accept, at, by, &reason)
    }
}

/// Whose sealed password was discarded because its letter could not be delivered.
pub(in crate::engine) fn discarded(letter: &Posted, reason: &str, at: Timestamp) -> AuditEntry {
    AuditEntry {
        about: Some(letter.id()),
        target: Some(letter.target.clone()),
        anchor: Some(letter.anchor.clone()),
        label: Some(letter.person.clone()),
        ..entry(AuditWhat::Discard, at, PROVOST, reason)
    }
}
