//! The gate between a directory server and everything that parses.
//!
//! We open the connection and protect it; `ldap3` gets one end of a socket pair and sees small envelope messages only.
//! Each message is framed and checked first. Entries and references never reach `ldap3`: they go as raw bytes through a
//! bounded channel to our own decoder, so a slow consumer slows the server down instead of filling memory.
//! The gate does not understand searches; it only knows which answers are due.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ber;
use super::framing::{self, BadFrame, Frame};

/// The size of a read buffer.
const CHUNK: usize = 256 << 10;
/// How many chunks may wait for the decoder.
const WAITING: usize = 32;
/// A message must be complete within this many times the longest silence.
const PATIENCE: u32 = 4;

/// Anything that bytes can be read from and written to.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for S {}

/// What the gate hands to the decoder, in the order of the wire.
#[derive(Debug)]
pub(super) enum Item {
    /// Complete messages that each hold one entry, one after the other.
    Entries(Bytes),
    /// A continuation reference.
    Reference(Vec<String>),
    /// An entry above the size limit, which was skipped.
    Huge { dn: Vec<u8>, size: usize },
    /// The search ended; its result went to `ldap3`.
    Done,
}

/// What both directions and the owner share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    limit: AtomicUsize,
    silence: Duration,
}

#[derive(Debug)]
struct State {
    /// Requests that are not answered yet, with the tag of the request.
    due: HashMap<u32, u8>,
    heard: Instant,
    failure: Option<String>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the connection ended, if it did.
    pub(super) fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    /// Sets the largest message accepted from now on, in bytes.
    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn asked(&self, id: u32, operation: u8) {
        let mut state = self.state();
        state.due.insert(id, operation);
        state.heard = Instant::now();
    }

    /// When the silence becomes too long; `None` while no answer is due.
    fn deadline(&self) -> Option<Instant> {
        let state = self.state();
        (!state.due.is_empty()).then(|| state.heard + self.silence)
    }
}

/// The gate's ends.
#[derive(Debug)]
pub(super) struct Gate {
    /// For `ldap3`.
    pub socket: std::os::unix::net::UnixStream,
    /// For our decoder.
    pub items: mpsc::Receiver<Item>,
    pub shared: Arc<Shared>,
    pub task: tokio::task::JoinHandle<()>,
}

/// Puts a gate in front of a server.
///
/// # Errors
/// When no socket pair can be made.
pub(super) fn open(
    server: Box<dyn Stream>,
    limit: usize,
    silence: Duration,
) -> std::io::Result<Gate> {
    let (socket, ours) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let ours = UnixStream::from_std(ours)?;
    let (sender, items) = mpsc::channel(WAITING);
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            due: HashMap::new(),
            heard: Instant::now(),
            failure: None,
        }),
        limit: AtomicUsize::new(limit),
        silence,
    });
    let task = tokio::spawn(relay(server, ours, sender, Arc::clone(&shared)));
    Ok(Gate {
        socket,
        items,
        shared,
        task,
    })
}

async fn relay(
    server: Box<dyn Stream>,
    client: UnixStream,
    items: mpsc::Sender<Item>,
    shared: Arc<Shared>,
) {
    let (from_server, to_server) = tokio::io::split(server);
    let (from_client, to_client) = client.into_split();
    let mut down = Down {
        from: from_server,
        to: to_client,
        items,
        shared: &shared,
        buffer: BytesMut::with_capacity(CHUNK),
    };
    let end = tokio::select! {
        end = up(from_client, to_server, &shared) => end,
        end = down.run() => end,
    };
    let why = match end {
        Ok(()) => "the connection was closed".to_owned(),
        Err(why) => why,
    };
    shared.state().failure.get_or_insert(why);
}

/// From `ldap3` to the server, noting which answers are due.
async fn up<R, W>(mut from: R, mut to: W, shared: &Shared) -> Result<(), String>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = BytesMut::with_capacity(4096);
    loop {
        while let Some(header) = ber::header(&buffer).map_err(|error| error.to_string())? {
            let length = header.head + header.body;
            let Some(message) = buffer.get(..length) else {
                break;
            };
            let (id, operation, _) = framing::open(message).map_err(|error| error.to_string())?;
            if matches!(
                operation,
                framing::BIND_REQUEST | framing::SEARCH_REQUEST | framing::EXTENDED_REQUEST
            ) {
                shared.asked(id, operation);
            }
            to.write_all(message)
                .await
                .map_err(|error| error.to_string())?;
            buffer.advance(length);
        }
        to.flush().await.map_err(|error| error.to_string())?;
        if from
            .read_buf(&mut buffer)
            .await
            .map_err(|error| error.to_string())?
            == 0
        {
            // The other side may be gone already; there is nothing left to say to it.
            drop(to.shutdown().await);
            return Ok(());
        }
    }
}

