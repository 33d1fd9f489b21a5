//! What stands between a client and an application in many networks: a proxy, and a gateway with credentials of its own.
//!
//! Both are simulators, of one page each: one request per connection, threads that end with the process.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::process::cache_dir;
use super::tls;

/// Serves every connection on a free port of the loopback; gives the port.
pub(super) fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            // A client that goes away in between is no trouble of ours.
            thread::spawn(move || drop(serve(stream)));
        }
    });
    port
}

/// A request's first line, its other lines, and what came after them.
pub(super) struct Head {
    pub(super) first: String,
    lines: Vec<String>,
    pub(super) rest: Vec<u8>,
}

impl Head {
    pub(super) fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
                let mut lines = text.split("\r\n").map(str::to_owned);
                return Ok(Self {
                    first: lines.next().unwrap_or_default(),
                    lines: lines.collect(),
                    rest: bytes.split_off(end + 4),
                });
            }
            match stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => bytes.extend_from_slice(&chunk[..n]),
            }
        }
    }

    /// A header's value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The request for the next server: another first line, other credentials, and the connection ends with the answer.
    pub(super) fn onwards(&self, first: &str, without: &[&str], more: &str) -> Vec<u8> {
        let mut text = format!("{first}\r\n{more}Connection: close\r\n");
        for line in &self.lines {
            let name = line.split(':').next().unwrap_or_default();
            let left_out = |gone: &&str| name.eq_ignore_ascii_case(gone);
            if !["connection", "proxy-connection"].iter().any(left_out)
                && !without.iter().any(left_out)
            {
                text.push_str(line);
                text.push_str("\r\n");
            }
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

/// An HTTP proxy: forwards requests with a whole URL, and connects for those that ask for a tunnel.
#[derive(Debug)]
pub struct Proxy {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Starts one.
    pub fn start() -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let port = listen(move |stream| {
            let mut client = stream;
            let head = Head::read(&mut client)?;
            log.lock().expect("no panic inside").push(format!(
                "{}\n{}",
                head.first,
                head.lines.join("\n")
            ));
            let mut words = head.first.split(' ');
            let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            if method == "CONNECT" {
                let server = TcpStream::connect(target)?;
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                return both_ways(client, server);
            }
            let rest = target.strip_prefix("http://").unwrap_or_default();
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let mut server = TcpStream::connect(host)?;
            let first = format!("{method} /{path} HTTP/1.1");
            server.write_all(&head.onwards(&first, &[], ""))?;
            server.write_all(&head.rest)?;
            both_ways(client, server)
        });
        Self {
            url: format!("http://127.0.0.1:{port}"),
            seen,
        }
    }

    /// The heads of all requests that came.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic inside").clone()
    }
}

fn both_ways(client: TcpStream, server: TcpStream) -> io::Result<()> {
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    let up = thread::spawn(move || {
        io::copy(&mut from_client, &mut to_server).ok();
        to_server.shutdown(Shutdown::Write).ok();
    });
    let (mut from_server, mut to_client) = (server, client);
    io::copy(&mut from_server, &mut to_client).ok();
    to_client.shutdown(Shutdown::Both).ok();
    up.join().ok();
    Ok(())
}

