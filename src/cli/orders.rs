//! Where orders go: to the state directory.

use crate::config::Secrets;
use crate::engine::{
    FreezeStatus, Frozen, OverrideGiven, OverrideList, OverrideOrder, Session, Thawed,
};
use crate::model::Override;

use super::args::Global;
use super::{Stop, load};

/// Somebody who takes orders.
#[derive(Debug)]
pub(super) enum Orders {
    /// The state directory, held by this process.
    Here(Session),
}

impl Orders {
    /// The state directory. An order needs no secret: it connects to nothing.
    pub(super) fn open(global: &Global) -> Result<Self, Stop> {
        let config = load::config_quietly(global, Secrets::CheckFormOnly)?.config;
        Ok(Self::Here(Session::open(config)?))
    }

    pub(super) fn give(&self, order: &OverrideOrder) -> Result<OverrideGiven, Stop> {
        match self {
            Self::Here(session) => Ok(session.give_override(order)?),
        }
    }

    pub(super) fn revoke(&self, named: &str) -> Result<Vec<Override>, Stop> {
        match self {
            Self::Here(session) => Ok(session.revoke_override(named, &who())?),
        }
    }

    pub(super) fn list(&self, past: usize) -> Result<OverrideList, Stop> {
        match self {
            Self::Here(session) => Ok(session.overrides(past)?),
        }
    }

    pub(super) fn freeze(&self, targets: &[String], why: &str) -> Result<Frozen, Stop> {
        match self {
            Self::Here(session) => Ok(session.freeze(targets, why, &who())?),
        }
    }

    pub(super) fn thaw(&self, targets: &[String], why: &str) -> Result<Thawed, Stop> {
        match self {
            Self::Here(session) => Ok(session.thaw(targets, why, &who())?),
        }
    }

    pub(super) fn freezes(&self) -> Result<Vec<FreezeStatus>, Stop> {
        match self {
            Self::Here(session) => Ok(session.freezes()?),
        }
    }

    /// What makes an order take effect.
    pub(super) fn next_step(&self) -> &'static str {
        match self {
            Self::Here(_) => "The next `provost sync` acts on it.",
        }
    }
}

/// Who orders, for the record. The number is the system's word; a name from the environment could be anything.
pub(super) fn who() -> String {
    format!("uid {}", rustix::process::getuid().as_raw())
}
