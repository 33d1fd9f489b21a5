//! What is done now and then, when nothing else goes on: the journal is summarised, overrides that are over are put away, and
//! once a day every sealed secret is opened, so that damage is known while there is a backup to mend it from.

use jiff::{SignedDuration, Timestamp};

use crate::engine::Session;
use crate::report::status::VaultStatus;

/// How often the journal and the overrides are looked at.
const OFTEN: SignedDuration = SignedDuration::from_mins(10);
/// How often the vault is.
const DAILY: SignedDuration = SignedDuration::from_hours(24);

/// When it was done last, and what was found.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    last: Option<Timestamp>,
    opened: Option<Timestamp>,
    /// What the last look into the vault found.
    pub vault: Option<VaultStatus>,
}

impl Upkeep {
    /// Does what is due.
    pub(super) fn look(&mut self, session: &Session, now: Timestamp) {
        if is_due(self.last, OFTEN, now) {
            self.last = Some(now);
            tidy(session);
        }
        if is_due(self.opened, DAILY, now) {
            self.opened = Some(now);
            self.vault = open(session, now);
        }
    }
}

fn is_due(last: Option<Timestamp>, every: SignedDuration, now: Timestamp) -> bool {
    last.is_none_or(|last| now.duration_since(last).abs() >= every)
}

fn tidy(session: &Session) {
    if let Err(error) = session.prune_overrides() {
        tracing::error!(%error, "overrides that are over could not be put away");
    }
    match tokio::task::block_in_place(|| session.state.compact_if_due()) {
        Ok(Some((before, after))) => {
            tracing::info!(before, after, "the journal was summarised");
        }
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "the journal could not be summarised"),
    }
}

/// Opens every sealed secret.
fn open(session: &Session, now: Timestamp) -> Option<VaultStatus> {
    let vault = session.vault.as_ref()?;
    let mut status = VaultStatus {
        verified: now,
        secrets: 0,
        old_key: false,
        problems: Vec::new(),
    };
    match tokio::task::block_in_place(|| vault.verify()) {
        Ok(found) => {
            status.secrets = found.secrets as u64;
            status.old_key = !found.current;
            status.problems = found.problems;
        }
        Err(error) => status.problems.push(error.to_string()),
    }
    for problem in &status.problems {
        tracing::error!(target: "provost::vault", problem, "the vault is damaged; restore the file \"vault\" of the state directory from a backup");
    }
    if status.problems.is_empty() {
        tracing::info!(target: "provost::vault", secrets = status.secrets, "every sealed secret was opened");
    }
    Some(status)
}
