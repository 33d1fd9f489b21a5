//! Which requests count against a target's budgets, however often it is connected to.
//!
//! A run is a connection of its own. An application that allows 1,000 requests an hour does not allow them for each.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When requests were sent to one target, the oldest first, as far back as its longest budget goes. Copies share them.
#[derive(Clone, Default)]
pub struct Spent(Arc<Mutex<VecDeque<Instant>>>);

// What was sent is no property of the settings that this stands in.
impl fmt::Debug for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spent")
    }
}

impl Spent {
    /// Counts one request against every budget (so many in any stretch of time of this length, of which `usable` says how
    /// many are for this request), or says how long to wait until all have one. Without budgets, nothing is counted.
    pub(super) fn spend(
        &self,
        budgets: &[(Duration, usize)],
        usable: impl Fn(usize) -> usize,
    ) -> Option<Duration> {
        let longest = budgets.iter().map(|(window, _)| *window).max()?;
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let ago = |at: &Instant| now.saturating_duration_since(*at);
        while sent.front().is_some_and(|at| ago(at) >= longest) {
            sent.pop_front();
        }
        let mut wait = Duration::ZERO;
        for (window, most) in budgets {
            let old = sent.partition_point(|at| ago(at) >= *window);
            // So many must be long enough ago, and this is the last of them.
            if let Some(over) = (sent.len() - old).checked_sub(usable(*most))
                && let Some(last) = sent.get(old + over)
            {
                let over = window.saturating_sub(ago(last));
                wait = wait.max(over.max(Duration::from_millis(1)));
            }
        }
        if !wait.is_zero() {
            return Some(wait);
        }
        sent.push_back(now);
        None
    }
}
