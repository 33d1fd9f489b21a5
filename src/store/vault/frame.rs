//! How the vault's file is laid out: a header, then one frame per record.
//!
//! The header (48 bytes) names the format, the file's random instance and the key. A frame is
//! `[length][check of the length][crc32 of the payload][payload][end mark]`, little-endian; checks are seeded with the instance.
//! Unlike in the journal, a last frame that is whole but wrong is damage and never cut off: it was acknowledged, and a password
//! depends on it. Only what a cut of power leaves is cut off: a frame that is too short, or that was never filled.

use std::path::Path;

use super::key::KeyId;
use crate::store::error::StoreError;

pub(super) const VERSION: u16 = 1;
pub(super) const HEADER: usize = 48;

const MAGIC: &[u8; 8] = b"PROVOSTV";
const HEAD: usize = 12;
/// No single flipped bit makes it zero, so zero means that the end was never written.
const END_MARK: u8 = 0xA5;
/// So many zeros in a row are in no sealed record; a file system shows them for what was never written.
const UNWRITTEN: usize = 16;
/// The largest record: no secret is larger than this.
pub(super) const LARGEST: usize = 16 << 10;

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub instance: [u8; 16],
    pub key: KeyId,
}

/// What reading a file found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Where the payloads of sound frames are.
    pub sound: Vec<(usize, usize)>,
    /// What is damaged: from a byte to a byte.
    pub damaged: Vec<(usize, usize)>,
    /// The end of the last frame, damaged or not; after it only what was never acknowledged.
    pub end: usize,
}

impl Header {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(&self.instance);
        bytes.extend_from_slice(&self.key);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, StoreError> {
        let damaged = || {
            StoreError::damaged(
                path,
                "the header of the vault is damaged; restore the file from a backup",
            )
        };
        let mut rest = bytes.get(..HEADER).ok_or_else(damaged)?;
        let magic: [u8; 8] = take(&mut rest).ok_or_else(damaged)?;
        let version = u16::from_le_bytes(take(&mut rest).ok_or_else(damaged)?);
        let zeros: [u8; 10] = take(&mut rest).ok_or_else(damaged)?;
        let instance = take(&mut rest).ok_or_else(damaged)?;
        let key = take(&mut rest).ok_or_else(damaged)?;
        let crc = u32::from_le_bytes(take(&mut rest).ok_or_else(damaged)?);
        let sound = bytes
            .get(..HEADER - 4)
            .is_some_and(|head| crc32fast::hash(head) == crc);
        if magic != *MAGIC || (sound && zeros != [0; 10]) {
            return Err(damaged());
        }
        // A later version has a sound checksum too, unless its header is longer; a flipped bit has none.
        if sound && version != VERSION {
            return Err(StoreError::Version {
                path: path.to_path_buf(),
                found: version,
                known: VERSION,
            });
        }
        if !sound {
            return Err(damaged());
        }
        Ok(Self { instance, key })
    }

    fn check(&self, what: &[u8], bytes: &[u8]) -> u32 {
        let mut hash = crc32fast::Hasher::new();
        hash.update(what);
        hash.update(&self.instance);
        hash.update(bytes);
        hash.finalize()
    }

    /// A payload as a frame.
    pub(super) fn frame(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let length = u32::try_from(payload.len()).ok()?.to_le_bytes();
        if payload.len() > LARGEST {
            return None;
        }
        let mut frame = Vec::with_capacity(HEAD + payload.len() + 1);
        frame.extend_from_slice(&length);
        frame.extend_from_slice(&self.check(b"length", &length).to_le_bytes());
        frame.extend_from_slice(&self.check(b"record", payload).to_le_bytes());
        frame.extend_from_slice(payload);
        frame.push(END_MARK);
        Some(frame)
    }

    /// The length and checksum that a frame's head at the start of `bytes` states.
    fn head(&self, bytes: &[u8]) -> Option<(usize, u32)> {
        let mut rest = bytes.get(..HEAD)?;
        let length: [u8; 4] = take(&mut rest)?;
        let check = u32::from_le_bytes(take(&mut rest)?);
        let crc = u32::from_le_bytes(take(&mut rest)?);
        let size = usize::try_from(u32::from_le_bytes(length)).ok()?;
        (self.check(b"length", &length) == check && size <= LARGEST).then_some((size, crc))
    }

    /// The length of the payload of a sound frame at the start of `bytes`.
    fn sound(&self, bytes: &[u8]) -> Option<usize> {
        let (length, crc) = self.head(bytes)?;
        let payload = bytes.get(HEAD..HEAD + length)?;
        let marked = bytes.get(HEAD + length) == Some(&END_MARK);
        (marked && self.check(b"record", payload) == crc).then_some(length)
    }

    /// Finds every frame of a file.
    pub(super) fn scan(&self, bytes: &[u8]) -> Scan {
        let mut scan = Scan {
            end: HEADER,
            ..Scan::default()
        };
        while let Some(rest) = bytes.get(scan.end..).filter(|rest| !rest.is_empty()) {
            if let Some(length) = self.sound(rest) {
                scan.sound.push((scan.end + HEAD, length));
                scan.end += HEAD + length + 1;
                continue;
            }
            let next = (1..rest.len()).find(|&at| {
                let from = rest.get(at..).unwrap_or_default();
                self.sound(from).is_some()
            });
            if next.is_none() && self.is_torn(rest) {
                break;
            }
            let end = scan.end + next.unwrap_or(rest.len());
            scan.damaged.push((scan.end, end));
            scan.end = end;
        }
        scan
    }

    /// Whether what stands at the end of a file can be a record that was being written when the power went.
    fn is_torn(&self, rest: &[u8]) -> bool {
        let short = match self.head(rest) {
            Some((length, _)) => rest.len() <= HEAD + length,
            None => rest.len() < HEAD,
        };
        let unwritten = rest
            .windows(UNWRITTEN)
            .any(|w| w.iter().all(|byte| *byte == 0));
        short || unwritten || rest.last() == Some(&0)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*chunk)
}
