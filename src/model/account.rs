//! A person's record in a target application.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{SuspendReason, Value};

/// The id a target gave to an account. Opaque: it may be a number, a UUID or a name, and is percent-encoded in URLs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct AccountId(pub String);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account as a target returned it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// The target's id.
    pub id: AccountId,
    /// Attributes by the names that the mapping uses (for SCIM: attribute paths such as `name.givenName`).
    pub attributes: BTreeMap<String, Value>,
    /// The active flag; `None` where the target did not say.
    pub active: Option<bool>,
    /// The separate login switch, where there is one.
    pub login_allowed: Option<bool>,
    /// The entitlements held; `None` where the target does not list them.
    pub entitlements: Option<BTreeSet<String>>,
    /// The version to send with conditional requests (SCIM `meta.version`).
    pub version: Option<String>,
}

/// An account to create.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AccountDraft {
    /// Attributes by mapping name.
    pub attributes: BTreeMap<String, Value>,
}

/// A change to an existing account. Only what is named is touched.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AccountPatch {
    /// New values by mapping name; `None` clears the attribute.
    pub attributes: BTreeMap<String, Option<Value>>,
    /// The new active flag.
    pub active: Option<bool>,
    /// The new state of the login switch.
    pub login_allowed: Option<bool>,
    /// Why a switch is set off, for applications that keep it. It asks for no change by itself.
    pub cause: Option<Cause>,
}

/// Why and when access is taken away, for applications that keep it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cause {
    /// The strongest of the reasons.
    pub reason: SuspendReason,
    /// The day on which it happens, by the clock of the mapping's zone.
    pub day: jiff::civil::Date,
}

/// Accounts to add to and remove from one entitlement.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MembershipChange {
    /// The entitlement's name as the mapping spells it.
    pub entitlement: String,
    /// Accounts that gain it.
    pub add: BTreeSet<AccountId>,
    /// Accounts that lose it.
    pub remove: BTreeSet<AccountId>,
}
