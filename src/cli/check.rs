//! `provost check`: the configuration, the mappings with their tests, and on request the servers behind them.

mod online;
mod windows;

use std::fmt::Write as _;

use crate::config::{Config, Secrets, Timetable};
use crate::engine::Clock;
use crate::model::Outcome;
use crate::target::settings::ConnectorSettings;

use super::args::{Check, Global, Probe};
use super::out::Out;
use super::{Stop, load, out};

/// So many characters of names of facts stand in one line.
const WIDTH: usize = 84;
/// How many of the next scheduled times are shown.
const FIRINGS: usize = 5;

pub(super) fn run(args: &Check, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    // Somebody who checks a change on their desk need not have the server's secrets.
    let secrets = if args.online {
        Secrets::Load
    } else {
        Secrets::CheckFormOnly
    };
    let loaded = load::config_quietly(global, secrets)?;
    if !loaded.warnings.is_empty() {
        out::complain(&loaded.warnings.render(out::errors_in_colour()));
    }
    out.report(&valid(&loaded.config, loaded.files.len()))?;
    if args.online {
        return online::run(&loaded.config, global, out);
    }
    Ok(Outcome::NothingToDo)
}

/// `provost probe`: what one target's server says to what is claimed about it, reading only.
pub(super) fn probe(args: &Probe, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let config = load::config(global)?;
    let Some(spec) = config.target(&args.target) else {
        let known: Vec<&str> = config.targets.iter().map(|t| t.name.as_str()).collect();
        let message = format!(
            "there is no target \"{}\"; there are {}",
            args.target,
            known.join(", ")
        );
        return Err(Stop::failed(message));
    };
    online::probe(spec, global, out)
}

/// A time as it was written, and when that is: whoever wrote it sees what it means.
fn next(when: Option<&Timetable>) -> String {
    let Some(when) = when else {
        return "never".to_owned();
    };
    let firings: Vec<String> = when
        .firings(Clock::System.now())
        .take(FIRINGS)
        .map(|at| when.zone().to_datetime(at))
        .map(|at| at.strftime("%a %Y-%m-%d %H:%M").to_string())
        .collect();
    let zone = when.zone().iana_name().unwrap_or("UTC");
    format!("{} ({zone}): {}", when.text(), firings.join(", "))
}

/// How much of what is done in an application rests on guesses.
fn resting(name: &str, connector: &ConnectorSettings) -> Option<String> {
    let assumed = connector.assumed();
    let number = assumed.len();
    let facts = if number == 1 { "fact" } else { "facts" };
    (number > 0).then(|| {
        let mut text = format!(
            "           rests on {number} assumed {facts} about the application; `provost probe {name}` verifies what reading can verify:\n"
        );
        let mut line = String::new();
        for fact in &assumed {
            if !line.is_empty() && line.len() + fact.len() > WIDTH {
                writeln!(text, "             {line},").ok();
                line.clear();
            }
            let comma = if line.is_empty() { "" } else { ", " };
            write!(line, "{comma}{fact}").ok();
        }
        writeln!(text, "             {line}").ok();
        text
    })
}

fn valid(config: &Config, files: usize) -> String {
    let mut text = format!("The configuration is valid ({files} files).\n");
    let sources: Vec<&str> = config.sources.iter().map(|s| &*s.settings.name).collect();
    // Writing to a String cannot fail.
    writeln!(text, "  sources  {}", sources.join(", ")).ok();
    for target in &config.targets {
        let policy = target.rules.policy;
        let (name, from) = (&target.name, &target.source);
        writeln!(text, "  target   {name}: from {from}, policy {policy}").ok();
        text.extend(resting(name, &target.connector));
        for (what, when) in [
            ("sync", &target.schedule.sync),
            ("reconcile", &target.schedule.reconcile),
        ] {
            writeln!(text, "             {what:<10} {}", next(when.as_ref())).ok();
        }
    }
    for report in &config.reports {
        writeln!(
            text,
            "  report   {}: {}",
            report.name,
            next(Some(&report.when))
        )
        .ok();
    }
    if let Some(delivery) = &config.delivery {
        let kinds = delivery.letters.by_kind.keys();
        let kinds: Vec<&str> = kinds.map(|kind| kind.as_str()).collect();
        let place = delivery.settings.place();
        if !kinds.is_empty() {
            writeln!(text, "  letters  {} by {place}", kinds.join(", ")).ok();
        }
    }
    text.push_str(&windows::policies(config, Clock::System.now()));
    text
}
