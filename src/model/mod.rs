//! The vocabulary: plain values that every other module speaks in.
//!
//! Nothing here decides, reads or writes.
//! `reconcile` decides over these values, `source`, `target` and `store` carry them to and from the outside, `report` shows them.
//! Serialised forms are positional (postcard): add fields only together with a new record version in `store::codec`.

mod account;
mod anchor;
mod attributes;
mod audit;
mod capability;
mod credential;
mod dn;
mod how;
mod identity;
mod letter;
mod outcome;
mod overrides;
mod plan;
mod problem;
mod read;
mod shadow;
pub mod shell;
mod suspend;
mod value;

pub use account::{Account, AccountDraft, AccountId, AccountPatch, Cause, MembershipChange};
pub use anchor::{Anchor, AnchorError};
pub use attributes::{AttributeNames, Attributes, Packer, TooMuch, Values};
pub use audit::{AuditEntry, AuditWhat, Freeze};
pub use capability::Capabilities;
pub use credential::{CredentialMode, Password, PasswordState, PasswordStep};
pub use dn::{Dn, dn_key, dn_wide_key, normalise as normalise_dn};
pub use how::{How, despite_failure};
pub use identity::{Fingerprint, Group, Identity, Sieve, SourceState};
pub use letter::{Letter, LetterKind};
pub use outcome::Outcome;
pub use overrides::{Override, OverrideEffect};
pub use plan::{
    Action, AttributeChange, Basis, Change, Digest, Held, HeldWhy, Notice, Orphan, Plan, Reason,
};
pub use problem::Problem;
pub use read::{
    BaseRead, Completeness, EntryProblem, ReadEvidence, ReadProof, ReadReport, Shortfall,
};
pub use shadow::{Effect, Life, Origin, Shadow};
pub use suspend::{SuspendReason, Suspensions};
pub use value::{SourceValue, SourceValueRef, Value};
