//! What is kept between runs: what was confirmed in each target, and what each directory said last.
//!
//! The `journal` is the truth about targets: an intent is durable before a call is made, and its outcome after.
//! The cache (`sled`, named only here) is the journal's index plus a copy of what directories said; it is checked against
//! the journal at every read and made anew from it whenever there is doubt.
//! Nothing here decides anything about people, and every call blocks.

mod cache;
mod codec;
mod compact;
mod documents;
mod entitling;
mod entry;
mod error;
mod files;
mod follow;
mod journal;
mod keys;
mod ledger;
mod register;
mod settled;
mod shelves;
mod sources;
mod state;
mod targets;
mod types;
mod vault;
mod verify;

pub use documents::DocumentWrite;
pub use entitling::Entitling;
pub use error::StoreError;
pub use journal::VERSION;
pub use register::RegisterRow;
pub use state::{State, rebuild};
pub use types::{
    Conclusion, IndexRow, Intent, OpId, Opened, PastEffect, ReadCommit, Release, Settled,
    SettledIndex, ShadowMove, SourceIndex, SourceMeta, TargetMeta, Verification,
};
pub use vault::{Label, Purpose, Vault, VaultCheck, VaultKey, VaultKeys};
