//! The journal: an append-only file that is the truth about every target.
//!
//! A header (44 bytes) names the format, the instance and what an earlier file was summarised up to. Then frames follow:
//! `[length][check of the length][crc32 of the payload][payload]`, little-endian, one frame per commit, so that a commit
//! is either whole or absent. Checks are seeded with the random instance id: no attribute value can pass for a frame.
//!
//! Only a last frame that is incomplete is cut off (it was never acknowledged). Damage before intact frames is an error
//! for a person: skipping it would invent a past.

mod header;

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

pub use header::VERSION;
use header::{FRAME, HEADER, take};
pub(super) use header::{Header, Mark};

use super::error::StoreError;
use super::files;

/// The memory of a frame is kept for the next one up to this size, in bytes.
const KEPT: usize = 4 << 20;

/// One entry while reading.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// Its number.
    pub seq: u64,
    /// Where its bytes begin in the file.
    pub offset: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What reading to the end found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    /// The end of the last whole frame.
    pub end: u64,
    /// Where the history stands.
    pub mark: Mark,
    /// Entries read.
    pub entries: u64,
    /// Bytes after the last whole frame.
    pub torn: u64,
}

/// The open journal.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    header: Header,
    end: u64,
    mark: Mark,
    /// Where frames are put together, one after the other.
    frame: Vec<u8>,
}

