//! `provost run`: the service. And what its reports look like: as without a service.

use crate::daemon::control::Peer;
use crate::daemon::control::ask::{Answer, Command, Show};
use crate::daemon::{self, Options, Voice};
use crate::engine::{RunReport, Session};
use crate::model::Outcome;
use crate::report::{Look, Paint};

use super::args::{Global, Run};
use super::show::{self, About};
use super::{Stop, engine, explain, load, logs, release};

pub(super) fn run(args: &Run, global: &Global) -> Result<Outcome, Stop> {
    let config = load::config(global)?;
    let options = Options {
        path: global.config.clone(),
        config,
        clock: args.clock.clone(),
        voice: &Commands,
    };
    daemon::run(options)
        .map_err(|error| Stop::Said(error.outcome(), format!("provost: {error}")))?;
    Ok(Outcome::NothingToDo)
}

/// The commands of this program, for the service.
#[derive(Debug)]
struct Commands;

impl Voice for Commands {
    fn run(&self, report: &RunReport, as_shown: Show) -> String {
        show::rendered(report, About::Run, look(as_shown), as_shown.json)
    }

    fn carry_out(&self, session: &Session, command: &Command, by: Peer, as_shown: Show) -> Answer {
        let look = look(as_shown);
        let done = match command {
            Command::Plan { targets, live } => {
                let request = engine::request(targets, *live);
                engine::block_on(crate::engine::plan(session, &request)).map(|report| {
                    let text = show::rendered(&report, About::Plan, look, as_shown.json);
                    (report.outcome(), text)
                })
            }
            Command::Explain { person, target } => {
                explain::explained(session, person, target.as_deref(), look)
                    .map(|text| (Outcome::NothingToDo, text))
            }
            Command::Release { target, plan } => {
                release::staged(session, target, plan, &by.to_string())
                    .map(|text| (Outcome::Applied, text))
            }
            Command::AcceptSource { source } => release::source(session, source, &by.to_string())
                .map(|text| (Outcome::Applied, text)),
            Command::Status {}
            | Command::Sync { .. }
            | Command::GiveOverride { .. }
            | Command::RevokeOverride { .. }
            | Command::ListOverrides { .. }
            | Command::Freeze { .. }
            | Command::Thaw { .. }
            | Command::Freezes {}
            | Command::Reload {}
            | Command::LogLevel { .. } => Err(Stop::failed("this is the loop's own work")),
        };
        match done {
            Ok((outcome, report)) => Answer::report(outcome, report),
            Err(Stop::Said(outcome, error)) => Answer {
                outcome,
                report: String::new(),
                error,
            },
            Err(Stop::PipeClosed) => Answer::report(Outcome::NothingToDo, String::new()),
        }
    }

    fn log_level(&self, level: &str) -> Result<(), String> {
        logs::set_level(level)
    }
}

fn look(show: Show) -> Look {
    Look {
        width: usize::from(show.width).clamp(40, 160),
        paint: if show.colour {
            Paint::Ansi
        } else {
            Paint::Plain
        },
        changes_per_action: show.quiet.then_some(0),
    }
}
