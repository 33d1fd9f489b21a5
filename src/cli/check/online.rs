//! `provost check --online`: asks every source and target, reading only.
//!
//! Remembers nothing: no state directory is opened, and nothing found here changes what is done later.

use super::windows;
use crate::cli::args::Global;
use crate::cli::out::Out;
use crate::cli::progress::Progress;
use crate::cli::{Stop, engine};
use crate::config::{Config, TargetSpec};
use crate::deliver::Post;
use crate::engine::{EngineError, needs};
use crate::model::Outcome;
use crate::report::safe;
use crate::source::{self, Line, Sound};
use crate::target::{self, ConnectorError, Finding};

pub(super) fn run(config: &Config, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let (text, outcome) = {
        let _progress = Progress::start(global, "asking sources and targets");
        engine::block_on(ask(config))?
    };
    out.report(&text)?;
    Ok(outcome)
}

/// Asks one target.
pub(super) fn probe(spec: &TargetSpec, global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let (text, outcome) = {
        let _progress = Progress::start(global, "asking the target");
        engine::block_on(async {
            let mut text = String::new();
            let outcome = target_lines(spec, &mut text).await;
            Ok((text, outcome))
        })?
    };
    out.report(&text)?;
    Ok(outcome)
}

async fn target_lines(spec: &TargetSpec, text: &mut String) -> Outcome {
    let findings = one_target(spec).await.unwrap_or_else(|error| {
        vec![Finding {
            what: "connection".to_owned(),
            found: error.to_string(),
            ok: false,
        }]
    });
    let lines: Vec<Line> = findings.into_iter().map(as_line).collect();
    tell("target", &spec.name, &lines, text)
}

async fn ask(config: &Config) -> Result<(String, Outcome), EngineError> {
    let mut text = String::new();
    let mut outcome = Outcome::NothingToDo;
    for spec in &config.sources {
        let name = &spec.settings.name;
        let lines = source::probe(&spec.settings, &needs(config, name)).await;
        outcome = outcome.max(tell("source", name, &lines, &mut text));
        let told = windows::people(config, name).await?;
        if told.contains("\n  !!") || told.starts_with("  !!") {
            outcome = outcome.max(Outcome::Failed);
        }
        text.push_str(&told);
    }
    for spec in &config.targets {
        outcome = outcome.max(target_lines(spec, &mut text).await);
    }
    if let Some(delivery) = &config.delivery {
        let probed = match Post::open(&delivery.settings) {
            Ok(post) => post.probe().await,
            Err(error) => Err(error),
        };
        let finding = Finding {
            what: "connection".to_owned(),
            ok: probed.is_ok(),
            found: probed.unwrap_or_else(|error| error.to_string()),
        };
        let place = delivery.settings.place();
        outcome = outcome.max(tell("delivery", &place, &[as_line(finding)], &mut text));
    }
    Ok((text, outcome))
}

async fn one_target(spec: &TargetSpec) -> Result<Vec<Finding>, ConnectorError> {
    let reader = target::open_reader(&spec.connector).await?;
    let findings = reader.probe().await;
    reader.close().await;
    findings
}

fn as_line(finding: Finding) -> Line {
    Line {
        what: finding.what,
        found: finding.found,
        sound: if finding.ok { Sound::Good } else { Sound::Bad },
    }
}

/// One line for each thing that was looked at; what must be mended is marked, and what somebody should look at.
fn tell(kind: &str, name: &str, lines: &[Line], text: &mut String) -> Outcome {
    text.push_str(&format!("{kind} {name}\n"));
    for line in lines {
        let mark = match line.sound {
            Sound::Good => "  ok ",
            Sound::Doubtful => "  ?  ",
            Sound::Bad => "  !! ",
        };
        let (what, found) = (safe::text(&line.what), safe::text(&line.found));
        text.push_str(&format!("{mark} {what}: {found}\n"));
    }
    if lines.iter().any(|line| line.sound == Sound::Bad) {
        Outcome::Failed
    } else {
        Outcome::NothingToDo
    }
}
