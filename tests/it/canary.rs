//! Secrets are planted everywhere a secret can be, everybody who is told one says it again in every answer, and everything
//! that Provost writes, says or starts is searched for them, as they are and encoded.

mod echo;
mod rotated;
mod search;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use secrecy::ExposeSecret as _;

use self::search::{Haystack, Planted};
use crate::company::Company;
use crate::daemon::Service;
use crate::http::stub::Stub;
use crate::support::scim_servers::BY_ANCHOR;
use crate::support::secrets::{self, KEY};
use crate::support::{Cert, PASSWORD, Smtp};

const BIND: &str = "cAnAry bind \"pa$$/wörd+&<1>";
const SIGN_IN: &str = "cAnAry sign \"in/+&<2> secret";
const BASIC: &str = "cAnAry basic \"pa$$/w+&<3>";
const TOKEN: &str = "cAnAry-bearer/Zx+4~token.Qw";
const CLIENT: &str = "cAnAry client \"s3cret/+&<5>";

const PROFILE: &str = r#"
version = 1
application = "Echo"
evidence = "observed"
[settings.user]
type = "text"
[settings.password]
type = "secret"
[[auth]]
type = "sign-in"
login = { method = "POST", path = "auth", json = { username = "{{ settings.user }}", password = "{{ secret.password }}" } }
token = "cookie.SID"
cookie = "SID"
logout = { method = "DELETE", path = "auth", body = "none" }
[answer]
success = "status == 200 and not answer.broken"
message = "answer.detail"
[account]
id = "item.id"
active = "item.active"
[field.userName]
[field.externalId]
[[operation.list]]
path = "Users"
items = "answer.Resources"
paging = { type = "none" }
[[operation.get]]
path = "Users/{{ id }}"
item = "answer"
[[operation.create]]
path = "Users"
json = "{{ fields }}"
capture = { id = "answer.id" }
[[operation.update]]
method = "PUT"
path = "Users/{{ id }}"
json = "{{ fields }}"
[[operation.deactivate]]
method = "PUT"
path = "Users/{{ id }}/active"
json = { active = false }
[[operation.reactivate]]
method = "PUT"
path = "Users/{{ id }}/active"
json = { active = true }
[[operation.set-password]]
method = "PUT"
path = "Users/{{ id }}/password"
json = { password = "{{ password }}" }
"#;

/// A company whose applications, directory and mail server repeat what they are told.
struct Story {
    company: Company,
    post: Smtp,
    _apps: Vec<Stub>,
    _directory: echo::Directory,
}

impl Story {
    async fn begin() -> Self {
        let post = Smtp::start("starttls", Cert::Good);
        let directory = echo::Directory::start();
        let apps = vec![
            echo::refuses_all().await,
            echo::refuses_all().await,
            echo::takes_all_but_passwords().await,
            echo::signs_in().await,
        ];
        let mut company = Company::new(3);
        company.extra = "review-first-run = false\ncredentials = \"managed\"\n\
            suspend = { default = [\"fuzz-password\", \"deactivate\"] }";
        company.can = "set-password = true\nforce-change = true\n";
        secrets::put(company.dir(), "echo.toml", BY_ANCHOR);
        secrets::put(company.dir(), "echo.profile.toml", PROFILE);
        company.tables = tables(company.dir(), &post, &directory, &apps);
        company.publish();
        Self {
            company,
            post,
            _apps: apps,
            _directory: directory,
        }
    }

    fn says(&self, args: &[&str]) -> Output {
        says(&self.company, args)
    }

