//! Work on an application's side: so much at a time as it stands, each piece on whichever core is free.

use std::panic::resume_unwind;

use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::target::as_part_of_this;

/// Pieces of work under way.
pub(super) struct Abreast<T> {
    most: usize,
    under_way: JoinSet<T>,
}

impl<T: Send + 'static> Abreast<T> {
    /// Nothing yet; later at most so many pieces at a time, but at least one.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            under_way: JoinSet::new(),
        }
    }

    /// Whether another piece may begin.
    pub(super) fn has_room(&self) -> bool {
        self.under_way.len() < self.most
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Begins a piece, as part of whatever this is part of. The caller saw that there is room.
    pub(super) fn begin(&mut self, work: impl Future<Output = T> + Send + 'static) {
        let work = as_part_of_this(work).instrument(tracing::Span::current());
        self.under_way.spawn(work);
    }

    /// What the next piece to end came to; `None` if nothing is under way. May be dropped while it waits.
    pub(super) async fn ended(&mut self) -> Option<T> {
        match self.under_way.join_next().await? {
            Ok(result) => Some(result),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Only when the whole program ends.
                Err(_cancelled) => None,
            },
        }
    }

    /// Carries out all pieces of a list.
    pub(super) async fn all<W>(most: usize, works: impl IntoIterator<Item = W>) -> Vec<T>
    where
        W: Future<Output = T> + Send + 'static,
    {
        let mut abreast = Self::new(most);
        let mut works = works.into_iter();
        let mut results = Vec::new();
        loop {
            while abreast.has_room()
                && let Some(work) = works.next()
            {
                abreast.begin(work);
            }
            match abreast.ended().await {
                Some(result) => results.push(result),
                None => return results,
            }
        }
    }
}
