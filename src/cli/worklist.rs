//! `provost worklist`: what an administrator is asked to do, and ticking it off.

use std::fmt::Write as _;

use crate::engine::Clock;
use crate::model::Outcome;
use crate::report::safe;
use crate::target::settings::{ConnectorSettings, WorkListSettings};
use crate::target::worklist::{self, Standing, Task};
use crate::target::{ConnectorError, worklist::tasks};

use super::args::{Global, WorkList, WorkListCommand};
use super::out::Out;
use super::{Stop, load};

pub(super) fn run(args: &WorkList, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let config = load::config(global)?;
    let lists: Vec<(&str, &WorkListSettings)> = config
        .targets
        .iter()
        .filter_map(|target| {
            if let ConnectorSettings::WorkList(settings) = &target.connector {
                Some((target.name.as_str(), settings))
            } else {
                None
            }
        })
        .collect();
    if lists.is_empty() {
        return Err(Stop::failed(
            "no target is a work list; set type = \"worklist\" in one",
        ));
    }
    match &args.command {
        WorkListCommand::List { target } => {
            if let Some(name) = target {
                load::known_target(&config, name)?;
            }
            let wanted = |name: &str| target.as_ref().is_none_or(|target| target == name);
            let text = list(lists.into_iter().filter(|(name, _)| wanted(name)))?;
            out.report(&text)?;
        }
        WorkListCommand::Done { tasks, by } => {
            let by = by.clone().unwrap_or_else(who);
            for task in tasks {
                let text = done(&lists, task, &by)?;
                out.report(&text)?;
            }
        }
    }
    Ok(Outcome::Applied)
}

/// Who says so, for the record. The number is the system's word.
fn who() -> String {
    format!("uid {}", rustix::process::getuid().as_raw())
}

fn list<'a>(lists: impl Iterator<Item = (&'a str, &'a WorkListSettings)>) -> Result<String, Stop> {
    let mut text = String::new();
    for (name, settings) in lists {
        let open: Vec<Task> = tasks(settings).map_err(Stop::failed)?;
        let open: Vec<&Task> = open
            .iter()
            .filter(|task| task.standing == Standing::Open)
            .collect();
        _ = writeln!(
            text,
            "{name}: {} to do; {}",
            open.len(),
            settings.path.join("worklist.html").display()
        );
        for task in open {
            _ = write!(
                text,
                "  {}  {} {}",
                task.id,
                task.kind.as_str(),
                safe::text(&task.account)
            );
            let fields = task.fields.iter().map(|field| {
                let after = field
                    .after
                    .as_ref()
                    .map_or_else(|| "(empty)".to_owned(), ToString::to_string);
                format!("{} = {}", safe::text(&field.name), safe::text(&after))
            });
            let fields: Vec<String> = fields.collect();
            if !fields.is_empty() {
                _ = write!(text, ": {}", fields.join("; "));
            }
            if let Some(due) = &task.due {
                let by = if task.not_before.is_some() {
                    "at"
                } else {
                    "by"
                };
                _ = write!(text, ", {by} {}", safe::text(due));
            }
            if !task.after.is_empty() {
                _ = write!(text, ", after {}", task.after.join(", "));
            }
            text.push('\n');
        }
    }
    Ok(text)
}

fn done(lists: &[(&str, &WorkListSettings)], id: &str, by: &str) -> Result<String, Stop> {
    let now = Clock::default().now();
    let mut why = String::new();
    for (name, settings) in lists {
        match worklist::tick(settings, id, by, now) {
            Ok(task) => {
                return Ok(format!(
                    "{name}: {} {} is done, says {}. The next run of {name} goes on from there.\n",
                    task.kind.as_str(),
                    safe::text(&task.account),
                    safe::text(by)
                ));
            }
            // The most telling reason: "no such task" says less than what became of it in another list.
            Err(ConnectorError::NotFound(text))
                if why.is_empty() || !text.starts_with("there is no") =>
            {
                why = text;
            }
            Err(ConnectorError::NotFound(_)) => {}
            Err(error) => return Err(Stop::failed(error)),
        }
    }
    Err(Stop::failed(format!(
        "{}; see `provost worklist list`",
        safe::text(&why)
    )))
}
