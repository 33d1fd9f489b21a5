//! Access by the clock: `[[access]]` policies, `[access-rules]`, and which of them hold for a target.

mod calendar;
mod people;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Outside, common};
use crate::config::keys;
use crate::config::raw::{Located, Section, printable};
use crate::config::{suggest, syntax};
use crate::model::Problem;
use crate::reconcile::access::{
    AccessRules, Assignment, Combine, HOURS_ATTRIBUTE, HoursMode, OnWrong, Policy, Season, Times,
    Week, Zone, ZoneRule, Zones,
};
use crate::reconcile::{SyncPolicy, TargetRules};

const COMBINE: [(&str, Combine); 2] = [
    ("intersection", Combine::Intersection),
    ("union", Combine::Union),
];

/// Everything that targets share.
#[derive(Debug)]
pub struct Shared {
    /// The policies, in the order of the file. Those with problems are missing.
    pub policies: Vec<Arc<Policy>>,
    /// The time zones.
    pub zones: Zones,
    names: Vec<String>,
    combine: Option<Combine>,
    exempt: Arc<Assignment>,
}

/// Reads all policies and what holds for all of them.
pub fn read(root: &Section<'_>, outside: &dyn Outside) -> Shared {
    let rules = root.table("access-rules", &keys::ACCESS_RULES);
    let zones = rules
        .as_ref()
        .map_or_else(Zones::bundled, |rules| zones(rules, outside));
    let combine = rules
        .as_ref()
        .and_then(|rules| rules.choice("combine", &COMBINE));
    let exempt = rules
        .as_ref()
        .and_then(|rules| rules.table("exempt", &keys::ACCESS_EXEMPT))
        .map(|exempt| people::read(&exempt))
        .unwrap_or_default();
    let sections = root.tables("access");
    if sections.is_empty() && rules.is_some() {
        let help = "add an [[access]] policy, or remove the rules";
        root.warning(
            "access-rules",
            "there is no policy that these rules could hold for",
            help,
        );
    }
    let names = sections
        .iter()
        .filter_map(|section| section.peek("name"))
        .map(|name| name.value)
        .collect();
    super::unique_names(&sections);
    Shared {
        policies: sections
            .iter()
            .filter_map(|section| policy(section, &zones, outside))
            .map(Arc::new)
            .collect(),
        zones,
        names,
        combine,
        exempt: Arc::new(exempt),
    }
}

fn zones(rules: &Section<'_>, outside: &dyn Outside) -> Zones {
    let system = rules.choice("time-zones", &[("bundled", false), ("system", true)]);
    if system != Some(true) {
        return Zones::bundled();
    }
    outside.system_zones().unwrap_or_else(|why| {
        let help = "install the package tzdata, or write \"bundled\"";
        rules.error("time-zones", why, help);
        Zones::bundled()
    })
}

/// One `[[access]]`.
fn policy(section: &Section<'_>, zones: &Zones, outside: &dyn Outside) -> Option<Policy> {
    section.expect(&keys::ACCESS);
    let name = common::name(section);
    let times = times(section);
    let zone = zone_rule(section, times.as_ref(), zones);
    let calendar = calendar::read(section, zones, outside);
    let people = people::assigned(section);
    let strict = section.flag("strict", false);
    Some(Policy {
        name: name?,
        times: times?,
        calendar,
        zone: zone?,
        people,
        strict,
    })
}

fn times(section: &Section<'_>) -> Option<Times> {
    match (section.has("windows"), section.has("logon-hours")) {
        (true, false) => {
            for key in [
                "logon-hours-attribute",
                "logon-hours-entered",
                "on-wrong-hours",
            ] {
                if section.has(key) {
                    section.error(key, "means nothing without `logon-hours`", "remove it");
                }
            }
            week(section).map(Times::Week)
        }
        (false, true) => hours(section),
        (true, true) => {
            let help = "make two policies; `combine` says what they make together";
            section.error(
                "logon-hours",
                "a policy has either windows or logon hours",
                help,
            );
            None
        }
        (false, false) => {
            let help = "such as [\"mon-fri 08:00-18:00\"], [\"always\"] or [\"never\"]; or logon-hours = \"local\"";
            section.missing("windows", help);
            None
        }
    }
}