    /// What was planted, and what Provost made itself and the vault or a letter holds.
    fn secrets(&self) -> Vec<Planted> {
        let mut all: Vec<Planted> = [
            ("vault key", KEY),
            ("bind password", BIND),
            ("sign-in password", SIGN_IN),
            ("basic password", BASIC),
            ("bearer token", TOKEN),
            ("client secret", CLIENT),
            ("SMTP password", PASSWORD),
            ("session cookie", echo::SESSION),
        ]
        .map(|(name, secret)| Planted::new(name, secret))
        .into();
        let raw: Vec<u8> = (0..KEY.len() / 2)
            .map(|at| u8::from_str_radix(&KEY[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        all.push(Planted::bytes("vault key, as bytes", &raw));
        let vault = secrets::vault(&self.company.state());
        for label in vault.labels().unwrap() {
            let secret = vault.reveal(&label).unwrap().unwrap();
            all.push(Planted::new(&label.to_string(), secret.expose_secret()));
        }
        for mail in self.post.mails() {
            let text = mail["text"].as_str().unwrap().to_owned();
            if let Some(password) = text.strip_prefix("password ") {
                all.push(Planted::new("a letter's password", password.trim()));
            }
        }
        all
    }
}

/// What a command says at the lowest level of the log.
fn says(company: &Company, args: &[&str]) -> Output {
    let all = [&["--config", "provost.toml", "-vvv"], args].concat();
    Command::new(env!("CARGO_BIN_EXE_provost"))
        .args(all)
        .env_clear()
        .current_dir(company.dir())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The tables of everything besides the practice application.
fn tables(dir: &Path, post: &Smtp, directory: &echo::Directory, apps: &[Stub]) -> String {
    let put = |name: &str, text: &str| secrets::put(dir, name, text);
    let target = |name: &str, kind: &str, app: &Stub, more: String| {
        format!(
            "\n[[target]]\nname = \"{name}\"\ntype = \"{kind}\"\nsource = \"company\"\nmapping = \"echo.toml\"\n\
             policy = \"sync\"\nreview-first-run = false\nurl = \"{}\"\n{more}\n",
            app.base
        )
    };
    let scim = |auth: String| format!("credentials = \"managed\"\npasswords = true\nauth = {auth}");
    [
        secrets::table(dir),
        post.table(dir) + "[delivery.welcome]\nbody = \"password {{ password }}\"\n",
        format!(
            "\n[[source]]\nname = \"directory\"\ntype = \"ldap\"\nurls = [\"ldap://127.0.0.1:{}\"]\ndanger-plain-text = true\n\
             bind-name = \"cn=provost,dc=t\"\nbind-password = \"{}\"\nbases = [\"dc=t\"]\n",
            directory.port,
            put("bind.secret", BIND)
        ),
        "\n[[target]]\nname = \"unread\"\ntype = \"sandbox\"\nsource = \"directory\"\nmapping = \"mapping.toml\"\npolicy = \"sync\"\npath = \"unread.jsonl\"\n".to_owned(),
        target("bearer", "scim", &apps[2], scim(format!("{{ type = \"bearer\", token = \"{}\" }}", put("token.secret", TOKEN)))),
        target("basic", "scim", &apps[0], scim(format!("{{ type = \"basic\", user = \"provost\", password = \"{}\" }}", put("basic.secret", BASIC)))),
        target(
            "oauth",
            "scim",
            &apps[1],
            scim(format!(
                "{{ type = \"client-credentials\", token-url = \"{}/token\", client-id = \"provost\", client-secret = \"{}\" }}",
                apps[1].base,
                put("client.secret", CLIENT)
            )),
        ),
        target(
            "session",
            "http",
            &apps[3],
            format!(
                "profile = \"echo.profile.toml\"\ncredentials = \"managed\"\n[target.settings]\nuser = \"provost\"\npassword = \"{}\"",
                put("sign-in.secret", SIGN_IN)
            ),
        ),
    ]
    .concat()
}

/// Everything that is said by commands, at the lowest level of the log.
fn said(story: &Story, hay: &mut Haystack) {
    let commands: &[&[&str]] = &[
        &["check"],
        &["check", "--online"],
        &["plan"],
        &["--json", "plan"],
        &["--log", "json", "sync"],
        &["--json", "sync"],
        &["plan", "--html", "plan.html"],
        &["plan", "--csv", "plan.csv"],
        &["sync", "--live"],
        &["probe", "session"],
        &["explain", "p001"],
        &["--json", "status"],
        &["state", "verify"],
        &["secrets", "verify"],
        &["delivery", "list"],
        &["delivery", "retry"],
        &["delivery", "test", "--to", "me@example.com"],
    ];
    for command in commands {
        let output = story.says(command);
        let what = command.join(" ");
        hay.add(&format!("{what}: output"), &output.stdout);
        hay.add(&format!("{what}: errors"), &output.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_shows_anywhere_whoever_repeats_it() {
    let story = Story::begin().await;
    let mut hay = Haystack::default();
    said(&story, &mut hay);
    let refused = hay.mentions("***") + hay.mentions("is not shown");
    assert!(refused > 0, "somebody repeated a secret: {}", hay.all());
    // The mail server as well, of our password and of the letter's.
    for fault in ["echo-login", "echo-letter"] {
        story.post.fault(fault);
        story.company.publish();
        let more = Company::new(if fault == "echo-login" { 4 } else { 5 });
        fs::write(story.company.dir().join("people.ldif"), more.ldif()).unwrap();
        said(&story, &mut hay);
    }
    assert!(hay.mentions("535") > 0, "the login was refused");
    assert!(hay.mentions("554") > 0, "the letter was refused");
    // The service, its arguments, its environment, and everything that it started.
    let service = Service::start_in(story.company.dir(), "2027-03-01T12:00:00Z", |command| {
        command.arg("-vvv")
    });
    service.await_status("a look at everything", |status| {
        status["service"]["idle"] == true && status["targets"][0]["last-run"].is_string()
    });
    let told = service.command(&["log-level", "trace"]);
    assert!(told.status.success());
    service.command(&["sync"]);
    service.processes(&mut |name, bytes| hay.add(name, bytes));
    hay.add("the service's log", service.log().as_bytes());
    drop(service);
    let own: Vec<PathBuf> = ["vault.key", "mails"].map(PathBuf::from).into();
    hay.files(story.company.dir(), &|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.ends_with(".secret") || own.iter().any(|known| *name == *known.as_os_str())
    });
    let secrets = story.secrets();
    let made = secrets
        .iter()
        .filter(|one| one.name.contains("managed"))
        .count();
    assert!(made >= 3, "passwords were made: {made}");
    let found = hay.search(&secrets);
    assert_eq!(found, Vec::<String>::new(), "{found:#?}");
}

#[test]
fn the_search_finds_what_is_there() {
    let secret = Planted::new("x", "aB/3\"x+&<é9'Kq z");
    for form in search::forms("aB/3\"x+&<é9'Kq z".as_bytes()) {
        let mut hay = Haystack::default();
        hay.add("a file", &[b"before ", form.as_slice(), b" after"].concat());
        assert_eq!(
            hay.search(std::slice::from_ref(&secret)).len(),
            1,
            "{form:?}"
        );
    }
    let mut hay = Haystack::default();
    hay.add("a file", b"nothing");
    assert_eq!(hay.search(&[secret]), Vec::<String>::new());
}
