//! What was understood of access policies: in words, with the next times at which each opens and closes, and, where the
//! directory is asked, what people's own zones and hours come to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::engine::{EngineError, needs};
use crate::model::{Anchor, EntryProblem, Fingerprint, Identity, Sieve};
use crate::reconcile::access::{Hours, HoursMode, Policy, Season, Times, Zone, Zones, offset};
use crate::report::safe;
use crate::source;

/// How many edges of a policy are shown.
const EDGES: usize = 4;
/// How many different hours, and unknown zones, are shown for one policy.
const SHOWN: usize = 8;

/// Every policy in words.
pub(super) fn policies(config: &Config, now: Timestamp) -> String {
    let mut text = String::new();
    if config.access.is_empty() {
        return text;
    }
    // Writing to a String cannot fail.
    writeln!(text, "  time zones {}", config.zones.tz_version()).ok();
    for policy in &config.access {
        writeln!(text, "  access   {}: {}", policy.name, times(policy)).ok();
        writeln!(text, "             {:<10} {}", "zone", zone(policy)).ok();
        let (closed, extra) = policy.calendar.counts();
        if closed + extra > 0 {
            let days = format!("{closed} closed, {extra} extra openings");
            writeln!(text, "             {:<10} {days}", "days").ok();
        }
        if matches!(policy.times, Times::Week(_)) {
            writeln!(text, "             {:<10} {}", "next", next(policy, now)).ok();
        }
    }
    text
}

fn times(policy: &Policy) -> String {
    match &policy.times {
        Times::Week(week) => week.to_string(),
        Times::Hours { mode, .. } => match mode {
            HoursMode::Exact => "logonHours as they are, in universal time".to_owned(),
            HoursMode::Local(season) => {
                let name = match season {
                    Season::Winter => "winter",
                    Season::Summer => "summer",
                };
                format!("logonHours as local hours, entered in {name} time")
            }
        },
    }
}

fn zone(policy: &Policy) -> String {
    let rule = &policy.zone;
    let default = &rule.default;
    let drift = match &policy.times {
        Times::Hours {
            mode: HoursMode::Exact,
            ..
        } => drift(default),
        Times::Hours { .. } | Times::Week(_) => String::new(),
    };
    match (&rule.attribute, &rule.sites) {
        (None, _) => format!("{default}{drift}"),
        (Some(attribute), None) => format!("from {attribute}, else {default}"),
        (Some(attribute), Some(sites)) => {
            format!("from {attribute} ({} sites), else {default}", sites.len())
        }
    }
}

/// By how much universal hours move on the wall.
fn drift(zone: &Zone) -> String {
    let minutes = offset(zone, Season::Summer) - offset(zone, Season::Winter);
    if minutes == 0 {
        return String::new();
    }
    format!("; on this wall clock the hours move by {minutes} minutes with daylight saving time")
}

fn next(policy: &Policy, now: Timestamp) -> String {
    let zone = &policy.zone.default;
    let edges: Vec<String> = policy
        .edges(zone, now, EDGES)
        .into_iter()
        .map(|(at, opens)| {
            let verb = if opens { "opens" } else { "closes" };
            let local = zone.time_zone().to_datetime(at);
            format!("{verb} {}", local.strftime("%a %Y-%m-%d %H:%M"))
        })
        .collect();
    if edges.is_empty() {
        "no change within 5 years".to_owned()
    } else {
        edges.join(", ")
    }
}

