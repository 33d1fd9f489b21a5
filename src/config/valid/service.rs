//! What the daemon needs besides sources and targets: when it works, who may speak to it, and where it is measured.

use core::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Outside, TargetSpec};
use crate::config::keys::{self, Keys};
use crate::config::raw::{Section, printable};
use crate::config::timetable::Timetable;

/// Where the package keeps the state; there the socket has the conventional place as well.
const PACKAGED: &str = "/var/lib/provost";
const SOCKET: &str = "control.sock";

/// When a target is worked on besides the edges of its windows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// When its source is read and its accounts are brought in step; `None` for never.
    pub sync: Option<Timetable>,
    /// When every account is also listed and compared; `None` for never.
    pub reconcile: Option<Timetable>,
    /// How much later than written scheduled work may begin.
    pub jitter: Duration,
}

/// Who may speak to the daemon, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Control {
    /// The socket.
    pub path: PathBuf,
    /// The group whose members may look.
    pub view_group: Option<String>,
    /// The group whose members may also act.
    pub operate_group: Option<String>,
}

/// The texts of a schedule on one level of the file.
#[derive(Clone, Debug)]
struct Level {
    zone: TimeZone,
    sync: Option<Timetable>,
    reconcile: Option<Timetable>,
    jitter: Duration,
}

/// The schedule of the whole file.
fn top(root: &Section<'_>) -> Level {
    let mut level = Level {
        zone: TimeZone::UTC,
        sync: Timetable::parse("*/15 * * * *", TimeZone::UTC).ok(),
        reconcile: Timetable::parse("30 3 * * *", TimeZone::UTC).ok(),
        jitter: Duration::from_secs(30),
    };
    if let Some(section) = root.table("schedule", &keys::SCHEDULE) {
        let longest = Duration::from_secs(3600);
        let jitter = section.duration("jitter", Duration::ZERO..=longest);
        level.jitter = jitter.unwrap_or(level.jitter);
        level = below(&section, &level);
    }
    level
}

/// What one level says, over what the level above says. A zone of its own applies to the times of the level above too.
fn below(section: &Section<'_>, above: &Level) -> Level {
    let zone = zone(section).unwrap_or_else(|| above.zone.clone());
    let time = |key: &str, above: Option<&Timetable>| match section.text(key) {
        None => above.and_then(|table| Timetable::parse(table.text(), zone.clone()).ok()),
        Some(text) if text.value == "never" => None,
        Some(text) => match Timetable::parse(&text.value, zone.clone()) {
            Ok(table) => Some(table),
            Err(why) => {
                let help = "such as \"*/15 * * * *\" for every quarter of an hour, \"30 3 * * *\" for 03:30 each day, or \"never\"";
                section.error(key, why, help);
                None
            }
        },
    };
    let sync = time("sync", above.sync.as_ref());
    let reconcile = time("reconcile", above.reconcile.as_ref());
    Level {
        zone,
        sync,
        reconcile,
        jitter: above.jitter,
    }
}

/// The zone of the whole file's times; problems with it are recorded where the schedule is read.
pub(super) fn zone_of_all(root: &Section<'_>) -> TimeZone {
    let section = root.any_table_quietly("schedule");
    let name = section.and_then(|section| section.peek("zone"));
    let zone = name.and_then(|name| TimeZone::get(&name.value).ok());
    zone.unwrap_or(TimeZone::UTC)
}

/// The zone that a table names, if it names one.
pub(super) fn zone(section: &Section<'_>) -> Option<TimeZone> {
    let name = section.text("zone")?;
    TimeZone::get(&name.value)
        .map_err(|_unknown| {
            let message = format!("there is no time zone \"{}\"", printable(&name.value));
            section.error(
                "zone",
                message,
                "a name of the IANA database, such as \"Europe/Berlin\" or \"UTC\"",
            );
        })
        .ok()
}

fn own(section: &Section<'_>, keys: &Keys, above: &Level) -> Level {
    let own = section.table("schedule", keys);
    own.map_or_else(|| above.clone(), |own| below(&own, above))
}

/// Gives each target its schedule: its own, that of its source, that of the file.
pub(super) fn schedules(
    root: &Section<'_>,
    sources: &[Section<'_>],
    targets: &[Section<'_>],
    specs: &mut [Option<TargetSpec>],
) {
    let top = top(root);
    let of_sources: Vec<(Option<String>, Level)> = sources
        .iter()
        .map(|section| {
            let name = section.peek("name").map(|name| name.value);
            (name, own(section, &keys::OWN_SCHEDULE, &top))
        })
        .collect();
    for (section, spec) in targets.iter().zip(specs) {
        let source = section.peek("source").map(|source| source.value);
        let above = of_sources
            .iter()
            .find(|(name, _)| name.is_some() && *name == source)
            .map_or(&top, |(_, level)| level);
        let level = own(section, &keys::OWN_SCHEDULE, above);
        if let Some(spec) = spec {
            spec.schedule = Schedule {
                sync: level.sync,
                reconcile: level.reconcile,
                jitter: level.jitter,
            };
        }
    }
}

impl Schedule {
    /// No schedule at all: what a target has until the file's is known.
    pub(super) const fn none() -> Self {
        Self {
            sync: None,
            reconcile: None,
            jitter: Duration::ZERO,
        }
    }
}

/// Where the socket is and who may use it.
pub(super) fn control(root: &Section<'_>, state: &Path, outside: &dyn Outside) -> Control {
    let section = root.table("control", &keys::CONTROL);
    let text = |key: &str| {
        let found = section.as_ref().and_then(|section| section.text(key));
        found.map(|text| text.value)
    };
    let default = if state == Path::new(PACKAGED) {
        Path::new("/run/provost").join(SOCKET)
    } else {
        state.join(SOCKET)
    };
    Control {
        path: text("path").map_or(default, |path| outside.resolve(&path)),
        view_group: text("view-group"),
        operate_group: text("operate-group"),
    }
}

/// Where metrics are served, if anywhere.
pub(super) fn metrics(root: &Section<'_>) -> Option<SocketAddr> {
    let section = root.table("metrics", &keys::METRICS)?;
    let default = SocketAddr::from(([127, 0, 0, 1], 9464));
    let Some(text) = section.text("listen") else {
        return Some(default);
    };
    let Ok(address) = text.value.parse::<SocketAddr>() else {
        section.error(
            "listen",
            "must be an address and a port",
            "such as \"127.0.0.1:9464\" or \"[::1]:9464\"",
        );
        return Some(default);
    };
    if !address.ip().is_loopback() {
        section.warning(
            "listen",
            "the figures can be read by anybody who reaches this address",
            "listen on this machine only, and let a proxy ask for a password",
        );
    }
    Some(address)
}
