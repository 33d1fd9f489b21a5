//! A relay in front of an application, which stops one request at a chosen moment, so that a test can end the client there:
//! before the application has it, while the application works on it, or when the answer is there and nobody was told.
//!
//! It passes on what comes byte for byte, but for the connection, which is another for each request.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::gateway::{Head, listen};

/// The longest that an application may take for what it was asked for.
const LIMIT: Duration = Duration::from_secs(60);

/// Where in the life of a request it is stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// It was sent, and the application never gets it.
    Unheard,
    /// The application has it, and its answer goes to nobody.
    Underway,
    /// The application has answered, and the answer is on its way.
    Answered,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unheard, Self::Underway, Self::Answered];
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its first line.
    pub line: String,
    /// Its body, where it is JSON.
    pub body: Value,
    /// Whether the application gets it.
    pub heard: bool,
}

#[derive(Default)]
struct Inside {
    seen: Vec<Seen>,
    /// How many more requests of a kind pass, and what happens to the one after them.
    trap: Option<(usize, Moment)>,
    kind: Option<fn(&str) -> bool>,
    caught: Option<Seen>,
    /// Whether the request that was caught may end.
    is_over: bool,
    /// Whether it has ended, at the application as well.
    has_ended: bool,
}

struct Shared {
    inside: Mutex<Inside>,
    over: Condvar,
}

/// A running relay. It ends with the process.
pub struct Relay {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    shared: Arc<Shared>,
}

impl Relay {
    /// In front of the application on this port.
    pub fn start(port: u16) -> Self {
        let shared = Arc::new(Shared {
            inside: Mutex::default(),
            over: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        let here = listen(move |stream| own.pass(stream, port));
        Self {
            url: format!("http://127.0.0.1:{here}"),
            shared,
        }
    }

    fn within<T>(&self, look: impl FnOnce(&mut Inside) -> T) -> T {
        look(&mut self.shared.inside.lock().expect("no panic inside"))
    }

    /// Stops the nth request from now on (from 1) of those with such a first line, and forgets what was seen.
    pub fn stop_at(&self, nth: usize, moment: Moment, kind: fn(&str) -> bool) {
        self.within(|inside| {
            *inside = Inside {
                trap: Some((nth - 1, moment)),
                kind: Some(kind),
                ..Inside::default()
            };
        });
    }

    /// Forgets what was seen, and stops nothing.
    pub fn forget(&self) {
        self.within(|inside| *inside = Inside::default());
    }

    /// The request that is stopped.
    pub fn caught(&self) -> Option<Seen> {
        self.within(|inside| inside.caught.clone())
    }

    /// Everything passes from now on. The request that is stopped ends without an answer; gives it, once the application
    /// has done what it was asked for.
    pub fn release(&self) -> Option<Seen> {
        let mut inside = self.shared.inside.lock().expect("no panic inside");
        inside.is_over = true;
        inside.trap = None;
        let caught = inside.caught.take()?;
        self.shared.over.notify_all();
        let ended = self
            .shared
            .over
            .wait_timeout_while(inside, LIMIT, |inside| !inside.has_ended)
            .expect("no panic inside");
        assert!(!ended.1.timed_out(), "{caught:?} does not end");
        Some(caught)
    }

    /// What came since [`Relay::stop_at`] or [`Relay::forget`].
    pub fn seen(&self) -> Vec<Seen> {
        self.within(|inside| inside.seen.clone())
    }
}

impl Shared {
    fn pass(&self, mut client: TcpStream, port: u16) -> io::Result<()> {
        let mut head = Head::read(&mut client)?;
        let length = head.get("content-length").and_then(|n| n.parse().ok());
        let mut body = std::mem::take(&mut head.rest);
        let have = body.len();
        body.resize(length.unwrap_or(0), 0);
        client.read_exact(body.get_mut(have..).unwrap_or_default())?;
        let told = serde_json::from_slice(&body).unwrap_or_default();
        let mut seen = Seen {
            line: head.first.clone(),
            body: told,
            heard: true,
        };
        let moment = self.came(&mut seen);
        let Some(moment) = moment else {
            let mut server = ask(port, &head, &body)?;
            let mut answer = Vec::new();
            server.read_to_end(&mut answer)?;
            client.write_all(&answer)?;
            return client.flush();
        };
        let ended = self.stop(moment, seen, || ask(port, &head, &body));
        self.inside.lock().expect("no panic inside").has_ended = true;
        self.over.notify_all();
        ended
    }

    /// What happens to a request that is stopped. Its answer goes to nobody.
    fn stop(
        &self,
        moment: Moment,
        seen: Seen,
        ask: impl FnOnce() -> io::Result<TcpStream>,
    ) -> io::Result<()> {
        let mut answer = Vec::new();
        match moment {
            Moment::Unheard => self.hold(seen)?,
            Moment::Underway => {
                let mut server = ask()?;
                self.hold(seen)?;
                server.read_to_end(&mut answer)?;
            }
            Moment::Answered => {
                ask()?.read_to_end(&mut answer)?;
                self.hold(seen)?;
            }
        }
        Ok(())
    }

    /// Notes a request; gives the moment at which it is to be stopped.
    fn came(&self, seen: &mut Seen) -> Option<Moment> {
        let mut inside = self.inside.lock().expect("no panic inside");
        let mut moment = None;
        if inside.kind.is_some_and(|kind| kind(&seen.line)) {
            let trap = inside.trap.take();
            moment = trap.and_then(|(left, moment)| (left == 0).then_some(moment));
            inside.trap = trap.and_then(|(left, moment)| Some((left.checked_sub(1)?, moment)));
        }
        seen.heard = moment != Some(Moment::Unheard);
        inside.seen.push(seen.clone());
        moment
    }

    /// Tells that a request is stopped, and waits until the test has done what it does then.
    fn hold(&self, seen: Seen) -> io::Result<()> {
        let mut inside = self.inside.lock().expect("no panic inside");
        inside.caught = Some(seen);
        let waited = self.over.wait_while(inside, |inside| !inside.is_over);
        waited.map(drop).map_err(|_| io::ErrorKind::Other.into())
    }
}

/// Sends a request on.
fn ask(port: u16, head: &Head, body: &[u8]) -> io::Result<TcpStream> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.write_all(&head.onwards(&head.first, &[], ""))?;
    server.write_all(body)?;
    Ok(server)
}
