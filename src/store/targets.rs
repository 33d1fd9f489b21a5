//! Shadows, settled marks, intents and conclusions of targets.

use std::borrow::Borrow;

use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelIterator as _, IntoParallelRefIterator as _,
    ParallelIterator as _,
};

use super::cache::{CacheError, Changes};
use super::codec::{self, CodecError};
use super::entry::{self, Head, Moved};
use super::error::StoreError;
use super::files;
use super::keys::{self, Kind};
use super::ledger;
use super::shelves::{self, Change};
use super::state::{Inner, State, shadow_payload};
use super::types::{Conclusion, Intent, OpId, ShadowMove, TargetMeta};
use crate::model::{Anchor, Plan, Shadow};

/// Nothing new is begun with less space than this: what is begun must be concluded.
pub(super) const RESERVE: u64 = 16 << 20;

/// So many records at least are worth another thread.
pub(super) const TOGETHER: usize = 32;

impl State {
    /// The shadow of one identity.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the cache does not agree with the journal.
    pub fn shadow(&self, target: &str, anchor: &Anchor) -> Result<Option<Shadow>, StoreError> {
        let stored = self.stored_shadow(&*self.inner()?, target, anchor);
        let shadow = stored.and_then(|stored| stored.as_ref().map(Stored::read).transpose());
        shadow.map_err(|e| self.doubt(e))
    }

