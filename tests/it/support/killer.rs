//! What ends a program before its Nth durable call (`tests/support/kill.c`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::process::support_dir;

/// The library for `LD_PRELOAD`, built once; it reads `KILL_AT`.
pub fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap().keep();
        let library = dir.join("kill.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(support_dir().join("kill.c"))
            .arg("-ldl")
            .status();
        assert!(
            built.unwrap().success(),
            "tests/support/kill.c must compile"
        );
        library
    })
}
