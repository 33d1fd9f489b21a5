//! Passwords that nobody will be told any more: they are discarded, and that is written down.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::outbox::{self, Posted, Standing};
use crate::engine::orders::discarded;
use crate::engine::{EngineError, Session};
use crate::store::{Label, Purpose};

/// For so long after a letter was given up its password is kept for another try.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Discards the passwords of letters that were given up long ago, and what a crash kept from being forgotten after it was
/// handed over.
pub(super) fn leftovers(
    session: &Session,
    letters: &mut [Posted],
    now: Timestamp,
) -> Result<(), EngineError> {
    let Some(vault) = &session.vault else {
        return Ok(());
    };
    let told = |label: &Label| matches!(label.purpose, Purpose::Initial | Purpose::Temporary);
    let sealed: BTreeSet<Label> = vault.labels()?.into_iter().filter(told).collect();
    if sealed.is_empty() {
        return Ok(());
    }
    for letter in letters {
        let Some(label) = letter.spent().filter(|label| sealed.contains(label)) else {
            continue;
        };
        let (at, why) = match &letter.standing {
            Standing::Waiting { .. } => continue,
            Standing::Handed { .. } => {
                vault.forget(&[label])?;
                continue;
            }
            Standing::GivenUp { at, why } if now.duration_since(*at) >= KEPT => (at, why),
            Standing::GivenUp { .. } => continue,
        };
        let reason = format!("the letter \"{}\" was given up at {at}: {why}", letter.kind);
        // Written down first: what is discarded twice is harmless, what is not written down is not.
        session.note(discarded(letter, &reason, now))?;
        vault.forget(&[label])?;
        letter.standing = Standing::GivenUp {
            at: *at,
            why: format!(
                "{why}; its password was discarded at {now}, so the person needs a new one, set in the application or by suspending and resuming them"
            ),
        };
        outbox::write(&session.state, &[letter])?;
    }
    Ok(())
}
