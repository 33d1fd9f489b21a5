//! `provost run`: the service. And what its reports look like: as without a service.

use crate::config::Config;
use crate::daemon::control::Peer;
use crate::daemon::control::ask::{Answer, Command, Show};
use crate::daemon::{self, Options, Voice};
use crate::engine::{RunReport, Session, pages};
use crate::model::Outcome;
use crate::report::{Look, Paint};

use super::args::{Global, Run};
use super::show::{self, About};
use super::{Stop, engine, explain, load, logs, release, windows};

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
    fn run(&self, report: &RunReport, config: &Config, as_shown: Show) -> Answer {
        answer(report, About::Run, config, as_shown)
    }

    fn plan(&self, report: &RunReport, config: &Config, as_shown: Show) -> Answer {
        answer(report, About::Plan, config, as_shown)
    }

    fn carry_out(&self, session: &Session, command: &Command, by: Peer, as_shown: Show) -> Answer {
        let look = look(as_shown);
        let done = match command {
            Command::Plan { targets, live, at } => {
                let request = engine::request(targets, *live);
                let planned = match at {
                    None => engine::block_on(crate::engine::plan(session, &request)),
                    Some(at) => session
                        .clone()
                        .assuming(at)
                        .map_err(Stop::from)
                        .and_then(|then| engine::block_on(crate::engine::plan(&then, &request))),
                };
                match planned {
                    Ok(report) => return answer(&report, About::Plan, &session.config, as_shown),
                    Err(stop) => Err(stop),
                }
            }
            Command::Explain { person, target } => {
                explain::explained(session, person, target.as_deref(), look)
                    .map(|text| (Outcome::NothingToDo, text))
            }
            Command::Windows { asked } => match windows::answered(session, asked, as_shown, look) {
                Ok(answer) => return answer,
                Err(stop) => Err(stop),
            },
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
                error,
                ..Answer::report(outcome, String::new())
            },
            Err(Stop::PipeClosed) => Answer::report(Outcome::NothingToDo, String::new()),
        }
    }

    fn log_level(&self, level: &str) -> Result<(), String> {
        logs::set_level(level)
    }
}

/// A report in every form that was asked for.
fn answer(report: &RunReport, about: About, config: &Config, as_shown: Show) -> Answer {
    let text = show::rendered(report, about, look(as_shown), as_shown.json);
    let csv = as_shown.csv.then(|| pages::table(report)).transpose();
    match csv {
        Err(why) => Answer::refusal(Outcome::Failed, why),
        Ok(csv) => Answer {
            html: as_shown.html.then(|| pages::html(report, config)),
            csv: csv.map(|table| String::from_utf8_lossy(&table).into_owned()),
            ..Answer::report(report.outcome(), text)
        },
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
