//! The flow of one run, and applying an approved plan. The only room that sees both the core and the outside.

mod abreast;
mod absent;
mod ahead;
mod apply;
mod book;
mod bulletin;
mod calls;
mod clock;
mod early;
mod error;
mod flow;
mod gather;
mod handover;
mod heirs;
mod intent;
mod letters;
mod look;
mod marks;
mod members;
mod orders;
pub mod pages;
mod password;
mod people;
mod perform;
mod procedure;
mod recover;
mod remarks;
mod result;
mod run;
mod secret;
mod session;
mod settle;
mod snapshot;
mod spare;
mod step;
mod taken;
mod unseen;
mod weeks;
mod windows;

pub use clock::Clock;
pub use error::EngineError;
pub use gather::View;
pub use handover::{HANDOVER, Handover};
pub use letters::{Posted, Standing};
pub use orders::{
    FreezeStatus, Frozen, LONGEST_DAYS, OverrideGiven, OverrideList, OverrideOrder, Thawed,
};
pub use people::{Known, ambiguous, is_meant, is_named, is_remembered};
pub use result::{ChangeResult, ChangeStatus, Retry, RunReport, SourceReport, TargetReport};
pub use run::{Read, Request, TargetRun, plan, sync};
pub use secret::password;
pub use session::{Session, needs};
pub use settle::Released;
pub use snapshot::Snapshot;
pub use windows::{TargetWindows, WindowsRequest};
