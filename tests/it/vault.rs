//! The vault: what was sealed is given back exactly, and everything else is noticed.

mod commands;
mod damage;
mod rotation;

use std::path::Path;
use std::time::Duration;

use provost::model::Anchor;
use provost::store::{Label, Purpose, StoreError, Vault, VaultKey, VaultKeys};
use secrecy::{ExposeSecret as _, SecretString};

use crate::support::process::await_some;

fn keys() -> VaultKeys {
    let (current, _text) = VaultKey::generate("file:/key").unwrap();
    VaultKeys {
        current,
        old: Vec::new(),
    }
}

/// A child that another test is just starting may hold the lock's descriptor until it is another program.
fn open(dir: &Path, keys: &VaultKeys) -> Result<Vault, StoreError> {
    await_some("the vault", Duration::from_secs(30), || {
        match Vault::open(dir, keys) {
            Err(StoreError::Locked { .. }) => None,
            opened => Some(opened),
        }
    })
}

fn label(n: usize, generation: u64) -> Label {
    Label {
        target: "crm".to_owned(),
        anchor: Anchor::new(&format!("00000000-0000-4000-8000-{n:012}")).unwrap(),
        purpose: Purpose::Managed,
        generation,
    }
}

fn secret(n: usize) -> SecretString {
    SecretString::from(format!("hunter2-{n}-äöü"))
}

fn revealed(vault: &Vault, label: &Label) -> Result<Option<String>, StoreError> {
    let secret = vault.reveal(label)?;
    Ok(secret.map(|secret| secret.expose_secret().to_owned()))
}

/// A vault with this many secrets.
fn filled(dir: &Path, keys: &VaultKeys, count: usize) -> Vault {
    let vault = open(dir, keys).unwrap();
    for n in 0..count {
        vault.seal(&label(n, 1), &secret(n)).unwrap();
    }
    vault
}

#[test]
fn what_is_sealed_is_given_back_after_a_restart_and_stands_nowhere() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    let keys = keys();
    drop(filled(&dir, &keys, 20));
    let bytes = std::fs::read(dir.join("vault")).unwrap();
    assert!(!bytes.windows(7).any(|w| w == b"hunter2"));
    let vault = open(&dir, &keys).unwrap();
    assert_eq!(vault.labels().unwrap().len(), 20);
    for n in 0..20 {
        let expected = Some(secret(n).expose_secret().to_owned());
        assert_eq!(revealed(&vault, &label(n, 1)).unwrap(), expected);
        assert_eq!(revealed(&vault, &label(n, 2)).unwrap(), None);
    }
    let check = vault.verify().unwrap();
    assert!(check.problems.is_empty() && check.current);
    assert_eq!((check.secrets, check.dead), (20, 0));
}

#[test]
fn a_label_names_one_value_for_ever() {
    let root = tempfile::tempdir().unwrap();
    let vault = filled(&root.path().join("state"), &keys(), 1);
    vault.seal(&label(0, 1), &secret(0)).unwrap();
    let other = vault.seal(&label(0, 1), &secret(1)).unwrap_err();
    assert!(matches!(other, StoreError::Taken { .. }), "{other}");
    assert!(!other.to_string().contains("hunter2"));
    vault.seal(&label(0, 2), &secret(1)).unwrap();
    assert_eq!(vault.verify().unwrap().secrets, 2);
}

#[test]
fn many_are_sealed_at_once_and_forgotten_for_good() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    let keys = keys();
    let vault = open(&dir, &keys).unwrap();
    let many: Vec<_> = (0..600).map(|n| (label(n, 1), secret(n))).collect();
    vault.seal_all(&many).unwrap();
    let gone: Vec<_> = (1..600).map(|n| label(n, 1)).collect();
    vault.forget(&gone).unwrap();
    assert_eq!(vault.labels().unwrap(), [label(0, 1)]);
    let before = vault.verify().unwrap();
    assert_eq!((before.secrets, before.dead), (1, 1198));
    drop(vault);
    // Enough of the file is of no use for the next start to write it anew.
    let vault = open(&dir, &keys).unwrap();
    let after = vault.verify().unwrap();
    assert_eq!((after.secrets, after.dead), (1, 0));
    assert!(after.bytes * 100 < before.bytes, "{after:?}");
    assert_eq!(
        revealed(&vault, &label(0, 1)).unwrap(),
        Some(secret(0).expose_secret().to_owned())
    );
}

#[test]
fn one_process_at_a_time() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    let keys = keys();
    let _first = open(&dir, &keys).unwrap();
    let second = Vault::open(&dir, &keys).unwrap_err();
    assert!(matches!(second, StoreError::Locked { .. }), "{second}");
}

#[test]
fn another_key_is_told_apart_from_damage() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    let (right, wrong) = (keys(), keys());
    drop(filled(&dir, &right, 3));
    let refused = open(&dir, &wrong).unwrap_err();
    assert!(matches!(refused, StoreError::Key { .. }), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("file:/key") && said.contains(&right.current.id()));
    let both = VaultKeys {
        current: wrong.current,
        old: vec![right.current],
    };
    let vault = open(&dir, &both).unwrap();
    assert!(!vault.is_current().unwrap());
    vault.seal(&label(9, 1), &secret(9)).unwrap();
    assert_eq!(vault.verify().unwrap().secrets, 4);
}
