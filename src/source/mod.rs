//! Reading people from a directory: Active Directory, LDAP, LDIF.
//!
//! A read streams: entries go one by one into a [`Sieve`], which drops what it already knows.
//! What the read proved comes back as a [`ReadReport`].
//! Nothing here decides anything, and nothing here writes to a directory. `ldap3` is named only in this module.

mod ber;
mod connect;
mod entry;
mod filter;
mod framing;
mod gate;
mod groups;
mod ldif;
mod person;
mod probe;
mod read;
mod records;
mod referral;
mod rule;
mod search;
pub mod settings;
mod state;
mod tls;
mod tray;
mod unlisted;

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::model::{Anchor, EntryProblem, Identity, ReadReport, Shortfall, Sieve};
pub use probe::{Line, Sound, probe};
use settings::{SourceKind, SourceSettings};

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

    /// Reads the people that somebody calls by this name: login, mail address, common name, anchor or DN.
    ///
    /// # Errors
    /// When nothing could be read at all.
    async fn lookup(&self, person: &str, request: &FetchRequest) -> Result<Found, SourceError>;

    /// Reads identities by their anchors, wherever they are now: the proof of absence, or against it. One answer for
    /// each anchor, in their order.
    ///
    /// # Errors
    /// When nothing could be read at all.
    async fn read_anchors(
        &self,
        anchors: &[Anchor],
        request: &FetchRequest,
    ) -> Result<Vec<AnchorRead>, SourceError>;
}

/// Who was found by name.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Those who could be read.
    pub identities: Vec<Identity>,
    /// Those who could not.
    pub problems: Vec<EntryProblem>,
    /// What was not read; if empty, nobody else is called that.
    pub shortfalls: Vec<Shortfall>,
}

/// What a read by anchor found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AnchorRead {
    /// The server answered every search with success and returned nobody.
    Gone,
    /// Still there, below the bases and matching the filter.
    Present(Box<Identity>),
    /// Still there, but outside the bases or not matching the filter; the DN.
    Elsewhere(String),
    /// It cannot be said; why.
    Unknown(String),
}

/// The source for these settings. Nothing is opened before the first call.
#[must_use]
pub fn connect(settings: &SourceSettings) -> Box<dyn Source> {
    match &settings.kind {
        SourceKind::Ldap(ldap) => Box::new(read::LdapSource {
            settings: settings.clone(),
            ldap: ldap.clone(),
        }),
        SourceKind::Ldif(ldif) => Box::new(ldif::LdifSource {
            settings: settings.clone(),
            ldif: ldif.clone(),
        }),
    }
}
