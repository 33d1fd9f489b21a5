//! The package in a booted Debian: installed, run by systemd against a real OpenLDAP and a real SCIM server, upgraded, purged.
//!
//! Nothing is simulated and no clock is moved: the window closes and opens when it is that time.

mod inside;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;

use self::inside::{
    journal_has_fields_and_nobodys_name, quick_start, quick_start_lines, releases_the_first_plan,
    timer_fires,
};
use crate::support::container::Container;
use crate::support::process::{await_some, run};
use crate::support::{OpenLdap, ScimKind, ScimServer};

const PEOPLE: u32 = 24;
const SOON: Duration = Duration::from_secs(60);

/// The package with a revision of its own.
fn package(revision: &str, folder: &Path) -> PathBuf {
    let out = folder.join(revision);
    let mut build = Command::new("systemd/deb/build");
    build
        .args(["--profile", "dev", "--revision", revision, "--out"])
        .arg(&out);
    run(&mut build);
    let mut found = fs::read_dir(&out)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    found
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .unwrap_or_else(|| panic!("no package in {}", out.display()))
}

#[allow(
    clippy::disallowed_methods,
    reason = "this test waits for the real time"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

/// When the window closes and opens again: four and five minutes from now, in a zone in which that is not near midnight.
struct Edges {
    zone: &'static str,
    closes: Timestamp,
    opens: Timestamp,
}

impl Edges {
    fn ahead() -> Self {
        let now = now();
        let minute = now.as_second() - now.as_second().rem_euclid(60);
        let at = |minutes: i64| Timestamp::from_second(minute + minutes * 60).unwrap();
        let hour = now.to_zoned(TimeZone::UTC).hour();
        // The sign of these names is the other way round.
        let zone = if (1..23).contains(&hour) {
            "Etc/GMT"
        } else {
            "Etc/GMT-6"
        };
        Self {
            zone,
            closes: at(4),
            opens: at(5),
        }
    }

    fn clock(&self, at: Timestamp) -> String {
        let ahead = if self.zone == "Etc/GMT" { 0 } else { 6 };
        let zone = TimeZone::fixed(Offset::constant(ahead));
        let time: Time = at.to_zoned(zone).time();
        time.strftime("%H:%M").to_string()
    }

    fn windows(&self) -> String {
        format!(
            "daily 00:00-{} {}-24:00",
            self.clock(self.closes),
            self.clock(self.opens)
        )
    }
}

fn config(ldap: &OpenLdap, scim: &ScimServer, edges: &Edges) -> String {
    format!(
        r#"
version = 1
state-dir = "/var/lib/provost"

[schedule]
sync = "* * * * *"
jitter = "0s"

[[source]]
name = "directory"
type = "ldap"
urls = ["{url}"]
ca-file = "ca.pem"
bind-name = "{bind}"
bind-password = "cred:ad-password"
bases = ["{people}"]

[source.groups]
bases = ["{groups}"]

[[access]]
name = "office"
everybody = true
zone = "{zone}"
windows = ["{windows}"]

[[target]]
name = "crm"
type = "scim"
source = "directory"
mapping = "mappings/crm.toml"
policy = "sync"
url = "{scim}"
create-groups = true
protected-accounts = ["nobody"]

[target.auth]
type = "bearer"
token = "cred:crm-token"
"#,
        url = ldap.ldap_url,
        bind = ldap.bind_dn,
        people = ldap.people_base,
        groups = ldap.groups_base,
        zone = edges.zone,
        windows = edges.windows(),
        scim = scim.base_url,
    )
}

/// The users in one answer: between two pages of them, the service may have made more.
fn users(scim: &ScimServer) -> Vec<Value> {
    let (status, page) = scim.request("GET", "/Users?count=100", None);
    assert_eq!(status, 200, "{page}");
    page["Resources"].as_array().cloned().unwrap_or_default()
}

fn active(scim: &ScimServer) -> usize {
    users(scim)
        .iter()
        .filter(|user| user["active"] == Value::Bool(true))
        .count()
}

/// Waits until so many accounts are active, and says when that was.
fn await_active(scim: &ScimServer, wanted: usize, limit: Duration, box_: &Container) -> Timestamp {
    await_some(
        &format!("{wanted} active accounts\n{}", box_.journal()),
        limit,
        || (active(scim) == wanted).then(now),
    )
}

