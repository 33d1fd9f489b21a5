//! What operators and programs read: plans, results and status, as text or as versioned JSON.
//!
//! Pure: values in, text out. Nothing here decides what is done, and nothing here knows a terminal;
//! `cli` chooses width and colour and writes the result. All strings from outside pass through [`safe`] on their way to text.

pub mod csv;
pub mod html;
pub mod ics;
pub mod json;
mod paint;
pub mod safe;
pub mod status;
pub mod text;
pub mod windows;

use crate::model::{Digest, Plan};
use crate::reconcile::guard::{Breach, Use, Verdict};

pub use paint::{Look, Paint};

/// What the guard said about a plan, as far as reports show it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Review {
    /// How many changes may be applied now.
    pub approved: usize,
    /// How many changes wait for a person.
    pub staged: usize,
    /// Each limit that was reached, or review that is due.
    pub breaches: Vec<BreachLine>,
    /// How much of each limit the plan uses.
    pub uses: Vec<Use>,
    /// What `provost release` must name for the staged changes; `None` if nothing waits.
    pub release: Option<Digest>,
}

impl Review {
    /// The guard's word as reports show it.
    #[must_use]
    pub fn of(verdict: &Verdict, uses: &[Use]) -> Self {
        Self {
            uses: uses.to_vec(),
            approved: verdict.approved.changes().len(),
            staged: verdict.staged.len(),
            breaches: verdict.breaches.iter().map(BreachLine::of).collect(),
            release: verdict.release.clone(),
        }
    }

    /// A review that lets everything through.
    #[must_use]
    pub fn passed(plan: &Plan) -> Self {
        Self {
            approved: plan.changes.len(),
            ..Self::default()
        }
    }
}

/// One limit that was reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BreachLine {
    /// The limit's name in kebab-case.
    pub kind: String,
    /// How many changes there are of the kind, where it is counted.
    pub count: usize,
    /// How many are allowed.
    pub allowed: usize,
    /// What it means and what to do.
    pub text: String,
}

impl BreachLine {
    fn of(breach: &Breach) -> Self {
        let (kind, count, allowed) = match breach {
            Breach::FirstRun => ("first-run".to_owned(), 0, 0),
            Breach::Limit {
                kind,
                count,
                allowed,
                ..
            } => (kind.to_string(), *count, *allowed),
            Breach::Day { count, allowed, .. } => ("day".to_owned(), *count, *allowed),
            Breach::Vanished { count, allowed, .. } => ("vanished".to_owned(), *count, *allowed),
        };
        let text = breach.to_string();
        Self {
            kind,
            count,
            allowed,
            text,
        }
    }
}
