//! `provost windows`: who has access when, and why. From the last read, without asking anybody.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, ToSpan as _};

use crate::config::{Config, Secrets};
use crate::engine::{Read, Session, TargetWindows, WindowsRequest};
use crate::model::Outcome;
use crate::reconcile::access::Policy;
use crate::report::ics::{Calendar, ics};
use crate::report::windows::{Asked, Windows, calendar, policy_calendar};
use crate::report::{json, text};

use super::args::{Global, WindowsArgs};
use super::out::Out;
use super::{Stop, engine, files, load};

/// For how many days transitions are listed unless said otherwise.
const DAYS: i64 = 7;
/// For how many days a calendar is made unless said otherwise.
const DAYS_CALENDAR: i64 = 90;
/// The longest range; more edges than that are of use to nobody.
const LONGEST: SignedDuration = SignedDuration::from_hours(3 * 366 * 24);

pub(super) fn run(args: &WindowsArgs, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let session = open(args, global)?;
    let asked = asked(args, &session)?;
    let request = WindowsRequest {
        targets: args.targets.clone(),
        person: args.person.clone(),
        at: Some(asked.at),
        to: asked.to,
        read: if args.read { Read::Now } else { Read::Stored },
    };
    let found = engine::block_on(session.windows(&request))?;
    if let (Some(path), Some(to)) = (&args.ics, asked.to) {
        let calendars = if args.person.is_some() {
            of_people(&found, asked.at, to)
        } else {
            of_policies(&session.config, asked.at, to)
        };
        write(path, &calendars, session.clock.now())?;
    }
    let shown: Vec<Windows<'_>> = found.iter().map(show).collect();
    if out.json {
        out.report(&json::windows(&shown, &asked))?;
    } else {
        out.report(&text::windows(&shown, &asked, out.look))?;
    }
    Ok(Outcome::NothingToDo)
}

/// What was last read needs no secret, and may be looked at wherever the state directory is.
fn open(args: &WindowsArgs, global: &Global) -> Result<Session, Stop> {
    if args.read {
        return engine::session(global);
    }
    let config = load::config_quietly(global, Secrets::CheckFormOnly)?.config;
    Ok(Session::open(config)?)
}

fn asked(args: &WindowsArgs, session: &Session) -> Result<Asked, Stop> {
    let mut asked = Asked {
        at: session.clock.now(),
        to: None,
        zone: session.zone(),
        remarks: Vec::new(),
    };
    if let Some(text) = args.at.as_ref().or(args.from.as_ref()) {
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
    let to = match (&args.to, args.from.is_some(), args.ics.is_some()) {
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

/// One file for one calendar; several get their names between the file's stem and its ending.
fn write(path: &Path, calendars: &[(String, Calendar)], now: Timestamp) -> Result<(), Stop> {
    if calendars.is_empty() {
        return Err(Stop::failed(
            "there is no policy with times of its own to make a calendar of; name a --person",
        ));
    }
    for (name, calendar) in calendars {
        let path = match calendars.len() {
            1 => path.to_owned(),
            _ => between(path, name),
        };
        files::write(&path, ics(calendar, now).as_bytes())?;
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
