//! Runs a simulator: a server on the loopback in a thread of its own, with faults and a request limit before it.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use tokio::sync::oneshot;

use super::fault::{self, Fault, Harm};
use super::ledger::Ledger;
use super::wire::{Answer, Call};

/// Largest body that a simulator takes, in bytes.
const BODY: usize = 8 << 20;

/// What a simulated application does.
pub trait Application: Send + 'static {
    /// The operation that a call asks for, by the name that faults and counts use.
    fn operation(&self, call: &Call) -> String;

    /// Answers a call and changes itself accordingly.
    fn answer(&mut self, call: &Call) -> Answer;

    /// Ends every session and token.
    fn expire(&mut self);

    /// Its ledger.
    fn ledger(&mut self) -> &mut Ledger;
}

#[derive(Debug)]
struct Inside<A> {
    app: A,
    faults: Vec<Fault>,
    calls: Vec<String>,
    /// So many calls in a row, then one 429.
    burst: Option<(usize, usize)>,
    /// So many were refused with 429.
    throttled: usize,
}

/// A running simulator; it ends when this value is dropped.
#[derive(Debug)]
pub struct Sim<A: Application> {
    /// `http://127.0.0.1:<port>`, without a slash at the end.
    pub base: String,
    inside: Arc<Mutex<Inside<A>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl<A: Application> Sim<A> {
    /// Starts one on a free port.
    pub fn start(app: A) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        listener
            .set_nonblocking(true)
            .expect("a socket can be switched");
        let inside = Arc::new(Mutex::new(Inside {
            app,
            faults: Vec::new(),
            calls: Vec::new(),
            burst: None,
            throttled: 0,
        }));
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&inside);
        let thread = std::thread::spawn(move || serve(listener, shared, stopped));
        Self {
            base: format!("http://{address}"),
            inside,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside<A>> {
        self.inside.lock().expect("the simulator has not panicked")
    }

    /// Looks into the application, or changes something behind everybody's back.
    pub fn within<T>(&self, look: impl FnOnce(&mut A) -> T) -> T {
        look(&mut self.inside().app)
    }

    /// Reads the ledger.
    pub fn ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        self.within(|app| look(app.ledger()))
    }

    /// Moves the simulator's clock on.
    pub fn advance(&self, seconds: i64) {
        self.ledger(|ledger| ledger.now += seconds);
    }

    /// Orders a fault.
    pub fn fault(&self, operation: &'static str, skip: usize, times: usize, harm: Harm) {
        self.inside().faults.push(Fault {
            operation,
            skip,
            times,
            harm,
        });
    }

    /// Whether every fault that was ordered has happened.
    pub fn faults_are_over(&self) -> bool {
        self.inside().faults.is_empty()
    }

    /// From now on, every call after so many is refused once with 429; `None` ends that.
    pub fn throttle_every(&self, calls: Option<usize>) {
        self.inside().burst = calls.map(|calls| (calls, 0));
    }

    /// How many calls were refused with 429 so far.
    pub fn throttled(&self) -> usize {
        self.inside().throttled
    }

    /// The operations asked for so far; forgets them.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.inside().calls)
    }
}

impl<A: Application> Drop for Sim<A> {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It can only fail if it panicked, and then a test has said so.
            drop(thread.join());
        }
    }
}

fn serve<A: Application>(
    listener: TcpListener,
    inside: Arc<Mutex<Inside<A>>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    // Dropping the runtime ends every connection, those that hang included.
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("it is non-blocking");
        let router = Router::new().fallback(move |request: Request| {
            let inside = Arc::clone(&inside);
            async move { respond(request, &inside).await }
        });
        tokio::select! {
            _ended = axum::serve(listener, router) => {}
            _told = stopped => {}
        }
    });
}

async fn respond<A: Application>(request: Request, inside: &Mutex<Inside<A>>) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY).await else {
        return send(Answer::empty(413));
    };
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let call = Call::new(head.method.as_str(), target, head.headers, body.to_vec());
    let (harm, answer) = judge(&call, inside);
    match harm {
        Some(Harm::HangAfter | Harm::HangBefore) => std::future::pending().await,
        Some(Harm::CutAfter | Harm::CutBefore) => cut(),
        Some(Harm::Expire) | None => send(answer),
        Some(Harm::Status(_) | Harm::Throttle(_) | Harm::LoginPage) => send(answer),
    }
}

/// What comes of a call, under the one lock.
fn judge<A: Application>(call: &Call, inside: &Mutex<Inside<A>>) -> (Option<Harm>, Answer) {
    let mut inside = inside.lock().expect("the simulator has not panicked");
    let operation = inside.app.operation(call);
    inside.calls.push(operation.clone());
    if let Some((every, count)) = &mut inside.burst {
        *count += 1;
        if *count > *every {
            *count = 0;
            inside.throttled += 1;
            return (None, throttled(0));
        }
    }
    let harm = fault::harm(&mut inside.faults, &operation);
    let answer = match harm {
        Some(Harm::HangBefore | Harm::CutBefore) => Answer::empty(500),
        Some(Harm::Status(status)) => page(status, "Something went wrong"),
        Some(Harm::Throttle(seconds)) => throttled(seconds),
        Some(Harm::LoginPage) => page(200, "Please sign in"),
        Some(Harm::Expire) => {
            inside.app.expire();
            inside.app.answer(call)
        }
        Some(Harm::HangAfter | Harm::CutAfter) | None => inside.app.answer(call),
    };
    (harm, answer)
}

fn throttled(seconds: u64) -> Answer {
    page(429, "Slow down").with("retry-after", seconds.to_string())
}

fn page(status: u16, words: &str) -> Answer {
    let html = format!("<!DOCTYPE html><html><body><h1>{words}</h1></body></html>");
    Answer::of(status, "text/html; charset=utf-8", html)
}

fn send(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).expect("a status");
    for (name, value) in answer.headers {
        let value = HeaderValue::from_str(&value).expect("a header value");
        response.headers_mut().append(name, value);
    }
    response
}

/// An answer that breaks off: it promises more than it sends.
fn cut() -> Response {
    let broken = futures_util::stream::once(async {
        Err::<Bytes, _>(io::Error::other("the connection breaks, as ordered"))
    });
    let mut response = Response::new(Body::from_stream(broken));
    let length = HeaderValue::from_static("1000");
    response.headers_mut().insert("content-length", length);
    response
}
