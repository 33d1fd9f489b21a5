//! The other end of the socket: a command that asks the running service. Blocks, as commands do.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::ask::{Answer, Ask, Command, Show, Tell, VERSION};

/// A connection to a running service.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
}

/// Connects to the service at a socket; `None` if none runs there.
///
/// # Errors
/// When there is a socket that may not be used.
pub fn connect(path: &Path) -> io::Result<Option<Connection>> {
    match UnixStream::connect(path) {
        Ok(stream) => Ok(Some(Connection { stream })),
        Err(error) => {
            let none = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
            if none.contains(&error.kind()) {
                Ok(None)
            } else {
                Err(error)
            }
        }
    }
}

impl Connection {
    /// Asks, and waits for the end.
    ///
    /// # Errors
    /// When the service ends before it has answered, or answers in a way that this program does not know.
    pub fn ask(
        mut self,
        command: Command,
        show: Show,
        progress: &mut dyn FnMut(&str),
    ) -> io::Result<Answer> {
        let ask = Ask {
            version: VERSION,
            command,
            show,
        };
        let mut line = serde_json::to_vec(&ask)?;
        line.push(b'\n');
        self.stream.write_all(&line)?;
        for line in BufReader::new(self.stream).lines() {
            match serde_json::from_str(&line?)? {
                Tell::Progress { text, .. } => progress(&text),
                Tell::End {
                    outcome,
                    report,
                    error,
                    html,
                    csv,
                    ics,
                    ..
                } => {
                    return Ok(Answer {
                        outcome,
                        report,
                        error,
                        html,
                        csv,
                        ics,
                    });
                }
            }
        }
        let why = "the service ended before it had answered; look at its log";
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, why))
    }
}
