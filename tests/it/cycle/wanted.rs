//! What the application should hold, worked out by a few lines of its own and not by the code under test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::directory::Directory;

/// One person's account as it should be.
pub(super) struct Wanted {
    pub active: bool,
    pub display_name: String,
    pub family_name: String,
    pub groups: BTreeSet<String>,
}

/// Everybody who should be active, or have an account that is not.
pub(super) fn wanted(directory: &Directory) -> BTreeMap<String, Wanted> {
    let login = if directory.is_ad() {
        "samaccountname"
    } else {
        "uid"
    };
    let mut all = BTreeMap::new();
    for entry in directory.people() {
        let first = |name: &str| {
            let mut values = entry.get(name).cloned().unwrap_or_default();
            values.sort();
            values.into_iter().next()
        };
        let Some(name) = first(login) else { continue };
        let groups = entry.get("memberof").into_iter().flatten();
        let display = first("displayname")
            .or_else(|| first("cn"))
            .unwrap_or_default();
        all.insert(
            name.to_lowercase(),
            Wanted {
                active: !is_closed(&entry),
                display_name: display.trim().to_owned(),
                family_name: first("sn").unwrap_or_default(),
                groups: groups.filter_map(|dn| project(dn)).collect(),
            },
        );
    }
    all
}

/// Disabled or expired, by the attributes of whichever directory.
fn is_closed(entry: &BTreeMap<String, Vec<String>>) -> bool {
    let number = |name: &str| {
        entry
            .get(name)
            .and_then(|v| v.first())
            .and_then(|v| v.parse::<i64>().ok())
    };
    let disabled = number("useraccountcontrol").is_some_and(|bits| bits & 2 != 0)
        || entry
            .get("pwdaccountlockedtime")
            .is_some_and(|v| v.iter().any(|v| v == "000001010000Z"))
        || entry
            .get("nsaccountlock")
            .is_some_and(|v| v.iter().any(|v| v == "true"));
    #[expect(
        clippy::disallowed_methods,
        reason = "the directory is judged at the time of the test"
    )]
    let now = jiff::Timestamp::now().as_second();
    let expired = number("accountexpires").is_some_and(|ticks| {
        ticks != 0 && ticks != i64::MAX && ticks / 10_000_000 - 11_644_473_600 <= now
    });
    disabled || expired
}

/// The entitlement that a group means, if it means one.
fn project(dn: &str) -> Option<String> {
    let name = dn.split(',').next()?.split_once('=')?.1;
    name.starts_with("project-0000").then(|| name.to_owned())
}

/// Everything that is not as it should be.
pub(super) fn compare(
    wanted: &BTreeMap<String, Wanted>,
    users: &[Value],
    groups: &[Value],
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut held: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for group in groups {
        let name = group["displayName"].as_str().unwrap_or_default();
        for member in group["members"].as_array().into_iter().flatten() {
            let id = member["value"].as_str().unwrap_or_default().to_owned();
            held.entry(id).or_default().insert(name.to_owned());
        }
    }
    let mut seen = BTreeSet::new();
    for user in users {
        let name = user["userName"].as_str().unwrap_or_default().to_lowercase();
        if !seen.insert(name.clone()) {
            problems.push(format!("{name} has two accounts"));
        }
        let active = user["active"].as_bool().unwrap_or(true);
        let Some(person) = wanted.get(&name) else {
            if active {
                problems.push(format!("{name} is not in the directory and is active"));
            }
            continue;
        };
        if active != person.active {
            problems.push(format!("{name}: active is {active}"));
        }
        if !person.active {
            // What was frozen at suspension is not compared.
            continue;
        }
        if user["displayName"].as_str().map(str::trim) != Some(person.display_name.as_str()) {
            problems.push(format!(
                "{name}: displayName is {}, not {}",
                user["displayName"], person.display_name
            ));
        }
        if user["name"]["familyName"].as_str() != Some(person.family_name.as_str()) {
            problems.push(format!(
                "{name}: familyName is {}, not {}",
                user["name"]["familyName"], person.family_name
            ));
        }
        let holds = user["id"]
            .as_str()
            .and_then(|id| held.get(id))
            .cloned()
            .unwrap_or_default();
        if holds != person.groups {
            problems.push(format!("{name}: holds {holds:?}, not {:?}", person.groups));
        }
    }
    for (name, _) in wanted.iter().filter(|(_, person)| person.active) {
        if !seen.contains(name) {
            problems.push(format!("{name} has no account"));
        }
    }
    problems.truncate(40);
    problems
}
