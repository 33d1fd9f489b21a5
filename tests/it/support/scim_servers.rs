//! SCIM 2.0 servers that nobody here wrote, and a plain look at what they hold.
//!
//! The look uses no code of the program under test: HTTP/1.1 over a socket, one request per connection.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use serde_json::Value;

use super::{
    ports,
    process::{Server, script, state_dir},
    secrets,
};

/// The smallest mapping: accounts are known by the anchor, and named as people are in the directory.
pub const BY_ANCHOR: &str = r#"
version = 1
application = "SCIM"

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

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScimKind {
    /// scim2-server (Python): strict, nearly complete; refuses unknown attributes.
    Scim2Server,
    /// The same without PATCH, Bulk, ETag and sort.
    Scim2PutOnly,
    /// The same with RFC 9865 cursors, and pages of at most 250.
    Scim2Cursor,
    /// SCIMMY (Node): answers with what it stored from every call.
    Scimmy,
    /// better-auth (bun, SQLite): `eq` filters only, pages of at most 100, at most 100 members a request.
    BetterAuth,
}

impl ScimKind {
    /// All of them, for a test that goes through them.
    pub const ALL: [Self; 5] = [
        Self::Scim2Server,
        Self::Scim2PutOnly,
        Self::Scim2Cursor,
        Self::Scimmy,
        Self::BetterAuth,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Scim2Server => "scim2-server",
            Self::Scim2PutOnly => "scim2-server-putonly",
            Self::Scim2Cursor => "scim2-server-cursor",
            Self::Scimmy => "scimmy",
            Self::BetterAuth => "better-auth",
        }
    }

    const fn base_path(self) -> &'static str {
        match self {
            Self::Scim2Server | Self::Scim2PutOnly | Self::Scim2Cursor => "/v2",
            Self::Scimmy => "/scim/v2",
            Self::BetterAuth => "/api/auth/scim/v2",
        }
    }
}

/// A running server, empty at first.
#[derive(Debug)]
pub struct ScimServer {
    server: Server,
    /// Where it listens, on the loopback.
    pub port: u16,
    /// Where its interface begins.
    pub base_path: &'static str,
    /// Without a slash at the end.
    pub base_url: String,
    /// For `Authorization: Bearer`.
    pub token: String,
    /// How many are asked for at a time when everything is listed.
    page: usize,
}

impl ScimServer {
    /// Starts one.
    pub fn start(kind: ScimKind) -> Self {
        Self::start_with(kind, &[], 100)
    }

    /// SCIMMY that shows up to 2,000 users on one page, for tests that look often.
    pub fn roomy() -> Self {
        Self::start_with(ScimKind::Scimmy, &[("MAX_RESULTS", "2000")], 2000)
    }

    fn start_with(kind: ScimKind, env: &[(&str, &str)], page: usize) -> Self {
        let mut failed = String::new();
        for _ in 0..3 {
            match Self::try_start(kind, env, page) {
                Ok(up) => return up,
                Err(log) => failed = log, // most likely somebody took the port; another one then
            }
        }
        panic!("{} does not start:\n{failed}", kind.word())
    }

    fn try_start(kind: ScimKind, env: &[(&str, &str)], page: usize) -> Result<Self, String> {
        let dir = state_dir("scim");
        let (port, token, base_path) = (ports::free(), "test-token".to_owned(), kind.base_path());
        let mut serve = script("scim/serve", dir.path());
        serve
            .arg(kind.word())
            .env("PORT", port.to_string())
            .env("TOKEN", &token)
            .envs(env.iter().copied());
        let base_url = format!("http://127.0.0.1:{port}{base_path}");
        let mut up = Self {
            server: Server::start(&serve, dir, &[]),
            port,
            base_path,
            base_url,
            token,
            page,
        };
        let (token, users) = (up.token.clone(), format!("{base_path}/Users?count=1"));
        up.server.wait_until(Duration::from_secs(60), || {
            http(port, &token, "GET", &users, None).is_ok_and(|r| r.0 == 200)
        })?;
        Ok(up)
    }

    /// Every user it holds, as it shows them.
    pub fn users(&self) -> Vec<Value> {
        self.list("Users")
    }

