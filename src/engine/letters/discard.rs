//! Passwords that nobody will be told any more: they are discarded, and that is written down.

use jiff::{SignedDuration, Timestamp};

use super::outbox::{self, Posted, Standing};
use crate::engine::orders::discarded;
use crate::engine::{EngineError, Session};

/// For so long after a letter was given up its password is kept for another try.
const KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Discards the passwords of letters that were given up long ago.
pub(super) fn long_given_up(
    session: &Session,
    letters: &mut [Posted],
    now: Timestamp,
) -> Result<(), EngineError> {
    let Some(vault) = &session.vault else {
        return Ok(());
    };
    let over = |letter: &Posted| match letter.standing {
        Standing::GivenUp { at, .. } => now.duration_since(at) >= KEPT && letter.spent().is_some(),
        Standing::Waiting { .. } | Standing::Handed { .. } => false,
    };
    if !letters.iter().any(over) {
        return Ok(());
    }
    let sealed = vault.labels()?;
    for letter in letters.iter_mut().filter(|letter| over(letter)) {
        let Some(label) = letter.spent().filter(|label| sealed.contains(label)) else {
            continue;
        };
        let Standing::GivenUp { at, why } = &letter.standing else {
            continue;
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
