//! `remove-entitlements` on SCIM services that nobody here wrote, seen with the service's own eyes: what people are in is
//! taken from them and comes back exactly, by the clock and by leaving and coming back, beside a deactivation and beside a
//! fuzzed password; and whatever somebody else arranged for other people stays as it was.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::*;
use crate::company::{OFFICE, QUIET};
use crate::daemon::Service;
use crate::support::scim_servers::BY_ANCHOR;
use crate::support::{ScimKind, ScimServer};

const ENTITLED: &str = r#"
[[entitlement]]
groups = ["app-crm"]
name = "crm"

[[entitlement]]
condition = "uid is defined"
name = "staff"

[attributes.'emails[type eq "work"].value']
value = "{{ mail }}"
"#;
const LIMITS: &str = "
[target.limits]
suspend = { count = 50, percent = 100 }
suspend-per-day = { count = 500, percent = 100 }
reactivate = { count = 50, percent = 100 }
revoke = { count = 500, percent = 100 }
";
/// An account that an administrator made for nobody of the directory.
const GUEST: &str = "guest";
const PEOPLE: usize = 6;
const LEAVES: &str = "p003";

/// Who is in each group, by user name.
type Groups = BTreeMap<String, BTreeSet<String>>;

/// A company, and the service that is its only application.
struct Office {
    company: Company,
    server: ScimServer,
}

impl Office {
    /// Everybody has an account and is in their groups, and an administrator has done things of their own.
    fn begin(kind: ScimKind, target: &str, tables: &str) -> Self {
        let server = ScimServer::start(kind);
        let mut company = Company::new(PEOPLE);
        company.targets.clear();
        company.service = QUIET.to_owned();
        fs::write(
            company.dir().join("scim.toml"),
            // Nothing tells passwords here, so nobody is adopted whose password would change.
            BY_ANCHOR.replace("adopt = true\n", "") + ENTITLED,
        )
        .unwrap();
        let lines = format!("create-groups = true\n{target}{LIMITS}");
        company.tables =
            secrets::table(company.dir()) + &server.table(company.dir(), &lines) + tables;
        company.publish();
        Self { company, server }
    }

    fn user(&self, name: &str) -> Json {
        let users = self.server.users();
        let mut found = users.into_iter().filter(|user| user["userName"] == name);
        let user = found.next().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(found.next(), None, "{name} has two accounts");
        user
    }

    fn is_active(&self, name: &str) -> bool {
        self.user(name)["active"] != false
    }

    fn active(&self) -> usize {
        let users = self.server.users();
        users.iter().filter(|user| user["active"] != false).count()
    }

    fn groups(&self) -> Groups {
        let users = self.server.users().into_iter();
        let names: BTreeMap<String, String> = users
            .map(|user| (word(&user["id"]), word(&user["userName"])))
            .collect();
        let groups = self.server.groups().into_iter();
        let told = groups.map(|group| {
            let listed = group["members"].as_array().cloned().unwrap_or_default();
            let members: BTreeSet<String> = listed
                .iter()
                .map(|member| names[&word(&member["value"])].clone())
                .collect();
            assert_eq!(members.len(), listed.len(), "somebody twice in {group}");
            (word(&group["displayName"]), members)
        });
        let all: Vec<(String, BTreeSet<String>)> = told.collect();
        let number = all.len();
        let groups: Groups = all.into_iter().collect();
        assert_eq!(groups.len(), number, "a group twice");
        groups
    }

    /// The administrator puts somebody into a group, which may be new.
    fn by_hand(&self, group: &str, who: &str) {
        let member = json!({"value": self.user(who)["id"]});
        let groups = self.server.groups();
        let Some(known) = groups.iter().find(|one| one["displayName"] == group) else {
            let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "displayName": group, "members": [member]});
            let (status, answer) = self.server.request("POST", "/Groups", Some(&body));
            assert_eq!(status, 201, "{group}: {answer}");
            return;
        };
        let change = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "add", "path": "members", "value": [member]}]});
        let path = format!("/Groups/{}", word(&known["id"]));
        let (status, answer) = self.server.request("PATCH", &path, Some(&change));
        assert!([200, 204].contains(&status), "{group}: {status} {answer}");
    }

    /// What an administrator does besides: a board, a guest, and somebody in a group of ours who is not called for.
    fn administer(&self) {
        let guest = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": GUEST, "active": true,
            "emails": [{"value": "guest@example.org", "primary": true}]});
        let (status, answer) = self.server.request("POST", "/Users", Some(&guest));
        assert_eq!(status, 201, "{answer}");
        for (group, who) in [
            ("board", LEAVES),
            ("board", "p001"),
            ("board", GUEST),
            ("crm", "p001"),
            ("crm", GUEST),
            ("staff", GUEST),
        ] {
            self.by_hand(group, who);
        }
    }

    /// Runs until nothing is left to do, comparing with what the service shows.
    fn settle_live(&self, story: &str) {
        for _ in 0..5 {
            let output = run(&self.company, &["sync", "--live"]);
            let text = stdout(&output);
            let fine = [0, 11, 13].contains(&code(&output));
            assert!(fine, "{story}: {text} {}", stderr(&output));
            if code(&output) == 0 && text.contains("nothing to do") {
                return;
            }
        }
        panic!("{story}: it never comes to rest");
    }
}

