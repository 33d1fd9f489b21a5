//! `provost override`: an exception for one person, for a time. Works on what is remembered; connects to nothing.

use crate::engine::{OverrideList, OverrideOrder};
use crate::model::{Outcome, Override, OverrideEffect};
use crate::report::json::Orders as Json;
use crate::report::{safe, text};

use super::Stop;
use super::args::{Global, Grant, OverrideArgs, OverrideCommand, SuspendArgs};
use super::orders::{Orders, who};
use super::out::Out;

pub(super) fn run(args: &OverrideArgs, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let orders = Orders::open(global)?;
    match &args.command {
        OverrideCommand::Grant(args) => give(&orders, &granted(args), out),
        OverrideCommand::Suspend(args) => give(&orders, &suspended(args), out),
        OverrideCommand::Revoke { named } => revoke(&orders, named, out),
        OverrideCommand::List { all, last } => {
            let past = if *all { *last } else { 0 };
            list(&orders.list(past)?, *all, out)
        }
    }
}

fn granted(args: &Grant) -> OverrideOrder {
    OverrideOrder {
        effect: OverrideEffect::Grant,
        person: args.person.clone(),
        target: args.target.clone(),
        from: args.from.clone(),
        until: Some(args.until.clone()),
        reason: args.reason.clone(),
        by: who(),
    }
}

fn suspended(args: &SuspendArgs) -> OverrideOrder {
    OverrideOrder {
        effect: OverrideEffect::Suspend,
        person: args.person.clone(),
        target: args.target.clone(),
        from: args.from.clone(),
        until: args.until.clone(),
        reason: args.reason.clone(),
        by: who(),
    }
}

fn give(orders: &Orders, order: &OverrideOrder, out: &mut Out) -> Result<Outcome, Stop> {
    let done = orders.give(order)?;
    let outcome = Outcome::Applied;
    if out.json {
        let given = std::slice::from_ref(&done.given);
        let document = Json::new("override", outcome, given)
            .with_ended(&done.replaced)
            .with_remarks(&done.remarks)
            .document();
        out.report(&document)?;
        return Ok(outcome);
    }
    let mut shown = text::given(&done.given, done.local.as_deref(), &done.remarks, out.look);
    for old in &done.replaced {
        shown.push_str(&format!("It takes the place of {}.\n", name(old)));
    }
    shown.push_str(orders.next_step());
    out.report(&shown)?;
    Ok(outcome)
}

fn revoke(orders: &Orders, named: &str, out: &mut Out) -> Result<Outcome, Stop> {
    let revoked = orders.revoke(named)?;
    let outcome = Outcome::Applied;
    if out.json {
        let document = Json::new("override", outcome, &[]).with_ended(&revoked);
        out.report(&document.document())?;
        return Ok(outcome);
    }
    let mut shown = String::new();
    for order in &revoked {
        shown.push_str(&format!("Revoked: {}.\n", name(order)));
    }
    shown.push_str(orders.next_step());
    out.report(&shown)?;
    Ok(outcome)
}

fn list(found: &OverrideList, all: bool, out: &mut Out) -> Result<Outcome, Stop> {
    let outcome = Outcome::NothingToDo;
    if out.json {
        let document = Json::new("overrides", outcome, &found.standing).with_trail(&found.past);
        out.report(&document.document())?;
        return Ok(outcome);
    }
    let mut shown = text::overrides(&found.standing, found.now, out.look);
    if all {
        shown.push('\n');
        shown.push_str(&text::trail(&found.past, out.look));
    }
    out.report(&shown)?;
    Ok(outcome)
}

fn name(order: &Override) -> String {
    format!(
        "{} ({} for {})",
        safe::text(&order.id),
        order.effect,
        safe::text(&order.label)
    )
}
