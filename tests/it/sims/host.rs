//! What all simulators share: switches, pairs of them, faults, and how a call is read.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::call;
use crate::support::sim::servicetrade::{SWITCHES, Servicetrade};
use crate::support::sim::switch::pairwise;
use crate::support::sim::{Harm, Setting, Sim, salestrekker, securitytrax, smartertrack};

#[test]
fn every_pair_of_options_occurs() {
    for sizes in [
        vec![2, 3, 4],
        vec![2; 12],
        vec![4, 4, 3, 2, 2, 2, 2],
        vec![3],
        vec![1, 5],
    ] {
        let rows = pairwise(&sizes);
        for a in 0..sizes.len() {
            for b in a + 1..sizes.len() {
                let seen: BTreeSet<_> = rows.iter().map(|row| (row[a], row[b])).collect();
                assert_eq!(seen.len(), sizes[a] * sizes[b], "{sizes:?}: {a} and {b}");
            }
        }
        let all: usize = sizes.iter().product();
        assert!(rows.len() <= all.min(24), "{sizes:?}: {} rows", rows.len());
        assert_eq!(rows, pairwise(&sizes), "the same rows every time");
    }
}

#[test]
fn every_simulator_has_few_settings_for_all_pairs() {
    for (name, table) in [
        ("ServiceTrade", SWITCHES),
        ("SecurityTrax", securitytrax::SWITCHES),
        ("SmarterTrack", smartertrack::SWITCHES),
        ("Salestrekker", salestrekker::SWITCHES),
    ] {
        let settings = Setting::pairwise(table);
        assert!(
            (4..=30).contains(&settings.len()),
            "{name}: {}",
            settings.len()
        );
        for switch in table {
            for (option, _) in switch.options {
                assert!(
                    settings
                        .iter()
                        .any(|setting| setting.is(switch.name, option))
                );
            }
        }
    }
}

#[test]
fn a_path_segment_is_decoded_within_itself() {
    let call = call(
        "GET",
        "/api/externalid/user/system/a%2Fb%20%2B+c%3Dd%26",
        &[],
        "",
    );
    assert_eq!(
        call.path,
        ["api", "externalid", "user", "system", "a/b ++c=d&"]
    );
}

/// Sends bytes and gives what comes back until the server closes or the time is over.
fn exchange(base: &str, path: &str) -> (String, bool) {
    let address = base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes).is_ok();
    (String::from_utf8_lossy(&bytes).into_owned(), ended)
}

#[test]
fn faults_come_when_they_were_ordered() {
    let sim = Sim::start(Servicetrade::plain());
    let status = |answer: &str| answer.split(' ').nth(1).unwrap_or("none").to_owned();
    sim.fault("GET user", 1, 2, Harm::Status(500));
    sim.fault("GET role", 0, 1, Harm::Throttle(7));
    let seen: Vec<String> = (0..4)
        .map(|_| status(&exchange(&sim.base, "/api/user").0))
        .collect();
    assert_eq!(seen, ["401", "500", "500", "401"]);
    let (throttled, _) = exchange(&sim.base, "/api/role");
    assert_eq!(status(&throttled), "429");
    assert!(throttled.contains("retry-after: 7"), "{throttled}");
    assert!(sim.faults_are_over());

    sim.fault("*", 0, 1, Harm::LoginPage);
    let (page, _) = exchange(&sim.base, "/api/user");
    assert_eq!(status(&page), "200");
    assert!(page.contains("text/html"));

    sim.fault("*", 0, 1, Harm::CutAfter);
    let (cut, _) = exchange(&sim.base, "/api/user");
    assert!(!cut.contains("messages"), "{cut}");

    sim.fault("*", 0, 1, Harm::HangAfter);
    let (nothing, ended) = exchange(&sim.base, "/api/user");
    assert_eq!((nothing.as_str(), ended), ("", false));

    sim.throttle_every(Some(2));
    let seen: Vec<String> = (0..4)
        .map(|_| status(&exchange(&sim.base, "/api/user").0))
        .collect();
    assert_eq!(seen, ["401", "401", "429", "401"]);
}
