//! The way to an application: proxies, TLS and every kind of credentials, through the real binary to a SCIM server that
//! nobody here wrote. What stands in between is simulated (`support/gateway.rs`).

use std::process::{Command, Output};

use base64::Engine as _;
use serde_json::Value;

use crate::support::gateway::{Admits, Gateway, Proxy};
use crate::support::{ScimKind, ScimServer, small, tls};

/// How many people.
const PEOPLE: usize = 40;
/// Never to be seen in anything that is printed or kept.
const SECRET: &str = "s3cr3t:pass%w0rd+/=";

/// A configured Provost, a SCIM server, and a proxy that only the environment speaks of.
struct Way {
    folder: tempfile::TempDir,
    server: ScimServer,
    decoy: Proxy,
}

impl Way {
    fn to(server: ScimServer, url: &str, more: &str) -> Self {
        let people = small::people((0..PEOPLE).map(|n| format!("p{n}")));
        let folder = small::folder(&people, MAPPING, &|_| {
            let path = server.base_path;
            format!("type = \"scim\"\nurl = \"{url}{path}\"\n{more}\n")
        });
        Self {
            folder,
            server,
            decoy: Proxy::start(),
        }
    }

    fn provost(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
        command
            .args(["--config", "provost.toml", "--json"])
            .args(args)
            .env_clear()
            .env("SECRET", SECRET)
            .current_dir(self.folder.path());
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            command
                .env(name, &self.decoy.url)
                .env(name.to_uppercase(), &self.decoy.url);
        }
        let output = command.output().unwrap();
        for text in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(text);
            assert!(!text.contains("s3cr3t"), "{text}");
        }
        output
    }

    fn run(&self, args: &[&str], code: i32) -> Value {
        let output = self.provost(args);
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}\n{text}\n{errors}"
        );
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The first load and a second run that does nothing.
    fn works(&self) {
        let online = self.provost(&["check", "--online"]);
        assert!(online.status.success(), "{online:?}");
        let plan = self.run(&["plan"], 12);
        let digest = plan["targets"][0]["digest"].as_str().unwrap();
        self.run(&["apply", "app", "--plan", digest], 0);
        assert_eq!(self.server.users().len(), PEOPLE);
        let second = self.run(&["sync", "--live"], 0);
        assert_eq!(second["targets"][0]["results"], Value::Array(Vec::new()));
        assert_eq!(self.decoy.seen(), Vec::<String>::new(), "not asked for");
    }
}

fn server() -> ScimServer {
    ScimServer::start(ScimKind::Scim2Server)
}

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

const BEARER: &str = "[target.auth]\ntype = \"bearer\"\ntoken = \"env:SECRET\"";

fn bearer() -> Admits {
    Admits::Header("Authorization", format!("Bearer {SECRET}"))
}

#[test]
fn basic_authentication() {
    let server = server();
    let admits = Admits::Header(
        "Authorization",
        format!("Basic {}", base64(&format!("svc-sync:{SECRET}"))),
    );
    let gateway = Gateway::start(server.port, &server.token, admits, false);
    let auth = "[target.auth]\ntype = \"basic\"\nuser = \"svc-sync\"\npassword = \"env:SECRET\"";
    Way::to(server, &gateway.url, auth).works();
}

#[test]
fn a_header_of_the_applications_own() {
    let server = server();
    let admits = Admits::Header("X-Api-Key", SECRET.to_owned());
    let gateway = Gateway::start(server.port, &server.token, admits, false);
    let auth = "[target.auth]\ntype = \"header\"\nname = \"x-api-key\"\nvalue = \"env:SECRET\"";
    Way::to(server, &gateway.url, auth).works();
}

#[test]
fn client_credentials_are_turned_into_tokens_again_and_again() {
    let coded = "s3cr3t%3Apass%25w0rd%2B%2F%3D";
    let header = format!("Basic {}", base64(&format!("the+id:{coded}")));
    for (in_body, header, form) in [
        (false, Some(header), "scope=scim".to_owned()),
        (true, None, format!("client_secret={coded}")),
    ] {
        // Without bulk requests, so that a token ends in the middle of a run.
        let server = ScimServer::start(ScimKind::Scim2PutOnly);
        let admits = Admits::Tokens {
            header,
            form,
            calls: 25,
        };
        let gateway = Gateway::start(server.port, &server.token, admits, false);
        let auth = format!(
            "[target.auth]\ntype = \"client-credentials\"\ntoken-url = \"{}/token\"\nclient-id = \"the id\"\nclient-secret = \"env:SECRET\"\nscope = \"scim\"\nin-body = {in_body}",
            gateway.url
        );
        Way::to(server, &gateway.url, &auth).works();
        assert!(gateway.tokens() > 4, "one for each run, and more");
    }
}

#[test]
fn refused_credentials_change_nothing() {
    let server = server();
    let admits = Admits::Header("X-Api-Key", "another".to_owned());
    let gateway = Gateway::start(server.port, &server.token, admits, false);
    let auth = "[target.auth]\ntype = \"header\"\nname = \"X-Api-Key\"\nvalue = \"env:SECRET\"";
    let way = Way::to(server, &gateway.url, auth);
    let output = way.provost(&["sync"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("refused the credentials") || said.contains("401"),
        "{said}"
    );
    assert_eq!(way.server.users().len(), 0);
}

#[test]
fn a_configured_proxy_is_used_and_the_environments_are_not() {
    let server = server();
    let proxy = Proxy::start();
    let gateway = Gateway::start(server.port, &server.token, bearer(), false);
    let more = format!("proxy = \"{}\"\n{BEARER}", proxy.url);
    Way::to(server, &gateway.url, &more).works();
    let seen = proxy.seen();
    assert!(seen.len() > PEOPLE / 4, "{}", seen.len());
    let target = format!(" {}/", gateway.url);
    assert!(seen.iter().all(|head| head.contains(&target)), "{seen:?}");
}

#[test]
fn a_proxy_sees_nothing_but_the_name_of_an_application_with_tls() {
    let server = server();
    let proxy = Proxy::start();
    tls::make();
    let gateway = Gateway::start(server.port, &server.token, bearer(), true);
    let ca = tls::ca_pem();
    let more = format!(
        "proxy = \"{}\"\nca-file = \"{}\"\n{BEARER}",
        proxy.url,
        ca.display()
    );
    Way::to(server, &gateway.url, &more).works();
    let name = gateway.url.strip_prefix("https://").unwrap();
    let seen = proxy.seen();
    assert!(!seen.is_empty());
    for head in seen {
        assert!(head.starts_with(&format!("CONNECT {name} ")), "{head}");
        assert!(!head.to_lowercase().contains("authorization"), "{head}");
    }
}

const MAPPING: &str = r#"
version = 1

[[match]]
account = "externalId"
value = "{{ anchor }}"

[attributes.externalId]
value = "{{ anchor }}"

[attributes.userName]
value = "{{ uid }}"
unique = true

[attributes."name.familyName"]
value = "{{ sn }}"
"#;
