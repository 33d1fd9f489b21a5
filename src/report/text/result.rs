//! What became of each change, and where every target stands.

use jiff::Timestamp;

use crate::model::{Change, Outcome};
use crate::report::paint::{ALERT, CHANGE, FAINT, GAIN, LOSS, Look};
use crate::report::safe;

use super::Page;

/// How one change ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResultState {
    /// Made and confirmed.
    Done,
    /// Refused or failed; nothing was changed.
    Failed,
    /// It may have been made; the next run reads the account first.
    Unconfirmed,
    /// Not begun.
    Skipped,
}

impl ResultState {
    /// As reports and JSON spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unconfirmed => "unconfirmed",
            Self::Skipped => "skipped",
        }
    }
}

/// One change with its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeResult {
    /// What was to be done.
    pub change: Change,
    /// How it ended.
    pub state: ResultState,
    /// What the application said, where it failed.
    pub detail: Option<String>,
}

/// What became of the changes of one target. Those that went well are counted, the others are listed.
#[must_use]
pub fn results(target: &str, outcome: Outcome, results: &[ChangeResult], look: Look) -> String {
    let mut out = Page::new(look);
    let count = |state| results.iter().filter(|one| one.state == state).count();
    for one in results.iter().filter(|one| one.state != ResultState::Done) {
        let style = match one.state {
            ResultState::Done => GAIN,
            ResultState::Failed => LOSS,
            ResultState::Unconfirmed | ResultState::Skipped => CHANGE,
        };
        let change = &one.change;
        let kind = format!("! {} {}", one.state.as_str(), change.action.as_str());
        let kind = out.look.paint(style, &kind);
        out.line(&format!(
            "{kind} ({}) {}",
            change.reason,
            safe::text(&change.label)
        ));
        if let Some(detail) = &one.detail {
            out.prose(4, anstyle::Style::new(), &safe::text(detail));
        }
    }
    let mut parts = vec![format!("{} done", count(ResultState::Done))];
    for state in [
        ResultState::Failed,
        ResultState::Unconfirmed,
        ResultState::Skipped,
    ] {
        if count(state) > 0 {
            parts.push(format!("{} {}", count(state), state.as_str()));
        }
    }
    let line = format!("{}: {outcome} ({})", safe::text(target), parts.join(", "));
    out.line(&look.paint(outcome_style(outcome), &line));
    out.text
}

/// The look of an outcome.
fn outcome_style(outcome: Outcome) -> anstyle::Style {
    match outcome {
        Outcome::NothingToDo | Outcome::Applied => GAIN,
        Outcome::ChangesPlanned | Outcome::Held => CHANGE,
        Outcome::PartlyFailed
        | Outcome::SourceIncomplete
        | Outcome::Quarantined
        | Outcome::Failed
        | Outcome::Locked
        | Outcome::ConfigInvalid => ALERT,
    }
}

/// Where one target stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetStatus {
    /// The target.
    pub target: String,
    /// How its last run ended, and when; `None` before the first.
    pub last: Option<(Timestamp, Outcome)>,
    /// Accounts under management.
    pub managed: usize,
    /// Of these, suspended by us.
    pub suspended: usize,
    /// Accounts whose last call has an unknown outcome.
    pub unconfirmed: usize,
    /// What waits for a person, if anything: the digest to release and how many changes.
    pub waiting: Option<(String, usize)>,
}

/// Where every target stands.
#[must_use]
pub fn status(targets: &[TargetStatus], look: Look) -> String {
    let mut out = Page::new(look);
    for one in targets {
        out.heading(&safe::text(&one.target));
        let last = one.last.map_or("never run".to_owned(), |(at, outcome)| {
            format!(
                "{} at {at}",
                look.paint(outcome_style(outcome), outcome.as_str())
            )
        });
        out.field("last run", &last);
        out.field(
            "accounts",
            &format!(
                "{} managed, {} suspended by us, {} unconfirmed",
                one.managed, one.suspended, one.unconfirmed
            ),
        );
        if let Some((digest, count)) = &one.waiting {
            let command = format!(
                "provost release {} --plan {digest}",
                safe::text(&one.target)
            );
            out.field(
                "waiting",
                &format!("{count} changes; allow them with: {command}"),
            );
        }
    }
    if targets.is_empty() {
        out.prose(0, FAINT, "no targets are configured");
    }
    out.text
}
