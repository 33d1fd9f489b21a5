//! Who has access at a moment, and what changes from then on: from the stored read of a directory, or a new one.
//! Plans nothing and changes nothing.

use std::sync::Arc;

use jiff::Timestamp;

use super::orders::standing;
use super::run::Read;
use super::settle::PACE;
use super::snapshot::Standing;
use super::{EngineError, Session, Snapshot};
use crate::config::TargetSpec;
use crate::reconcile::access::{Outlook, Pace, outlook};

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct WindowsRequest {
    /// The targets; empty means all.
    pub targets: Vec<String>,
    /// One person; `None` means everybody in scope.
    pub person: Option<String>,
    /// The moment; `None` means now.
    pub at: Option<Timestamp>,
    /// Until when transitions are listed; `None` means that only the moment is asked about.
    pub to: Option<Timestamp>,
    /// Where people are taken from.
    pub read: Read,
}

/// What was found for one target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetWindows {
    /// The target.
    pub target: String,
    /// When the directory was read.
    pub read_at: Timestamp,
    /// What was missing from that read; empty means complete.
    pub shortfalls: Vec<String>,
    /// The version of the time zone database.
    pub time_zones: String,
    /// How many policies hold for the target.
    pub policies: usize,
    /// How fast the application takes access away, if that is known.
    pub pace: Option<Pace>,
    /// The people, ordered by name and anchor.
    pub people: Vec<Outlook>,
}

impl Session {
    /// Judges everybody, or one person, at a moment.
    ///
    /// # Errors
    /// When a name is unknown, more than one person is meant, the range makes no sense, or the store fails.
    pub async fn windows(
        &self,
        request: &WindowsRequest,
    ) -> Result<Vec<TargetWindows>, EngineError> {
        let at = request.at.unwrap_or_else(|| self.clock.now());
        if request.to.is_some_and(|to| to <= at) {
            let text = "the range ends before it begins".to_owned();
            return Err(EngineError::Refused(text));
        }
        let mut found = Vec::new();
        for spec in self.select(&request.targets)? {
            let snapshot = self.snapshot(&spec.source, request.read, true).await?;
            found.push(tokio::task::block_in_place(|| {
                self.target_windows(&spec, &snapshot, at, request)
            })?);
        }
        let nobody = found.iter().all(|target| target.people.is_empty());
        if let Some(person) = request.person.as_ref().filter(|_| nobody) {
            // Says that nobody fits, or that somebody is known and not in the directory any more.
            let known = self.find_one(person)?;
            let text = format!(
                "{} ({}) is not in the directory as last read",
                crate::report::safe::text(&known.label),
                known.anchor
            );
            return Err(EngineError::Refused(text));
        }
        Ok(found)
    }

    /// How fast a target takes access away, as far as is known.
    pub(super) fn pace(&self, spec: &TargetSpec) -> Result<Option<Pace>, EngineError> {
        let meta = self.state.target_meta(&spec.name)?;
        let measured = meta.counters.get(PACE).copied();
        Ok(Pace::of(measured, spec.connector.millis_per_request()))
    }

    fn target_windows(
        &self,
        spec: &TargetSpec,
        snapshot: &Arc<Snapshot>,
        at: Timestamp,
        request: &WindowsRequest,
    ) -> Result<TargetWindows, EngineError> {
        let overrides = standing(&self.state)?;
        let wanted = request.person.as_ref().map(|person| person.to_lowercase());
        let mut judge = spec.access.at(at);
        let mut people = Vec::new();
        for somebody in snapshot.everybody() {
            if somebody.standing != Standing::Present {
                continue;
            }
            let anchor = somebody.anchor;
            let Some(identity) = snapshot.identity(anchor, &self.state)? else {
                continue;
            };
            let meant = wanted
                .as_ref()
                .is_none_or(|word| super::is_meant(&identity, word));
            if !meant {
                continue;
            }
            let mut theirs = overrides.iter().filter(|order| order.anchor == *anchor);
            let theirs: Vec<_> = theirs.by_ref().cloned().collect();
            let found = outlook(&mut judge, &spec.mapping, &identity, &theirs, request.to);
            if found.in_scope || wanted.is_some() {
                people.push(found);
            }
        }
        people.sort_by(|a, b| (&a.label, &a.anchor).cmp(&(&b.label, &b.anchor)));
        if let Some(person) = request.person.as_ref().filter(|_| people.len() > 1) {
            let known: Vec<super::Known> = people
                .iter()
                .map(|one| super::Known {
                    anchor: one.anchor.clone(),
                    label: one.label.clone(),
                })
                .collect();
            return Err(EngineError::Refused(super::ambiguous(person, &known)));
        }
        Ok(TargetWindows {
            target: spec.name.clone(),
            read_at: snapshot.read_at,
            shortfalls: snapshot.shortfalls.clone(),
            time_zones: spec.access.tz_version().to_owned(),
            policies: spec.access.policies.len(),
            pace: self.pace(spec)?,
            people,
        })
    }
}
