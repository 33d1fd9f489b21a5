//! The test certificates, which `tests/support/lib.sh` makes with openssl, apart from any code under test.

use std::{fs, path::PathBuf, process::Command};

use super::process::{cache_dir, run, support_dir};

/// Which certificate a server shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cert {
    /// For `localhost` and `127.0.0.1`.
    #[default]
    Good,
    /// The same, but its time is over.
    Expired,
    /// For another host's name.
    Wrong,
}

impl Cert {
    /// As the scripts spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Expired => "expired",
            Self::Wrong => "wrong",
        }
    }
}

/// Makes the certificates if no server did so before.
pub fn make() {
    let lib = support_dir().join("lib.sh");
    run(Command::new("bash")
        .args(["-c", ". \"$0\" && tls"])
        .arg(lib));
}

/// The CA that signed all of them, as PEM.
pub fn ca_pem() -> PathBuf {
    let path = cache_dir().join("tls/ca.crt");
    assert!(
        fs::exists(&path).unwrap_or(false),
        "{} is made by the first server that starts",
        path.display()
    );
    path
}
