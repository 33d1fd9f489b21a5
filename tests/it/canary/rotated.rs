//! Secrets that come and go: tokens that an application gives out and that are good once, and the secret with which letters
//! to a webhook are signed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use secrecy::ExposeSecret as _;

use super::search::{Haystack, Planted};
use super::{PROFILE, echo, says};
use crate::company::Company;
use crate::daemon::Service;
use crate::support::scim_servers::BY_ANCHOR;
use crate::support::secrets::{self, KEY};

const SIGNING: &str = "whsec_Y0FuQXJ5LXdlYmhvb2svc2lnbmluZyt6fjk=";
/// What the signing secret is underneath.
const SIGNS: &str = "cAnAry-webhook/signing+z~9";
const REFRESH: &str = "cAnAry-refresh.first~8Kd/2+Qx";
const CLIENT: &str = "cAnAry-client \"s3cret/+&<6>";

const OAUTH: &str = r#"
[settings.client-secret]
type = "secret"
[settings.refresh]
type = "secret"
[[auth]]
type = "oauth"
grant = "refresh-token"
token-path = "token"
client-id = "provost"
client-secret = "{{ secret.client_secret }}"
refresh-token = "{{ secret.refresh }}"
"#;

/// The profile of the other story with another way to sign in.
fn profile() -> String {
    let (head, rest) = PROFILE.split_once("[settings.user]").unwrap();
    let (_sign_in, rest) = rest.split_once("[answer]").unwrap();
    format!("{head}{OAUTH}[answer]{rest}")
}

fn company(app: &str, hook: &str) -> Company {
    let mut company = Company::new(3);
    company.extra = "review-first-run = false\ncredentials = \"managed\"\n\
        suspend = { default = [\"fuzz-password\", \"deactivate\"] }";
    company.can = "set-password = true\nforce-change = true\n";
    let put = |name: &str, text: &str| secrets::put(company.dir(), name, text);
    put("echo.toml", BY_ANCHOR);
    put("echo.profile.toml", &profile());
    let tables = format!(
        "\n[secrets]\nkey = \"{}\"\n\n[delivery]\ntype = \"webhook\"\nurl = \"{hook}/letters\"\nsecret = \"{}\"\n\
         [delivery.welcome]\nbody = \"password {{{{ password }}}}\"\n[delivery.reset]\n\n\
         [[target]]\nname = \"oauth\"\ntype = \"http\"\nsource = \"company\"\nmapping = \"echo.toml\"\npolicy = \"sync\"\n\
         review-first-run = false\nurl = \"{app}\"\nprofile = \"echo.profile.toml\"\ncredentials = \"managed\"\n\
         [target.settings]\nclient-secret = \"{}\"\nrefresh = \"{}\"\n",
        put("vault.key", KEY),
        put("webhook.secret", SIGNING),
        put("client.secret", CLIENT),
        put("refresh.secret", REFRESH),
    );
    company.tables = tables;
    company.publish();
    company
}

fn said(company: &Company, hay: &mut Haystack) {
    let commands: &[&[&str]] = &[
        &["check"],
        &["check", "--online"],
        &["--json", "plan"],
        &["--log", "json", "sync"],
        &["--json", "sync"],
        &["sync", "--live"],
        &["probe", "oauth"],
        &["explain", "p001"],
        &["--json", "status"],
        &["secrets", "verify"],
        &["delivery", "list"],
        &["delivery", "retry"],
        &["delivery", "test", "--to", "me@example.com"],
    ];
    for command in commands {
        let output = says(company, command);
        let what = command.join(" ");
        hay.add(&format!("{what}: output"), &output.stdout);
        hay.add(&format!("{what}: errors"), &output.stderr);
    }
}

fn planted(company: &Company, issued: &[String]) -> Vec<Planted> {
    let mut all: Vec<Planted> = [
        ("signing secret", SIGNING),
        ("signing secret, as bytes", SIGNS),
        ("first refresh token", REFRESH),
        ("client secret", CLIENT),
    ]
    .map(|(name, secret)| Planted::new(name, secret))
    .into();
    let tokens = issued.iter().map(|token| Planted::new(token, token));
    all.extend(tokens);
    let vault = secrets::vault(&company.state());
    for label in vault.labels().unwrap() {
        let secret = vault.reveal(&label).unwrap().unwrap();
        all.push(Planted::new(&label.to_string(), secret.expose_secret()));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_rotated_token_nor_the_secret_of_a_webhook_shows_anywhere() {
    let issued = Arc::new(Mutex::new(Vec::new()));
    let (app, hook) = (
        echo::rotates(Arc::clone(&issued)).await,
        echo::webhook().await,
    );
    let company = company(&app.base, &hook.base);
    let mut hay = Haystack::default();
    said(&company, &mut hay);
    let more = Company::new(5);
    fs::write(company.dir().join("people.ldif"), more.ldif()).unwrap();
    said(&company, &mut hay);
    let service = Service::start_in(company.dir(), "2027-03-01T12:00:00Z", |command| {
        command.arg("-vvv")
    });
    service.command(&["log-level", "trace"]);
    service.command(&["sync"]);
    service.processes(&mut |name, bytes| hay.add(name, bytes));
    hay.add("the service's log", service.log().as_bytes());
    drop(service);
    let issued = issued.lock().unwrap().clone();
    assert!(issued.len() > 20, "{} tokens were given out", issued.len());
    let told = hook
        .requests()
        .iter()
        .filter(|r| r.method == "POST")
        .count();
    assert!(told > 3, "{told} letters were posted");
    assert!(hay.mentions("***") + hay.mentions("is not shown") > 0);
    // The token that is good next has a file of its own, for nobody else's eyes, as the manual says.
    let kept = company.state().join("tokens/oauth");
    let mode = fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    let held = fs::read_to_string(&kept).unwrap();
    assert!(issued.iter().any(|token| held.contains(token.as_str())));
    hay.files(company.dir(), &|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.ends_with(".secret") || name == "vault.key" || path == kept
    });
    let planted = planted(&company, &issued);
    let made = planted.iter().filter(|one| one.name.contains("managed"));
    assert!(made.count() >= 3, "passwords were made");
    let found = hay.search(&planted);
    assert_eq!(found, Vec::<String>::new(), "{found:#?}");
}
