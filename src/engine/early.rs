//! When the next closing must begin to be done in time, and how late it will be otherwise: from what is remembered alone.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{EngineError, Session};
use crate::config::TargetSpec;
use crate::model::Anchor;
use crate::reconcile::access::{Closing, STEP, closings};

/// A closing that takes no longer is not worth a word.
const SHORT: SignedDuration = SignedDuration::from_mins(1);

impl Session {
    /// The next moment after `after` at which time alone makes work for a target: somebody's access opens or closes, a date
    /// comes, or a closing must begin to be done in time.
    ///
    /// # Errors
    /// When the target is unknown or the store fails.
    pub fn next_edge(
        &self,
        target: &str,
        after: Timestamp,
    ) -> Result<Option<Timestamp>, EngineError> {
        let due = self.state.earliest_due(target, after.as_second())?;
        let due = due.and_then(|second| Timestamp::from_second(second).ok());
        let spec = self.target(target)?;
        if !spec.start_early {
            return Ok(due);
        }
        // What could not be closed in this step is not tried again before the next.
        let soonest = after.checked_add(STEP).unwrap_or(after);
        let begins = self.closings(spec)?.into_iter();
        let early = begins.map(|one| one.begin.max(soonest).min(one.at)).min();
        Ok([due, early].into_iter().flatten().min())
    }

    /// The next closing of a target, if it is known how long it takes, and how late its last one is closed.
    ///
    /// # Errors
    /// As [`Self::next_edge`].
    pub fn next_closing(
        &self,
        target: &str,
    ) -> Result<Option<(Closing, SignedDuration)>, EngineError> {
        let spec = self.target(target)?;
        let next = self.closings(spec)?.into_iter().next();
        Ok(next.map(|one| (one, lateness(&one, spec))))
    }

    /// The closing that somebody was closed before, if their time has not come.
    ///
    /// # Errors
    /// When the store fails.
    pub fn closed_before(
        &self,
        target: &str,
        anchor: &Anchor,
    ) -> Result<Option<Timestamp>, EngineError> {
        let now = self.clock.now();
        let marks = self.state.settled(target)?;
        let early = marks.get(anchor).and_then(|mark| mark.early);
        let at = early.and_then(|second| Timestamp::from_second(second).ok());
        Ok(at.filter(|at| *at > now))
    }

    /// Everything that the marks of earlier runs say of windows that close.
    fn closings(&self, spec: &TargetSpec) -> Result<Vec<Closing>, EngineError> {
        let Some(pace) = self.pace(spec)?.filter(|_| !spec.access.is_empty()) else {
            return Ok(Vec::new());
        };
        let now = self.clock.now();
        let mut people: BTreeMap<Timestamp, usize> = BTreeMap::new();
        self.state.each_settled(&spec.name, &mut |_, mark| {
            let due = mark.due.filter(|_| mark.closes);
            let at = due.and_then(|second| Timestamp::from_second(second).ok());
            if let Some(at) = at.filter(|at| *at > now) {
                *people.entry(at).or_default() += 1;
            }
        })?;
        Ok(closings(&people, pace))
    }

    /// What an operator should know of the next closing that takes long.
    pub(super) fn long_closing(&self, spec: &TargetSpec) -> Result<Option<String>, EngineError> {
        let long = self.closings(spec)?.into_iter();
        let mut long = long.filter(|one| one.takes > SHORT);
        Ok(long.next().map(|one| words(&one, spec)))
    }
}

fn words(closing: &Closing, spec: &TargetSpec) -> String {
    let Closing {
        at,
        people,
        takes,
        begin,
        late,
    } = *closing;
    let name = &spec.name;
    let what = format!(
        "{people} people close in {name} at {at}, which takes it {}",
        minutes(takes)
    );
    if !spec.start_early {
        return format!(
            "{what}: the last of them is closed {} late; with start-early = true closing begins at {begin}",
            minutes(late)
        );
    }
    let late = lateness(closing, spec);
    if late > SignedDuration::ZERO {
        let late = minutes(late);
        return format!("{what}: closing begins at {begin}, and the last is closed {late} late");
    }
    format!("{what}: closing begins at {begin}")
}

/// How long after its time the last one is closed, as it is configured.
fn lateness(closing: &Closing, spec: &TargetSpec) -> SignedDuration {
    if !spec.start_early {
        return closing.late;
    }
    let spare = closing.at.duration_since(closing.begin);
    (closing.takes - spare).max(SignedDuration::ZERO)
}

/// Rounded up.
fn minutes(time: SignedDuration) -> String {
    match (time.as_secs() + 59) / 60 {
        1 => "1 minute".to_owned(),
        n => format!("{n} minutes"),
    }
}
