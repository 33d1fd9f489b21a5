//! Every byte at which the power can go, and every bit that can flip.

use std::os::unix::fs::FileExt as _;

use super::{filled, keys, label, open, revealed, secret};
use provost::store::{StoreError, Vault, VaultKeys};
use secrecy::ExposeSecret as _;

const HEADER: usize = 48;

/// How many of these secrets are given back; a wrong value, or a claim that there is none, is never right.
fn given_back(vault: &Vault, count: usize) -> (usize, usize, usize) {
    let (mut right, mut absent, mut told) = (0, 0, 0);
    for n in 0..count {
        match revealed(vault, &label(n, 1)) {
            Ok(Some(found)) => {
                assert_eq!(found, secret(n).expose_secret());
                right += 1;
            }
            Ok(None) => absent += 1,
            Err(StoreError::Damaged { .. }) => told += 1,
            Err(other) => panic!("{other}"),
        }
    }
    (right, absent, told)
}

/// A vault of `count` secrets, the keys, its bytes, and where each record ends.
fn sample(dir: &std::path::Path, count: usize) -> (VaultKeys, Vec<u8>, Vec<usize>) {
    let keys = keys();
    let vault = open(dir, &keys).unwrap();
    let mut ends = vec![HEADER];
    for n in 0..count {
        vault.seal(&label(n, 1), &secret(n)).unwrap();
        ends.push(usize::try_from(vault.verify().unwrap().bytes).unwrap());
    }
    drop(vault);
    (keys, std::fs::read(dir.join("vault")).unwrap(), ends)
}

#[test]
fn a_cut_at_any_byte_loses_only_what_was_not_whole() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    let (keys, whole, ends) = sample(&dir, 6);
    for cut in 0..=whole.len() {
        let zeros = vec![0; 700];
        for rest in [&[][..], &zeros[..1], &zeros[..]] {
            // A file system may show zeros for what was never written.
            let bytes = [&whole[..cut], rest].concat();
            std::fs::write(dir.join("vault"), &bytes).unwrap();
            if cut < HEADER {
                let refused = open(&dir, &keys).unwrap_err();
                assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
                continue;
            }
            let vault = open(&dir, &keys).unwrap();
            let expected = ends.iter().filter(|end| **end <= cut).count() - 1;
            assert_eq!(given_back(&vault, 6), (expected, 6 - expected, 0), "{cut}");
            // And it goes on.
            vault.seal(&label(7, 1), &secret(7)).unwrap();
            assert_eq!(vault.verify().unwrap().secrets, expected + 1);
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    let (keys, whole, _) = sample(&dir, 6);
    let path = dir.join("vault");
    let mut trials = 0;
    for byte in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[byte] ^= 1 << bit;
            std::fs::write(&path, &bytes).unwrap();
            trials += 1;
            let vault = match open(&dir, &keys) {
                Ok(vault) => vault,
                Err(StoreError::Damaged { .. }) if byte < HEADER => continue,
                Err(other) => panic!("byte {byte} bit {bit}: {other}"),
            };
            assert!(!vault.problems().unwrap().is_empty(), "{byte} {bit}");
            assert_eq!(given_back(&vault, 6), (5, 0, 1), "{byte} {bit}");
            // What is damaged is not cut off: it may be all that is left to mend.
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }
    assert_eq!(trials, whole.len() * 8);
}

#[test]
fn damage_under_an_open_vault_is_noticed_by_reading_and_by_verifying() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    let vault = filled(&dir, &keys(), 3);
    let file = std::fs::File::options()
        .write(true)
        .open(dir.join("vault"))
        .unwrap();
    file.write_all_at(b"!", 100).unwrap();
    let told = revealed(&vault, &label(0, 1)).unwrap_err();
    assert!(matches!(told, StoreError::Damaged { .. }), "{told}");
    assert_eq!(vault.verify().unwrap().problems.len(), 1);
    // The others are whole, new ones can be sealed, and nothing is written anew while something would be lost.
    assert!(revealed(&vault, &label(1, 1)).unwrap().is_some());
    vault.seal(&label(8, 1), &secret(8)).unwrap();
    let refused = vault.rotate(&keys().current).unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
}

#[test]
fn records_that_were_moved_repeated_or_taken_from_elsewhere_are_noticed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    let (keys, whole, ends) = sample(&dir, 3);
    let record = |n: usize| &whole[ends[n]..ends[n + 1]];
    let elsewhere = root.path().join("elsewhere");
    drop({
        let vault = open(&elsewhere, &keys).unwrap();
        vault.seal(&label(2, 1), &secret(0)).unwrap();
        vault
    });
    let other = std::fs::read(elsewhere.join("vault")).unwrap();
    for (what, records) in [
        ("repeated", [record(0), record(1), record(2), record(0)]),
        ("swapped", [record(1), record(0), record(2), &[]]),
        ("foreign", [record(0), record(1), &other[HEADER..], &[]]),
    ] {
        let bytes = [&whole[..HEADER], &records.concat()].concat();
        std::fs::write(dir.join("vault"), bytes).unwrap();
        let vault = open(&dir, &keys).unwrap();
        assert_eq!(vault.problems().unwrap().len(), 1, "{what}");
        given_back(&vault, 3);
    }
}
