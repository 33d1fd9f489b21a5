//! What a report says besides its changes: what access is left, and what all of it rests on.

use super::result::{ChangeStatus, TargetReport};
use crate::config::TargetSpec;
use crate::model::Change;
use crate::target::ConnectorError;

/// Who is not in the plan because the application could not be asked about them.
pub(super) fn left_out(waiting: usize, why: Option<&ConnectorError>) -> Option<String> {
    let people = if waiting == 1 {
        "person waits"
    } else {
        "people wait"
    };
    let why = why.filter(|_| waiting > 0)?;
    Some(format!(
        "{waiting} {people}: they must be looked up in the application first, and it could not be asked ({why}); the next run tries again"
    ))
}

/// What access is left after passwords were fuzzed, and whose word it is that they were.
pub(super) fn remaining(spec: &TargetSpec, report: &TargetReport) -> Vec<String> {
    let count = |is: fn(&Change) -> bool| {
        let made = |status: &ChangeStatus| {
            matches!(
                status,
                ChangeStatus::Done | ChangeStatus::DoneWith(_) | ChangeStatus::Partly(_)
            )
        };
        let results = report.results.iter();
        let number = results
            .filter(|result| made(&result.status) && is(&result.change))
            .count();
        match number {
            0 => None,
            1 => Some("1 account".to_owned()),
            number => Some(format!("{number} accounts")),
        }
    };
    let open = count(Change::leaves_sessions).map(|accounts| {
        format!(
            "{accounts} of {} had the password fuzzed and nothing else: sessions that are open and tokens that were given out stay usable until they end by themselves",
            report.target
        )
    });
    let assumed = spec.connector.assumed();
    let guessed = assumed
        .iter()
        .any(|fact| fact.starts_with("operation.set-password"));
    let guessed = if guessed {
        ", and how it is set there is assumed (`provost check` names the facts)"
    } else {
        ""
    };
    let trusted = count(Change::rests_on_password).map(|accounts| {
        format!(
            "{accounts} of {} had nothing but the password changed to keep people out. That it was changed is the application's word, which cannot be tried from here{guessed}: try once whether an old password still signs in",
            report.target
        )
    });
    open.into_iter().chain(trusted).collect()
}

/// How much of what is done in an application rests on guesses, for people.
pub(super) fn resting(spec: &TargetSpec) -> Option<String> {
    let number = spec.connector.assumed().len();
    let name = &spec.name;
    (number > 0).then(|| {
        format!(
            "{name} rests on {number} assumed facts about the application; `provost check` names them, `provost probe {name}` verifies what can be verified"
        )
    })
}
