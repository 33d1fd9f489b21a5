//! One self-contained page for a manager: what would be done, to whom, why, and what waits for a decision.
//!
//! No script, no address of anything outside, and a policy in the page that forbids both. Every string from outside is
//! escaped by the template engine after what a reader could not see was written out (`safe`).

mod build;
mod view;

use std::fmt::Write as _;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, escape_formatter};
use serde::Serialize;

use crate::model::{Change, Outcome, Plan};

use super::text::ChangeResult;
use super::{Review, safe};

/// Changes shown per action, and rows per list. A page is for reading; CSV and JSON hold everything.
const SHOWN: usize = 500;

/// One target on the page.
#[derive(Debug)]
pub struct Sheet<'a> {
    /// Its name.
    pub target: &'a str,
    /// How planning or running ended.
    pub outcome: Outcome,
    /// The plan, if one could be made.
    pub plan: Option<&'a Plan>,
    /// The guard's word on it.
    pub review: &'a Review,
    /// The changes that wait for a person.
    pub staged: Vec<&'a Change>,
    /// What became of the changes; empty in a dry run.
    pub results: &'a [ChangeResult],
    /// Why no plan could be made, or why applying stopped.
    pub error: Option<&'a str>,
    /// Remarks on the run.
    pub remarks: &'a [String],
    /// When which policy lets people in, for the week of the plan.
    pub weeks: Vec<Week>,
}

/// One policy's week.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Week {
    /// The policy.
    pub name: String,
    /// The zone whose days these are, and whatever else must be said.
    pub zone: String,
    /// Its days, in order.
    pub days: Vec<Day>,
}

/// One civil day of a week.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Day {
    /// Such as "Mon 2026-11-23".
    pub name: String,
    /// The openings in words, such as "08:00–18:00", or "closed".
    pub words: String,
    /// The openings.
    pub spans: Vec<Span>,
}

/// One opening within a day.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Span {
    /// Where it begins, in percent of the day.
    pub left: f64,
    /// How long it is, in percent of the day.
    pub width: f64,
    /// In words.
    pub words: String,
}

/// The page. `about` says what it is ("Plan", "Run"), `made` when and by what it was made.
#[must_use]
pub fn page(about: &str, outcome: Outcome, made: &str, sheets: Vec<Sheet<'_>>) -> String {
    let page = view::Page {
        title: format!("Provost: {about}"),
        outcome: build::outcome(outcome),
        tone: build::tone(outcome),
        made: made.to_owned(),
        targets: sheets.into_iter().map(build::target).collect(),
        footer: format!(
            "Made by Provost {}. This page holds personal data; nothing in it is loaded from elsewhere.",
            env!("CARGO_PKG_VERSION")
        ),
    };
    render(&page).unwrap_or_else(|error| broken(&error))
}

fn render(page: &view::Page) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_name| AutoEscape::Html);
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => {
            escape_formatter(out, state, &Value::from(safe::text(text)))
        }
        Some(_) | None => escape_formatter(out, state, value),
    });
    environment.add_global(
        "style",
        Value::from_safe_string(include_str!("page.css").to_owned()),
    );
    let template = environment.template_from_named_str("page.html", include_str!("page.html"))?;
    template.render(Value::from(Serde(page)))
}

/// Cannot come about with the template that ships; whoever changes it is told on the page itself.
fn broken(error: &minijinja::Error) -> String {
    let mut out =
        String::from("<!doctype html><title>Provost</title><p>The page could not be made: ");
    for c in error
        .to_string()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || " .:,".contains(*c))
    {
        // Writing to a String cannot fail.
        write!(out, "{c}").ok();
    }
    out
}

#[cfg(test)]
mod tests;
