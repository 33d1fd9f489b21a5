//! The applications that Provost exists for: shipped mappings and profiles through the real binary, against simulators.

mod company;
mod worklist;
