//! The keys of everything about passwords: what they look like, where they are sealed, how people are told.

use super::Keys;

/// How secrets of our own making are kept.
pub const SECRET_STORE: Keys = Keys {
    table: "[secrets]",
    keys: &["key", "old-keys"],
};

/// Letters by mail.
pub const DELIVERY_SMTP: Keys = Keys {
    table: "[delivery] of type \"smtp\"",
    keys: &[
        "type",
        "host",
        "port",
        "security",
        "danger-plain-text",
        "ca-file",
        "user",
        "password",
        "from",
        "from-name",
        "reply-to",
        "timeout",
        "give-up-after",
        "manager-attribute",
        "welcome",
        "reset",
        "closing-soon",
    ],
};

/// Letters to a webhook.
pub const DELIVERY_WEBHOOK: Keys = Keys {
    table: "[delivery] of type \"webhook\"",
    keys: &[
        "type",
        "url",
        "secret",
        "danger-plain-text",
        "ca-file",
        "timeout",
        "give-up-after",
        "manager-attribute",
        "welcome",
        "reset",
        "closing-soon",
    ],
};

/// One kind of letter.
pub const LETTER: Keys = Keys {
    table: "[delivery.welcome] or [delivery.reset]",
    keys: &[
        "recipient",
        "attributes",
        "targets",
        "subject",
        "body",
        "body-file",
    ],
};

/// The letter that warns.
pub const LETTER_CLOSING: Keys = Keys {
    table: "[delivery.closing-soon]",
    keys: &[
        "recipient",
        "attributes",
        "targets",
        "subject",
        "body",
        "body-file",
        "lead",
    ],
};

/// What passwords look like.
pub const TARGET_PASSWORD: Keys = Keys {
    table: "[target.password]",
    keys: &[
        "length",
        "classes",
        "symbols",
        "forbidden",
        "no-ambiguous",
        "max-repeat",
        "must-begin-with-letter",
    ],
};

/// Which characters passwords have.
pub const PASSWORD_CLASSES: Keys = Keys {
    table: "classes",
    keys: &["lower", "upper", "digit", "symbol"],
};
