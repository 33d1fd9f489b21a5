//! Scripts of `tests/support/`, and servers on a leash.

use std::{
    ffi::OsStr,
    fmt::Debug,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Where `tests/support` is.
pub fn support_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support")
}

/// What the scripts install or make once; see `tests/support/lib.sh`.
pub fn cache_dir() -> PathBuf {
    option_env!("PROVOST_TEST_SERVERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-servers"),
        PathBuf::from,
    )
}

/// A new folder with a short path (Unix sockets in it must stay below 108 bytes).
pub fn state_dir(name: &str) -> TempDir {
    tempfile::Builder::new()
        .prefix(&format!("pv-{name}-"))
        .tempdir()
        .expect("the temporary folder is writable")
}

/// The script `tests/support/<name>`, to run on the state folder.
pub fn script(name: &str, state: &Path) -> Command {
    let mut command = Command::new(support_dir().join(name));
    command.env("STATE", state).stdin(Stdio::null());
    command
}

/// Runs a command to its end; gives its standard output.
///
/// # Panics
/// If it fails, with what it said and what to do about it.
pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}\n{INSTALL}"));
    if output.status.success() {
        return String::from_utf8_lossy(&output.stdout).into_owned();
    }
    let said = String::from_utf8_lossy(&output.stderr);
    panic!("{command:?} failed ({}):\n{said}\n{INSTALL}", output.status)
}

/// The same with something on standard input.
pub fn run_with(command: &mut Command, input: &str) -> String {
    let mut file = tempfile::tempfile().expect("the temporary folder is writable");
    file.write_all(input.as_bytes())
        .and_then(|()| std::io::Seek::rewind(&mut file))
        .expect("a temporary file takes it");
    run(command.stdin(file))
}

const INSTALL: &str = "\n*** THIS TEST NEEDS REAL SERVERS. Run tests/support/install (as root the first time), then the tests again. ***\n";

/// Asks again and again until `ready` gives something, for at most `limit`.
///
/// # Panics
/// When the time is over, naming `what` was awaited.
pub fn await_some<T>(what: &str, limit: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        // The one pause in the tests: between two looks at something outside this process, under a deadline.
        thread::sleep(Duration::from_millis(20));
    }
}

/// A server process; it ends when this value is dropped, or when this process ends in any way.
#[derive(Debug)]
pub struct Server {
    child: Child,
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    log: PathBuf,
    /// The server's fixed ports in its private network, and where each is reachable from here.
    pub forwarded: Vec<(u16, u16)>,
}

impl Server {
    /// Starts a command with its output going to `log` in `state`, which the leash removes in the end.
    ///
    /// With `forward`, in a private network in which those ports are the server's own.
    pub fn start(command: &Command, state: TempDir, forward: &[u16]) -> Self {
        let state = state.keep();
        let log = state.join("server.log");
        let out = File::create(&log).expect("the state folder is writable");
        let mut leash = Command::new(support_dir().join("leash.py"));
        leash.arg("--remove").arg(&state);
        for port in forward {
            leash.arg("--forward").arg(port.to_string());
        }
        // The server's standard output would mix with the leash's answers.
        leash
            .args(["sh", "-c", "exec \"$0\" \"$@\" >&2"])
            .arg(command.get_program())
            .args(command.get_args());
        let set = |(k, v): (&OsStr, Option<&OsStr>)| v.map(|v| (k.to_owned(), v.to_owned()));
        leash.envs(command.get_envs().filter_map(set));
        let mut child = leash
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(out)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run {leash:?}: {e}\n{INSTALL}"));
        let words = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("was asked for"));
        let mut server = Self {
            child,
            words,
            answers,
            log,
            forwarded: Vec::new(),
        };
        for &port in forward {
            let line = server.answer();
            let free = line
                .strip_prefix(&format!("{port}="))
                .and_then(|p| p.parse().ok());
            server.forwarded.push((
                port,
                free.unwrap_or_else(|| panic!("{line:?}\n{}", server.log_text())),
            ));
        }
        server
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("the leash writes text");
        line.trim_end().to_owned()
    }

    fn order(&mut self, word: &str) {
        let words = self.words.as_mut().expect("taken only on drop");
        writeln!(words, "{word}")
            .and_then(|()| words.flush())
            .unwrap_or_else(|e| panic!("the server has ended: {e}"));
        assert_eq!(self.answer(), "done", "{}", self.log_text());
    }

    /// Ends the server at once, as a crash would. Its files and ports stay for [`Server::revive`].
    pub fn kill(&mut self) {
        self.order("kill");
    }

    /// Starts it again after [`Server::kill`].
    pub fn revive(&mut self) {
        self.order("start");
    }

    /// Stops the process where it is: connections open, and nothing is answered.
    pub fn freeze(&mut self) {
        self.order("freeze");
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.order("thaw");
    }

    /// Waits until `ready`. An `Err` gives the log of a server that ended instead.
    pub fn wait_until(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<(), String> {
        let child = &mut self.child;
        let what = format!("a server that answers (its log: {})", self.log.display());
        let up = await_some(&what, limit, || match child.try_wait() {
            Ok(None) => ready().then_some(true),
            Ok(Some(_)) | Err(_) => Some(false),
        });
        if up { Ok(()) } else { Err(self.log_text()) }
    }

    /// What the server has said.
    pub fn log_text(&self) -> String {
        fs::read_to_string(&self.log)
            .unwrap_or_else(|_| "(the server ended at once; its folder is gone)".to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.words.take());
        // It can only fail if it was waited for, and then it has ended.
        drop(self.child.wait());
    }
}
