//! `provost windows`: who has access when, and why. From the last read, without asking any directory or application.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::config::{Config, Secrets};
use crate::daemon::control::ask::{Answer, AskedWindows, Command, Show};
use crate::engine::{Read, Session, TargetWindows, WindowsRequest};
use crate::model::Outcome;
use crate::reconcile::access::Policy;
use crate::report::ics::{Calendar, ics};
use crate::report::windows::{Asked, Windows, calendar, policy_calendar};
use crate::report::{Look, json, text};

use super::args::{Global, WindowsArgs};
use super::out::Out;
use super::{Stop, engine, files, load, service};

/// For how many days transitions are listed unless said otherwise.
const DAYS: i64 = 7;
/// For how many days a calendar is made unless said otherwise.
const DAYS_CALENDAR: i64 = 90;
/// The longest range; more edges than that are of use to nobody.
const LONGEST: SignedDuration = SignedDuration::from_hours(3 * 366 * 24);

pub(super) fn run(args: &WindowsArgs, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let asked = AskedWindows {
        targets: args.targets.clone(),
        person: args.person.clone(),
        at: args.at.clone(),
        from: args.from.clone(),
        to: args.to.clone(),
        read: args.read,
    };
    let show = Show {
        ics: args.ics.is_some(),
        ..service::show(global, out)
    };
    let command = Command::Windows {
        asked: asked.clone(),
    };
    let answer = match service::answer(command, show, global)? {
        Some(answer) => answer,
        None => answered(&open(args, global)?, &asked, show, out.look)?,
    };
    match &args.ics {
        // Nothing else goes where a calendar is read from.
        Some(path) if path.as_os_str() == "-" => out.report(alone(&answer.ics)?)?,
        Some(path) => {
            write(path, &answer.ics)?;
            out.report(&answer.report)?;
        }
        None => out.report(&answer.report)?,
    }
    Ok(answer.outcome)
}

/// What is answered, wherever it is asked.
pub(super) fn answered(
    session: &Session,
    given: &AskedWindows,
    form: Show,
    look: Look,
) -> Result<Answer, Stop> {
    meant(&given.targets, session)?;
    let asked = asked(given, form.ics, session)?;
    let request = WindowsRequest {
        targets: given.targets.clone(),
        person: given.person.clone(),
        at: Some(asked.at),
        to: asked.to,
        read: if given.read { Read::Now } else { Read::Stored },
    };
    let found = engine::block_on(session.windows(&request))?;
    let shown: Vec<Windows<'_>> = found.iter().map(show).collect();
    let report = if form.json {
        json::windows(&shown, &asked)
    } else {
        text::windows(&shown, &asked, look)
    };
    let mut answer = Answer::report(Outcome::NothingToDo, report);
    if let (true, Some(to)) = (form.ics, asked.to) {
        let calendars = if given.person.is_some() {
            of_people(&found, asked.at, to)
        } else {
            of_policies(&session.config, asked.at, to)
        };
        let now = session.clock.now();
        let calendars = calendars.into_iter();
        answer.ics = calendars
            .map(|(name, one)| (name, ics(&one, now)))
            .collect();
    }
    Ok(answer)
}

/// Whoever names a person where targets are named is told how it is meant.
fn meant(targets: &[String], session: &Session) -> Result<(), Stop> {
    let unknown = |name: &&String| session.config.target(name).is_none();
    if let Some(name) = targets.iter().find(unknown)
        && let Err(error) = session.select(std::slice::from_ref(name))
    {
        let text = format!("provost: {error}; one person is named with --person");
        return Err(Stop::Said(error.outcome(), text));
    }
    Ok(())
}

/// What was last read needs no secret, and may be looked at wherever the state directory is.
fn open(args: &WindowsArgs, global: &Global) -> Result<Session, Stop> {
    if args.read {
        return engine::session(global);
    }
    let config = load::config_quietly(global, Secrets::CheckFormOnly)?.config;
    Ok(Session::open(config)?)
}

fn asked(given: &AskedWindows, calendars: bool, session: &Session) -> Result<Asked, Stop> {
    let mut asked = Asked {
        at: session.clock.now(),
        to: None,
        zone: session.zone(),
        remarks: Vec::new(),
    };
    if let Some(text) = given.at.as_ref().or(given.from.as_ref()) {
        let found = session.moment(text)?;
        asked.at = found.at;
        asked.zone = found.zone;
        asked.remarks.extend(found.remark);
    }
    let days = |days: i64| {
        // On the wall clock: seven days from midnight end at midnight, whatever clocks do between.
        let from = asked.at.to_zoned(asked.zone.clone());
        let to = from.checked_add(days.days()).map_err(Stop::failed);
        to.map(|to| to.timestamp())
    };
    let to = match (&given.to, given.from.is_some(), calendars) {
        (Some(text), _, _) => {
            let found = session.moment(text)?;
            asked.remarks.extend(found.remark);
            found.at
        }
        (None, _, true) => days(DAYS_CALENDAR)?,
        (None, true, false) => days(DAYS)?,
        (None, false, false) => return Ok(asked),
    };
    if to.duration_since(asked.at) > LONGEST {
        return Err(Stop::failed("a range is at most three years long"));
    }
    asked.to = Some(to);
    Ok(asked)
}

fn show(found: &TargetWindows) -> Windows<'_> {
    Windows {
        target: &found.target,
        read_at: found.read_at,
        shortfalls: &found.shortfalls,
        time_zones: &found.time_zones,
        policies: found.policies,
        pace: found.pace,
        people: &found.people,
    }
}

/// A calendar for each account of the one person, with what it is named after.
fn of_people(found: &[TargetWindows], from: Timestamp, to: Timestamp) -> Vec<(String, Calendar)> {
    let mut calendars = Vec::new();
    for target in found {
        for person in &target.people {
            let one = calendar(&target.target, person, from, to);
            calendars.push((target.target.clone(), one));
        }
    }
    calendars
}

/// A calendar for each policy that is the same for everybody.
fn of_policies(config: &Config, from: Timestamp, to: Timestamp) -> Vec<(String, Calendar)> {
    let one = |policy: &Arc<Policy>| {
        let times = policy.openings(from, to)?;
        let zone = &policy.zone.default;
        let calendar = policy_calendar(&policy.name, &zone.name, times);
        Some((policy.name.clone(), calendar))
    };
    config.access.iter().filter_map(one).collect()
}

/// The only calendar there is.
fn alone(calendars: &[(String, String)]) -> Result<&str, Stop> {
    match calendars {
        [(_, calendar)] => Ok(calendar),
        [] => Err(none()),
        several => Err(Stop::failed(format!(
            "there are {} calendars, and standard output is for one; name a file, and each gets one beside it",
            several.len()
        ))),
    }
}

fn none() -> Stop {
    Stop::failed("there is no policy with times of its own to make a calendar of; name a --person")
}

/// One file for one calendar; several get their names between the file's stem and its ending.
fn write(path: &Path, calendars: &[(String, String)]) -> Result<(), Stop> {
    if calendars.is_empty() {
        return Err(none());
    }
    for (name, calendar) in calendars {
        let path = match calendars.len() {
            1 => path.to_owned(),
            _ => between(path, name),
        };
        files::write(&path, calendar.as_bytes())?;
    }
    Ok(())
}

fn between(path: &Path, name: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path
        .extension()
        .map_or("ics".into(), |e| e.to_string_lossy());
    path.with_file_name(format!("{stem}-{name}.{ending}"))
}
