//! A list read page by page to its proven end: whole, or an error.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::HttpApp;
use super::answer::Reply;
use super::request::Added;
use crate::target::ConnectorError;
use crate::target::profile::expr::plain;
use crate::target::profile::{Call, Expr, Paging, Scope, Style};

/// What the items of a list are called by, to notice one that comes twice.
pub type Key<'k> = &'k (dyn Fn(&Json) -> Result<String, ConnectorError> + Sync);

/// A list that is being read.
struct Reading<'r> {
    call: &'r Call,
    items: Vec<Json>,
    seen: BTreeSet<String>,
    marks: BTreeSet<String>,
    pages: u64,
    total: Option<u64>,
}

/// Where the next page is.
enum Next {
    End,
    Page(Added),
    Link(String),
}

impl HttpApp {
    /// Every item of a list.
    ///
    /// # Errors
    /// Any; a list without a proven end is an error, never a shorter list.
    pub(super) async fn whole(
        &self,
        call: &Call,
        scope: &Scope,
        key: Key<'_>,
    ) -> Result<Vec<Json>, ConnectorError> {
        let mut reading = Reading {
            call,
            items: Vec::new(),
            seen: BTreeSet::new(),
            marks: BTreeSet::new(),
            pages: 0,
            total: None,
        };
        let mut next = Next::Page(first(&call.paging));
        loop {
            let reply = match &next {
                Next::End => break,
                Next::Page(added) => self.make(call, scope, added).await?,
                Next::Link(link) => self.follow(call, scope, link).await?,
            };
            next = reading.accept(&reply, key)?;
        }
        reading.finish()
    }
}

fn put(paging: &Paging, added: &mut Added, name: &str, value: &Json) {
    if paging.in_body {
        added.body.push((name.to_owned(), value.clone()));
    } else {
        let text = plain(value).unwrap_or_default();
        added.query.push((name.to_owned(), text));
    }
}

fn size(paging: &Paging) -> Added {
    let mut added = Added::default();
    if let (Some(name), Some(size)) = (&paging.size_parameter, paging.size) {
        put(paging, &mut added, name, &Json::from(size));
    }
    added
}

fn first(paging: &Paging) -> Added {
    match paging.style {
        Style::Page | Style::Offset => numbered(paging, paging.first),
        Style::Cursor | Style::Link | Style::None => size(paging),
    }
}

fn numbered(paging: &Paging, number: u64) -> Added {
    let mut added = size(paging);
    if let Some(name) = &paging.parameter {
        put(paging, &mut added, name, &Json::from(number));
    }
    added
}

