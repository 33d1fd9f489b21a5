//! The service as a process: starting, the loop, signals, orders, reloading and stopping.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::control::ask::{Answer, Command, Show};
use super::control::{self, Door, Order};
use super::metrics::Metrics;
use super::notify::Notify;
use super::reports::Reports;
use super::turn::Turn;
use super::{DaemonError, Options, orders, reload, status};
use crate::config::{Control, Secrets, load, rehearsed_time};
use crate::engine::{Clock, EngineError, Session, View};
use crate::model::Outcome;
use crate::report::status::{Service, Status};
use crate::report::{Look, Paint, safe, text};
use crate::store::StoreError;

/// The time that a change in hand has to end after the order to stop.
const GRACE: Duration = Duration::from_secs(8);
/// After trouble with the state, the next look.
const BREATH: Duration = Duration::from_secs(2);

/// Signals that the service obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

/// The service.
pub(super) struct Daemon {
    options: Options,
    turn: Turn,
    reports: Reports,
    notify: Notify,
    signals: Signals,
    orders: mpsc::Receiver<Order>,
    control: watch::Sender<Control>,
    activity: watch::Sender<String>,
    told: Option<&'static AtomicI64>,
    since: Timestamp,
    configured: Timestamp,
    config_error: Option<String>,
    metrics_at: Option<String>,
    stop: CancellationToken,
}

