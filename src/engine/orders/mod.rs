//! What operators order: overrides for one person, a freeze of one target or of all, and the trail of both.
//!
//! Orders are records of ours and change no application by themselves: the next run decides with them.
//! Everything here takes and returns plain values, so that a command and the control socket of a running daemon
//! do the same through the same functions.

mod freeze;
mod overrides;
mod trail;

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::EngineError;
use crate::model::{Anchor, AuditEntry, Freeze, Override};
use crate::store::{DocumentWrite, State, StoreError};

pub use freeze::{FreezeStatus, Frozen, Thawed};
pub(super) use freeze::{WAITING, frozen};
pub use overrides::{LONGEST_DAYS, OverrideGiven, OverrideList, OverrideOrder};
pub(super) use trail::{accepted, discarded, released};

/// The kinds of document, each with the type of its record.
const OVERRIDE: &str = "override";
const FREEZE: &str = "freeze";
const AUDIT: &str = "audit";

/// What is stored. One type for all kinds, so that an order and its entry in the trail are written together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Record {
    Override(Override),
    Freeze(Freeze),
    Audit(AuditEntry),
}

/// Writes that take effect together.
#[derive(Default)]
struct Writes {
    items: Vec<(&'static str, String, Option<Record>)>,
}

impl Writes {
    fn put(&mut self, kind: &'static str, key: String, record: Record) {
        self.items.push((kind, key, Some(record)));
    }

    fn remove(&mut self, kind: &'static str, key: String) {
        self.items.push((kind, key, None));
    }

    fn commit(&self, state: &State) -> Result<(), StoreError> {
        if self.items.is_empty() {
            return Ok(());
        }
        let writes: Vec<DocumentWrite<'_, Record>> = self
            .items
            .iter()
            .map(|(kind, key, record)| DocumentWrite {
                kind,
                key,
                value: record.as_ref(),
            })
            .collect();
        state.set_documents(&writes)
    }
}

/// Every override that is kept, over or not, in the order in which they were given.
fn kept(state: &State) -> Result<Vec<Override>, StoreError> {
    let mut kept: Vec<Override> = state
        .documents::<Record>(OVERRIDE)?
        .into_iter()
        .filter_map(|(_, record)| match record {
            Record::Override(order) => Some(order),
            Record::Freeze(_) | Record::Audit(_) => None,
        })
        .collect();
    kept.sort_by(|a, b| (a.at, a.id.len(), &a.id).cmp(&(b.at, b.id.len(), &b.id)));
    Ok(kept)
}

/// Every override that is kept, also those of others and those that are over.
pub(super) fn standing(state: &State) -> Result<Vec<Override>, EngineError> {
    Ok(kept(state)?)
}

/// What stands for each person in one target: overrides in force, and those to come.
pub(super) type Orders = HashMap<Anchor, Vec<Override>>;

/// The orders for one target that are not over.
pub(super) fn orders(state: &State, target: &str, now: Timestamp) -> Result<Orders, EngineError> {
    let mut orders = Orders::new();
    for order in kept(state)? {
        if order.is_for(target) && !order.is_over(now) {
            orders.entry(order.anchor.clone()).or_default().push(order);
        }
    }
    Ok(orders)
}
