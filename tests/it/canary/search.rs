//! Looks for secrets in bytes, in every form in which they could stand there.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A secret, and how it could be written.
pub struct Planted {
    pub name: String,
    forms: Vec<String>,
}

impl Planted {
    pub fn new(name: &str, secret: &str) -> Self {
        Self::bytes(name, secret.as_bytes())
    }

    pub fn bytes(name: &str, secret: &[u8]) -> Self {
        assert!(secret.len() >= 12, "{name} is too short to be looked for");
        Self {
            name: name.to_owned(),
            forms: forms(secret).iter().map(|form| latin(form)).collect(),
        }
    }
}

/// One character for each byte: the standard library searches texts fast.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// As it is; escaped for JSON and for Rust's `Debug`, percent-encoded, in hexadecimal, in base64 at any place of a larger
/// text, as UTF-16, backwards, and half of it.
pub fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec()];
    if let Ok(text) = std::str::from_utf8(secret) {
        let json = serde_json::to_string(text).unwrap();
        forms.push(json.trim_matches('"').into());
        forms.push(format!("{text:?}").trim_matches('"').into());
        let units = || text.encode_utf16();
        forms.push(units().flat_map(u16::to_le_bytes).collect());
        forms.push(units().flat_map(u16::to_be_bytes).collect());
        forms.push(
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .into(),
        );
        forms.push(text.chars().rev().collect::<String>().into());
        let half = text.chars().count() / 2;
        forms.push(text.chars().take(half.max(9)).collect::<String>().into());
        forms.push(
            text.chars()
                .skip(half.min(text.chars().count() - 9))
                .collect::<String>()
                .into(),
        );
    }
    let url: String = url::form_urlencoded::byte_serialize(secret).collect();
    forms.push(url.replace('+', "%20").into());
    forms.push(url.into());
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push(hex.to_uppercase().into());
    forms.push(hex.into());
    for skip in 0..3 {
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let whole = engine.encode([&b"xx"[..skip.min(2)], secret].concat());
            forms.push(whole[4..whole.len() - 4].into());
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

/// Everything that was written and said.
#[derive(Default)]
pub struct Haystack {
    pieces: Vec<(String, String)>,
}

impl Haystack {
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        self.pieces.push((name.to_owned(), latin(bytes)));
    }

    /// Every file below a folder but those that are left out.
    pub fn files(&mut self, dir: &Path, out: &dyn Fn(&Path) -> bool) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if out(&path) {
                continue;
            }
            if path.is_dir() {
                self.files(&path, out);
            } else if path.is_file() {
                self.add(&path.display().to_string(), &fs::read(&path).unwrap());
            }
        }
    }

    /// In how many pieces a text stands.
    pub fn mentions(&self, text: &str) -> usize {
        self.pieces
            .iter()
            .filter(|(_, piece)| piece.contains(text))
            .count()
    }

    pub fn all(&self) -> String {
        let texts: Vec<&str> = self
            .pieces
            .iter()
            .map(|(_, piece)| piece.as_str())
            .collect();
        texts.join("\n")
    }

    /// Which secret stands where.
    pub fn search(&self, secrets: &[Planted]) -> Vec<String> {
        let mut found = Vec::new();
        for secret in secrets {
            for (name, piece) in &self.pieces {
                let at = secret
                    .forms
                    .iter()
                    .find_map(|form| piece.find(form.as_str()));
                if let Some(at) = at {
                    let from = piece
                        .char_indices()
                        .map(|(i, _)| i)
                        .rfind(|i| *i + 120 <= at);
                    let before = &piece[from.unwrap_or(0)..at];
                    found.push(format!("{} is in {name}, after {before:?}", secret.name));
                }
            }
        }
        found
    }
}
