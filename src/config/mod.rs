//! Configuration: raw as written, valid as used; every problem at once, with file, line and column.
//!
//! [`load`] is the only reader of configuration files and of the environment; `raw` and `valid` are pure.
//! Secrets are named in the files and never written there.

mod diagnostic;
pub mod keys;
mod load;
mod moment;
mod raw;
mod secret;
mod suggest;
mod syntax;
mod timetable;
mod units;
mod valid;

pub use diagnostic::{FileProblems, Problems, Severity};
pub use load::{Loaded, load, load_embedded, rehearsed_time, system_zone, write_key};
pub use moment::{Lean, Moment, moment};
pub use timetable::Timetable;
pub use valid::{
    Config, Control, DeliverySpec, Form, ReportSpec, Schedule, Secrets, SourceSpec, TargetSpec,
    VaultSpec,
};
