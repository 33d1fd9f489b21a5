//! Limits: `{ count = 3, percent = 2 }`.

use crate::config::keys;
use crate::config::raw::Section;
use crate::reconcile::{Limit, Limits};

/// From this share on, a limit on something destructive protects hardly anybody.
const WIDE: f32 = 50.0;

/// The limits of a target; those not written have their defaults.
pub fn target(target: &Section<'_>) -> Limits {
    let defaults = Limits::default();
    let Some(section) = target.table("limits", &keys::TARGET_LIMITS) else {
        return defaults;
    };
    let guarded = |key: &str, default: Limit| {
        let limit = one(&section, key, default);
        if limit.percent >= WIDE {
            let message = format!(
                "up to {} % of all accounts may be hit at once",
                limit.percent
            );
            section.warning(key, message, "a broken directory read or mapping would go through; prefer `provost release` for the one large run");
        }
        limit
    };
    Limits {
        suspend: guarded("suspend", defaults.suspend),
        suspend_per_day: guarded("suspend-per-day", defaults.suspend_per_day),
        delete: guarded("delete", defaults.delete),
        rename: guarded("rename", defaults.rename),
        revoke: guarded("revoke", defaults.revoke),
        create: one(&section, "create", defaults.create),
        update: one(&section, "update", defaults.update),
        reactivate: one(&section, "reactivate", defaults.reactivate),
    }
}

/// How far a source may shrink from one complete read to the next.
pub fn shrink(source: &Section<'_>) -> Limit {
    let default = Limit {
        count: 10,
        percent: 1.0,
    };
    source
        .table("limits", &keys::SOURCE_LIMITS)
        .map_or(default, |limits| one(&limits, "shrink", default))
}

/// One limit. Both parts must be written: leaving one out would be read as "none" by some and "any" by others.
fn one(section: &Section<'_>, key: &str, default: Limit) -> Limit {
    if section.has(key) && !section.is_table(key) {
        let help = "write a count and a share, such as { count = 3, percent = 2 }: the larger of the two is allowed";
        section.error(key, "must be a table", help);
        return default;
    }
    let Some(limit) = section.table(key, &keys::LIMIT) else {
        return default;
    };
    for part in keys::LIMIT.keys {
        if !limit.has(part) {
            limit.missing(
                part,
                "write both, such as { count = 3, percent = 2 }: the larger of the two is allowed",
            );
        }
    }
    Limit {
        count: limit
            .number("count", 0..=10_000_000)
            .unwrap_or(default.count),
        percent: limit.percent("percent").unwrap_or(default.percent),
    }
}
