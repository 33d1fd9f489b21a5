//! What one read of a directory proved. Absence needs proof; this is where the proof is a type.

use serde::{Deserialize, Serialize};

use super::Anchor;

/// Whether a read may be used to conclude that somebody is *not* in the directory.
#[derive(Clone, Debug)]
pub enum Completeness {
    /// The read provably finished; absence from it is negative evidence.
    Full(ReadProof),
    /// Something was cut short or could not be read: what was seen may be used, absence means nothing.
    Partial(Vec<Shortfall>),
}

impl Completeness {
    /// Whether absence from this read means anything.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

/// Proof that a read finished. Only [`ReadEvidence::judge`] makes one.
#[derive(Clone, Debug)]
pub struct ReadProof {
    entries: u64,
}

impl ReadProof {
    /// How many entries the finished read returned.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }
}

/// One reason why a read is not complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Shortfall {
    /// The server ended a search with something other than success (size limit, time limit, referral, …).
    #[error("the search below \"{base}\" ended with result {code} ({text})")]
    Result {
        /// The search base.
        base: String,
        /// The LDAP result code (RFC 4511 appendix A).
        code: u32,
        /// What the server said.
        text: String,
    },
    /// The last page still carried a cookie, or paging ended without the server's response control.
    #[error("the server did not confirm the last page of the search below \"{0}\"")]
    Unfinished(String),
    /// The server did not go on with a later page: it forgot where it was, or refuses to say.
    #[error(
        "the server did not go on after page {pages} of the search below \"{base}\": result {code} ({text})"
    )]
    LostPlace {
        /// The search base.
        base: String,
        /// How many pages came.
        pages: u32,
        /// The LDAP result code (RFC 4511 appendix A).
        code: u32,
        /// What the server said.
        text: String,
    },
    /// A continuation reference into the search scope was not followed.
    #[error("the search below \"{base}\" refers to {url}, which was not read")]
    Referral {
        /// The search base.
        base: String,
        /// The referral URL.
        url: String,
    },
    /// A configured base DN does not exist.
    #[error("the base \"{0}\" does not exist")]
    BaseMissing(String),
    /// The connection failed, timed out, or sent something that is not LDAP.
    #[error("the search below \"{base}\" broke off: {why}")]
    Broken {
        /// The search base.
        base: String,
        /// What happened.
        why: String,
    },
    /// An entry came back whose anchor could not be read, so the list of anchors is not the list of people.
    #[error("the entry \"{0}\" has no readable anchor")]
    NoAnchor(String),
    /// Two entries carried the same anchor, so the configured anchor attribute is not a key.
    #[error("the anchor {0} appears on two entries")]
    DuplicateAnchor(String),
    /// Group information needed for scope or entitlements could not be read in full.
    #[error("groups could not be read in full: {0}")]
    Groups(String),
    /// A complete-looking read returned nobody at all, which is refused unless configured otherwise.
    #[error("the read returned nobody; set allow-empty = true for this source if that is right")]
    Empty,
    /// A sentinel (an entry that must always be present) was not returned.
    #[error("the sentinel entry \"{0}\" was not returned")]
    Sentinel(String),
    /// Somebody who was not in the read, and whom the server returns when asked for by anchor.
    #[error(
        "{0} was not returned, and is there when asked for by anchor; the read lacks people, so it proves nobody's absence"
    )]
    Contradicted(String),
    /// Far fewer entries than in the last complete read.
    #[error(
        "only {now} entries came back where the last complete read had {before}; approve the smaller number with `provost release --source`"
    )]
    Shrunk {
        /// Entries in the last complete read.
        before: u64,
        /// Entries in this one.
        now: u64,
    },
}

/// How the read of one base ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseRead {
    /// The base DN (or file name) that was read.
    pub base: String,
    /// Entries returned below it, readable or not.
    pub entries: u64,
}

