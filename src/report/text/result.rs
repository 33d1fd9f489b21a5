//! What became of each change, and where every target stands.

use std::sync::Arc;

use anstyle::Style;

use crate::model::{Change, Outcome};
use crate::report::paint::{ALERT, CHANGE, GAIN, LOSS, Look};
use crate::report::safe;

use super::Page;

/// How one change ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResultState {
    /// Made and confirmed.
    Done,
    /// Some steps were made, then one failed; the next run goes on there.
    Partly,
    /// Refused or failed; nothing was changed.
    Failed,
    /// It may have been made; the next run reads the account first.
    Unconfirmed,
    /// A person was asked to make it; it counts when it is confirmed.
    Handed,
    /// No licence or seat is free for it.
    Waiting,
    /// Not begun.
    Skipped,
}

impl ResultState {
    /// As reports and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partly => "partly",
            Self::Failed => "failed",
            Self::Unconfirmed => "unconfirmed",
            Self::Handed => "awaiting-confirmation",
            Self::Waiting => "awaiting-licence",
            Self::Skipped => "skipped",
        }
    }
}

/// One change with its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeResult {
    /// What was to be done.
    pub change: Arc<Change>,
    /// How it ended.
    pub state: ResultState,
    /// What the application said, where it failed.
    pub detail: Option<String>,
}

/// What became of the changes of one target. Those that went as planned are counted, the others are listed.
#[must_use]
pub fn results(target: &str, outcome: Outcome, results: &[ChangeResult], look: Look) -> String {
    let mut out = Page::new(look);
    let plainly_done = |one: &&ChangeResult| one.state == ResultState::Done && one.detail.is_none();
    for one in results.iter().filter(|one| !plainly_done(one)) {
        let (mark, style) = match one.state {
            ResultState::Done => ('i', CHANGE),
            ResultState::Partly | ResultState::Failed => ('!', LOSS),
            ResultState::Handed => ('i', CHANGE),
            ResultState::Unconfirmed | ResultState::Waiting | ResultState::Skipped => ('!', CHANGE),
        };
        let change = &one.change;
        let (state, action) = (one.state.as_str(), change.action.as_str());
        let kind = look.paint(
            style,
            &format!("{mark} {state}: {action} ({})", change.reason),
        );
        out.line(&format!("{kind} {}", safe::text(&change.label)));
        if let Some(detail) = &one.detail {
            out.prose(4, Style::new(), &safe::text(detail));
        }
    }
    let count = |state| results.iter().filter(|one| one.state == state).count();
    let mut parts = vec![format!("{} done", count(ResultState::Done))];
    for state in [
        ResultState::Partly,
        ResultState::Failed,
        ResultState::Unconfirmed,
        ResultState::Handed,
        ResultState::Waiting,
        ResultState::Skipped,
    ] {
        if count(state) > 0 {
            parts.push(format!("{} {}", count(state), state.as_str()));
        }
    }
    let line = format!(
        "Result for {}: {outcome}; {}.",
        safe::text(target),
        parts.join(", ")
    );
    out.line(&look.paint(outcome_style(outcome), &line));
    out.text
}

/// What is said when a target could not be planned, or when applying stopped.
#[must_use]
pub fn failure(target: &str, outcome: Outcome, error: &str, look: Look) -> String {
    let mut out = Page::new(look);
    let line = format!("{}: {outcome}: {}", safe::text(target), safe::text(error));
    out.prose(0, ALERT, &line);
    out.text
}

/// Remarks about a run, one paragraph each.
#[must_use]
pub fn remarks(remarks: &[String], look: Look) -> String {
    let mut out = Page::new(look);
    for remark in remarks {
        out.prose(0, CHANGE, &format!("note: {}", safe::text(remark)));
    }
    out.text
}

/// The look of an outcome.
pub(super) fn outcome_style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::NothingToDo | Outcome::Applied => GAIN,
        Outcome::ChangesPlanned | Outcome::Held | Outcome::Frozen => CHANGE,
        Outcome::PartlyFailed
        | Outcome::SourceIncomplete
        | Outcome::Quarantined
        | Outcome::Failed
        | Outcome::Locked
        | Outcome::ConfigInvalid => ALERT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Anchor, Reason};

    fn result(state: ResultState, detail: Option<&str>) -> ChangeResult {
        let anchor = Anchor::new("1").unwrap();
        ChangeResult {
            change: Arc::new(Change::new(
                anchor,
                "Ann\u{7}".to_owned(),
                Action::Create,
                Reason::Joiner,
            )),
            state,
            detail: detail.map(str::to_owned),
        }
    }

    #[test]
    fn what_went_well_is_counted_and_the_rest_is_listed() {
        let all = [
            result(ResultState::Done, None),
            result(ResultState::Failed, Some("rejected: no")),
            result(ResultState::Done, Some("kept another title")),
        ];
        let text = results("crm", Outcome::PartlyFailed, &all, Look::plain());
        let expected = "\
! failed: create (joiner) Ann\\u{7}
    rejected: no
i done: create (joiner) Ann\\u{7}
    kept another title
Result for crm: partly-failed; 2 done, 1 failed.
";
        assert_eq!(text, expected);
    }
}
