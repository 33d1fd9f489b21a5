//! Procedures: the steps of a suspension, or of its undoing, one after the other, each journaled by itself.
//!
//! Everybody's first steps go together, then everybody's second steps. A step that fails holds the later ones of the same
//! person; only if nothing has taken the access away yet, the next step that does is still carried out.

use std::sync::Arc;

use super::apply::{Applying, Progress, one_by_one};
use super::result::{ChangeResult, ChangeStatus};
use crate::model::{Action, Change, CredentialMode, How, despite_failure};
use crate::store::StoreError;

/// The steps of a change that is a procedure.
fn steps(change: &Change) -> &[How] {
    match &change.action {
        Action::Suspend(steps) | Action::Reactivate(steps) => steps,
        Action::Delete | Action::Link | Action::Update | Action::Create | Action::Entitle => &[],
    }
}

/// Whether some change of a group has more than one step.
pub(super) fn is_long(group: &[Arc<Change>]) -> bool {
    group.iter().any(|change| steps(change).len() > 1)
}

/// Carries out a group of suspensions or re-activations step by step.
pub(super) async fn carry_out(
    group: &[Arc<Change>],
    progress: &mut Progress,
    by: &Applying<'_>,
) -> Result<(), StoreError> {
    let mode = by.caller.book.passwords.mode;
    let mut courses: Vec<Course> = group.iter().map(|c| Course::new(c, mode)).collect();
    loop {
        let round: Vec<Arc<Change>> = courses.iter().filter_map(Course::next).collect();
        if round.is_empty() {
            break;
        }
        for detour in courses.iter().filter(|course| course.detour) {
            progress.unblock(&detour.change.anchor);
        }
        let before = progress.results();
        one_by_one(&round, progress, by).await?;
        let mut results = progress.take_results(before);
        results.sort_by(|a, b| a.change.anchor.cmp(&b.change.anchor));
        for course in &mut courses {
            let anchor = &course.change.anchor;
            let found = results.binary_search_by(|result| result.change.anchor.cmp(anchor));
            if let Some(result) = found.ok().and_then(|at| results.get(at)) {
                course.advance(&result.status);
            }
            if course.trouble.is_some() {
                progress.block(&course.change.anchor);
            }
        }
    }
    progress.add_results(courses.into_iter().map(Course::result));
    Ok(())
}

/// One procedure under way.
struct Course {
    change: Arc<Change>,
    mode: CredentialMode,
    done: Vec<How>,
    left: Vec<How>,
    /// A change without any step is one of our records only.
    begun: bool,
    /// The step that failed, and how.
    trouble: Option<(How, ChangeStatus)>,
    /// The access is taken away although an earlier step failed.
    detour: bool,
    remarks: Vec<String>,
}

impl Course {
    fn new(change: &Arc<Change>, mode: CredentialMode) -> Self {
        Self {
            change: Arc::clone(change),
            mode,
            done: Vec::new(),
            left: steps(change).to_vec(),
            begun: false,
            trouble: None,
            detour: false,
            remarks: Vec::new(),
        }
    }

    /// The change with the steps that are left, of which the first is carried out now.
    fn next(&self) -> Option<Arc<Change>> {
        if self.left.is_empty() && self.begun {
            return None;
        }
        let action = match &self.change.action {
            Action::Suspend(_) => Action::Suspend(self.left.clone()),
            Action::Reactivate(_) => Action::Reactivate(self.left.clone()),
            Action::Delete | Action::Link | Action::Update | Action::Create | Action::Entitle => {
                return None;
            }
        };
        let mut change = Change::clone(&self.change);
        change.action = action;
        Some(Arc::new(change))
    }

    /// Takes over how the first of the steps that were left ended.
    fn advance(&mut self, status: &ChangeStatus) {
        self.begun = true;
        let step = if self.left.is_empty() {
            None
        } else {
            Some(self.left.remove(0))
        };
        match status {
            ChangeStatus::Done | ChangeStatus::DoneWith(_) => {
                self.done.extend(step);
                if let ChangeStatus::DoneWith(what) = status {
                    self.remarks.push(what.clone());
                }
                if self.detour {
                    self.left.clear();
                }
            }
            ChangeStatus::Failed(_)
            | ChangeStatus::Partly(_)
            | ChangeStatus::Handed(_)
            | ChangeStatus::Waiting(_)
            | ChangeStatus::Unconfirmed(_)
            | ChangeStatus::Skipped(_) => self.fail(step, status),
        }
    }

