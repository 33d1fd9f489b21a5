//! Flipped bits, torn tails, old copies, foreign copies: noticed or harmless, never a wrong shadow.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use provost::model::{Anchor, Shadow};
use provost::store::{Opened, StoreError};

use super::{all, anchor, copy, dir, hold, intent, put, shadow};
use crate::support::process::await_some;

type Shadows = BTreeMap<Anchor, Shadow>;

/// A text so long that the shadows of a few people fill several records of the cache.
fn long(text: &str) -> String {
    format!("{text} {}", "x".repeat(1000))
}

/// A closed state with some history, and its shadows before and after the last conclusion.
fn history(path: &Path) -> (Shadows, Shadows) {
    let state = hold(path).unwrap();
    for round in 0..6 {
        let who: Vec<usize> = (0..10).map(|n| n * (round + 1) % 30).collect();
        let intents: Vec<_> = who.iter().map(|&n| intent(n)).collect();
        let ops = state.intend("crm", 1, &intents).unwrap();
        let text = long(&format!("round{round}"));
        let done = ops
            .iter()
            .zip(&who)
            .map(|(&op, &n)| put(Some(op), n, &text));
        state.conclude("crm", done.collect()).unwrap();
    }
    let before = all(&state, "crm").unwrap();
    let ops = state.intend("crm", 1, &[intent(1)]).unwrap();
    state
        .conclude("crm", vec![put(Some(ops[0]), 1, &long("last"))])
        .unwrap();
    (before, all(&state, "crm").unwrap())
}

fn flip(file: &Path, bit: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    std::fs::write(file, bytes).unwrap();
}

/// Opens a damaged state: what it shows must be right. Returns how it ended, in a word.
fn judge(path: &Path, before: &Shadows, after: &Shadows) -> &'static str {
    let state = match hold(path) {
        Ok(state) => state,
        Err(StoreError::Damaged { .. } | StoreError::Version { .. }) => return "refused",
        Err(other) => panic!("{other}"),
    };
    let rebuilt = matches!(state.opened(), Opened::Rebuilt { .. });
    match all(&state, "crm") {
        Ok(shadows) if &shadows == after => {
            assert!(state.verify().unwrap().is_sound());
            if rebuilt { "rebuilt" } else { "harmless" }
        }
        Ok(shadows) => {
            // Only if the journal's last frame was hit: then the cache was ahead, and the operation is open again.
            assert!(rebuilt, "a wrong shadow");
            assert_eq!(&shadows, before);
            assert_eq!(state.open_intents("crm").unwrap().len(), 1);
            "last"
        }
        Err(StoreError::Damaged { .. }) => {
            drop(state);
            let state = hold(path).unwrap();
            assert!(matches!(state.opened(), Opened::Rebuilt { .. }));
            assert_eq!(&all(&state, "crm").unwrap(), after);
            "noticed"
        }
        Err(other) => panic!("{other}"),
    }
}

/// Flips one bit per trial, spread over the bytes of the files that are in use.
fn flips(is_meant: fn(&str) -> bool, trials: usize) -> BTreeMap<&'static str, usize> {
    let (root, path) = dir();
    let (before, after) = history(&path);
    let mut places = Vec::new();
    for dir in [path.clone(), path.join("cache")] {
        for item in std::fs::read_dir(dir).unwrap() {
            let file = item.unwrap().path();
            let name = file.strip_prefix(&path).unwrap().to_path_buf();
            if file.is_file() && is_meant(name.to_str().unwrap()) {
                let bytes = std::fs::read(&file).unwrap().into_iter().enumerate();
                let used = bytes.filter(|(_, byte)| *byte != 0);
                places.extend(used.map(|(at, _)| (name.clone(), at)));
            }
        }
    }
    let mut ends = BTreeMap::new();
    for trial in 0..trials {
        let (name, at) = &places[places.len() * trial / trials];
        let trial_path = root.path().join(format!("trial{trial}"));
        copy(&path, &trial_path);
        flip(&trial_path.join(name), at * 8 + trial % 8);
        *ends.entry(judge(&trial_path, &before, &after)).or_default() += 1;
        std::fs::remove_dir_all(&trial_path).unwrap();
    }
    ends
}

#[test]
fn a_flipped_bit_in_the_journal_is_noticed() {
    let ends = flips(|name| name == "journal.log", 120);
    assert!(ends["refused"] > 100, "{ends:?}");
    assert_eq!(ends.get("harmless"), None, "{ends:?}");
}

#[test]
fn a_flipped_bit_in_the_cache_is_noticed_or_harmless() {
    let ends = flips(|name| name.starts_with("cache/"), 240);
    assert_eq!(ends.get("refused"), None, "{ends:?}");
    assert_eq!(ends.get("last"), None, "{ends:?}");
    let noticed: usize = ["rebuilt", "noticed"]
        .iter()
        .filter_map(|end| ends.get(end))
        .sum();
    assert!(noticed > 0, "{ends:?}");
}

