//! Which steps take access away for which reason, as an administrator ordered them.

use std::collections::BTreeMap;

use crate::model::{How, SuspendReason, Suspensions};

/// The ordered steps of a suspension, by reason.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Procedures {
    /// For reasons without steps of their own.
    pub default: Vec<How>,
    /// For single reasons.
    pub by_reason: BTreeMap<SuspendReason, Vec<How>>,
}

impl Procedures {
    /// The same steps for every reason.
    #[must_use]
    pub fn always(steps: Vec<How>) -> Self {
        Self {
            default: steps,
            by_reason: BTreeMap::new(),
        }
    }

    /// The steps for one reason.
    #[must_use]
    pub fn of(&self, reason: SuspendReason) -> &[How] {
        self.by_reason.get(&reason).unwrap_or(&self.default)
    }

    /// The steps for several reasons at once: those of the strongest reason first, then what the others add, none twice.
    /// A shut access window adds nothing to what another reason asks for.
    #[must_use]
    pub fn of_all(&self, reasons: &Suspensions) -> Vec<How> {
        let mut steps: Vec<How> = Vec::new();
        let alone = reasons.len() == 1;
        for reason in reasons {
            if *reason == SuspendReason::AccessWindow && !alone {
                continue;
            }
            for how in self.of(*reason) {
                if !steps.contains(how) {
                    steps.push(how.clone());
                }
            }
        }
        steps
    }

    /// Every procedure with the reason it is for; `None` is the default.
    pub fn each(&self) -> impl Iterator<Item = (Option<SuspendReason>, &[How])> {
        let own = self.by_reason.iter();
        std::iter::once((None, self.default.as_slice()))
            .chain(own.map(|(reason, steps)| (Some(*reason), steps.as_slice())))
    }

    /// Whether some procedure has a step that satisfies this.
    #[must_use]
    pub fn any(&self, is: impl Fn(&How) -> bool) -> bool {
        self.each().any(|(_, steps)| steps.iter().any(&is))
    }
}

/// Who gets the work of people whose access is taken away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeirRule {
    /// The directory attribute that names the heir by DN, in lower case.
    pub attribute: String,
    /// The account that gets it where that attribute leads to no usable account.
    pub fallback: Option<crate::model::AccountId>,
}

impl Default for HeirRule {
    fn default() -> Self {
        Self {
            attribute: "manager".to_owned(),
            fallback: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_reason_comes_first_and_nothing_twice() {
        use SuspendReason::{AccessWindow, Leaver, Operator};
        let quotes = How::Reassign("quotes".to_owned());
        let mut all = Procedures::always(vec![How::Deactivate]);
        all.by_reason.insert(AccessWindow, vec![How::BlockLogin]);
        all.by_reason.insert(
            Leaver,
            vec![How::FuzzPassword, quotes.clone(), How::Deactivate],
        );
        all.by_reason
            .insert(Operator, vec![How::RevokeSessions, How::Deactivate]);
        let of = |reasons: &[SuspendReason]| all.of_all(&reasons.iter().copied().collect());
        assert_eq!(of(&[AccessWindow]), [How::BlockLogin]);
        assert_eq!(of(&[SuspendReason::Expired]), [How::Deactivate]);
        let leaver = [How::FuzzPassword, quotes, How::Deactivate];
        assert_eq!(of(&[AccessWindow, Leaver]), leaver);
        let both = of(&[Operator, Leaver]);
        assert_eq!(both[..3], leaver);
        assert_eq!(both[3..], [How::RevokeSessions]);
        assert_eq!(of(&[]), []);
    }
}
