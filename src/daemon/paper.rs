//! Reports as files in a folder: whole or not at all, named after their time, and so many at the most.
//!
//! They hold personal data: nobody but their owner may read them, except those who may look into the folder by its group.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use jiff::Timestamp;

/// How long a time is in a name, such as `20261122T070000Z`.
const STAMP: usize = 16;
/// What names of files end with.
const ENDINGS: [&str; 4] = ["html", "csv", "json", "txt"];

/// What the names of a report's files begin with.
pub(super) fn stem(report: &str, at: Timestamp) -> String {
    format!("{report}-{}", at.strftime("%Y%m%dT%H%M%SZ"))
}

/// Puts the files of a report into a folder, which is made if it is missing. Each is whole or not there.
pub(super) fn put(folder: &Path, stem: &str, files: &[(&str, Vec<u8>)]) -> Result<(), String> {
    let refused = |what: &str, error: io::Error| {
        let place = folder.display();
        format!(
            "{place}: {what}: {error}; the service may write below its state directory, and where ReadWritePaths= of its unit says"
        )
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| refused("the folder cannot be made", error))?;
    let about = fs::metadata(folder).map_err(|error| refused("it cannot be looked at", error))?;
    // Whoever may read the folder by its group is meant to read what is in it.
    let mode = if about.mode() & 0o040 != 0 {
        0o640
    } else {
        0o600
    };
    for (ending, content) in files {
        let name = format!("{stem}.{ending}");
        let written = write(folder, &name, content, mode);
        written.map_err(|error| refused(&format!("{name} cannot be written"), error))?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, content: &[u8], mode: u32) -> io::Result<()> {
    let beside = folder.join(format!(".{name}.tmp"));
    // What an interrupted try left behind.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    let done = file
        .write_all(content)
        .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, folder.join(name)));
    if done.is_err() {
        fs::remove_file(&beside).ok();
    }
    done
}

/// Removes the files of all but the newest reports. Nothing is touched that has another name.
pub(super) fn prune(folder: &Path, report: &str, keep: usize) -> Result<(), String> {
    let refused = |error: io::Error| format!("{}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(refused)? {
        names.push(entry.map_err(refused)?.file_name());
    }
    let stamps: BTreeSet<&str> = names
        .iter()
        .filter_map(|name| stamp(name, report))
        .collect();
    let Some(oldest) = stamps.iter().rev().nth(keep.saturating_sub(1)) else {
        return Ok(());
    };
    for name in &names {
        if stamp(name, report).is_some_and(|stamp| stamp < *oldest) {
            fs::remove_file(folder.join(name)).map_err(refused)?;
        }
    }
    Ok(())
}

/// The time in a name, if it is that of a file of this report.
fn stamp<'a>(name: &'a OsStr, report: &str) -> Option<&'a str> {
    let rest = name.to_str()?.strip_prefix(report)?.strip_prefix('-')?;
    let (stamp, rest) = rest.split_at_checked(STAMP)?;
    let sound = stamp.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    let ending = rest.strip_prefix('.')?;
    (sound && ENDINGS.contains(&ending)).then_some(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_report_have_a_time() {
        let at = "2026-11-22T07:00:05Z".parse().unwrap();
        assert_eq!(stem("weekly", at), "weekly-20261122T070005Z");
        for (name, wanted) in [
            ("weekly-20261122T070005Z.html", Some("20261122T070005Z")),
            ("weekly-20261122T070005Z.txt", Some("20261122T070005Z")),
            ("weekly-20261122T070005Z.exe", None),
            ("weekly-20261122T070005Z.html.bak", None),
            ("weekly-20261122T07000.html", None),
            ("weekly-2026112\u{e9}T07005Z.html", None),
            ("weekly.html", None),
            ("weeklyx-20261122T070005Z.html", None),
            ("other-20261122T070005Z.html", None),
        ] {
            assert_eq!(stamp(OsStr::new(name), "weekly"), wanted, "{name}");
        }
    }
}
