//! `provost check`: the configuration, the mappings with their tests, and on request the servers behind them.

mod online;

use std::fmt::Write as _;

use crate::config::{Config, Secrets};
use crate::model::Outcome;

use super::args::{Check, Global};
use super::out::Out;
use super::{Stop, load, out};

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

fn valid(config: &Config, files: usize) -> String {
    let mut text = format!("The configuration is valid ({files} files).\n");
    let sources: Vec<&str> = config.sources.iter().map(|s| &*s.settings.name).collect();
    // Writing to a String cannot fail.
    writeln!(text, "  sources  {}", sources.join(", ")).ok();
    for target in &config.targets {
        let policy = target.rules.policy;
        let (name, from) = (&target.name, &target.source);
        writeln!(text, "  target   {name}: from {from}, policy {policy}").ok();
    }
    text
}
