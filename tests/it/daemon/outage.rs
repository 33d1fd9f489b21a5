//! A directory that is down at an edge: a real slapd that is stopped, and the application's own view.

use std::collections::BTreeSet;

use super::between::Between;
use crate::support::{OpenLdap, ScimServer};

/// Two departments of twelve; nobody before number 20 is as people usually are.
const PEOPLE: u32 = 60;
const STRICT: &str = "dept-Sales";

/// Everybody by an office policy, and one department by a strict one.
fn tables() -> String {
    format!(
        r#"[target.limits]
create = {{ count = 100, percent = 100 }}

[[access]]
name = "office"
not-groups = ["{STRICT}"]
windows = ["mon-fri 08:00-18:00"]
zone = "Europe/Berlin"

[[access]]
name = "strict"
groups = ["{STRICT}"]
windows = ["mon-fri 08:00-18:00"]
zone = "Europe/Berlin"
strict = true

[access-rules]
combine = "intersection"
"#
    )
}

/// Who gets in, by the application itself.
fn open(scim: &ScimServer) -> BTreeSet<String> {
    let users = scim.users();
    let active = users.iter().filter(|user| user["active"] == true);
    active
        .map(|user| user["userName"].as_str().unwrap().to_owned())
        .collect()
}

/// The members of the department whose policy is strict, as the directory's own tool prints them.
fn strict(ldap: &OpenLdap) -> BTreeSet<String> {
    let filter = format!("(memberOf=cn={STRICT},{})", ldap.groups_base);
    let found = ldap.search(&[&filter, "uid"]);
    let lines = found.lines().filter_map(|line| line.strip_prefix("uid: "));
    lines.map(str::to_lowercase).collect()
}

#[test]
fn with_the_directory_down_windows_close_and_open_for_a_while_and_strict_ones_stay_closed() {
    let mut between = Between::people(PEOPLE);
    between.configure("0 * * * *", "max-staleness-open = \"16h\"", &tables());
    let begin = "2026-11-23T10:00:00Z";
    let service = between.service(begin);
    let Between { ldap, scim, .. } = &mut between;
    let scim: &ScimServer = scim;
    let at = |now: &str| {
        service.clock(now);
        service.await_rest(now);
        open(scim)
    };
    service.await_rest(begin);
    let (everybody, strict) = (open(scim), strict(ldap));
    let strict: BTreeSet<String> = strict.intersection(&everybody).cloned().collect();
    let others: BTreeSet<String> = everybody.difference(&strict).cloned().collect();
    assert!(
        strict.len() >= 4 && others.len() > 40,
        "{strict:?}, {others:?}"
    );

    ldap.kill();
    assert_eq!(at("2026-11-23T16:59:59Z"), everybody);
    assert_eq!(
        at("2026-11-23T17:00:00Z").len(),
        0,
        "closed on what was read at ten"
    );
    // The read is 21 hours old: nobody is let in on it, whoever they are, but an operator can.
    assert_eq!(at("2026-11-24T07:00:00Z").len(), 0);
    let who = others.first().unwrap();
    let order = [
        "override",
        "grant",
        who,
        "--until",
        "2026-11-24T16:00:00Z",
        "--reason",
        "slapd is down",
    ];
    let given = service.command(&order);
    assert_eq!(
        given.status.code(),
        Some(0),
        "{}",
        crate::cli::stderr(&given)
    );
    service.await_status("the override", |_| open(scim).contains(who));
    assert_eq!(open(scim).len(), 1);
    ldap.revive();
    assert_eq!(at("2026-11-24T08:00:00Z"), everybody, "{}", service.log());

    // Down again from the afternoon on: 15 hours until the next morning.
    assert_eq!(at("2026-11-24T16:00:00Z"), everybody);
    ldap.kill();
    assert_eq!(at("2026-11-24T17:00:00Z").len(), 0);
    assert_eq!(at("2026-11-25T07:00:00Z"), others, "{}", service.log());
    ldap.revive();
    assert_eq!(at("2026-11-25T08:00:00Z"), everybody, "{}", service.log());
    let log = service.log();
    let mut runs = log.lines().filter(|line| line.contains("the run ended"));
    assert!(
        runs.all(|line| line.contains(" staged=0 ")),
        "a mass change: {log}"
    );
}
