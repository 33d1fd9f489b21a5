//! Every decision, and nothing but decisions: pure functions over `model` values.
//!
//! [`reconcile()`] makes a plan from a [`Situation`]; [`guard::review`] judges it.
//! Reading, storing and applying are elsewhere; nothing here knows the clock, a file or a network.

pub mod absence;
pub mod access;
mod attributes;
mod correlate;
mod desired;
mod diff;
mod entitle;
pub mod guard;
pub mod letters;
pub mod mapping;
mod observe;
pub mod password;
mod plan;
mod procedure;
mod protect;
mod rules;
mod situation;
mod suspend;
mod unique;

pub use observe::{observe, remember};
pub use plan::{Reconciled, reconcile};
pub use procedure::{HeirRule, Procedures};
pub use rules::{DriftPolicy, Limit, Limits, SyncPolicy, TargetRules};
pub use situation::{Live, Person, Presence, Reference, Register, Situation, fold};
pub use unique::{name_of, names_of};
