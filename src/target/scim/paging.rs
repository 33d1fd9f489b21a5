//! Telling whether a list was read to its end, from a server that may count wrongly, cap pages or repeat itself. Pure.
//!
//! The end is an empty page (or the last cursor). `totalResults` alone proves nothing; where it is consistent it must be met.

use std::collections::HashSet;

use crate::target::ConnectorError;

/// More pages than any list has.
const MAX_PAGES: usize = 100_000;

/// What one page said.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The ids on it, in order.
    pub ids: Vec<String>,
    /// `totalResults`, if it was there.
    pub total: Option<u64>,
    /// `nextCursor` (RFC 9865), if it was there.
    pub cursor: Option<String>,
}

/// What follows from a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// There may be more.
    More,
    /// Everything was read.
    End,
    /// The server ignored where to start and gave everything again: everything was read, and this page is no news.
    Repeated,
    /// The same after a first page that was exactly full: the rest may be hidden. Ask for a smaller page and see
    /// [`Paging::confirms`].
    Doubtful,
    /// Accounts came or went meanwhile: read again from the start.
    Changed,
}

/// The state of reading one list.
#[derive(Debug)]
pub struct Paging {
    what: &'static str,
    by_cursor: bool,
    asked: usize,
    seen: HashSet<String>,
    first: Vec<String>,
    total: Option<u64>,
    total_moved: bool,
    // It reports the size of the page as the total.
    total_is_page: bool,
    cursors: HashSet<String>,
    pages: usize,
}

impl Paging {
    /// Starts reading a list with so many entries asked for per page.
    #[must_use]
    pub fn new(what: &'static str, by_cursor: bool, asked: usize) -> Self {
        Self {
            what,
            by_cursor,
            asked,
            seen: HashSet::new(),
            first: Vec::new(),
            total: None,
            total_moved: false,
            total_is_page: false,
            cursors: HashSet::new(),
            pages: 0,
        }
    }

    /// How many entries were collected so far.
    #[must_use]
    pub fn collected(&self) -> usize {
        self.seen.len()
    }

    /// Whether as many were collected as the server announced.
    #[must_use]
    pub fn meets_total(&self) -> bool {
        !self.total_moved && self.total == u64::try_from(self.seen.len()).ok()
    }

    /// Whether a smaller page, asked for in doubt, shows that the announced number is that of the whole list.
    ///
    /// # Errors
    /// [`ConnectorError::Protocol`] if it does not.
    pub fn confirms(&self, smaller: &Page) -> Result<(), ConnectorError> {
        let honest = smaller.total == self.total && smaller.ids.len() < self.first.len();
        if honest {
            return Ok(());
        }
        self.broken("repeats its first page (if it is complete, set another page-size)")
    }

    /// Judges the next page.
    ///
    /// # Errors
    /// [`ConnectorError::Protocol`] if entries repeat, the list ends short of the announced number, or never ends.
    pub fn accept(&mut self, page: &Page) -> Result<Next, ConnectorError> {
        self.pages += 1;
        if self.pages > MAX_PAGES {
            return self.broken("does not end");
        }
        if page.ids.is_empty() && !self.by_cursor {
            return self.end();
        }
        if self.pages > 1 && page.ids == self.first && !self.first.is_empty() {
            // A start beyond the end is taken for the start by some, and servers without paging repeat the one page they have.
            if self.by_cursor || !self.meets_total() {
                return self.broken("repeats its first page");
            }
            let proven = self.pages > 2 || self.first.len() != self.asked;
            return Ok(if proven {
                Next::Repeated
            } else {
                Next::Doubtful
            });
        }
        for id in &page.ids {
            if !self.seen.insert(id.clone()) {
                return self.broken("has the same id twice");
            }
        }
        if self.pages == 1 {
            self.first.clone_from(&page.ids);
        }
        self.note_total(page);
        if self.by_cursor {
            return match &page.cursor {
                None => self.end(),
                Some(cursor) if cursor.is_empty() => self.end(),
                Some(cursor) if self.cursors.insert(cursor.clone()) => Ok(Next::More),
                Some(_) => self.broken("gives the same cursor again"),
            };
        }
        Ok(Next::More)
    }

    fn note_total(&mut self, page: &Page) {
        let Some(total) = page.total else { return };
        let size = u64::try_from(page.ids.len()).unwrap_or(u64::MAX);
        let collected = u64::try_from(self.seen.len()).unwrap_or(u64::MAX);
        if total < collected && total == size {
            self.total_is_page = true;
        }
        if self.total.is_some_and(|before| before != total) {
            self.total_moved = true;
        }
        self.total = Some(total);
    }

