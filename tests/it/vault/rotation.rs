//! Another key: whenever it is interrupted, every secret can be opened with one of the two.

use super::{filled, keys, label, open, revealed, secret};
use provost::store::{Vault, VaultKeys};
use secrecy::ExposeSecret as _;

fn all_there(vault: &Vault, count: usize) {
    for n in 0..count {
        let expected = Some(secret(n).expose_secret().to_owned());
        assert_eq!(revealed(vault, &label(n, 1)).unwrap(), expected);
    }
    assert!(vault.verify().unwrap().problems.is_empty());
}

#[test]
fn everything_is_sealed_anew_and_the_old_key_opens_nothing() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    let (old, new) = (keys(), keys());
    let vault = filled(&dir, &old, 10);
    vault.forget(&[label(9, 1)]).unwrap();
    let before = std::fs::read(dir.join("vault")).unwrap();
    assert_eq!(vault.rotate(&new.current).unwrap(), 9);
    all_there(&vault, 9);
    vault.seal(&label(11, 1), &secret(11)).unwrap();
    drop(vault);
    let after = std::fs::read(dir.join("vault")).unwrap();
    let shared = before
        .windows(24)
        .filter(|w| after.windows(24).any(|v| v == *w));
    // Names of targets and people are readable; nothing that was sealed is the same.
    assert!(shared.clone().count() < before.len() / 2);
    assert!(open(&dir, &old).is_err());
    let vault = open(&dir, &new).unwrap();
    all_there(&vault, 9);
    assert_eq!(vault.verify().unwrap().secrets, 10);
}

#[test]
fn a_kill_at_any_step_leaves_one_whole_vault() {
    let root = tempfile::tempdir().unwrap();
    let (old_dir, new_dir) = (root.path().join("old"), root.path().join("new"));
    let (old, new) = (keys(), keys());
    drop(filled(&old_dir, &old, 5));
    std::fs::create_dir(&new_dir).unwrap();
    std::fs::set_permissions(
        &new_dir,
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    std::fs::copy(old_dir.join("vault"), new_dir.join("vault")).unwrap();
    let vault = open(&new_dir, &old).unwrap();
    vault.rotate(&new.current).unwrap();
    drop(vault);
    let written = std::fs::read(new_dir.join("vault")).unwrap();
    let both = VaultKeys {
        current: new.current,
        old: vec![old.current],
    };
    // Before the new file has its name, whatever of it was written.
    for cut in 0..=written.len() {
        std::fs::write(old_dir.join("vault.new"), &written[..cut]).unwrap();
        let vault = open(&old_dir, &both).unwrap();
        assert!(!vault.is_current().unwrap());
        all_there(&vault, 5);
        assert!(!old_dir.join("vault.new").exists());
    }
    // After.
    let vault = open(&new_dir, &both).unwrap();
    assert!(vault.is_current().unwrap());
    all_there(&vault, 5);
}
