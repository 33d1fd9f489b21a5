//! `provost check --online`: asks every source and target, reading only.
//!
//! Remembers nothing: what is read here is counted and dropped, and no state directory is opened.

use crate::cli::args::Global;
use crate::cli::out::Out;
use crate::cli::progress::Progress;
use crate::cli::{Stop, engine};
use crate::config::{Config, SourceSpec, TargetSpec};
use crate::engine::EngineError;
use crate::model::{
    Anchor, Completeness, EntryProblem, Fingerprint, Identity, Outcome, ReadReport, Sieve,
};
use crate::report::safe;
use crate::source::{self, FetchRequest};
use crate::target::{self, ConnectorError, Finding};

/// At most this many unreadable entries are listed for each source.
const LISTED: usize = 10;

pub(super) fn run(config: &Config, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let (text, outcome) = {
        let _progress = Progress::start(global, "asking sources and targets");
        engine::block_on(ask(config))?
    };
    out.report(&text)?;
    Ok(outcome)
}

async fn ask(config: &Config) -> Result<(String, Outcome), EngineError> {
    let mut text = String::new();
    let mut outcome = Outcome::NothingToDo;
    for spec in &config.sources {
        let (told, ended) = one_source(spec).await;
        text.push_str(&told);
        outcome = outcome.max(ended);
    }
    for spec in &config.targets {
        let found = one_target(spec).await;
        let (told, ended) = tell_target(&spec.name, found);
        text.push_str(&told);
        outcome = outcome.max(ended);
    }
    Ok((text, outcome))
}

/// Counts what a read returns.
#[derive(Default)]
struct Counter {
    read: usize,
    problems: Vec<EntryProblem>,
}

impl Sieve for Counter {
    fn is_unchanged(&mut self, _anchor: &Anchor, _fingerprint: Fingerprint) -> bool {
        self.read += 1;
        true
    }

    fn accept(&mut self, _identity: Identity, _fingerprint: Fingerprint) {}

    fn reject(&mut self, problem: EntryProblem) {
        self.problems.push(problem);
    }
}

async fn one_source(spec: &SourceSpec) -> (String, Outcome) {
    let name = &spec.settings.name;
    let mut counter = Counter::default();
    let reader = source::connect(&spec.settings);
    match reader.fetch(&FetchRequest::default(), &mut counter).await {
        Ok(report) => tell_source(name, &report, &counter),
        Err(error) => {
            let text = format!("! source {name}: {}\n", safe::text(&error.to_string()));
            (text, Outcome::Failed)
        }
    }
}

fn tell_source(name: &str, report: &ReadReport, counter: &Counter) -> (String, Outcome) {
    let server = safe::text(&report.server);
    let mut text = format!("source {name}: {} people from {server}", counter.read);
    let outcome = match &report.completeness {
        Completeness::Full(_) => {
            text.push_str(", complete\n");
            Outcome::NothingToDo
        }
        Completeness::Partial(shortfalls) => {
            text.push_str(", NOT complete\n");
            for shortfall in shortfalls {
                text.push_str(&format!("  ! {}\n", safe::text(&shortfall.to_string())));
            }
            Outcome::SourceIncomplete
        }
    };
    for problem in counter.problems.iter().take(LISTED) {
        let (dn, why) = (safe::text(&problem.dn), safe::text(&problem.why));
        text.push_str(&format!("  ! {dn}: {why}\n"));
    }
    let more = counter.problems.len().saturating_sub(LISTED);
    if more > 0 {
        text.push_str(&format!(
            "  … and {more} more entries that could not be read\n"
        ));
    }
    (text, outcome)
}

async fn one_target(spec: &TargetSpec) -> Result<Vec<Finding>, ConnectorError> {
    let reader = target::open_reader(&spec.connector).await?;
    reader.probe().await
}

fn tell_target(name: &str, found: Result<Vec<Finding>, ConnectorError>) -> (String, Outcome) {
    let findings = match found {
        Ok(findings) => findings,
        Err(error) => {
            let text = format!("! target {name}: {}\n", safe::text(&error.to_string()));
            return (text, Outcome::Failed);
        }
    };
    let mut text = format!("target {name}:\n");
    for finding in &findings {
        let mark = if finding.ok { ' ' } else { '!' };
        let (what, found) = (safe::text(&finding.what), safe::text(&finding.found));
        text.push_str(&format!("  {mark} {what}: {found}\n"));
    }
    let outcome = if findings.iter().all(|finding| finding.ok) {
        Outcome::NothingToDo
    } else {
        Outcome::Failed
    };
    (text, outcome)
}
