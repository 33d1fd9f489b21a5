//! What a target can do, settled before planning so that nothing is guessed at apply time.

use std::collections::BTreeSet;

/// What a target can do. Declared in configuration or discovered; never guessed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// The active flag can be changed.
    pub deactivate: bool,
    /// A separate login switch exists.
    pub block_login: bool,
    /// Passwords can be set.
    pub set_password: bool,
    /// A password that is set can be made one that must be changed at the next login.
    pub force_change: bool,
    /// Open sessions can be ended.
    pub revoke_sessions: bool,
    /// The kinds of work that can be given to somebody else, such as "quotes" or "jobs".
    pub reassign: BTreeSet<String>,
    /// Accounts can be deleted.
    pub delete: bool,
    /// The list of accounts includes inactive ones.
    pub list_inactive: bool,
    /// Groups, roles or licences can be granted and revoked.
    pub entitlements: bool,
    /// At most this many members may be named in one membership request.
    pub members_per_request: usize,
    /// Deleting an account gives what it has to another one.
    pub inherits: bool,
    /// How many requests may run side by side.
    pub parallelism: usize,
}