    fn end(&self) -> Result<Next, ConnectorError> {
        let Some(total) = self.total else {
            return Ok(Next::End);
        };
        if self.total_is_page || self.meets_total() {
            return Ok(Next::End);
        }
        if self.total_moved {
            return Ok(Next::Changed);
        }
        let collected = self.seen.len();
        self.broken(&format!("announced {total} entries and gave {collected}"))
    }

    fn broken<T>(&self, how: &str) -> Result<T, ConnectorError> {
        Err(ConnectorError::Protocol(format!(
            "the list of {} {how}; it cannot be read to its end",
            self.what
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(ids: &[&str], total: u64) -> Page {
        Page {
            ids: ids.iter().map(ToString::to_string).collect(),
            total: Some(total),
            cursor: None,
        }
    }

    // Feeds pages until something other than More comes; `None` is an error.
    fn read(asked: usize, pages: &[Page]) -> Option<Next> {
        let mut paging = Paging::new("Users", false, asked);
        for page in pages {
            match paging.accept(page) {
                Ok(Next::More) => {}
                Ok(next) => return Some(next),
                Err(_) => return None,
            }
        }
        Some(Next::More)
    }

    #[test]
    fn the_end_of_a_list_must_be_proven() {
        let none = page(&[], 3);
        let a = page(&["1", "2"], 3);
        let b = page(&["3"], 3);
        // Honest, also with a silent cap.
        assert_eq!(
            read(2, &[a.clone(), b.clone(), none.clone()]),
            Some(Next::End)
        );
        assert_eq!(
            read(500, &[a.clone(), b.clone(), none.clone()]),
            Some(Next::End)
        );
        assert_eq!(read(2, &[page(&[], 0)]), Some(Next::End));
        // Meeting the total is no end by itself.
        assert_eq!(read(2, &[a.clone(), b.clone()]), Some(Next::More));
        // Short.
        assert_eq!(read(2, &[a.clone(), none]), None);
        // totalResults is the size of the page.
        let lies = [page(&["1", "2"], 2), page(&["3"], 1), page(&[], 0)];
        assert_eq!(read(2, &lies), Some(Next::End));
        // startIndex is ignored: everything at once, or the same full page for ever.
        let all = page(&["1", "2", "3"], 3);
        assert_eq!(read(500, &[all.clone(), all.clone()]), Some(Next::Repeated));
        assert_eq!(read(3, &[all.clone(), all]), Some(Next::Doubtful));
        // The start is repeated behind the end, after pages that moved.
        let pages = [a.clone(), b, a.clone()];
        assert_eq!(read(2, &pages), Some(Next::Repeated));
        assert_eq!(read(2, &[a.clone(), a.clone()]), None);
        // An entry twice.
        assert_eq!(read(2, &[a.clone(), page(&["2"], 3)]), None);
        // Somebody left meanwhile.
        assert_eq!(
            read(2, &[a, page(&["3"], 4), page(&[], 4)]),
            Some(Next::Changed)
        );
    }

    #[test]
    fn a_smaller_page_tells_a_total_from_a_page_size() {
        let full = page(&["1", "2"], 2);
        for (smaller, honest) in [
            (page(&["1"], 2), true),
            (page(&["1"], 1), false),
            (full.clone(), false),
        ] {
            let mut paging = Paging::new("Users", false, 2);
            assert_eq!(paging.accept(&full), Ok(Next::More));
            assert_eq!(paging.accept(&full), Ok(Next::Doubtful));
            assert_eq!(paging.confirms(&smaller).is_ok(), honest);
        }
    }

    #[test]
    fn cursors_end_and_never_loop() {
        let with = |ids: &[&str], cursor: Option<&str>| Page {
            cursor: cursor.map(str::to_owned),
            ..page(ids, 3)
        };
        let mut paging = Paging::new("Users", true, 2);
        assert_eq!(
            paging.accept(&with(&["1", "2"], Some("x"))).unwrap(),
            Next::More
        );
        assert_eq!(paging.accept(&with(&["3"], None)).unwrap(), Next::End);

        let mut paging = Paging::new("Users", true, 2);
        assert!(paging.accept(&with(&["1"], Some("x"))).is_ok());
        assert!(paging.accept(&with(&["2"], Some("x"))).is_err());

        let mut paging = Paging::new("Users", true, 2);
        assert!(paging.accept(&with(&["1"], None)).is_err());
    }
}