fn week(section: &Section<'_>) -> Option<Week> {
    let texts = section.texts("windows");
    if section.is_empty_list("windows") {
        let help = "write [\"never\"] if nobody is to have access, [\"always\"] if everybody";
        section.error("windows", "must not be empty", help);
        return None;
    }
    let lines: Vec<String> = texts.iter().map(|text| text.value.clone()).collect();
    match Week::parse(&lines) {
        Ok(week) => (!lines.is_empty()).then_some(week),
        Err(problems) => {
            for (index, why) in problems {
                if let Some(text) = texts.get(index) {
                    refuse(section, text, why);
                }
            }
            None
        }
    }
}

fn hours(section: &Section<'_>) -> Option<Times> {
    let seasons = [("winter", Season::Winter), ("summer", Season::Summer)];
    let local = section.choice("logon-hours", &[("exact", false), ("local", true)])?;
    let season = section.choice("logon-hours-entered", &seasons);
    let wrongs = [("hold", OnWrong::Hold), ("deny", OnWrong::Deny)];
    let on_wrong = section.choice("on-wrong-hours", &wrongs);
    let attribute = attribute(section, "logon-hours-attribute");
    if !local && season.is_some() {
        let help = "remove it, or write logon-hours = \"local\"";
        section.error("logon-hours-entered", "means nothing with \"exact\"", help);
    }
    Some(Times::Hours {
        attribute: attribute.unwrap_or_else(|| HOURS_ATTRIBUTE.to_owned()),
        mode: if local {
            HoursMode::Local(season.unwrap_or(Season::Winter))
        } else {
            HoursMode::Exact
        },
        on_wrong: on_wrong.unwrap_or(OnWrong::Hold),
    })
}

/// Whose wall clock counts.
fn zone_rule(section: &Section<'_>, times: Option<&Times>, zones: &Zones) -> Option<ZoneRule> {
    let exact = matches!(
        times,
        Some(Times::Hours {
            mode: HoursMode::Exact,
            ..
        })
    );
    if exact {
        let message = "the hours are universal time: on the wall they move at each change to and from daylight saving time";
        let help = "logon-hours = \"local\" with a zone keeps them where they were meant to be";
        section.warning("logon-hours", message, help);
        for key in ["zone-attribute", "sites"] {
            if section.has(key) {
                let help = "remove it, or write logon-hours = \"local\"";
                section.error(key, "means nothing with logon-hours = \"exact\"", help);
            }
        }
    } else if !section.has("zone") {
        let help = "an IANA name such as \"Europe/Berlin\"; with zone-attribute it is the zone of people without one";
        section.missing("zone", help);
    }
    let default = match section.text("zone") {
        Some(text) => zone(section, &text, zones),
        None => exact.then(Zone::utc),
    };
    let attribute = attribute(section, "zone-attribute");
    let sites = sites(section, zones);
    if sites.is_some() && !section.has("zone-attribute") {
        let help = "name the directory attribute whose values the sites are, such as \"l\"";
        section.missing("zone-attribute", help);
    }
    Some(ZoneRule {
        default: default?,
        attribute,
        sites,
    })
}

fn zone(section: &Section<'_>, text: &Located<String>, zones: &Zones) -> Option<Zone> {
    let found = zones.get(&text.value);
    if found.is_none() {
        let names = zones.names();
        let near = suggest::nearest(&text.value, names.iter().map(String::as_str));
        let help = near.map_or_else(
            || "use an IANA name such as \"Europe/Berlin\" or \"UTC\"".to_owned(),
            |near| format!("did you mean \"{near}\"?"),
        );
        let message = "there is no such time zone";
        let problem = Problem::new(Some(text.span.clone()), &text.field, message);
        section.findings().error(problem.help(help));
    }
    found
}

