//! What was last confirmed of the people to decide about, and of everybody together.

use std::collections::{BTreeMap, BTreeSet};

use rayon::iter::{Either, IndexedParallelIterator, IntoParallelIterator as _, repeat_n};

use super::EngineError;
use super::gather::{Due, Inputs};
use crate::model::{Anchor, Shadow};
use crate::reconcile::{Register, name_of};
use crate::store::RegisterRow;

/// If more than one person in so many is decided about, reading all shadows in a row is cheaper than reading each.
const MANY: u64 = 4;
/// The shadows of the people to decide about, and what all shadows of the target say together.
#[derive(Default)]
pub(super) struct Shadows {
    pub by_anchor: BTreeMap<Anchor, Shadow>,
    pub register: Register,
}

impl Shadows {
    /// Reads the shadows of these people at least; all of them if they are many anyway, or if everybody is asked for.
    pub(super) fn read(
        inputs: &Inputs<'_>,
        due: &[Due<'_>],
        everybody: bool,
    ) -> Result<Self, EngineError> {
        let (state, target) = (inputs.state, &inputs.spec.name);
        let mut all = Self::default();
        if everybody || due.len() as u64 > state.shadow_count(target)? / MANY {
            state.shadows(target, &mut |shadow| {
                all.by_anchor.insert(shadow.anchor.clone(), shadow);
            })?;
        } else {
            for (anchor, ..) in due {
                if let Some(shadow) = state.shadow(target, anchor)? {
                    all.by_anchor.insert(anchor.clone(), shadow);
                }
            }
        }
        let rules = inputs.spec.mapping.rules().iter();
        let unique: Vec<String> = rules.filter(|r| r.unique).map(|r| r.name.clone()).collect();
        let resolved: BTreeSet<&Anchor> = inputs.recovered.iter().map(|r| &r.anchor).collect();
        state.register(target, &unique, &mut |anchor, row| {
            if !resolved.contains(&anchor) {
                all.enter(&anchor, &row, &unique);
            }
        })?;
        for found in inputs.recovered {
            match &found.shadow {
                Some(shadow) => all.by_anchor.insert(found.anchor.clone(), shadow.clone()),
                None => all.by_anchor.remove(&found.anchor),
            };
        }
        // An account can have more than one unfinished operation; what the last one found is the truth for all.
        for anchor in resolved {
            if let Some(shadow) = all.by_anchor.get(anchor) {
                let row = RegisterRow::of(shadow, &unique);
                all.enter(anchor, &row, &unique);
            }
        }
        Ok(all)
    }

    /// Takes out the shadows of these people, in their order.
    pub(super) fn take_of(
        &mut self,
        due: &[Due<'_>],
    ) -> impl IndexedParallelIterator<Item = Option<Shadow>> + use<> {
        if self.by_anchor.is_empty() {
            return Either::Left(repeat_n(None, due.len()));
        }
        let taken = due.iter().map(|(anchor, ..)| self.by_anchor.remove(anchor));
        Either::Right(taken.collect::<Vec<_>>().into_par_iter())
    }

    /// Adds what one shadow says to what all say together.
    fn enter(&mut self, anchor: &Anchor, row: &RegisterRow, unique: &[String]) {
        let Some(account) = &row.account else {
            return;
        };
        let register = &mut self.register;
        register.owners.insert(account.clone(), anchor.clone());
        if row.buried {
            // It holds no name any more, and it is no part of what percentages are of.
            return;
        }
        register.managed += 1;
        for (name, value) in unique.iter().zip(&row.values) {
            if let Some(value) = value {
                let name = name_of(name, value);
                register.names.insert(name, anchor.clone());
            }
        }
    }
}
