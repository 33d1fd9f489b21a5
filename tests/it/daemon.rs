//! The service as a real process, with a clock that the test moves.

mod between;
mod budget;
mod control;
mod early;
mod figures;
mod loops;
mod notify;
mod outage;
mod reports;
mod secrets;
mod week;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::cli::{provost, stderr, stdout};
use super::company::Company;
use super::support::process::await_some;

/// The longest that anything here may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(180);

/// A running service. It is killed when it is dropped.
pub(super) struct Service {
    child: Child,
    dir: PathBuf,
}

impl Service {
    /// Starts it on a company's folder, with the time that `clock` shows, and waits until it answers.
    pub(super) fn start(company: &Company, now: &str) -> Self {
        Self::start_with(company, now, |command| command)
    }

    /// The same, with something done to the command first.
    pub(super) fn start_with(
        company: &Company,
        now: &str,
        with: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        Self::start_in(company.dir(), now, with)
    }

    /// The same in a folder that holds a `provost.toml`.
    pub(super) fn start_in(
        dir: &Path,
        now: &str,
        with: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut service = Self::spawn_in(dir, now, with);
        let answers = || {
            assert_eq!(service.child.try_wait().unwrap(), None, "{}", service.log());
            UnixStream::connect(service.dir.join("state/control.sock")).ok()
        };
        await_some("the control socket", LIMIT, answers);
        service
    }

    /// Starts it without waiting for anything.
    pub(super) fn spawn(
        company: &Company,
        now: &str,
        with: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        Self::spawn_in(company.dir(), now, with)
    }

    fn spawn_in(dir: &Path, now: &str, with: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let dir = dir.to_owned();
        set_clock(&dir, now);
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(dir.join("log"))
            .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
        command
            .args(["--config", "provost.toml", "run", "--clock", "clock"])
            .env_clear()
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = with(&mut command).spawn().unwrap();
        Self { child, dir }
    }

    /// Moves the clock.
    pub(super) fn clock(&self, now: &str) {
        set_clock(&self.dir, now);
    }

    /// What a command says while the service runs.
    pub(super) fn command(&self, args: &[&str]) -> Output {
        let all = [&["--config", "provost.toml"], args].concat();
        provost(&self.dir, &all)
    }

    /// Where everything stands.
    pub(super) fn status(&self) -> Value {
        let output = self.command(&["--json", "status"]);
        let text = stdout(&output);
        serde_json::from_str(&text)
            .unwrap_or_else(|e| panic!("{e}: {text}{}{}", stderr(&output), self.log()))
    }

    /// Waits until the status is as wanted, and returns it.
    pub(super) fn await_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let end = std::time::Instant::now() + LIMIT;
        let found = || {
            last = self.status();
            let good = wanted(&last);
            assert!(
                good || std::time::Instant::now() < end,
                "{what}: {last:#}\n{}",
                self.log()
            );
            good.then(|| last.clone())
        };
        await_some(what, 2 * LIMIT, found)
    }

    /// Waits until the service has seen the time and has nothing to do any more.
    pub(super) fn await_rest(&self, now: &str) -> Value {
        self.await_status("rest", |status| {
            status["now"] == now && at_rest(status, now)
        })
    }

    /// Arguments and environment of the process, and of everything that it started.
    pub(super) fn processes(&self, each: &mut dyn FnMut(&str, &[u8])) {
        let mut parents = vec![self.child.id().to_string()];
        while let Some(pid) = parents.pop() {
            for what in ["cmdline", "environ"] {
                let bytes = fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
                each(&format!("{what} of process {pid}"), &bytes);
            }
            let threads = fs::read_dir(format!("/proc/{pid}/task"))
                .into_iter()
                .flatten();
            for thread in threads.map_while(Result::ok) {
                let children = fs::read_to_string(thread.path().join("children"));
                let children = children.unwrap_or_default();
                parents.extend(children.split_whitespace().map(str::to_owned));
            }
        }
    }

    pub(super) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; its exit code, or none if a signal ended it.
    pub(super) fn ended(&mut self) -> Option<i32> {
        let child = &mut self.child;
        await_some("the end", LIMIT, || child.try_wait().unwrap()).code()
    }

    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Says a line to the socket, and returns everything that is answered.
    pub(super) fn say(&self, line: &[u8]) -> Vec<String> {
        say(&self.dir.join("state/control.sock"), line)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn say(socket: &Path, line: &[u8]) -> Vec<String> {
    let mut stream = UnixStream::connect(socket).unwrap();
    // A service that has had enough may close before everything is said.
    stream.write_all(line).ok();
    stream.shutdown(std::net::Shutdown::Write).ok();
    BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .collect()
}

fn set_clock(dir: &Path, now: &str) {
    let new = dir.join("clock.new");
    fs::write(&new, now).unwrap();
    fs::rename(new, dir.join("clock")).unwrap();
}

/// Whether nothing goes on, and nothing is due.
fn at_rest(status: &Value, now: &str) -> bool {
    let now: jiff::Timestamp = now.parse().unwrap();
    let due = status["targets"].as_array().unwrap().iter().any(|target| {
        let next = target["next"].as_array().unwrap().iter();
        let mut times =
            next.map(|one| one[1].as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
        times.any(|at| at <= now)
    });
    status["service"]["idle"] == true && !due
}

/// One target of a status.
pub(super) fn target<'a>(status: &'a Value, name: &str) -> &'a Value {
    let targets = status["targets"].as_array().unwrap();
    targets.iter().find(|one| one["target"] == name).unwrap()
}
