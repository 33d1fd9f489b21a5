//! The secrets of a configuration in a folder of its own: private files, and the vault with its key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use provost::store::{Label, Purpose, Vault, VaultKey, VaultKeys};
use secrecy::SecretString;

/// The key of every vault here, as its file has it.
pub const KEY: &str = "4f1d9c02a7b86e3550c9d1e8f7a6b4c3920d5e6f8a1b2c3d4e5f60718293a4b5";

/// Writes a file that nobody else may read; gives the reference to it.
pub fn put(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    format!("file:{}", path.display())
}

/// The table of the vault, whose key is `vault.key` in this folder.
pub fn table(dir: &Path) -> String {
    format!("\n[secrets]\nkey = \"{}\"\n", put(dir, "vault.key", KEY))
}

/// Opens the vault of a state that nobody else has open.
pub fn vault(state: &Path) -> Vault {
    let keys = VaultKeys {
        current: VaultKey::read(KEY.as_bytes(), "test").unwrap(),
        old: Vec::new(),
    };
    Vault::open(state, &keys).unwrap()
}

/// What is sealed for somebody in a target, the newest last.
pub fn labels(vault: &Vault, target: &str, anchor: &str) -> Vec<Label> {
    let all = vault.labels().unwrap().into_iter();
    all.filter(|label| label.target == target && label.anchor.as_str() == anchor)
        .collect()
}

/// The newest sealed password of a purpose.
pub fn sealed(vault: &Vault, target: &str, anchor: &str, purpose: Purpose) -> Option<SecretString> {
    let mut own = labels(vault, target, anchor).into_iter();
    let last = own.rfind(|label| label.purpose == purpose)?;
    vault.reveal(&last).unwrap()
}
