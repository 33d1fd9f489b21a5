//! What a person who works through a list should know before its time: accesses whose end is known already.
//!
//! The same deciding as ever, with a later time. Nothing is written and nothing is done here: the list names the moment,
//! and when it has come the usual run asks for the same.

use std::sync::Arc;

use jiff::Timestamp;

use super::EngineError;
use super::flow::OneTarget;
use super::gather::{Inputs, View, gather};
use crate::model::Action;
use crate::reconcile::reconcile;
use crate::target::AccountWriter;

impl OneTarget<'_> {
    /// Tells the target whose access ends within the time that it wants to know ahead, and when.
    ///
    /// # Errors
    /// As a plan fails.
    pub(super) async fn foresee(&self, writer: &Arc<dyn AccountWriter>) -> Result<(), EngineError> {
        let Some(ahead) = writer.foresees() else {
            return Ok(());
        };
        let now = self.session.clock.now();
        let then = now.checked_add(ahead).unwrap_or(Timestamp::MAX);
        let inputs = Inputs {
            spec: self.spec,
            config: &self.session.config.digest,
            state: &self.session.state,
            snapshot: self.snapshot,
            recovered: &[],
            view: View::Sync,
            now: then,
            pace: None,
            known_only: false,
        };
        let mut gathered = gather(&inputs, &**writer).await?;
        // What is known today is all there is to go by.
        gathered.situation.basis.read_at = then;
        let marks = self.session.state.settled(&self.spec.name)?;
        for change in reconcile(&gathered.situation).plan.changes {
            let due = marks.get(&change.anchor).and_then(|mark| mark.due);
            let due = due.and_then(|at| Timestamp::from_second(at).ok());
            let ends = matches!(change.action, Action::Suspend(_));
            if let (true, Some(account), Some(at)) = (ends, &change.account, due)
                && at > now
            {
                let told = writer.foresee(account, at).await;
                told.map_err(|error| self.failed(error))?;
            }
        }
        Ok(())
    }
}
