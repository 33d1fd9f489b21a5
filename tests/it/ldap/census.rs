//! What `check --online` tells about `logonHours`, with a real domain controller: how many people have which pattern, what
//! daylight saving time makes of it, and whose value is no pattern.

use std::fmt::Write as _;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cli::{code, provost, stderr, stdout};
use crate::support::{PASSWORD, SambaAd, secrets};

const PEOPLE: u32 = 60;

/// The hours of these days, Sunday first, in universal time.
fn mask(days: &[usize], hours: std::ops::Range<usize>) -> Vec<u8> {
    let mut bytes = vec![0; 21];
    for hour in days
        .iter()
        .flat_map(|day| hours.clone().map(move |h| day * 24 + h))
    {
        bytes[hour / 8] |= 1 << (hour % 8);
    }
    bytes
}

/// Writes the attribute of the first people there are, in order; gives how many people there are.
fn write(up: &SambaAd, values: &[Vec<u8>]) -> usize {
    let found = up.search(&["-b", &up.people_base, "(objectClass=user)", "dn"]);
    let dns: Vec<&str> = found
        .lines()
        .filter_map(|line| line.strip_prefix("dn: "))
        .collect();
    let mut ldif = String::new();
    for (dn, value) in dns.iter().zip(values) {
        writeln!(
            ldif,
            "dn: {dn}\nchangetype: modify\nreplace: logonHours\nlogonHours:: {}\n",
            STANDARD.encode(value)
        )
        .unwrap();
    }
    up.modify(&ldif);
    found.lines().filter(|line| line.starts_with("dn:")).count()
}

/// A practice application for the people of this domain, with one policy in this zone.
fn configure(dir: &std::path::Path, up: &SambaAd, hours: &str, zone: &str) {
    let text = format!(
        r#"version = 1
state-dir = "state"

[[source]]
name = "directory"
type = "active-directory"
urls = ["{url}"]
ca-file = "{ca}"
bind-name = "{bind}"
bind-password = "{password}"
bases = ["{base}"]

[[target]]
name = "app"
type = "sandbox"
source = "directory"
mapping = "app.toml"
policy = "sync"
path = "app.jsonl"

[target.capabilities]
deactivate = true

[[access]]
name = "domain"
everybody = true
{hours}
zone = "{zone}"
"#,
        url = up.ldaps_url,
        ca = up.ca_pem.display(),
        bind = up.bind_dn,
        password = secrets::put(dir, "bind.secret", PASSWORD),
        base = up.people_base,
    );
    fs::write(dir.join("provost.toml"), text).unwrap();
    let mapping = "version = 1\napplication = \"App\"\n[[match]]\naccount = \"external_id\"\nvalue = \"{{ anchor }}\"\n\
        adopt = true\n[attributes.external_id]\nvalue = \"{{ anchor }}\"\n[attributes.login]\n\
        value = \"{{ sAMAccountName | lower }}\"\nunique = true\n";
    fs::write(dir.join("app.toml"), mapping).unwrap();
}

/// The lines about the policy.
fn told(dir: &std::path::Path) -> Vec<String> {
    let checked = provost(dir, &["--config", "provost.toml", "check", "--online"]);
    let text = stdout(&checked);
    assert_eq!(code(&checked), 0, "{text}{}", stderr(&checked));
    let lines = text.lines().filter(|line| line.contains("access domain:"));
    lines.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn check_online_counts_the_patterns_of_logon_hours_and_tells_drift_and_wrong_lengths() {
    let up = SambaAd::start(PEOPLE);
    let week = [1, 2, 3, 4, 5];
    // Entered as 08:00-18:00 in a Berlin winter.
    let office = mask(&week, 7..17);
    let night = mask(&[0, 6], 22..24);
    let mut values = vec![office; 5];
    values.extend(vec![night; 3]);
    values.extend([vec![255; 21], vec![255; 21], vec![0; 21]]);
    values.extend([vec![255; 20], vec![255; 20]]);
    let free = write(&up, &values) - values.len();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();

    configure(dir, &up, "logon-hours = \"exact\"", "Europe/Berlin");
    let exact = told(dir);
    let drifts = "logon-hours = \"local\" would keep it";
    let expected = [
        "??  access domain: 2 × logonHours has 20 bytes where 21 are right; set it again in the directory, or clear it".to_owned(),
        format!("ok  access domain: {free} × no logonHours, so not restricted"),
        format!("ok  access domain: 5 × mon-fri 08:00-18:00 in Europe/Berlin in winter, mon-fri 09:00-19:00 in summer; {drifts}"),
        format!("ok  access domain: 3 × mon 00:00-01:00, sat 23:00-24:00, sun 00:00-01:00 23:00-24:00 in Europe/Berlin in winter, mon 00:00-02:00, sun 00:00-02:00 in summer; {drifts}"),
        "ok  access domain: 2 × always in Europe/Berlin (exact)".to_owned(),
        "ok  access domain: 1 × never in Europe/Berlin (exact)".to_owned(),
    ];
    assert_eq!(exact, expected);

    // As the local hours that were meant, there is nothing to warn of but the values that are none.
    configure(dir, &up, "logon-hours = \"local\"", "Europe/Berlin");
    let local = told(dir);
    assert_eq!(local[0], expected[0]);
    assert!(
        local.contains(&"ok  access domain: 5 × mon-fri 08:00-18:00 in Europe/Berlin".to_owned()),
        "{local:#?}"
    );
    assert!(
        local.iter().all(|line| !line.contains("summer")),
        "{local:#?}"
    );

    // Nor where the clocks never change.
    configure(dir, &up, "logon-hours = \"exact\"", "Asia/Kolkata");
    let kolkata = told(dir);
    assert!(
        kolkata.contains(
            &"ok  access domain: 5 × mon-fri 12:30-22:30 in Asia/Kolkata (exact)".to_owned()
        ),
        "{kolkata:#?}"
    );
    assert_eq!(kolkata.len(), 6);
}
