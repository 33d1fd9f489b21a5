//! Policies at random, as the oracle sees them and as the engine does.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, ToSpan};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use provost::model::{
    Anchor, Attributes, Capabilities, CredentialMode, Group, How, Identity, SourceState,
    SourceValue,
};
use provost::reconcile::access::{
    AccessRules, Assignment, Calendar, Combine, Half, HoursMode, OnWrong, Policy, Times, Week,
    ZoneRule, Zones,
};
use provost::reconcile::{DriftPolicy, HeirRule, Limits, Procedures, SyncPolicy, TargetRules};

/// A policy in the plainest terms.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// Weekdays, and minutes of the day from and to; up to 48 hours.
    pub windows: Vec<(Vec<Weekday>, i64, i64)>,
    pub holidays: HashSet<Date>,
    pub openings: HashMap<Date, Vec<(i64, i64)>>,
}

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// A time of day: often one at which clocks change, or close to it.
fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => (0i64..=8).prop_map(|half| half * 30),
        2 => 0i64..240,
        3 => 0i64..1440,
        1 => Just(0i64),
        1 => Just(1380i64),
    ]
}

fn window() -> impl Strategy<Value = (i64, i64)> {
    prop_oneof![
        8 => (time(), time()).prop_map(|(from, to)| {
            let to = match to.cmp(&from) {
                std::cmp::Ordering::Less => to + 1440,
                std::cmp::Ordering::Equal => to + 60,
                std::cmp::Ordering::Greater => to,
            };
            (from, to)
        }),
        1 => Just((0, 1440)),
        1 => time().prop_map(|from| (from.min(1439), 1440)),
    ]
}

fn days() -> impl Strategy<Value = Vec<Weekday>> {
    prop_oneof![
        2 => Just(WEEK.to_vec()),
        1 => proptest::sample::subsequence(WEEK.to_vec(), 1..7),
    ]
}

pub(super) fn policies() -> impl Strategy<Value = Given> {
    let windows = proptest::collection::vec((days(), window()), 0..4);
    let offsets = proptest::collection::vec(0i32..6570, 0..900);
    let openings = proptest::collection::vec((0i32..6570, window()), 0..400);
    (windows, offsets, openings, any::<bool>()).prop_map(|(windows, closed, opened, plain)| {
        let first = Date::constant(2020, 1, 1);
        let day = |offset: i32| first.checked_add(offset.days()).expect("within range");
        Given {
            windows: windows
                .into_iter()
                .map(|(d, (from, to))| (d, from, to))
                .collect(),
            holidays: closed.into_iter().filter(|_| !plain).map(day).collect(),
            openings: opened
                .into_iter()
                .filter(|_| !plain)
                .map(|(d, times)| (day(d), vec![times]))
                .collect(),
        }
    })
}

/// One at random.
pub(super) fn given(runner: &mut TestRunner) -> Given {
    use proptest::strategy::ValueTree as _;
    policies().new_tree(runner).expect("a policy").current()
}

fn window_text(from: i64, to: i64) -> String {
    let end = if to > 1440 { to - 1440 } else { to };
    format!(
        "{:02}:{:02}-{:02}:{:02}",
        from / 60,
        from % 60,
        end / 60,
        end % 60
    )
}

/// As a configuration file writes it.
pub(super) fn texts(given: &Given) -> Vec<String> {
    if given.windows.is_empty() {
        return vec!["never".to_owned()];
    }
    let name = |day: &Weekday| format!("{day:?}").to_lowercase();
    given
        .windows
        .iter()
        .map(|(days, from, to)| {
            let days: Vec<String> = days.iter().map(name).collect();
            format!("{} {}", days.join(","), window_text(*from, *to))
        })
        .collect()
}

pub(super) fn policy(given: &Given, zone: &str, name: &str) -> Policy {
    let mut calendar = Calendar::default();
    for day in &given.holidays {
        calendar
            .add_line(Half::Closed, &day.to_string())
            .expect("a date");
    }
    for (day, times) in &given.openings {
        let times: Vec<String> = times
            .iter()
            .map(|(from, to)| window_text(*from, *to))
            .collect();
        let line = format!("{day} {}", times.join(", "));
        calendar.add_line(Half::Opened, &line).expect("an opening");
    }
    let default = Zones::bundled().get(zone).expect("a zone");
    Policy {
        name: name.to_owned(),
        times: Times::Week(Week::parse(&texts(given)).unwrap_or_else(|why| panic!("{why:?}"))),
        calendar,
        zone: ZoneRule {
            default,
            attribute: None,
            sites: None,
        },
        people: Assignment {
            everybody: true,
            ..Assignment::default()
        },
        strict: false,
    }
}

/// All policies for everybody; intersection.
pub(super) fn rules(all: &[Given], zone: &str) -> AccessRules {
    let named = (1..).zip(all);
    AccessRules {
        policies: named
            .map(|(n, given)| Arc::new(policy(given, zone, &format!("p{n}"))))
            .collect(),
        combine: Combine::Intersection,
        ..AccessRules::none("crm")
    }
}

/// Somebody with these attributes.
pub(super) fn somebody(attributes: &[(&str, SourceValue)]) -> Identity {
    let mut all = Attributes::new();
    for (name, value) in attributes {
        all.set(name, vec![value.clone()]);
    }
    Identity {
        anchor: Anchor::new("somebody").expect("an anchor"),
        dn: "uid=somebody,ou=people,dc=example,dc=com".to_owned(),
        attributes: all,
        groups: Vec::<Group>::new(),
        state: SourceState::default(),
    }
}

/// A target that deactivates, with the limits it has by itself.
pub(super) fn target_rules() -> TargetRules {
    TargetRules {
        name: "crm".to_owned(),
        policy: SyncPolicy::Sync,
        suspend: Procedures::always(vec![How::Deactivate]),
        credentials: CredentialMode::None,
        heir: HeirRule::default(),
        delete_after: None,
        suspend_out_of_scope: true,
        review_first_run: false,
        max_staleness_open: SignedDuration::from_hours(12),
        drift: DriftPolicy::Repair,
        protected_accounts: BTreeSet::new(),
        protected_people: BTreeSet::new(),
        limits: Limits::default(),
    }
}

/// What that target can do.
pub(super) fn capabilities() -> Capabilities {
    Capabilities {
        deactivate: true,
        block_login: false,
        set_password: false,
        force_change: false,
        revoke_sessions: false,
        reassign: BTreeSet::new(),
        delete: false,
        list_inactive: true,
        entitlements: false,
        members_per_request: 100,
        inherits: false,
        parallelism: 4,
    }
}

/// Everybody's `logonHours`, understood in this way.
pub(crate) fn hours_rules(mode: HoursMode, zone: &str) -> AccessRules {
    let policy = Policy {
        name: "hours".to_owned(),
        times: Times::Hours {
            attribute: "logonhours".to_owned(),
            mode,
            on_wrong: OnWrong::Hold,
        },
        calendar: Calendar::default(),
        zone: ZoneRule {
            default: Zones::bundled().get(zone).expect("a zone"),
            attribute: None,
            sites: None,
        },
        people: Assignment {
            everybody: true,
            ..Assignment::default()
        },
        strict: false,
    };
    AccessRules {
        policies: vec![Arc::new(policy)],
        ..AccessRules::none("crm")
    }
}