#[test]
fn the_package_lives_its_life_under_a_booted_systemd() {
    let debian = match Container::boot() {
        Ok(debian) => debian,
        Err(why) => {
            eprintln!(
                "\n*** NOT TESTED: this machine does not let a systemd boot in a container: {why}\n*** The package, its units and the watchdog were NOT seen working here.\n"
            );
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let (package, newer) = (package("1", folder.path()), package("2", folder.path()));
    let ldap = OpenLdap::start(PEOPLE);
    let scim = ScimServer::start(ScimKind::Scim2Server);

    installs_without_starting(&debian, &package);
    let edges = configures(&debian, &ldap, &scim);
    hardened(&debian);
    quick_start(&debian);
    starts_and_syncs(&debian, &scim);
    window_closes_and_opens(&debian, &scim, &edges);
    journal_has_fields_and_nobodys_name(&debian, &ldap);
    reloads(&debian);
    survives(&debian);
    timer_fires(&debian, &ldap, &scim);
    upgrades(&debian, &newer, &scim);
    leaves_nothing(&debian);
    debian.power_off();
}

fn installs_without_starting(debian: &Container, package: &Path) {
    debian.write("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
    debian.copy(package, "/root/provost.deb");
    debian.run(&["dpkg", "-i", "/root/provost.deb"]);
    assert_eq!(
        debian.property("provost", "ActiveState"),
        "inactive",
        "nothing starts before it is configured"
    );
    assert_eq!(
        debian.run(&["stat", "-c", "%U:%G %a", "/etc/provost"]),
        "root:provost 750"
    );
    assert!(
        debian
            .run(&["provost", "--version"])
            .contains(env!("CARGO_PKG_VERSION"))
    );
    // A configuration that cannot work ends with 78, and is not tried again and again.
    debian.write(
        "/etc/provost/provost.toml",
        "version = 1\nstate-dirr = \"x\"\n",
    );
    assert!(!debian.tries(&["systemctl", "start", "provost"]).0);
    assert_eq!(
        debian.property("provost", "ExecMainStatus"),
        "78",
        "{}",
        debian.journal()
    );
    assert_eq!(debian.property("provost", "NRestarts"), "0");
    assert!(
        debian.journal().contains("state-dirr"),
        "{}",
        debian.journal()
    );
    debian.run(&["systemctl", "reset-failed", "provost"]);
}

fn configures(debian: &Container, ldap: &OpenLdap, scim: &ScimServer) -> Edges {
    debian.copy(&ldap.ca_pem, "/etc/provost/ca.pem");
    debian.write(
        "/etc/provost/mappings/crm.toml",
        include_str!("cycle/mapping.toml"),
    );
    // As the quick start says, to the letter.
    let commands = quick_start_lines("install ");
    assert_eq!(commands.len(), 3, "{commands:?}");
    for (command, secret) in commands.iter().zip(["", &ldap.password, &scim.token]) {
        debian.write("/root/secret", secret);
        debian.run(&["sh", "-c", &format!("{command} </root/secret")]);
    }
    assert_eq!(
        debian.run(&["stat", "-c", "%a", "/etc/credstore/crm-token"]),
        "600"
    );
    let credentials: String = quick_start_lines("LoadCredential=")
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    debian.write(
        "/etc/systemd/system/provost.service.d/override.conf",
        &format!("[Service]\n{credentials}WatchdogSec=6s\n"),
    );
    debian.write(
        "/etc/systemd/system/provost-sync.service.d/override.conf",
        &format!("[Service]\n{credentials}"),
    );
    debian.write(
        "/etc/systemd/system/provost-sync.timer.d/override.conf",
        "[Timer]\nOnCalendar=\nOnCalendar=*:*:0/10\nAccuracySec=1s\nRandomizedDelaySec=0\n",
    );
    debian.run(&["systemctl", "daemon-reload"]);
    let edges = Edges::ahead();
    debian.write("/etc/provost/provost.toml", &config(ldap, scim, &edges));
    edges
}

/// Whether the units are what systemd expects, and how exposed the service is by systemd's own measure.
fn hardened(debian: &Container) {
    for unit in [
        "provost.service",
        "provost-sync.service",
        "provost-sync.timer",
    ] {
        let (fine, said) = debian.tries(&["systemd-analyze", "verify", "--man=no", unit]);
        assert!(fine && said.is_empty(), "{unit}: {said}");
    }
    let said = debian
        .tries(&[
            "systemd-analyze",
            "security",
            "--no-pager",
            "provost.service",
        ])
        .1;
    let line = said
        .lines()
        .find(|line| line.contains("Overall exposure level"))
        .unwrap_or_else(|| panic!("{said}"));
    let figure = line
        .split(": ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .and_then(|n| n.parse::<f64>().ok());
    let figure = figure.unwrap_or_else(|| panic!("{line}"));
    assert!(figure <= 1.5, "{said}");
}

fn starts_and_syncs(debian: &Container, scim: &ScimServer) {
    let (started, said) = debian.tries(&["systemctl", "enable", "--now", "provost"]);
    assert!(started, "{said}\n{}", debian.journal());
    releases_the_first_plan(debian);
    assert_eq!(debian.property("provost", "ActiveState"), "active");
    assert_eq!(debian.property("provost", "User"), "provost");
    await_active(scim, PEOPLE as usize, SOON * 2, debian);
    await_some("a status line that tells the outcome", SOON, || {
        let line = debian.property("provost", "StatusText");
        line.contains("applied")
            .then_some(line)
            .or_else(|| line_of(debian, "nothing-to-do"))
    });
    let status = debian.run(&["provost", "status"]);
    assert!(status.contains("crm"), "{status}");
}

fn line_of(debian: &Container, word: &str) -> Option<String> {
    let line = debian.property("provost", "StatusText");
    line.contains(word).then_some(line)
}

fn window_closes_and_opens(debian: &Container, scim: &ScimServer, edges: &Edges) {
    let limit = SOON * 5;
    let closed = await_active(scim, 0, limit, debian);
    assert!(
        closed >= edges.closes,
        "closed at {closed}, before {}",
        edges.closes
    );
    assert!(
        closed <= edges.closes + 20.seconds(),
        "closed at {closed}, long after {}",
        edges.closes
    );
    let opened = await_active(scim, PEOPLE as usize, limit, debian);
    assert!(
        opened >= edges.opens,
        "opened at {opened}, before {}",
        edges.opens
    );
    assert!(
        opened <= edges.opens + 20.seconds(),
        "opened at {opened}, long after {}",
        edges.opens
    );
}

fn reloads(debian: &Container) {
    let path = debian.path("/etc/provost/provost.toml");
    let good = fs::read_to_string(&path).unwrap();
    let process = debian.property("provost", "MainPID");
    fs::write(
        &path,
        good.replace(
            "create-groups = true",
            "create-groups = true\nparallelism = 2",
        ),
    )
    .unwrap();
    debian.run(&["systemctl", "reload", "provost"]);
    await_some("the reload in the journal", SOON, || {
        debian
            .journal()
            .to_lowercase()
            .contains("reload")
            .then_some(())
    });
    fs::write(&path, "nonsense").unwrap();
    let (reloaded, said) = debian.tries(&["systemctl", "reload", "provost"]);
    assert!(!reloaded, "a bad configuration is no good reload: {said}");
    await_some("the error in status", SOON, || {
        let status = debian.tries(&["provost", "status"]).1;
        status.contains("provost.toml").then_some(())
    });
    assert_eq!(debian.property("provost", "ActiveState"), "active");
    assert_eq!(
        debian.property("provost", "MainPID"),
        process,
        "a bad configuration changes nothing"
    );
    fs::write(&path, good).unwrap();
    debian.run(&["systemctl", "reload", "provost"]);
}

fn survives(debian: &Container) {
    for signal in ["KILL", "STOP"] {
        let before = debian.property("provost", "MainPID");
        debian.run(&[
            "systemctl",
            "kill",
            "--kill-whom=main",
            "-s",
            signal,
            "provost",
        ]);
        await_some(
            &format!("a new process after SIG{signal}"),
            SOON * 2,
            || {
                let now = debian.property("provost", "MainPID");
                let fresh = now != before && now != "0";
                (fresh && debian.property("provost", "ActiveState") == "active").then_some(())
            },
        );
    }
    assert!(
        debian.journal().to_lowercase().contains("watchdog"),
        "{}",
        debian.journal()
    );
}

fn upgrades(debian: &Container, package: &Path, scim: &ScimServer) {
    let before = debian.property("provost", "MainPID");
    let config = fs::read_to_string(debian.path("/etc/provost/provost.toml")).unwrap();
    debian.copy(package, "/root/newer.deb");
    debian.run(&["dpkg", "-i", "--force-confold", "/root/newer.deb"]);
    debian.await_property("provost", "ActiveState", "active", SOON);
    assert_ne!(
        debian.property("provost", "MainPID"),
        before,
        "the new version runs"
    );
    assert_eq!(
        fs::read_to_string(debian.path("/etc/provost/provost.toml")).unwrap(),
        config
    );
    let report = debian.run(&["provost", "sync", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap_or_else(|e| panic!("{e}: {report}"));
    assert_eq!(
        report["outcome"], "nothing-to-do",
        "the state was kept: {report}"
    );
    assert_eq!(active(scim), PEOPLE as usize);
}

fn leaves_nothing(debian: &Container) {
    debian.run(&["dpkg", "-r", "provost"]);
    assert!(
        debian.path("/var/lib/provost").exists(),
        "removing keeps the state"
    );
    assert!(
        debian.path("/etc/provost/provost.toml").exists(),
        "removing keeps the configuration"
    );
    debian.run(&["dpkg", "-P", "provost"]);
    for path in [
        "/var/lib/provost",
        "/etc/provost",
        "/usr/bin/provost",
        "/usr/lib/systemd/system/provost.service",
        "/lib/systemd/system/provost.service",
    ] {
        assert!(!debian.path(path).exists(), "{path} is left behind");
    }
    let left = debian.tries(&["systemctl", "is-active", "provost"]).1;
    assert!(left == "inactive" || left == "unknown", "{left}");
}
