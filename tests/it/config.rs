//! Configuration files: what is refused and how that is said, and that everything we ship is accepted.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use provost::config::{Secrets, load};

/// The files of a folder with this ending, in order. Tests run in the package's folder, so that paths in messages are short.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    files
}

#[test]
fn what_is_refused_is_explained_as_expected() {
    let mut failures = String::new();
    let found = files("tests/config/invalid", "toml");
    assert!(found.len() >= 8, "the fixtures are gone");
    for file in found {
        let problems = load(&file, Secrets::CheckFormOnly).unwrap_err();
        let actual = format!("{problems}\n\n{}\n", problems.lines().join("\n"));
        assert!(
            !actual.contains("hunter2") && !actual.contains("2222222"),
            "a secret is shown:\n{actual}"
        );
        let expected = file.with_extension("expected");
        if fs::read_to_string(&expected).unwrap_or_default() != actual {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(expected.file_name().unwrap());
            fs::write(&kept, &actual).unwrap();
            let (kept, expected) = (kept.display(), expected.display());
            writeln!(
                failures,
                "{actual}\nif this is right: cp {kept} {expected}\n"
            )
            .unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
