//! Every key that a configuration file may have, table by table. What is not listed here is refused.
//!
//! The manual page must describe each of them; a test compares.

mod secrets;
mod service;
mod suspend;

pub use secrets::{
    DELIVERY_SMTP, DELIVERY_WEBHOOK, LETTER, LETTER_CLOSING, PASSWORD_CLASSES, SECRET_STORE,
    TARGET_PASSWORD,
};
pub use service::{CONTROL, METRICS, OWN_SCHEDULE, REPORT, SCHEDULE};
pub use suspend::{HEIR, SUSPEND};

/// The keys of one table.
#[derive(Debug)]
pub struct Keys {
    /// The table as messages name it.
    pub table: &'static str,
    /// Its keys.
    pub keys: &'static [&'static str],
}

/// The file itself.
pub const ROOT: Keys = Keys {
    table: "the file's top level",
    keys: &[
        "version",
        "state-dir",
        "secrets",
        "delivery",
        "schedule",
        "control",
        "metrics",
        "report",
        "source",
        "target",
        "access",
        "access-rules",
    ],
};

/// A source before its type is known.
pub const SOURCE: Keys = Keys {
    table: "[[source]]",
    keys: &["name", "type"],
};

/// A source that is a directory server.
pub const SOURCE_LDAP: Keys = Keys {
    table: "[[source]] of type \"active-directory\" or \"ldap\"",
    keys: &[
        "name",
        "type",
        "urls",
        "danger-plain-text",
        "ca-file",
        "bind-name",
        "bind-password",
        "bases",
        "filter",
        "anchor",
        "page-size",
        "connect-timeout",
        "read-timeout",
        "message-limit",
        "groups",
        "ignore-referrals",
        "sentinels",
        "allow-empty",
        "binary-attributes",
        "start-attribute",
        "end-attribute",
        "schedule",
        "limits",
    ],
};

/// A source that is a file.
pub const SOURCE_LDIF: Keys = Keys {
    table: "[[source]] of type \"ldif\"",
    keys: &[
        "name",
        "type",
        "path",
        "flavour",
        "bases",
        "filter",
        "anchor",
        "groups",
        "sentinels",
        "allow-empty",
        "binary-attributes",
        "start-attribute",
        "end-attribute",
        "schedule",
        "limits",
    ],
};

/// How an anchor is found, in its long form.
pub const ANCHOR: Keys = Keys {
    table: "anchor",
    keys: &["attribute"],
};

/// The groups of a source.
pub const GROUPS: Keys = Keys {
    table: "[source.groups]",
    keys: &["bases", "filter", "method", "nested"],
};

/// The limits of a source.
pub const SOURCE_LIMITS: Keys = Keys {
    table: "[source.limits]",
    keys: &["shrink"],
};

/// One limit.
pub const LIMIT: Keys = Keys {
    table: "a limit",
    keys: &["count", "percent"],
};

/// A target before its type is known.
pub const TARGET: Keys = Keys {
    table: "[[target]]",
    keys: &["name", "type"],
};

/// The keys of every target, and those of one kind.
macro_rules! target_keys {
    [$($own:literal),* $(,)?] => {
        &[
            "name",
            "type",
            "source",
            "mapping",
            "policy",
            "suspend-with",
            "suspend",
            "credentials",
            "heir",
            "delete",
            "suspend-out-of-scope",
            "review-first-run",
            "max-staleness-open",
            "start-early",
            "confirm-absence-reads",
            "on-drift",
            "reactivate",
            "protected-accounts",
            "protected-people",
            "schedule",
            "limits",
            $($own),*
        ]
    };
}

/// A SCIM target.
pub const TARGET_SCIM: Keys = Keys {
    table: "[[target]] of type \"scim\"",
    keys: target_keys![
        "access",
        "access-combine",
        "password",
        "url",
        "danger-plain-text",
        "auth",
        "ca-file",
        "proxy",
        "connect-timeout",
        "request-timeout",
        "body-limit",
        "requests-per-second",
        "parallelism",
        "page-size",
        "members-per-request",
        "create-groups",
        "passwords",
        "patch",
        "bulk",
        "quirks",
    ],
};

/// A target that a profile describes.
pub const TARGET_HTTP: Keys = Keys {
    table: "[[target]] of type \"http\"",
    keys: target_keys![
        "access",
        "access-combine",
        "password",
        "url",
        "danger-plain-text",
        "profile",
        "settings",
        "confirmed",
        "ca-file",
        "proxy",
        "connect-timeout",
        "request-timeout",
        "body-limit",
        "requests-per-second",
        "parallelism",
    ],
};

/// A practice target.
pub const TARGET_SANDBOX: Keys = Keys {
    table: "[[target]] of type \"sandbox\"",
    keys: target_keys![
        "access",
        "access-combine",
        "password",
        "path",
        "capabilities",
        "unique",
        "required",
        "ledger",
        "faults",
    ],
};

