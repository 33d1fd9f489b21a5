//! Intents of entitlements: many people at a time, so each is noted in a few bytes.
//!
//! What the shadow was is in the store already and stays there until the outcome is known; what it would become follows
//! from what is granted and revoked.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _,
};
use serde::{Deserialize, Serialize};

use super::entry::{self, Head};
use super::error::StoreError;
use super::files;
use super::state::State;
use super::targets::{RESERVE, TOGETHER};
use super::types::{Intent, OpId};
use crate::model::{AccountId, Action, Anchor, Origin, Shadow};

/// What is about to be granted to one account and taken from it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entitling<'a> {
    /// Whose account.
    pub anchor: Cow<'a, Anchor>,
    /// A name for people to read.
    pub label: Cow<'a, str>,
    /// The account, if it is known.
    pub account: Option<Cow<'a, AccountId>>,
    /// For people to read.
    pub summary: Cow<'a, str>,
    /// What is granted.
    pub grant: Cow<'a, BTreeSet<String>>,
    /// What is revoked.
    pub revoke: Cow<'a, BTreeSet<String>>,
}

impl Entitling<'_> {
    /// The same as an intent, with the shadow as it is.
    fn intent(self, before: Option<Shadow>) -> Intent {
        let before = before.map(Box::new);
        let anchor = self.anchor.into_owned();
        let fresh = || Box::new(Shadow::new(anchor.clone(), String::new(), Origin::Adopted));
        let mut after = before.clone().unwrap_or_else(fresh);
        after.label = self.label.into_owned();
        let account = self.account.map(Cow::into_owned);
        if after.account.is_none() {
            after.account.clone_from(&account);
        }
        after.entitlements.extend(self.grant.into_owned());
        after
            .entitlements
            .retain(|name| !self.revoke.contains(name));
        Intent {
            anchor,
            action: Action::Entitle,
            account: account.or_else(|| after.account.clone()),
            keys: std::collections::BTreeMap::new(),
            summary: self.summary.into_owned(),
            before,
            after,
        }
    }
}

impl State {
    /// Notes what is about to be granted and revoked. Durable when it returns; the numbers are in the order given.
    /// [`Self::open_intents`] returns it with the shadow as it is then.
    ///
    /// # Errors
    /// As [`Self::intend`].
    pub fn intend_entitling(
        &self,
        target: &str,
        run: u64,
        all: &[Entitling<'_>],
    ) -> Result<Vec<OpId>, StoreError> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let mut inner = self.inner()?;
        files::require_space(&self.dir, RESERVE)?;
        let first = inner.journal.mark().seq + 1;
        let ops: Vec<OpId> = (first..).take(all.len()).map(OpId).collect();
        let items = ops
            .par_iter()
            .zip(all)
            .with_min_len(TOGETHER)
            .map(|(&op, one)| entry::write_small(Head::Entitling { target, op }, &(run, one)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| self.unencodable(e))?;
        self.append(&mut inner, &items)?;
        Ok(ops)
    }

    /// One that is open, from the body of its entry.
    pub(super) fn entitling(&self, target: &str, body: &[u8]) -> Result<Intent, StoreError> {
        let unsound = |e| StoreError::damaged(&self.dir, format!("an open intent: {e}"));
        let (_run, entitling): (u64, Entitling<'static>) = entry::body(body).map_err(unsound)?;
        let before = self.shadow(target, &entitling.anchor)?;
        Ok(entitling.intent(before))
    }
}
