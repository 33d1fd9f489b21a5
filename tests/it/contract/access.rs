//! Passwords, sessions, work and the login switch: what a target says it can do it does, harmlessly often, and leaves the
//! account as it is otherwise; what it says it cannot do it refuses, and does nothing.

use provost::model::{Account, AccountId, AccountPatch};
use provost::target::{AccountWriter, AfterLogin, ConnectorError};
use secrecy::SecretString;

use super::Subject;

/// Passwords of the kind that Provost makes.
const FIRST: &str = "Vq7+mK2-xT9=hB4_wZ6p";
const SECOND: &str = "Rj3=nL8_cY5+gD7-tF2s";

pub(super) async fn what_it_can_do_it_does(subject: &Subject) {
    let id = subject.make("access").await.id;
    let other = subject.make("heir").await.id;
    keeps_its_word(&*subject.target, &id, &other, &subject.name).await;
    let Some(signs_in) = &subject.signs_in else {
        return;
    };
    assert!(
        subject.target.capabilities().set_password,
        "{}",
        subject.name
    );
    for (wanted, other) in [(FIRST, SECOND), (SECOND, FIRST), (FIRST, SECOND)] {
        set(&*subject.target, &id, wanted).await.unwrap();
        assert!(signs_in("access", wanted), "{}: {wanted}", subject.name);
        assert!(!signs_in("access", other), "{}: {other}", subject.name);
    }
}

/// For an account and one that may get its work.
pub async fn keeps_its_word(
    target: &dyn AccountWriter,
    id: &AccountId,
    other: &AccountId,
    what: &str,
) {
    let can = target.capabilities().clone();
    let before = seen(target, id, what).await;
    passwords(target, id, can.set_password, what).await;
    for _ in 0..2 {
        let ended = target.revoke_sessions(id).await;
        does(can.revoke_sessions, &ended, what);
    }
    for kind in can.reassign.iter().flat_map(|kind| [kind, kind]) {
        let given = target.reassign(id, kind, other).await;
        assert_eq!(given, Ok(()), "{what}: giving {kind}");
    }
    let odd = target.reassign(id, "no-such-work", other).await;
    does(false, &odd, what);
    assert_eq!(seen(target, id, what).await, before, "{what}");
    login(target, id, can.block_login, what).await;
    assert_eq!(seen(target, id, what).await, before, "{what}");
}

async fn passwords(target: &dyn AccountWriter, id: &AccountId, can: bool, what: &str) {
    for password in [FIRST, FIRST, SECOND] {
        does(can, &set(target, id, password).await, what);
    }
    let nobody = AccountId("999999999".to_owned());
    let said = set(target, &nobody, FIRST).await.expect_err(what);
    let said = said.to_string();
    assert!(!said.contains(FIRST), "{what}: {said}");
}

/// The login switch is none of the account's own switch.
async fn login(target: &dyn AccountWriter, id: &AccountId, can: bool, what: &str) {
    let active = seen(target, id, what).await.active;
    for allowed in [false, false, true] {
        let patch = AccountPatch {
            login_allowed: Some(allowed),
            ..AccountPatch::default()
        };
        let changed = target.update(id, &patch).await;
        if can {
            let after = changed.unwrap_or_else(|e| panic!("{what}: login={allowed}: {e}"));
            assert_eq!(after.login_allowed, Some(allowed), "{what}");
            assert_eq!(after.active, active, "{what}");
            let again = seen(target, id, what).await;
            assert_eq!(again.login_allowed, Some(allowed), "{what}");
        } else {
            does(false, &changed.map(drop), what);
        }
    }
}

async fn seen(target: &dyn AccountWriter, id: &AccountId, what: &str) -> Account {
    let found = target.get(id).await;
    let found = found.unwrap_or_else(|e| panic!("{what}: read {id}: {e}"));
    let found = found.unwrap_or_else(|| panic!("{what}: {id} is gone"));
    // Every write may make another version.
    Account {
        version: None,
        ..found
    }
}

async fn set(
    target: &dyn AccountWriter,
    id: &AccountId,
    password: &str,
) -> Result<(), ConnectorError> {
    let password = SecretString::from(password);
    target.set_password(id, &password, AfterLogin::Keep).await
}

fn does(can: bool, answer: &Result<(), ConnectorError>, what: &str) {
    let refused = matches!(answer, Err(ConnectorError::Rejected(_)));
    assert!(
        if can { answer.is_ok() } else { refused },
        "{what}: {answer:?}"
    );
}
