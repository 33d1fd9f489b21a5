//! Where orders go: to the running service, or to the state directory.

use crate::config::Secrets;
use crate::daemon::control::ask::Command;
use crate::engine::{
    FreezeStatus, Frozen, OverrideGiven, OverrideList, OverrideOrder, Session, Thawed,
};
use crate::model::Override;

use super::args::Global;
use super::{Stop, load, service};

/// Somebody who takes orders.
#[derive(Debug)]
pub(super) enum Orders {
    /// The state directory, held by this process.
    Here(Session),
    /// The service, which holds it.
    There(Global),
}

impl Orders {
    /// The service if one runs, else the state directory. An order needs no secret: it connects to nothing.
    pub(super) fn open(global: &Global) -> Result<Self, Stop> {
        if service::runs(global)? {
            return Ok(Self::There(global.clone()));
        }
        let config = load::config_quietly(global, Secrets::CheckFormOnly)?.config;
        Ok(Self::Here(Session::open(config)?))
    }

    pub(super) fn give(&self, order: &OverrideOrder) -> Result<OverrideGiven, Stop> {
        match self {
            Self::Here(session) => Ok(session.give_override(order)?),
            Self::There(global) => {
                let order = order.clone();
                service::value(Command::GiveOverride { order }, global)
            }
        }
    }

    pub(super) fn revoke(&self, named: &str) -> Result<Vec<Override>, Stop> {
        match self {
            Self::Here(session) => Ok(session.revoke_override(named, &who())?),
            Self::There(global) => {
                let named = named.to_owned();
                service::value(Command::RevokeOverride { named }, global)
            }
        }
    }

    pub(super) fn list(&self, past: usize) -> Result<OverrideList, Stop> {
        match self {
            Self::Here(session) => Ok(session.overrides(past)?),
            Self::There(global) => service::value(Command::ListOverrides { past }, global),
        }
    }

    pub(super) fn freeze(&self, targets: &[String], why: &str) -> Result<Frozen, Stop> {
        match self {
            Self::Here(session) => Ok(session.freeze(targets, why, &who())?),
            Self::There(global) => {
                let (targets, reason) = (targets.to_vec(), why.to_owned());
                service::value(Command::Freeze { targets, reason }, global)
            }
        }
    }

    pub(super) fn thaw(&self, targets: &[String], why: &str) -> Result<Thawed, Stop> {
        match self {
            Self::Here(session) => Ok(session.thaw(targets, why, &who())?),
            Self::There(global) => {
                let (targets, reason) = (targets.to_vec(), why.to_owned());
                service::value(Command::Thaw { targets, reason }, global)
            }
        }
    }

    pub(super) fn freezes(&self) -> Result<Vec<FreezeStatus>, Stop> {
        match self {
            Self::Here(session) => Ok(session.freezes()?),
            Self::There(global) => service::value(Command::Freezes {}, global),
        }
    }

    /// What makes an order take effect.
    pub(super) fn next_step(&self) -> &'static str {
        match self {
            Self::Here(_) => "The next `provost sync` acts on it.",
            Self::There(_) => "The service acts on it now.",
        }
    }
}

/// Who orders, for the record. The number is the system's word; a name from the environment could be anything.
pub(super) fn who() -> String {
    format!("uid {}", rustix::process::getuid().as_raw())
}
