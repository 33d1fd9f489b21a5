//! Reports on schedule: what would be done, as files and by mail. Nothing of it is done, and nothing else is written.
//!
//! A report that could not be made or handed over is tried again; one that was missed is made up for once.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Voice;
use super::control::ask::Show;
use super::paper;
use super::schedule::{self, Again, Regular, Times, next_wake};
use crate::config::{Form, ReportSpec};
use crate::deliver::{DeliverError, Paper, Post};
use crate::engine::{self, EngineError, Request, RunReport, Session, View};
use crate::report::safe;
use crate::report::status::ReportStatus;
use crate::store::DocumentWrite;

const KIND: &str = "report";
/// The longest sleep between two looks.
const LONGEST: Duration = Duration::from_secs(3600);

/// What is remembered of a report over a restart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Kept {
    /// When the last one was begun that was handed over, or when the report was first known.
    began: Timestamp,
    /// When one was last handed over.
    made: Option<Timestamp>,
}

/// What is known of one report.
#[derive(Debug)]
struct Known {
    kept: Kept,
    times: Times,
    tries: u32,
    error: Option<String>,
}

/// What became of a report.
#[derive(Debug)]
pub(super) struct Made {
    name: String,
    began: Timestamp,
    result: Result<(), Failure>,
}

/// Why a report was not made, or not handed over.
#[derive(Debug)]
struct Failure {
    why: String,
    /// Whether another try may end otherwise.
    again: bool,
}

/// All reports.
pub(super) struct Reports {
    known: BTreeMap<String, Known>,
    voice: &'static dyn Voice,
    stop: CancellationToken,
    sender: mpsc::UnboundedSender<Made>,
    /// What became of those that were begun.
    pub made: mpsc::UnboundedReceiver<Made>,
}

impl Reports {
    pub(super) fn new(voice: &'static dyn Voice, stop: CancellationToken) -> Self {
        let (sender, made) = mpsc::unbounded_channel();
        Self {
            known: BTreeMap::new(),
            voice,
            stop,
            sender,
            made,
        }
    }

    /// Takes the reports from the configuration. A report that is new is due at its next time, not now.
    pub(super) fn configure(&mut self, session: &Session) -> Result<(), EngineError> {
        let now = session.clock.now();
        let mut before = std::mem::take(&mut self.known);
        for spec in &session.config.reports {
            let mut known = match before.remove(&spec.name) {
                Some(known) => known,
                None => recall(session, &spec.name, now)?,
            };
            known.times.sync.table = Some(spec.when.clone());
            self.known.insert(spec.name.clone(), known);
        }
        Ok(())
    }

    /// Begins what is due, and says how long it is until the next is.
    pub(super) fn look(&mut self, session: &Session) -> Duration {
        let now = session.clock.now();
        let due: Vec<String> = match next_wake(self.times(), now) {
            Some((at, due)) if at <= now => {
                due.into_iter().map(|(name, _)| name.to_owned()).collect()
            }
            _ => Vec::new(),
        };
        for name in due {
            self.begin(session, &name, now);
        }
        let next = next_wake(self.times(), now);
        next.map_or(LONGEST, |(at, _)| {
            Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
        })
    }

    fn times(&self) -> impl Iterator<Item = (&str, &Times)> {
        let all = self.known.iter();
        all.map(|(name, known)| (name.as_str(), &known.times))
    }

    fn begin(&mut self, session: &Session, name: &str, now: Timestamp) {
        let spec = session.config.reports.iter().find(|one| one.name == name);
        let (Some(spec), Some(known)) = (spec, self.known.get_mut(name)) else {
            return;
        };
        if known.times.at_work {
            return;
        }
        known.times.at_work = true;
        known.times.again = None;
        known.times.sync.last = Some(now);
        let (session, spec, voice) = (session.clone(), spec.clone(), self.voice);
        let (sender, stop) = (self.sender.clone(), self.stop.clone());
        tokio::spawn(async move {
            let name = spec.name.clone();
            let work = tokio::spawn(async move {
                let made = make(&session, &spec, voice, now);
                stop.run_until_cancelled(made).await
            });
            let result = match work.await {
                Ok(Some(result)) => result,
                // The service stops; the next start makes it.
                Ok(None) => return,
                Err(_panic) => Err(Failure {
                    why: "making it failed in a way that nobody foresaw; see the log".to_owned(),
                    again: true,
                }),
            };
            let made = Made {
                name,
                began: now,
                result,
            };
            sender.send(made).ok();
        });
    }

    /// Takes in what became of a report.
    pub(super) fn done(&mut self, session: &Session, made: Made) {
        let now = session.clock.now();
        let Some(known) = self.known.get_mut(&made.name) else {
            return;
        };
        known.times.at_work = false;
        match made.result {
            Ok(()) => {
                tracing::info!(target: "provost::report", report = made.name, "a report was made");
                known.error = None;
                known.tries = 0;
                known.kept = Kept {
                    began: made.began,
                    made: Some(now),
                };
                if let Err(error) = keep(session, &made.name, known.kept) {
                    tracing::error!(%error, "that a report was made could not be remembered; it may be made again");
                }
            }
            Err(failure) => {
                let why = safe::text(&failure.why);
                tracing::error!(target: "provost::report", report = made.name, why, "a report could not be made or handed over");
                if failure.again {
                    let pause = schedule::pause(known.tries, false);
                    known.times.again = Some(Again { since: now, pause });
                    known.tries = known.tries.saturating_add(1);
                }
                known.error = Some(failure.why);
            }
        }
    }