impl Reading<'_> {
    fn accept(&mut self, reply: &Reply, key: Key<'_>) -> Result<Next, ConnectorError> {
        self.pages += 1;
        let Some(items) = &self.call.items else {
            return Ok(Next::End);
        };
        let found = items.json(&reply.scope).map_err(|why| self.error(&why))?;
        let page = match found {
            Some(Json::Array(items)) => items,
            // XML shows a list of one as the one.
            Some(one @ Json::Object(_)) => vec![one],
            Some(Json::Null) => Vec::new(),
            Some(Json::String(text)) if text.trim().is_empty() => Vec::new(),
            None if self.may_lack_items() => Vec::new(),
            None | Some(_) => return Err(self.error("the answer has no list where one should be")),
        };
        let number = page.len();
        let mut fresh = 0;
        let alone = self.call.paging.style == Style::None;
        for item in page {
            if self.seen.insert(key(&item)?) {
                fresh += 1;
                self.items.push(item);
            } else if alone && self.items.contains(&item) {
                // Some applications keep a member twice who was added twice; in one answer that says nothing about the end.
                fresh += 1;
            }
        }
        if fresh < number && alone {
            return Err(self.error("an item comes twice"));
        }
        if number > 0 && fresh == 0 {
            return Err(self.error("a page repeats, so there is no end"));
        }
        if fresh < number {
            return Err(self.error(
                "an item comes twice: the list changed while it was read, or its pages overlap",
            ));
        }
        self.total = self
            .number(self.call.paging.total.as_ref(), reply)?
            .or(self.total);
        self.next(reply, number)
    }

    /// XML shows an empty list as nothing, and so do lists that the answer leaves out when there is nothing.
    fn may_lack_items(&self) -> bool {
        use crate::target::profile::Form;
        matches!(self.call.form, Form::Xml | Form::Soap)
    }

    fn next(&mut self, reply: &Reply, number: usize) -> Result<Next, ConnectorError> {
        let paging = &self.call.paging;
        let collected = self.items.len() as u64;
        if self.pages >= paging.max_pages && paging.style != Style::None {
            return Err(self.error("it has more pages than `max-pages` allows"));
        }
        let short = paging.size.is_some_and(|size| (number as u64) < size);
        match paging.style {
            Style::None => {
                if paging.limit.is_some_and(|limit| number as u64 >= limit) {
                    return Err(self
                        .error("it is as long as the application's limit and may have been cut"));
                }
                Ok(Next::End)
            }
            Style::Page => {
                let pages = self.number(paging.total_pages.as_ref(), reply)?;
                if self.ended(reply, number, pages.map(|pages| self.pages >= pages))? {
                    return Ok(Next::End);
                }
                Ok(Next::Page(numbered(paging, paging.first + self.pages)))
            }
            Style::Offset => {
                if self.ended(reply, number, None)? {
                    return Ok(Next::End);
                }
                Ok(Next::Page(numbered(paging, paging.first + collected)))
            }
            Style::Cursor | Style::Link => self.marked(reply, number, short),
        }
    }

    /// Whether a numbered list ends here: the answer says so, or there is nothing on the page.
    fn ended(
        &self,
        reply: &Reply,
        number: usize,
        last: Option<bool>,
    ) -> Result<bool, ConnectorError> {
        if let Some(more) = &self.call.paging.more {
            return Ok(!more.holds(&reply.scope).map_err(|why| self.error(&why))?);
        }
        if let Some(last) = last {
            return Ok(last || number == 0);
        }
        if let Some(total) = self.total {
            return Ok(self.items.len() as u64 >= total || number == 0);
        }
        Ok(number == 0)
    }

    fn marked(
        &mut self,
        reply: &Reply,
        number: usize,
        short: bool,
    ) -> Result<Next, ConnectorError> {
        let Some(next) = &self.call.paging.next else {
            return Ok(Next::End);
        };
        let Some(mark) = next.text(&reply.scope).map_err(|why| self.error(&why))? else {
            return Ok(Next::End);
        };
        if !self.marks.insert(mark.clone()) {
            return Err(self.error("the same mark for the next page comes again"));
        }
        if number == 0 && !short {
            return Err(self.error("a page is empty, and yet another one follows"));
        }
        if self.call.paging.style == Style::Link {
            return Ok(Next::Link(mark));
        }
        let mut added = size(&self.call.paging);
        if let Some(name) = &self.call.paging.parameter {
            put(&self.call.paging, &mut added, name, &Json::from(mark));
        }
        Ok(Next::Page(added))
    }

    fn number(&self, expr: Option<&Expr>, reply: &Reply) -> Result<Option<u64>, ConnectorError> {
        let Some(expr) = expr else { return Ok(None) };
        let text = expr.text(&reply.scope).map_err(|why| self.error(&why))?;
        match text.map(|text| text.trim().parse::<u64>()) {
            Some(Ok(number)) => Ok(Some(number)),
            None | Some(Err(_)) => Err(self.error("the answer does not say how long the list is")),
        }
    }

    fn finish(self) -> Result<Vec<Json>, ConnectorError> {
        let collected = self.items.len() as u64;
        match self.total {
            Some(total) if total > collected => {
                Err(self.error(&format!("it announced {total} items and gave {collected}")))
            }
            Some(_) | None => Ok(self.items),
        }
    }

    fn error(&self, why: &str) -> ConnectorError {
        ConnectorError::Protocol(format!("the list of {}: {why}", self.call.fact))
    }
}
