//! What the practice application can be told to do wrong.

use std::collections::BTreeSet;

use crate::target::ConnectorError;

/// Every fault with what it does, for `check` and the manual.
pub const FAULTS: &[(&str, &str)] = &[
    (
        "throttle-every=N",
        "every Nth call is told to slow down; nothing is done",
    ),
    (
        "fail-every=N",
        "every Nth call fails for the moment; nothing is done",
    ),
    (
        "garbage-every=N",
        "every Nth call gets an answer that makes no sense; nothing is done",
    ),
    (
        "timeout-after-commit-every=N",
        "every Nth change is made and its answer lost",
    ),
    (
        "timeout-before-commit-every=N",
        "every Nth change is not made and its answer lost",
    ),
    (
        "lose-answer-of-create=N",
        "the Nth account is created and the answer lost",
    ),
    ("fail-after=N", "after N changes the application is down"),
    (
        "fail-create=VALUE",
        "creating an account that holds this value is rejected",
    ),
    (
        "fail-update=VALUE",
        "changing the account with this id, or that holds this value, is rejected",
    ),
    (
        "ignore-deactivate",
        "deactivating is answered well and does nothing",
    ),
    (
        "ignore-block",
        "blocking the login is answered well and does nothing",
    ),
    (
        "ignore-password",
        "setting a password is answered well and does nothing",
    ),
    (
        "refuse=WHAT",
        "every create, update, members, delete, set-password, end-sessions or reassign is rejected",
    ),
    (
        "lose-answer-of=WHAT",
        "every change of this kind is made and its answer lost",
    ),
    (
        "stop-before=WHAT",
        "a change of this kind never gets beyond its beginning: the program waits to be killed",
    ),
    (
        "stop-after=WHAT",
        "a change of this kind is made and never answered: the program waits to be killed",
    ),
    ("deny-auth", "the credentials are refused"),
    (
        "deny-auth-after=N",
        "after N calls the credentials are refused",
    ),
    ("cut-list", "the list of accounts breaks off"),
    ("slow=MS", "every call takes this many milliseconds"),
];

/// The faults that were asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Faults {
    throttle_every: Option<u64>,
    fail_every: Option<u64>,
    garbage_every: Option<u64>,
    lose_after_every: Option<u64>,
    lose_before_every: Option<u64>,
    lose_create: Option<u64>,
    fail_after: Option<u64>,
    deny_after: Option<u64>,
    fail_create: BTreeSet<String>,
    fail_update: BTreeSet<String>,
    pub(super) ignore_deactivate: bool,
    pub(super) ignore_block: bool,
    pub(super) ignore_password: bool,
    refuse: BTreeSet<String>,
    lose: BTreeSet<String>,
    stop_before: BTreeSet<String>,
    stop_after: BTreeSet<String>,
    pub(super) cut_list: bool,
    pub(super) slow: Option<u64>,
}

/// How often what was called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counts {
    calls: u64,
    changes: u64,
    creates: u64,
}

/// The kinds of change, as faults and the ledger name them.
pub(super) const CALLS: [&str; 7] = [
    "create",
    "update",
    "members",
    "delete",
    "set-password",
    "end-sessions",
    "reassign",
];

/// Where a change may stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stop {
    Before,
    After,
}

/// What happens to a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It is made and answered.
    Answered,
    /// It is made, and the answer is lost.
    LostAfter,
    /// It is not made, and nobody says so.
    LostBefore,
}

impl Faults {
    /// Reads the faults.
    ///
    /// # Errors
    /// Names the first that is unknown or has no proper number, and those that exist.
    pub(super) fn parse(words: &[String]) -> Result<Self, String> {
        let mut faults = Self::default();
        for word in words {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            let number = || {
                value
                    .and_then(|v| v.parse::<u64>().ok())
                    .filter(|&n| n > 0)
                    .map(Some)
                    .ok_or_else(|| {
                        format!("fault \"{word}\" needs a number from 1, as in {name}=5")
                    })
            };
            let text = || {
                value
                    .map(str::to_lowercase)
                    .ok_or_else(|| format!("fault \"{word}\" needs a value, as in {name}=ann"))
            };
            match name {
                "throttle-every" => faults.throttle_every = number()?,
                "fail-every" => faults.fail_every = number()?,
                "garbage-every" => faults.garbage_every = number()?,
                "timeout-after-commit-every" => faults.lose_after_every = number()?,
                "timeout-before-commit-every" => faults.lose_before_every = number()?,
                "lose-answer-of-create" => faults.lose_create = number()?,
                "fail-after" => faults.fail_after = number()?,
                "deny-auth-after" => faults.deny_after = number()?,
                "slow" => faults.slow = number()?,
                "fail-create" => drop(faults.fail_create.insert(text()?)),
                "fail-update" => drop(faults.fail_update.insert(text()?)),
                "ignore-deactivate" => faults.ignore_deactivate = true,
                "ignore-block" => faults.ignore_block = true,
                "ignore-password" => faults.ignore_password = true,
                "refuse" => drop(faults.refuse.insert(call(word, value)?)),
                "lose-answer-of" => drop(faults.lose.insert(call(word, value)?)),
                "stop-before" => drop(faults.stop_before.insert(call(word, value)?)),
                "stop-after" => drop(faults.stop_after.insert(call(word, value)?)),
                "deny-auth" => faults.deny_after = Some(0),
                "cut-list" => faults.cut_list = true,
                _ => return Err(unknown(word)),
            }
        }
        Ok(faults)
    }

