//! How fast a target is spoken to: our own rate limit, and the pause that the application asked for, shared by every request.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::spent::Spent;
use crate::target::ConnectorError;
use crate::target::urgent::{is_urgent, or_set_aside};

/// The longest pause that is believed.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest pause that a request waits for by itself; beyond it the caller is told.
const WAITED: Duration = Duration::from_secs(60);

/// One part in so many of each budget is for taking access away, and for what an edge of a window calls for.
const RESERVED: usize = 5;

/// Rate limit and shared pause of one target.
#[derive(Debug)]
pub struct Pace {
    limiter: Option<DefaultDirectRateLimiter>,
    /// So many requests in any stretch of time of this length.
    budgets: Vec<(Duration, usize)>,
    spent: Spent,
    until: Mutex<Option<Instant>>,
    streak: AtomicU32,
}

impl Pace {
    /// At most so many requests a second, or no limit of ours; and at most so many in each longer time, counting those that
    /// were sent before.
    #[must_use]
    pub fn new(
        requests_per_second: Option<u32>,
        budgets: &[(Duration, u64)],
        spent: Spent,
    ) -> Self {
        let limiter = requests_per_second.and_then(NonZeroU32::new).map(|rate| {
            // A burst of a tenth: a full second's burst plus its refill would be twice the rate.
            let burst = NonZeroU32::new(rate.get() / 10).unwrap_or(NonZeroU32::MIN);
            RateLimiter::direct(Quota::per_second(rate).allow_burst(burst))
        });
        let budgets = budgets
            .iter()
            .map(|(window, most)| (*window, usize::try_from(*most).unwrap_or(usize::MAX)));
        Self {
            limiter,
            budgets: budgets.collect(),
            spent,
            until: Mutex::new(None),
            streak: AtomicU32::new(0),
        }
    }

    /// Waits until a request may be sent.
    ///
    /// # Errors
    /// [`ConnectorError::Throttled`] if it takes longer than a request waits for, or the work that it is part of was set
    /// aside meanwhile: nothing was sent.
    pub async fn ready(&self) -> Result<(), ConnectorError> {
        while let Some(left) = self.left().or_else(|| self.spend()) {
            let throttled = ConnectorError::Throttled {
                retry_after: Some(left),
            };
            if left > WAITED {
                return Err(throttled);
            }
            // What was set aside would be sent behind the back of whoever goes first, or froze everything.
            let waiting = or_set_aside(tokio::time::sleep(left));
            waiting.await.ok_or(throttled)?;
        }
        if let Some(limiter) = &self.limiter {
            limiter.until_ready().await;
        }
        Ok(())
    }

    /// The application asked to slow down: everybody pauses. Returns the pause, and whether it is short enough to be waited for.
    /// Without a stated pause it grows from one second with every such answer in a row.
    pub fn throttled(&self, asked: Option<Duration>) -> (Duration, bool) {
        let streak = self.streak.fetch_add(1, Ordering::Relaxed).min(5);
        let pause = asked
            .unwrap_or_else(|| Duration::from_secs(1 << streak))
            .min(LONGEST);
        let until = Instant::now() + pause;
        let mut guard = self
            .until
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if guard.is_none_or(|before| before < until) {
            *guard = Some(until);
        }
        (pause, pause <= WAITED)
    }

    /// An answer came that was not a refusal for speed.
    pub fn flowing(&self) {
        if self.streak.load(Ordering::Relaxed) > 0 {
            self.streak.store(0, Ordering::Relaxed);
        }
    }

    /// Takes one request from every budget, or says how long to wait until all have one. The last part of each is reserved.
    fn spend(&self) -> Option<Duration> {
        let urgent = is_urgent();
        self.spent.spend(&self.budgets, |most| {
            if urgent { most } else { most - most / RESERVED }
        })
    }

    fn left(&self) -> Option<Duration> {
        let mut guard = self
            .until
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let until = (*guard)?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            *guard = None;
            return None;
        }
        Some(left)
    }
}

/// What a Retry-After header (RFC 9110 §10.2.3) asks for: seconds, or a date, taken relative to the answer's own Date so that
/// neither clock needs to be right. Capped at 24 hours; `None` if it makes no sense.
#[must_use]
pub fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let then = http_date(value)?;
    let now = http_date(date?)?;
    let seconds = u64::try_from(then.saturating_sub(now)).unwrap_or(0);
    Some(Duration::from_secs(seconds).min(LONGEST))
}

