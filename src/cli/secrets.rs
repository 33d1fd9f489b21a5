//! `provost secrets`: making, checking and rotating the key of the vault. Shows no secret; prints a key only when told to.

use std::fmt::Write as _;
use std::path::Path;

use crate::config::write_key;
use crate::model::Outcome;
use crate::report::json;
use crate::store::{StoreError, Vault, VaultCheck, VaultKey};

use super::args::{self, Global, SecretsCommand};
use super::out::Out;
use super::{Stop, load};

pub(super) fn run(
    args: &args::SecretStore,
    global: &Global,
    out: &mut Out,
) -> Result<Outcome, Stop> {
    match &args.command {
        SecretsCommand::Init { file, stdout } => init(file.as_deref(), *stdout, out),
        SecretsCommand::Verify => verify(global, out),
        SecretsCommand::Rotate => rotate(global, out),
    }
}

fn init(file: Option<&Path>, stdout: bool, out: &mut Out) -> Result<Outcome, Stop> {
    let (key, text) = VaultKey::generate("new").map_err(Stop::failed)?;
    if stdout {
        // For `| systemd-creds encrypt --name=… - …`: the key never stands in a file.
        out.report(&text)?;
        return Ok(Outcome::Applied);
    }
    let Some(path) = file else {
        return Err(Stop::failed(
            "name a file for the new key, or pipe it on with --stdout",
        ));
    };
    write_key(path, &text).map_err(Stop::failed)?;
    let shown = path.display();
    out.report(&format!(
        "The new key {} is in {shown}, readable by its owner only.\n\
         Configure it as\n\n  [secrets]\n  key = \"file:{shown}\"\n\n\
         or give it to systemd, which keeps it encrypted (TPM or host key), and remove the file:\n\n  \
         systemd-creds encrypt --name=provost-vault {shown} /etc/credstore.encrypted/provost-vault\n  \
         and, in the unit: LoadCredentialEncrypted=provost-vault; then key = \"cred:provost-vault\"\n\n\
         Keep a copy where the backup of the state directory is not: without it, sealed passwords are lost.\n",
        key.id()
    ))?;
    Ok(Outcome::Applied)
}

/// The vault of the configuration.
fn open(global: &Global) -> Result<(Vault, crate::store::VaultKeys), Stop> {
    let config = load::config(global)?;
    let Some(keys) = config.vault.and_then(|spec| spec.keys) else {
        return Err(Stop::Said(
            Outcome::ConfigInvalid,
            "provost: there is no vault: add [secrets] with a key to the configuration; `provost secrets init FILE` makes one".to_owned(),
        ));
    };
    if !Vault::exists(&config.state_dir) {
        return Err(Stop::failed(format!(
            "there is no vault in {} yet: the first run makes it",
            config.state_dir.display()
        )));
    }
    Ok((Vault::open(&config.state_dir, &keys)?, keys))
}

fn verify(global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let (vault, _keys) = open(global)?;
    let found = vault.verify()?;
    let outcome = if found.problems.is_empty() {
        Outcome::NothingToDo
    } else {
        Outcome::Failed
    };
    let report = if out.json {
        json::Secrets {
            secrets: found.secrets,
            spent: found.dead,
            bytes: found.bytes,
            key: &found.key,
            old_key: !found.current,
            problems: &found.problems,
        }
        .document(outcome)
    } else {
        describe(&found)
    };
    out.report(&report)?;
    Ok(outcome)
}

fn describe(found: &VaultCheck) -> String {
    let mut text = format!(
        "{} secrets were opened ({} bytes, {} records of no use any more), sealed with the key {}.\n",
        found.secrets, found.bytes, found.dead, found.key
    );
    for problem in &found.problems {
        // Writing to a String cannot fail.
        writeln!(text, "! damaged: {problem}").ok();
    }
    if !found.problems.is_empty() {
        text.push_str("Restore the file \"vault\" of the state directory from a backup.\n");
    }
    if !found.current {
        text.push_str(
            "That is an old key: run `provost secrets rotate`, then remove it from `old-keys`.\n",
        );
    }
    text
}

fn rotate(global: &Global, out: &mut Out) -> Result<Outcome, Stop> {
    let (vault, keys) = open(global)?;
    if vault.is_current()? && keys.old.is_empty() {
        return Err(Stop::failed(
            "everything is sealed with the configured key already; to rotate, make a new key (`provost secrets init`), configure it as `key`, and the one before it in `old-keys`",
        ));
    }
    let count = match vault.rotate(&keys.current) {
        Ok(count) => count,
        Err(error @ StoreError::Damaged { .. }) => {
            return Err(Stop::failed(format!("{error}; nothing was rotated")));
        }
        Err(error) => return Err(error.into()),
    };
    out.report(&format!(
        "{count} secrets are sealed with the key {} ({}). Remove the others from `old-keys` and destroy them; backups of the vault made before need them still.",
        keys.current.id(),
        keys.current.reference()
    ))?;
    Ok(Outcome::Applied)
}
