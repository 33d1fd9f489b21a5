//! What systemd is told: ready, reloading, stopping, one line of status, and that the loop still turns.

use std::time::Duration;

use sd_notify::NotifyState;

/// The way to systemd; without one, nothing is said.
#[derive(Debug)]
pub(super) struct Notify {
    watchdog: Option<Duration>,
    said: String,
}

impl Notify {
    pub(super) fn new() -> Self {
        Self {
            watchdog: sd_notify::watchdog_enabled(),
            said: String::new(),
        }
    }

    /// The longest time between two signs of life, if systemd wants any.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog.map(|limit| limit / 3)
    }

    pub(super) fn ready(&mut self, line: &str) {
        line.clone_into(&mut self.said);
        tell(&[NotifyState::Ready, NotifyState::Status(line)]);
    }

    pub(super) fn reloading(&self) {
        // The time makes it valid for Type=notify-reload as well; if there is none, READY alone still ends the reload.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// A turn of the loop was made: said from the loop itself, so that a loop that is stuck says nothing.
    pub(super) fn turned(&mut self, line: &str) {
        if self.watchdog.is_some() {
            tell(&[NotifyState::Watchdog]);
        }
        if line != self.said {
            line.clone_into(&mut self.said);
            tell(&[NotifyState::Status(line)]);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
