//! People and groups into a SCIM application, next to the script of `rival.py`.

use std::process::Command;

use tempfile::TempDir;

use crate::{
    floor,
    measure::{Measured, Output, note, row, run},
    provost_side::{Provost, Sink, by_address},
    sink,
    support::{
        OpenLdap, OpenLdapOptions,
        process::{cache_dir, run as succeed},
    },
};

const ROUNDS: u32 = 3;

/// The script with a state of its own.
struct Rival<'a> {
    dir: TempDir,
    ldap: &'a OpenLdap,
    sink: &'a Sink,
}

impl<'a> Rival<'a> {
    fn new(ldap: &'a OpenLdap, sink: &'a Sink) -> Self {
        Self {
            dir: tempfile::tempdir().expect("the temporary folder is writable"),
            ldap,
            sink,
        }
    }

    fn sync(&self) -> Measured {
        let mut command = Command::new(cache_dir().join("rival/bin/python"));
        command.arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/examples/bench/rival.py"
        ));
        command
            .arg(by_address(&self.ldap.ldaps_url))
            .arg(&self.ldap.ca_pem);
        command.args([
            &self.ldap.bind_dn,
            &self.ldap.password,
            &self.ldap.people_base,
            &self.ldap.groups_base,
        ]);
        command
            .args([&self.sink.base_url, sink::TOKEN])
            .arg(self.dir.path().join("state.sqlite"));
        run(&command, Output::Kept, None)
    }
}

fn faster(ours: f64, theirs: f64) -> f64 {
    theirs / ours
}

/// Prints the table for this number of people, with a group of 100 for every 50 of them.
pub fn compare(people: u32) {
    succeed(
        Command::new(crate::support::process::support_dir().join("install"))
            .args(["--check", "bench"]),
    );
    note(format_args!(
        "loading {people} people and {} groups",
        people / 50
    ));
    let ldap = OpenLdap::start_with(OpenLdapOptions {
        people,
        teams: true,
        ..OpenLdapOptions::default()
    });
    println!(
        "### {people} people and {} groups of 100 into a SCIM application\n",
        people / 50
    );
    println!("| | `provost sync` | `rival.py` | times as fast |\n|---|---|---|---|");

    let (mut ours, mut theirs, mut bulk) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 1..ROUNDS {
        let (a, b, c) = (Sink::start(), Sink::start(), Sink::start());
        theirs.push(Rival::new(&ldap, &a).sync());
        ours.push(Provost::new(&ldap, &b).sync());
        bulk.push(Provost::with(&ldap, &c, true).sync());
    }
    let (rivals, own) = (Sink::start(), Sink::start());
    let (rival, provost) = (Rival::new(&ldap, &rivals), Provost::new(&ldap, &own));
    theirs.push(rival.sync());
    ours.push(provost.sync());
    bulk.push(Provost::with(&ldap, &Sink::start(), true).sync());
    report("first load", &ours, &theirs, &own, &rivals);
    row("first load", &ours, &theirs, faster);
    row("first load, accounts in bulk", &bulk, &theirs, faster);

    for (label, bulk) in [
        ("floor of a first load", false),
        ("floor of a first load in bulk", true),
    ] {
        let least: Vec<Measured> = (0..ROUNDS)
            .map(|_| floor::load(people, &Sink::start(), bulk))
            .collect();
        row(label, &least, &theirs, faster);
    }

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(rival.sync());
        ours.push(provost.sync());
    }
    report("no change", &ours, &theirs, &own, &rivals);
    row("no change", &ours, &theirs, faster);

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        ldap.churn(people / 100, round);
        theirs.push(rival.sync());
        ours.push(provost.sync());
    }
    report("1 % changed", &ours, &theirs, &own, &rivals);
    row("1 % changed", &ours, &theirs, faster);

    // A leaver counts as one after a second complete read that lacks the person; the script believes the first.
    provost.sync();
    let (ours, theirs) = (own.tally(), rivals.tally());
    assert_eq!(ours, theirs, "the two must have brought about the same");
    println!("\nBoth applications held the same in the end: `{ours}`.\n");
}

/// Beside the table: every run, and the requests that each side made for them.
fn report(what: &str, ours: &[Measured], theirs: &[Measured], own: &Sink, rivals: &Sink) {
    for (side, runs, sink) in [("provost", ours, own), ("rival", theirs, rivals)] {
        let runs: Vec<String> = runs
            .iter()
            .map(|run| format!("{run} {}", run.output.trim()))
            .collect();
        note(format_args!(
            "{what}: {side}: {}; requests {}",
            runs.join("; "),
            sink.requests()
        ));
    }
}
