//! What follows the changes: held people, remarks, orphans, the guard's word and the summary.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Change, Held, Letter, Notice, Orphan, Plan};
use crate::report::paint::{ALERT, CHANGE, FAINT, HEADING};
use crate::report::{Review, safe};

use super::Page;

/// Orphans beyond this many are counted; JSON lists them all.
const ORPHANS_SHOWN: usize = 10;

pub(super) fn held(held: &[Held], out: &mut Page) {
    if held.is_empty() {
        return;
    }
    out.heading(&format!("Held ({}), left exactly as they are", held.len()));
    for one in held {
        let mark = out.look.paint(CHANGE, "!");
        out.line(&format!("{mark} {}", safe::text(&one.label)));
        let account = one.account.as_ref().map_or(String::new(), |id| {
            format!("account {}, ", safe::quoted(&id.0))
        });
        let anchor = safe::text(one.anchor.as_str());
        out.prose(4, FAINT, &format!("{account}anchor {anchor}"));
        out.prose(4, anstyle::Style::new(), &safe::text(&one.why.to_string()));
    }
}

pub(super) fn letters(letters: &[Letter], out: &mut Page) {
    let (warnings, told): (Vec<&Letter>, Vec<&Letter>) =
        letters.iter().partition(|letter| letter.closes.is_some());
    for (heading, letters) in [
        ("sent once their changes are confirmed", told),
        ("warnings before a window closes", warnings),
    ] {
        if letters.is_empty() {
            continue;
        }
        out.heading(&format!("Letters ({}), {heading}", letters.len()));
        letters.into_iter().for_each(|one| letter(one, out));
    }
}

/// Which letter it is, and for a warning, of what.
#[must_use]
pub fn kind(letter: &Letter) -> String {
    match letter.closes {
        Some(at) => format!("{} before {at}", letter.kind),
        None => letter.kind.to_string(),
    }
}

fn letter(letter: &Letter, out: &mut Page) {
    let who = safe::text(&letter.label);
    let closes = letter
        .closes
        .map(|at| format!(", closing {at}"))
        .unwrap_or_default();
    match &letter.to {
        Ok(to) => {
            let to = safe::text(to);
            out.line(&format!("@ {} for {who} to {to}{closes}", letter.kind));
        }
        Err(why) => {
            let mark = out.look.paint(CHANGE, "!");
            out.line(&format!(
                "{mark} {} for {who}: no address{closes}",
                letter.kind
            ));
            out.prose(4, anstyle::Style::new(), &safe::text(why));
        }
    }
}

pub(super) fn notices(notices: &[Notice], out: &mut Page) {
    if notices.is_empty() {
        return;
    }
    out.heading(&format!("Notices ({})", notices.len()));
    for notice in notices {
        out.line(&format!("i {}", safe::text(&notice.label)));
        out.prose(4, anstyle::Style::new(), &safe::text(&notice.what));
    }
}

pub(super) fn orphans(orphans: &[Orphan], out: &mut Page) {
    if orphans.is_empty() {
        return;
    }
    let title = format!(
        "Orphans ({}), accounts nobody owns: untouched",
        orphans.len()
    );
    out.heading(&title);
    for orphan in orphans.iter().take(ORPHANS_SHOWN) {
        let state = match orphan.active {
            Some(true) => "active",
            Some(false) => "inactive",
            None => "state unknown",
        };
        let account = safe::quoted(&orphan.account.0);
        out.line(&format!(
            "? account {account}, {state}, {}",
            safe::text(&orphan.label)
        ));
    }
    let more = orphans.len().saturating_sub(ORPHANS_SHOWN);
    if more > 0 {
        out.prose(2, FAINT, &format!("… and {more} more, see --json"));
    }
}

pub(super) fn review(target: &str, review: &Review, out: &mut Page) {
    if review.staged == 0 && review.breaches.is_empty() {
        return;
    }
    out.heading("Guard");
    for breach in &review.breaches {
        let text = format!(
            "! {}: {}",
            safe::text(&breach.kind),
            safe::text(&breach.text)
        );
        out.prose(2, ALERT, &text);
    }
    out.prose(
        2,
        anstyle::Style::new(),
        &format!(
            "{} may be applied now, {} wait.",
            review.approved, review.staged
        ),
    );
    if let Some(digest) = &review.release {
        let command = format!(
            "provost release {} --plan {}",
            safe::text(target),
            digest.short()
        );
        out.line(&format!(
            "  To allow those that wait, and no others: {command}"
        ));
    }
}

pub(super) fn summary(plan: &Plan, out: &mut Page) {
    let mut parts = counts(&plan.changes);
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    let mut rest = vec![format!("{} unchanged", plan.unchanged)];
    if !plan.held.is_empty() {
        rest.push(format!("{} held", plan.held.len()));
    }
    if !plan.orphans.is_empty() {
        rest.push(format!("{} orphans", plan.orphans.len()));
    }
    if !plan.pending.is_empty() {
        let waiting = plan.pending.len();
        rest.push(format!(
            "{waiting} completed once another person's account exists"
        ));
    }
    let line = format!("Summary: {}; {}.", parts.join(", "), rest.join(", "));
    out.text.push('\n');
    out.prose(0, HEADING, &line);
}

/// What names these changes and no others.
pub(super) fn digest(plan: &Plan, out: &mut Page) {
    if !plan.changes.is_empty() {
        let digest = format!("Plan digest: {}", plan.digest().short());
        out.prose(0, FAINT, &digest);
    }
}

/// How many changes of each action, in the order of application, such as `2 suspend`.
#[must_use]
pub fn counts(changes: &[Arc<Change>]) -> Vec<String> {
    let mut order = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for change in changes {
        let name = change.action.as_str();
        let count = counts.entry(name).or_default();
        if *count == 0 {
            order.push(name);
        }
        *count += 1;
    }
    order
        .into_iter()
        .map(|name| format!("{} to {name}", counts.get(name).copied().unwrap_or(0)))
        .collect()
}