impl Journal {
    /// Makes a journal under a temporary name, lets `fill` write its first frames, and moves it into place.
    /// A crash leaves either the old file or the whole new one.
    pub(super) fn replace(
        path: &Path,
        header: Header,
        fill: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let temporary = path.with_extension("new");
        let file = files::private_file(&temporary, true)?;
        let io = |what: &'static str| {
            let temporary = temporary.clone();
            move |e| StoreError::io(&temporary, what, e)
        };
        file.set_len(0).map_err(io("empty the new journal"))?;
        let bytes = header.to_bytes();
        file.write_all_at(&bytes, 0)
            .map_err(io("write the new journal"))?;
        let mut journal = Self {
            file,
            path: temporary.clone(),
            header,
            end: bytes.len() as u64,
            mark: Mark {
                seq: header.prior.seq,
                chain: header.chain(),
            },
            frame: Vec::new(),
        };
        fill(&mut journal)?;
        journal
            .file
            .sync_all()
            .map_err(io("make the new journal durable"))?;
        std::fs::rename(&temporary, path)
            .map_err(|e| StoreError::io(path, "put the new journal in place", e))?;
        if let Some(dir) = path.parent() {
            files::sync_dir(dir)?;
        }
        path.clone_into(&mut journal.path);
        Ok(journal)
    }

    /// Opens an existing journal and reads its header; [`Self::settle`] must follow a scan.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = files::private_file(path, false)?;
        let mut bytes = [0; HEADER];
        file.read_exact_at(&mut bytes, 0).map_err(|e| {
            if e.kind() == std::io::ErrorKind::UnexpectedEof {
                StoreError::damaged(
                    path,
                    "the journal is shorter than its header; restore the file from a backup, or move the state directory aside to start anew",
                )
            } else {
                StoreError::io(path, "read", e)
            }
        })?;
        let header = Header::from_bytes(&bytes, path)?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
            header,
            end: HEADER as u64,
            mark: Mark {
                seq: header.prior.seq,
                chain: header.chain(),
            },
            frame: Vec::new(),
        })
    }

    /// What the header says.
    pub(super) fn header(&self) -> Header {
        self.header
    }

    /// Where the history stands.
    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// Bytes in the file.
    pub(super) fn len(&self) -> u64 {
        self.end
    }

    /// Reads every entry in order. `each` gets entries, `frame` the mark after each whole frame.
    pub(super) fn scan(
        &self,
        each: &mut dyn FnMut(Entry<'_>) -> Result<(), StoreError>,
        frame: &mut dyn FnMut(Mark),
    ) -> Result<Scan, StoreError> {
        let io = |e| StoreError::io(&self.path, "read", e);
        let file = files::private_file(&self.path, false)?;
        let size = file.metadata().map_err(io)?.len();
        let mut reader = BufReader::with_capacity(1 << 18, file);
        reader.read_exact(&mut [0; HEADER]).map_err(io)?;
        let mut scan = Scan {
            end: HEADER as u64,
            mark: Mark {
                seq: self.header.prior.seq,
                chain: self.header.chain(),
            },
            entries: 0,
            torn: 0,
        };
        let mut payload = Vec::new();
        while scan.end < size {
            let Some(crc) = self.read_frame(&mut reader, size - scan.end, &mut payload)? else {
                self.refuse_damage(scan.end, size)?;
                scan.torn = size - scan.end;
                break;
            };
            let mut at = scan.end + FRAME as u64;
            let next = scan.mark.seq + 1;
            let seq = entries(&payload, next, &mut at, each).unwrap_or_else(|| {
                Err(StoreError::damaged(
                    &self.path,
                    format!("the frame at byte {} does not follow the one before it; restore the file from a backup", scan.end),
                ))
            })?;
            scan.entries += seq + 1 - next;
            scan.mark = Mark {
                seq,
                chain: chain(scan.mark.chain, crc),
            };
            scan.end += (FRAME + payload.len()) as u64;
            frame(scan.mark);
        }
        Ok(scan)
    }

    /// Reads one frame's payload; `None` if there is no whole and sound frame.
    fn read_frame(
        &self,
        reader: &mut BufReader<File>,
        left: u64,
        payload: &mut Vec<u8>,
    ) -> Result<Option<u32>, StoreError> {
        if left < FRAME as u64 {
            return Ok(None);
        }
        let io = |e| StoreError::io(&self.path, "read", e);
        let mut head = [0; FRAME];
        reader.read_exact(&mut head).map_err(io)?;
        let Some((length, crc)) = self.header.frame_head(&head) else {
            return Ok(None);
        };
        if u64::from(length) > left - FRAME as u64 {
            return Ok(None);
        }
        payload.resize(length as usize, 0);
        reader.read_exact(payload).map_err(io)?;
        Ok((self.header.payload_check(payload) == crc).then_some(crc))
    }

    /// An unsound place is a torn tail only if nothing sound follows it.
    fn refuse_damage(&self, from: u64, size: u64) -> Result<(), StoreError> {
        let io = |e| StoreError::io(&self.path, "read", e);
        let length = usize::try_from(size - from).unwrap_or(usize::MAX);
        let mut rest = vec![0; length];
        self.file.read_exact_at(&mut rest, from).map_err(io)?;
        let sound = (1..rest.len()).find(|&at| {
            let Some(candidate) = rest.get(at..) else {
                return false;
            };
            let Some((head, after)) = candidate.split_first_chunk::<FRAME>() else {
                return false;
            };
            let Some((length, crc)) = self.header.frame_head(head) else {
                return false;
            };
            after
                .get(..length as usize)
                .is_some_and(|payload| self.header.payload_check(payload) == crc)
        });
        match sound {
            None => Ok(()),
            Some(at) => Err(StoreError::damaged(
                &self.path,
                format!(
                    "the journal is damaged between byte {from} and byte {}, with intact entries after it; restore the file from a backup, or move the state directory aside to start anew",
                    from + at as u64
                ),
            )),
        }
    }

    /// Takes over what a scan found and cuts off a torn tail.
    pub(super) fn settle(&mut self, scan: &Scan) -> Result<(), StoreError> {
        if scan.torn > 0 {
            self.file
                .set_len(scan.end)
                .and_then(|()| self.file.sync_all())
                .map_err(|e| StoreError::io(&self.path, "cut off a torn tail", e))?;
        }
        self.end = scan.end;
        self.mark = scan.mark;
        Ok(())
    }

    /// Appends entries as one frame and makes it durable. Returns where each entry's bytes begin.
    /// The first entry's number is `self.mark().seq + 1`.
    ///
    /// # Errors
    /// [`Unwritten::Clean`] if the file is as before, [`Unwritten::Stop`] if that is not certain.
    pub(super) fn append(&mut self, items: &[Vec<u8>]) -> Result<Vec<u64>, Unwritten> {
        let (offsets, crc) = self.write(items).map_err(|(e, undone)| {
            let e = StoreError::io(&self.path, "write", e);
            if undone {
                Unwritten::Clean(e)
            } else {
                Unwritten::Stop(e)
            }
        })?;
        // After a failed fsync nobody knows what is on disk, and a second one may lie: stop.
        self.file
            .sync_data()
            .map_err(|e| Unwritten::Stop(StoreError::io(&self.path, "make durable", e)))?;
        self.advance(items.len(), crc);
        Ok(offsets)
    }

    /// As [`Self::append`] without making it durable: for a file that is not in place yet.
    pub(super) fn append_unsynced(&mut self, items: &[Vec<u8>]) -> Result<(), StoreError> {
        let (_offsets, crc) = self
            .write(items)
            .map_err(|(e, _undone)| StoreError::io(&self.path, "write", e))?;
        self.advance(items.len(), crc);
        Ok(())
    }

    fn advance(&mut self, count: usize, crc: u32) {
        self.mark = Mark {
            seq: self.mark.seq + count as u64,
            chain: chain(self.mark.chain, crc),
        };
    }

    fn write(&mut self, items: &[Vec<u8>]) -> Result<(Vec<u64>, u32), (std::io::Error, bool)> {
        let too_large = || {
            let e =
                std::io::Error::new(std::io::ErrorKind::FileTooLarge, "the commit is too large");
            (e, true)
        };
        let size = FRAME + 12 + items.iter().map(|i| i.len() + 4).sum::<usize>();
        let mut frame = std::mem::take(&mut self.frame);
        frame.reserve_exact(size);
        frame.extend_from_slice(&[0; FRAME]);
        frame.extend_from_slice(&(self.mark.seq + 1).to_le_bytes());
        let count = u32::try_from(items.len()).map_err(|_many| too_large())?;
        frame.extend_from_slice(&count.to_le_bytes());
        let mut offsets = Vec::with_capacity(items.len());
        for item in items {
            let length = u32::try_from(item.len()).map_err(|_large| too_large())?;
            frame.extend_from_slice(&length.to_le_bytes());
            offsets.push(self.end + frame.len() as u64);
            frame.extend_from_slice(item);
        }
        let (head, payload) = frame.split_at_mut(FRAME);
        let length = u32::try_from(payload.len())
            .map_err(|_large| too_large())?
            .to_le_bytes();
        let crc = self.header.payload_check(payload);
        let checks = [
            length,
            self.header.length_check(length).to_le_bytes(),
            crc.to_le_bytes(),
        ];
        head.copy_from_slice(checks.as_flattened());
        if let Err(e) = self.file.write_all_at(&frame, self.end) {
            let undone = self.file.set_len(self.end).is_ok();
            return Err((e, undone));
        }
        self.end += frame.len() as u64;
        if frame.capacity() <= KEPT {
            frame.clear();
            self.frame = frame;
        }
        Ok((offsets, crc))
    }

    /// Reads bytes written earlier.
    pub(super) fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; length];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|e| StoreError::io(&self.path, "read", e))?;
        Ok(bytes)
    }
}