    /// The shadows of several identities, in their order.
    ///
    /// # Errors
    /// As [`Self::shadow`].
    pub fn shadows_of<'a>(
        &self,
        target: &str,
        anchors: impl Iterator<Item = &'a Anchor>,
    ) -> Result<Vec<Option<Box<Shadow>>>, StoreError> {
        let stored = {
            let inner = self.inner()?;
            anchors
                .map(|anchor| self.stored_shadow(&inner, target, anchor))
                .collect::<Result<Vec<_>, _>>()
        };
        let read = |stored: &Option<Stored<'_>>| {
            let shadow = stored.as_ref().map(Stored::read).transpose()?;
            Ok(shadow.map(Box::new))
        };
        let shadows = stored.and_then(|stored| {
            let all = stored.par_iter().with_min_len(TOGETHER);
            all.map(read).collect()
        });
        shadows.map_err(|e| self.doubt(e))
    }

    /// A shadow as it is stored.
    fn stored_shadow<'a>(
        &self,
        inner: &Inner,
        target: &str,
        anchor: &'a Anchor,
    ) -> Result<Option<Stored<'a>>, CacheError> {
        let Some(live) = inner.ledger.live(target, anchor.as_str()) else {
            return Ok(None);
        };
        let key = keys::by_anchor(Kind::Shadow, target, anchor);
        let payload = match inner.behind.get(&key) {
            Some(payload) => payload.map(<[u8]>::to_vec),
            None => shelves::get(&self.cache, &key)?,
        };
        match payload {
            Some(payload) => Ok(Some(Stored {
                anchor,
                generation: live.generation,
                payload,
            })),
            None => Err(CacheError::Damaged(format!(
                "the shadow of {anchor} in \"{target}\" is not as the journal says"
            ))),
        }
    }

    /// Every shadow of a target, ordered by anchor.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the cache does not agree with the journal; what was delivered until then is discarded.
    pub fn shadows(&self, target: &str, each: &mut dyn FnMut(Shadow)) -> Result<(), StoreError> {
        let mut inner = self.inner()?;
        self.scan_shadows(&mut inner, target, &mut |shadow, _generation| each(shadow))
    }

    /// As [`Self::shadows`], each with the journal entry it comes from.
    pub(super) fn scan_shadows(
        &self,
        inner: &mut Inner,
        target: &str,
        each: &mut dyn FnMut(Shadow, u64),
    ) -> Result<(), StoreError> {
        self.catch_up(inner)?;
        let mut count = 0;
        let scanned = shelves::scan(
            &self.cache,
            &keys::prefix(Kind::Shadow, target),
            &mut |anchor, payload| {
                let anchor = std::str::from_utf8(anchor).unwrap_or_default();
                let Some(live) = inner.ledger.live(target, anchor) else {
                    return Err(CacheError::Damaged(format!(
                        "there is a shadow of {anchor} in \"{target}\" that the journal does not have"
                    )));
                };
                each(
                    shadow_of(payload, live.generation, anchor)?,
                    live.generation,
                );
                count += 1;
                Ok(())
            },
        );
        scanned.map_err(|e| self.doubt(e))?;
        let expected = inner.ledger.count(target);
        if count != expected {
            return Err(self.doubt(CacheError::Damaged(format!(
                "there are {count} shadows in \"{target}\" where the journal has {expected}"
            ))));
        }
        Ok(())
    }

    /// How many shadows a target has.
    ///
    /// # Errors
    /// After a write that failed half way.
    pub fn shadow_count(&self, target: &str) -> Result<u64, StoreError> {
        Ok(self.inner()?.ledger.count(target))
    }

    /// Notes what is about to be done. Durable when it returns; the numbers are in the order of the intents.
    ///
    /// # Errors
    /// [`StoreError::Full`] before the disk really is: what is begun must also be concluded. Nothing may then be sent.
    pub fn intend(
        &self,
        target: &str,
        run: u64,
        intents: &[Intent],
    ) -> Result<Vec<OpId>, StoreError> {
        self.turn(target, Vec::new(), run, intents)
    }

    /// Notes how operations ended, durably, then moves the shadows. Settled marks of those that moved are void.
    ///
    /// # Errors
    /// When it cannot be made durable; after [`StoreError::Full`] the same conclusions may be given again.
    pub fn conclude(&self, target: &str, conclusions: Vec<Conclusion>) -> Result<(), StoreError> {
        self.turn::<Intent>(target, conclusions, 0, &[])
            .map(|_none| ())
    }

    /// As [`Self::conclude`] and then [`Self::intend`], made durable together.
    ///
    /// # Errors
    /// As both; if there is no space for what is to be begun, the conclusions are durable all the same.
    pub fn turn<I: Borrow<Intent> + Sync>(
        &self,
        target: &str,
        conclusions: Vec<Conclusion>,
        run: u64,
        intents: &[I],
    ) -> Result<Vec<OpId>, StoreError> {
        if conclusions.is_empty() && intents.is_empty() {
            return Ok(Vec::new());
        }
        let mut inner = self.inner()?;
        let space = match intents {
            [] => Ok(()),
            [_, ..] => files::require_space(&self.dir, RESERVE),
        };
        let intents = if space.is_ok() { intents } else { &[] };
        let first = inner.journal.mark().seq + 1;
        let (mut items, moves) = self.ended(&mut inner, target, first, conclusions)?;
        let next = first + items.len() as u64;
        let ops: Vec<OpId> = (next..).take(intents.len()).map(OpId).collect();
        items.extend(self.begun(target, run, &ops, intents)?);
        self.append(&mut inner, &items)?;
        // The journal is durable. The cache may fall behind if the power fails now; the next start replays what it lacks.
        for (key, payload) in moves.into_iter().flatten() {
            inner.behind.put(key, payload);
        }
        if inner.behind.is_much() {
            self.follow_later(&mut inner, Changes::default())?;
        }
        space.map(|()| ops)
    }

    /// The entries of intents.
    fn begun(
        &self,
        target: &str,
        run: u64,
        ops: &[OpId],
        intents: &[impl Borrow<Intent> + Sync],
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let pairs = ops.par_iter().zip(intents).with_min_len(TOGETHER);
        pairs
            .map(|(&op, intent)| entry::write(Head::Begun { target, op }, &(run, intent.borrow())))
            .collect::<Result<_, _>>()
            .map_err(|e| self.unencodable(e))
    }

    /// The entries of conclusions, and what they change in the cache.
    fn ended(
        &self,
        inner: &mut Inner,
        target: &str,
        first: u64,
        conclusions: Vec<Conclusion>,
    ) -> Result<Ended, StoreError> {
        let numbered: Vec<(u64, Conclusion)> = (first..).zip(conclusions).collect();
        if let Some(following) = inner.registers.get_mut(target) {
            for (generation, conclusion) in &numbered {
                following.note(&conclusion.anchor, *generation, &conclusion.shadow);
            }
        }
        let ended: Result<Vec<_>, _> = numbered
            .into_par_iter()
            .with_min_len(TOGETHER)
            .map(|(generation, conclusion)| ended(target, generation, conclusion))
            .collect();
        Ok(ended.map_err(|e| self.unencodable(e))?.into_iter().unzip())
    }

    /// Operations begun and not concluded, in the order in which they were begun.
    ///
    /// # Errors
    /// After a write that failed half way.
    pub fn open_intents(&self, target: &str) -> Result<Vec<(OpId, Intent)>, StoreError> {
        let unsound = |e| StoreError::damaged(&self.dir, format!("an open intent: {e}"));
        let bodies: Vec<(OpId, bool, Vec<u8>)> = {
            let inner = self.inner()?;
            let open = inner.ledger.open().iter();
            open.filter(|(_, open)| open.target == target)
                .map(|(&op, open)| {
                    let body = open.place.read(&self.dir, &inner.journal)?;
                    Ok((op, open.entitles, body))
                })
                .collect::<Result<_, StoreError>>()?
        };
        let intent = |(op, entitles, body): (OpId, bool, Vec<u8>)| {
            let intent = match entitles {
                true => self.entitling(target, &body)?,
                false => ledger::intent(&body).map_err(unsound)?.1,
            };
            Ok((op, intent))
        };
        bodies.into_iter().map(intent).collect()
    }

    /// Forgets the shadow of one identity, as an operator asked.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn forget(&self, target: &str, anchor: &Anchor) -> Result<(), StoreError> {
        let mut inner = self.inner()?;
        let head = Head::Forgotten {
            target,
            anchor: anchor.as_str(),
        };
        let item = entry::write(head, &()).map_err(|e| self.unencodable(e))?;
        if let Some(following) = inner.registers.get_mut(target) {
            following.forget(anchor);
        }
        self.append(&mut inner, &[item])?;
        let key = keys::by_anchor(Kind::Shadow, target, anchor);
        inner.behind.put(key, None);
        self.follow(&mut inner, Changes::default())
    }

    /// What is remembered of a target.
    ///
    /// # Errors
    /// When a staged plan cannot be read back.
    pub fn target_meta(&self, target: &str) -> Result<TargetMeta, StoreError> {
        let inner = self.inner()?;
        let mut meta = inner
            .ledger
            .metas()
            .get(target)
            .cloned()
            .unwrap_or_default();
        if let Some(bytes) = self.staged_bytes(&inner, target)? {
            meta.staged = entry::body::<Option<Plan>>(&bytes)
                .map_err(|e| StoreError::damaged(&self.dir, format!("a staged plan: {e}")))?;
        }
        Ok(meta)
    }

    /// Remembers it, durably. The staged plan is written only if it differs.
    ///
    /// # Errors
    /// When it cannot be made durable.
    pub fn set_target_meta(&self, target: &str, mut meta: TargetMeta) -> Result<(), StoreError> {
        let mut inner = self.inner()?;
        let mut items = Vec::new();
        let plan = meta.staged.take();
        let staged = codec::encode(&plan).map_err(|e| self.unencodable(e))?;
        let before = inner.ledger.staged().get(target);
        let same = match before {
            Some(before) => before.length == staged.len() && before.crc == crc32fast::hash(&staged),
            None => plan.is_none(),
        };
        if !same {
            items.push(
                entry::write(Head::Staged { target }, &plan).map_err(|e| self.unencodable(e))?,
            );
        }
        if inner.ledger.metas().get(target) != Some(&meta) {
            items
                .push(entry::write(Head::Meta { target }, &meta).map_err(|e| self.unencodable(e))?);
        }
        self.append(&mut inner, &items).map(|_first| ())
    }

    fn staged_bytes(&self, inner: &Inner, target: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(staged) = inner.ledger.staged().get(target) else {
            return Ok(None);
        };
        staged.read(&self.dir, &inner.journal).map(Some)
    }
}

