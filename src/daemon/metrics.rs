//! Figures for Prometheus. They count; they decide nothing.
//!
//! Names of people never become labels: labels are names from the configuration and words of our own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;
use super::status::PROGRAM;
use super::work::Cause;
use crate::engine::{ChangeResult, TargetReport};
use crate::model::{Action, Anchor, Change, Outcome, Reason, SuspendReason};
use crate::report::status::Status;

/// What a scraper must be told of the text it gets.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds from a change seen to its suspension confirmed, and from a window's edge to the last account: within a
/// minute is the goal, hours are a failure.
const SECONDS: [f64; 12] = [
    1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0, 14_400.0, 86_400.0,
];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfSource {
    source: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfTarget {
    target: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfChange {
    target: String,
    action: &'static str,
    reason: &'static str,
    result: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfRun {
    target: String,
    cause: &'static str,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfOutcome {
    target: String,
    outcome: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfReport {
    report: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OfRead {
    source: String,
    result: &'static str,
}

/// Seconds of reading a directory: a small one takes less than one, a large one over a slow line minutes.
fn reading() -> Histogram {
    Histogram::new([
        0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
    ])
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

type Timing = Family<OfTarget, Histogram, fn() -> Histogram>;

/// All figures.
#[derive(Clone)]
pub(super) struct Metrics {
    registry: Arc<Registry>,
    source_read: Family<OfSource, Gauge>,
    source_entries: Family<OfSource, Gauge>,
    source_trouble: Family<OfSource, Gauge>,
    changes: Family<OfChange, Counter>,
    runs: Family<OfRun, Counter>,
    last_run: Family<OfTarget, Gauge>,
    last_outcome: Family<OfOutcome, Gauge>,
    managed: Family<OfTarget, Gauge>,
    held: Family<OfTarget, Gauge>,
    quarantined: Family<OfTarget, Gauge>,
    pending: Family<OfTarget, Gauge>,
    oldest: Family<OfTarget, Gauge>,
    latency: Timing,
    lateness: Timing,
    reads: Family<OfRead, Histogram, fn() -> Histogram>,
    vault_verified: Gauge,
    vault_problems: Gauge,
    report_trouble: Family<OfReport, Gauge>,
    config_broken: Gauge,
    frozen: Gauge,
    /// The conversation with applications.
    pub exchange: Exchange,
    /// Since when each suspension is due that is not made.
    seen: Arc<Mutex<HashMap<(String, Anchor), Timestamp>>>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut all = Self {
            registry: Arc::new(Registry::default()),
            source_read: Family::default(),
            source_entries: Family::default(),
            source_trouble: Family::default(),
            changes: Family::default(),
            runs: Family::default(),
            last_run: Family::default(),
            last_outcome: Family::default(),
            managed: Family::default(),
            held: Family::default(),
            quarantined: Family::default(),
            pending: Family::default(),
            oldest: Family::default(),
            latency: Family::new_with_constructor(histogram),
            lateness: Family::new_with_constructor(histogram),
            reads: Family::new_with_constructor(reading),
            vault_verified: Gauge::default(),
            vault_problems: Gauge::default(),
            report_trouble: Family::default(),
            config_broken: Gauge::default(),
            frozen: Gauge::default(),
            exchange: Exchange::default(),
            seen: Arc::default(),
        };
        all.registry = Arc::new(all.registered());
        all
    }

    fn registered(&self) -> Registry {
        let mut of = Registry::with_prefix("provost");
        let version = Info::new(vec![("version", PROGRAM)]);
        of.register("build", "The running program", version);
        self.about_sources(&mut of);
        self.about_targets(&mut of);
        of.register("changes", "Changes by how they ended", self.changes.clone());
        of.register("runs", "Runs of targets", self.runs.clone());
        let help = "From when a suspension was due to when it was confirmed";
        of.register_with_unit(
            "suspension_latency",
            help,
            Unit::Seconds,
            self.latency.clone(),
        );
        let help = "From the moment of an edge to the end of the run that acted on it";
        of.register_with_unit(
            "window_lateness",
            help,
            Unit::Seconds,
            self.lateness.clone(),
        );
        let help = "When every sealed secret was last opened (Unix time); 0 without a vault";
        of.register(
            "vault_verified_timestamp_seconds",
            help,
            self.vault_verified.clone(),
        );
        let help = "What was found damaged then";
        of.register("vault_problems", help, self.vault_problems.clone());
        let help = "1 if the last report could not be made or handed over";
        of.register("report_trouble", help, self.report_trouble.clone());
        of.register_collector(Box::new(self.exchange.clone()));
        let help = "1 while the configuration file has errors and an older one is in force";
        of.register("config_broken", help, self.config_broken.clone());
        let help = "1 while an operator has stopped all writing";
        of.register("frozen", help, self.frozen.clone());
        of
    }

    fn about_sources(&self, of: &mut Registry) {
        let help = "When the source was last read in full (Unix time)";
        of.register(
            "source_complete_read_timestamp_seconds",
            help,
            self.source_read.clone(),
        );
        let help = "Entries of the last complete read";
        of.register("source_entries", help, self.source_entries.clone());
        let help = "From the first connection to the last entry of a read, however it ended";
        of.register_with_unit("source_read", help, Unit::Seconds, self.reads.clone());
        let help = "1 if the last read failed or was not complete";
        of.register("source_trouble", help, self.source_trouble.clone());
    }

    fn about_targets(&self, of: &mut Registry) {
        let help = "When the last run of the target ended (Unix time)";
        of.register(
            "target_last_run_timestamp_seconds",
            help,
            self.last_run.clone(),
        );
        let help = "1 for the outcome of the last run, 0 for the others";
        of.register("target_last_outcome", help, self.last_outcome.clone());
        of.register(
            "target_managed",
            "Accounts under management",
            self.managed.clone(),
        );
        of.register(
            "target_held",
            "People who need somebody to look",
            self.held.clone(),
        );
        let help = "Changes that wait for provost release";
        of.register("target_quarantined", help, self.quarantined.clone());
        let help = "Changes that were allowed and not made";
        of.register("target_pending", help, self.pending.clone());
        let help = "Since when a suspension is due that is not made (Unix time); 0 if none is";
        of.register(
            "target_oldest_suspension_timestamp_seconds",
            help,
            self.oldest.clone(),
        );
    }

    /// Counts a finished read. `result` is "complete", "partial" or "failed".
    pub(super) fn read(&self, source: &str, result: &'static str, took: Duration) {
        let of = OfRead {
            source: source.to_owned(),
            result,
        };
        self.reads.get_or_create(&of).observe(took.as_secs_f64());
    }

    /// Counts a finished run. `due` is the edge that it was made for.
    pub(super) fn ran(
        &self,
        cause: Cause,
        report: &TargetReport,
        due: Option<Timestamp>,
        now: Timestamp,
    ) {
        let target = report.target.clone();
        let outcome = report.outcome.as_str();
        let run = OfRun {
            target: target.clone(),
            cause: cause.as_str(),
            outcome,
        };
        self.runs.get_or_create(&run).inc();
        for one in &report.results {
            let change = OfChange {
                target: target.clone(),
                action: one.change.action.as_str(),
                reason: one.change.reason.as_str(),
                result: if one.is_made() { "done" } else { "failed" },
            };
            self.changes.get_or_create(&change).inc();
        }
        self.acted(report, due, now);
    }

    /// Takes in how late access was taken away and given back.
    pub(super) fn acted(&self, report: &TargetReport, due: Option<Timestamp>, now: Timestamp) {
        let target = report.target.clone();
        let of = OfTarget { target };
        if let Some(due) = due.filter(|_| report.results.iter().any(ChangeResult::is_made)) {
            let late = now.duration_since(due).as_secs_f64().max(0.0);
            self.lateness.get_or_create(&of).observe(late);
        }
        self.suspensions(report, &of, due, now);
    }

    fn suspensions(
        &self,
        report: &TargetReport,
        of: &OfTarget,
        due: Option<Timestamp>,
        now: Timestamp,
    ) {
        let Some(plan) = &report.plan else {
            return;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let suspends = |change: &Change| matches!(change.action, Action::Suspend(_));
        for change in plan.changes.iter().filter(|change| suspends(change)) {
            let by_clock = Reason::Suspended(SuspendReason::AccessWindow);
            let known = if change.reason == by_clock {
                due.unwrap_or(plan.basis.now)
            } else {
                plan.basis.read_at
            };
            let key = (of.target.clone(), change.anchor.clone());
            seen.entry(key).or_insert(known);
        }
        for one in &report.results {
            let key = (of.target.clone(), one.change.anchor.clone());
            if suspends(&one.change)
                && one.is_made()
                && let Some(since) = seen.remove(&key)
            {
                let took = now.duration_since(since).as_secs_f64().max(0.0);
                self.latency.get_or_create(of).observe(took);
            }
        }
        // Whoever need not be suspended any more is not waited for.
        seen.retain(|(target, anchor), _| {
            let still = plan
                .changes
                .iter()
                .any(|change| change.anchor == *anchor && suspends(change));
            *target != of.target || still
        });
    }

    /// Takes over where everything stands.
    pub(super) fn stands(&self, status: &Status) {
        for one in &status.sources {
            let of = OfSource {
                source: one.source.clone(),
            };
            let read = one.complete_read.map_or(0, Timestamp::as_second);
            self.source_read.get_or_create(&of).set(read);
            self.source_entries
                .get_or_create(&of)
                .set(signed(one.entries.unwrap_or(0)));
            self.source_trouble
                .get_or_create(&of)
                .set(i64::from(one.trouble.is_some()));
        }
        for one in &status.targets {
            let of = OfTarget {
                target: one.target.clone(),
            };
            let seconds = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_second);
            self.last_run.get_or_create(&of).set(seconds(one.last_run));
            self.oldest
                .get_or_create(&of)
                .set(seconds(one.oldest_suspension));
            self.managed.get_or_create(&of).set(signed(one.managed));
            self.held.get_or_create(&of).set(signed(one.held));
            self.pending.get_or_create(&of).set(signed(one.pending));
            self.quarantined
                .get_or_create(&of)
                .set(signed(one.waiting_changes));
            for outcome in Outcome::ALL {
                let of = OfOutcome {
                    target: one.target.clone(),
                    outcome: outcome.as_str(),
                };
                let is = i64::from(one.last_outcome == Some(outcome));
                self.last_outcome.get_or_create(&of).set(is);
            }
        }
        for one in &status.reports {
            let of = OfReport {
                report: one.report.clone(),
            };
            let trouble = i64::from(one.error.is_some());
            self.report_trouble.get_or_create(&of).set(trouble);
        }
        if let Some(vault) = &status.vault {
            self.vault_verified.set(vault.verified.as_second());
            self.vault_problems.set(signed(vault.problems.len() as u64));
        }
        let broken = status
            .service
            .as_ref()
            .is_some_and(|one| one.config_error.is_some());
        self.config_broken.set(i64::from(broken));
        self.frozen.set(i64::from(status.freeze.is_some()));
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            // Writing to a String cannot fail; an empty page would look like no targets at all.
            return "# EOF\n".to_owned();
        }
        text
    }

    /// Serves the figures until the service stops. Returns where.
    pub(super) async fn serve(
        &self,
        address: SocketAddr,
        stop: CancellationToken,
    ) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let metrics = self.clone();
        let page = move || async move { ([(CONTENT_TYPE, FORMAT)], metrics.text()) };
        let app = Router::new().route("/metrics", get(page));
        tokio::spawn(async move {
            let serving = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = serving.await {
                tracing::error!(%error, "metrics are served no longer");
            }
        });
        Ok(bound)
    }
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
