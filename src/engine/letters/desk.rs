//! The outbox for an operator: what is in it, and trying again.

use super::outbox::{self, Posted, Standing};
use crate::engine::{EngineError, Session};

impl Session {
    /// Every letter in the outbox, in the order of their keys.
    ///
    /// # Errors
    /// When the store fails.
    pub fn letters(&self) -> Result<Vec<Posted>, EngineError> {
        Ok(outbox::read(&self.state, None)?)
    }

    /// Lets letters that wait or were given up be tried again at the next run; returns how many.
    ///
    /// # Errors
    /// When the store fails.
    pub fn retry_letters(&self) -> Result<usize, EngineError> {
        let now = self.clock.now();
        let mut letters = outbox::read(&self.state, None)?;
        letters.retain(|letter| !matches!(letter.standing, Standing::Handed { .. }));
        for letter in &mut letters {
            letter.since = now;
            letter.standing = Standing::Waiting {
                tries: 0,
                next: now,
                why: String::new(),
            };
        }
        outbox::write(&self.state, &letters.iter().collect::<Vec<_>>())?;
        Ok(letters.len())
    }
}