/// What a reader saw, collected while reading. A fresh one is not evidence of anything.
#[derive(Debug, Default)]
pub struct ReadEvidence {
    finished: Vec<BaseRead>,
    shortfalls: Vec<Shortfall>,
}

impl ReadEvidence {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A base was read to its confirmed end.
    pub fn finished(&mut self, base: BaseRead) {
        self.finished.push(base);
    }

    /// Something is missing.
    pub fn shortfall(&mut self, shortfall: Shortfall) {
        if !self.shortfalls.contains(&shortfall) {
            self.shortfalls.push(shortfall);
        }
    }

    /// Whether the server lost its place between two pages: reading again may help.
    #[must_use]
    pub fn lost_its_place(&self) -> bool {
        self.shortfalls.iter().any(Shortfall::is_lost_place)
    }

    /// Judges the evidence: `Full` only if every expected base finished and nothing fell short.
    #[must_use]
    pub fn judge(mut self, expected: &[String]) -> (Completeness, Vec<BaseRead>) {
        for base in expected {
            let read = self.finished.iter().any(|f| &f.base == base);
            let explained = self.shortfalls.iter().any(|s| s.base() == Some(base));
            if !read && !explained {
                self.shortfalls.push(Shortfall::Unfinished(base.clone()));
            }
        }
        if expected.is_empty() {
            self.shortfalls.push(Shortfall::Unfinished(String::new()));
        }
        if self.shortfalls.is_empty() {
            let entries = self.finished.iter().map(|base| base.entries).sum();
            (Completeness::Full(ReadProof { entries }), self.finished)
        } else {
            (Completeness::Partial(self.shortfalls), self.finished)
        }
    }
}

impl Shortfall {
    /// Whether the server lost its place between two pages.
    #[must_use]
    pub fn is_lost_place(&self) -> bool {
        matches!(self, Self::LostPlace { .. })
    }

    fn base(&self) -> Option<&String> {
        match self {
            Self::Result { base, .. }
            | Self::LostPlace { base, .. }
            | Self::Referral { base, .. }
            | Self::Broken { base, .. } => Some(base),
            Self::Unfinished(base) | Self::BaseMissing(base) => Some(base),
            Self::NoAnchor(_)
            | Self::DuplicateAnchor(_)
            | Self::Groups(_)
            | Self::Empty
            | Self::Sentinel(_)
            | Self::Contradicted(_)
            | Self::Shrunk { .. } => None,
        }
    }
}

/// An entry that was returned but could not be read in full: it is held, the run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryProblem {
    /// The anchor, where it could be read.
    pub anchor: Option<Anchor>,
    /// The DN as far as it could be read, safe to display.
    pub dn: String,
    /// What is wrong, and what to do.
    pub why: String,
}

/// The result of one read.
#[derive(Clone, Debug)]
pub struct ReadReport {
    /// What may be concluded from it.
    pub completeness: Completeness,
    /// Each base that was read to its end.
    pub bases: Vec<BaseRead>,
    /// Which server answered, for people to read (a URL or a file).
    pub server: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(name: &str) -> BaseRead {
        BaseRead {
            base: name.to_owned(),
            entries: 2,
        }
    }

    #[test]
    fn only_a_finished_read_is_full() {
        let expected = ["a".to_owned(), "b".to_owned()];
        let mut evidence = ReadEvidence::new();
        evidence.finished(base("a"));
        assert!(!evidence.judge(&expected).0.is_full());

        let mut evidence = ReadEvidence::new();
        evidence.finished(base("a"));
        evidence.finished(base("b"));
        assert!(evidence.judge(&expected).0.is_full());

        let mut evidence = ReadEvidence::new();
        evidence.finished(base("a"));
        evidence.finished(base("b"));
        evidence.shortfall(Shortfall::NoAnchor("x".to_owned()));
        assert!(!evidence.judge(&expected).0.is_full());

        assert!(!ReadEvidence::new().judge(&[]).0.is_full());
    }
}
