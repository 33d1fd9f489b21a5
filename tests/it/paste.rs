//! Lines that are logged to be pasted: pasted into a real shell, they ask real servers what the program asked them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use provost::model::shell::word;
use serde_json::Value;

use crate::cli::{stderr, stdout};
use crate::support::{OpenLdap, ScimKind, ScimServer};

const PEOPLE: u32 = 12;
/// A piece of a filter that matches nobody and would do damage wherever it is not quoted.
const HOSTILE: &str = "(cn=it's; touch pwned; \"$HOME\" `touch pwned` & é \\5c\\2a)";

struct Pair {
    folder: tempfile::TempDir,
    ldap: OpenLdap,
    scim: ScimServer,
}

impl Pair {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ldap = OpenLdap::start(PEOPLE);
        let scim = ScimServer::start(ScimKind::Scim2PutOnly);
        let filter = format!("(|(objectClass=inetOrgPerson){HOSTILE})");
        let config = format!(
            "version = 1\nstate-dir = \"state\"\n\n[[source]]\nname = \"directory\"\ntype = \"ldap\"\nurls = [\"{}\"]\n\
             ca-file = \"{}\"\nbind-name = \"{}\"\nbind-password = \"env:LDAP_SECRET\"\nbases = [\"{}\"]\nfilter = '''{filter}'''\n\n\
             [[target]]\nname = \"crm\"\ntype = \"scim\"\nsource = \"directory\"\nmapping = \"crm.toml\"\npolicy = \"sync\"\n\
             url = \"{}\"\nreview-first-run = false\ncreate-groups = true\nprotected-accounts = [\"nobody\"]\n\n\
             [target.auth]\ntype = \"bearer\"\ntoken = \"env:CRM_SECRET\"\n",
            // OpenLDAP's client takes this machine's own name for "localhost".
            ldap.ldap_url.replace("localhost", "127.0.0.1"),
            ldap.ca_pem.display(),
            ldap.bind_dn,
            ldap.people_base,
            scim.base_url,
        );
        fs::write(folder.path().join("provost.toml"), config).unwrap();
        let mapping = include_str!("cycle/mapping.toml");
        fs::write(folder.path().join("crm.toml"), mapping).unwrap();
        fs::write(folder.path().join("password"), &ldap.password).unwrap();
        Self { folder, ldap, scim }
    }

    fn provost(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["--config", "provost.toml", "-vv"])
            .args(args)
            .env_clear()
            .env("LDAP_SECRET", &self.ldap.password)
            .env("CRM_SECRET", &self.scim.token)
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// Runs a line as somebody would who pasted it, with the variables that it names.
    fn paste(&self, line: &str) -> String {
        let output = Command::new("sh")
            .args(["-c", line])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/nonexistent")
            .env("LDAPTLS_CACERT", &self.ldap.ca_pem)
            .env("LDAPPASSWORD_FILE", "password")
            .env("TOKEN", &self.scim.token)
            .env("BODY", "body.json")
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let said = format!("{line}\n{}\n{}", stdout(&output), stderr(&output));
        assert_eq!(output.status.code(), Some(0), "{said}");
        stdout(&output)
    }
}

/// The lines of a log from a command on.
fn commands<'a>(log: &'a str, program: &'a str) -> Vec<&'a str> {
    log.lines()
        .filter_map(|line| line.find(program).and_then(|at| line.get(at..)))
        .collect()
}

#[test]
fn what_is_logged_for_pasting_does_the_same_in_a_shell_and_holds_no_secret() {
    let pair = Pair::start();
    let output = pair.provost(&["sync"]);
    let log = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{log}");
    for secret in [&pair.ldap.password, &pair.scim.token] {
        assert!(!log.contains(secret.as_str()), "{log}");
    }

    let searches = commands(&log, "ldapsearch -x");
    let people: Vec<&&str> = searches
        .iter()
        .filter(|line| line.contains("touch pwned"))
        .collect();
    assert_eq!(people.len(), 1, "{log}");
    for search in &searches {
        let found = pair.paste(search);
        if search.contains("touch pwned") {
            let entries = found.lines().filter(|line| line.starts_with("dn:")).count();
            assert_eq!(entries, PEOPLE as usize, "{found}");
        }
    }

    let calls = commands(&log, "curl -sS");
    let reads: Vec<&&str> = calls
        .iter()
        .filter(|line| line.contains("-X 'GET'"))
        .collect();
    assert!(reads.iter().any(|line| line.contains("/Users?")), "{log}");
    for read in reads {
        let answer = pair.paste(read);
        let json: Value = serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{e}: {answer}"));
        assert!(json["status"].is_null(), "{read}: {json}");
    }
    let write = calls
        .iter()
        .find(|line| line.contains("-X 'POST'") && line.ends_with("/Users'"));
    let write = write.unwrap_or_else(|| panic!("{log}"));
    let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"pasted"}"#;
    fs::write(pair.folder.path().join("body.json"), body).unwrap();
    pair.paste(write);
    let users = pair.scim.users();
    assert!(
        users.iter().any(|user| user["userName"] == "pasted"),
        "{users:?}"
    );
    assert_eq!(users.len(), PEOPLE as usize + 1);
    assert!(!pair.folder.path().join("pwned").exists());
}

/// What a shell makes of words, joined by NUL.
fn heard(shell: &str, texts: &[String], dir: &Path) -> Vec<String> {
    let words: Vec<String> = texts.iter().map(|text| word(text)).collect();
    let script = dir.join("script");
    fs::write(&script, format!("printf '%s\\0' {}\n", words.join(" "))).unwrap();
    let output = Command::new(shell)
        .arg(&script)
        .env_clear()
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stdout(&output);
    said.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn a_shell_hears_every_word_as_it_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    let mut texts: Vec<String> = (1..=0x2ff_u32)
        .filter_map(char::from_u32)
        .map(String::from)
        .collect();
    let mut runner = TestRunner::deterministic();
    let any = "[\\x01-\\x7fé\u{202e}\u{feff}\u{1f600}]{0,12}";
    for _ in 0..400 {
        texts.push(any.new_tree(&mut runner).unwrap().current());
    }
    assert_eq!(heard("bash", &texts, dir.path()), texts);
    // Plain text needs no more than any shell can do.
    let plain: Vec<String> = texts
        .into_iter()
        .filter(|text| text.chars().all(|c| c.is_ascii_graphic() || c == ' '))
        .collect();
    assert!(plain.len() > 90);
    assert_eq!(heard("sh", &plain, dir.path()), plain);
}