/// An append that did not succeed.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// The file is as it was before: the caller may try again later.
    Clean(StoreError),
    /// What is on disk is not certain: nothing more may be written before a restart.
    Stop(StoreError),
}

fn chain(before: u32, crc: u32) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&before.to_le_bytes());
    hash.update(&crc.to_le_bytes());
    hash.finalize()
}

/// Walks the entries of a payload; `None` if it does not hold together. Returns the last entry's number.
fn entries(
    payload: &[u8],
    next: u64,
    at: &mut u64,
    each: &mut dyn FnMut(Entry<'_>) -> Result<(), StoreError>,
) -> Option<Result<u64, StoreError>> {
    let mut rest = payload;
    let first = u64::from_le_bytes(take(&mut rest)?);
    let count = u32::from_le_bytes(take(&mut rest)?);
    if first != next || count == 0 {
        return None;
    }
    *at += 12;
    let mut seq = first;
    for i in 0..count {
        seq = first + u64::from(i);
        let length = u32::from_le_bytes(take(&mut rest)?) as usize;
        let (bytes, after) = rest.split_at_checked(length)?;
        *at += 4;
        let entry = Entry {
            seq,
            offset: *at,
            bytes,
        };
        if let Err(e) = each(entry) {
            return Some(Err(e));
        }
        *at += length as u64;
        rest = after;
    }
    rest.is_empty().then_some(Ok(seq))
}
