//! Passwords of our own making on their way to an application: sealed and read back before their intent is journaled,
//! the same value again after a call whose outcome is unknown, forgotten once nobody needs them.
//!
//! What a password is for follows from the change; when one is needed is decided by the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;

use super::handover::{HANDOVER, Handover};
use super::secret;
use crate::model::{
    Action, Anchor, Change, CredentialMode, How, Life, Password, PasswordState, PasswordStep,
    Shadow,
};
use crate::reconcile::password::PasswordPolicy;
use crate::store::{DocumentWrite, Label, Purpose, State, StoreError, Vault};

/// How passwords are made and sealed for one target.
#[derive(Clone)]
pub(super) struct Passwords {
    pub target: Arc<str>,
    pub mode: CredentialMode,
    pub policy: PasswordPolicy,
    pub vault: Option<Arc<Vault>>,
}

/// A password that is sealed and may be sent, or why there is none.
pub(super) type Prepared = Option<Result<SecretString, String>>;

/// What carrying out a change does to the password now: the first step of a procedure counts.
pub(super) fn step_of(change: &Change) -> Option<PasswordStep> {
    match &change.action {
        Action::Create | Action::Update => change.password,
        Action::Suspend(steps) | Action::Reactivate(steps) => match steps.first() {
            Some(How::FuzzPassword) => change.password,
            Some(
                How::Deactivate
                | How::BlockLogin
                | How::RemoveEntitlements
                | How::RevokeSessions
                | How::Reassign(_),
            )
            | None => None,
        },
        Action::Delete | Action::Link | Action::Entitle => None,
    }
}

/// What is known about the password once the application has confirmed it.
pub(super) fn confirmed(step: PasswordStep, before: Password, mode: CredentialMode) -> Password {
    let next = before.generation + 1;
    let managed = mode == CredentialMode::Managed;
    match step {
        PasswordStep::Initial if managed => Password {
            state: PasswordState::Managed,
            generation: next,
            kept: Some(next),
            told: true,
        },
        PasswordStep::Initial | PasswordStep::Temporary => Password {
            state: PasswordState::Issued,
            generation: next,
            kept: None,
            told: true,
        },
        PasswordStep::Fuzz => Password {
            state: PasswordState::Fuzzed,
            generation: next,
            kept: before.kept.or(managed.then_some(next)),
            told: before.told && before.kept.is_some(),
        },
        PasswordStep::Restore => Password {
            state: PasswordState::Managed,
            generation: if before.kept.is_some() {
                before.generation
            } else {
                next
            },
            kept: before.kept.or(Some(next)),
            told: true,
        },
    }
}

/// What is known after the application refused a password: the next one is another.
pub(super) fn refused(step: PasswordStep, before: Password) -> Password {
    Password {
        generation: before.generation + 1,
        // An application that remembers passwords may never take the kept one again.
        kept: before.kept.filter(|_| step != PasswordStep::Restore),
        ..before
    }
}

impl Passwords {
    /// Seals what these changes are about to set, with one write to the disk, and reads it back.
    ///
    /// # Errors
    /// When the journal fails. What fails for a person, or for all because the vault does, is said in their place.
    pub(super) fn prepare(
        &self,
        changes: &[Arc<Change>],
        befores: &[Option<Box<Shadow>>],
        state: &State,
    ) -> Result<Vec<Prepared>, StoreError> {
        let mut making = Making::default();
        let wanted: Vec<_> = changes
            .iter()
            .zip(befores)
            .map(|(change, before)| {
                let step = step_of(change)?;
                let before = before.as_ref().map(|shadow| shadow.password);
                Some(self.want(
                    &change.anchor,
                    step,
                    before.unwrap_or_default(),
                    &mut making,
                ))
            })
            .collect();
        if wanted.iter().all(Option::is_none) {
            return Ok(wanted.iter().map(|_| None).collect());
        }
        let sealed = match &self.vault {
            Some(vault) => vault.seal_all(&making.new).map_err(|e| e.to_string()),
            None => Err(NO_VAULT.to_owned()),
        };
        if sealed.is_ok() && !making.handovers.is_empty() {
            let writes: Vec<_> = making
                .handovers
                .iter()
                .map(|(key, handover)| DocumentWrite {
                    kind: HANDOVER,
                    key,
                    value: Some(handover),
                })
                .collect();
            state.set_documents(&writes)?;
        }
        Ok(wanted
            .into_iter()
            .map(|one| one.map(|one| sealed.clone().and(one)))
            .collect())
    }

