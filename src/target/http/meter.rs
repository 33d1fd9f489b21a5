//! How an application answers: how long requests take by how they end, and how long we waited before asking.
//!
//! Counts only: nothing here knows a URL, a person or a secret. Whoever looks at the counts reads them from a copy of the
//! meter, which shares them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use http::header::HeaderMap;

use super::Answer;
use super::fault::Fault;

/// Upper bounds of the buckets, in seconds.
pub const BOUNDS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A status of 2xx.
    Success,
    /// A status of 3xx, which is never followed.
    Redirect,
    /// A status of 4xx other than 429: the application refused.
    Refused,
    /// 429, or 503 with a time to wait: the application asked to slow down.
    Throttled,
    /// Another status of 5xx.
    Failed,
    /// No connection: nothing was sent.
    Unreached,
    /// No complete answer before the deadline.
    Timeout,
    /// The answer broke off, or was too large.
    Broken,
}

impl Class {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Success,
        Self::Redirect,
        Self::Refused,
        Self::Throttled,
        Self::Failed,
        Self::Unreached,
        Self::Timeout,
        Self::Broken,
    ];

    /// As figures spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Redirect => "redirect",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
            Self::Unreached => "unreached",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
        }
    }
}

/// How often requests of one class took how long.
#[derive(Debug, Default)]
struct Times {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

#[derive(Debug, Default)]
struct Counts {
    times: [Times; Class::ALL.len()],
    waits: AtomicU64,
    waited: AtomicU64,
}

/// The counts of one target. Copies share them.
#[derive(Clone, Default)]
pub struct Meter(Arc<Counts>);

// What was counted is no property of the settings that a meter stands in.
impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

/// What was counted of one class.
#[derive(Clone, PartialEq, Debug)]
pub struct Counted {
    /// How they ended.
    pub class: Class,
    /// How many.
    pub count: u64,
    /// How long all of them took together, in seconds.
    pub seconds: f64,
    /// How many took so long at the most and longer than the bound before; the last bound is infinite.
    pub buckets: Vec<(f64, u64)>,
}

impl Meter {
    /// A request ended.
    pub fn ended(&self, class: Class, took: Duration) {
        let Some(times) = self.0.times.get(class as usize) else {
            return;
        };
        let seconds = took.as_secs_f64();
        let at = BOUNDS.iter().position(|bound| seconds <= *bound);
        if let Some(bucket) = times.buckets.get(at.unwrap_or(BOUNDS.len())) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        times.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// A request waited before it was sent, for our own limits or because the application had asked for it.
    pub fn waited(&self, long: Duration) {
        self.0.waits.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(long.as_micros()).unwrap_or(u64::MAX);
        self.0.waited.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted, class by class.
    #[must_use]
    pub fn counted(&self) -> Vec<Counted> {
        let bounds = || BOUNDS.iter().copied().chain([f64::INFINITY]);
        Class::ALL
            .iter()
            .zip(&self.0.times)
            .map(|(class, times)| {
                let buckets: Vec<(f64, u64)> = bounds()
                    .zip(&times.buckets)
                    .map(|(bound, count)| (bound, count.load(Ordering::Relaxed)))
                    .collect();
                Counted {
                    class: *class,
                    count: buckets.iter().map(|(_, count)| count).sum(),
                    seconds: Duration::from_micros(times.micros.load(Ordering::Relaxed))
                        .as_secs_f64(),
                    buckets,
                }
            })
            .collect()
    }

    /// How often requests waited, and for how many seconds together.
    #[must_use]
    pub fn waits(&self) -> (u64, f64) {
        let waited = Duration::from_micros(self.0.waited.load(Ordering::Relaxed));
        (self.0.waits.load(Ordering::Relaxed), waited.as_secs_f64())
    }
}

/// How an attempt ended, for the figures.
pub(super) fn class(attempt: &Result<(Answer, HeaderMap), Fault>) -> Class {
    match attempt {
        Ok((answer, _)) if is_later(answer.status, &answer.headers) => Class::Throttled,
        Ok((answer, _)) if answer.status.is_success() => Class::Success,
        Ok((answer, _)) if answer.status.is_client_error() => Class::Refused,
        Ok((answer, _)) if answer.status.is_server_error() => Class::Failed,
        Ok(_) => Class::Redirect,
        Err(Fault::Connect(_)) => Class::Unreached,
        Err(Fault::Timeout) => Class::Timeout,
        Err(Fault::Broken(_) | Fault::TooLarge(_)) => Class::Broken,
    }
}

/// Whether the application asks to come back later: 429, or 503 with a time.
pub(super) fn is_later(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::SERVICE_UNAVAILABLE && headers.contains_key("retry-after"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_what_was_counted() {
        let meter = Meter::default();
        let other = meter.clone();
        for millis in [1, 25, 26, 60_000] {
            other.ended(Class::Success, Duration::from_millis(millis));
        }
        other.ended(Class::Throttled, Duration::from_millis(1));
        other.waited(Duration::from_millis(1500));
        let counted = meter.counted();
        let of = |class| counted.iter().find(|one| one.class == class).unwrap();
        let success = of(Class::Success);
        assert_eq!(success.count, 4);
        assert!((success.seconds - 60.052).abs() < 1e-6, "{success:?}");
        let filled: Vec<u64> = success.buckets.iter().map(|(_, n)| *n).collect();
        assert_eq!(filled, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(of(Class::Throttled).count, 1);
        assert_eq!(of(Class::Failed).count, 0);
        assert_eq!(meter.waits(), (1, 1.5));
    }
}
