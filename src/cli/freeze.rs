//! `provost freeze`: nothing is written to an application, or to any, until it is thawed.

use crate::model::{Freeze, Outcome};
use crate::report::json::{self, FreezeStatusV1};
use crate::report::{safe, text};

use super::Stop;
use super::args::{FreezeArgs, FreezeCommand, Global};
use super::orders::Orders;
use super::out::Out;

pub(super) fn run(args: &FreezeArgs, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let orders = Orders::open(global)?;
    let mut said = String::new();
    let outcome = match &args.command {
        FreezeCommand::On { targets, reason } => {
            let done = orders.freeze(targets, reason)?;
            for freeze in &done.frozen {
                said.push_str(&format!("Frozen: {}.\n", what(freeze)));
            }
            for freeze in &done.already {
                let (what, freeze) = (what(freeze), safe::text(&freeze.to_string()));
                said.push_str(&format!("Nothing new for {what}: {freeze}.\n"));
            }
            Outcome::Applied
        }
        FreezeCommand::Off { targets, reason } => {
            let done = orders.thaw(targets, reason.as_deref().unwrap_or_default())?;
            for freeze in &done.thawed {
                said.push_str(&format!("Thawed: {}.\n", what(freeze)));
            }
            if done.thawed.is_empty() {
                said.push_str("Nothing of that was frozen.\n");
            }
            Outcome::Applied
        }
        FreezeCommand::Status => Outcome::NothingToDo,
    };
    let status = orders.freezes()?;
    if out.json {
        let targets = status
            .iter()
            .map(|one| FreezeStatusV1::new(&one.target, one.freeze.as_ref(), one.waiting))
            .collect();
        out.report(&json::document("freeze", outcome, targets))?;
        return Ok(outcome);
    }
    for one in &status {
        let freeze = one.freeze.as_ref();
        said.push_str(&text::freeze_status(
            &one.target,
            freeze,
            one.waiting,
            out.look,
        ));
    }
    out.report(&said)?;
    Ok(outcome)
}

fn what(freeze: &Freeze) -> String {
    freeze
        .target
        .as_deref()
        .map_or("all targets".to_owned(), safe::text)
}
