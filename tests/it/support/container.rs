//! A small Debian with its own systemd, booted from a copy of the tree that `tests/support/install` makes.
//!
//! It shares this machine's network, so that it reaches servers of the test on loopback; everything else is its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use super::process::{Server, await_some, run, state_dir};

/// How long systemd may take to come up or go down.
const BOOT: Duration = Duration::from_secs(120);

/// A booted Debian.
#[derive(Debug)]
pub struct Container {
    server: Server,
    leader: u32,
    root: PathBuf,
}

impl Container {
    /// Boots one. An `Err` says why this machine does not allow it.
    pub fn boot() -> Result<Self, String> {
        let dir = state_dir("container");
        let root = dir.path().join("tree");
        let uuid = uuid::Uuid::new_v4().simple().to_string();
        let tree = cache().join("debian-tree");
        run(Command::new("cp")
            .args(["-a", "--reflink=auto"])
            .args([&tree, &root]));
        // The first process inside is known by it.
        fs::write(root.join("etc/machine-id"), format!("{uuid}\n")).map_err(|e| e.to_string())?;
        let mut boot = Command::new("systemd-nspawn");
        boot.args([
            "--quiet",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--console=pipe",
        ])
        .arg(format!("--machine=provost-{}", &uuid[..12]))
        .arg(format!("--directory={}", root.display()));
        let mut server = Server::start(&boot, dir, &[]);
        let mut leader = None;
        server.wait_until(BOOT, || {
            leader = find(&uuid);
            leader.is_some_and(|leader| {
                let state = inside(leader, &["systemctl", "is-system-running"]).0;
                matches!(state.as_str(), "running" | "degraded")
            })
        })?;
        let leader = leader.ok_or("systemd did not come up")?;
        Ok(Self {
            server,
            leader,
            root,
        })
    }

    /// A path inside, as seen from here.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside.trim_start_matches('/'))
    }

    /// Writes a file inside, for root alone if it is a secret.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a path has a folder"))
            .expect("the tree is writable");
        fs::write(path, content).expect("the tree is writable");
    }

    /// Copies a file in.
    pub fn copy(&self, from: &Path, to: &str) {
        fs::copy(from, self.path(to)).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    }

    /// Runs a command inside; gives whether it went well, and all that it said.
    pub fn tries(&self, command: &[&str]) -> (bool, String) {
        let output = output(self.leader, command);
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).trim().to_owned(),
        )
    }

    /// Runs a command inside that must go well; gives what it said on standard output.
    pub fn run(&self, command: &[&str]) -> String {
        let (said, ok) = inside(self.leader, command);
        assert!(
            ok,
            "{command:?} failed: {}\n{}",
            self.tries(command).1,
            self.journal()
        );
        said
    }

    /// What a unit's property is.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.run(&["systemctl", "show", "--value", "--property", name, unit])
    }

    /// Waits until a unit's property is one thing.
    pub fn await_property(&self, unit: &str, name: &str, wanted: &str, limit: Duration) {
        let what = format!("{name} of {unit} becoming {wanted}");
        await_some(&what, limit, || {
            (self.property(unit, name) == wanted).then_some(())
        });
    }

    /// What the service has said.
    pub fn journal(&self) -> String {
        inside(
            self.leader,
            &["journalctl", "--no-pager", "-u", "provost", "-n", "200"],
        )
        .0
    }

    /// Shuts down in good order.
    pub fn power_off(mut self) {
        let leader = self.leader;
        self.tries(&["systemctl", "poweroff"]);
        let gone = || !Path::new(&format!("/proc/{leader}")).exists();
        // The leash removes the tree whichever way it ends.
        self.server.wait_until(BOOT, gone).ok();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The first process inside has a session of its own, which the leash does not reach.
        let leader = self.leader.to_string();
        Command::new("kill").args(["-KILL", &leader]).output().ok();
    }
}

/// Where `tests/support/install` keeps what it makes.
#[allow(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where their servers are"
)]
fn cache() -> PathBuf {
    let set = std::env::var_os("PROVOST_TEST_SERVERS").map(PathBuf::from);
    let cache =
        set.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-servers"));
    fs::canonicalize(&cache).unwrap_or(cache)
}

/// The process that is the first one inside.
fn find(uuid: &str) -> Option<u32> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let numbers = status
            .lines()
            .find_map(|line| line.strip_prefix("NSpid:"))?;
        let first = numbers.split_whitespace().count() > 1
            && numbers.split_whitespace().next_back() == Some("1");
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let ours = String::from_utf8_lossy(&environment)
            .replace('-', "")
            .contains(uuid);
        (first && ours).then_some(pid)
    })
}

fn output(leader: u32, command: &[&str]) -> Output {
    let leader = leader.to_string();
    Command::new("nsenter")
        .args(["-t", &leader, "-m", "-u", "-i", "-n", "-p", "--"])
        .args(command)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .unwrap_or_else(|e| panic!("nsenter: {e}"))
}

fn inside(leader: u32, command: &[&str]) -> (String, bool) {
    let output = output(leader, command);
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (said, output.status.success())
}
