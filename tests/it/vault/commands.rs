//! `provost secrets`, by the real binary.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::{label, open, secret};
use crate::company::Company;
use provost::store::{VaultKey, VaultKeys};
use secrecy::ExposeSecret as _;

fn provost(config: &Path, args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(["--config", config.to_str().unwrap()])
        .args(args)
        .env_clear()
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

fn configure(company: &Company, secrets: &str) {
    company.publish();
    let config = fs::read_to_string(company.config()).unwrap();
    fs::write(
        company.config(),
        format!("{config}\n[secrets]\n{secrets}\n"),
    )
    .unwrap();
}

fn key(path: &Path) -> VaultKey {
    VaultKey::read(&fs::read(path).unwrap(), "file").unwrap()
}

/// What is found is told as JSON as well.
fn told_to_programs(config: &Path) {
    let (code, text) = provost(config, &["--json", "secrets", "verify"]);
    let at = text.find('{').unwrap_or_else(|| panic!("{text}"));
    let until = text.rfind('}').unwrap();
    let found: serde_json::Value = serde_json::from_str(&text[at..=until]).unwrap();
    assert_eq!(
        (code, &found["version"], &found["kind"]),
        (0, &1.into(), &"secrets".into())
    );
    assert_eq!(
        (&found["secrets"], &found["old-key"]),
        (&1.into(), &false.into())
    );
}

#[test]
fn a_key_is_made_used_and_rotated_out() {
    let company = Company::new(2);
    configure(&company, "");
    let config = company.config();
    let (first, second) = (company.dir().join("first"), company.dir().join("second"));
    let (code, text) = provost(&config, &["secrets", "init", first.to_str().unwrap()]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        fs::metadata(&first).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let written = fs::read_to_string(&first).unwrap();
    assert!(!text.contains(written.trim()), "the key is not shown");
    let (code, text) = provost(&config, &["secrets", "init", first.to_str().unwrap()]);
    assert!(code != 0 && text.contains("never be overwritten"), "{text}");
    assert_eq!(fs::read_to_string(&first).unwrap(), written);
    let (code, text) = provost(&config, &["secrets", "init", "--stdout"]);
    assert_eq!(code, 0);
    fs::write(&second, &text).unwrap();
    fs::set_permissions(&second, fs::Permissions::from_mode(0o600)).unwrap();

    configure(&company, &format!("key = \"file:{}\"", first.display()));
    assert_eq!(provost(&config, &["sync"]).0, 0);
    {
        let keys = VaultKeys {
            current: key(&first),
            old: Vec::new(),
        };
        let vault = open(&company.state(), &keys).unwrap();
        vault.seal(&label(1, 1), &secret(1)).unwrap();
    }
    let (code, text) = provost(&config, &["secrets", "verify"]);
    assert!(
        code == 0 && text.starts_with("1 secrets were opened"),
        "{text}"
    );
    assert!(!text.contains(secret(1).expose_secret()));
    told_to_programs(&config);

    // The wrong key alone is told for what it is, and nothing begins.
    configure(&company, &format!("key = \"file:{}\"", second.display()));
    let (code, text) = provost(&config, &["sync"]);
    assert!(code == 1 && text.contains("name the right one"), "{text}");
    let both = format!(
        "key = \"file:{}\"\nold-keys = [\"file:{}\"]",
        second.display(),
        first.display()
    );
    configure(&company, &both);
    let (code, text) = provost(&config, &["secrets", "verify"]);
    assert!(code == 0 && text.contains("secrets rotate"), "{text}");
    let (code, text) = provost(&config, &["secrets", "rotate"]);
    assert!(code == 0 && text.contains("1 secrets are sealed"), "{text}");
    configure(&company, &format!("key = \"file:{}\"", second.display()));
    let (code, text) = provost(&config, &["secrets", "verify"]);
    assert!(code == 0 && !text.contains("rotate"), "{text}");

    let vault = company.state().join("vault");
    let mut bytes = fs::read(&vault).unwrap();
    bytes[70] ^= 4;
    fs::write(&vault, bytes).unwrap();
    let (code, text) = provost(&config, &["secrets", "verify"]);
    assert!(code == 1 && text.contains("damaged"), "{text}");
    // A key that others can read is refused.
    fs::set_permissions(&second, fs::Permissions::from_mode(0o640)).unwrap();
    let (code, text) = provost(&config, &["secrets", "verify"]);
    assert!(code == 78 && text.contains("chmod 600"), "{text}");
}
