//! Window fuzzing on a SCIM service that nobody here wrote (SCIMMY), with the real service and a rehearsed clock: the
//! service's own login says whether a password is right.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use provost::store::{Label, Purpose, Vault, VaultKey, VaultKeys};
use secrecy::{ExposeSecret as _, SecretString};

use crate::cli::{code, stdout};
use crate::company::{Company, anchor};
use crate::daemon::Service;
use crate::support::{ScimKind, ScimServer};

const KEY: &str = "4f1d9c02a7b86e3550c9d1e8f7a6b4c3920d5e6f8a1b2c3d4e5f60718293a4b5";

const MAPPING: &str = r#"
version = 1
application = "SCIMMY"

[scope]
condition = "uid is defined"

[[match]]
account = "externalId"
value = "{{ anchor }}"
adopt = true

[attributes.externalId]
value = "{{ anchor }}"

[attributes.userName]
value = "{{ uid }}"
unique = true
"#;

fn company(server: &ScimServer) -> Company {
    let mut company = Company::new(3);
    company.service =
        "[schedule]\nsync = \"0 3 * * *\"\nreconcile = \"never\"\njitter = \"0s\"".to_owned();
    let put = |name: &str, text: &str| {
        let path = company.dir().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    put("scim.toml", MAPPING);
    let (key, token) = (put("vault.key", KEY), put("scim.token", &server.token));
    company.tables = format!(
        "\n[secrets]\nkey = \"file:{key}\"\n\n[[target]]\nname = \"scim\"\ntype = \"scim\"\nsource = \"company\"\n\
         mapping = \"scim.toml\"\npolicy = \"sync\"\nreview-first-run = false\nurl = \"{}\"\npasswords = true\n\
         credentials = \"managed\"\nauth = {{ type = \"bearer\", token = \"file:{token}\" }}\n\
         [target.suspend]\ndefault = [\"fuzz-password\", \"deactivate\"]\naccess-window = [\"fuzz-password\"]\n\
         [target.limits]\nsuspend = {{ count = 5, percent = 100 }}\n\n\
         [[access]]\nname = \"office\"\neverybody = true\nwindows = [\"mon-fri 08:00-18:00\"]\nzone = \"Europe/Berlin\"\n",
        server.base_url
    );
    company.publish();
    company
}

/// The kept password of somebody, as the vault holds it.
fn kept(company: &Company, number: usize) -> SecretString {
    // The service holds the state: a copy is looked at.
    let copy = company.copied();
    let keys = VaultKeys {
        current: VaultKey::read(KEY.as_bytes(), "test").unwrap(),
        old: Vec::new(),
    };
    let vault = Vault::open(&copy.state(), &keys).unwrap();
    let theirs = |label: &Label| {
        label.target == "scim"
            && label.purpose == Purpose::Managed
            && label.anchor.as_str() == anchor(number)
    };
    let labels = vault.labels().unwrap();
    let label = labels.into_iter().rfind(theirs).unwrap();
    vault.reveal(&label).unwrap().unwrap()
}

#[test]
fn a_window_that_closes_fuzzes_and_the_same_password_is_right_again_when_it_opens() {
    let server = ScimServer::start(ScimKind::Scimmy);
    let door = server.door();
    let mut company = company(&server);
    let monday = "2027-03-01T12:00:00Z";
    let service = Service::start(&company, monday);
    let at = |now: &str| {
        service.clock(now);
        service.await_rest(now);
    };
    service.await_rest(monday);
    let own: Vec<SecretString> = (0..3).map(|number| kept(&company, number)).collect();
    let open = || -> Vec<bool> {
        let all = own.iter().enumerate();
        all.map(|(n, secret)| door.opens(&format!("p{n:03}"), secret.expose_secret()))
            .collect()
    };
    assert_eq!(open(), [true, true, true], "{}", service.log());
    at("2027-03-01T16:59:59Z");
    assert_eq!(open(), [true, true, true]);
    at("2027-03-01T17:00:00Z");
    assert_eq!(open(), [false, false, false], "{}", service.log());
    let active = |server: &ScimServer| {
        server
            .users()
            .iter()
            .filter(|user| user["active"] != false)
            .count()
    };
    assert_eq!(active(&server), 3, "nothing but the password");
    at("2027-03-02T07:00:00Z");
    assert_eq!(open(), [true, true, true], "{}", service.log());
    // Somebody leaves: fuzzed and deactivated, and no window opens that again.
    company.leave(2);
    company.publish();
    for _ in 0..2 {
        let synced = service.command(&["sync"]);
        assert!([0, 13].contains(&code(&synced)), "{}", stdout(&synced));
    }
    assert_eq!(open(), [true, true, false], "{}", service.log());
    at("2027-03-02T17:00:00Z");
    assert_eq!(open(), [false, false, false]);
    at("2027-03-03T07:00:00Z");
    assert_eq!(open(), [true, true, false], "{}", service.log());
    assert_eq!(active(&server), 2);
}
