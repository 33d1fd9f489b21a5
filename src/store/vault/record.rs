//! One record, sealed and opened, and the book of all records of a file.

use std::collections::BTreeMap;

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::frame::{Header, Scan, VERSION};
use super::label::Label;
use crate::random::{self, NoRandomness};
use crate::store::codec;

/// What a record does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Kind {
    /// It holds a secret.
    Seal,
    /// It ends the one before it under the same label.
    Forget,
}

/// What stands before a sealed secret, readable and bound to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// Grows from record to record: one that was copied to another place is noticed.
    pub seq: u64,
    pub kind: Kind,
    pub nonce: [u8; 24],
    pub label: Label,
}

impl Head {
    pub(super) fn new(seq: u64, kind: Kind, label: Label) -> Result<Self, NoRandomness> {
        Ok(Self {
            seq,
            kind,
            nonce: random::array()?,
            label,
        })
    }
}

/// What a secret is bound to besides its head: the format, the file and the key.
fn bound(header: &Header, head: &[u8]) -> Vec<u8> {
    let mut bytes = b"provost vault record".to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&header.instance);
    bytes.extend_from_slice(&header.key);
    bytes.extend_from_slice(head);
    bytes
}

/// The payload of a record: `[length of the head][head][sealed secret]`. `None` if it cannot be represented.
pub(super) fn seal(
    header: &Header,
    cipher: &XChaCha20Poly1305,
    head: &Head,
    secret: &str,
) -> Option<Vec<u8>> {
    let head_bytes = codec::encode(head).ok()?;
    let bound = bound(header, &head_bytes);
    // With room for the tag from the start, nothing readable is left behind by growing.
    let mut sealed = Vec::with_capacity(secret.len() + 16);
    sealed.extend_from_slice(secret.as_bytes());
    cipher
        .encrypt_in_place(&XNonce::from(head.nonce), &bound, &mut sealed)
        .ok()?;
    let mut payload = Vec::with_capacity(2 + head_bytes.len() + sealed.len());
    payload.extend_from_slice(&u16::try_from(head_bytes.len()).ok()?.to_le_bytes());
    payload.extend_from_slice(&head_bytes);
    payload.extend_from_slice(&sealed);
    Some(payload)
}

/// Opens a payload; `None` if it is not what was sealed.
pub(super) fn open(
    header: &Header,
    cipher: &XChaCha20Poly1305,
    payload: &[u8],
) -> Option<(Head, SecretString)> {
    let (length, rest) = payload.split_first_chunk::<2>()?;
    let (head_bytes, sealed) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
    let head: Head = codec::decode(head_bytes).ok()?;
    let bound = bound(header, head_bytes);
    let mut secret = Zeroizing::new(sealed.to_vec());
    cipher
        .decrypt_in_place(&XNonce::from(head.nonce), &bound, &mut *secret)
        .ok()?;
    let text = std::str::from_utf8(&secret).ok()?;
    Some((head, SecretString::from(text)))
}

/// What is where in a file.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// Where the payload of each live secret is: its byte and its length.
    pub live: BTreeMap<Label, (usize, usize)>,
    /// Damaged places, in words.
    pub damaged: Vec<String>,
    /// The number of the last record.
    pub seq: u64,
    /// Where the next record goes.
    pub end: usize,
    records: usize,
}

impl Book {
    /// Opens every record of a file.
    pub(super) fn read(header: &Header, cipher: &XChaCha20Poly1305, bytes: &[u8]) -> Self {
        let Scan {
            sound,
            damaged,
            end,
        } = header.scan(bytes);
        let mut book = Self::default();
        for (from, to) in damaged {
            book.damaged.push(format!("byte {from} to {to}"));
        }
        for (at, length) in sound {
            let payload = bytes.get(at..at + length).unwrap_or_default();
            match open(header, cipher, payload) {
                Some((head, _)) if head.seq > book.seq => book.put(head, at, length),
                Some(_) => book
                    .damaged
                    .push(format!("an older record was put again at byte {at}")),
                None => book
                    .damaged
                    .push(format!("the record at byte {at} was not sealed here")),
            }
        }
        book.end = end;
        book
    }

    /// Takes over a record that was appended.
    pub(super) fn add(&mut self, head: Head, frame: usize, length: usize) {
        // The payload is followed by one byte.
        let at = self.end + frame - length - 1;
        self.end += frame;
        self.put(head, at, length);
    }

    fn put(&mut self, head: Head, at: usize, length: usize) {
        self.seq = head.seq;
        self.records += 1;
        match head.kind {
            Kind::Seal => self.live.insert(head.label, (at, length)),
            Kind::Forget => self.live.remove(&head.label),
        };
    }

    /// Records that are of no use any more.
    pub(super) fn dead(&self) -> usize {
        self.records.saturating_sub(self.live.len())
    }
}
