//! What is looked at inside the booted system besides the life of the service: the quick start to the letter, the journal,
//! and the work without a service.

use std::fs;

use serde_json::Value;

use super::{PEOPLE, SOON, users};
use crate::support::container::Container;
use crate::support::process::await_some;
use crate::support::{OpenLdap, ScimServer};

/// The lines of the quick start's blocks that begin so.
pub(super) fn quick_start_lines(beginning: &str) -> Vec<String> {
    let text = fs::read_to_string("docs/quick-start.md").unwrap();
    let blocks = text.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines);
    let found = lines.filter(|line| line.starts_with(beginning));
    found.map(str::to_owned).collect()
}

/// What the quick start tells people to run before anything is started.
pub(super) fn quick_start(debian: &Container) {
    let commands = quick_start_lines("systemd-run ");
    assert_eq!(commands.len(), 2, "{commands:?}");
    for (command, words) in commands.iter().zip(["crm", "Create"]) {
        let (fine, said) = debian.tries(&["sh", "-c", command]);
        // A first plan waits for somebody to look: no failure, and an exit status of its own.
        let planned = command.contains(" plan ") && said.contains("status=12");
        assert!(fine || planned, "{command}: {said}");
        assert!(said.contains(words), "{command}: {said}");
    }
    let page = debian.path("/var/lib/provost/plan.html");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>"), "{page}");
    let foreign = debian.run(&["find", "/var/lib/provost", "!", "-user", "provost"]);
    assert_eq!(foreign, "", "the service cannot use what belongs to others");
}

/// Waits until the first plan is set aside, and allows it as the status says.
pub(super) fn releases_the_first_plan(debian: &Container) {
    let command = await_some("the command that releases the first plan", SOON * 2, || {
        let status = debian.tries(&["provost", "status"]).1;
        let at = status.find("provost release crm --plan ")?;
        status.get(at..)?.lines().next().map(str::to_owned)
    });
    debian.run(&["sh", "-c", &command]);
}

/// The journal has our fields as its own, and nobody's name or address.
pub(super) fn journal_has_fields_and_nobodys_name(debian: &Container, ldap: &OpenLdap) {
    let text = debian.run(&["journalctl", "-u", "provost", "-o", "json", "--no-pager"]);
    let entries: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let of = |target: &str| -> Vec<&Value> {
        let found = entries.iter().filter(|entry| entry["TARGET"] == target);
        found.collect()
    };
    let run = of("provost::run");
    let edge = run
        .iter()
        .find(|entry| entry["PROVOST_CAUSE"] == "edge" && entry["PROVOST_OUTCOME"] == "applied");
    let edge = edge.unwrap_or_else(|| panic!("{text}"));
    assert_eq!(edge["PRIORITY"], "5", "{edge}");
    assert_eq!(edge["PROVOST_NAME"], "crm", "{edge}");
    let changes = of("provost::change");
    let made = |action: &str| {
        changes
            .iter()
            .filter(|entry| entry["PROVOST_ACTION"] == action && entry["PROVOST_RESULT"] == "done")
            .count()
    };
    for action in ["create", "suspend", "reactivate"] {
        assert_eq!(made(action), PEOPLE as usize, "{action}: {text}");
    }
    for change in changes {
        for field in [
            "PROVOST_ANCHOR",
            "PROVOST_REASON",
            "PROVOST_RUN",
            "PRIORITY",
        ] {
            assert!(change[field].is_string(), "{field}: {change}");
        }
    }
    let people = ldap.search(&["(objectClass=inetOrgPerson)", "cn", "mail", "uid", "sn"]);
    let mut looked = 0;
    for line in people.lines() {
        if let Some((_, value)) = line.split_once(": ")
            && value.len() > 4
            && !line.starts_with("dn: ")
        {
            looked += 1;
            assert!(!text.contains(value), "{value} is in the journal");
        }
    }
    assert!(looked >= PEOPLE as usize, "{people}");
}

/// Without a service: the timer starts the one-shot unit, which does the work; and each keeps the other from running.
pub(super) fn timer_fires(debian: &Container, ldap: &OpenLdap, scim: &ScimServer) {
    debian.run(&["systemctl", "start", "provost-sync.timer"]);
    debian.await_property("provost", "ActiveState", "inactive", SOON);
    let people = ldap.search(&["(objectClass=inetOrgPerson)", "dn"]);
    let dn = people
        .lines()
        .find(|line| line.starts_with("dn: "))
        .unwrap();
    ldap.modify(&format!(
        "{dn}\nchangetype: modify\nreplace: displayName\ndisplayName: Told By The Timer\n"
    ));
    await_some("the change made by the timer's unit", SOON * 2, || {
        let users = users(scim);
        let found = users
            .iter()
            .any(|user| user["displayName"] == "Told By The Timer");
        found.then_some(())
    });
    debian.await_property("provost-sync.service", "Result", "success", SOON);
    debian.run(&["systemctl", "start", "provost"]);
    debian.await_property("provost", "ActiveState", "active", SOON);
    assert_eq!(
        debian.property("provost-sync.timer", "ActiveState"),
        "inactive",
        "both at once would be one too many"
    );
}