#[test]
fn an_incomplete_last_commit_is_cut_off_at_whatever_byte_it_ends() {
    let (root, path) = dir();
    let journal = path.join("journal.log");
    let state = hold(&path).unwrap();
    state.conclude("crm", vec![put(None, 1, "old")]).unwrap();
    drop(state);
    let old = root.path().join("old");
    copy(&path, &old);
    let whole = std::fs::read(&journal).unwrap().len();
    let state = hold(&path).unwrap();
    state.conclude("crm", vec![put(None, 1, "new")]).unwrap();
    drop(state);
    let bytes = std::fs::read(&journal).unwrap();
    for end in whole..=bytes.len() {
        // The cache as it was when the process died between journal and cache.
        let trial = root.path().join(format!("trial{end}"));
        copy(&old, &trial);
        std::fs::write(trial.join("journal.log"), &bytes[..end]).unwrap();
        let state = hold(&trial).unwrap();
        let complete = end == bytes.len();
        let expected = shadow(1, if complete { "new" } else { "old" });
        assert_eq!(state.shadow("crm", &anchor(1)).unwrap(), Some(expected));
        assert_eq!(
            state.notes().is_empty(),
            complete || end == whole,
            "byte {end}"
        );
        assert_eq!(state.opened() == &Opened::Replayed { n: 1 }, complete);
        state.conclude("crm", vec![put(None, 2, "next")]).unwrap();
        drop(state);
        std::fs::remove_dir_all(&trial).unwrap();
    }
}

/// Two copies of a state: an early one and its continuation.
fn early_and_late() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (root, path) = dir();
    let state = hold(&path).unwrap();
    state
        .conclude("crm", vec![put(None, 1, "old"), put(None, 3, "old")])
        .unwrap();
    drop(state);
    let early = root.path().join("early");
    copy(&path, &early);
    let state = hold(&path).unwrap();
    state.conclude("crm", vec![put(None, 1, "new")]).unwrap();
    state.conclude("crm", vec![put(None, 2, "new")]).unwrap();
    state.forget("crm", &anchor(3)).unwrap();
    drop(state);
    (root, early, path)
}

fn replace(what: &str, from: &Path, to: &Path) {
    let old = to.join(what);
    if old.is_dir() {
        std::fs::remove_dir_all(&old).unwrap();
        copy(&from.join(what), &old);
    } else {
        std::fs::copy(from.join(what), &old).unwrap();
    }
}

#[test]
fn shadows_that_the_cache_lacks_are_in_memory_and_after_a_crash_in_the_journal() {
    let (root, path) = dir();
    let state = hold(&path).unwrap();
    for text in ["first", "second"] {
        state.conclude("crm", vec![put(None, 1, text)]).unwrap();
    }
    let second = Some(shadow(1, "second"));
    assert_eq!(state.shadow("crm", &anchor(1)).unwrap(), second);
    // The files as a crash would leave them now.
    let crashed = root.path().join("crashed");
    copy(&path, &crashed);
    let after = hold(&crashed).unwrap();
    assert!(matches!(after.opened(), Opened::Replayed { n: 1.. }));
    assert_eq!(after.shadow("crm", &anchor(1)).unwrap(), second);
    // Whoever reads all of them, or ends in peace, leaves nothing to replay.
    assert_eq!(all(&state, "crm").unwrap().len(), 1);
    drop(state);
    assert_eq!(hold(&path).unwrap().opened(), &Opened::Clean);
}

#[test]
fn an_older_cache_is_brought_up_to_date() {
    let (_root, early, late) = early_and_late();
    replace("cache", &early, &late);
    let state = hold(&late).unwrap();
    assert_eq!(state.opened(), &Opened::Replayed { n: 3 });
    let found = all(&state, "crm").unwrap();
    assert_eq!(
        found.into_values().collect::<Vec<_>>(),
        [shadow(1, "new"), shadow(2, "new")]
    );
    assert!(state.verify().unwrap().is_sound());
}

#[test]
fn an_older_journal_is_believed_and_said_so() {
    let (_root, early, late) = early_and_late();
    replace("journal.log", &early, &late);
    let state = hold(&late).unwrap();
    let Opened::Rebuilt { why, moved_to } = state.opened() else {
        panic!("{:?}", state.opened());
    };
    assert!(why.contains("ahead of the journal"), "{why}");
    assert!(moved_to.as_ref().unwrap().is_dir());
    let found = all(&state, "crm").unwrap();
    assert_eq!(
        found.into_values().collect::<Vec<_>>(),
        [shadow(1, "old"), shadow(3, "old")]
    );
}

#[test]
fn the_cache_of_another_state_is_not_believed() {
    let (_root, path) = dir();
    let (_other_root, other) = dir();
    for (path, text) in [(&path, "ours"), (&other, "theirs")] {
        let state = hold(path).unwrap();
        state.conclude("crm", vec![put(None, 1, text)]).unwrap();
    }
    replace("cache", &other, &path);
    let state = hold(&path).unwrap();
    assert!(matches!(state.opened(), Opened::Rebuilt { .. }));
    assert_eq!(
        state.shadow("crm", &anchor(1)).unwrap(),
        Some(shadow(1, "ours"))
    );
}

