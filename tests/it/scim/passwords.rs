//! Window fuzzing on a SCIM service that nobody here wrote (SCIMMY), with the real service and a rehearsed clock: the
//! service's own login says whether a password is right.

use std::fs;

use provost::store::Purpose;
use secrecy::{ExposeSecret as _, SecretString};

use crate::cli::{code, stdout};
use crate::company::{Company, OFFICE, QUIET, anchor};
use crate::daemon::Service;
use crate::support::scim_servers::BY_ANCHOR;
use crate::support::{ScimKind, ScimServer, secrets};

const TARGET: &str = r#"passwords = true
credentials = "managed"
[target.suspend]
default = ["fuzz-password", "deactivate"]
access-window = ["fuzz-password"]
[target.limits]
suspend = { count = 5, percent = 100 }
"#;

fn company(server: &ScimServer) -> Company {
    let mut company = Company::new(3);
    company.service = QUIET.to_owned();
    // Nothing tells passwords here, so nobody is adopted whose password would change.
    let mapping = BY_ANCHOR.replace("adopt = true\n", "");
    fs::write(company.dir().join("scim.toml"), mapping).unwrap();
    company.tables = secrets::table(company.dir()) + &server.table(company.dir(), TARGET) + OFFICE;
    company.publish();
    company
}

/// The kept password of somebody, as the vault holds it.
fn kept(company: &Company, number: usize) -> SecretString {
    // The service holds the state: a copy is looked at.
    let copy = company.copied();
    let vault = secrets::vault(&copy.state());
    secrets::sealed(&vault, "scim", &anchor(number), Purpose::Managed).unwrap()
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
