//! Provost keeps the user accounts of business applications in step with a directory, and opens and closes access by the clock.
//!
//! A pure core decides, a thin shell reads, stores, applies and reports. The modules in the order data flows through them:
//!
//! ```text
//!  source ──▶ Snapshot ─┐                                   ┌─▶ report (dry run)
//!  store  ──▶ Shadows  ─┼─▶ reconcile ──▶ Plan ──▶ guard ───┤
//!  target ──▶ accounts ─┘   (pure)                          └─▶ engine::apply ──▶ target, store
//! ```

pub mod cli;
pub mod config;
pub mod daemon;
pub mod deliver;
pub mod document;
pub mod engine;
pub mod model;
pub mod random;
pub mod reconcile;
pub mod report;
pub mod source;
pub mod store;
pub mod target;
pub mod veil;

/// People and changes are many small values that live for one run; glibc's allocator takes clearly longer over them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
