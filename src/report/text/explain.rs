//! Everything about one person and one target: what is known, what is decided, and why nothing happened.

use crate::model::{Effect, Identity, Plan, Shadow, SourceValueRef};
use crate::reconcile::access::{Access, Because};
use crate::reconcile::mapping::{self, Explained, Projected, Scope};
use crate::report::paint::{ALERT, FAINT, GAIN, LOSS, Look};
use crate::report::safe;

use super::{Page, change, tail};

/// What there is to say about one person in one target.
#[derive(Debug)]
pub struct Explanation<'a> {
    /// The target.
    pub target: &'a str,
    /// The person as the directory describes them; `None` if it does not.
    pub identity: Option<&'a Identity>,
    /// What the mapping makes of them, and how.
    pub mapped: Option<&'a mapping::Explanation>,
    /// What windows and overrides say now.
    pub access: Option<&'a Access>,
    /// What was last confirmed.
    pub shadow: Option<&'a Shadow>,
    /// The plan, cut down to this person; `None` if none could be made.
    pub plan: Option<&'a Plan>,
    /// Why no plan could be made.
    pub error: Option<&'a str>,
}

/// The explanation as text.
#[must_use]
pub fn explain(all: &Explanation<'_>, look: Look) -> String {
    let mut out = Page::new(look);
    let label = all
        .identity
        .map(|identity| identity.label().to_owned())
        .or_else(|| all.shadow.map(|shadow| shadow.label.clone()))
        .unwrap_or_else(|| "unknown".to_owned());
    out.heading(&format!(
        "{} in {}",
        safe::text(&label),
        safe::text(all.target)
    ));
    match all.identity {
        Some(identity) => person(identity, &mut out),
        None => out.prose(2, ALERT, "not in the directory data"),
    }
    if let Some(mapped) = all.mapped {
        clauses(&mapped.scope, &mut out);
        made(mapped, &mut out);
    }
    if let Some(access) = all.access {
        windows(access, &mut out);
    }
    match all.shadow {
        Some(shadow) => confirmed(shadow, &mut out),
        None => {
            out.heading("Account");
            out.prose(2, FAINT, "none that we know of");
        }
    }
    if let Some(error) = all.error {
        out.heading("No plan");
        out.prose(2, ALERT, &safe::text(error));
    }
    if let Some(plan) = all.plan {
        planned(plan, all, &mut out);
    }
    out.text
}

fn planned(plan: &Plan, all: &Explanation<'_>, out: &mut Page) {
    change::changes(&plan.changes, out);
    tail::held(&plan.held, out);
    tail::notices(&plan.notices, out);
    if plan.changes.is_empty() && plan.held.is_empty() {
        out.heading("Nothing to do");
        out.prose(2, FAINT, why_nothing(all));
    }
}

