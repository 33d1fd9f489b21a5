//! Secrets are named in the configuration, never written there. This is what the names may look like.
//!
//! Pure: where secrets come from is read in `load`. No message here repeats what was written, because it may be the secret.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Where a secret comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reference {
    /// `cred:NAME`: the file of that name in the directory that systemd's `LoadCredential=` made.
    Credential(String),
    /// `file:/path`: a file that only its owner can read.
    File(PathBuf),
    /// `env:NAME`: an environment variable; for tests.
    Environment(String),
}

/// What tells one value of a secret from another, for noticing that somebody changed it. By reference as written; it is kept
/// where the secrets themselves are, in memory, and never shown.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Prints(BTreeMap<String, [u8; 32]>);

impl std::fmt::Debug for Prints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prints")
    }
}

impl Prints {
    /// Takes note of a secret.
    pub(super) fn note(&mut self, reference: &Reference, secret: &[u8]) {
        self.0
            .insert(reference.to_string(), Sha256::digest(secret).into());
    }

    /// The references behind which another secret stands than before, as they are written.
    #[must_use]
    pub fn changed(&self, before: &Self) -> Vec<String> {
        let other = |(name, print): &(&String, &[u8; 32])| {
            before.0.get(*name).is_some_and(|before| before != *print)
        };
        let changed = self.0.iter().filter(other);
        changed.map(|(name, _)| name.clone()).collect()
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Credential(name) => write!(f, "cred:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Environment(name) => write!(f, "env:{name}"),
        }
    }
}

/// What a secret must look like, for help texts.
pub const FORMS: &str = "name where the secret comes from: \"cred:NAME\" for a systemd credential, or \"file:/path\" for a file that only the daemon's user can read";

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// What is wrong, without repeating the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(name) = text.strip_prefix("cred:") {
            let proper = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            if name.is_empty() || name.starts_with('.') || !name.bytes().all(proper) {
                return Err("the name of a credential has only letters, digits, `-`, `_` and `.`");
            }
            Ok(Self::Credential(name.to_owned()))
        } else if let Some(path) = text.strip_prefix("file:") {
            let path = Path::new(path);
            if !path.is_absolute() {
                return Err("the path of a secret file must be absolute: file:/path");
            }
            Ok(Self::File(path.to_owned()))
        } else if let Some(name) = text.strip_prefix("env:") {
            let proper = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if name.is_empty() || !name.bytes().all(proper) {
                return Err("the name of an environment variable has only letters, digits and `_`");
            }
            Ok(Self::Environment(name.to_owned()))
        } else {
            Err("a secret must not be written in the configuration")
        }
    }
}

/// The secret inside what a file or variable held: one line break at the end does not count.
///
/// # Errors
/// What is wrong, without repeating the text.
pub fn trimmed(text: &str) -> Result<&str, &'static str> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        // An empty password turns an LDAP bind into an anonymous one that succeeds (RFC 4513 §5.1.2).
        return Err("the secret is empty");
    }
    if line.chars().any(char::is_control) {
        return Err("the secret has more than one line, or control characters");
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read() {
        let credential = Reference::Credential("ad-password".to_owned());
        assert_eq!(Reference::parse("cred:ad-password"), Ok(credential));
        let file = Reference::File(PathBuf::from("/run/secrets/x"));
        assert_eq!(Reference::parse("file:/run/secrets/x"), Ok(file));
        let variable = Reference::Environment("A_1".to_owned());
        assert_eq!(Reference::parse("env:A_1"), Ok(variable));
    }

    #[test]
    fn anything_else_is_refused_and_not_repeated() {
        for text in [
            "hunter2",
            "cred:",
            "cred:../shadow",
            "cred:.x",
            "cred:a/b",
            "file:secret",
            "file:",
            "env:",
            "env:A B",
            "CRED:hunter2",
            "",
        ] {
            let why = Reference::parse(text).unwrap_err();
            assert!(!why.contains("hunter2") && !why.contains("shadow"), "{why}");
        }
    }

    #[test]
    fn one_line_break_is_trimmed() {
        assert_eq!(trimmed("a b\n"), Ok("a b"));
        assert_eq!(trimmed("ab\r\n"), Ok("ab"));
        assert_eq!(trimmed(" ab "), Ok(" ab "));
        for text in ["", "\n", "\r\n", "a\n\n", "a\nb", "a\0"] {
            assert!(trimmed(text).is_err(), "{text:?}");
        }
    }
}
