//! An application that is too slow to be closed at once: real SCIMMY behind the limit on requests of its target.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::{Service, target};
use crate::cli::stdout;
use crate::company::Company;
use crate::support::ScimServer;

const PEOPLE: usize = 50;
/// Three calls for each at two a second, as long as nothing was measured: 75 seconds.
const RATE: u32 = 2;
const NOON: &str = "2026-11-23T12:00:00Z";
const EDGE: &str = "2026-11-23T17:00:00Z";

struct Slow {
    company: Company,
    scim: ScimServer,
}

impl Slow {
    fn new() -> Self {
        let slow = Self {
            company: Company::new(PEOPLE),
            scim: ScimServer::roomy(),
        };
        slow.company.publish();
        slow.write(false);
        slow
    }

    fn write(&self, early: bool) {
        let mapping = include_str!("../cycle/mapping.toml");
        let (mapping, _groups) = mapping.split_once("[[entitlement]]").unwrap();
        let mapping = format!("{mapping}\n[attributes.title]\nvalue = \"{{{{ title }}}}\"\n");
        fs::write(self.company.dir().join("crm.toml"), mapping).unwrap();
        let text = format!(
            r#"version = 1
state-dir = "state"

[schedule]
sync = "*/30 * * * *"
reconcile = "never"
jitter = "0s"

[[source]]
name = "company"
type = "ldif"
path = "people.ldif"
flavour = "ldap"
bases = ["ou=People,dc=example,dc=org"]
filter = "(objectClass=inetOrgPerson)"
anchor = "entryUUID"

[[target]]
name = "crm"
type = "scim"
source = "company"
mapping = "crm.toml"
policy = "sync"
url = "{url}"
requests-per-second = {RATE}
start-early = {early}
review-first-run = false

[target.auth]
type = "bearer"
token = "env:CRM_TOKEN"

[target.limits]
create = {{ count = 100, percent = 100 }}

[[access]]
name = "office"
everybody = true
windows = ["mon-fri 08:00-18:00"]
zone = "Europe/Berlin"
"#,
            url = self.scim.base_url
        );
        fs::write(self.company.config(), text).unwrap();
    }

    /// Who gets in, by the application itself.
    fn open(&self) -> BTreeSet<String> {
        let users = self.scim.users();
        let active = users.iter().filter(|user| user["active"] == true);
        active
            .map(|user| user["userName"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// When the service wakes next for an edge.
fn edge(status: &Value) -> String {
    let next = target(status, "crm")["next"].as_array().unwrap();
    let edge = next.iter().find(|one| one[0] == "edge").unwrap();
    edge[1].as_str().unwrap().to_owned()
}

#[test]
fn a_slow_application_is_closed_step_by_step_so_that_the_last_is_closed_in_time() {
    let mut slow = Slow::new();
    let token = slow.scim.token.clone();
    let service = Service::start_in(slow.company.dir(), NOON, |command| {
        command.env("CRM_TOKEN", token)
    });
    let status = service.await_rest(NOON);
    assert_eq!(slow.open().len(), PEOPLE, "{}", service.log());

    told_and_nothing_else(&service, &status);
    slow.write(true);
    assert_eq!(service.command(&["reload"]).status.code(), Some(0));
    let status = service.await_status("the earlier edge", |status| {
        status["service"]["idle"] == true && edge(status) == "2026-11-23T16:58:45Z"
    });
    assert_eq!(target(&status, "crm")["closing"]["late-seconds"], 0);
    service.clock("2026-11-23T16:58:44Z");
    service.await_rest("2026-11-23T16:58:44Z");
    assert_eq!(slow.open().len(), PEOPLE, "a second too early");

    // Step by step, and never more than fit into the next one.
    let mut open = slow.open();
    let (mut steps, mut now) = (0, "2026-11-23T16:58:45Z".to_owned());
    while now.as_str() < EDGE {
        service.clock(&now);
        let status = service.await_rest(&now);
        let left = slow.open();
        assert!(left.is_subset(&open), "somebody was opened again at {now}");
        assert!(
            open.len() - left.len() <= 30,
            "{now}: {} at once",
            open.len() - left.len()
        );
        (open, now) = (left, edge(&status));
        steps += 1;
        if steps == 1 {
            assert!((1..20).contains(&(PEOPLE - open.len())), "{}", open.len());
            interfere(&mut slow, &service, &open, &now);
            open = slow.open();
        }
    }
    assert!(steps >= 3, "{steps} steps");
    service.clock(EDGE);
    service.await_rest(EDGE);
    assert_eq!(slow.open().len(), 1, "{}", service.log());
    let log = service.log();
    let mut runs = log.lines().filter(|line| line.contains("the run ended"));
    assert!(
        runs.all(|line| line.contains(" staged=0 ")),
        "a mass change: {log}"
    );
    // The next morning everybody is back.
    let morning = "2026-11-24T07:00:00Z";
    service.clock(morning);
    service.await_rest(morning);
    assert_eq!(slow.open().len(), PEOPLE, "{}", service.log());
}

/// Without start-early.
fn told_and_nothing_else(service: &Service, status: &Value) {
    let closing = &target(status, "crm")["closing"];
    assert_eq!(closing["people"], PEOPLE);
    assert_eq!(closing["seconds"], 75);
    assert_eq!(closing["late-seconds"], 75);
    assert_eq!(closing["begin"], "2026-11-23T16:58:45Z");
    assert_eq!(edge(status), EDGE);
    let plan = stdout(&service.command(&["plan"]));
    let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        plan.contains("50 people close in crm at 2026-11-23T17:00:00Z"),
        "{plan}"
    );
    assert!(plan.contains("is closed 2 minutes late"), "{plan}");
}

/// Neither a full comparison nor a change of the person opens anybody again; an override does.
fn interfere(slow: &mut Slow, service: &Service, open: &BTreeSet<String>, before: &str) {
    let people = slow.company.people.iter();
    let closed: Vec<usize> = people
        .filter(|person| !open.contains(&person.uid))
        .map(|person| person.number)
        .collect();
    let (changed, granted) = (closed[0], format!("p{:03}", closed[1]));
    slow.company.person(changed).title = "Chief".to_owned();
    slow.company.publish();
    slow.write(true);
    let sync = service.command(&["--quiet", "sync", "--live"]);
    assert_eq!(sync.status.code(), Some(0), "{}", service.log());
    assert_eq!(&slow.open(), open, "before {before}");
    let explain = stdout(&service.command(&["explain", &format!("p{changed:03}")]));
    let explain = explain.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        explain.contains("closes at 2026-11-23T17:00:00Z, and is closed before"),
        "{explain}"
    );
    assert!(
        explain.contains("opens Tue 2026-11-24 08:00 Europe/Berlin"),
        "{explain}"
    );
    let order = [
        "override",
        "grant",
        &granted,
        "--until",
        "2026-11-23T22:00:00Z",
        "--reason",
        "month end",
    ];
    assert_eq!(service.command(&order).status.code(), Some(0));
    service.await_status("the override", |_| slow.open().contains(&granted));
}
