//! Keeps in memory what a look at a few people finds.

use crate::model::{Anchor, EntryProblem, Fingerprint, Identity, Sieve};

/// Takes identities for a lookup: everything is new to it.
#[derive(Debug, Default)]
pub(super) struct Tray {
    pub identities: Vec<Identity>,
    pub problems: Vec<EntryProblem>,
}

impl Sieve for Tray {
    fn is_unchanged(&mut self, _anchor: &Anchor, _fingerprint: Fingerprint) -> bool {
        false
    }

    fn had_groups(&mut self, _anchor: &Anchor) -> bool {
        true
    }

    fn accept(&mut self, identity: Identity, _fingerprint: Fingerprint) {
        self.identities.push(identity);
    }

    fn reject(&mut self, problem: EntryProblem) {
        self.problems.push(problem);
    }
}
