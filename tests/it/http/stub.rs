//! A server of one page of code that can misbehave in any way: what it sends is exactly what the test says.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With the query, still encoded.
    pub target: String,
    /// In lower case.
    pub head: String,
    /// As it came.
    pub exact: String,
    pub body: Vec<u8>,
}

impl Request {
    /// Whether this is the method and the target begins so.
    pub fn is(&self, method: &str, start: &str) -> bool {
        self.method == method && self.target.starts_with(start)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What to do with a request.
pub enum Reply {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// Sends these bytes and then nothing, until the client gives up.
    Stall(Vec<u8>),
    /// Closes without a word.
    Hang,
}

/// A running stub; it ends with the runtime of its test.
pub struct Stub {
    /// The base URL without a slash at the end.
    pub base: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    /// Starts one; the function answers each request.
    pub async fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}/scim", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&answer)));
            }
        });
        Self { base, requests }
    }

    /// The requests so far, without those for discovery.
    pub fn requests(&self) -> Vec<Request> {
        let all = self.requests.lock().unwrap();
        all.iter().filter(|r| !is_discovery(r)).cloned().collect()
    }

    /// Method and target of each request, without discovery.
    pub fn calls(&self) -> Vec<String> {
        let requests = self.requests();
        let call = |r: &Request| format!("{} {}", r.method, r.target.replace("/scim/", ""));
        requests.iter().map(call).collect()
    }
}

/// Whether this asks the service about itself.
pub fn is_discovery(request: &Request) -> bool {
    ["ServiceProviderConfig", "Schemas", "ResourceTypes"]
        .iter()
        .any(|name| request.target.contains(name))
}

/// A whole answer with this body.
pub fn answer(status: u16, headers: &str, body: &str) -> Reply {
    Reply::Send(raw(status, headers, body.as_bytes()))
}

/// A JSON answer.
pub fn json(status: u16, body: &Value) -> Reply {
    answer(
        status,
        "Content-Type: application/scim+json\r\n",
        &body.to_string(),
    )
}

/// The bytes of an answer.
pub fn raw(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

async fn serve(
    mut stream: TcpStream,
    log: Arc<Mutex<Vec<Request>>>,
    answer: Arc<impl Fn(&Request) -> Reply + Send + Sync>,
) {
    let Some(request) = receive(&mut stream).await else {
        return;
    };
    log.lock().unwrap().push(request.clone());
    let (bytes, stall) = match answer(&request) {
        Reply::Send(bytes) => (bytes, false),
        Reply::Stall(bytes) => (bytes, true),
        Reply::Hang => return,
    };
    // The client may have given up already.
    let sent = stream.write_all(&bytes).await;
    if stall && sent.is_ok() {
        let mut rest = Vec::new();
        let _ended = stream.read_to_end(&mut rest).await;
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length: usize = head
                .to_lowercase()
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.trim().parse().ok())
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let mut words = head.split(' ');
                return Some(Request {
                    method: words.next()?.to_owned(),
                    target: words.next()?.to_owned(),
                    head: head.to_lowercase(),
                    exact: head.clone(),
                    body: bytes[end + 4..].to_vec(),
                });
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
        }
    }
}
