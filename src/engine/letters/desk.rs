//! The outbox for an operator: what is in it, trying again, and when the next letter is due.

use jiff::Timestamp;

use super::outbox::{self, Posted, Standing};
use crate::engine::{EngineError, Session};
use crate::model::LetterKind;

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

    /// The next moment at which a letter is to be sent: one that waits, or a warning before a window closes.
    ///
    /// # Errors
    /// When the store fails.
    pub fn next_letter(&self) -> Result<Option<Timestamp>, EngineError> {
        let letters = outbox::read(&self.state, None)?;
        let mut moments: Vec<Timestamp> = letters
            .iter()
            .filter_map(|letter| match letter.standing {
                Standing::Waiting { next, .. } => Some(next),
                Standing::Handed { .. } | Standing::GivenUp { .. } => None,
            })
            .collect();
        for target in &self.config.targets {
            let delivery = self.config.delivery.as_ref();
            let rule = delivery.and_then(|d| d.letters.rule(LetterKind::ClosingSoon, &target.name));
            let Some(rule) = rule.filter(|_| !target.access.is_empty()) else {
                continue;
            };
            let now = self.clock.now();
            let settled = self.state.settled(&target.name)?.into_values();
            let warnings = settled
                .filter_map(|settled| Timestamp::from_second(settled.due?).ok())
                .filter_map(|at| at.checked_sub(rule.lead).ok())
                .filter(|at| *at > now);
            moments.extend(warnings.min());
        }
        Ok(moments.into_iter().min())
    }
}