/// A shadow as it is stored.
struct Stored<'a> {
    anchor: &'a Anchor,
    generation: u64,
    payload: Vec<u8>,
}

impl Stored<'_> {
    fn read(&self) -> Result<Shadow, CacheError> {
        shadow_of(&self.payload, self.generation, self.anchor.as_str())
    }
}

/// Journal entries of conclusions, and what each changes in the cache.
type Ended = (Vec<Vec<u8>>, Vec<Option<Change>>);

/// The journal entry of a conclusion, and what it changes in the cache.
fn ended(
    target: &str,
    generation: u64,
    conclusion: Conclusion,
) -> Result<(Vec<u8>, Option<Change>), CodecError> {
    let Conclusion {
        op,
        anchor,
        shadow,
        result,
    } = conclusion;
    let head = |moved| Head::Ended {
        target,
        op,
        anchor: anchor.as_str(),
        moved,
    };
    let key = keys::by_anchor(Kind::Shadow, target, &anchor);
    match shadow {
        ShadowMove::Put(mut shadow) => {
            // The key decides whose shadow it is.
            shadow.anchor = anchor.clone();
            let head = entry::head_bytes(head(Moved::Put))?;
            let start = head.len();
            let item = codec::encode_onto(head, &shadow)?;
            // The cache gets the very bytes that the journal has.
            let bytes = item.get(start..).ok_or(CodecError::Content)?;
            let payload = shadow_payload(generation, bytes);
            Ok((
                codec::encode_onto(item, &result)?,
                Some((key, Some(payload))),
            ))
        }
        ShadowMove::Remove => {
            let item = entry::write(head(Moved::Remove), &result)?;
            Ok((item, Some((key, None))))
        }
        ShadowMove::Keep => Ok((entry::write(head(Moved::Keep), &result)?, None)),
    }
}

/// A shadow from the cache, if it is the one that the journal says.
fn shadow_of(payload: &[u8], generation: u64, anchor: &str) -> Result<Shadow, CacheError> {
    let wrong = |what: &str| CacheError::Damaged(format!("the shadow of {anchor}: {what}"));
    let Some((found, bytes)) = payload.split_first_chunk::<8>() else {
        return Err(wrong("it is too short"));
    };
    if u64::from_le_bytes(*found) != generation {
        return Err(wrong("it is not the newest"));
    }
    let shadow: Shadow = codec::decode(bytes).map_err(content)?;
    if shadow.anchor.as_str() == anchor {
        Ok(shadow)
    } else {
        Err(wrong("it belongs to somebody else"))
    }
}

/// A record whose checksum is right and whose content is not.
pub(super) fn content(e: CodecError) -> CacheError {
    CacheError::Damaged(format!("a record: {e}"))
}
