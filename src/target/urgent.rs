//! What work knows about itself when it sends requests: whether it may use the part of a budget that is kept for taking
//! access away, and whether it was set aside for something more urgent.
//!
//! An application that allows 1,000 requests an hour must not answer "too many" at six because titles were changed at five.

use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static URGENT: ();
    static STOP: CancellationToken;
}

/// Does work whose requests may use the reserved part of every budget: taking access away, and what an edge calls for.
pub async fn urgently<T>(work: impl Future<Output = T>) -> T {
    URGENT.scope((), work).await
}

/// Does work whose requests no longer wait for their turn once it is set aside. What was sent is waited for.
pub async fn until_set_aside<T>(stop: CancellationToken, work: impl Future<Output = T>) -> T {
    STOP.scope(stop, work).await
}

/// Work that another task is given, as part of whatever this is part of.
pub fn as_part_of_this<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let (urgent, stop) = (is_urgent(), STOP.try_with(Clone::clone));
    async move {
        match (urgent, stop) {
            (true, Ok(stop)) => urgently(until_set_aside(stop, work)).await,
            (true, Err(_)) => urgently(work).await,
            (false, Ok(stop)) => until_set_aside(stop, work).await,
            (false, Err(_)) => work.await,
        }
    }
}

/// Whether this is part of urgent work.
pub(super) fn is_urgent() -> bool {
    URGENT.try_with(|()| ()).is_ok()
}

/// Waits, unless the work that this is part of is or gets set aside: then `None`.
pub(super) async fn or_set_aside<T>(waiting: impl Future<Output = T>) -> Option<T> {
    match STOP.try_with(Clone::clone) {
        Ok(stop) => stop.run_until_cancelled(waiting).await,
        Err(_) => Some(waiting.await),
    }
}