/// Reads everybody once and says what their own zones and hours come to.
pub(super) async fn people(config: &Config, source: &str) -> Result<String, EngineError> {
    let policies: Vec<Arc<Policy>> = config
        .access
        .iter()
        .filter(|policy| {
            let of_person =
                policy.zone.attribute.is_some() || matches!(policy.times, Times::Hours { .. });
            let mut targets = config.targets.iter().filter(|t| t.source == source);
            of_person && targets.any(|t| t.access.policies.iter().any(|p| p.name == policy.name))
        })
        .cloned()
        .collect();
    let Some(spec) = config.source(source).filter(|_| !policies.is_empty()) else {
        return Ok(String::new());
    };
    let mut census = Census {
        zones: config.zones.clone(),
        policies,
        found: BTreeMap::new(),
    };
    let reader = source::connect(&spec.settings);
    let read = reader.fetch(&needs(config, source), &mut census).await;
    Ok(match read {
        Ok(_report) => census.told(),
        Err(why) => format!(
            "  !!  people: cannot be read: {}\n",
            safe::text(&why.to_string())
        ),
    })
}

/// Counts what people's zones and hours come to, by policy.
struct Census {
    zones: Zones,
    policies: Vec<Arc<Policy>>,
    found: BTreeMap<(String, bool, String), u64>,
}

impl Census {
    fn count(&mut self, policy: &str, is_fine: bool, what: String) {
        *self
            .found
            .entry((policy.to_owned(), is_fine, what))
            .or_default() += 1;
    }

    fn told(&self) -> String {
        let mut text = String::new();
        for policy in &self.policies {
            let mut lines: Vec<(&(String, bool, String), &u64)> = self
                .found
                .iter()
                .filter(|((name, _, _), _)| *name == policy.name)
                .collect();
            lines.sort_by_key(|((_, is_fine, _), count)| (*is_fine, std::cmp::Reverse(**count)));
            let more = lines.len().saturating_sub(SHOWN);
            for ((name, is_fine, what), count) in lines.into_iter().take(SHOWN) {
                let mark = if *is_fine { "ok" } else { "??" };
                writeln!(
                    text,
                    "  {mark}  access {name}: {count} × {}",
                    safe::text(what)
                )
                .ok();
            }
            if more > 0 {
                writeln!(text, "      access {}: and {more} others", policy.name).ok();
            }
        }
        text
    }
}

impl Sieve for Census {
    fn is_unchanged(&mut self, _anchor: &Anchor, _fingerprint: Fingerprint) -> bool {
        false
    }

    fn accept(&mut self, identity: Identity, _fingerprint: Fingerprint) {
        for policy in self.policies.clone() {
            if !policy.people.means(&identity).unwrap_or(true) {
                continue;
            }
            let (zone, notice) = policy.zone.find(&identity, &self.zones);
            match notice {
                Some(notice) => self.count(&policy.name, false, notice),
                None if policy.zone.attribute.is_some() => {
                    self.count(&policy.name, true, format!("in {zone}"));
                }
                None => {}
            }
            let Times::Hours {
                attribute, mode, ..
            } = &policy.times
            else {
                continue;
            };
            let Some(bytes) = identity.attributes.bytes(attribute) else {
                self.count(
                    &policy.name,
                    true,
                    "no logonHours, so not restricted".to_owned(),
                );
                continue;
            };
            match Hours::read(bytes) {
                Ok(hours) => self.count(&policy.name, true, meaning(hours, *mode, &zone)),
                Err(why) => self.count(&policy.name, false, why),
            }
        }
    }

    fn reject(&mut self, _problem: EntryProblem) {}
}

/// What hours mean: as they are followed, and as they would be the other way.
fn meaning(hours: Hours, mode: HoursMode, zone: &Zone) -> String {
    let [winter, summer] = [Season::Winter, Season::Summer].map(|s| hours.week(offset(zone, s)));
    match mode {
        HoursMode::Local(Season::Winter) => format!("{winter} in {zone}"),
        HoursMode::Local(Season::Summer) => format!("{summer} in {zone}"),
        HoursMode::Exact if winter == summer => format!("{winter} in {zone} (exact)"),
        HoursMode::Exact => format!(
            "{winter} in {zone} in winter, {summer} in summer; logon-hours = \"local\" would keep it"
        ),
    }
}
