//! When is somebody gone whom the directory no longer returns?
//!
//! Only complete reads count, and one alone proves nothing. The server that gave the read may be asked about whoever is newly
//! missing: "not there" counts like one more read, "there after all" takes away what the read proves of everybody, and
//! anything else says nothing. Who asks, and how many are asked about, is not decided here.

use std::collections::BTreeSet;

use super::situation::Presence;
use crate::model::{Anchor, Shortfall};

/// What the directory said of somebody missing when it was asked for that person alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// Nobody has this anchor, or somebody outside of what is searched.
    NotThere,
    /// The person is where the read should have found them.
    There,
    /// No answer, or none that can be understood.
    Nothing,
}

/// What asking again comes to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Again {
    /// Whose absence counts like one read more.
    pub confirmed: BTreeSet<Anchor>,
    /// What the read lacks, if somebody is there after all.
    pub contradicted: Option<Shortfall>,
}

/// Whether asking by anchor can tell more than the read did. Another server may simply not have heard of somebody yet; and
/// what a read lacks that is not complete needs no confirming.
#[must_use]
pub fn may_ask(complete: bool, same_server: bool) -> bool {
    complete && same_server
}

/// What the answers come to.
#[must_use]
pub fn weigh(answers: impl IntoIterator<Item = (Anchor, Said)>) -> Again {
    let mut again = Again::default();
    for (anchor, said) in answers {
        match said {
            Said::NotThere => {
                again.confirmed.insert(anchor);
            }
            Said::There => {
                let shortfall = Shortfall::Contradicted(anchor.to_string());
                again.contradicted.get_or_insert(shortfall);
            }
            Said::Nothing => {}
        }
    }
    again
}

/// From how many complete reads in a row somebody is missing after one more, at the most `confirm`.
#[must_use]
pub fn missed(before: u8, confirmed: bool, confirm: u8) -> u8 {
    let now = before.saturating_add(1 + u8::from(confirmed)).min(confirm);
    before.max(now)
}

/// Whether anything can be said of somebody who is missing from the last read, which was complete or not. What two
/// complete reads said before stays said.
#[must_use]
pub fn is_proven(missed: u8, complete: bool) -> bool {
    missed > 1 || (missed == 1 && complete)
}

/// How somebody appears whom the last read did not return. A look by anchor counts among `missed`.
#[must_use]
pub fn presence(missed: u8, complete: bool, confirm: u8) -> Presence {
    if !is_proven(missed, complete) {
        Presence::Unproven
    } else if missed >= confirm {
        Presence::Gone
    } else {
        Presence::Missing {
            reads: missed,
            more: confirm - missed,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said() -> impl Strategy<Value = Said> {
        prop::sample::select(vec![Said::NotThere, Said::There, Said::Nothing])
    }

    proptest! {
        /// Whatever the history of reads without somebody: gone takes a complete read that nothing contradicts, and as
        /// many as configured, of which looks by anchor are at most one each; once gone, it stays so until they are seen.
        #[test]
        fn nobody_is_gone_without_the_evidence_that_is_asked_for(
            reads in prop::collection::vec((any::<bool>(), any::<bool>(), prop::option::of(said())), 0..8),
            confirm in 1..6_u8,
        ) {
            let person = Anchor::new("00000000-0000-4000-8000-000000000001").unwrap();
            let (mut count, mut complete_reads, mut looks) = (0, 0, 0);
            let mut was_gone = false;
            for (complete, same_server, asked) in reads {
                let asked = asked.filter(|_| may_ask(complete, same_server) && count == 0);
                let again = weigh(asked.map(|said| (person.clone(), said)));
                let whole = complete && again.contradicted.is_none();
                if whole {
                    let confirmed = again.confirmed.contains(&person);
                    complete_reads += 1_u8;
                    looks += u8::from(confirmed);
                    count = missed(count, confirmed, confirm);
                }
                let seen = presence(count, whole, confirm);
                let gone = seen == Presence::Gone;
                prop_assert!(!gone || complete_reads > 0);
                prop_assert!(!gone || complete_reads + looks >= confirm);
                prop_assert!(looks <= 1, "asked when newly missing only");
                if whole {
                    prop_assert_eq!(gone, complete_reads + looks >= confirm);
                    prop_assert!(seen != Presence::Unproven);
                } else if confirm > 1 {
                    prop_assert!(gone == was_gone, "only a complete read can change it");
                }
                was_gone = gone;
            }
        }
    }

    #[test]
    fn one_who_is_there_speaks_for_everybody() {
        let anchor = |n: u8| Anchor::new(&format!("00000000-0000-4000-8000-{n:012}")).unwrap();
        let again = weigh([
            (anchor(1), Said::NotThere),
            (anchor(2), Said::There),
            (anchor(3), Said::Nothing),
        ]);
        assert_eq!(again.confirmed, BTreeSet::from([anchor(1)]));
        let whom = Shortfall::Contradicted(anchor(2).to_string());
        assert_eq!(again.contradicted, Some(whom));
        assert_eq!(weigh([]), Again::default());
    }
}
