//! What the schedule must know after a restart: when scheduled work last began.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::engine::{EngineError, Session};
use crate::store::DocumentWrite;

const KIND: &str = "schedule";

/// When scheduled work on one target last began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Began {
    pub sync: Option<Timestamp>,
    pub reconcile: Option<Timestamp>,
}

/// What is remembered of a target. A store written by single runs knows when accounts were last listed.
pub(super) fn recall(session: &Session, target: &str) -> Result<Began, EngineError> {
    if let Some(began) = session.state.document(KIND, target)? {
        return Ok(began);
    }
    let meta = session.state.target_meta(target)?;
    Ok(Began {
        sync: None,
        reconcile: meta.last_list_at,
    })
}

/// Remembers it.
pub(super) fn keep(session: &Session, target: &str, began: Began) -> Result<(), EngineError> {
    let write = DocumentWrite {
        kind: KIND,
        key: target,
        value: Some(&began),
    };
    Ok(session.state.set_documents(&[write])?)
}
