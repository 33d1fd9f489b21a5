//! `logonHours` through a real domain controller: written as an administrator writes them, read, and judged.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use provost::reconcile::access::HoursMode;

use super::{GroupNeed, SambaAd, Tray, fetch, request, samba, shortfalls};
use crate::access::hours_rules;

/// Every mask with a single bit, none, all, a wrong length, and none at all.
fn values() -> Vec<Option<Vec<u8>>> {
    let mut values: Vec<Option<Vec<u8>>> = (0..168usize)
        .map(|hour| {
            let mut bytes = vec![0; 21];
            bytes[hour / 8] = 1 << (hour % 8);
            Some(bytes)
        })
        .collect();
    values.extend([
        Some(vec![0; 21]),
        Some(vec![255; 21]),
        Some(vec![255; 20]),
        None,
    ]);
    values
}

#[test]
fn logon_hours_come_back_from_active_directory_bit_for_bit() {
    let up = SambaAd::start(1000);
    let found = up.search(&[
        "-E",
        "pr=500/noprompt",
        "-b",
        &up.people_base,
        "(objectClass=user)",
        "dn",
    ]);
    let values = values();
    let dns: Vec<&str> = found
        .lines()
        .filter_map(|line| line.strip_prefix("dn: "))
        .take(values.len())
        .collect();
    assert_eq!(dns.len(), values.len(), "enough people");
    let mut ldif = String::new();
    for (dn, value) in dns.iter().zip(&values) {
        write!(ldif, "dn: {dn}\nchangetype: modify\nreplace: logonHours\n").unwrap();
        if let Some(bytes) = value {
            writeln!(ldif, "logonHours:: {}", STANDARD.encode(bytes)).unwrap();
        }
        ldif.push_str("-\n\n");
    }
    up.modify(&ldif);
    let mut tray = Tray::default();
    let report = fetch(
        samba(&up),
        &request(&["logonhours"], GroupNeed::None),
        &mut tray,
    );
    assert_eq!(shortfalls(&report), []);
    let rules = hours_rules(HoursMode::Exact, "UTC");
    let sunday: Timestamp = "2026-03-01T00:30:00Z".parse().unwrap();
    let hours = |identity| {
        let mut judged = (0..168).map(|hour| {
            let now = Timestamp::from_second(sunday.as_second() + hour * 3600).unwrap();
            rules.judge(identity, &[], now)
        });
        let first = judged.next().unwrap();
        let mut open: Vec<usize> = judged
            .enumerate()
            .filter_map(|(hour, access)| access.open.then_some(hour + 1))
            .collect();
        if first.open {
            open.insert(0, 0);
        }
        (open, first.hold.is_some())
    };
    for (number, (dn, value)) in dns.iter().zip(&values).enumerate() {
        let person = tray
            .people
            .values()
            .find(|person| person.dn == **dn)
            .unwrap();
        assert_eq!(
            person.attributes.bytes("logonhours"),
            value.as_deref(),
            "{dn}"
        );
        let (open, held) = hours(person);
        match number {
            0..168 => assert_eq!(open, [number], "{dn}"),
            168 => assert_eq!((open.len(), held), (0, false), "none"),
            169 | 171 => assert_eq!((open.len(), held), (168, false), "all, and not set"),
            _ => assert_eq!((open.len(), held), (0, true), "a wrong length is held"),
        }
    }
}
