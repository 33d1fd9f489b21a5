//! What the marks of earlier runs say of everybody: who needs no second look, whose time has come, and who is closed now so
//! that all others can be closed in time.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::gather::Rests;
use crate::model::Anchor;
use crate::reconcile::access::{EARLIEST, Pace, begin_now, lot};
use crate::store::Settled;

/// What the mark of an earlier run says of somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Marked {
    /// Nothing that still holds.
    Nothing,
    /// No second look is needed.
    Settled,
    /// Something happens to them by now, as foretold.
    Foretold,
    /// A window closes for them soon, and they are closed now.
    Early,
}

/// Everybody, by their number in the snapshot.
pub(super) struct Marks {
    all: Vec<Marked>,
    /// Whose window closes when, with their lots. Only while closings are begun early.
    closing: BTreeMap<Timestamp, Vec<(u64, usize)>>,
    early: HashMap<usize, Timestamp>,
    now: Timestamp,
    pace: Option<Pace>,
}

impl Marks {
    pub(super) fn new(people: usize, now: Timestamp, pace: Option<Pace>) -> Self {
        Self {
            all: vec![Marked::Nothing; people],
            closing: BTreeMap::new(),
            early: HashMap::new(),
            now,
            pace,
        }
    }

    /// Takes in the mark of somebody whose judgement rests on this now.
    pub(super) fn enter(&mut self, number: usize, anchor: &str, settled: &Settled, rests: &Rests) {
        let now = self.now.as_second();
        let marked = if rests.is_foretold(settled, now) {
            Marked::Foretold
        } else if rests.is_settled(settled, now) {
            Marked::Settled
        } else {
            Marked::Nothing
        };
        if let Some(mark) = self.all.get_mut(number) {
            *mark = marked;
        }
        let later = |second: Option<i64>| {
            let at = second.and_then(|second| Timestamp::from_second(second).ok());
            at.filter(|at| *at > self.now)
        };
        if let Some(at) = later(settled.early) {
            self.early.insert(number, at);
        }
        let soon = |at: &Timestamp| at.duration_since(self.now) <= EARLIEST;
        let closes = later(settled.due).filter(soon).filter(|_| settled.closes);
        if self.pace.is_some()
            && marked == Marked::Settled
            && let Some(at) = closes
            && let Ok(anchor) = Anchor::new(anchor)
        {
            let all = self.closing.entry(at).or_default();
            all.push((lot(&anchor, at), number));
        }
    }

    /// Chooses who is closed now, once everybody is known.
    pub(super) fn begin_early(&mut self) {
        let Some(pace) = self.pace else {
            return;
        };
        for ((_, number), at) in begin_now(&self.closing, pace, self.now) {
            if let Some(mark) = self.all.get_mut(number) {
                *mark = Marked::Early;
            }
            self.early.insert(number, at);
        }
    }

    pub(super) fn of(&self, number: usize) -> Marked {
        self.all.get(number).copied().unwrap_or(Marked::Nothing)
    }

    /// The closing that somebody is closed before.
    pub(super) fn early(&self, number: usize) -> Option<Timestamp> {
        self.early.get(&number).copied()
    }
}
