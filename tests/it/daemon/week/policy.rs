//! The policies of the week: as the configuration writes them, and as the oracle is told of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::access::{Given, Minutes, minutes};

/// Somebody, by what the directory's own tool prints.
#[derive(Debug)]
pub(super) struct Staff {
    pub login: String,
    dn: String,
    place: String,
    contractor: bool,
    disabled: bool,
    groups: BTreeSet<String>,
}

impl Staff {
    pub(super) fn of(entry: &BTreeMap<String, Vec<String>>) -> Self {
        let all = |name: &str| entry.get(name).cloned().unwrap_or_default();
        let first = |name: &str| all(name).into_iter().next().unwrap_or_default();
        let name = |dn: String| {
            let first = dn.split(',').next().unwrap_or_default();
            first.trim_start_matches("cn=").to_owned()
        };
        Self {
            login: first("uid").to_lowercase(),
            dn: first("dn"),
            place: first("l"),
            contractor: first("employeetype") == "contractor",
            disabled: !all("pwdaccountlockedtime").is_empty(),
            groups: all("memberof").into_iter().map(name).collect(),
        }
    }
}

/// Zones by place of work; whoever works elsewhere is in the first.
const ZONES: [(&str, &str); 3] = [
    ("Berlin", "Europe/Berlin"),
    ("New York", "America/New_York"),
    ("Mumbai", "Asia/Kolkata"),
];
const NIGHT: &str = "dept-Security";
const MORNING: &str = "dept-IT";
/// These work whenever they like.
const EXEMPT: [&str; 2] = ["u000040", "u000041"];

/// What the policies say, minute by minute.
pub(super) struct Policies {
    /// For each of [`ZONES`].
    office: Vec<Minutes>,
    /// Of the guards, in Berlin.
    night: Minutes,
    /// Of the administrators, in New York.
    morning: Minutes,
    /// Of contractors, in Berlin, besides the one of their department.
    contract: Minutes,
}

impl Policies {
    /// As the configuration writes them.
    pub(super) fn text(people: &str) -> String {
        let exempt = EXEMPT.map(|login| format!("\"uid={login},{people}\""));
        format!(
            r#"
[access-rules]
combine = "intersection"

[access-rules.exempt]
people = [{exempt}]

[[access]]
name = "office"
not-groups = ["{NIGHT}", "{MORNING}"]
windows = ["mon-fri 08:00-18:00"]
zone = "Europe/Berlin"
zone-attribute = "l"
sites = {{ Berlin = "Europe/Berlin", "New York" = "America/New_York", Mumbai = "Asia/Kolkata" }}
holidays = ["2026-10-28 works outing"]
openings = ["2026-10-31 10:00-14:00 stocktaking"]

[[access]]
name = "night"
groups = ["{NIGHT}"]
windows = ["daily 21:00-02:30"]
zone = "Europe/Berlin"

[[access]]
name = "morning"
groups = ["{MORNING}"]
windows = ["daily 01:30-10:00"]
zone = "America/New_York"

[[access]]
name = "contract"
condition = "employeeType == 'contractor'"
windows = ["mon-fri 09:00-17:00"]
zone = "Europe/Berlin"
strict = true
"#,
            exempt = exempt.join(", ")
        )
    }

    /// As the oracle understands them, for so many days.
    pub(super) fn new(begin: i64, days: i64) -> Self {
        let daily: Vec<Weekday> = Weekday::Monday.cycle_forward().take(7).collect();
        let weekdays = daily[..5].to_vec();
        let plain = |days: &[Weekday], from: i64, to: i64| Given {
            windows: vec![(days.to_vec(), from, to)],
            holidays: HashSet::new(),
            openings: HashMap::new(),
        };
        let office = Given {
            holidays: HashSet::from([Date::constant(2026, 10, 28)]),
            openings: HashMap::from([(Date::constant(2026, 10, 31), vec![(600, 840)])]),
            ..plain(&weekdays, 480, 1080)
        };
        let walk = |given: &Given, zone: &str| {
            minutes(given, &TimeZone::get(zone).expect("a zone"), begin, days)
        };
        Self {
            office: ZONES.map(|(_, zone)| walk(&office, zone)).into(),
            night: walk(&plain(&daily, 1260, 1590), ZONES[0].1),
            morning: walk(&plain(&daily, 90, 600), ZONES[1].1),
            contract: walk(&plain(&weekdays, 540, 1020), ZONES[0].1),
        }
    }

    /// Every minute within a time at which one of them changes.
    pub(super) fn edges(&self, from: i64, to: i64) -> BTreeSet<i64> {
        let others = [&self.night, &self.morning, &self.contract];
        let all = self.office.iter().chain(others);
        let edges = all.flat_map(|one| {
            let states: Vec<(i64, bool)> = one.states().collect();
            let pairs = states.windows(2).map(|pair| (pair[0], pair[1]));
            let turns = pairs.filter(|(a, b)| a.1 != b.1).map(|(_, b)| b.0);
            turns.collect::<Vec<i64>>()
        });
        edges
            .filter(|edge| (from + 1..=to).contains(edge))
            .collect()
    }

    /// Whether somebody may get in.
    pub(super) fn let_in(&self, who: &Staff, at: i64) -> bool {
        if who.disabled {
            return false;
        }
        if EXEMPT
            .iter()
            .any(|login| who.dn.starts_with(&format!("uid={login},")))
        {
            return true;
        }
        let (guard, admin) = (who.groups.contains(NIGHT), who.groups.contains(MORNING));
        let place = ZONES.iter().position(|(place, _)| *place == who.place);
        let mut policies = Vec::new();
        if guard {
            policies.push(&self.night);
        }
        if admin {
            policies.push(&self.morning);
        }
        if !guard && !admin {
            policies.push(&self.office[place.unwrap_or(0)]);
        }
        if who.contractor {
            policies.push(&self.contract);
        }
        policies.iter().all(|policy| policy.is_open(at))
    }
}
