//! From what the engine reports to what `report` shows.

use crate::config::Config;
use crate::engine::{ChangeStatus, RunReport, TargetReport, pages};
use crate::model::{Change, Plan};
use crate::report::json::{self, Target, TargetFailure, TargetPlan};
use crate::report::text;
use crate::report::{Look, Review, safe};

use super::Stop;
use super::args::Files;
use super::out::Out;

/// What a report is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// A plan that was not applied.
    Plan,
    /// A plan and what became of it.
    Run,
    /// Only what became of a plan that was shown before.
    Results,
}

/// Writes a report of the engine.
pub(super) fn run_report(report: &RunReport, about: About, out: &mut Out) -> Result<(), Stop> {
    log(report, about);
    Ok(out.report(&rendered(report, about, out.look, out.json))?)
}

/// A report of the engine as text or JSON.
pub(super) fn rendered(report: &RunReport, about: About, look: Look, as_json: bool) -> String {
    let shown: Vec<Shown<'_>> = report.targets.iter().map(Shown::new).collect();
    if as_json {
        let kind = match about {
            About::Plan => "plan",
            About::Run | About::Results => "run",
        };
        let targets = shown.iter().map(|one| one.json(about)).collect();
        json::document(kind, report.outcome(), targets)
    } else {
        let mut text = sources(report, look);
        for (at, one) in shown.iter().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            text.push_str(&one.text(about, look));
        }
        text
    }
}

/// Writes a report into the files that were asked for, besides showing it.
pub(super) fn into_files(report: &RunReport, config: &Config, files: &Files) -> Result<(), Stop> {
    if let Some(path) = &files.html {
        super::files::write(path, pages::html(report, config).as_bytes())?;
    }
    if let Some(path) = &files.csv {
        let table = pages::table(report).map_err(Stop::failed)?;
        super::files::write(path, &table)?;
    }
    Ok(())
}

/// One event for each change, with the same fields whether it was made or only planned.
fn log(report: &RunReport, about: About) {
    for target in &report.targets {
        let (name, run) = (target.target.as_str(), report.run);
        let changes = target.plan.iter().flat_map(|plan| &plan.changes);
        if about == About::Plan {
            for change in changes {
                log_change(name, run, change, "planned", false);
            }
        }
        for one in &target.results {
            let (result, applied) = match &one.status {
                ChangeStatus::Done | ChangeStatus::DoneWith(_) => ("done", true),
                ChangeStatus::Partly(_) => ("partly", false),
                ChangeStatus::Failed(_) => ("failed", false),
                ChangeStatus::Unconfirmed(_) => ("unconfirmed", false),
                ChangeStatus::Handed(_) => ("awaiting-confirmation", false),
                ChangeStatus::Waiting(_) => ("awaiting-licence", false),
                ChangeStatus::Skipped(_) => ("skipped", false),
            };
            log_change(name, run, &one.change, result, applied);
        }
        tracing::info!(target: "provost::run", run, name, outcome = target.outcome.as_str());
    }
}

/// Names nobody: the anchor says who, to those who may look it up.
fn log_change(target: &str, run: u64, change: &Change, result: &str, applied: bool) {
    tracing::info!(
        target: "provost::change",
        run,
        name = target,
        action = change.action.as_str(),
        reason = change.reason.as_str(),
        anchor = %safe::text(change.anchor.as_str()),
        result,
        applied,
    );
}

/// Entries that could not be read; what is missing from a read stands in each plan's header.
fn sources(report: &RunReport, look: Look) -> String {
    let problems = report.sources.iter().flat_map(|(name, source)| {
        let tell = move |problem: &String| format!("source {name}: {problem}");
        source.problems.iter().map(tell)
    });
    text::remarks(&problems.collect::<Vec<_>>(), look)
}

/// One target's report in the forms that `report` takes.
struct Shown<'a> {
    report: &'a TargetReport,
    review: Review,
    results: Vec<text::ChangeResult>,
}

impl<'a> Shown<'a> {
    fn new(report: &'a TargetReport) -> Self {
        Self {
            report,
            review: pages::review(report),
            results: report.results.iter().map(pages::shown).collect(),
        }
    }

    fn text(&self, about: About, look: Look) -> String {
        let report = self.report;
        let mut out = String::new();
        let waiting = report.waiting();
        if let Some(freeze) = &report.frozen {
            out.push_str(&text::frozen(&report.target, freeze, &waiting, look));
        }
        match (&report.plan, about) {
            (Some(plan), About::Plan) => out.push_str(&text::plan(plan, &self.review, look)),
            (Some(plan), About::Run) => out.push_str(&text::ran(plan, &self.review, look)),
            (Some(_), About::Results) | (None, _) => {}
        }
        out.push_str(&text::remarks(&report.remarks, look));
        if let Some(error) = &report.error {
            out.push_str(&text::failure(&report.target, report.outcome, error, look));
        }
        let ran = match about {
            About::Plan => false,
            About::Run | About::Results => report.plan.is_some(),
        };
        if ran {
            out.push_str(&text::results(
                &report.target,
                report.outcome,
                &self.results,
                look,
            ));
        }
        out
    }

    fn json(&self, about: About) -> Target<'_> {
        let report = self.report;
        let error = report.error.as_deref();
        let Some(plan) = &report.plan else {
            let error = error.unwrap_or("no plan could be made");
            return Target::Failed(TargetFailure::new(&report.target, report.outcome, error));
        };
        let waiting = report.waiting();
        let planned = TargetPlan::new(plan, &self.review, report.outcome)
            .with_error(error)
            .with_remarks(&report.remarks)
            .with_freeze(report.frozen.as_ref(), &waiting);
        Target::Planned(Box::new(match about {
            About::Plan => planned,
            About::Run | About::Results => planned.with_results(&self.results),
        }))
    }
}

/// The one plan of a report, if it has one.
pub(super) fn only_plan(report: &RunReport) -> Option<&Plan> {
    report
        .targets
        .first()
        .and_then(|target| target.plan.as_ref())
}
