//! Reading people from a directory: Active Directory, LDAP, LDIF.
//!
//! A read streams: entries go one by one into a [`Sieve`], which drops what it already knows.
//! What the read proved comes back as a [`ReadReport`].
//! Nothing here decides anything, and nothing here writes to a directory. `ldap3` is named only in this module.

mod ber;
pub mod settings;

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::model::{ReadReport, Sieve};

/// Which groups a read must resolve for each person.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum GroupNeed {
    /// Nothing in the configuration refers to groups.
    #[default]
    None,
    /// Only these groups, each by short name or by DN, in any case.
    Named(BTreeSet<String>),
    /// Every group below the configured group bases.
    All,
}

/// What a read must deliver.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FetchRequest {
    /// The attributes that mapping, scope and windows use, lower case. The source adds those it needs itself.
    pub attributes: BTreeSet<String>,
    /// The groups that matter.
    pub groups: GroupNeed,
}

/// Why nothing could be read at all. A read that began and broke off is a partial [`ReadReport`], not an error.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No server could be reached. Retry later; the last snapshot stays in use.
    #[error("no server of source \"{source_name}\" could be reached: {why}")]
    Unreachable {
        /// The source.
        source_name: String,
        /// Each server with what happened.
        why: String,
    },
    /// The server refused the credentials, or accepted them as somebody else. A person must look; retrying may lock the account.
    #[error("{server} refused the bind of source \"{source_name}\": {why}")]
    Refused {
        /// The source.
        source_name: String,
        /// The server.
        server: String,
        /// What the server said and what to do.
        why: String,
    },
    /// The file cannot be read or is not LDIF (RFC 2849).
    #[error("{file}:{line}: {why}")]
    File {
        /// The file.
        file: String,
        /// The line, 1-based; 0 if the file could not be opened.
        line: usize,
        /// What is wrong and what to do.
        why: String,
    },
}

/// A directory that people are read from.
#[async_trait]
pub trait Source: Send + Sync {
    /// Reads everybody, streaming into the sieve. Each entry that the server returns reaches the sieve exactly once,
    /// as unchanged, accepted or rejected.
    ///
    /// # Errors
    /// When nothing could be read at all. After the first entry, trouble is reported as a partial read instead.
    async fn fetch(
        &self,
        request: &FetchRequest,
        sieve: &mut dyn Sieve,
    ) -> Result<ReadReport, SourceError>;
}
/// Opens a source. Nothing is contacted before the first read.
#[must_use]
pub fn connect(settings: &settings::SourceSettings) -> Box<dyn Source> {
    Box::new(Unbuilt(settings.name.clone()))
}

/// Stands in until the readers land.
struct Unbuilt(String);

#[async_trait]
impl Source for Unbuilt {
    async fn fetch(
        &self,
        _request: &FetchRequest,
        _sieve: &mut dyn Sieve,
    ) -> Result<ReadReport, SourceError> {
        let source_name = self.0.clone();
        let why = "not built yet".to_owned();
        Err(SourceError::Unreachable { source_name, why })
    }
}