fn word(value: &Json) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .to_owned()
}

/// Whether Provost put somebody into a group. Everything else the administrator did.
fn granted(group: &str, who: &str) -> bool {
    group == "staff" || (group == "crm" && ["p000", LEAVES].contains(&who))
}

/// The groups without what Provost granted to these people.
fn without_ours(groups: &Groups, gone: &[&str]) -> Groups {
    let mut left = groups.clone();
    for (group, members) in &mut left {
        members.retain(|name| !gone.contains(&name.as_str()) || !granted(group, name));
    }
    left
}

/// The groups without these people.
fn without(groups: &Groups, gone: &[&str]) -> Groups {
    let mut left = groups.clone();
    for members in left.values_mut() {
        members.retain(|name| !gone.contains(&name.as_str()));
    }
    left
}

fn everybody() -> Vec<String> {
    (0..PEOPLE).map(|number| format!("p{number:03}")).collect()
}

/// What the directory and the administrator arranged together.
fn arranged() -> Groups {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut staff: BTreeSet<String> = everybody().into_iter().collect();
    staff.insert(GUEST.to_owned());
    Groups::from([
        ("board".to_owned(), set(&[LEAVES, "p001", GUEST])),
        ("crm".to_owned(), set(&["p000", "p001", LEAVES, GUEST])),
        ("staff".to_owned(), staff),
    ])
}

/// Somebody leaves and comes back, twice.
fn leaves_and_returns(kind: ScimKind, target: &str) {
    let mut office = Office::begin(kind, target, "");
    let say = |what: &str| format!("{kind:?}: {what}");
    settle(&office.company, &say("the first load"));
    office.administer();
    office.settle_live(&say("a look at what the administrator did"));
    let before = office.groups();
    assert_eq!(before, arranged(), "{}", say("what others did stays"));

    // Between lists only what Provost granted is known to be there.
    office.company.leave(WHO);
    office.company.publish();
    settle(&office.company, &say("a leaver"));
    let left = without_ours(&before, &[LEAVES]);
    assert_eq!(office.groups(), left, "{}", say("a leaver"));
    assert!(!office.is_active(LEAVES), "{}", say("a leaver"));
    assert_eq!(office.active(), PEOPLE, "{}", say("and nobody else"));
    come_back(&mut office.company);
    settle(&office.company, &say("a rehire"));
    assert_eq!(office.groups(), before, "{}", say("a rehire"));
    assert!(office.is_active(LEAVES), "{}", say("a rehire"));

    // Once more, with looks at the service: all that is seen goes, also what is added meanwhile, and all of it comes back.
    office.settle_live(&say("a look"));
    assert_eq!(office.groups(), before, "{}", say("a look moves nobody"));
    office.company.leave(WHO);
    office.company.publish();
    settle(&office.company, &say("a leaver again"));
    office.settle_live(&say("a look at a leaver"));
    let left = without(&before, &[LEAVES]);
    assert_eq!(office.groups(), left, "{}", say("all of it"));
    office.by_hand("alumni", LEAVES);
    settle(&office.company, &say("a run that looks at nothing"));
    assert!(office.groups()["alumni"].contains(LEAVES), "{}", say("yet"));
    office.settle_live(&say("another look at a leaver"));
    assert!(
        !office.groups()["alumni"].contains(LEAVES),
        "{}",
        say("seen")
    );
    come_back(&mut office.company);
    settle(&office.company, &say("a rehire again"));
    let mut with = before;
    with.insert("alumni".to_owned(), [LEAVES.to_owned()].into());
    assert_eq!(office.groups(), with, "{}", say("all of it again"));
    office.settle_live(&say("the end"));
    assert_eq!(office.groups(), with, "{}", say("the end"));
}

