//! One block per change: what, why, whose account, and everything before and after.

use std::collections::BTreeSet;
use std::sync::Arc;

use anstyle::Style;

use crate::model::{Action, AttributeChange, Change, How, PasswordStep, Suspensions};
use crate::report::paint::{CHANGE, FAINT, GAIN, LOSS};
use crate::report::safe;

use super::Page;

/// All blocks in the order of application, each action under its own heading.
pub(super) fn changes(changes: &[Arc<Change>], out: &mut Page) {
    for group in changes.chunk_by(|a, b| a.action.as_str() == b.action.as_str()) {
        let Some(first) = group.first() else { continue };
        out.heading(&format!("{} ({})", title(&first.action), group.len()));
        let limit = out.look.changes_per_action.unwrap_or(group.len());
        for change in group.iter().take(limit) {
            block(change, out);
        }
        let more = group.len().saturating_sub(limit);
        if more > 0 {
            let rest = format!("… and {more} more, not shown here");
            out.prose(2, FAINT, &rest);
        }
    }
}

/// One change in full. The label comes last on its line, so that it cannot fake what stands before it.
fn block(change: &Change, out: &mut Page) {
    let (symbol, style) = mark(&change.action);
    let kind = format!("{symbol} {} ({})", change.action.as_str(), change.reason);
    let kind = out.look.paint(style, &kind);
    out.line(&format!("{kind} {}", safe::text(&change.label)));
    let account = change.account.as_ref().map_or(String::new(), |id| {
        format!("account {}, ", safe::quoted(&id.0))
    });
    let who = format!("{account}anchor {}", safe::text(change.anchor.as_str()));
    out.prose(4, FAINT, &who);
    steps(change, out);
    let widest = change.attributes.iter().map(|a| a.name.chars().count());
    let column = widest.max().unwrap_or(0).min(32);
    for attribute in &change.attributes {
        attribute_lines(attribute, column, out);
    }
    named_set("grant", &change.grant, GAIN, out);
    named_set("revoke", &change.revoke, LOSS, out);
    if change.suspended_before != change.suspended_after {
        out.line(&format!(
            "    suspended: {} → {}",
            reasons(&change.suspended_before),
            reasons(&change.suspended_after)
        ));
    }
}

/// One attribute on one line; on two if it does not fit. Values are never cut to the width.
fn attribute_lines(attribute: &AttributeChange, column: usize, out: &mut Page) {
    let name = safe::text(&attribute.name);
    let tag = if attribute.identifier && attribute.before.is_some() && attribute.after.is_some() {
        "  (rename)"
    } else {
        ""
    };
    let show = |value: &Option<_>| value.as_ref().map_or("(none)".to_owned(), safe::value);
    let after = show(&attribute.after);
    let lead = format!("    {name:<column$}  ");
    if attribute.before == attribute.after {
        out.line(&format!("{lead}{after}"));
        return;
    }
    let before = show(&attribute.before);
    if attribute.before.is_none() {
        let after = out.look.paint(GAIN, &after);
        out.line(&format!("{lead}{after}"));
        return;
    }
    let length = |text: &str| text.chars().count();
    let whole = length(&lead) + length(&before) + 3 + length(&after) + length(tag);
    let gap = if whole <= out.look.width {
        " ".to_owned()
    } else {
        format!("\n{:indent$}", "", indent = length(&lead))
    };
    let before = out.look.paint(LOSS, &before);
    let after = out.look.paint(GAIN, &after);
    out.line(&format!("{lead}{before}{gap}→ {after}{tag}"));
}

fn named_set(verb: &str, names: &BTreeSet<String>, style: Style, out: &mut Page) {
    for name in names {
        let name = out.look.paint(style, &safe::quoted(name));
        out.line(&format!("    {verb:<6} {name}"));
    }
}

pub(in crate::report) fn reasons(set: &Suspensions) -> String {
    if set.is_empty() {
        return "no".to_owned();
    }
    set.iter()
        .map(|r| r.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// How the account is made unusable or usable, in the order in which it is done, and what happens to its password.
fn steps(change: &Change, out: &mut Page) {
    if !change.done.is_empty() {
        let names: Vec<String> = change.done.iter().map(named).collect();
        out.prose(4, FAINT, &format!("done before: {}", names.join(", ")));
    }
    for line in how(change) {
        out.line(&format!("    {line}"));
    }
}

/// The steps of a change, one a line, and what happens to the password.
pub(in crate::report) fn how(change: &Change) -> Vec<String> {
    let (verb, steps) = match &change.action {
        Action::Suspend(steps) => ("by", steps.as_slice()),
        Action::Reactivate(steps) => ("undoing", steps.as_slice()),
        Action::Delete | Action::Link | Action::Update | Action::Create | Action::Entitle => {
            ("", &[][..])
        }
    };
    let mut lines = match steps {
        [one] => vec![format!("{verb} {}", step(one, change))],
        several => (1..)
            .zip(several)
            .map(|(i, how)| format!("{verb} {i}. {}", step(how, change)))
            .collect(),
    };
    lines.extend(
        change
            .password
            .and_then(password)
            .map(|text| format!("password: {text}")),
    );
    if let (Action::Delete, Some(heir)) = (&change.action, &change.heir) {
        lines.push(format!(
            "what it has goes to account {}",
            safe::quoted(&heir.0)
        ));
    }
    if change.leaves_sessions() {
        lines.push("open sessions and tokens stay usable: no step ends them".to_owned());
    }
    lines
}

fn named(how: &How) -> String {
    safe::text(&how.to_string())
}

/// One step, with who gets the work.
fn step(how: &How, change: &Change) -> String {
    match (how, &change.heir) {
        (How::Reassign(_), Some(heir)) => {
            format!("{} to account {}", named(how), safe::quoted(&heir.0))
        }
        _ => named(how),
    }
}

/// What is done to a password, where the steps do not say it. Its value is nowhere.
fn password(step: PasswordStep) -> Option<&'static str> {
    match step {
        PasswordStep::Initial => Some("a random first one is set, to be delivered"),
        PasswordStep::Temporary => Some("a temporary one is set, to be delivered"),
        PasswordStep::Restore => Some("the one that is kept sealed is set again"),
        PasswordStep::Fuzz => None,
    }
}

fn mark(action: &Action) -> (char, Style) {
    match action {
        Action::Suspend(_) => ('-', LOSS),
        Action::Delete => ('x', LOSS),
        Action::Link => ('=', CHANGE),
        Action::Update => ('~', CHANGE),
        Action::Create => ('+', GAIN),
        Action::Entitle => ('*', CHANGE),
        Action::Reactivate(_) => ('^', GAIN),
    }
}

pub(in crate::report) fn title(action: &Action) -> &'static str {
    match action {
        Action::Suspend(_) => "Suspend",
        Action::Delete => "Delete",
        Action::Link => "Link",
        Action::Update => "Update",
        Action::Create => "Create",
        Action::Entitle => "Entitle",
        Action::Reactivate(_) => "Reactivate",
    }
}
