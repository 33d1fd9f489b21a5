//! Every decision, and nothing but decisions: pure functions over `model` values.

pub mod mapping;
mod rules;

pub use rules::{DriftPolicy, Limit, Limits, SyncPolicy, TargetRules};
