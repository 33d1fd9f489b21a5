//! Wall time, processor time and peak memory of a command, as GNU time saw it.

use std::{
    fmt,
    fs::File,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What one run of a command took.
#[derive(Clone, Debug)]
pub struct Measured {
    /// From start to end.
    pub wall: Duration,
    /// User and system time of the command, in seconds.
    pub cpu: f64,
    /// Peak resident memory, in MiB.
    pub memory: f64,
    /// Standard output, where it was kept.
    pub output: String,
}

impl Measured {
    /// Wall time in seconds.
    pub const fn seconds(&self) -> f64 {
        self.wall.as_secs_f64()
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} s wall, {:.2} s cpu, {:.0} MiB",
            self.seconds(),
            self.cpu,
            self.memory
        )
    }
}

/// What becomes of a command's standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Nobody wants it.
    Dropped,
    /// It is in the result.
    Kept,
}

/// Runs a command to its end.
///
/// # Panics
/// If it ends with another code than 0 or `also`: a time of something that did not work says nothing.
pub fn run(command: &Command, output: Output, also: Option<i32>) -> Measured {
    let report = tempfile::NamedTempFile::new().expect("the temporary folder is writable");
    let mut timed = Command::new("/usr/bin/time");
    timed
        .args(["-q", "-f", "%U %S %M", "-o"])
        .arg(report.path());
    timed.arg(command.get_program()).args(command.get_args());
    timed.envs(command.get_envs().filter_map(|(k, v)| v.map(|v| (k, v))));
    if output == Output::Dropped {
        timed.stdout(
            File::options()
                .write(true)
                .open("/dev/null")
                .expect("it is always there"),
        );
    }
    let start = Instant::now();
    let ended = timed
        .stdin(Stdio::null())
        .output()
        .expect("GNU time is installed (tests/support/install bench)");
    let wall = start.elapsed();
    let said = String::from_utf8_lossy(&ended.stderr);
    let fine = ended.status.success() || also.is_some() && ended.status.code() == also;
    assert!(fine, "{command:?} failed ({}):\n{said}", ended.status);
    let report = std::fs::read_to_string(report.path()).expect("time wrote it");
    let numbers: Vec<f64> = report
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    let [user, system, kibibytes] = numbers[..] else {
        panic!("not what was asked of time: {report}")
    };
    Measured {
        wall,
        cpu: user + system,
        memory: kibibytes / 1024.0,
        output: String::from_utf8_lossy(&ended.stdout).into_owned(),
    }
}

/// The run in the middle by wall time.
pub fn median(runs: &[Measured]) -> &Measured {
    let mut sorted: Vec<&Measured> = runs.iter().collect();
    sorted.sort_by_key(|run| run.wall);
    sorted[sorted.len() / 2]
}

/// One line of a table in Markdown.
pub fn row(label: &str, ours: &[Measured], theirs: &[Measured], ratio: impl Fn(f64, f64) -> f64) {
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "| {label} | {ours} | {theirs} | **{:.2}** |",
        ratio(ours.seconds(), theirs.seconds())
    );
}

/// Says what is being done, beside the table.
pub fn note(text: fmt::Arguments<'_>) {
    // Standard error, so that standard output is the tables alone.
    use std::io::Write;
    drop(writeln!(std::io::stderr(), "bench: {text}"));
}