    /// Where the reports stand.
    pub(super) fn tell(&self, into: &mut Vec<ReportStatus>, now: Timestamp) {
        into.extend(self.known.iter().map(|(name, known)| {
            let next = next_wake([("", &known.times)], now);
            ReportStatus {
                report: name.clone(),
                last: known.kept.made,
                error: known.error.clone(),
                next: next.map(|(at, _)| at),
            }
        }));
    }
}

fn recall(session: &Session, name: &str, now: Timestamp) -> Result<Known, EngineError> {
    let kept = match session.state.document(KIND, name)? {
        Some(kept) => kept,
        None => {
            let kept = Kept {
                began: now,
                made: None,
            };
            keep(session, name, kept)?;
            kept
        }
    };
    let sync = Regular {
        last: Some(kept.began),
        ..Regular::default()
    };
    Ok(Known {
        kept,
        times: Times {
            sync,
            ..Times::default()
        },
        tries: 0,
        error: None,
    })
}

fn keep(session: &Session, name: &str, kept: Kept) -> Result<(), EngineError> {
    let write = DocumentWrite {
        kind: KIND,
        key: name,
        value: Some(&kept),
    };
    Ok(session.state.set_documents(&[write])?)
}

/// Plans, and puts what came of it where it belongs.
async fn make(
    session: &Session,
    spec: &ReportSpec,
    voice: &'static dyn Voice,
    began: Timestamp,
) -> Result<(), Failure> {
    let request = Request {
        targets: spec.targets.clone(),
        view: if spec.live {
            View::Reconcile
        } else {
            View::Sync
        },
        ..Request::default()
    };
    let planned = engine::plan(session, &request).await;
    let report = planned.map_err(|error| Failure {
        why: error.to_string(),
        again: true,
    })?;
    let stem = paper::stem(&spec.name, began);
    if let Some(folder) = &spec.folder {
        let files = files(&report, session, spec, voice);
        let written = tokio::task::block_in_place(|| paper::put(folder, &stem, &files));
        written.map_err(|why| Failure { why, again: true })?;
        // The report is there; that an older one could not be removed is no reason to make it again.
        let pruned = tokio::task::block_in_place(|| paper::prune(folder, &spec.name, spec.keep));
        if let Err(why) = pruned {
            tracing::warn!(why, "old reports could not be removed");
        }
    }
    if spec.mail.is_empty() {
        return Ok(());
    }
    mail(&report, session, spec, voice, &stem).await
}

/// The files of a report: how each ends, and what is in it.
fn files(
    report: &RunReport,
    session: &Session,
    spec: &ReportSpec,
    voice: &dyn Voice,
) -> Vec<(&'static str, Vec<u8>)> {
    let say = |show: Show| voice.plan(report, &session.config, show);
    let forms = spec.forms.iter().map(|form| {
        let content = match form {
            Form::Html => {
                say(Show {
                    html: true,
                    ..Show::default()
                })
                .html
            }
            Form::Csv => {
                say(Show {
                    csv: true,
                    ..Show::default()
                })
                .csv
            }
            Form::Json => Some(
                say(Show {
                    json: true,
                    ..Show::default()
                })
                .report,
            ),
            Form::Text => Some(say(Show::default()).report),
        };
        (form.ending(), content.unwrap_or_default().into_bytes())
    });
    forms.collect()
}

async fn mail(
    report: &RunReport,
    session: &Session,
    spec: &ReportSpec,
    voice: &'static dyn Voice,
    stem: &str,
) -> Result<(), Failure> {
    let failed = |error: DeliverError| Failure {
        why: error.to_string(),
        again: matches!(error, DeliverError::Later(_)),
    };
    let Some(delivery) = &session.config.delivery else {
        let why = "there is no [delivery] to send it with".to_owned();
        return Err(Failure { why, again: false });
    };
    let show = Show {
        html: true,
        quiet: true,
        width: 76,
        ..Show::default()
    };
    let answer = voice.plan(report, &session.config, show);
    let changes: usize = report
        .targets
        .iter()
        .filter_map(|target| target.plan.as_ref())
        .map(|plan| plan.changes.len())
        .sum();
    let subject = format!("Provost: {}, {changes} changes planned", spec.name);
    let post = Post::open(&delivery.settings).map_err(failed)?;
    let paper = Paper {
        id: stem,
        at: report.ended,
        to: &spec.mail,
        subject: &subject,
        text: &answer.report,
        file: &format!("{stem}.html"),
        page: answer.html.as_deref().unwrap_or_default(),
    };
    post.send_paper(&paper).await.map_err(failed)
}
