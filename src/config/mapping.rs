//! The compiled mapping, under the name that this room uses.
pub use crate::reconcile::mapping::Mapping;
