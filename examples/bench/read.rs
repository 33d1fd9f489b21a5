//! A read with nothing changed, next to `ldapsearch` of the same attributes over the same TLS.

use std::process::Command;

use crate::{
    measure::{Measured, Output, median, note, row, run},
    provost_side::{Provost, Sink, by_address},
    support::OpenLdap,
};

const ROUNDS: usize = 5;

/// What the mapping of the benchmark makes Provost ask for, for people and for groups.
const PEOPLE: &str = "uid entryUUID givenName sn displayName mail title employeeNumber departmentNumber \
    pwdAccountLockedTime memberOf";

fn ldapsearch(ldap: &OpenLdap) -> Measured {
    let mut command = Command::new("ldapsearch");
    command.env("LDAPTLS_CACERT", &ldap.ca_pem);
    command
        .args([
            "-LLL",
            "-o",
            "ldif-wrap=no",
            "-x",
            "-E",
            "pr=1000/noprompt",
            "-H",
        ])
        .arg(by_address(&ldap.ldaps_url));
    command.args([
        "-D",
        &ldap.bind_dn,
        "-w",
        &ldap.password,
        "-b",
        &ldap.people_base,
        "(objectClass=inetOrgPerson)",
    ]);
    run(
        command.args(PEOPLE.split_whitespace()),
        Output::Dropped,
        None,
    )
}

/// Prints the table for these numbers of people.
pub fn compare(sizes: &[u32]) {
    println!("### Full read, nothing changed\n");
    println!(
        "| people | `provost sync` | `ldapsearch -E pr=1000/noprompt` | ratio |\n|---|---|---|---|"
    );
    let mut per_person = Vec::new();
    for &people in sizes {
        note(format_args!("loading {people} people"));
        let (ldap, sink) = (OpenLdap::start(people), Sink::start());
        let provost = Provost::new(&ldap, &sink);
        let first = provost.sync();
        note(format_args!(
            "first sync: {first}; the application has {}",
            sink.tally()
        ));
        drop((provost.sync(), ldapsearch(&ldap), sink.requests()));
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            theirs.push(ldapsearch(&ldap));
            ours.push(provost.sync());
        }
        note(format_args!(
            "requests in {ROUNDS} runs without a change: {}",
            sink.requests()
        ));
        row(&people.to_string(), &ours, &theirs, |ours, theirs| {
            ours / theirs
        });
        per_person.push(median(&ours).seconds() / f64::from(people) * 1e6);
    }
    let costs: Vec<String> = per_person.iter().map(|us| format!("{us:.1} µs")).collect();
    println!(
        "\nTime of `provost sync` per person: {}.\n",
        costs.join(", then ")
    );
}