/// Two nights, and somebody who leaves in the second.
fn closes_and_opens(kind: ScimKind, target: &str, shut: impl Fn(&Office, &str, bool)) {
    let mut office = Office::begin(kind, target, OFFICE);
    let monday = "2027-03-01T12:00:00Z";
    let service = Service::start(&office.company, monday);
    let at = |now: &str| {
        service.clock(now);
        service.await_rest(now);
    };
    service.await_rest(monday);
    office.administer();
    let look = |what: &str| {
        let looked = service.command(&["sync", "--live"]);
        assert_eq!(code(&looked), 0, "{what}: {}", stdout(&looked));
    };
    look("a look at what the administrator did");
    let before = office.groups();
    assert_eq!(before, arranged(), "{kind:?}: {}", service.log());
    let names = everybody();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    for day in ["2027-03-01", "2027-03-02"] {
        at(&format!("{day}T16:59:59Z"));
        assert_eq!(office.groups(), before, "{kind:?} {day}: before the edge");
        at(&format!("{day}T17:00:00Z"));
        let evening = without_ours(&before, &all);
        assert_eq!(
            office.groups(),
            evening,
            "{kind:?} {day}: {}",
            service.log()
        );
        shut(&office, &format!("the night after {day}"), true);
        look("the night");
        let night = without(&before, &all);
        assert_eq!(office.groups(), night, "{kind:?} {day}: a look at night");
        if day == "2027-03-02" {
            office.company.leave(WHO);
            office.company.publish();
            for _ in 0..2 {
                let synced = service.command(&["sync"]);
                assert!([0, 13].contains(&code(&synced)), "{}", stdout(&synced));
            }
            break;
        }
        at("2027-03-02T07:00:00Z");
        assert_eq!(office.groups(), before, "{kind:?}: {}", service.log());
        shut(&office, "the first morning", false);
    }
    // The morning gives the leaver nothing back, and the return all of it.
    at("2027-03-03T07:00:00Z");
    let left = without(&before, &[LEAVES]);
    assert_eq!(office.groups(), left, "{kind:?}: {}", service.log());
    assert!(!office.is_active(LEAVES), "{kind:?}");
    come_back(&mut office.company);
    let synced = service.command(&["sync"]);
    assert_eq!(code(&synced), 0, "{}", stdout(&synced));
    assert_eq!(office.groups(), before, "{kind:?}: {}", service.log());
    shut(&office, "the return", false);
}

const DEACTIVATED: &str = "[target.suspend]\ndefault = [\"deactivate\", \"remove-entitlements\"]\n";
const FUZZED: &str = "passwords = true\ncredentials = \"managed\"\n[target.suspend]\n\
    default = [\"fuzz-password\", \"remove-entitlements\", \"deactivate\"]\n\
    access-window = [\"remove-entitlements\", \"fuzz-password\"]\n";

#[test]
fn a_leaver_on_scim2_server_gets_back_exactly_what_was_taken() {
    leaves_and_returns(ScimKind::Scim2Server, DEACTIVATED);
}

#[test]
fn a_leaver_on_better_auth_gets_back_exactly_what_was_taken() {
    leaves_and_returns(ScimKind::BetterAuth, DEACTIVATED);
}

#[test]
fn a_leaver_on_scimmy_loses_password_groups_and_account_and_gets_them_back() {
    leaves_and_returns(ScimKind::Scimmy, FUZZED);
}

#[test]
fn a_window_on_scim2_server_takes_groups_and_account_and_gives_them_back() {
    let active = |office: &Office, say: &str, shut: bool| {
        for name in everybody() {
            assert_eq!(office.is_active(&name), !shut, "{say}: {name}");
        }
        assert!(office.is_active(GUEST), "{say}");
    };
    closes_and_opens(ScimKind::Scim2Server, DEACTIVATED, active);
}

#[test]
fn a_window_on_scimmy_takes_groups_and_password_and_gives_them_back() {
    let opens = |office: &Office, say: &str, shut: bool| {
        // The service holds the state: a copy is looked at.
        let copy = office.company.copied();
        let vault = secrets::vault(&copy.state());
        for (number, name) in everybody().iter().enumerate() {
            let own = secrets::sealed(&vault, "scim", &anchor(number), Purpose::Managed).unwrap();
            let opens = office.server.door().opens(name, own.expose_secret());
            assert_eq!(opens, !shut, "{say}: {name}");
            assert!(office.is_active(name), "{say}: {name}");
        }
    };
    closes_and_opens(ScimKind::Scimmy, FUZZED, opens);
}
