//! Re-reading everything: each checksum, each count, and the cache against the journal.

use super::entry::{self, Head, Moved};
use super::error::StoreError;
use super::keys::{self, Kind};
use super::shelves;
use super::state::{self, Inner, State, shadow_payload};
use super::types::Verification;
use crate::model::Anchor;

/// More problems than this are counted, not listed.
const LISTED: usize = 100;

impl State {
    /// Re-reads everything and says what is wrong. Corrects nothing.
    ///
    /// # Errors
    /// When files cannot be read at all.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        let mut inner = self.inner()?;
        self.catch_up(&mut inner)?;
        let mut found = Verification {
            journal_bytes: inner.journal.len(),
            open: inner.ledger.open().len() as u64,
            ..Verification::default()
        };
        match state::read(&self.dir, &inner.journal, None) {
            Ok((_, scan, _)) if scan.mark == inner.journal.mark() && scan.torn == 0 => {
                found.entries = scan.entries;
                self.compare_shadows(&inner, &mut found)?;
            }
            Ok(_) => found
                .problems
                .push("the journal on disk is not the one that was written".to_owned()),
            Err(StoreError::Damaged { what, .. }) => found.problems.push(what),
            Err(e) => return Err(e),
        }
        self.check_cache(&inner, &mut found)?;
        let surplus = found.problems.len().saturating_sub(LISTED);
        if surplus > 0 {
            found.problems.truncate(LISTED);
            found.problems.push(format!("and {surplus} more"));
        }
        Ok(found)
    }

    /// Every current shadow in the journal against the cache, byte by byte.
    fn compare_shadows(&self, inner: &Inner, found: &mut Verification) -> Result<(), StoreError> {
        let undecodable = |e| StoreError::damaged(&self.dir, format!("the journal: {e}"));
        let Verification {
            shadows, problems, ..
        } = found;
        inner.journal.scan(
            &mut |entry| {
                let (head, body) = entry::head(entry.bytes).map_err(undecodable)?;
                let (target, anchor, generation, bytes) = match head {
                    Head::Ended {
                        target,
                        anchor,
                        moved: Moved::Put,
                        ..
                    } => {
                        let bytes = entry::shadow_bytes(body).map_err(undecodable)?;
                        (target, anchor, entry.seq, bytes)
                    }
                    Head::Shadow {
                        target,
                        anchor,
                        generation,
                    } => (target, anchor, generation, body),
                    Head::Ended {
                        moved: Moved::Remove | Moved::Keep,
                        ..
                    }
                    | Head::Begun { .. }
                    | Head::Entitling { .. }
                    | Head::Meta { .. }
                    | Head::Staged { .. }
                    | Head::Document { .. }
                    | Head::Forgotten { .. }
                    | Head::Run { .. } => return Ok(()),
                };
                let current = inner.ledger.live(target, anchor);
                if current.map(|live| live.generation) != Some(generation) {
                    return Ok(());
                }
                *shadows += 1;
                let same = Anchor::new(anchor).is_ok_and(|anchor| {
                    let key = keys::by_anchor(Kind::Shadow, target, &anchor);
                    let cached = shelves::get(&self.cache, &key).ok().flatten();
                    cached.is_some_and(|cached| cached == shadow_payload(generation, bytes))
                });
                if !same {
                    problems.push(format!(
                        "the shadow of {anchor} in \"{target}\" is not as the journal says"
                    ));
                }
                Ok(())
            },
            &mut |_mark| {},
        )?;
        Ok(())
    }

    /// Every record of the cache, and how many there are.
    fn check_cache(&self, inner: &Inner, found: &mut Verification) -> Result<(), StoreError> {
        let Verification {
            identities,
            others,
            problems,
            ..
        } = found;
        let mut shadows = 0;
        let checked = self.cache.check_all(problems, &mut |kind, payload| {
            let on_shelves = match kind {
                kind if kind == Kind::Shadow as u8 => &mut shadows,
                kind if kind == Kind::Identity as u8 => &mut *identities,
                _ => {
                    *others += 1;
                    return Ok(());
                }
            };
            *on_shelves += shelves::count(payload)?;
            Ok(())
        });
        if let Err(e) = checked {
            problems.push(self.doubt(e).to_string());
            return Ok(());
        }
        let expected = inner.ledger.total();
        if shadows != expected {
            problems.push(format!(
                "the cache has {shadows} shadows where the journal has {expected}"
            ));
        }
        Ok(())
    }
}