    fn fail(&mut self, step: Option<How>, status: &ChangeStatus) {
        let later = std::mem::take(&mut self.left);
        let Some(step) = step else {
            self.trouble = Some((How::Deactivate, status.clone()));
            return;
        };
        let closes = matches!(self.change.action, Action::Suspend(_));
        // After an unknown outcome the account is read before anything else is decided.
        let refused = matches!(status, ChangeStatus::Failed(_));
        if closes && refused && !self.detour {
            let done: Vec<How> = self.change.done.iter().chain(&self.done).cloned().collect();
            if let Some(stop) = despite_failure(&done, &later, self.mode) {
                self.left = std::iter::once(stop.clone())
                    .chain(std::iter::once(step.clone()))
                    .chain(later.into_iter().filter(|how| *how != stop))
                    .collect();
                self.detour = true;
            }
        }
        self.trouble.get_or_insert((step, status.clone()));
    }

    fn result(self) -> ChangeResult {
        let change = self.change;
        let Some((step, trouble)) = self.trouble else {
            let status = match self.remarks.is_empty() {
                true => ChangeStatus::Done,
                false => ChangeStatus::DoneWith(self.remarks.join("; ")),
            };
            return ChangeResult { change, status };
        };
        if steps(&change).len() <= 1 {
            return ChangeResult {
                change,
                status: trouble,
            };
        }
        let done: Vec<String> = self.done.iter().map(ToString::to_string).collect();
        let so_far = if done.is_empty() {
            "nothing was done before it".to_owned()
        } else {
            format!("done: {}", done.join(", "))
        };
        let text = |why: &str| format!("step {step}: {why}; {so_far}; the next run goes on there");
        let status = match trouble {
            ChangeStatus::Unconfirmed(why) => ChangeStatus::Unconfirmed(text(&why)),
            // The later steps are handed over once this one was confirmed.
            ChangeStatus::Handed(what) => ChangeStatus::Handed(what),
            ChangeStatus::Waiting(why) => ChangeStatus::Waiting(text(&why)),
            ChangeStatus::Failed(why) | ChangeStatus::Skipped(why) | ChangeStatus::Partly(why)
                if !done.is_empty() =>
            {
                ChangeStatus::Partly(text(&why))
            }
            ChangeStatus::Failed(why) | ChangeStatus::Partly(why) => {
                ChangeStatus::Failed(text(&why))
            }
            ChangeStatus::Skipped(why) => ChangeStatus::Skipped(why),
            ChangeStatus::Done | ChangeStatus::DoneWith(_) => trouble,
        };
        ChangeResult { change, status }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Anchor, Reason, SuspendReason};

    fn course(steps: &[How]) -> Course {
        let change = Change::new(
            Anchor::new("a").unwrap(),
            "A".to_owned(),
            Action::Suspend(steps.to_vec()),
            Reason::Suspended(SuspendReason::Leaver),
        );
        Course::new(&Arc::new(change), CredentialMode::Managed)
    }

    fn failed() -> ChangeStatus {
        ChangeStatus::Failed("no".to_owned())
    }

    #[test]
    fn a_failing_step_holds_the_later_ones() {
        let mut course = course(&[How::FuzzPassword, How::RevokeSessions, How::Deactivate]);
        course.advance(&ChangeStatus::Done);
        course.advance(&failed());
        assert!(course.next().is_none());
        let ChangeStatus::Partly(text) = course.result().status else {
            panic!("it is partly done");
        };
        assert!(
            text.contains("step revoke-sessions: no; done: fuzz-password"),
            "{text}"
        );
    }

    #[test]
    fn as_long_as_nothing_took_the_access_away_the_step_that_does_is_still_done() {
        let quotes = How::Reassign("quotes".to_owned());
        let mut course = course(&[quotes.clone(), How::RevokeSessions, How::Deactivate]);
        course.advance(&failed());
        let next = course.next().unwrap();
        let left = vec![How::Deactivate, quotes, How::RevokeSessions];
        assert_eq!(next.action, Action::Suspend(left));
        course.advance(&ChangeStatus::Done);
        assert!(course.next().is_none());
        assert!(matches!(course.result().status, ChangeStatus::Partly(_)));
    }

    #[test]
    fn after_an_unknown_outcome_nothing_more_is_done() {
        let mut course = course(&[How::RevokeSessions, How::Deactivate]);
        course.advance(&ChangeStatus::Unconfirmed("lost".to_owned()));
        assert!(course.next().is_none());
        assert!(matches!(
            course.result().status,
            ChangeStatus::Unconfirmed(_)
        ));
    }
}