    /// Every group it holds, with members.
    pub fn groups(&self) -> Vec<Value> {
        self.list("Groups")
    }

    fn list(&self, kind: &str) -> Vec<Value> {
        let mut found: BTreeMap<String, Value> = BTreeMap::new();
        loop {
            let before = found.len();
            let (start, count) = (before + 1, self.page);
            let query = format!("/{kind}?startIndex={start}&count={count}");
            let (status, page) = self.request("GET", &query, None);
            assert_eq!(status, 200, "GET /{kind}: {page}");
            for resource in page["Resources"].as_array().into_iter().flatten() {
                let id = resource["id"]
                    .as_str()
                    .unwrap_or_else(|| panic!("no id: {resource}"));
                found.insert(id.to_owned(), resource.clone());
            }
            let total = page["totalResults"]
                .as_u64()
                .and_then(|t| usize::try_from(t).ok());
            if found.len() == before || (self.page > 100 && total == Some(found.len())) {
                let before = found.len();
                assert_eq!(
                    total,
                    Some(before),
                    "the server lists fewer {kind} than it says it has"
                );
                return found.into_values().collect();
            }
        }
    }

    /// One request, the path below the base URL (`/Users`); gives the status and the body (null if there is none).
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        http(
            self.port,
            &self.token,
            method,
            &format!("{}{path}", self.base_path),
            body,
        )
        .unwrap_or_else(|e| panic!("{method} {path}: {e}\n{}", self.server.log_text()))
    }

    /// The table of a target `scim` of the source `company` that is this server, with the mapping `scim.toml` and more
    /// lines of its own; the token becomes a file in this folder.
    pub fn table(&self, dir: &Path, more: &str) -> String {
        format!(
            "\n[[target]]\nname = \"scim\"\ntype = \"scim\"\nsource = \"company\"\nmapping = \"scim.toml\"\n\
             policy = \"sync\"\nreview-first-run = false\nurl = \"{}\"\n\
             auth = {{ type = \"bearer\", token = \"{}\" }}\n{more}\n",
            self.base_url,
            secrets::put(dir, "scim.secret", &self.token)
        )
    }

    /// Where people log in, if the server has such a place (SCIMMY).
    pub fn door(&self) -> Door {
        Door(self.port)
    }

    /// The process itself: to kill, freeze and revive it. What it holds in memory is gone after a kill.
    pub const fn process(&mut self) -> &mut Server {
        &mut self.server
    }
}

/// Where people log in.
#[derive(Clone, Copy, Debug)]
pub struct Door(u16);

impl Door {
    /// Whether a user name and a password open an account.
    pub fn opens(self, user: &str, password: &str) -> bool {
        let asked = serde_json::json!({"userName": user, "password": password});
        let (status, answer) =
            http(self.0, "", "POST", "/login", Some(&asked)).expect("it answers");
        assert!([200, 403].contains(&status), "{status} {answer}");
        status == 200
    }
}

/// One request with a bearer token on a connection of its own.
pub fn http(
    port: u16,
    token: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value), std::io::Error> {
    http_as(port, &format!("Bearer {token}"), method, path, body)
}

/// One request with any credentials on a connection of its own.
pub fn http_as(
    port: u16,
    authorization: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value), std::io::Error> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let kind = if authorization.starts_with("Basic ") {
        "application/json"
    } else {
        "application/scim+json"
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {authorization}\r\nAccept: application/scim+json, application/json\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let broken = |what: &str| {
        std::io::Error::other(format!("{what} in {:?}", String::from_utf8_lossy(&answer)))
    };
    let end = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(|| broken("no end of the headers"))?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| broken("no status"))?;
    let mut content = answer[end + 4..].to_vec();
    if head.contains("transfer-encoding: chunked") {
        content = unchunked(&content).ok_or_else(|| broken("bad chunks"))?;
    }
    if content.is_empty() {
        return Ok((status, Value::Null));
    }
    let value = serde_json::from_slice(&content).map_err(|e| broken(&e.to_string()))?;
    Ok((status, value))
}

/// RFC 9112 §7.1, without extensions and trailers.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n")?;
        let size =
            usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(rest.get(line + 2..line + 2 + size)?);
        rest = rest.get(line + 2 + size + 2..)?;
    }
}
