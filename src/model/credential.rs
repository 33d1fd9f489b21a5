//! Passwords as far as the plan knows them: which step is taken and what state they are in. Never a value.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whose business the passwords of a target are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum CredentialMode {
    /// Provost makes each account's password and keeps it sealed; after a fuzz the same one is set again.
    Managed,
    /// People choose their own; after a fuzz they get a temporary one.
    Reset,
    /// Another system checks passwords. Fuzzing is done once, for good, as the local password should not be used.
    Sso,
    /// Provost has nothing to do with passwords.
    #[default]
    None,
}

impl CredentialMode {
    /// Every mode as configuration spells it.
    pub const ALL: [(&'static str, Self); 4] = [
        ("managed", Self::Managed),
        ("reset", Self::Reset),
        ("sso", Self::Sso),
        ("none", Self::None),
    ];

    /// As configuration and reports spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Reset => "reset",
            Self::Sso => "sso",
            Self::None => "none",
        }
    }

    /// Whether new accounts get a random first password, and a fuzzed one can be followed by another.
    #[must_use]
    pub fn is_ours(self) -> bool {
        match self {
            Self::Managed | Self::Reset => true,
            Self::Sso | Self::None => false,
        }
    }
}

impl fmt::Display for CredentialMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a change does to a password.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum PasswordStep {
    /// A new account gets its first, random password.
    Initial,
    /// A person whose password was fuzzed gets a temporary one.
    Temporary,
    /// A random password that nobody knows is set.
    Fuzz,
    /// The password that we keep sealed is set again.
    Restore,
}

impl PasswordStep {
    /// As reports and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Temporary => "temporary",
            Self::Fuzz => "fuzz",
            Self::Restore => "restore",
        }
    }
}

/// What is known about an account's password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum PasswordState {
    /// Nothing: the person's own, or somebody else's.
    #[default]
    Unknown,
    /// The account is new and its first password is still to be set.
    Pending,
    /// The one that we keep sealed.
    Managed,
    /// One that we made and handed to the person, who may have changed it since.
    Issued,
    /// One that nobody knows.
    Fuzzed,
}

impl PasswordState {
    /// As reports and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Managed => "managed",
            Self::Issued => "issued",
            Self::Fuzzed => "fuzzed",
        }
    }
}

/// What we remember about an account's password: numbers and states, never the password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Password {
    /// Its state.
    pub state: PasswordState,
    /// The number of the last password that we made for this account and that was confirmed. The next is one more,
    /// so that a call whose outcome is unknown is repeated with the same value and not with a fresh one.
    pub generation: u64,
    /// The generation of the sealed password that gives the account back (mode `managed`).
    pub kept: Option<u64>,
    /// Whether the person was handed the kept one.
    pub told: bool,
}
