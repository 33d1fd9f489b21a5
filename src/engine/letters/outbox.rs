//! The outbox: letters that wait, were handed over or were given up, as documents of the state.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::{Anchor, LetterKind};
use crate::store::{DocumentWrite, Label, Purpose, State, StoreError};

/// The kind of these documents.
const KIND: &str = "letter";
/// Pauses between tries, in minutes; the last one is repeated.
const PAUSES: [i64; 6] = [1, 5, 15, 60, 6 * 60, 24 * 60];
/// For so long it is remembered what became of a letter.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Where a letter stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Standing {
    /// It is sent at the next occasion after `next`.
    Waiting {
        /// Tries so far.
        tries: u32,
        /// Not before this moment.
        next: Timestamp,
        /// Why the last try failed.
        why: String,
    },
    /// The receiver has it. It is never sent again.
    Handed {
        /// Since when.
        at: Timestamp,
    },
    /// It is not tried again unless a person says so.
    GivenUp {
        /// Since when.
        at: Timestamp,
        /// Why.
        why: String,
    },
}

/// One letter. What it says is made when it is sent; a password is in the vault only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Posted {
    /// Which letter.
    pub kind: LetterKind,
    /// The application.
    pub target: String,
    /// Whom it is about.
    pub anchor: Anchor,
    /// Their name.
    pub person: String,
    /// Where the password is sealed that it tells.
    pub label: Option<Label>,
    /// The moment that it warns of.
    pub closes: Option<Timestamp>,
    /// When it was written; part of its id.
    pub written: Timestamp,
    /// Since when it is tried; giving up counts from here.
    pub since: Timestamp,
    /// The address of the last try.
    pub to: String,
    /// Where it stands.
    pub standing: Standing,
}

impl Posted {
    /// A new letter, to be sent at once.
    pub(super) fn new(kind: LetterKind, person: String, about: About, now: Timestamp) -> Self {
        let (target, anchor, label, closes) = match about {
            About::Password(label) => (
                label.target.clone(),
                label.anchor.clone(),
                Some(label),
                None,
            ),
            About::Closing(target, anchor, at) => (target, anchor, None, Some(at)),
        };
        Self {
            kind,
            target,
            anchor,
            person,
            label,
            closes,
            written: now,
            since: now,
            to: String::new(),
            standing: Standing::Waiting {
                tries: 0,
                next: now,
                why: String::new(),
            },
        }
    }

    /// The key of the document: one letter for each password, and for each moment that is warned of.
    #[must_use]
    pub fn key(&self) -> String {
        let about = match (&self.label, self.closes) {
            (Some(label), _) => format!("{}/{}", label.purpose, label.generation),
            (None, Some(at)) => format!("{}/{}", self.kind, at.as_second()),
            (None, None) => self.kind.to_string(),
        };
        format!("{}/{}/{about}", self.target, self.anchor)
    }

    /// Stays the same however often the letter is sent. Tells nothing about the person.
    #[must_use]
    pub fn id(&self) -> String {
        let mut hash = Sha256::new_with_prefix(b"provost letter");
        hash.update(self.key().as_bytes());
        hash.update(self.written.as_second().to_le_bytes());
        let digest = hash.finalize();
        digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
    }

    /// Whether it is to be sent now.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        matches!(self.standing, Standing::Waiting { next, .. } if next <= now)
    }

    /// How often it was tried in vain.
    #[must_use]
    pub fn tries(&self) -> u32 {
        match self.standing {
            Standing::Waiting { tries, .. } => tries,
            Standing::Handed { .. } | Standing::GivenUp { .. } => 0,
        }
    }

    /// Whether it still waits.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.standing, Standing::Waiting { .. })
    }

    /// After a try that may be repeated.
    pub(super) fn failed(&mut self, why: String, now: Timestamp, give_up: SignedDuration) {
        let tries = match &self.standing {
            Standing::Waiting { tries, .. } => tries.saturating_add(1),
            Standing::Handed { .. } | Standing::GivenUp { .. } => 1,
        };
        if now.duration_since(self.since) >= give_up {
            self.give_up(why, now);
            return;
        }
        let at = (tries as usize).saturating_sub(1).min(PAUSES.len() - 1);
        let pause = SignedDuration::from_mins(PAUSES.get(at).copied().unwrap_or(1440));
        self.standing = Standing::Waiting {
            tries,
            next: now.checked_add(pause).unwrap_or(now),
            why,
        };
    }

    /// It is not tried again.
    pub(super) fn give_up(&mut self, why: String, now: Timestamp) {
        self.standing = Standing::GivenUp { at: now, why };
    }

    /// The sealed password, if nobody needs it once the letter is done with: a managed one is still needed.
    pub(super) fn spent(&self) -> Option<Label> {
        let label = self.label.as_ref()?;
        match label.purpose {
            Purpose::Initial | Purpose::Temporary => Some(label.clone()),
            Purpose::Managed | Purpose::Fuzz => None,
        }
    }
}

