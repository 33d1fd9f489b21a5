//! Which requests may use the part of a budget that is kept for taking access away.
//!
//! An application that allows 1,000 requests an hour must not answer "too many" at six because titles were changed at five.

tokio::task_local! {
    static URGENT: ();
}

/// Does work whose requests may use the reserved part of every budget: taking access away, and what an edge calls for.
pub async fn urgently<T>(work: impl Future<Output = T>) -> T {
    URGENT.scope((), work).await
}

/// Whether this is part of such work.
pub(super) fn is_urgent() -> bool {
    URGENT.try_with(|()| ()).is_ok()
}