#[test]
fn a_lost_cache_is_made_anew_and_a_lost_journal_is_not() {
    let (_root, early, late) = early_and_late();
    std::fs::remove_dir_all(late.join("cache")).unwrap();
    let state = hold(&late).unwrap();
    assert!(matches!(
        state.opened(),
        Opened::Rebuilt { moved_to: None, .. }
    ));
    assert_eq!(all(&state, "crm").unwrap().len(), 2);
    std::fs::remove_file(early.join("journal.log")).unwrap();
    assert!(matches!(hold(&early), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_newer_journal_is_refused() {
    let (_root, path) = dir();
    drop(hold(&path).unwrap());
    let journal = path.join("journal.log");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[8..10].copy_from_slice(&(provost::store::VERSION + 1).to_le_bytes());
    std::fs::write(&journal, &bytes).unwrap();
    assert!(matches!(
        hold(&path),
        Err(StoreError::Version { found, .. }) if found == provost::store::VERSION + 1
    ));
    assert_eq!(
        std::fs::read(&journal).unwrap(),
        bytes,
        "nothing was changed"
    );
}

/// What `sled` could get wrong without saying so: values lost, old, exchanged, or somebody else's.
#[test]
fn a_cache_that_answers_wrongly_is_noticed_and_made_anew() {
    type Wrong = fn(&sled::Db, &[(sled::IVec, sled::IVec)]);
    let wrongs: [(&str, Wrong); 5] = [
        ("lost", |db, shadows| drop(db.remove(&shadows[1].0))),
        ("exchanged", |db, shadows| {
            drop(db.insert(&shadows[0].0, &shadows[1].1));
        }),
        ("invented", |db, shadows| {
            let mut key = shadows[0].0.to_vec();
            key.push(b'x');
            drop(db.insert(key, &shadows[0].1));
        }),
        ("rotten", |db, shadows| {
            let mut value = shadows[2].1.to_vec();
            value[9] ^= 1;
            drop(db.insert(&shadows[2].0, value));
        }),
        ("cut", |db, shadows| {
            drop(db.insert(&shadows[0].0, &shadows[0].1[..3]));
        }),
    ];
    for (what, wrong) in wrongs {
        let (_root, path) = dir();
        let (_, after) = history(&path);
        tamper(&path, |db| {
            let shadows: Vec<_> = db.scan_prefix(b"h").map(Result::unwrap).collect();
            wrong(db, &shadows);
        });
        assert_eq!(judge(&path, &after, &after), "noticed", "{what}");
    }
    // An old value, in its old place, with its checksum.
    let (_root, path) = dir();
    history(&path);
    let mut old = Vec::new();
    tamper(&path, |db| {
        old = db.scan_prefix(b"h").map(Result::unwrap).collect();
    });
    let state = hold(&path).unwrap();
    for n in 0..30 {
        let newer = put(None, n, &long("newer"));
        state.conclude("crm", vec![newer]).unwrap();
    }
    let after = all(&state, "crm").unwrap();
    drop(state);
    tamper(&path, |db| drop(db.insert(&old[3].0, &old[3].1)));
    assert_eq!(judge(&path, &after, &after), "noticed", "old");
}

/// Writes every record of the cache as another version would, with its checksum.
fn as_of_version(path: &Path, version: u8) {
    tamper(path, |db| {
        let records: Vec<_> = db.iter().map(Result::unwrap).collect();
        for (key, value) in records {
            let mut value = value[..value.len() - 4].to_vec();
            value[0] = version;
            let mut crc = crc32fast::Hasher::new();
            crc.update(&(key.len() as u64).to_le_bytes());
            crc.update(&key);
            crc.update(&value);
            value.extend_from_slice(&crc.finalize().to_le_bytes());
            db.insert(key, value).unwrap();
        }
    });
}

#[test]
fn a_cache_of_an_older_version_is_made_anew_and_one_of_a_newer_version_is_left_alone() {
    let (_root, path) = dir();
    let (_, after) = history(&path);
    let mut version = 0;
    tamper(&path, |db| version = db.first().unwrap().unwrap().1[0]);
    as_of_version(&path, version);
    assert_eq!(judge(&path, &after, &after), "harmless");
    as_of_version(&path, version + 1);
    assert_eq!(judge(&path, &after, &after), "refused");
    as_of_version(&path, version - 1);
    let state = hold(&path).unwrap();
    let Opened::Rebuilt { why, moved_to } = state.opened() else {
        panic!("{:?}", state.opened());
    };
    assert!(why.contains("older version"), "{why}");
    assert!(moved_to.as_ref().unwrap().exists());
    assert_eq!(&all(&state, "crm").unwrap(), &after);
    assert!(state.verify().unwrap().is_sound());
}

fn tamper(path: &Path, with: impl FnOnce(&sled::Db)) {
    // sled's lock outlives its last handle for a moment, and longer if another test starts a process just then.
    let cache = path.join("cache");
    let db = await_some("sled's lock", Duration::from_secs(10), || {
        sled::open(&cache).ok()
    });
    with(&db);
    db.flush().unwrap();
}
