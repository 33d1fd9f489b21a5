//! The main job on real servers: a directory of 1,000 people to a SCIM server that nobody here wrote, through the real binary.
//!
//! Each pairing goes through a company's life: first contact, nothing to do, one per cent changed, a leaver, a rehire,
//! a group change. After each step the server's own view is read by another client and compared with what the directory
//! says by its own command-line tool.

mod directory;
mod wanted;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{ScimKind, ScimServer};
use directory::Directory;
pub(crate) use directory::entries;
use wanted::{compare, wanted};

/// How many people.
const PEOPLE: u32 = 1000;

/// A configured Provost between two servers.
struct Cycle {
    folder: tempfile::TempDir,
    directory: Directory,
    server: ScimServer,
}

impl Cycle {
    fn between(directory: Directory, kind: ScimKind) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = ScimServer::start(kind);
        let config = config(&directory, &server, folder.path());
        write(&folder.path().join("provost.toml"), &config);
        let mapping = include_str!("cycle/mapping.toml");
        let names = if directory.is_ad() {
            mapping.replace("{{ uid | lower }}", "{{ sAMAccountName | lower }}")
        } else {
            mapping.to_owned()
        };
        write(&folder.path().join("crm.toml"), &names);
        Self {
            folder,
            directory,
            server,
        }
    }

    fn provost(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["--config", "provost.toml", "--json"])
            .args(args)
            .env_clear()
            .env("DIRECTORY_PASSWORD", self.directory.password())
            .env("CRM_TOKEN", &self.server.token)
            .current_dir(self.folder.path())
            .output()
            .expect("the binary starts")
    }

    /// Runs a command and returns its JSON; the exit code must be one of these.
    fn json(&self, args: &[&str], codes: &[i32]) -> Value {
        let output = self.provost(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout);
        let code = output.status.code().unwrap_or(-1);
        let tail: String = text
            .chars()
            .rev()
            .take(3000)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        assert!(
            codes.contains(&code),
            "{args:?} ended with {code}\n{errors}\n{tail}"
        );
        serde_json::from_str(&text)
            .unwrap_or_else(|why| panic!("{args:?}: {why}\n{text}\n{errors}"))
    }

    /// One full cycle that must apply this many changes, or any number.
    fn sync(&self, expected: Option<usize>) -> usize {
        let report = self.json(&["sync"], &[0, 13]);
        let target = &report["targets"][0];
        let results = target["results"].as_array().map_or(0, Vec::len);
        if let Some(expected) = expected {
            assert_eq!(
                results,
                expected,
                "{}",
                serde_json::to_string_pretty(target).unwrap_or_default()
            );
        }
        results
    }

    /// The server's own view is what the directory calls for.
    fn check(&self, step: &str) {
        let wanted = wanted(&self.directory);
        let problems = compare(&wanted, &self.server.users(), &self.server.groups());
        assert!(
            problems.is_empty(),
            "after {step}:\n{}",
            problems.join("\n")
        );
    }
}

fn write(path: &PathBuf, text: &str) {
    fs::write(path, text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
}

fn config(directory: &Directory, server: &ScimServer, folder: &Path) -> String {
    format!(
        r#"
version = 1
state-dir = "{state}"

[[source]]
name = "directory"
{source}
bind-password = "env:DIRECTORY_PASSWORD"

{groups}

[[target]]
name = "crm"
type = "scim"
source = "directory"
mapping = "crm.toml"
policy = "sync"
url = "{url}"
create-groups = true
parallelism = 8

[target.auth]
type = "bearer"
token = "env:CRM_TOKEN"
"#,
        state = folder.join("state").display(),
        source = directory.source(),
        groups = directory.groups(),
        url = server.base_url,
    )
}

/// The company's life, the same for every pairing.
fn live(cycle: &Cycle) {
    let online = cycle.provost(&["check", "--online"]);
    assert!(
        online.status.success(),
        "{}{}",
        String::from_utf8_lossy(&online.stdout),
        String::from_utf8_lossy(&online.stderr)
    );

    // First contact waits for review; nothing is written before.
    let plan = cycle.json(&["plan"], &[10, 12]);
    assert_eq!(cycle.server.users().len(), 0, "a dry run writes nothing");
    let digest = plan["targets"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let applied = cycle.json(&["apply", "crm", "--plan", &digest], &[0, 13]);
    assert!(
        applied["targets"][0]["results"]
            .as_array()
            .is_some_and(|r| r.len() >= 900)
    );
    cycle.check("the first load");

    // The second run makes no writing call.
    cycle.sync(Some(0));

    // One per cent changes: titles, joiners, renames, group members.
    cycle.directory.churn(10, 1);
    assert!(cycle.sync(None) > 0, "the changes are seen");
    cycle.check("one per cent of change");
    cycle.sync(Some(0));

    // The directory, asked again by anchor, confirms that the leaver is not where people are read.
    cycle.directory.leave(100);
    assert!(cycle.sync(None) >= 1, "the leaver is suspended");
    cycle.check("a leaver");
    cycle.sync(Some(0));

    // The same entry comes back: the account we suspended opens again, and no second one is made.
    cycle.directory.come_back(100);
    assert!(cycle.sync(None) >= 1, "the account is opened again");
    cycle.check("a rehire");
    cycle.sync(Some(0));

    // A group changes.
    cycle.directory.join_group(200);
    assert!(cycle.sync(None) >= 1, "the group change is seen");
    cycle.check("a group change");
    cycle.sync(Some(0));

    // Reconciliation against the live application agrees.
    let live = cycle.json(&["plan", "--live"], &[0, 13]);
    assert_eq!(
        live["targets"][0]["changes"].as_array().map(Vec::len),
        Some(0),
        "{}",
        live["targets"][0]["changes"]
    );
}

#[test]
fn openldap_to_scim2_server() {
    live(&Cycle::between(
        Directory::openldap(PEOPLE),
        ScimKind::Scim2Server,
    ));
}

#[test]
fn openldap_to_scim2_server_without_patch() {
    live(&Cycle::between(
        Directory::openldap(PEOPLE),
        ScimKind::Scim2PutOnly,
    ));
}

#[test]
fn openldap_to_scimmy() {
    live(&Cycle::between(
        Directory::openldap(PEOPLE),
        ScimKind::Scimmy,
    ));
}

#[test]
fn openldap_to_better_auth() {
    live(&Cycle::between(
        Directory::openldap(PEOPLE),
        ScimKind::BetterAuth,
    ));
}

#[test]
fn active_directory_to_scim2_server() {
    live(&Cycle::between(
        Directory::samba(PEOPLE),
        ScimKind::Scim2Server,
    ));
}

#[test]
fn active_directory_to_scimmy() {
    live(&Cycle::between(Directory::samba(PEOPLE), ScimKind::Scimmy));
}

#[test]
fn ds389_to_scim2_server() {
    live(&Cycle::between(
        Directory::ds389(PEOPLE),
        ScimKind::Scim2Server,
    ));
}

#[test]
fn ds389_to_scimmy() {
    live(&Cycle::between(Directory::ds389(PEOPLE), ScimKind::Scimmy));
}
