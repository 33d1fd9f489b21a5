//! What a person who works through a list should know before its time: accesses whose end or beginning is known already.
//!
//! The same deciding as ever, at each of the moments to come. Nothing is written and nothing is done here: the list names
//! the moment, and when it has come the usual run asks for the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::EngineError;
use super::flow::OneTarget;
use super::gather::{Inputs, View, gather};
use super::perform::draft;
use crate::model::{Action, Anchor, Change};
use crate::reconcile::reconcile;
use crate::target::{AccountWriter, Coming, ConnectorError};

/// So many moments ahead are looked at; the later ones come nearer with every run.
const MOMENTS: usize = 100;

impl OneTarget<'_> {
    /// Tells the target whose access ends or begins within the time that it wants to know ahead, and when.
    ///
    /// # Errors
    /// As a plan fails.
    pub(super) async fn foresee(&self, writer: &Arc<dyn AccountWriter>) -> Result<(), EngineError> {
        let Some(ahead) = writer.foresees() else {
            return Ok(());
        };
        let now = self.session.clock.now();
        let then = now.checked_add(ahead).unwrap_or(Timestamp::MAX);
        let marks = self.session.state.settled(&self.spec.name)?;
        // The first moment for each person: what comes after it is told once it has passed.
        let next = |anchor: &Anchor| {
            let due = marks.get(anchor).and_then(|mark| mark.due);
            due.and_then(|at| Timestamp::from_second(at).ok())
        };
        let moments = marks.keys().filter_map(next);
        let moments: BTreeSet<Timestamp> = moments.filter(|at| *at > now && *at <= then).collect();
        for at in moments.into_iter().take(MOMENTS) {
            let inputs = Inputs {
                spec: self.spec,
                config: &self.session.config.digest,
                state: &self.session.state,
                snapshot: self.snapshot,
                recovered: &[],
                view: View::Sync,
                now: at,
                pace: None,
                known_only: false,
            };
            let mut gathered = gather(&inputs, &**writer).await?;
            // What is known today is all there is to go by.
            gathered.situation.basis.read_at = at;
            for change in reconcile(&gathered.situation).plan.changes {
                if next(&change.anchor) == Some(at) {
                    let told = self.tell_of(&change, at, writer).await;
                    told.map_err(|error| self.failed(error))?;
                }
            }
        }
        Ok(())
    }

    async fn tell_of(
        &self,
        change: &Change,
        at: Timestamp,
        writer: &Arc<dyn AccountWriter>,
    ) -> Result<(), ConnectorError> {
        let draft = draft(change);
        let coming = match (&change.action, &change.account) {
            (Action::Suspend(_), Some(account)) => Coming::Ends(account),
            (Action::Reactivate(_), Some(account)) => Coming::Begins(account),
            (Action::Create, _) => Coming::Joins(&draft),
            (
                Action::Suspend(_)
                | Action::Reactivate(_)
                | Action::Delete
                | Action::Link
                | Action::Update
                | Action::Entitle,
                _,
            ) => return Ok(()),
        };
        writer.foresee(coming, at).await
    }
}
