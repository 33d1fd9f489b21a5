//! The keys of the running service: when it runs, who may talk to it, where it is measured.

use super::Keys;

/// When the daemon works.
pub const SCHEDULE: Keys = Keys {
    table: "[schedule]",
    keys: &["zone", "sync", "reconcile", "jitter"],
};

/// When it works on one source or target.
pub const OWN_SCHEDULE: Keys = Keys {
    table: "[source.schedule] or [target.schedule]",
    keys: &["zone", "sync", "reconcile"],
};

/// Who may speak to the daemon.
pub const CONTROL: Keys = Keys {
    table: "[control]",
    keys: &["path", "view-group", "operate-group"],
};

/// A plan that is made on schedule for people to read.
pub const REPORT: Keys = Keys {
    table: "[[report]]",
    keys: &[
        "name",
        "schedule",
        "zone",
        "targets",
        "live",
        "directory",
        "formats",
        "keep",
        "mail-to",
    ],
};

/// Where the daemon is measured.
pub const METRICS: Keys = Keys {
    table: "[metrics]",
    keys: &["listen"],
};
