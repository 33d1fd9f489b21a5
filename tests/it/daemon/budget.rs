//! A server that nobody here wrote, behind a profile that allows so many requests an hour: what is kept for taking access
//! away is there when all else is spent, and the hour is one for all runs of the service.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Service;
use crate::cli::stdout;
use crate::support::PASSWORD;
use crate::support::synapse::Synapse;

const PEOPLE: usize = 50;
/// Requests an hour: too few for everybody's new title, and a fifth of them is kept.
const BUDGET: usize = 200;
/// Monday.
const NOON: &str = "2026-11-23T12:00:00Z";
/// Six in the evening in Berlin.
const EVENING: &str = "2026-11-23T17:00:00Z";
/// Whose window closes in the evening.
const TEMPS: [usize; 3] = [7, 8, 9];
/// Who leaves.
const LEAVER: usize = 20;

struct World {
    folder: tempfile::TempDir,
    server: Synapse,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
            server: Synapse::start(),
        };
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/examples");
        fs::copy(examples.join("synapse.toml"), world.path("synapse.toml")).unwrap();
        world.allow("");
        let text = format!(
            r#"version = 1
state-dir = "state"

[schedule]
sync = "0 3 * * *"
reconcile = "never"
jitter = "0s"

[[source]]
name = "people"
type = "ldif"
path = "people.ldif"
bases = ["dc=example,dc=test"]

[[target]]
name = "chat"
type = "http"
profile = "synapse.profile.toml"
mapping = "synapse.toml"
source = "people"
policy = "sync"
suspend-with = ["block-login"]
review-first-run = false
protected-accounts = ["@provost:example.test"]
url = "{}"

[target.settings]
user = "provost"
password = "env:CHAT_PASSWORD"
server-name = "example.test"

[target.limits]
create = {{ count = 100, percent = 100 }}

[[access]]
name = "temps"
condition = "employeeType == 'temp'"
windows = ["mon-fri 08:00-18:00"]
zone = "Europe/Berlin"
"#,
            world.server.base_url
        );
        fs::write(world.path("provost.toml"), text).unwrap();
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// The profile as it is delivered, with another line about budgets.
    fn allow(&self, line: &str) {
        let profile = include_str!("../../../mappings/examples/synapse.profile.toml");
        let rate = "per-second = 50\n";
        assert!(profile.contains(rate));
        let profile = profile.replace(rate, &format!("{rate}{line}\n"));
        fs::write(self.path("synapse.profile.toml"), profile).unwrap();
    }

    /// Publishes a directory: everybody of these numbers, with a job title that shows in the application.
    fn publish(&self, people: impl Iterator<Item = usize>, title: &str) {
        let mut text = String::from(
            "version: 1\n\ndn: dc=example,dc=test\nobjectClass: domain\ndc: example\n\n",
        );
        for n in people {
            let kind = if TEMPS.contains(&n) { "temp" } else { "staff" };
            text.push_str(&format!(
                "dn: uid=p{n:02},dc=example,dc=test\nobjectClass: inetOrgPerson\nentryUUID: 00000000-0000-4000-8000-{n:012}\nuid: p{n:02}\ncn: P {n} ({title})\nsn: x\nemployeeType: {kind}\n\n"
            ));
        }
        fs::write(self.path("people.ldif"), text).unwrap();
    }

    /// What the application itself shows: who has the new title, and who is locked out.
    fn view(&self) -> (BTreeSet<String>, BTreeSet<String>, usize) {
        let path = "/_synapse/admin/v2/users?locked=true&guests=false&deactivated=false&limit=100";
        let users = self.server.get(path)["users"].as_array().cloned().unwrap();
        let named = |wanted: &dyn Fn(&serde_json::Value) -> bool| {
            let found = users.iter().filter(|user| wanted(user));
            found
                .map(|user| user["name"].as_str().unwrap()[1..4].to_owned())
                .collect()
        };
        let new = |user: &serde_json::Value| {
            let name = user["displayname"].as_str();
            name.is_some_and(|name| name.ends_with("(Chief)"))
        };
        let locked = |user: &serde_json::Value| user["locked"] == true;
        (named(&new), named(&locked), users.len())
    }
}

fn names(numbers: &[usize]) -> BTreeSet<String> {
    numbers.iter().map(|n| format!("p{n:02}")).collect()
}

#[test]
fn whoever_must_not_have_access_is_stopped_when_the_budget_for_all_else_is_spent() {
    let world = World::new();
    let secret = [("CHAT_PASSWORD", PASSWORD)];
    world.publish(0..PEOPLE, "Clerk");
    let service = Service::start_in(world.folder.path(), NOON, |command| command.envs(secret));
    service.await_rest(NOON);
    service.kill();
    assert_eq!(world.view().2, PEOPLE + 1, "everybody and Provost itself");

    // Everybody gets a new title, and the application allows few requests.
    world.allow(&format!("per-hour = {BUDGET}"));
    world.publish(0..PEOPLE, "Chief");
    let service = Service::start_in(world.folder.path(), NOON, |command| command.envs(secret));
    let exhausted = service.command(&["sync"]);
    assert!(!exhausted.status.success(), "{}", stdout(&exhausted));
    let (changed, locked, _) = world.view();
    let some = 1..PEOPLE - TEMPS.len() - 1;
    assert!(
        some.contains(&changed.len()),
        "{changed:?}\n{}",
        service.log()
    );
    assert!(locked.is_empty());

    // Somebody leaves while somebody else joins, who would have to be looked up in the application first.
    let after = (0..=PEOPLE).filter(|n| *n != LEAVER);
    world.publish(after, "Chief");
    let first = service.command(&["sync"]);
    assert!(world.view().1.is_empty(), "nobody after one read");
    let second = service.command(&["sync"]);
    let said = stdout(&second);
    let (still, locked, accounts) = world.view();
    assert_eq!(locked, names(&[LEAVER]), "{said}\n{}", service.log());
    assert_eq!((still, accounts), (changed.clone(), PEOPLE + 1), "{said}");
    assert!(!first.status.success() && !second.status.success());
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("1 person waits"), "{said}");

    // The windows of three close.
    service.clock(EVENING);
    service.await_rest(EVENING);
    let stopped = names(&[LEAVER, TEMPS[0], TEMPS[1], TEMPS[2]]);
    let (still, locked, accounts) = world.view();
    assert_eq!(locked, stopped, "{}", service.log());
    assert_eq!(
        (still, accounts),
        (changed, PEOPLE + 1),
        "{}",
        service.log()
    );

    // With a larger budget everything that waited is done, and nobody gets in again by it.
    world.allow("per-hour = 1000");
    assert_eq!(service.command(&["reload"]).status.code(), Some(0));
    service.await_status("all new titles", |_| {
        let (changed, _, accounts) = world.view();
        // Those who are locked out get theirs when they are back.
        changed.len() >= PEOPLE + 1 - stopped.len() && accounts == PEOPLE + 2
    });
    service.await_rest(EVENING);
    assert_eq!(world.view().1, stopped);
}
