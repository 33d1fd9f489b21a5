//! Laws that hold for every policy, at every moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use provost::model::{
    AccountId, Action, Basis, How, Identity, Life, Origin, Override, OverrideEffect, Shadow,
    SourceValue, SuspendReason,
};
use provost::reconcile::access::{AccessRules, Because, Combine, HoursMode, Season};
use provost::reconcile::mapping::Mapping;
use provost::reconcile::{Live, Person, Presence, Register, Situation, reconcile};

use super::at;
use super::settings::{Given, hours_rules, policies, rules, somebody};

const ZONES: [&str; 6] = [
    "Europe/Berlin",
    "America/Havana",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Africa/Casablanca",
];

fn zone() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&ZONES[..])
}

/// A moment between 2020 and 2037.
fn moment() -> impl Strategy<Value = i64> {
    1_577_836_800i64..2_145_916_800
}

fn order(effect: OverrideEffect, from: i64, until: Option<i64>) -> Override {
    Override {
        id: "o1".to_owned(),
        anchor: somebody(&[]).anchor,
        label: "Somebody".to_owned(),
        target: None,
        effect,
        from: at(from),
        until: until.map(at),
        reason: "law".to_owned(),
        by: "test".to_owned(),
        at: at(from),
    }
}

fn is_open(rules: &AccessRules, orders: &[Override], now: i64) -> bool {
    rules.judge(&somebody(&[]), orders, at(now)).open
}

fn with(mut rules: AccessRules, combine: Combine) -> AccessRules {
    rules.combine = combine;
    rules
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn nothing_changes_between_edges_and_everything_at_them(
        given in policies(), zone in zone(), from in moment(), probes in proptest::collection::vec(0i64..1_814_400, 12),
    ) {
        let rules = rules(&[given], zone);
        let to = from + 1_814_400;
        let edges = rules.transitions(&somebody(&[]), &[], at(from), at(to));
        let mut open = is_open(&rules, &[], from);
        let mut last = at(from);
        for edge in &edges {
            prop_assert!(edge.at > last && edge.open != open, "{edges:?}");
            prop_assert_eq!(is_open(&rules, &[], edge.at.as_second() - 1), open);
            prop_assert_eq!(is_open(&rules, &[], edge.at.as_second()), edge.open);
            (last, open) = (edge.at, edge.open);
        }
        for probe in probes {
            let now = from + probe;
            let access = rules.judge(&somebody(&[]), &[], at(now));
            let before = edges.iter().rev().find(|edge| edge.at <= at(now));
            let expected = before.map_or_else(|| is_open(&rules, &[], from), |edge| edge.open);
            prop_assert_eq!(access.open, expected);
            let next = edges.iter().find(|edge| edge.at > at(now)).map(|edge| edge.at);
            if next.is_some() {
                prop_assert_eq!(access.next, next);
            } else {
                prop_assert!(access.next.is_none_or(|next| next > at(to)));
            }
            prop_assert_eq!(access.open, access.reasons.is_empty());
        }
    }

    #[test]
    fn union_and_intersection_are_those_of_logic(
        a in policies(), b in policies(), zone in zone(), now in moment(),
    ) {
        let alone = |given: &Given| is_open(&rules(std::slice::from_ref(given), zone), &[], now);
        let (x, y) = (alone(&a), alone(&b));
        for pair in [[a.clone(), b.clone()], [b, a.clone()]] {
            let both = rules(&pair, zone);
            prop_assert_eq!(is_open(&with(both.clone(), Combine::Intersection), &[], now), x && y);
            prop_assert_eq!(is_open(&with(both, Combine::Union), &[], now), x || y);
        }
        let twice = rules(&[a.clone(), a], zone);
        prop_assert_eq!(is_open(&with(twice.clone(), Combine::Intersection), &[], now), x);
        prop_assert_eq!(is_open(&with(twice, Combine::Union), &[], now), x);
    }

    #[test]
    fn orders_hold_until_they_end_and_suspending_wins(
        given in policies(), zone in zone(), from in moment(), length in 1i64..400_000, other in 0i64..400_000,
    ) {
        let rules = rules(&[given], zone);
        let until = from + length;
        let grant = order(OverrideEffect::Grant, from, Some(until));
        let stop = order(OverrideEffect::Suspend, from + other / 2, Some(from + other));
        for now in [from - 1, from, from + length / 2, until - 1, until, until + 1, from + other / 2, from + other] {
            let base = is_open(&rules, &[], now);
            let granted = base || (from..until).contains(&now);
            prop_assert_eq!(is_open(&rules, std::slice::from_ref(&grant), now), granted);
            let stopped = (from + other / 2..from + other).contains(&now);
            let both = [grant.clone(), stop.clone()];
            let access = rules.judge(&somebody(&[]), &both, at(now));
            prop_assert_eq!(access.open, granted && !stopped);
            prop_assert_eq!(access.reasons.contains(&SuspendReason::Operator), stopped);
            let edge = rules.next_edge(&somebody(&[]), &both, at(now));
            if let Some(edge) = edge {
                let edge = edge.as_second();
                prop_assert_eq!(is_open(&rules, &both, edge), !access.open);
                prop_assert_eq!(is_open(&rules, &both, edge - 1), access.open);
            }
        }
        prop_assert_eq!(is_open(&rules, &[grant], until), is_open(&rules, &[], until));
    }

    #[test]
    fn no_window_and_no_grant_revives_anybody(
        given in policies(), zone in zone(), now in moment(), why in 0u8..4, granted: bool,
    ) {
        let rules = rules(&[given], zone);
        let mut identity = somebody(&[]);
        let hour = SignedDuration::from_hours(1);
        match why {
            0 => identity.state.disabled = true,
            1 => identity.state.expires = Some(at(now)),
            2 => identity.state.starts = Some(at(now).saturating_add(hour).expect("within range")),
            _ => {}
        }
        let orders = [order(OverrideEffect::Grant, now - 1, Some(now + 3600))];
        let orders = if granted { &orders[..] } else { &[] };
        let access = rules.judge(&identity, orders, at(now));
        let presence = if why == 3 {
            Presence::Gone
        } else {
            Presence::Present(Arc::new(identity.clone()))
        };
        for action in planned(&identity, presence, access, at(now)) {
            prop_assert!(
                !matches!(action, Action::Reactivate(_) | Action::Create),
                "{action:?} although reason {why}"
            );
        }
    }
}

