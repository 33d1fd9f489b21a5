//! A few people in an LDIF file and one application: the folder that a small Provost runs in.

use std::fmt::{Display, Write as _};
use std::fs;

/// The directory: somebody for each login, whose anchors count from 0.
pub fn people(logins: impl IntoIterator<Item = impl Display>) -> String {
    let mut ldif = "version: 1\n".to_owned();
    for (n, login) in logins.into_iter().enumerate() {
        write!(
            ldif,
            "\ndn: uid={login},dc=x\nobjectClass: inetOrgPerson\nentryUUID: 00000000-0000-4000-8000-{n:012}\n\
             uid: {login}\ncn: {login}\nsn: {login}\n"
        )
        .unwrap();
    }
    ldif
}

/// A folder with `people.ldif`, `app.toml`, and a `provost.toml` whose target `app` has these keys besides.
pub fn folder(
    people: &str,
    mapping: &str,
    target: &dyn Fn(&std::path::Path) -> String,
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("{CONFIG}{}", target(folder.path()));
    for (name, text) in [
        ("people.ldif", people),
        ("app.toml", mapping),
        ("provost.toml", &config),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const CONFIG: &str = r#"
version = 1
state-dir = "state"

[[source]]
name = "staff"
type = "ldif"
path = "people.ldif"
flavour = "ldap"

[[target]]
name = "app"
source = "staff"
mapping = "app.toml"
policy = "sync"
"#;
