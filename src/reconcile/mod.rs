//! Every decision, and nothing but decisions: pure functions over `model` values.

pub mod mapping;
