//! Applications whose passwords are somebody else's business (`sso`) or nobody's (`none`), on a SCIM service that nobody
//! here wrote (SCIMMY): its own login says whether a password is right, and a relay how often one was sent.

use std::fs;

use serde_json::json;

use crate::cli::{code, provost, stderr, stdout};
use crate::company::{Company, OFFICE};
use crate::support::relay::Relay;
use crate::support::scim_servers::BY_ANCHOR;
use crate::support::{ScimKind, ScimServer, secrets};

/// What people type at the application's own login, where there is one besides the single sign-on.
const LOCAL: &str = "Set-by-an-administrator-1";

struct Story {
    company: Company,
    server: ScimServer,
    relay: Relay,
}

impl Story {
    /// Nothing is written yet.
    fn new() -> Self {
        let server = ScimServer::start(ScimKind::Scimmy);
        let relay = Relay::start(server.port);
        let mut company = Company::new(3);
        company.targets.clear();
        fs::write(company.dir().join("scim.toml"), BY_ANCHOR).unwrap();
        company.publish();
        Self {
            company,
            server,
            relay,
        }
    }

    fn configure(&mut self, credentials: &str, suspend: &str, tables: &str) {
        let more = format!(
            "passwords = true\ncredentials = \"{credentials}\"\n[target.suspend]\n{suspend}\n\
             [target.limits]\nsuspend = {{ count = 5, percent = 100 }}\n"
        );
        let table = self.server.table(self.company.dir(), &more);
        let through = format!("{}{}", self.relay.url, self.server.base_path);
        let table = table.replace(&self.server.base_url, &through);
        self.company.tables = secrets::table(self.company.dir()) + &table + tables;
        self.company.publish();
    }

    fn settle(&self, what: &str) {
        for _ in 0..5 {
            let output = provost(self.company.dir(), &["--config", "provost.toml", "sync"]);
            let text = stdout(&output);
            assert!(
                [0, 13].contains(&code(&output)),
                "{what}: {text}{}",
                stderr(&output)
            );
            if code(&output) == 0 && text.contains("nothing to do") {
                return;
            }
        }
        panic!("{what}: it never comes to rest");
    }

    fn leaves(&mut self, number: usize) {
        self.company.leave(number);
        self.company.publish();
        self.settle("a leaver");
    }

    fn returns(&mut self, number: usize) {
        let person = Company::new(3).people.remove(number);
        self.company.people.insert(number, person);
        self.company.publish();
        self.settle("a rehire");
    }

    /// How many passwords were sent so far.
    fn sent(&self) -> usize {
        let seen = self.relay.seen();
        let all = seen.iter().map(|one| one.body.to_string());
        all.map(|body| body.matches("\"password\"").count()).sum()
    }

    /// An administrator sets the local password of everybody.
    fn by_hand(&self) {
        for user in self.server.users() {
            let change = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "replace", "path": "password", "value": LOCAL}]});
            let path = format!("/Users/{}", user["id"].as_str().unwrap());
            let (status, answer) = self.server.request("PATCH", &path, Some(&change));
            assert!([200, 204].contains(&status), "{status} {answer}");
        }
    }

    fn is_active(&self, name: &str) -> bool {
        let users = self.server.users();
        let user = users.iter().find(|user| user["userName"] == name);
        user.unwrap()["active"] != false
    }

    /// What `check` says, and its exit code.
    fn checked(&self) -> (i32, String) {
        let output = provost(self.company.dir(), &["--config", "provost.toml", "check"]);
        (code(&output), stdout(&output) + &stderr(&output))
    }
}

#[test]
fn with_single_sign_on_a_leavers_local_password_is_fuzzed_once_and_for_good() {
    let mut story = Story::new();
    story.configure(
        "sso",
        "default = [\"fuzz-password\", \"deactivate\"]\naccess-window = [\"deactivate\"]",
        OFFICE,
    );
    let (code, text) = story.checked();
    assert_eq!(code, 0, "{text}");
    // Without the window: the time is this machine's.
    story.configure("sso", "default = [\"fuzz-password\", \"deactivate\"]", "");
    story.settle("the first load");
    assert_eq!(story.sent(), 0, "a newcomer needs no password");
    story.by_hand();
    let door = story.server.door();
    assert!(door.opens("p001", LOCAL) && door.opens("p002", LOCAL));
    story.leaves(2);
    assert_eq!(story.sent(), 1, "fuzzed");
    assert!(!story.is_active("p002") && !door.opens("p002", LOCAL));
    story.returns(2);
    assert!(story.is_active("p002"), "the account is back");
    assert!(!door.opens("p002", LOCAL), "the local password is not");
    assert_eq!(story.sent(), 1, "nor is any other set");
    story.leaves(2);
    assert!(!story.is_active("p002"));
    assert_eq!(story.sent(), 1, "once is enough");
    assert!(door.opens("p001", LOCAL), "nobody else");
    let vault = secrets::vault(&story.company.state());
    assert_eq!(vault.labels().unwrap(), [], "nothing is kept");
}

#[test]
fn where_passwords_are_nobodys_business_fuzzing_is_refused_and_leavers_are_deactivated() {
    let mut story = Story::new();
    for suspend in [
        "default = [\"deactivate\"]\naccess-window = [\"fuzz-password\"]",
        "default = [\"fuzz-password\", \"deactivate\"]",
    ] {
        story.configure("none", suspend, OFFICE);
        let (code, text) = story.checked();
        assert_eq!(code, 78, "{text}");
        assert!(text.contains("credentials = \"none\""), "{text}");
    }
    // With single sign-on a window cannot work by fuzzing either.
    let window = "default = [\"deactivate\"]\naccess-window = [\"fuzz-password\"]";
    story.configure("sso", window, OFFICE);
    let (code, text) = story.checked();
    assert_eq!(code, 78, "{text}");
    assert!(text.contains("cannot work by fuzzing"), "{text}");
    assert_eq!(story.relay.seen().len(), 0, "nobody was asked");

    story.configure("none", "default = [\"deactivate\"]", "");
    story.settle("the first load");
    story.by_hand();
    story.leaves(2);
    let door = story.server.door();
    assert!(!door.opens("p002", LOCAL) && door.opens("p001", LOCAL));
    story.returns(2);
    assert!(door.opens("p002", LOCAL), "the password was left alone");
    assert_eq!(story.sent(), 0);
}
