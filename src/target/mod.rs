//! The applications: what can be asked of them, and how each kind is spoken to.
//!
//! Planning gets an [`AccountReader`]; only applying gets an [`AccountWriter`]. Neither retries on its own
//! beyond what is harmless (a refused read after Retry-After), and neither decides anything.

mod connector;
pub mod settings;

pub use connector::{AccountReader, AccountWriter, ConnectorError, Finding};
