//! What operators ordered, as people read it: overrides, freezes and the trail.

use jiff::Timestamp;

use crate::model::{AuditEntry, Change, Freeze, Override, OverrideEffect};
use crate::report::paint::{ALERT, CHANGE, FAINT, GAIN, HEADING, Look};
use crate::report::safe;

use super::Page;

/// At most this many waiting people are named; JSON names them all.
const NAMED: usize = 20;

/// That a target is frozen, and who should have lost access meanwhile.
#[must_use]
pub fn frozen(target: &str, freeze: &Freeze, waiting: &[&Change], look: Look) -> String {
    let mut out = Page::new(look);
    let line = format!(
        "{}: {}",
        safe::text(target),
        safe::text(&freeze.to_string())
    );
    out.prose(0, ALERT, &line);
    if waiting.is_empty() {
        return out.text;
    }
    let line = format!(
        "{} should lose access now and keep it because of the freeze:",
        people(waiting.len())
    );
    out.prose(0, ALERT, &line);
    for change in waiting.iter().take(NAMED) {
        let (what, label) = (change.action.as_str(), safe::text(&change.label));
        let anchor = safe::text(change.anchor.as_str());
        out.line(&format!(
            "! {what} ({}) {label}, anchor {anchor}",
            change.reason
        ));
    }
    if waiting.len() > NAMED {
        let more = waiting.len() - NAMED;
        out.prose(2, FAINT, &format!("… and {more} more, see --json"));
    }
    out.text
}

fn people(count: usize) -> String {
    match count {
        1 => "1 person".to_owned(),
        n => format!("{n} people"),
    }
}

/// One override in full.
#[must_use]
pub fn given(order: &Override, local: Option<&str>, remarks: &[String], look: Look) -> String {
    let mut out = Page::new(look);
    let what = match order.effect {
        OverrideEffect::Grant => "Access is granted to",
        OverrideEffect::Suspend => "Suspended by name:",
    };
    out.heading(&format!("{what} {}", safe::text(&order.label)));
    out.field("override", &safe::text(&order.id));
    out.field("anchor", &safe::text(order.anchor.as_str()));
    out.field("target", &target(order));
    if order.from > order.at {
        out.field("from", &order.from.to_string());
    }
    let until = match (order.until, local) {
        (Some(until), Some(local)) => format!("{until} ({})", safe::text(local)),
        (Some(until), None) => until.to_string(),
        (None, _) => "revoked".to_owned(),
    };
    out.field("until", &until);
    out.field("reason", &safe::text(&order.reason));
    out.text + &super::remarks(remarks, look)
}

/// All overrides that stand.
#[must_use]
pub fn overrides(standing: &[Override], now: Timestamp, look: Look) -> String {
    let mut out = Page::new(look);
    if standing.is_empty() {
        out.line("No override stands.");
        return out.text;
    }
    for order in standing {
        let style = match order.effect {
            OverrideEffect::Grant => GAIN,
            OverrideEffect::Suspend => CHANGE,
        };
        let effect = look.paint(style, &format!("{:<8}", order.effect.as_str()));
        let when = match order.until {
            Some(until) => format!("until {until}"),
            None => "until revoked".to_owned(),
        };
        let begins = if order.from > now {
            format!("from {} ", order.from)
        } else {
            String::new()
        };
        out.line(&format!(
            "{:<6} {effect} {}, {}, {begins}{when}",
            safe::text(&order.id),
            safe::text(&order.label),
            target(order),
        ));
        let why = format!(
            "anchor {}; by {} at {}: {}",
            safe::text(order.anchor.as_str()),
            safe::text(&order.by),
            order.at,
            safe::text(&order.reason)
        );
        out.prose(7, FAINT, &why);
    }
    out.text
}

fn target(order: &Override) -> String {
    order
        .target
        .as_deref()
        .map_or("all targets".to_owned(), safe::text)
}

/// The trail, oldest first.
#[must_use]
pub fn trail(entries: &[AuditEntry], look: Look) -> String {
    let mut out = Page::new(look);
    if entries.is_empty() {
        out.line("Nothing was ordered yet.");
        return out.text;
    }
    out.line(&look.paint(HEADING, &format!("Ordered so far, last {}", entries.len())));
    for entry in entries {
        let mut parts = Vec::new();
        parts.extend(entry.about.as_deref().map(safe::text));
        parts.extend(entry.label.as_deref().map(safe::text));
        parts.push(
            entry
                .target
                .as_deref()
                .map_or("all targets".to_owned(), safe::text),
        );
        parts.extend(entry.until.map(|until| format!("until {until}")));
        parts.push(format!("by {}", safe::text(&entry.by)));
        if !entry.reason.is_empty() {
            parts.push(safe::text(&entry.reason));
        }
        let (at, what) = (entry.at, entry.what.as_str());
        out.line(&format!("{at} {what:<8} {}", parts.join(", ")));
    }
    out.text
}

/// One target and whether it may be written to.
#[must_use]
pub fn freeze_status(target: &str, freeze: Option<&Freeze>, waiting: u64, look: Look) -> String {
    let mut out = Page::new(look);
    let target = safe::text(target);
    match freeze {
        None => out.line(&format!("{target}: not frozen")),
        Some(freeze) => {
            let line = format!("{target}: {}", safe::text(&freeze.to_string()));
            out.prose(0, ALERT, &line);
            if waiting > 0 {
                let people = people(usize::try_from(waiting).unwrap_or(usize::MAX));
                let line = format!(
                    "{people} should lose access and keep it because of the freeze; `provost plan {target}` names them"
                );
                out.prose(2, ALERT, &line);
            }
        }
    }
    out.text
}
