//! When a policy is open, whoever it is for: what a timetable shows.

use jiff::Timestamp;

use super::layer::Layer;
use super::policy::{Policy, Times};
use super::schedule;

impl Policy {
    /// The openings within `[from, to)` in the policy's own zone, in order, cut at both ends.
    ///
    /// `None` if the times are each person's own (`logonHours`).
    #[must_use]
    pub fn openings(&self, from: Timestamp, to: Timestamp) -> Option<Vec<(Timestamp, Timestamp)>> {
        let Times::Week(week) = &self.times else {
            return None;
        };
        let layer = Layer::new(0, self.zone.default.clone(), None);
        let spans = schedule::open(self, &layer, week, from.as_second(), to.as_second());
        let instant = |second| Timestamp::from_second(second).ok();
        Some(
            spans
                .iter()
                .filter_map(|(from, to)| Some((instant(from)?, instant(to)?)))
                .collect(),
        )
    }
}
