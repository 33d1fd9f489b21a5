//! Reports as files: whole or not at all, and for their owner alone, because they hold personal data.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Stop;

/// Writes a file beside its place and then moves it there.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), Stop> {
    let place = |error: io::Error| {
        Stop::failed(format!(
            "{}: the report cannot be written: {error}",
            path.display()
        ))
    };
    if path.is_dir() {
        return Err(Stop::failed(format!(
            "{}: is a directory; name a file in it",
            path.display()
        )));
    }
    let beside = beside(path);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // What was begun is of no use; the first error is the one to tell.
        std::fs::remove_file(&beside).ok();
        place(error)
    })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    PathBuf::from(name)
}