impl Daemon {
    /// Opens everything, and says that it is ready.
    pub(super) async fn start(options: Options) -> Result<Self, DaemonError> {
        let signal = |kind| signal(kind).map_err(DaemonError::system("signals cannot be taken"));
        let signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        };
        let stop = CancellationToken::new();
        let told = options.clock.as_deref().map(rehearse);
        let mut session = Session::open(options.config.clone())?;
        if let Some(told) = told {
            session.clock = Clock::Told(told);
        }
        for note in session.state.notes() {
            tracing::info!("{note}");
        }
        let metrics = Metrics::new();
        let metrics_at = match options.config.metrics {
            None => None,
            Some(address) => {
                let served = metrics.serve(address, stop.clone()).await;
                let what = format!("metrics cannot be served at {address}");
                let at = served.map_err(DaemonError::system(what))?;
                Some(format!("http://{at}/metrics"))
            }
        };
        let (order, orders) = mpsc::channel(16);
        let (control, control_now) = watch::channel(options.config.control.clone());
        let (activity, activity_now) = watch::channel("starting".to_owned());
        let listener = control::open(&options.config.control).map_err(|error| {
            let path = options.config.control.path.display();
            DaemonError::system(format!("the control socket {path} cannot be opened"))(error)
        })?;
        let door = Door {
            orders: order,
            control: control_now,
            activity: activity_now,
        };
        tokio::spawn(control::serve(listener, door));
        let since = session.clock.now();
        let mut reports = Reports::new(options.voice, stop.clone());
        reports.configure(&session)?;
        let turn = Turn::new(session, stop.clone(), metrics)?;
        let mut daemon = Self {
            options,
            turn,
            reports,
            notify: Notify::new(),
            signals,
            orders,
            control,
            activity,
            told,
            since,
            configured: since,
            config_error: None,
            metrics_at,
            stop,
        };
        daemon.measure();
        let line = daemon.line();
        daemon.notify.ready(&line);
        tracing::info!(version = status::PROGRAM, "ready");
        Ok(daemon)
    }

    /// Turns the loop until it is told to stop.
    pub(super) async fn serve(&mut self) -> Result<(), DaemonError> {
        let mut again = true;
        while again {
            self.move_clock();
            let pause = match self.turn.look() {
                Ok(pause) => pause,
                Err(error) => self.survive(error)?,
            };
            let pause = pause.min(self.reports.look(&self.turn.session));
            let pause = self.notify.watchdog().map_or(pause, |most| pause.min(most));
            let line = self.line();
            self.notify.turned(&line);
            self.activity.send_replace(line);
            again = self.wait(pause).await?;
        }
        self.end().await
    }

    /// Waits for whatever comes first. `false` to stop.
    async fn wait(&mut self, pause: Duration) -> Result<bool, DaemonError> {
        tokio::select! {
            biased;
            _ = self.signals.terminate.recv() => return Ok(false),
            _ = self.signals.interrupt.recv() => return Ok(false),
            _ = self.signals.hang_up.recv() => {
                self.reload();
            }
            Some(event) = self.turn.events.recv() => {
                if let Err(error) = self.turn.take_in(event) {
                    self.survive(error)?;
                }
                self.measure();
            }
            Some(made) = self.reports.made.recv() => {
                self.reports.done(&self.turn.session, made);
                self.measure();
            }
            Some(order) = self.orders.recv() => self.obey(order),
            () = sleep(pause) => {}
        }
        Ok(true)
    }

    /// Stops: nothing more is begun, and what is in hand may end.
    async fn end(&mut self) -> Result<(), DaemonError> {
        tracing::info!("stopping");
        self.notify.stopping();
        self.stop.cancel();
        self.orders.close();
        let until = Instant::now() + GRACE;
        while !self.turn.work.is_idle() {
            match timeout_at(until, self.turn.events.recv()).await {
                Ok(Some(event)) => self.turn.take_in(event)?,
                Ok(None) => break,
                Err(_over) => {
                    tracing::warn!(
                        "a call did not end in time; the next start looks what became of it"
                    );
                    break;
                }
            }
        }
        let path = &self.turn.session.config.control.path;
        // The next start removes what is left.
        std::fs::remove_file(path).ok();
        tracing::info!("stopped");
        Ok(())
    }

    /// Trouble with the state: a full disk passes; a state that cannot be trusted any more ends the service.
    fn survive(&mut self, error: EngineError) -> Result<Duration, DaemonError> {
        let fatal = matches!(
            error,
            EngineError::Store(StoreError::Stopped { .. } | StoreError::Damaged { .. })
        );
        if fatal {
            return Err(error.into());
        }
        tracing::error!(%error, "tried again in a moment");
        Ok(BREATH)
    }

    fn move_clock(&self) {
        if let (Some(told), Some(path)) = (self.told, &self.options.clock)
            && let Some(now) = rehearsed_time(path)
        {
            told.store(now.as_second(), Ordering::Relaxed);
        }
    }

    /// Carries out an order, or has it carried out elsewhere if it takes time.
    fn obey(&mut self, order: Order) {
        let Order { ask, by, answer } = order;
        let show = ask.show;
        if ask.command.needs() == control::ask::Right::Operate {
            tracing::info!(target: "provost::audit", uid = by.uid, command = ask.command.name(), "ordered");
        }
        let said = match ask.command {
            Command::Status {} => self.status(show),
            Command::Reload {} => self.reload(),
            Command::LogLevel { level } => match self.options.voice.log_level(&level) {
                Ok(()) => Answer::report(Outcome::Applied, format!("Logging from {level} on.")),
                Err(why) => Answer::refusal(Outcome::Failed, why),
            },
            Command::Sync {
                targets,
                live,
                approve,
            } => match self.sync(&targets, live, approve) {
                Ok(report) => {
                    let voice = self.options.voice;
                    let config = Arc::clone(&self.turn.session.config);
                    tokio::spawn(async move {
                        if let Ok(report) = report.await {
                            answer.send(voice.run(&report, &config, show)).ok();
                        }
                    });
                    return;
                }
                Err(error) => Answer::refusal(error.outcome(), error),
            },
            command @ (Command::GiveOverride { .. }
            | Command::RevokeOverride { .. }
            | Command::ListOverrides { .. }
            | Command::Freeze { .. }
            | Command::Thaw { .. }
            | Command::Freezes {}) => self.order(&command, by),
            command @ (Command::Plan { .. }
            | Command::Explain { .. }
            | Command::Windows { .. }
            | Command::Release { .. }
            | Command::AcceptSource { .. }) => {
                let (voice, session) = (self.options.voice, self.turn.session.clone());
                tokio::task::spawn_blocking(move || {
                    answer
                        .send(voice.carry_out(&session, &command, by, show))
                        .ok();
                });
                return;
            }
        };
        answer.send(said).ok();
    }

    /// An order about people or about everything: obeyed at once, not at the next sync. The answer is the value itself.
    fn order(&mut self, command: &Command, by: control::Peer) -> Answer {
        let session = self.turn.session.clone();
        let done =
            tokio::task::block_in_place(|| orders::carry_out(&session, command, &by.to_string()));
        match done {
            Ok(report) => {
                if command.needs() == control::ask::Right::Operate {
                    // What was to be written before the order is judged again after it.
                    let names: Vec<String> = self.turn.known.keys().cloned().collect();
                    for name in &names {
                        self.turn.work.set_aside(name);
                    }
                    if let Err(error) = self.turn.hurry(&names) {
                        return Answer::refusal(error.outcome(), error);
                    }
                }
                Answer::report(Outcome::Applied, report)
            }
            Err(error) => Answer::refusal(error.outcome(), error),
        }
    }

    fn sync(
        &mut self,
        targets: &[String],
        live: bool,
        approve: Option<String>,
    ) -> Result<oneshot::Receiver<crate::engine::RunReport>, EngineError> {
        let targets = self.turn.session.select(targets)?;
        let names: Vec<String> = targets.into_iter().map(|spec| spec.name).collect();
        let view = if live { View::Reconcile } else { View::Sync };
        let (waiting, report) = oneshot::channel();
        self.turn.ask(&names, view, approve, waiting)?;
        Ok(report)
    }

    fn service(&self) -> Service {
        Service {
            since: self.since,
            configured: self.configured,
            config_error: self.config_error.clone(),
            metrics: self.metrics_at.clone(),
            idle: self.turn.work.is_idle(),
        }
    }

    fn stands(&self, in_full: bool) -> Result<Status, EngineError> {
        let mut status = status::live(&self.turn, self.service(), in_full)?;
        self.reports.tell(&mut status.reports, status.now);
        Ok(status)
    }

    fn status(&self, show: Show) -> Answer {
        let gathered = tokio::task::block_in_place(|| self.stands(true));
        match gathered {
            Ok(status) if show.json => Answer::report(status.outcome(), status.json()),
            Ok(status) => Answer::report(status.outcome(), text::status(&status, look(show))),
            Err(error) => Answer::refusal(error.outcome(), error),
        }
    }

    /// Reads the configuration again, and puts it in force if it is sound.
    fn reload(&mut self) -> Answer {
        self.notify.reloading();
        let answer = match self.try_reload() {
            Ok(changes) => {
                self.config_error = None;
                self.configured = self.turn.session.clock.now();
                for change in &changes {
                    tracing::info!(change, "the configuration changed");
                }
                let text = if changes.is_empty() {
                    "Nothing changed.".to_owned()
                } else {
                    format!("In force now:\n  {}", changes.join("\n  "))
                };
                Answer::report(Outcome::Applied, text)
            }
            Err(why) => {
                for line in why.lines() {
                    tracing::error!(line = %safe::text(line), "the configuration is not reloaded; the one before stays in force");
                }
                self.config_error = Some(why.clone());
                let error = format!("{why}\nprovost: the configuration before stays in force");
                Answer {
                    error,
                    ..Answer::report(Outcome::ConfigInvalid, String::new())
                }
            }
        };
        self.measure();
        let line = self.line();
        self.notify.ready(&line);
        answer
    }

    fn try_reload(&mut self) -> Result<Vec<String>, String> {
        let path = &self.options.path;
        let loaded = tokio::task::block_in_place(|| load(path, Secrets::Load));
        let loaded = loaded.map_err(|problems| problems.lines().join("\n"))?;
        for line in loaded.warnings.lines() {
            tracing::info!("{line}");
        }
        let before = Arc::clone(&self.turn.session.config);
        let changes = reload::changes(&before, &loaded.config);
        let mut config = loaded.config;
        for target in &mut config.targets {
            if let Some(before) = before.target(&target.name) {
                target.connector.count_on(&before.connector);
            }
        }
        let session = self.turn.session.with_config(config);
        self.turn.session = session.map_err(|error| error.to_string())?;
        self.control
            .send_replace(self.turn.session.config.control.clone());
        self.turn.configure().map_err(|error| error.to_string())?;
        let reports = self.reports.configure(&self.turn.session);
        reports.map_err(|error| error.to_string())?;
        if !self
            .turn
            .session
            .config
            .prints
            .changed(&before.prints)
            .is_empty()
        {
            self.turn.try_now();
        }
        if !changes.is_empty() {
            // Everybody is judged anew, on the stored read: a window that was moved is obeyed now, not at the next sync.
            let names: Vec<String> = self.turn.known.keys().cloned().collect();
            self.turn.hurry(&names).map_err(|error| error.to_string())?;
        }
        Ok(changes)
    }

    /// Brings the figures up to date.
    fn measure(&self) {
        match tokio::task::block_in_place(|| self.stands(false)) {
            Ok(status) => self.turn.metrics.stands(&status),
            Err(error) => tracing::warn!(%error, "the figures are not up to date"),
        }
    }

    /// Where everything stands, in one line for systemd and for those who wait.
    fn line(&self) -> String {
        if self.config_error.is_some() {
            return "the configuration file has errors; the one before stays in force".to_owned();
        }
        let mut parts = Vec::new();
        let running: Vec<&str> = self
            .turn
            .known
            .keys()
            .filter(|name| self.turn.work.running(name).is_some())
            .map(String::as_str)
            .collect();
        if !running.is_empty() {
            parts.push(format!("working on {}", running.join(", ")));
        } else if !self.turn.work.is_idle() {
            parts.push("reading a directory".to_owned());
        }
        let worst = self
            .turn
            .known
            .iter()
            .filter_map(|(name, one)| {
                one.last
                    .as_ref()
                    .map(|(at, outcome, _)| (*outcome, *at, name))
            })
            .max();
        if let Some((outcome, at, name)) = worst {
            parts.push(format!("{name}: {outcome} at {at}"));
        }
        if parts.is_empty() {
            parts.push("nothing was run yet".to_owned());
        }
        safe::text(&parts.join("; "))
    }
}

/// A clock that somebody else moves. It lives as long as the process.
fn rehearse(path: &Path) -> &'static AtomicI64 {
    let now = rehearsed_time(path).unwrap_or_else(|| Clock::System.now());
    tracing::warn!("REHEARSAL: the time is taken from {}", path.display());
    Box::leak(Box::new(AtomicI64::new(now.as_second())))
}

/// How a report looks to whoever asked.
#[must_use]
pub(super) fn look(show: Show) -> Look {
    Look {
        width: usize::from(show.width).clamp(40, 160),
        paint: if show.colour {
            Paint::Ansi
        } else {
            Paint::Plain
        },
        changes_per_action: show.quiet.then_some(0),
    }
}
