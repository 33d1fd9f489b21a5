//! What must not show in anything that somebody else says: servers echo what they are sent, as it was or encoded.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Stands in the place of what was taken out.
const MASK: &[u8] = b"***";
/// Encoded forms of less than this are left alone: they would be found by chance.
const SHORTEST: usize = 8;

/// Secrets in every form in which something may repeat them.
#[derive(Default)]
pub struct Veil {
    /// The longest first, because a form may hold another.
    forms: Vec<Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for Veil {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Veil").finish_non_exhaustive()
    }
}

impl Veil {
    /// Over these secrets: as they are; escaped for JSON, XML and URLs; in hexadecimal and base64, also as part of more.
    #[must_use]
    pub fn over<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut forms = Vec::new();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            let mut all = encoded(secret);
            all.retain(|form| form.len() >= SHORTEST && form.as_slice() != secret);
            all.push(Zeroizing::new(secret.to_vec()));
            forms.append(&mut all);
        }
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms }
    }

    /// Takes everything that it is over out of a text.
    pub fn draw(&self, text: &mut Vec<u8>) {
        for form in &self.forms {
            conceal(text, form);
        }
    }

    /// As [`Self::draw`].
    #[must_use]
    pub fn drawn(&self, text: String) -> String {
        let mut bytes = text.into_bytes();
        self.draw(&mut bytes);
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Whether a text shows something that it is over.
    #[must_use]
    pub fn is_torn_by(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let held = |form: &Zeroizing<Vec<u8>>| find(text, form).is_some();
        self.forms.iter().any(held)
    }
}

fn encoded(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let keep = |text: String| Zeroizing::new(text.into_bytes());
    let mut forms = Vec::new();
    if let Ok(text) = std::str::from_utf8(secret) {
        let json = Zeroizing::new(serde_json::to_string(text).unwrap_or_default());
        let json = json
            .get(1..json.len().saturating_sub(1))
            .unwrap_or_default();
        forms.push(keep(json.to_owned()));
        // As some libraries do: the slash escaped too, and what HTML could take for its own as a code.
        forms.push(keep(json.replace('/', "\\/")));
        let coded = |c: char| match c {
            '<' | '>' | '&' | '\'' | '+' => format!("\\u{:04x}", u32::from(c)),
            other => other.to_string(),
        };
        forms.push(keep(json.chars().map(coded).collect()));
        forms.push(keep(xml(text, "&#39;")));
        forms.push(keep(xml(text, "&apos;")));
    }
    let form: String = url::form_urlencoded::byte_serialize(secret).collect();
    forms.push(keep(lower_codes(&form)));
    forms.push(keep(form.replace('+', "%20")));
    forms.push(keep(form));
    let mut hex = String::new();
    for byte in secret {
        let _ = write!(hex, "{byte:02x}");
    }
    forms.push(keep(hex.to_uppercase()));
    forms.push(keep(hex));
    for skip in 0..3 {
        let mut shifted = Zeroizing::new(vec![0; skip]);
        shifted.extend_from_slice(secret);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let whole = Zeroizing::new(engine.encode(&*shifted));
            // The characters that depend on what stands before and after it are left out.
            let from = (skip * 8).div_ceil(6);
            let to = shifted.len() * 8 / 6;
            forms.push(keep(whole.get(from..to).unwrap_or_default().to_owned()));
        }
    }
    forms
}

fn xml(text: &str, apostrophe: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', apostrophe)
}

/// The same with the codes of percent-encoding in lower case.
fn lower_codes(form: &str) -> String {
    let mut left = 0_u8;
    let lower = |c: char| {
        let code = left > 0;
        left = if c == '%' { 2 } else { left.saturating_sub(1) };
        if code { c.to_ascii_lowercase() } else { c }
    };
    form.chars().map(lower).collect()
}

fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    text.windows(piece.len()).position(|window| window == piece)
}

/// Replaces every occurrence.
fn conceal(text: &mut Vec<u8>, secret: &[u8]) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| find(rest, secret)) {
        let start = from + at;
        text.splice(start..start + secret.len(), MASK.iter().copied());
        from = start + MASK.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "aB/3\"x+&<é9'Kq\\z";

    fn drawn(text: &str) -> String {
        Veil::over([SECRET.as_bytes()]).drawn(text.to_owned())
    }

    #[test]
    fn a_secret_is_taken_out_in_every_form() {
        let json = serde_json::json!({"error": format!("bad {SECRET}!")}).to_string();
        assert_eq!(drawn(&json), "{\"error\":\"bad ***!\"}");
        assert_eq!(drawn(&json.replace('/', "\\/")), "{\"error\":\"bad ***!\"}");
        let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        assert_eq!(drawn(&format!("p={form}&q")), "p=***&q");
        assert_eq!(drawn(&format!("p={}&q", lower_codes(&form))), "p=***&q");
        assert_eq!(
            drawn(&format!("<p>{}</p>", xml(SECRET, "&#39;"))),
            "<p>***</p>"
        );
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(drawn(&hex), "***");
        for before in ["", "u", "us", "use", "user:"] {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let text = engine.encode(format!("{before}{SECRET}:more"));
                let shown = drawn(&text);
                assert!(shown.contains("***"), "{before}: {shown}");
                assert!(shown.len() < text.len() - SECRET.len(), "{before}: {shown}");
            }
        }
        assert_eq!(lower_codes("%2B%2FAB%C3"), "%2b%2fAB%c3");
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        for text in ["", "ordinary", "aB/3", "é"] {
            assert_eq!(drawn(text), text);
        }
        let nothing = Veil::over([&b""[..]]);
        assert_eq!(nothing.drawn("x".to_owned()), "x");
        // What is short is taken out as it is, and its forms are left alone: they would be found by chance.
        assert_eq!(
            Veil::over([&b"ab"[..]]).drawn("ab 6162 YWI".to_owned()),
            "*** 6162 YWI"
        );
    }
}
