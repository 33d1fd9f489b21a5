//! The control socket: how `provost status`, `sync` and others speak to the running service.
//!
//! Whoever connects is known by what the kernel says of them, never by what they say of themselves. A client that is
//! slow, silent or hostile holds up nobody: each has a task of its own, a limit on bytes and on time, and there is a
//! limit on how many there are.

pub mod ask;
mod client;
mod peer;

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::config::Control;
use crate::model::Outcome;
use ask::{Answer, Ask, LONGEST, Tell, VERSION};
pub use client::{Connection, connect};
pub use peer::Peer;

/// So many clients at a time.
const CLIENTS: usize = 32;
/// The longest time for a request to arrive, and for a line of the answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a waiting client hears what goes on.
const PROGRESS: Duration = Duration::from_secs(1);

/// A request that was allowed, on its way to the loop.
#[derive(Debug)]
pub(super) struct Order {
    pub ask: Ask,
    pub by: Peer,
    pub answer: oneshot::Sender<Answer>,
}

/// What every client's task needs.
#[derive(Clone, Debug)]
pub(super) struct Door {
    /// To the loop.
    pub orders: mpsc::Sender<Order>,
    /// Who may do what; changes with the configuration.
    pub control: watch::Receiver<Control>,
    /// What goes on.
    pub activity: watch::Receiver<String>,
}

/// Opens the socket, in place of one that a service before left behind.
pub(super) fn open(control: &Control) -> io::Result<UnixListener> {
    let path = &control.path;
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => {
            let why = "there is something else that is no socket";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    // Between these two lines others can connect; what they may do is decided by who they are, not by the mode.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    give(path, control);
    Ok(listener)
}

/// Gives the socket to the group of those who may look.
fn give(path: &Path, control: &Control) {
    let Some(name) = control
        .view_group
        .as_ref()
        .or(control.operate_group.as_ref())
    else {
        return;
    };
    let group = nix::unistd::Group::from_name(name);
    let Ok(Some(group)) = group else {
        tracing::warn!(
            group = name,
            "the group of the control socket does not exist; only root can use it"
        );
        return;
    };
    if let Err(error) = std::os::unix::fs::chown(path, None, Some(group.gid.as_raw())) {
        tracing::warn!(group = name, %error, "the control socket could not be given to its group; add the service's user to the group");
    }
}

/// Lets clients in until it is dropped.
pub(super) async fn serve(listener: UnixListener, door: Door) {
    let room = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let door = door.clone();
                tokio::spawn(async move {
                    if let Err(error) = client(stream, door).await {
                        tracing::debug!(%error, "a client of the control socket was dropped");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // No descriptors left, most likely: trying at once again would only burn time.
                tracing::warn!(%error, "a client of the control socket could not be let in");
                tokio::time::sleep(PROGRESS).await;
            }
        }
    }
}

async fn client(mut stream: UnixStream, mut door: Door) -> io::Result<()> {
    let credentials = stream.peer_cred()?;
    let by = Peer {
        uid: credentials.uid(),
        gid: credentials.gid(),
    };
    let line = timeout(PATIENCE, request(&mut stream)).await??;
    let ask = match ask::read(&line) {
        Ok(ask) => ask,
        Err(answer) => return end(&mut stream, answer).await,
    };
    let (needs, control) = (ask.command.needs(), door.control.borrow().clone());
    let allowed = tokio::task::spawn_blocking(move || peer::allowed(by, needs, &control)).await;
    if let Err(why) =
        allowed.unwrap_or_else(|_panic| Err("the groups cannot be looked up".to_owned()))
    {
        tracing::warn!(uid = by.uid, command = ask.command.name(), "refused");
        return end(&mut stream, Answer::refusal(Outcome::Failed, why)).await;
    }
    let (answer, mut answered) = oneshot::channel();
    let order = Order { ask, by, answer };
    if door.orders.send(order).await.is_err() {
        return end(&mut stream, stopping()).await;
    }
    loop {
        match timeout(PROGRESS, &mut answered).await {
            Ok(answer) => return end(&mut stream, answer.unwrap_or_else(|_gone| stopping())).await,
            Err(_not_yet) => {
                let text = door.activity.borrow_and_update().clone();
                let version = VERSION;
                say(&mut stream, &Tell::Progress { version, text }).await?;
            }
        }
    }
}

fn stopping() -> Answer {
    Answer::refusal(
        Outcome::Failed,
        "the service is stopping; try again when it runs",
    )
}

/// One line, no longer than allowed.
async fn request(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await?;
        let part = piece.get(..read).unwrap_or_default();
        let end = part.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(part.get(..end.unwrap_or(read)).unwrap_or_default());
        if end.is_some() {
            return Ok(line);
        }
        if read == 0 || line.len() > LONGEST {
            let why = "the request has no end, or is too long";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
    }
}

async fn end(stream: &mut UnixStream, answer: Answer) -> io::Result<()> {
    let Answer {
        outcome,
        report,
        error,
        html,
        csv,
        ics,
    } = answer;
    let end = Tell::End {
        version: VERSION,
        outcome,
        report,
        error,
        html,
        csv,
        ics,
    };
    say(stream, &end).await
}

async fn say(stream: &mut UnixStream, what: &Tell) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    // A large report to a slow reader takes its time, but not for ever.
    timeout(6 * PATIENCE, stream.write_all(&line)).await?
}