/// One policy of access by the clock.
pub const ACCESS: Keys = Keys {
    table: "[[access]]",
    keys: &[
        "name",
        "windows",
        "logon-hours",
        "logon-hours-attribute",
        "logon-hours-entered",
        "on-wrong-hours",
        "zone",
        "zone-attribute",
        "sites",
        "holidays",
        "holiday-files",
        "openings",
        "opening-files",
        "everybody",
        "people",
        "condition",
        "groups",
        "not-groups",
        "ou",
        "not-ou",
        "strict",
    ],
};

/// What holds for all policies of access by the clock.
pub const ACCESS_RULES: Keys = Keys {
    table: "[access-rules]",
    keys: &["combine", "time-zones", "exempt"],
};

/// Who is exempt from access by the clock.
pub const ACCESS_EXEMPT: Keys = Keys {
    table: "[access-rules.exempt]",
    keys: &[
        "people",
        "condition",
        "groups",
        "not-groups",
        "ou",
        "not-ou",
    ],
};

/// A work list for an administrator.
pub const TARGET_WORKLIST: Keys = Keys {
    table: "[[target]] of type \"worklist\"",
    keys: target_keys![
        "path",
        "title",
        "export",
        "id",
        "columns",
        "lists",
        "active",
        "stripped-when-disabled",
        "licences",
        "dated",
        "date-format",
        "foresee",
        "send-to",
        "steps",
    ],
};

/// How an export says that an account is usable.
pub const ACTIVE: Keys = Keys {
    table: "[target.active]",
    keys: &["column", "values"],
};

/// Counted licences.
pub const LICENCES: Keys = Keys {
    table: "[target.licences]",
    keys: &["attribute", "stock"],
};

/// An attribute with dates of its own.
pub const DATED: Keys = Keys {
    table: "[[target.dated]]",
    keys: &["attribute", "from", "until", "ahead", "by"],
};

/// What an administrator does, step by step.
pub const STEPS: Keys = Keys {
    table: "[target.steps]",
    keys: &["disable", "delete", "change", "create", "enable", "renew"],
};

/// When accounts are deleted.
pub const DELETE: Keys = Keys {
    table: "delete",
    keys: &["after"],
};

/// The limits of a target.
pub const TARGET_LIMITS: Keys = Keys {
    table: "[target.limits]",
    keys: &[
        "suspend",
        "suspend-per-day",
        "delete",
        "rename",
        "revoke",
        "create",
        "update",
        "reactivate",
    ],
};

/// What a practice target can do.
pub const CAPABILITIES: Keys = Keys {
    table: "[target.capabilities]",
    keys: &[
        "deactivate",
        "block-login",
        "delete",
        "list-inactive",
        "entitlements",
        "set-password",
        "force-change",
        "refuse-used-passwords",
        "revoke-sessions",
        "reassign",
    ],
};

/// Authentication before its type is known.
pub const AUTH: Keys = Keys {
    table: "[target.auth]",
    keys: &["type"],
};

/// Bearer authentication.
pub const AUTH_BEARER: Keys = Keys {
    table: "[target.auth] of type \"bearer\"",
    keys: &["type", "token"],
};

/// Basic authentication.
pub const AUTH_BASIC: Keys = Keys {
    table: "[target.auth] of type \"basic\"",
    keys: &["type", "user", "password"],
};

/// Authentication by a header of the application's own.
pub const AUTH_HEADER: Keys = Keys {
    table: "[target.auth] of type \"header\"",
    keys: &["type", "name", "value"],
};

/// OAuth 2.0 client credentials.
pub const AUTH_CLIENT: Keys = Keys {
    table: "[target.auth] of type \"client-credentials\"",
    keys: &[
        "type",
        "token-url",
        "client-id",
        "client-secret",
        "scope",
        "in-body",
    ],
};

/// Every table.
pub const ALL: &[&Keys] = &[
    &ROOT,
    &SECRET_STORE,
    &DELIVERY_SMTP,
    &DELIVERY_WEBHOOK,
    &LETTER,
    &LETTER_CLOSING,
    &SCHEDULE,
    &OWN_SCHEDULE,
    &CONTROL,
    &METRICS,
    &REPORT,
    &SOURCE_LDAP,
    &SOURCE_LDIF,
    &ANCHOR,
    &GROUPS,
    &SOURCE_LIMITS,
    &LIMIT,
    &TARGET_SCIM,
    &TARGET_HTTP,
    &TARGET_SANDBOX,
    &ACCESS,
    &ACCESS_RULES,
    &ACCESS_EXEMPT,
    &TARGET_WORKLIST,
    &ACTIVE,
    &LICENCES,
    &DATED,
    &STEPS,
    &SUSPEND,
    &HEIR,
    &DELETE,
    &TARGET_LIMITS,
    &TARGET_PASSWORD,
    &PASSWORD_CLASSES,
    &CAPABILITIES,
    &AUTH_BEARER,
    &AUTH_BASIC,
    &AUTH_HEADER,
    &AUTH_CLIENT,
];

/// The keys that take secrets.
const SECRETS: &[&str] = &[
    "bind-password",
    "token",
    "password",
    "value",
    "client-secret",
    "key",
    "old-keys",
    "secret",
];

/// Whether some table has this key.
#[must_use]
pub fn is_known(key: &str) -> bool {
    ALL.iter().any(|table| table.keys.contains(&key))
}

/// Whether a key of this name takes a secret.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}