    /// The password for one step: the sealed one if there is one already, else a new one that `making` will seal.
    fn want(
        &self,
        anchor: &Anchor,
        step: PasswordStep,
        before: Password,
        making: &mut Making,
    ) -> Result<SecretString, String> {
        let label = |purpose, generation| Label {
            target: self.target.to_string(),
            anchor: anchor.clone(),
            purpose,
            generation,
        };
        let next = before.generation + 1;
        let managed = self.mode == CredentialMode::Managed;
        if step == PasswordStep::Fuzz && managed {
            // Before anything is taken away: what gives it back must be there, and must open.
            let kept = label(Purpose::Managed, before.kept.unwrap_or(next));
            match self.reveal(&kept)? {
                None if before.kept.is_some() => return Err(lost(&kept)),
                None => drop(self.make(kept, making)?),
                Some(_) => {}
            }
        }
        let (label, tell) = match step {
            PasswordStep::Initial if managed => (label(Purpose::Managed, next), true),
            PasswordStep::Initial => (label(Purpose::Initial, next), true),
            PasswordStep::Temporary => (label(Purpose::Temporary, next), true),
            PasswordStep::Fuzz => (label(Purpose::Fuzz, next), false),
            PasswordStep::Restore => {
                let kept = label(Purpose::Managed, before.kept.unwrap_or(next));
                (kept, !before.told || before.kept.is_none())
            }
        };
        let key = format!("{}/{anchor}", self.target);
        let handover = Handover {
            label: label.clone(),
            step,
        };
        let secret = match self.reveal(&label)? {
            Some(secret) => secret,
            None if step == PasswordStep::Restore && before.kept.is_some() => {
                return Err(lost(&label));
            }
            None => self.make(label, making)?,
        };
        if tell {
            making.handovers.insert(key, handover);
        }
        Ok(secret)
    }

    fn make(&self, label: Label, making: &mut Making) -> Result<SecretString, String> {
        let secret = secret::password(&self.policy).map_err(|e| e.to_string())?;
        making.new.push((label, secret.clone()));
        Ok(secret)
    }

    fn reveal(&self, label: &Label) -> Result<Option<SecretString>, String> {
        let vault = self.vault.as_ref().ok_or_else(|| NO_VAULT.to_owned())?;
        vault.reveal(label).map_err(|e| e.to_string())
    }

    /// The passwords that nobody needs any more once a change is recorded.
    pub(super) fn spent(&self, change: &Change, generation: u64) -> Option<Label> {
        (step_of(change)? == PasswordStep::Fuzz).then(|| Label {
            target: self.target.to_string(),
            anchor: change.anchor.clone(),
            purpose: Purpose::Fuzz,
            generation,
        })
    }

    /// Forgets fuzzed passwords that were confirmed. What a crash keeps from being forgotten is forgotten the next time.
    pub(super) fn forget(&self, labels: &[Label]) {
        let Some(vault) = &self.vault else { return };
        if !labels.is_empty()
            && let Err(error) = vault.forget(labels)
        {
            tracing::error!(target_name = &*self.target, %error, "a fuzzed password could not be forgotten");
        }
    }

    /// Forgets what a crash kept from being forgotten: fuzzed passwords that were confirmed, and first and temporary ones
    /// in whose place there is another. And kept ones that were refused, or are followed by another that is in force.
    pub(super) fn sweep(&self, state: &State) -> Result<(), StoreError> {
        let Some(vault) = &self.vault else {
            return Ok(());
        };
        let mut spent = Vec::new();
        let mut labels = vault.labels()?;
        labels.retain(|label| *label.target == *self.target);
        // Whoever has but one kept password needs it: these are nearly all, and are not looked at.
        let mut kept: BTreeMap<Anchor, usize> = BTreeMap::new();
        for label in labels.iter().filter(|l| l.purpose == Purpose::Managed) {
            *kept.entry(label.anchor.clone()).or_default() += 1;
        }
        for label in labels {
            let others = kept.get(&label.anchor).is_some_and(|number| *number > 1);
            if label.purpose == Purpose::Managed && !others {
                continue;
            }
            let shadow = state.shadow(&self.target, &label.anchor)?;
            let known = shadow.as_ref().filter(|shadow| shadow.life == Life::Live);
            let known = known.map(|shadow| shadow.password);
            let reached = shadow.map(|shadow| shadow.password.generation);
            let over = match label.purpose {
                Purpose::Fuzz => reached.is_none_or(|reached| reached >= label.generation),
                Purpose::Initial | Purpose::Temporary => {
                    reached.is_some_and(|reached| reached > label.generation)
                }
                Purpose::Managed => known.is_some_and(|now| is_superseded(label.generation, now)),
            };
            if over {
                spent.push(label);
            }
        }
        self.forget(&spent);
        Ok(())
    }
}