/// What a gateway lets through.
#[derive(Clone, Debug)]
pub enum Admits {
    /// A header with exactly this value.
    Header(&'static str, String),
    /// Tokens of its own endpoint `/token`, each good for so many calls, for a client with this header; or, if the
    /// header is `None`, with this in the body.
    Tokens {
        /// The `Authorization` of the client at the token endpoint.
        header: Option<String>,
        /// What else the form must hold.
        form: String,
        /// Calls for each token.
        calls: usize,
    },
}

/// A gateway in front of an application that takes a bearer token.
#[derive(Debug)]
pub struct Gateway {
    /// `http://127.0.0.1:PORT` or `https://localhost:PORT`
    pub url: String,
    tokens: Arc<Mutex<Vec<usize>>>,
}

impl Gateway {
    /// In front of the application on this port, whose token it puts in; over TLS with the test certificate if wanted.
    pub fn start(port: u16, token: &str, admits: Admits, secure: bool) -> Self {
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let inside = Arc::new(Inside {
            port,
            token: token.to_owned(),
            admits,
            tokens: Arc::clone(&tokens),
        });
        let config = secure.then(|| Arc::new(certificate()));
        let here = listen(move |stream| match &config {
            None => inside.serve(stream),
            Some(config) => {
                let connection =
                    ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(connection, stream);
                inside.serve(&mut stream)?;
                stream.conn.send_close_notify();
                stream.flush()
            }
        });
        Self {
            url: if secure {
                format!("https://localhost:{here}")
            } else {
                format!("http://127.0.0.1:{here}")
            },
            tokens,
        }
    }

    /// How many tokens were given out.
    pub fn tokens(&self) -> usize {
        self.tokens.lock().expect("no panic inside").len()
    }
}

struct Inside {
    port: u16,
    token: String,
    admits: Admits,
    /// The calls left of each token.
    tokens: Arc<Mutex<Vec<usize>>>,
}

impl Inside {
    fn serve(&self, mut stream: impl Read + Write) -> io::Result<()> {
        let mut head = Head::read(&mut stream)?;
        let length = head.get("content-length").and_then(|n| n.parse().ok());
        let mut body = std::mem::take(&mut head.rest);
        let have = body.len();
        body.resize(length.unwrap_or(0), 0);
        stream.read_exact(body.get_mut(have..).unwrap_or_default())?;
        let answer = if head.first.starts_with("POST /token ") {
            self.give(&head, &String::from_utf8_lossy(&body))
        } else if self.admits(&head) {
            let more = format!("Authorization: Bearer {}\r\n", self.token);
            let mut server = TcpStream::connect(("127.0.0.1", self.port))?;
            server.write_all(&head.onwards(&head.first, &["authorization", "x-api-key"], &more))?;
            server.write_all(&body)?;
            let mut answer = Vec::new();
            server.read_to_end(&mut answer)?;
            answer
        } else {
            answer("401 Unauthorized", "{}")
        };
        stream.write_all(&answer)?;
        stream.flush()
    }

    fn admits(&self, head: &Head) -> bool {
        match &self.admits {
            Admits::Header(name, value) => head.get(name) == Some(value),
            Admits::Tokens { .. } => {
                let number = head
                    .get("authorization")
                    .and_then(|value| value.strip_prefix("Bearer t")?.parse::<usize>().ok());
                let mut tokens = self.tokens.lock().expect("no panic inside");
                let left = number.and_then(|number| tokens.get_mut(number));
                left.is_some_and(|left| {
                    let good = *left > 0;
                    *left = left.saturating_sub(1);
                    good
                })
            }
        }
    }

    fn give(&self, head: &Head, body: &str) -> Vec<u8> {
        let Admits::Tokens {
            header,
            form,
            calls,
        } = &self.admits
        else {
            return answer("404 Not Found", "{}");
        };
        let known = head.get("authorization") == header.as_deref() && body.contains(form);
        if !known || !body.contains("grant_type=client_credentials") {
            return answer("401 Unauthorized", r#"{"error":"invalid_client"}"#);
        }
        let mut tokens = self.tokens.lock().expect("no panic inside");
        tokens.push(*calls);
        let number = tokens.len() - 1;
        let body =
            format!(r#"{{"access_token":"t{number}","token_type":"Bearer","expires_in":3600}}"#);
        answer("200 OK", &body)
    }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The certificate that the other test servers show, too.
fn certificate() -> ServerConfig {
    tls::ca_pem();
    let folder = cache_dir().join("tls");
    let chain = CertificateDer::pem_file_iter(folder.join("good.crt"))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .expect("the test certificate");
    let key = PrivateKeyDer::from_pem_file(folder.join("good.key")).expect("its key");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a key that fits")
}