/// What a letter tells.
pub(super) enum About {
    /// A sealed password.
    Password(Label),
    /// That access ends: target, person, moment.
    Closing(String, Anchor, Timestamp),
}

/// Every letter, of one target or of all.
pub(super) fn read(state: &State, target: Option<&str>) -> Result<Vec<Posted>, StoreError> {
    let all = state.documents::<Posted>(KIND)?.into_iter();
    Ok(all
        .map(|(_, letter)| letter)
        .filter(|letter| target.is_none_or(|target| letter.target == target))
        .collect())
}

/// Whether there is such a letter already.
pub(super) fn has(state: &State, letter: &Posted) -> Result<bool, StoreError> {
    Ok(state.document::<Posted>(KIND, &letter.key())?.is_some())
}

/// Makes where letters stand durable.
pub(super) fn write(state: &State, letters: &[&Posted]) -> Result<(), StoreError> {
    let keys: Vec<String> = letters.iter().map(|letter| letter.key()).collect();
    let writes: Vec<_> = keys
        .iter()
        .zip(letters)
        .map(|(key, letter)| DocumentWrite {
            kind: KIND,
            key,
            value: Some(*letter),
        })
        .collect();
    state.set_documents(&writes)
}

/// Forgets what became of letters long ago.
pub(super) fn tidy(state: &State, letters: &[Posted], now: Timestamp) -> Result<(), StoreError> {
    let old = |letter: &&Posted| match letter.standing {
        Standing::Waiting { .. } => false,
        Standing::Handed { at } | Standing::GivenUp { at, .. } => {
            now.duration_since(at) > REMEMBERED
        }
    };
    let keys: Vec<String> = letters.iter().filter(old).map(Posted::key).collect();
    let writes: Vec<_> = keys
        .iter()
        .map(|key| DocumentWrite::<Posted> {
            kind: KIND,
            key,
            value: None,
        })
        .collect();
    if writes.is_empty() {
        return Ok(());
    }
    state.set_documents(&writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Posted {
        let label = Label {
            target: "crm".to_owned(),
            anchor: Anchor::new("a").unwrap(),
            purpose: Purpose::Initial,
            generation: 3,
        };
        let now = Timestamp::UNIX_EPOCH;
        Posted::new(
            LetterKind::Welcome,
            "Ann".to_owned(),
            About::Password(label),
            now,
        )
    }

    #[test]
    fn the_id_stays_the_same_and_names_nobody() {
        let mut one = letter();
        let id = one.id();
        assert_eq!(one.key(), "crm/a/initial/3");
        one.failed(
            "busy".to_owned(),
            Timestamp::UNIX_EPOCH,
            SignedDuration::from_hours(1),
        );
        assert_eq!(one.id(), id);
        assert_eq!(id.len(), 32);
        let later = Posted {
            written: Timestamp::from_second(1).unwrap(),
            ..letter()
        };
        assert_ne!(later.id(), id);
    }

    #[test]
    fn pauses_grow_and_end() {
        let give_up = SignedDuration::from_hours(72);
        let mut one = letter();
        let mut now = Timestamp::UNIX_EPOCH;
        let mut pauses = Vec::new();
        while let Standing::Waiting { next, .. } = one.standing {
            pauses.push(next.duration_since(now).as_mins());
            now = next;
            one.failed("busy".to_owned(), now, give_up);
        }
        assert_eq!(pauses, [0, 1, 5, 15, 60, 360, 1440, 1440, 1440]);
        assert!(matches!(one.standing, Standing::GivenUp { .. }));
    }
}
