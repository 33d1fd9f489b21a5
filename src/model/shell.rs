//! Text for a shell: what is shown so that somebody may paste it must not do anything else than what it says.

use std::fmt::Write as _;

/// One word for a shell, whatever the text is. Plain text stands in single quotes, which every shell knows; text with
/// characters that cannot be seen is spelled out in `$'…'` (POSIX.1-2024 §2.2.4: bash, zsh, ksh), so that it is safe in a
/// log as well.
#[must_use]
pub fn word(text: &str) -> String {
    if text.chars().all(is_visible) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    let mut out = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            _ if is_visible(c) => out.push(c),
            _ => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    // Octal has at most three digits, so that what follows is never taken for more of it.
                    write!(out, "\\{byte:03o}").ok();
                }
            }
        }
    }
    out.push('\'');
    out
}

/// The name of a variable that stands for a secret: capital letters, digits and underscores.
#[must_use]
pub fn variable(name: &str) -> String {
    let mut out: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    if !out.starts_with(|c: char| c.is_ascii_uppercase()) {
        out.insert(0, 'V');
    }
    out
}

/// Letters, digits, signs and the plain space; nothing that moves, hides or turns around what stands beside it.
fn is_visible(c: char) -> bool {
    let hidden = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_whatever_they_hold() {
        for (text, quoted) in [
            ("plain", "'plain'"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(rm) `x` \"y\" !", "'$(rm) `x` \"y\" !'"),
            ("it's", "'it'\\''s'"),
            ("é", "'é'"),
            ("a\nb", "$'a\\012b'"),
            ("\u{1b}[2J'\\", "$'\\033[2J\\'\\\\'"),
            ("x\u{202e}1", "$'x\\342\\200\\2561'"),
        ] {
            assert_eq!(word(text), quoted, "{text:?}");
        }
        assert_eq!(variable("X-Api.Key"), "X_API_KEY");
        assert_eq!(variable("9"), "V9");
        assert_eq!(variable(""), "V");
    }
}
