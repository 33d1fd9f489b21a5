//! What holds for every file, however it is broken.

use super::*;
use crate::config::diagnostic::{Problems, Severity};
use crate::config::raw;

/// An outside in which everything is there.
struct Everything;

impl Outside for Everything {
    fn resolve(&self, path: &str) -> PathBuf {
        PathBuf::from(path)
    }

    fn secrets(&self) -> Secrets {
        Secrets::Load
    }

    fn secret(&self, _reference: &Reference) -> Result<SecretString, String> {
        Ok(SecretString::from("there"))
    }

    fn key(&self, _reference: &Reference) -> Result<Zeroizing<Vec<u8>>, String> {
        Ok(Zeroizing::new(Vec::new()))
    }

    fn certificates(&self, _path: &Path) -> Result<Vec<u8>, String> {
        Ok(Vec::new())
    }

    fn text(&self, _path: &Path) -> Result<String, String> {
        Ok(String::new())
    }

    fn system_zones(&self) -> Result<Zones, String> {
        Ok(Zones::bundled())
    }

    fn mapping(&self, _path: &Path) -> Result<Option<Arc<Mapping>>, String> {
        Ok(None)
    }

    fn profile(&self, _path: &Path) -> Result<Option<Arc<Profile>>, String> {
        Ok(None)
    }
}

/// Every message about a text, in both forms.
fn messages(text: &str) -> String {
    let findings = Findings::default();
    let table = raw::parse(text, &findings);
    let config = table.and_then(|table| read(&table, &findings, &Everything));
    let (errors, warnings, hidden) = findings.finish();
    assert!(config.is_some() || !errors.is_empty() || text.contains("mapping ="));
    let mut shown = String::new();
    for (severity, problems) in [(Severity::Error, errors), (Severity::Warning, warnings)] {
        let mut all = Problems::new(severity);
        all.add("provost.toml", text, problems, &hidden);
        shown.push_str(&all.render(false));
        shown.push_str(&all.lines().join("\n"));
    }
    shown
}

const FILE: &str = r#"version = 1
state-dir = "/var/lib/provost"
[[source]]
name = "corp"
type = "ldap"
urls = ["ldaps://ldap.example.com"]
bind-name = "cn=reader,dc=example,dc=com"
bind-password = "hunter2"
bases = ["dc=example,dc=com"]
[[target]]
name = "crm"
type = "scim"
source = "corp"
mapping = "m"
policy = "sync"
url = "https://crm.example.com/"
auth = { type = "bearer", token = "hunter2", nonsense = 1 }
[[target]]
name = "wiki"
type = "scim"
auth = { type = "header", name = "X-Key", value = "hunter2" }
"#;

#[test]
fn no_slip_of_one_character_shows_a_secret_or_panics() {
    assert!(messages(FILE).contains("must not be written in the configuration"));
    for (at, c) in FILE.char_indices() {
        let (before, after) = FILE.split_at(at);
        let rest = after.get(c.len_utf8()..).unwrap_or_default();
        for instead in ["", "\"", "=", "\n", "é", "["] {
            let replaced = format!("{before}{instead}{rest}");
            assert!(!messages(&replaced).contains("hunter2"), "{replaced}");
        }
        for inserted in ["\"", "\n", "#", "]", "}", ","] {
            let longer = format!("{before}{inserted}{after}");
            assert!(!messages(&longer).contains("hunter2"), "{longer}");
        }
    }
}

#[test]
fn no_text_panics() {
    for text in [
        "",
        "\u{feff}version = 1",
        "= 1",
        "[[source]]\n[[source]]",
        "source = 1",
        "source = [1]",
        "[source]\nname = 1",
        "target = [[]]",
        "[[target]]\ntype = \"scim\"\nauth = 1",
        "[[target]]\ntype = \"sandbox\"\nlimits = { suspend = { count = 0x10, percent = 1e400 } }",
        "version = 99999999999999999999",
        "a.b.c = 1",
        "\"\\u0000\" = 1",
        "é = \"é",
        "state-dir = 1979-05-27",
    ] {
        assert!(!messages(text).is_empty());
    }
    let deep = format!("a = {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(!messages(&deep).is_empty());
}
