//! Several accounts at once: each has an answer of its own, whether they go in one request or in many.

use provost::model::AccountDraft;
use provost::target::ConnectorError;

use super::{Subject, draft};

/// More than any target takes in one request.
const MANY: usize = 120;
/// Whose name is taken already.
const TAKEN: usize = 7;

pub async fn several_accounts_at_once(subject: &Subject) {
    let login = |i: usize| format!("together{i}");
    subject.make(&login(TAKEN)).await;
    let drafts: Vec<AccountDraft> = (0..MANY).map(|i| draft(&login(i))).collect();
    let answers = subject.target.create_together(drafts.clone()).await;
    assert_eq!(answers.len(), MANY, "{}", subject.name);
    for (i, (answer, wanted)) in answers.into_iter().zip(&drafts).enumerate() {
        if i == TAKEN {
            assert!(
                matches!(answer, Err(ConnectorError::Conflict(_))),
                "{}: {answer:?}",
                subject.name
            );
            continue;
        }
        let made = answer.unwrap_or_else(|e| panic!("{}: {i}: {e}", subject.name));
        subject.holds(&made, wanted);
        assert_eq!(made.active, Some(true), "{}", subject.name);
        let seen = subject.seen(&made.id).await;
        subject.holds(&seen, wanted);
        assert_eq!(seen.active, Some(true), "{}", subject.name);
    }
}