/// From the server to `ldap3` and to the decoder.
struct Down<'s, R, W> {
    from: R,
    to: W,
    items: mpsc::Sender<Item>,
    shared: &'s Shared,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Down<'_, R, W> {
    async fn run(&mut self) -> Result<(), String> {
        let mut started = Instant::now();
        loop {
            let wanted = self.drain().await?;
            if self.buffer.is_empty() {
                started = Instant::now();
            } else if started.elapsed() > self.shared.silence * PATIENCE {
                return Err(format!(
                    "a message took longer than {:?}",
                    self.shared.silence * PATIENCE
                ));
            }
            let missing = wanted.saturating_sub(self.buffer.len());
            if self.buffer.capacity() - self.buffer.len() < missing.max(CHUNK / 8) {
                self.buffer.reserve(missing.max(CHUNK));
            }
            let before = self.buffer.len();
            self.read().await?;
            // A message that ended in this chunk gives the next one its full time.
            if before == 0 || self.buffer.len() >= wanted {
                started = Instant::now();
            }
        }
    }

    /// Handles all complete messages in the buffer; says how many bytes the next one needs.
    async fn drain(&mut self) -> Result<usize, String> {
        let limit = self.shared.limit.load(Ordering::Relaxed);
        let mut entries = 0;
        loop {
            let rest = self.buffer.get(entries..).unwrap_or_default();
            let frame = framing::next(rest, limit).map_err(|error| error.to_string());
            if let Ok(Frame::Message {
                id,
                operation: framing::SEARCH_ENTRY,
                length,
            }) = frame
                && self.check_due(id, framing::SEARCH_ENTRY).is_ok()
            {
                entries += length;
                continue;
            }
            // What came before something bad is still what the server said.
            if entries > 0 {
                let chunk = self.buffer.split_to(entries).freeze();
                self.hand_over(Item::Entries(chunk)).await?;
                entries = 0;
            }
            let frame = frame?;
            match frame {
                Frame::More(wanted) => return Ok(wanted),
                Frame::Ignored { length } => self.buffer.advance(length),
                Frame::Huge { id, dn, length } => {
                    self.check_due(id, framing::SEARCH_ENTRY)?;
                    self.skip(length).await?;
                    self.hand_over(Item::Huge { dn, size: length }).await?;
                }
                Frame::Message {
                    id,
                    operation,
                    length,
                } => {
                    let message = self.buffer.split_to(length).freeze();
                    self.envelope(id, operation, &message).await?;
                }
            }
        }
    }

    async fn envelope(&mut self, id: u32, operation: u8, message: &Bytes) -> Result<(), String> {
        let asked = self.check_due(id, operation)?;
        let (_, _, content) = framing::open(message).map_err(|error| error.to_string())?;
        if operation == framing::SEARCH_REFERENCE {
            return self
                .hand_over(Item::Reference(framing::references(content)))
                .await;
        }
        if asked == framing::SEARCH_REQUEST && operation != framing::SEARCH_DONE {
            // Samba answers an unknown critical control this way; ldap3 would panic and other clients hang.
            let (code, text) = framing::result_of(content).unwrap_or_default();
            return Err(format!(
                "the server ended the search out of turn with result {code} ({text})"
            ));
        }
        self.shared.state().due.remove(&id);
        if operation == framing::SEARCH_DONE {
            self.hand_over(Item::Done).await?;
        }
        self.to
            .write_all(message)
            .await
            .map_err(|error| error.to_string())
    }

    /// The request that a message answers.
    fn check_due(&self, id: u32, operation: u8) -> Result<u8, String> {
        let asked = self.shared.state().due.get(&id).copied();
        match asked {
            Some(asked @ framing::SEARCH_REQUEST)
                if matches!(
                    operation,
                    framing::SEARCH_ENTRY
                        | framing::SEARCH_REFERENCE
                        | framing::SEARCH_DONE
                        | framing::EXTENDED_RESPONSE
                ) =>
            {
                Ok(asked)
            }
            Some(asked @ framing::BIND_REQUEST) if operation == framing::BIND_RESPONSE => Ok(asked),
            Some(asked @ framing::EXTENDED_REQUEST) if operation == framing::EXTENDED_RESPONSE => {
                Ok(asked)
            }
            Some(_) | None => Err(BadFrame::Unexpected(operation).to_string()),
        }
    }

    async fn hand_over(&self, item: Item) -> Result<(), String> {
        let sent = self.items.send(item).await;
        // While the consumer was busy the server had no chance to be heard.
        self.shared.state().heard = Instant::now();
        sent.map_err(|_| "the reader went away".to_owned())
    }

    /// Reads and drops the rest of a message of this length.
    async fn skip(&mut self, length: usize) -> Result<(), String> {
        let mut left = length;
        loop {
            let here = left.min(self.buffer.len());
            self.buffer.advance(here);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            self.buffer.reserve(CHUNK);
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), String> {
        loop {
            let until = self.shared.deadline();
            let wait = until.unwrap_or_else(|| Instant::now() + self.shared.silence);
            match tokio::time::timeout_at(wait, self.from.read_buf(&mut self.buffer)).await {
                Ok(Ok(0)) => return Err("the server closed the connection".to_owned()),
                Ok(Ok(_)) => {
                    self.shared.state().heard = Instant::now();
                    return Ok(());
                }
                Ok(Err(error)) => return Err(format!("the connection failed: {error}")),
                // A request may have been sent meanwhile, so the deadline is asked for again.
                Err(_)
                    if self
                        .shared
                        .deadline()
                        .is_none_or(|deadline| deadline > Instant::now()) => {}
                Err(_) => {
                    return Err(format!(
                        "the server was silent for {:?}",
                        self.shared.silence
                    ));
                }
            }
        }
    }
}
