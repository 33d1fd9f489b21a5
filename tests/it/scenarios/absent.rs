//! Reads that did not return somebody, and what came of asking for them.

use provost::model::{Anchor, Shortfall};
use provost::reconcile::Presence;
use provost::reconcile::absence::{self, Said};
use serde::Deserialize;

/// One read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Lack {
    #[serde(default = "super::given::yes")]
    complete: bool,
    /// Whether it is from the same server as the read before.
    #[serde(default = "super::given::yes")]
    same_server: bool,
    /// What this server says of the person: `not-there`, `there`, or nothing.
    #[serde(default)]
    says: Option<String>,
}

/// What the reads come to.
pub(super) struct Outcome {
    pub presence: Presence,
    /// What contradicts the last read.
    pub contradicted: Option<Shortfall>,
}

/// As the engine does: asked is only about who is newly missing.
pub(super) fn judge(anchor: &Anchor, lacks: &[Lack], confirm: u8) -> Outcome {
    let mut missed = 0;
    let mut outcome = Outcome {
        presence: Presence::Unproven,
        contradicted: None,
    };
    for lack in lacks {
        let asks = missed == 0 && absence::may_ask(lack.complete, lack.same_server);
        let said = match lack.says.as_deref() {
            Some("not-there") => Said::NotThere,
            Some("there") => Said::There,
            None => Said::Nothing,
            Some(other) => panic!("no such answer: {other}"),
        };
        let again = absence::weigh(asks.then(|| (anchor.clone(), said)));
        let whole = lack.complete && again.contradicted.is_none();
        if whole {
            missed = absence::missed(missed, again.confirmed.contains(anchor), confirm);
        }
        outcome = Outcome {
            presence: absence::presence(missed, whole, confirm),
            contradicted: again.contradicted,
        };
    }
    outcome
}