/// Whether a kept password can neither be in force nor ever be set again: one after it was confirmed, or one after it was
/// refused like itself. The last one that was refused stays, in case the application took it all the same.
fn is_superseded(generation: u64, now: Password) -> bool {
    match (now.kept, now.state) {
        (Some(kept), PasswordState::Managed) => generation < kept,
        (None, PasswordState::Pending | PasswordState::Fuzzed) => generation < now.generation,
        (Some(_) | None, _) => false,
    }
}

const NO_VAULT: &str =
    "there is no vault to seal a password in; name its key under [secrets] in the configuration";

fn lost(label: &Label) -> String {
    format!(
        "the sealed password {label} is not in the vault any more; nothing was sent. Look at `provost secrets verify`, and restore the vault from a backup"
    )
}

/// What is to be sealed together.
#[derive(Default)]
struct Making {
    new: Vec<(Label, SecretString)>,
    handovers: BTreeMap<String, Handover>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Password = Password {
        state: PasswordState::Unknown,
        generation: 0,
        kept: None,
        told: false,
    };

    #[test]
    fn a_managed_password_is_kept_through_fuzz_and_restore() {
        let mode = CredentialMode::Managed;
        let first = confirmed(PasswordStep::Initial, NEW, mode);
        assert_eq!((first.kept, first.told), (Some(1), true));
        let fuzzed = confirmed(PasswordStep::Fuzz, first, mode);
        assert_eq!((fuzzed.generation, fuzzed.kept), (2, Some(1)));
        let back = confirmed(PasswordStep::Restore, fuzzed, mode);
        assert_eq!((back.generation, back.kept), (2, Some(1)));
        assert_eq!(back.state, PasswordState::Managed);
    }

    #[test]
    fn who_was_never_told_the_kept_one_is_told_when_it_is_set() {
        let mode = CredentialMode::Managed;
        let fuzzed = confirmed(PasswordStep::Fuzz, NEW, mode);
        assert_eq!((fuzzed.kept, fuzzed.told), (Some(1), false));
        let refused = refused(PasswordStep::Restore, fuzzed);
        assert_eq!((refused.kept, refused.generation), (None, 2));
        let back = confirmed(PasswordStep::Restore, refused, mode);
        assert_eq!((back.kept, back.generation, back.told), (Some(3), 3, true));
    }

    #[test]
    fn a_kept_password_is_forgotten_when_another_is_in_force_and_not_before() {
        let mode = CredentialMode::Managed;
        let pending = Password {
            state: PasswordState::Pending,
            ..NEW
        };
        let once = refused(PasswordStep::Initial, pending);
        // It was refused last, or was just sealed for the next try.
        assert!(!is_superseded(1, once) && !is_superseded(2, once));
        let twice = refused(PasswordStep::Initial, once);
        assert!(is_superseded(1, twice) && !is_superseded(2, twice));
        let first = confirmed(PasswordStep::Initial, twice, mode);
        assert!(is_superseded(2, first) && !is_superseded(3, first));
        let fuzzed = confirmed(PasswordStep::Fuzz, first, mode);
        assert!((0..9).all(|one| !is_superseded(one, fuzzed)));
        let no = refused(PasswordStep::Restore, fuzzed);
        assert!(is_superseded(3, no) && !is_superseded(5, no) && !is_superseded(6, no));
        let back = confirmed(PasswordStep::Restore, no, mode);
        assert_eq!(back.kept, Some(6));
        assert!(is_superseded(5, back) && !is_superseded(6, back) && !is_superseded(7, back));
        // Nothing is known of a person's own password, nor of one that they may have changed since.
        let issued = confirmed(PasswordStep::Temporary, fuzzed, CredentialMode::Reset);
        assert!((0..9).all(|one| !is_superseded(one, NEW) && !is_superseded(one, issued)));
    }

    #[test]
    fn what_was_refused_is_not_sent_again() {
        let again = refused(PasswordStep::Temporary, NEW);
        assert_eq!(again.generation, 1);
        assert_eq!(again.state, NEW.state);
    }
}
