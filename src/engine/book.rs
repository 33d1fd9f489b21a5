//! Writing down what is about to be done and how it ended, on a thread of its own: calls go on meanwhile.

use std::sync::Arc;

use jiff::Timestamp;

use super::intent::intent;
use super::perform::Bench;
use crate::model::{Anchor, Change, Shadow};
use crate::reconcile::mapping::Mapping;
use crate::store::{Conclusion, Intent, OpId, State, StoreError};
use crate::target::AccountWriter;

/// One change on its way, its intent durable.
pub(super) struct Step {
    pub change: Arc<Change>,
    pub op: OpId,
    pub intent: Intent,
}

/// The journal as one run of one target writes it.
#[derive(Clone)]
pub(super) struct Book {
    pub target: Arc<str>,
    pub run: u64,
    pub state: Arc<State>,
    pub writer: Arc<dyn AccountWriter>,
    pub mapping: Arc<Mapping>,
    pub now: Timestamp,
}

impl Book {
    /// What carrying out a change needs.
    pub(super) fn bench(&self) -> Bench<'_> {
        Bench {
            writer: &*self.writer,
            mapping: &self.mapping,
            now: self.now,
        }
    }

    /// Makes outcomes durable and moves their shadows; then makes the next intents durable.
    /// Begins at once, whether or not anybody waits for it yet.
    pub(super) fn turn(
        &self,
        outcomes: Vec<Conclusion>,
        next: Vec<Arc<Change>>,
    ) -> impl Future<Output = Result<Vec<Step>, StoreError>> + use<> {
        let book = self.clone();
        let writing = tokio::task::spawn_blocking(move || {
            book.state.conclude(&book.target, outcomes)?;
            book.begin(next)
        });
        async {
            match writing
                .await
                .map_err(tokio::task::JoinError::try_into_panic)
            {
                Ok(steps) => steps,
                Err(Ok(panic)) => std::panic::resume_unwind(panic),
                // Only when the whole program ends: whatever was begun is looked at by the next run.
                Err(Err(_cancelled)) => Ok(Vec::new()),
            }
        }
    }

    /// Makes intents durable.
    fn begin(&self, changes: Vec<Arc<Change>>) -> Result<Vec<Step>, StoreError> {
        let bench = self.bench();
        let mut intents = Vec::with_capacity(changes.len());
        for change in &changes {
            intents.push(intent(change, self.shadow(&change.anchor)?, &bench));
        }
        let ops = self.state.intend(&self.target, self.run, &intents)?;
        let steps = changes.into_iter().zip(ops).zip(intents);
        Ok(steps
            .map(|((change, op), intent)| Step { change, op, intent })
            .collect())
    }

    /// Somebody's shadow as the last conclusion left it.
    pub(super) fn shadow(&self, anchor: &Anchor) -> Result<Option<Shadow>, StoreError> {
        self.state.shadow(&self.target, anchor)
    }
}
