//! Provost as the benchmark runs it: its configuration, and the application that it writes to.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    measure::{Measured, Output, run},
    sink,
    support::OpenLdap,
};

/// Provost's exit code when somebody was held.
const HELD: i32 = 13;

/// This program under another name, which decides what it does.
pub fn alias(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    symlink(std::env::current_exe().expect("the system knows"), &path).expect("the folder is new");
    path
}

/// A running application, empty at first.
#[derive(Debug)]
pub struct Sink {
    child: Child,
    _dir: TempDir,
    /// Without a slash at the end.
    pub base_url: String,
}

impl Sink {
    /// Starts one.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("the temporary folder is writable");
        let mut child = Command::new(alias(dir.path(), "sink"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can start itself");
        let mut base_url = String::new();
        let out = child.stdout.take().expect("was asked for");
        BufReader::new(out)
            .read_line(&mut base_url)
            .expect("the sink says where it is");
        Self {
            child,
            _dir: dir,
            base_url: base_url.trim().to_owned(),
        }
    }

    fn get(&self, path: &str) -> Value {
        let (host, base) = self.base_url["http://".len()..]
            .split_once('/')
            .expect("it has a path");
        let port = host
            .rsplit(':')
            .next()
            .and_then(|p| p.parse().ok())
            .expect("it has a port");
        let (status, body) = crate::support::scim_servers::http(
            port,
            sink::TOKEN,
            "GET",
            &format!("/{base}{path}"),
            None,
        )
        .expect("it answers");
        assert_eq!(status, 200, "{path}");
        body
    }

    fn list(&self, kind: &str) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let page = self.get(&format!("/{kind}?startIndex={}&count=1000", all.len() + 1));
            let Some(rows) = page["Resources"].as_array().filter(|rows| !rows.is_empty()) else {
                return all;
            };
            all.extend(rows.iter().cloned());
        }
    }

    /// What it holds, in numbers.
    pub fn tally(&self) -> String {
        Value::Object(sink::tally(&self.list("Users"), &self.list("Groups"))).to_string()
    }

    /// Requests by kind since the last call.
    pub fn requests(&self) -> String {
        self.get("/requests").to_string()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // It can only fail if it has ended already.
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

/// Provost with a configuration and a state of its own.
#[derive(Debug)]
pub struct Provost {
    dir: TempDir,
    program: PathBuf,
}

impl Provost {
    /// From this directory into this application, one request for each account.
    pub fn new(ldap: &OpenLdap, sink: &Sink) -> Self {
        Self::with(ldap, sink, false)
    }

    /// The same; new accounts go in bulk requests or not.
    pub fn with(ldap: &OpenLdap, sink: &Sink, bulk: bool) -> Self {
        let dir = tempfile::tempdir().expect("the temporary folder is writable");
        let write = |name: &str, content: &str| {
            let path = dir.path().join(name);
            fs::write(&path, content).expect("the folder is new");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
                .expect("the file is ours");
        };
        write("password", &ldap.password);
        write("token", sink::TOKEN);
        write("mapping.toml", include_str!("mapping.toml"));
        let config = include_str!("provost.toml")
            .replace("LDAP_URL", &by_address(&ldap.ldaps_url))
            .replace("CA_FILE", &ldap.ca_pem.display().to_string())
            .replace("SCIM_URL", &sink.base_url)
            .replace("BULK", &bulk.to_string())
            .replace("DIR", &dir.path().display().to_string());
        write("provost.toml", &config);
        let program = alias(dir.path(), "provost");
        Self { dir, program }
    }

    /// One cycle. Somebody held is no failure: a leaver is, until a second read proves the absence.
    pub fn sync(&self) -> Measured {
        let mut command = Command::new(&self.program);
        command
            .args(["--quiet", "--color", "never", "--config"])
            .arg(self.dir.path().join("provost.toml"))
            .arg("sync");
        run(&command, Output::Dropped, Some(HELD))
    }
}

/// OpenLDAP's client library compares a certificate with the machine's own name instead of `localhost`.
pub fn by_address(url: &str) -> String {
    url.replace("localhost", "127.0.0.1")
}
