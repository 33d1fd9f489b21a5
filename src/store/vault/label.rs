//! Under which name a secret is sealed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::Anchor;

/// What a sealed secret is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Purpose {
    /// The password that an account has for good: given back when its window opens.
    Managed,
    /// The first password of a new account, until it was delivered.
    Initial,
    /// A password that the person must change at the next login, until it was delivered.
    Temporary,
    /// A password that nobody shall know, until the application has confirmed it.
    Fuzz,
}

impl Purpose {
    /// As reports and keys of records spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Initial => "initial",
            Self::Temporary => "temporary",
            Self::Fuzz => "fuzz",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of one sealed secret. A label names one value for ever: another value is another generation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Label {
    /// The application.
    pub target: String,
    /// The person.
    pub anchor: Anchor,
    /// What it is for.
    pub purpose: Purpose,
    /// Counts the values that the person's account had for this purpose.
    pub generation: u64,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            anchor,
            purpose,
            generation,
        } = self;
        write!(f, "{target}/{anchor}/{purpose}/{generation}")
    }
}
