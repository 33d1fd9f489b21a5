//! Asking the running service, if one runs: it holds the state, so it must do the work.

use serde::de::DeserializeOwned;

use crate::config::{Config, Secrets};
use crate::daemon::control::ask::{Answer, Command, Show};
use crate::daemon::control::{Connection, connect};
use crate::model::Outcome;
use crate::report::Paint;

use super::args::{Files, Global};
use super::out::Out;
use super::progress::{self, Progress};
use super::{Stop, files, load};

/// Has the service carry out a command; `None` if no service runs, and it is to be done here.
pub(super) fn ask(
    command: Command,
    global: &Global,
    out: &mut Out,
) -> Result<Option<Outcome>, Stop> {
    ask_for(command, &Files::default(), global, out)
}

/// The same, with the report in files as well. They are written here, with the rights of whoever asked.
pub(super) fn ask_for(
    command: Command,
    to: &Files,
    global: &Global,
    out: &mut Out,
) -> Result<Option<Outcome>, Stop> {
    let show = Show {
        html: to.html.is_some(),
        csv: to.csv.is_some(),
        ..show(global, out)
    };
    let Some(answer) = answer(command, show, global)? else {
        return Ok(None);
    };
    out.report(&answer.report)?;
    for (path, content) in [(&to.html, &answer.html), (&to.csv, &answer.csv)] {
        if let (Some(path), Some(content)) = (path, content) {
            files::write(path, content.as_bytes())?;
        }
    }
    Ok(Some(answer.outcome))
}

/// What the service answers; `None` if none runs.
pub(super) fn answer(
    command: Command,
    show: Show,
    global: &Global,
) -> Result<Option<Answer>, Stop> {
    let Some(connection) = connection(global)? else {
        return Ok(None);
    };
    let _progress = Progress::start(global, "waiting for the service");
    let answer = connection
        .ask(command, show, &mut |text| progress::say(text))
        .map_err(|error| Stop::failed(format!("the service did not answer: {error}")))?;
    if !answer.error.is_empty() {
        return Err(Stop::Said(answer.outcome, answer.error));
    }
    Ok(Some(answer))
}

/// How reports look here.
pub(super) fn show(global: &Global, out: &Out) -> Show {
    Show {
        json: out.json,
        colour: out.look.paint == Paint::Ansi,
        quiet: global.quiet,
        width: u16::try_from(out.look.width).unwrap_or(100),
        ..Show::default()
    }
}

/// Whether a service runs.
pub(super) fn runs(global: &Global) -> Result<bool, Stop> {
    Ok(connection(global)?.is_some())
}

/// Has the service carry out an order; what it answers is a value.
pub(super) fn value<T: DeserializeOwned>(command: Command, global: &Global) -> Result<T, Stop> {
    let gone = || Stop::failed("the service has just stopped; try again");
    let connection = connection(global)?.ok_or_else(gone)?;
    let answer = connection
        .ask(command, Show::default(), &mut |_| {})
        .map_err(|error| Stop::failed(format!("the service did not answer: {error}")))?;
    if !answer.error.is_empty() {
        return Err(Stop::Said(answer.outcome, answer.error));
    }
    serde_json::from_str(&answer.report).map_err(|_| {
        Stop::failed(
            "the service answered in another way than expected; use the same release of both",
        )
    })
}

/// The same for what only a running service can do.
pub(super) fn must_ask(command: Command, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    ask(command, global, out)?.ok_or_else(|| {
        Stop::failed("no service runs; start it with `systemctl start provost` or `provost run`")
    })
}

fn connection(global: &Global) -> Result<Option<Connection>, Stop> {
    let path = match &global.socket {
        Some(path) => path.clone(),
        None => config(global)?.control.path,
    };
    connect(&path).map_err(|error| {
        Stop::failed(format!(
            "the control socket {} cannot be used: {error}; root may, and the members of the groups in [control]",
            path.display()
        ))
    })
}

fn config(global: &Global) -> Result<Config, Stop> {
    Ok(load::config_quietly(global, Secrets::CheckFormOnly)?.config)
}
