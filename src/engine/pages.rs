//! A run or a plan as a page and as a table: what can be sent to people who have no terminal.

use jiff::Timestamp;

use super::result::{ChangeResult, ChangeStatus, RunReport, TargetReport};
use super::weeks::weeks;
use crate::config::Config;
use crate::model::Change;
use crate::report::html::{self, Sheet};
use crate::report::text::{self, ResultState};
use crate::report::{Review, csv};

/// What the guard said about a target's plan, as reports show it.
#[must_use]
pub fn review(report: &TargetReport) -> Review {
    match (&report.plan, &report.verdict) {
        (Some(_), Some(verdict)) => Review::of(verdict, &report.uses),
        (Some(plan), None) => Review::passed(plan),
        (None, _) => Review::default(),
    }
}

/// How one change ended, as reports show it.
#[must_use]
pub fn shown(result: &ChangeResult) -> text::ChangeResult {
    let (state, detail) = match &result.status {
        ChangeStatus::Done => (ResultState::Done, None),
        ChangeStatus::DoneWith(what) => (ResultState::Done, Some(what)),
        ChangeStatus::Partly(why) => (ResultState::Partly, Some(why)),
        ChangeStatus::Failed(why) => (ResultState::Failed, Some(why)),
        ChangeStatus::Unconfirmed(why) => (ResultState::Unconfirmed, Some(why)),
        ChangeStatus::Handed(what) => (ResultState::Handed, Some(what)),
        ChangeStatus::Waiting(why) => (ResultState::Waiting, Some(why)),
        ChangeStatus::Skipped(why) => (ResultState::Skipped, Some(why)),
    };
    text::ChangeResult {
        change: result.change.clone(),
        state,
        detail: detail.cloned(),
    }
}

/// The whole report as one page, with the timetables of the configuration it was made by.
#[must_use]
pub fn html(report: &RunReport, config: &Config) -> String {
    let about = if report.run == 0 { "plan" } else { "run" };
    let parts: Vec<_> = report
        .targets
        .iter()
        .map(|target| {
            let results: Vec<_> = target.results.iter().map(shown).collect();
            (target, review(target), results)
        })
        .collect();
    let sheets = parts.iter().map(|(target, review, results)| Sheet {
        target: &target.target,
        outcome: target.outcome,
        plan: target.plan.as_ref(),
        review,
        staged: staged(target).collect(),
        results,
        error: target.error.as_deref(),
        remarks: &target.remarks,
        weeks: config
            .target(&target.target)
            .map(|spec| weeks(&spec.access, at(target, report)))
            .unwrap_or_default(),
    });
    let made = if report.run == 0 {
        format!("A dry run of {}. Nothing was changed.", report.ended)
    } else {
        format!(
            "Run {}, from {} to {}.",
            report.run, report.began, report.ended
        )
    };
    html::page(about, report.outcome(), &made, sheets.collect())
}

/// The time a target's plan is for.
fn at(target: &TargetReport, report: &RunReport) -> Timestamp {
    target
        .plan
        .as_ref()
        .map_or(report.began, |plan| plan.basis.now)
}

/// The changes, held people and orphans of all targets as a table (RFC 4180).
///
/// # Errors
/// None in practice: the table is made in memory.
pub fn table(report: &RunReport) -> Result<Vec<u8>, String> {
    let rows: Vec<_> = report
        .targets
        .iter()
        .filter_map(|target| {
            let waits = move |change: &Change| staged(target).any(|staged| staged == change);
            Some((target.plan.as_ref()?, waits))
        })
        .collect();
    let plans = rows
        .iter()
        .map(|(plan, waits)| (*plan, waits as &dyn Fn(&Change) -> bool));
    csv::plans(plans).map_err(|error| error.to_string())
}

fn staged(target: &TargetReport) -> impl Iterator<Item = &Change> {
    let verdict = target.verdict.iter();
    verdict.flat_map(|verdict| verdict.staged.iter().map(AsRef::as_ref))
}