fn why_nothing(all: &Explanation<'_>) -> &'static str {
    let inside = all.mapped.is_some_and(|mapped| mapped.scope.inside);
    match all.shadow {
        Some(shadow) if !shadow.suspended.is_empty() => {
            "the account is suspended, and the reasons still hold"
        }
        Some(_) => "the account is as it should be",
        None if inside => "there is no account, and none may be made now",
        None => "out of scope, and there is no account",
    }
}

fn person(identity: &Identity, out: &mut Page) {
    out.field("entry", &safe::text(&identity.dn));
    out.field("anchor", &safe::text(identity.anchor.as_str()));
    let state = &identity.state;
    if state.disabled {
        out.field("state", "disabled in the directory");
    }
    if let Some(expires) = state.expires {
        out.field("expires", &expires.to_string());
    }
    if let Some(starts) = state.starts {
        out.field("starts", &starts.to_string());
    }
    for group in &identity.groups {
        out.field("group", &safe::text(&group.name));
    }
    out.heading("Directory attributes");
    for (name, values) in identity.attributes.iter() {
        for value in values {
            let value = match value {
                SourceValueRef::Text(text) => safe::quoted(text),
                SourceValueRef::Bytes(bytes) => format!("({} bytes)", bytes.len()),
            };
            out.line(&format!("  {:<24}  {value}", safe::text(name)));
        }
    }
}

/// What windows and overrides say, and what happens next by the clock.
fn windows(access: &Access, out: &mut Page) {
    let state = match (&access.hold, access.open) {
        (Some(_), _) => "undecided",
        (None, true) => "open",
        (None, false) => "closed",
    };
    out.heading(&format!("Access by the clock: {state}"));
    for part in access.parts.iter() {
        let (mark, style) = if part.open {
            ("open  ", GAIN)
        } else {
            ("closed", LOSS)
        };
        let mark = out.look.paint(style, mark);
        let (policy, rule, zone) = (safe::text(&part.policy), safe::text(&part.rule), &part.zone);
        out.line(&format!("  {mark}  {policy}: {rule}, {zone}"));
    }
    match access.because {
        Because::Policies => {}
        Because::NoPolicy
        | Because::Exempt
        | Because::Granted { .. }
        | Because::Suspended { .. }
        | Because::Early { .. }
        | Because::Unknown(_) => out.prose(2, FAINT, &safe::text(&access.why())),
    }
    if let Some(next) = access.next_in_words() {
        out.line(&format!("  {}", safe::text(&next)));
    }
    for notice in &access.notices {
        out.prose(2, ALERT, &safe::text(notice));
    }
}

fn clauses(scope: &Scope, out: &mut Page) {
    let verdict = if scope.inside { "inside" } else { "outside" };
    out.heading(&format!("Scope: {verdict}"));
    for clause in &scope.clauses {
        let (mark, style) = if clause.holds {
            ("yes", GAIN)
        } else {
            ("no ", LOSS)
        };
        let mark = out.look.paint(style, mark);
        out.line(&format!("  {mark}  {}", safe::text(&clause.text)));
    }
    if let Some(error) = &scope.error {
        out.prose(
            2,
            ALERT,
            &format!("cannot be decided: {}", safe::text(error)),
        );
    }
}

fn made(mapped: &mapping::Explanation, out: &mut Page) {
    out.heading("Mapping");
    for explained in &mapped.attributes {
        field(explained, out);
    }
    for explained in &mapped.matches {
        field(explained, out);
    }
    match &mapped.entitlements {
        Ok(names) => {
            for name in names {
                out.line(&format!("  entitlement = {}", safe::quoted(name)));
            }
        }
        Err(why) => out.prose(2, ALERT, &format!("entitlements: {}", safe::text(why))),
    }
    if let Some(starts) = mapped.starts {
        out.line(&format!("  starts = {starts}"));
    }
    if let Some(ends) = mapped.ends {
        out.line(&format!("  ends = {ends}"));
    }
}

/// One field: its value, how it is written, and what went into it.
fn field(explained: &Explained, out: &mut Page) {
    let made = match &explained.outcome {
        Projected::Value(value, others) if others.is_empty() => safe::value(value),
        Projected::Value(value, others) => {
            let others: Vec<String> = others.iter().map(safe::value).collect();
            format!("{}, if taken {}", safe::value(value), others.join(", "))
        }
        Projected::Clear => "(cleared)".to_owned(),
        Projected::Omit => "(left as it is)".to_owned(),
        Projected::Reference(dn) => format!("(the account of {})", safe::quoted(dn)),
        Projected::Hold(why) => format!("HELD: {}", safe::text(why)),
    };
    out.line(&format!("  {} = {made}", safe::text(&explained.field)));
    out.prose(6, FAINT, &format!("from {}", safe::text(&explained.source)));
    for (name, values) in &explained.inputs {
        let values: Vec<String> = values.iter().map(|value| safe::quoted(value)).collect();
        let values = if values.is_empty() {
            "(none)".to_owned()
        } else {
            values.join(", ")
        };
        out.prose(6, FAINT, &format!("{} = {values}", safe::text(name)));
    }
}

fn confirmed(shadow: &Shadow, out: &mut Page) {
    out.heading("Account as last confirmed");
    let id = shadow
        .account
        .as_ref()
        .map_or("(not linked)".to_owned(), |id| safe::quoted(&id.0));
    out.field("account", &id);
    for reason in &shadow.suspended {
        out.field("suspended", reason.as_str());
    }
    for (name, value) in &shadow.attributes {
        out.line(&format!(
            "  {:<24}  {}",
            safe::text(name),
            safe::value(value)
        ));
    }
    for name in &shadow.entitlements {
        out.line(&format!("  {:<24}  {}", "entitlement", safe::quoted(name)));
    }
    for Effect { at, what, result } in &shadow.effects {
        let line = format!("{at}  {}: {}", safe::text(what), safe::text(result));
        out.prose(2, FAINT, &line);
    }
}
