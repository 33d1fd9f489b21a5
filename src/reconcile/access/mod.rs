//! Access by the clock: when people may use an application, by weekly windows, holidays, logon hours and overrides.
//!
//! Compiled once from the configuration, then pure: a person and a moment go in, [`Access`] comes out.
//! A closed window is a reason to suspend like any other; carrying it out, and limits on how many, are decided elsewhere.
//! The rules are described in `docs/access-windows.md`.

mod calendar;
mod early;
mod event;
mod hours;
mod ics;
mod judge;
mod layer;
mod openings;
mod outlook;
mod policy;
mod rules;
mod schedule;
mod spans;
mod verdict;
mod week;
mod zones;

pub use calendar::{Calendar, Half};
pub use early::{Closing, EARLIEST, Pace, STEP, begin_now, closings, lot};
pub use hours::Hours;
pub use judge::Judge;
pub use outlook::{Outlook, outlook};
pub use policy::{
    Assignment, HOURS_ATTRIBUTE, HoursMode, Named, OnWrong, Policy, Season, Times, ZoneRule, offset,
};
pub use rules::{AccessRules, Combine};
pub use verdict::{Access, Because, Part, Transition};
pub use week::{Week, Window};
pub use zones::{Zone, Zones};
