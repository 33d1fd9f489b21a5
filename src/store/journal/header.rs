//! The head of a journal: which format, which instance, and what earlier files were summarised up to. It also knows how
//! the checks of frames are seeded.

use std::path::Path;

use super::super::error::StoreError;

/// The format of the journal and of everything in it.
pub const VERSION: u16 = 3;

const MAGIC: &[u8; 8] = b"PROVOSTJ";
pub(in crate::store) const HEADER: usize = 44;
pub(in crate::store) const FRAME: usize = 12;

/// A place in the history: the number of the last entry and the running checksum there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::store) struct Mark {
    /// The last entry's number; 0 before the first.
    pub seq: u64,
    /// The running checksum over all frames up to it.
    pub chain: u32,
}

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::store) struct Header {
    /// Random, made with the state directory.
    pub instance: [u8; 16],
    /// What the first entries summarise; zero in a journal that was never compacted.
    pub prior: Mark,
}

impl Header {
    pub(in crate::store) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.instance);
        bytes.extend_from_slice(&self.prior.seq.to_le_bytes());
        bytes.extend_from_slice(&self.prior.chain.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let mut fixed = [0; HEADER];
        fixed.copy_from_slice(&bytes);
        fixed
    }

    pub(in crate::store) fn from_bytes(
        bytes: &[u8; HEADER],
        path: &Path,
    ) -> Result<Self, StoreError> {
        let damaged = || {
            StoreError::damaged(
                path,
                "the header of the journal is damaged; restore the file from a backup, or move the state directory aside to start anew",
            )
        };
        let mut rest = &bytes[..];
        let magic: [u8; 8] = take(&mut rest).ok_or_else(damaged)?;
        let version = u16::from_le_bytes(take(&mut rest).ok_or_else(damaged)?);
        let _flags: [u8; 2] = take(&mut rest).ok_or_else(damaged)?;
        let instance = take(&mut rest).ok_or_else(damaged)?;
        let seq = u64::from_le_bytes(take(&mut rest).ok_or_else(damaged)?);
        let chain = u32::from_le_bytes(take(&mut rest).ok_or_else(damaged)?);
        let crc = u32::from_le_bytes(take(&mut rest).ok_or_else(damaged)?);
        if &magic != MAGIC {
            return Err(damaged());
        }
        // Before the checksum: another format may have another header.
        if version != VERSION {
            return Err(StoreError::Version {
                path: path.to_path_buf(),
                found: version,
                known: VERSION,
            });
        }
        if crc32fast::hash(&bytes[..HEADER - 4]) != crc {
            return Err(damaged());
        }
        Ok(Self {
            instance,
            prior: Mark { seq, chain },
        })
    }

    /// Where the running checksum of this file begins.
    pub(in crate::store) fn chain(&self) -> u32 {
        crc32fast::hash(&self.to_bytes())
    }

    pub(in crate::store) fn length_check(&self, length: [u8; 4]) -> u32 {
        let mut hash = crc32fast::Hasher::new();
        hash.update(b"length");
        hash.update(&self.instance);
        hash.update(&length);
        hash.finalize()
    }

    pub(in crate::store) fn payload_check(&self, payload: &[u8]) -> u32 {
        let mut hash = crc32fast::Hasher::new();
        hash.update(&self.instance);
        hash.update(payload);
        hash.finalize()
    }

    pub(in crate::store) fn frame_head(&self, head: &[u8; FRAME]) -> Option<(u32, u32)> {
        let mut rest = &head[..];
        let length: [u8; 4] = take(&mut rest)?;
        let check = u32::from_le_bytes(take(&mut rest)?);
        let crc = u32::from_le_bytes(take(&mut rest)?);
        (self.length_check(length) == check).then(|| (u32::from_le_bytes(length), crc))
    }
}

pub(in crate::store) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (chunk, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*chunk)
}
