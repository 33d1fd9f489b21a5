//! What a run still does when the application cannot be asked: its budget is spent, or its search is down.
//!
//! Whoever has an account and must not have access is known without asking. They do not wait until newcomers can be looked up.

use super::EngineError;
use super::flow::OneTarget;
use super::gather::{Gathered, Inputs, View, gather};
use super::recover::Recovered;
use crate::target::{AccountReader, ConnectorError, urgently};

impl OneTarget<'_> {
    /// What became of unfinished calls. It is few requests, and nothing is decided about these people before.
    ///
    /// # Errors
    /// As the application fails.
    pub(super) async fn recover_anyway(
        &self,
        reader: &dyn AccountReader,
    ) -> Result<Vec<Recovered>, EngineError> {
        match self.recover(reader).await {
            Err(EngineError::Target {
                error: ConnectorError::Throttled { .. },
                ..
            }) => urgently(self.recover(reader)).await,
            recovered => recovered,
        }
    }

    /// Gathers; if the application cannot be asked now, only about people who need no asking, and why that is.
    ///
    /// # Errors
    /// As the application fails, where there is nobody whom we know.
    pub(super) async fn gather_anyway<'b>(
        &'b self,
        reader: &'b dyn AccountReader,
        view: View,
    ) -> Result<(Gathered<'b>, Option<ConnectorError>), EngineError> {
        let error = match self.gather(reader, &[], view).await {
            Err(EngineError::Target {
                error: error @ (ConnectorError::Throttled { .. } | ConnectorError::Transient(_)),
                ..
            }) => error,
            gathered => return Ok((gathered?, None)),
        };
        let meta = self.session.state.target_meta(&self.spec.name)?;
        if meta.last_list_at.is_none() {
            return Err(self.failed(error));
        }
        let inputs = Inputs {
            known_only: true,
            ..self.inputs(&[], View::Sync)?
        };
        Ok((gather(&inputs, reader).await?, Some(error)))
    }
}
