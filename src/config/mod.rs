//! Configuration: raw as written, valid as used; every problem at once, with file, line and column.
//!
//! [`load`] is the only reader of configuration files and of the environment; `raw` and `valid` are pure.
//! Secrets are named in the files and never written there.

mod diagnostic;
pub mod keys;
mod load;
mod raw;
mod secret;
mod suggest;
mod syntax;
mod units;
mod valid;

pub use diagnostic::{FileProblems, Problems, Severity};
pub use load::{Loaded, load, load_embedded};
pub use valid::{Config, Secrets, SourceSpec, TargetSpec, VaultSpec};