fn http_date(text: &str) -> Option<i64> {
    // The weekday is left out: it says nothing, and a wrong one is no reason to ignore the rest.
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let zoned = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_seconds_and_as_a_date() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, date, expected) in [
            ("0", None, Some(0)),
            ("120", None, Some(120)),
            (" 7 ", None, Some(7)),
            ("99999999999999999999999", None, Some(86_400)),
            ("172800", None, Some(86_400)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", now, Some(60)),
            ("Sun, 06 Nov 1994 08:40:37 GMT", now, Some(0)),
            ("Sun, 06 Nov 2094 08:40:37 GMT", now, Some(86_400)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", None, None),
            ("-5", None, None),
            ("soon", now, None),
            ("", now, None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(value, date), expected, "{value}");
        }
    }

    #[test]
    fn pauses_grow_and_are_shared() {
        let pace = Pace::new(None, &[], Spent::default());
        assert!(pace.left().is_none());
        assert_eq!(pace.throttled(None), (Duration::from_secs(1), true));
        assert_eq!(pace.throttled(None), (Duration::from_secs(2), true));
        let day = Duration::from_secs(86_400);
        assert_eq!(pace.throttled(Some(day * 9)), (day, false));
        // A shorter pause does not shorten a longer one.
        assert_eq!(
            pace.throttled(Some(Duration::from_secs(1))),
            (Duration::from_secs(1), true)
        );
        assert!(pace.left().is_some_and(|left| left > WAITED));
        pace.flowing();
        assert_eq!(pace.throttled(None).0, Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_fifth_of_a_budget_is_kept_for_taking_access_away() {
        use crate::target::urgently;
        let pace = Pace::new(None, &[(Duration::from_secs(3600), 10)], Spent::default());
        for _ in 0..8 {
            assert_eq!(pace.ready().await, Ok(()));
        }
        assert!(pace.ready().await.is_err());
        for _ in 0..2 {
            assert_eq!(urgently(pace.ready()).await, Ok(()));
        }
        assert!(urgently(pace.ready()).await.is_err());
        // Spent by what is urgent, it is gone for all else too.
        let pace = Pace::new(None, &[(Duration::from_millis(40), 5)], Spent::default());
        for _ in 0..5 {
            assert_eq!(urgently(pace.ready()).await, Ok(()));
        }
        let begin = Instant::now();
        assert_eq!(pace.ready().await, Ok(()));
        assert!(begin.elapsed() >= Duration::from_millis(35));
    }

    #[tokio::test]
    async fn a_budget_is_spent_once() {
        let hour = Duration::from_secs(3600);
        let pace = Pace::new(
            None,
            &[(hour, 2), (Duration::from_secs(60), 100)],
            Spent::default(),
        );
        assert_eq!(pace.ready().await, Ok(()));
        assert_eq!(pace.ready().await, Ok(()));
        for _ in 0..2 {
            let Err(ConnectorError::Throttled { retry_after }) = pace.ready().await else {
                panic!("the hour's budget is spent");
            };
            assert!(retry_after.is_some_and(|left| left > hour - Duration::from_secs(60)));
        }
    }

    #[tokio::test]
    async fn a_budget_outlives_the_connection() {
        let (hour, spent) = (Duration::from_secs(3600), Spent::default());
        let first = Pace::new(None, &[(hour, 3)], spent.clone());
        assert_eq!(first.ready().await, Ok(()));
        assert_eq!(first.ready().await, Ok(()));
        let second = Pace::new(None, &[(hour, 3)], spent.clone());
        assert_eq!(second.ready().await, Ok(()));
        assert!(first.ready().await.is_err() && second.ready().await.is_err());
        // Who has more from now on has spent as much as before.
        let third = Pace::new(None, &[(hour, 4)], spent);
        assert_eq!(third.ready().await, Ok(()));
        assert!(third.ready().await.is_err());
    }

    #[tokio::test]
    async fn what_was_set_aside_waits_for_nothing() {
        use crate::target::until_set_aside;
        use tokio_util::sync::CancellationToken;
        let minute = Duration::from_secs(60);
        let pace = Pace::new(None, &[(minute, 1)], Spent::default());
        assert_eq!(pace.ready().await, Ok(()));
        let stop = CancellationToken::new();
        let waiting = until_set_aside(stop.clone(), pace.ready());
        let (waited, ()) = tokio::join!(waiting, async { stop.cancel() });
        assert!(matches!(waited, Err(ConnectorError::Throttled { .. })));
    }
}
