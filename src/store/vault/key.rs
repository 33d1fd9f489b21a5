//! The key of the vault: what it may look like, what it is called, and what is derived from it.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

/// Length of a key in bytes.
const LENGTH: usize = 32;
/// A random key of 32 bytes has about 30 different ones; one with fewer than this was typed by a person.
const DISTINCT: usize = 12;

/// Names a key without telling anything about it.
pub(super) type KeyId = [u8; 8];

/// A key, and where it came from. It is wiped from memory when the last copy goes.
#[derive(Clone)]
pub struct VaultKey {
    bytes: Arc<Zeroizing<[u8; LENGTH]>>,
    reference: Arc<str>,
    id: KeyId,
}

impl VaultKey {
    /// Reads a key: 32 bytes as they are, or as 64 hexadecimal digits, or in base64, with at most one line end after the text.
    /// `reference` is where it came from, for messages.
    ///
    /// # Errors
    /// What is wrong, without repeating any of it.
    pub fn read(content: &[u8], reference: &str) -> Result<Self, &'static str> {
        const FORM: &str = "the key must be 32 random bytes, as they are, in hexadecimal or in base64; `provost secrets init` makes one";
        if content.len() == LENGTH && !content.iter().all(|b| (0x20..0x7f).contains(b)) {
            return Self::from_bytes(content, reference);
        }
        let text = content.strip_suffix(b"\n").unwrap_or(content);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let mut bytes = Zeroizing::new([0; LENGTH + 16]);
        let found = if text.len() == LENGTH * 2 {
            hexadecimal(text, &mut bytes[..]).ok_or(FORM)?
        } else {
            let bare = text.strip_suffix(b"=").unwrap_or(text);
            STANDARD_NO_PAD
                .decode_slice(bare, &mut bytes[..])
                .or_else(|_other| URL_SAFE_NO_PAD.decode_slice(bare, &mut bytes[..]))
                .map_err(|_neither| FORM)?
        };
        if found != LENGTH {
            return Err(FORM);
        }
        Self::from_bytes(bytes.get(..LENGTH).unwrap_or_default(), reference)
    }

    /// A new key and its text in base64, from the system's randomness.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate(
        reference: &str,
    ) -> Result<(Self, Zeroizing<String>), crate::random::NoRandomness> {
        loop {
            let mut bytes = Zeroizing::new([0; LENGTH]);
            crate::random::fill(&mut bytes[..])?;
            // Once in an eternity randomness looks like something a person typed.
            if let Ok(key) = Self::from_bytes(&bytes[..], reference) {
                let text = base64::engine::general_purpose::STANDARD.encode(&bytes[..]);
                return Ok((key, Zeroizing::new(text)));
            }
        }
    }

    fn from_bytes(bytes: &[u8], reference: &str) -> Result<Self, &'static str> {
        let mut key = Zeroizing::new([0; LENGTH]);
        for (to, from) in key.iter_mut().zip(bytes) {
            *to = *from;
        }
        let mut seen = [false; 256];
        for byte in bytes {
            if let Some(flag) = seen.get_mut(usize::from(*byte)) {
                *flag = true;
            }
        }
        if seen.iter().filter(|flag| **flag).count() < DISTINCT {
            return Err("the key is not random; `provost secrets init` makes a proper one");
        }
        let mut id = KeyId::default();
        let mut full = Zeroizing::new([0; LENGTH]);
        derive(&key, &[], b"provost vault key id 1", &mut full);
        if let Some((head, _)) = full.split_first_chunk() {
            id = *head;
        }
        Ok(Self {
            bytes: Arc::new(key),
            reference: reference.into(),
            id,
        })
    }

    /// Where the key came from.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// A name that tells keys apart and tells nothing about them.
    #[must_use]
    pub fn id(&self) -> String {
        show_id(self.id)
    }

    pub(super) fn raw_id(&self) -> KeyId {
        self.id
    }

    /// The cipher for the records of one file: each file has a key of its own.
    pub(super) fn cipher(&self, instance: &[u8; 16]) -> XChaCha20Poly1305 {
        let mut subkey = Zeroizing::new([0; LENGTH]);
        derive(
            &self.bytes,
            instance,
            b"provost vault records 1",
            &mut subkey,
        );
        XChaCha20Poly1305::new((&*subkey).into())
    }
}

impl PartialEq for VaultKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for VaultKey {}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultKey")
            .field("reference", &self.reference)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// The current key, and those before it that may still have sealed something.
#[derive(Clone, Debug)]
pub struct VaultKeys {
    /// What is sealed from now on is sealed with it.
    pub current: VaultKey,
    /// Accepted for what was sealed before.
    pub old: Vec<VaultKey>,
}

pub(super) fn show_id(id: KeyId) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hexadecimal(text: &[u8], into: &mut [u8]) -> Option<usize> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    for (pair, byte) in text.chunks_exact(2).zip(into) {
        let &[high, low] = pair else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(text.len() / 2)
}

/// HKDF-SHA256 (RFC 5869).
fn derive(key: &[u8; LENGTH], salt: &[u8], purpose: &[u8], into: &mut [u8; LENGTH]) {
    let prk = Salt::new(HKDF_SHA256, salt).extract(key);
    let purpose = [purpose];
    // Both can fail only for outputs of more than 8 KiB.
    if let Ok(okm) = prk.expand(&purpose, HKDF_SHA256) {
        okm.fill(into).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> [u8; 32] {
        let mut bytes = [0; 32];
        for (n, byte) in (0_u8..).zip(&mut bytes) {
            *byte = n.wrapping_mul(151).wrapping_add(13);
        }
        bytes
    }

    #[test]
    fn every_form_of_a_key_is_the_same_key() {
        let bytes = sample();
        let hex: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
        let padded = base64::engine::general_purpose::STANDARD.encode(bytes);
        let url = URL_SAFE_NO_PAD.encode(bytes);
        let raw = VaultKey::read(&bytes, "file:/k").unwrap();
        for text in [
            hex.clone(),
            format!("{hex}\n"),
            padded.clone(),
            format!("{padded}\r\n"),
            url,
        ] {
            let key = VaultKey::read(text.as_bytes(), "file:/k").unwrap();
            assert_eq!(key.bytes, raw.bytes);
        }
        let shown = format!("{raw:?}");
        assert!(shown.contains(&raw.id()) && !shown.contains(&hex[..8]));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let passphrase = b"correct horse battery staple 123".to_vec();
        assert_eq!(passphrase.len(), 32);
        for wrong in [
            passphrase,
            vec![],
            vec![0; 32],
            vec![7; 32],
            sample()[..31].to_vec(),
            b"00".repeat(32),
            b"zz".repeat(32),
            b"hunter2".to_vec(),
        ] {
            let why = VaultKey::read(&wrong, "file:/k").unwrap_err();
            assert!(!why.contains("hunter2") && !why.contains("horse"));
        }
    }

    #[test]
    fn generated_keys_are_read_back_and_differ() {
        let (a, text) = VaultKey::generate("x").unwrap();
        let again = VaultKey::read(text.as_bytes(), "x").unwrap();
        assert_eq!(a.bytes, again.bytes);
        assert_ne!(a.id(), VaultKey::generate("x").unwrap().0.id());
    }
}
