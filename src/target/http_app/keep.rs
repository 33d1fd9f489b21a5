//! Keeps a rotated refresh token in a file of its own, which only the daemon's user can read.
//!
//! The file names the configured token that its own descends from (as a hash): a newly configured one is used instead of it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::target::ConnectorError;

/// The place of one target's refresh token.
pub struct Keep {
    path: PathBuf,
    origin: String,
}

impl Keep {
    /// At this path, for what descends from the configured token.
    #[must_use]
    pub fn new(path: PathBuf, configured: Option<&SecretString>) -> Self {
        let configured = configured
            .map(ExposeSecret::expose_secret)
            .unwrap_or_default();
        let hash = Sha256::digest(configured.as_bytes());
        let origin = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { path, origin }
    }

    /// The latest token that descends from the configured one.
    ///
    /// # Errors
    /// [`ConnectorError::Unauthorised`] if there is a file and it cannot be read: the configured token is used up then.
    pub fn latest(&self) -> Result<Option<SecretString>, ConnectorError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(&error)),
        };
        let latest = text
            .split_once('\n')
            .filter(|(origin, _)| *origin == self.origin);
        Ok(latest.map(|(_, token)| SecretString::from(token.trim_end())))
    }

    /// Keeps a token, durably.
    ///
    /// # Errors
    /// [`ConnectorError::Unauthorised`] if it cannot be written: the next run could not sign in.
    pub fn store(&self, token: &SecretString) -> Result<(), ConnectorError> {
        self.write(token).map_err(|error| self.failed(&error))
    }

    fn write(&self, token: &SecretString) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // It may be the first thing in the state directory, which is for nobody else's eyes either.
        let private = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        private?;
        let fresh = self.path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        let text = Zeroizing::new(format!("{}\n{}\n", self.origin, token.expose_secret()));
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        File::open(folder)?.sync_all()
    }

    fn failed(&self, error: &std::io::Error) -> ConnectorError {
        let path = self.path.display();
        ConnectorError::Unauthorised(format!(
            "the rotated refresh token in {path} cannot be kept or read: {error}"
        ))
    }
}