    /// What every call meets before anything is done.
    pub(super) fn meet(&self, counts: &mut Counts) -> Result<(), ConnectorError> {
        counts.calls += 1;
        if self.deny_after.is_some_and(|n| counts.calls > n) {
            return Err(ConnectorError::Unauthorised(
                "by the fault deny-auth".to_owned(),
            ));
        }
        if self.fail_after.is_some_and(|n| counts.changes >= n) {
            return Err(ConnectorError::Transient(
                "down, by the fault fail-after".to_owned(),
            ));
        }
        if is_due(self.throttle_every, counts.calls) {
            return Err(ConnectorError::Throttled {
                retry_after: Some(std::time::Duration::from_millis(20)),
            });
        }
        if is_due(self.fail_every, counts.calls) {
            return Err(ConnectorError::Transient(
                "by the fault fail-every".to_owned(),
            ));
        }
        if is_due(self.garbage_every, counts.calls) {
            return Err(ConnectorError::Protocol(
                "by the fault garbage-every".to_owned(),
            ));
        }
        Ok(())
    }

    /// What becomes of a change that is about to be made.
    pub(super) fn fate(&self, counts: &mut Counts, create: bool) -> Fate {
        counts.changes += 1;
        counts.creates += u64::from(create);
        if is_due(self.lose_before_every, counts.changes) {
            Fate::LostBefore
        } else if is_due(self.lose_after_every, counts.changes)
            || (create && self.lose_create == Some(counts.creates))
        {
            Fate::LostAfter
        } else {
            Fate::Answered
        }
    }

    /// Whether every change of a kind is rejected.
    pub(super) fn refuses(&self, call: &str) -> bool {
        self.refuse.contains(call)
    }

    /// Whether the answer to every change of a kind is lost.
    pub(super) fn loses(&self, call: &str) -> bool {
        self.lose.contains(call)
    }

    /// Whether a change of a kind stops before it is made, or after.
    pub(super) fn stops(&self, call: &str, when: Stop) -> bool {
        match when {
            Stop::Before => self.stop_before.contains(call),
            Stop::After => self.stop_after.contains(call),
        }
    }

    /// Whether creating an account with this value (lower case) is rejected.
    pub(super) fn fails_create(&self, value: &str) -> bool {
        self.fail_create.contains(value)
    }

    /// Whether changing an account with this id or value (lower case) is rejected.
    pub(super) fn fails_update(&self, value: &str) -> bool {
        self.fail_update.contains(value)
    }
}

fn is_due(every: Option<u64>, count: u64) -> bool {
    every.is_some_and(|n| count.is_multiple_of(n))
}

fn call(word: &str, value: Option<&str>) -> Result<String, String> {
    let known = value.filter(|value| CALLS.contains(value));
    known.map(str::to_owned).ok_or_else(|| {
        let calls = CALLS.join(", ");
        format!("fault \"{word}\" needs a kind of change: {calls}")
    })
}

fn unknown(word: &str) -> String {
    let known: Vec<&str> = FAULTS.iter().map(|(name, _)| *name).collect();
    format!(
        "fault \"{word}\" is not known; there are {}",
        known.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_fault_is_understood() {
        for (fault, _) in FAULTS {
            let word = fault
                .replace("=N", "=3")
                .replace("=MS", "=1")
                .replace("=WHAT", "=reassign");
            assert_ne!(
                Faults::parse(std::slice::from_ref(&word)),
                Ok(Faults::default()),
                "{word}"
            );
        }
        for wrong in [
            "throttle-every",
            "throttle-every=0",
            "slow=x",
            "fail-create",
            "refuse=everything",
            "nonsense",
        ] {
            assert!(Faults::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn faults_come_when_they_are_due() {
        let faults = Faults::parse(&["throttle-every=3".to_owned()]).unwrap();
        let mut counts = Counts::default();
        let met: Vec<bool> = (0..6).map(|_| faults.meet(&mut counts).is_ok()).collect();
        assert_eq!(met, [true, true, false, true, true, false]);

        let faults = Faults::parse(&["lose-answer-of-create=2".to_owned()]).unwrap();
        let mut counts = Counts::default();
        let fates = [true, false, true, true].map(|create| faults.fate(&mut counts, create));
        assert_eq!(
            fates,
            [
                Fate::Answered,
                Fate::Answered,
                Fate::LostAfter,
                Fate::Answered
            ]
        );
    }
}
