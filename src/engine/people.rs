//! Who is in a source now, for `explain`. Remembers nothing and decides nothing.

use std::sync::Arc;

use super::snapshot::Standing;
use super::{EngineError, Session};
use crate::model::Identity;

impl Session {
    /// Reads a source now and hands out everybody who is in it, in no particular order. If it cannot be reached,
    /// everybody as last read is handed out instead.
    ///
    /// # Errors
    /// When the store fails, or the source cannot be read and never was.
    pub async fn people(
        &self,
        source: &str,
        each: &mut (dyn FnMut(Identity) + Send),
    ) -> Result<(), EngineError> {
        let snapshot = self.fetch(source).await?;
        for (anchor, standing, _fingerprint) in snapshot.everybody() {
            let here = match standing {
                Standing::Present => true,
                Standing::Unreadable | Standing::Missing(_) | Standing::Unproven => false,
            };
            if !here {
                continue;
            }
            if let Some(identity) = snapshot.identity(anchor, &self.state)? {
                each(Arc::unwrap_or_clone(identity));
            }
        }
        Ok(())
    }
}
