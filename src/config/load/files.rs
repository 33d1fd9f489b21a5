//! Opening files that decide about access: what is opened is what is checked, and only then read.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use crate::config::valid::Secrets;

/// How a secret file is known to be guarded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guard {
    /// By its permissions: its owner only.
    Mode,
    /// By systemd, which made it for this process.
    Systemd,
}

/// Reads a text file that only its owner or root can have written. A group that can write is tolerated only where
/// nothing is connected to, so that a fresh checkout can be checked.
///
/// # Errors
/// Why it is not read, with the file's name.
pub fn read_trusted(path: &Path, largest: u64, secrets: Secrets) -> Result<String, String> {
    let shown = path.display();
    let file = open(path, OFlags::empty())?;
    let about = regular(&file, path)?;
    let mode = about.mode();
    if mode & 0o002 != 0 {
        return Err(format!(
            "{shown}: everybody can write to this file; run chmod o-w on it"
        ));
    }
    if mode & 0o020 != 0 && secrets == Secrets::Load {
        return Err(format!(
            "{shown}: its group can write to this file; run chmod g-w on it"
        ));
    }
    owned(about.uid(), path)?;
    if let Some(folder) = path.parent() {
        guarded_folder(folder)?;
    }
    let bytes = read(file, path, largest)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(why) => Err(format!(
            "{shown}: not UTF-8 from byte {} on; save it as UTF-8",
            why.valid_up_to()
        )),
    }
}

/// Reads a secret file: a regular file, no symbolic link, for its owner's eyes only.
///
/// # Errors
/// Why it is not read, with the file's name and never its content.
pub fn read_secret(path: &Path, largest: u64, guard: Guard) -> Result<Zeroizing<Vec<u8>>, String> {
    let shown = path.display();
    let file = open(path, OFlags::NOFOLLOW)?;
    let about = regular(&file, path)?;
    if guard == Guard::Mode {
        if about.mode() & 0o077 != 0 {
            return Err(format!(
                "{shown}: others than its owner can read or write this secret; run chmod 600 on it"
            ));
        }
        owned(about.uid(), path)?;
    }
    read(file, path, largest)
}

/// Writes a file that is not there yet, readable by its owner only, with the folders above it.
///
/// # Errors
/// Why it cannot be written.
pub fn write_private(path: &Path, content: &str) -> Result<(), String> {
    let failed = |why: std::io::Error| format!("cannot be written: {why}");
    if let Some(folder) = path.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => file.write_all(content.as_bytes()).map_err(failed),
        Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(why) => Err(failed(why)),
    }
}

/// Writes a file that must not be there yet, readable by its owner only, and makes it durable.
///
/// # Errors
/// Why it cannot be written.
pub fn write_new(path: &Path, content: &str) -> Result<(), String> {
    let failed = |why: std::io::Error| {
        if why.kind() == std::io::ErrorKind::AlreadyExists {
            "is there already, and a key must never be overwritten; name another file".to_owned()
        } else {
            format!("cannot be written: {why}")
        }
    };
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(content.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// Opens for reading. Never blocks on a pipe, never takes a terminal.
fn open(path: &Path, more: OFlags) -> Result<File, String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | more;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => Ok(File::from(file)),
        Err(rustix::io::Errno::LOOP) if more.contains(OFlags::NOFOLLOW) => Err(format!(
            "{}: a secret must not be a symbolic link",
            path.display()
        )),
        Err(why) => Err(format!(
            "{}: cannot be opened: {}",
            path.display(),
            std::io::Error::from(why)
        )),
    }
}

fn regular(file: &File, path: &Path) -> Result<std::fs::Metadata, String> {
    let about = file
        .metadata()
        .map_err(|why| format!("{}: cannot be examined: {why}", path.display()))?;
    if about.is_file() {
        Ok(about)
    } else {
        Err(format!("{}: is not a regular file", path.display()))
    }
}

/// Whoever owns a file can change its permissions at any time, so the owner must be root or ourselves.
fn owned(owner: u32, path: &Path) -> Result<(), String> {
    if owner == 0 || owner == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    Err(format!(
        "{}: belongs to another user (uid {owner}); it must belong to root or to the user that runs Provost",
        path.display()
    ))
}

/// In a folder that everybody can write to, everybody can put another file in this one's place (unless it is sticky).
fn guarded_folder(folder: &Path) -> Result<(), String> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let about = std::fs::metadata(folder)
        .map_err(|why| format!("{}: cannot be examined: {why}", folder.display()))?;
    if about.mode() & 0o002 != 0 && about.mode() & 0o1000 == 0 {
        return Err(format!(
            "{}: everybody can write to this folder and so replace the files in it; run chmod o-w on it",
            folder.display()
        ));
    }
    Ok(())
}

fn read(file: File, path: &Path, largest: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    // With enough room from the start, no half of a secret is left behind by growing.
    let room = file
        .metadata()
        .map_or(0, |about| about.len().min(largest))
        .saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(room).unwrap_or(0)));
    file.take(largest + 1)
        .read_to_end(&mut bytes)
        .map_err(|why| format!("{}: cannot be read: {why}", path.display()))?;
    if bytes.len() as u64 > largest {
        return Err(format!(
            "{}: is larger than {largest} bytes",
            path.display()
        ));
    }
    Ok(bytes)
}
