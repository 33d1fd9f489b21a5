//! The keys that say how access is taken away.

use super::Keys;

/// How access is taken away, by reason.
pub const SUSPEND: Keys = Keys {
    table: "[target.suspend]",
    keys: &[
        "default",
        "leaver",
        "source-disabled",
        "expired",
        "not-yet-started",
        "out-of-scope",
        "access-window",
        "operator",
    ],
};

/// Who gets the work of people whose access is taken away.
pub const HEIR: Keys = Keys {
    table: "[target.heir]",
    keys: &["attribute", "account"],
};