static MAPPING: LazyLock<Mapping> = LazyLock::new(|| {
    Mapping::compile(
        "version = 1\n[attributes.login]\nvalue = \"{{ anchor }}\"\nunique = true\non-missing = \"hold\"\n",
    )
    .unwrap_or_else(|why| panic!("{why:?}"))
});

/// What is planned for somebody whose account we suspended for a closed window.
fn planned(
    identity: &Identity,
    presence: Presence,
    access: provost::reconcile::access::Access,
    now: Timestamp,
) -> Vec<Action> {
    let mut shadow = Shadow::new(
        identity.anchor.clone(),
        "Somebody".to_owned(),
        Origin::Created,
    );
    shadow.account = Some(AccountId("u-1".to_owned()));
    shadow.suspended = BTreeSet::from([SuspendReason::AccessWindow]);
    shadow.suspended_by = vec![How::Deactivate];
    shadow.active = Some(false);
    shadow.life = Life::Live;
    let rules = super::settings::target_rules();
    let capabilities = super::settings::capabilities();
    let situation = Situation {
        now,
        rules: &rules,
        mapping: &MAPPING,
        capabilities: &capabilities,
        basis: Basis {
            now,
            read_at: now,
            people: 1,
            shortfalls: Vec::new(),
            config: "0".repeat(64),
            live: false,
        },
        people: vec![Person {
            anchor: identity.anchor.clone(),
            presence,
            shadow: Some(shadow),
            imposed: access.reasons.clone(),
            imposed_until: None,
            access,
            foretold: true,
        }],
        live: Live::default(),
        register: Register::default(),
        references: BTreeMap::new(),
        heirs: BTreeMap::new(),
        untouched: 0,
    };
    let plan = reconcile(&situation).plan;
    plan.changes
        .iter()
        .map(|change| change.action.clone())
        .collect()
}

fn with_hours(bytes: &[u8]) -> Identity {
    somebody(&[("logonHours", SourceValue::Bytes(bytes.into()))])
}

fn bit(hour: usize) -> [u8; 21] {
    let mut bytes = [0; 21];
    bytes[hour / 8] = 1 << (hour % 8);
    bytes
}

#[test]
fn every_single_bit_of_logon_hours_opens_its_own_hour_and_no_other() {
    let rules = hours_rules(HoursMode::Exact, "UTC");
    // A Sunday.
    let sunday: Timestamp = "2026-03-01T00:00:00Z".parse().expect("a time");
    for hour in 0..168usize {
        let identity = with_hours(&bit(hour));
        for other in 0..168usize {
            let begins = sunday.as_second() + i64::try_from(other).expect("small") * 3600;
            for now in [begins, begins + 3599] {
                let access = rules.judge(&identity, &[], at(now));
                assert_eq!(access.open, hour == other, "bit {hour} in hour {other}");
            }
        }
    }
}

#[test]
fn local_logon_hours_hold_on_the_wall_in_winter_and_summer() {
    let rules = hours_rules(HoursMode::Local(Season::Winter), "Europe/Berlin");
    // Monday 07:00 to 08:00 in universal time: 08:00 to 09:00 in a German winter.
    let identity = with_hours(&bit(24 + 7));
    for (now, open) in [
        ("2026-01-05T06:59:59Z", false),
        ("2026-01-05T07:00:00Z", true),
        ("2026-01-05T08:00:00Z", false),
        ("2026-07-06T05:59:59Z", false),
        ("2026-07-06T06:00:00Z", true),
        ("2026-07-06T07:00:00Z", false),
    ] {
        let now: Timestamp = now.parse().expect("a time");
        assert_eq!(rules.judge(&identity, &[], now).open, open, "{now}");
    }
}

#[test]
fn logon_hours_that_are_absent_empty_full_or_broken() {
    let rules = hours_rules(HoursMode::Exact, "UTC");
    let now = at(1_800_000_000);
    let judge = |identity: &Identity| rules.judge(identity, &[], now);
    assert!(judge(&somebody(&[])).open);
    let full = judge(&with_hours(&[255; 21]));
    assert_eq!((full.open, full.next), (true, None));
    let empty = judge(&with_hours(&[0; 21]));
    assert_eq!((empty.open, empty.next), (false, None));
    for length in [1usize, 20, 22, 42] {
        let broken = judge(&with_hours(&vec![255; length]));
        assert!(
            broken.hold.is_some() && broken.reasons.is_empty(),
            "{length}"
        );
        assert!(matches!(broken.because, Because::Unknown(_)));
        let order = [order(OverrideEffect::Suspend, 0, None)];
        let stopped = rules.judge(&with_hours(&vec![255; length]), &order, now);
        assert!(stopped.hold.is_none() && stopped.reasons.contains(&SuspendReason::Operator));
    }
}
