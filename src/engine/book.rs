//! Writing down what is about to be done and how it ended, on a thread of its own: calls go on meanwhile.

use std::sync::Arc;

use jiff::Timestamp;
use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};

use super::intent::{entitling, intent};
use super::password::{Passwords, Prepared};
use super::perform::Bench;
use crate::model::{AccountId, Anchor, Change, Shadow};
use crate::reconcile::mapping::Mapping;
use crate::store::{Conclusion, Entitling, Intent, OpId, State, StoreError};
use crate::target::AccountWriter;

/// So many changes at least are worth another thread.
pub(super) const TOGETHER: usize = 32;

/// One change on its way, its intent durable.
pub(super) struct Step {
    pub change: Arc<Change>,
    pub op: OpId,
    pub intent: Box<Intent>,
    /// The password that goes with it, sealed before the intent was journaled.
    pub password: Prepared,
}

/// One person whose entitlements are on their way, noted durably. Of the account only the id is kept: these are many.
pub(super) struct Member {
    pub change: Arc<Change>,
    pub op: OpId,
    pub account: Option<AccountId>,
}

/// The journal as one run of one target writes it.
#[derive(Clone)]
pub(super) struct Book {
    pub target: Arc<str>,
    pub run: u64,
    pub state: Arc<State>,
    pub writer: Arc<dyn AccountWriter>,
    pub mapping: Arc<Mapping>,
    pub passwords: Passwords,
    pub now: Timestamp,
}

impl Book {
    /// What carrying out a change needs.
    pub(super) fn bench(&self) -> Bench<'_> {
        Bench {
            writer: &*self.writer,
            mapping: &self.mapping,
            credentials: self.passwords.mode,
            now: self.now,
        }
    }

    /// Makes outcomes durable and moves their shadows, and makes the next intents durable with them.
    /// Begins at once, whether or not anybody waits for it yet.
    pub(super) fn turn(
        &self,
        outcomes: Vec<Conclusion>,
        next: Vec<Arc<Change>>,
    ) -> impl Future<Output = Result<Vec<Step>, StoreError>> + use<> {
        let book = self.clone();
        written(move || book.write(outcomes, next))
    }

    fn write(
        &self,
        outcomes: Vec<Conclusion>,
        changes: Vec<Arc<Change>>,
    ) -> Result<Vec<Step>, StoreError> {
        let bench = self.bench();
        // None of these people is among the outcomes: nobody has two changes of a kind.
        let befores = self.shadows(changes.iter().map(|change| &change.anchor))?;
        // Whatever is to be sent is sealed before anything says that it is to be sent.
        let passwords = self.passwords.prepare(&changes, &befores, &self.state)?;
        let intents: Vec<Box<Intent>> = changes
            .par_iter()
            .zip(befores)
            .with_min_len(TOGETHER)
            .map(|(change, before)| Box::new(intent(change, before, &bench)))
            .collect();
        let ops = self
            .state
            .turn(&self.target, outcomes, self.run, &intents)?;
        let steps = changes.into_iter().zip(ops).zip(intents).zip(passwords);
        Ok(steps
            .map(|(((change, op), intent), password)| Step {
                change,
                op,
                intent,
                password,
            })
            .collect())
    }

    /// Makes it durable that these people, each with their account if it is known, are about to gain and lose entitlements.
    pub(super) fn entitling(
        &self,
        people: Vec<(Arc<Change>, Option<AccountId>)>,
    ) -> impl Future<Output = Result<Vec<Member>, StoreError>> + use<> {
        let book = self.clone();
        written(move || book.begin_entitling(people))
    }

    fn begin_entitling(
        &self,
        mut people: Vec<(Arc<Change>, Option<AccountId>)>,
    ) -> Result<Vec<Member>, StoreError> {
        for (change, account) in people.iter_mut().filter(|(_, account)| account.is_none()) {
            let known = self.state.shadow(&self.target, &change.anchor)?;
            *account = known.and_then(|shadow| shadow.account);
        }
        let all: Vec<Entitling<'_>> = people
            .par_iter()
            .with_min_len(TOGETHER)
            .map(|(change, account)| entitling(change, account.as_ref()))
            .collect();
        let ops = self.state.intend_entitling(&self.target, self.run, &all)?;
        drop(all);
        let members = people.into_iter().zip(ops);
        Ok(members
            .map(|((change, account), op)| Member {
                change,
                op,
                account,
            })
            .collect())
    }

    /// People's shadows as the last conclusion left them, in their order.
    pub(super) fn shadows<'a>(
        &self,
        anchors: impl Iterator<Item = &'a Anchor>,
    ) -> Result<Vec<Option<Box<Shadow>>>, StoreError> {
        self.state.shadows_of(&self.target, anchors)
    }
}

/// What is written on a thread of its own.
fn written<T: Send + 'static>(
    write: impl FnOnce() -> Result<Vec<T>, StoreError> + Send + 'static,
) -> impl Future<Output = Result<Vec<T>, StoreError>> {
    let writing = tokio::task::spawn_blocking(write);
    async {
        match writing
            .await
            .map_err(tokio::task::JoinError::try_into_panic)
        {
            Ok(written) => written,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // Only when the whole program ends: whatever was begun is looked at by the next run.
            Err(Err(_cancelled)) => Ok(Vec::new()),
        }
    }
}