fn sites(section: &Section<'_>, zones: &Zones) -> Option<BTreeMap<String, Zone>> {
    let table = section.any_table("sites")?;
    let mut sites = BTreeMap::new();
    for site in table.keys() {
        let Some(text) = table.text(site) else {
            continue;
        };
        let Some(zone) = zone(section, &text, zones) else {
            continue;
        };
        if sites.insert(site.trim().to_lowercase(), zone).is_some() {
            let help = "sites are compared without case; keep one of them";
            table.error(site, "this site is here twice", help);
        }
    }
    Some(sites)
}

fn attribute(section: &Section<'_>, key: &str) -> Option<String> {
    let text = section.text(key)?;
    if !syntax::is_attribute(&text.value) {
        refuse(section, &text, "is not an attribute name".to_owned());
    }
    Some(text.value.to_ascii_lowercase())
}

fn refuse(section: &Section<'_>, text: &Located<String>, why: String) {
    let problem = Problem::new(Some(text.span.clone()), &text.field, why);
    section.findings().error(problem);
}

/// The rules of one target: the policies that it names, or all.
pub fn of_target(section: &Section<'_>, target: &str, shared: &Shared) -> AccessRules {
    let mut rules = AccessRules {
        target: target.to_owned(),
        policies: shared.policies.clone(),
        combine: Combine::Intersection,
        exempt: Arc::clone(&shared.exempt),
        protected: Arc::default(),
        zones: shared.zones.clone(),
    };
    let mut count = shared.names.len();
    if section.has("access") {
        let named = section.texts("access");
        for name in &named {
            if !shared.names.contains(&name.value) {
                unknown(section, name, &shared.names);
            }
        }
        count = named.len();
        rules
            .policies
            .retain(|policy| named.iter().any(|name| name.value == policy.name));
    }
    match section
        .choice("access-combine", &COMBINE)
        .or(shared.combine)
    {
        Some(combine) => rules.combine = combine,
        None if count > 1 && !section.has("access-combine") => {
            let message = "several access policies hold for this target, and nothing says what they make together";
            let help = "write combine = \"intersection\" (open only when all are) or \"union\" below [access-rules]";
            section.error("access", message, help);
        }
        None => {}
    }
    rules
}

fn unknown(section: &Section<'_>, name: &Located<String>, known: &[String]) {
    let near = suggest::nearest(&name.value, known.iter().map(String::as_str));
    let help = match near {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => "add it as [[access]]".to_owned(),
        None => format!("the policies are {}", printable(&known.join(", "))),
    };
    let message = "there is no such access policy";
    let problem = Problem::new(Some(name.span.clone()), &name.field, message);
    section.findings().error(problem.help(help));
}

/// Warns of rules that cannot do what they are for.
pub fn sensible(section: &Section<'_>, access: &AccessRules, rules: &TargetRules, real: bool) {
    if access.is_empty() {
        return;
    }
    match rules.policy {
        SyncPolicy::Sync => {}
        SyncPolicy::UpsertOnly | SyncPolicy::CreateOnly => {
            let message = format!(
                "policy \"{}\" never suspends, so windows do not close here",
                rules.policy
            );
            let help = "write access = [] for this target, or choose policy \"sync\"";
            section.warning("access", message, help);
        }
    }
    let spared =
        access.exempt.people.len() + rules.protected_people.len() + rules.protected_accounts.len();
    if real && spared < 2 && access.exempt.selector.is_none() {
        let message = "fewer than two people are exempt from the access windows of this target";
        let help = "name two emergency administrators in [access-rules.exempt] or protected-people";
        section.warning("access", message, help);
    }
}
