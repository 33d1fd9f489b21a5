//! Why a run could not be carried out.

use crate::model::Outcome;
use crate::source::SourceError;
use crate::store::StoreError;
use crate::target::ConnectorError;

/// Why a run, or the run of one target, could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The state directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory cannot be read at all.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The application cannot be used at all.
    #[error("target \"{target}\": {error}")]
    Target {
        /// The target.
        target: String,
        /// What went wrong.
        error: ConnectorError,
    },
    /// A name on the command line is not in the configuration.
    #[error("there is no {kind} named \"{name}\"; configured are: {known}")]
    Unknown {
        /// "target" or "source".
        kind: &'static str,
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A digest was given that is not the one that waits.
    #[error("{0}")]
    Digest(String),
    /// An order cannot be carried out, and why.
    #[error("{0}")]
    Refused(String),
    /// The stored read of a source was asked for, and there is none.
    #[error("source \"{0}\" was never read; the next sync reads it")]
    NeverRead(String),
    /// The run was asked to end before it changed anything.
    #[error("interrupted before anything was changed; the next run goes on")]
    Interrupted,
    /// The system gives no randomness, so that no password can be made.
    #[error("{0}")]
    Randomness(String),
    /// A part of the run panicked. The others went on.
    #[error("the run of \"{0}\" ended in a panic; please report it with the log")]
    Panicked(String),
}

impl EngineError {
    /// The outcome that every surface shows for this error.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Store(StoreError::Locked { .. }) => Outcome::Locked,
            Self::Source(_) | Self::NeverRead(_) => Outcome::SourceIncomplete,
            Self::Unknown { .. } => Outcome::ConfigInvalid,
            Self::Interrupted => Outcome::PartlyFailed,
            Self::Store(_)
            | Self::Target { .. }
            | Self::Digest(_)
            | Self::Randomness(_)
            | Self::Refused(_)
            | Self::Panicked(_) => Outcome::Failed,
        }
    }
}
