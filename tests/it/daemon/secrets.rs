//! Secrets while the service works: read again by a reload, and looked at daily where they are sealed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use provost::config::write_key;
use provost::store::VaultKey;

use super::{Service, target};
use crate::cli::stdout;
use crate::company::{Company, QUIET};
use crate::support::{ScimKind, ScimServer};

const NOON: &str = "2026-11-22T12:00:00Z";

fn put(path: &Path, secret: &str) {
    fs::write(path, secret).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_changed_secret_is_taken_by_a_reload_and_used_at_once() {
    let server = ScimServer::start(ScimKind::Scim2Server);
    let mut company = Company::new(4);
    company.service = QUIET.to_owned();
    fs::write(
        company.dir().join("crm.toml"),
        include_str!("../cycle/mapping.toml"),
    )
    .unwrap();
    let token = company.dir().join("token");
    put(&token, "an-old-token\n");
    company.tables = format!(
        "\n[[target]]\nname = \"crm\"\ntype = \"scim\"\nsource = \"company\"\nmapping = \"crm.toml\"\npolicy = \"sync\"\n\
         url = \"{}\"\nreview-first-run = false\nprotected-accounts = [\"nobody\"]\n\n\
         [target.auth]\ntype = \"bearer\"\ntoken = \"file:{}\"\n",
        server.base_url,
        token.display()
    );
    company.publish();
    let service = Service::start(&company, NOON);
    let status = service.await_rest(NOON);
    assert!(target(&status, "crm")["error"].is_string(), "{status:#}");
    assert_eq!(server.users().len(), 0);
    let reload = service.command(&["reload"]);
    assert_eq!(stdout(&reload).trim(), "Nothing changed.");
    put(&token, &server.token);
    let reload = service.command(&["reload"]);
    let said = stdout(&reload);
    let line = format!("secret file:{}: another one", token.display());
    assert!(said.contains(&line), "{said}");
    service.await_status("the accounts", |status| {
        target(status, "crm")["managed"] == 4
    });
    assert_eq!(server.users().len(), 4);
    let all = format!("{said}{}{:#}", service.log(), service.status());
    for secret in ["an-old-token", &server.token] {
        assert!(!all.contains(secret), "{all}");
    }
    // A secret that cannot be read leaves everything as it was.
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let reload = service.command(&["reload"]);
    assert_eq!(reload.status.code(), Some(78), "{}", stdout(&reload));
    let sync = service.command(&["sync", "crm"]);
    assert_eq!(sync.status.code(), Some(0), "{}", stdout(&sync));
}

#[test]
fn sealed_secrets_are_opened_daily_and_damage_is_told() {
    let mut company = Company::new(3);
    let key = company.dir().join("key");
    let (_key, text) = VaultKey::generate("new").unwrap();
    write_key(&key, &text).unwrap();
    company.service = QUIET.to_owned();
    company.tables = format!("\n[secrets]\nkey = \"file:{}\"\n", key.display());
    company.publish();
    let service = Service::start(&company, NOON);
    let status = service.await_status("the first look", |status| status["vault"].is_object());
    assert_eq!(status["vault"]["problems"].as_array().unwrap().len(), 0);
    let path = company.state().join("vault");
    let mut bytes = fs::read(&path).unwrap();
    bytes[10] ^= 1;
    fs::write(&path, bytes).unwrap();
    service.clock("2026-11-23T11:00:00Z");
    service.await_rest("2026-11-23T11:00:00Z");
    let noon = service.await_status("a look later", |status| status["service"]["idle"] == true);
    assert_eq!(noon["vault"]["verified"], status["vault"]["verified"]);
    service.clock("2026-11-23T12:00:30Z");
    let status = service.await_status("the damage", |status| {
        !status["vault"]["problems"].as_array().unwrap().is_empty()
    });
    assert_eq!(status["outcome"], "failed", "{status:#}");
    let shown = service.command(&["status", "--exit-code"]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(
        stdout(&shown).contains("the vault is damaged"),
        "{}",
        stdout(&shown)
    );
}
