//! The one loop that reads pages.
//!
//! Any error poisons the whole search: nothing is stitched together from two connections, and no error is followed by success.
//! A search is complete only with result 0, an empty cookie on the last page and the server's response control to say so.
//! The next page is asked for as soon as one ends, while its entries are still being decoded.

use std::collections::VecDeque;

use ldap3::controls::RawControl;
use ldap3::{Ldap, SearchResult};
use tokio::sync::mpsc;

use super::ber::{self, Malformed, Reader};
use super::connect::{Connection, PAGED};
use super::entry::{OwnedEntry, RawEntry, printable};
use super::framing;
use super::gate::Item;
use crate::model::Shortfall;

pub(super) use ldap3::Scope as LdapScope;

/// So many pages without an entry are taken for a server that never ends.
const EMPTY_PAGES: u32 = 1000;
/// How often a list of values that came in parts is read again when it changed in between.
const RANGE_TRIES: u32 = 3;

/// How far a search reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// The base entry alone.
    Base,
    /// The base and everything below it.
    Subtree,
}

/// One search.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    pub base: &'a str,
    pub scope: Scope,
    pub filter: &'a str,
    pub attributes: Vec<String>,
    /// Entries per page; 0 for a search without pages.
    pub page_size: u32,
}

/// What a search finds.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// An entry.
    Entry(&'a RawEntry<'a>),
    /// An entry above the size limit, of which only the DN could be read.
    Huge { dn: &'a [u8], size: usize },
}

/// How a search ended.
#[derive(Debug)]
pub(super) struct SearchEnd {
    /// Success means that the server confirmed the end.
    pub result: Result<(), Shortfall>,
    /// Continuation references that came.
    pub references: Vec<String>,
}

/// What the pager tells the decoder about each page.
enum PageEnd {
    More,
    Last(Result<(), Shortfall>),
    Failed(String),
}

/// Runs one search; `on` sees everything in the order of the wire.
pub(super) async fn run(
    connection: &mut Connection,
    search: &Search<'_>,
    on: &mut (dyn FnMut(Found<'_>) + Send),
) -> SearchEnd {
    paged(connection, search, false, on).await
}

/// Runs the first page only: a look and not a read. Success says nothing about completeness.
pub(super) async fn first_page(
    connection: &mut Connection,
    search: &Search<'_>,
    on: &mut (dyn FnMut(Found<'_>) + Send),
) -> Result<(), Shortfall> {
    paged(connection, search, true, on).await.result
}

async fn paged(
    connection: &mut Connection,
    search: &Search<'_>,
    one_page: bool,
    on: &mut (dyn FnMut(Found<'_>) + Send),
) -> SearchEnd {
    let mut references = Vec::new();
    let (tell, mut pages) = mpsc::channel(4);
    let pager = Pager {
        ldap: connection.ldap.clone(),
        base: search.base.to_owned(),
        scope: search.scope,
        filter: search.filter.to_owned(),
        attributes: search.attributes.clone(),
        page_size: search.page_size,
        one_page,
        paging: connection.root.paging(),
    };
    let pager = tokio::spawn(pager.run(tell));
    let result = collect(connection, &mut pages, &mut references, on).await;
    pager.abort();
    let result = match result {
        Ok(result) => result,
        Err(why) => Err(Shortfall::Broken {
            base: search.base.to_owned(),
            why,
        }),
    };
    SearchEnd { result, references }
}

async fn collect(
    connection: &mut Connection,
    pages: &mut mpsc::Receiver<PageEnd>,
    references: &mut Vec<String>,
    on: &mut (dyn FnMut(Found<'_>) + Send),
) -> Result<Result<(), Shortfall>, String> {
    let mut ends = VecDeque::new();
    let mut silent_pages = 0;
    let mut open = true;
    loop {
        let item = tokio::select! {
            biased;
            item = connection.items.recv() => item,
            end = pages.recv(), if open => {
                match end {
                    Some(PageEnd::Failed(why)) => return Err(connection.shared.failure().unwrap_or(why)),
                    Some(end) => ends.push_back(end),
                    None => open = false,
                }
                continue;
            }
        };
        match item {
            None => return Err(connection.failure()),
            Some(Item::Entries(chunk)) => {
                silent_pages = 0;
                decode(&chunk, on).map_err(|error| error.to_string())?;
            }
            Some(Item::Reference(urls)) => references.extend(urls),
            Some(Item::Huge { dn, size }) => on(Found::Huge { dn: &dn, size }),
            Some(Item::Done) => {
                let end = match ends.pop_front() {
                    Some(end) => Some(end),
                    None => pages.recv().await,
                };
                match end {
                    Some(PageEnd::Last(result)) => return Ok(result),
                    Some(PageEnd::Failed(why)) => {
                        return Err(connection.shared.failure().unwrap_or(why));
                    }
                    None => return Err(connection.failure()),
                    Some(PageEnd::More) => {
                        silent_pages += 1;
                        if silent_pages > EMPTY_PAGES {
                            return Err("the server sends empty pages without end".to_owned());
                        }
                    }
                }
            }
        }
    }
}

/// Decodes a chunk of entry messages.
fn decode(chunk: &[u8], on: &mut (dyn FnMut(Found<'_>) + Send)) -> Result<(), Malformed> {
    let mut reader = Reader::new(chunk);
    while !reader.is_empty() {
        let mut message = Reader::new(reader.expect(ber::SEQUENCE)?);
        message.number(ber::INTEGER)?;
        let entry = RawEntry::decode(message.expect(framing::SEARCH_ENTRY)?)?;
        on(Found::Entry(&entry));
    }
    Ok(())
}

/// Asks for page after page.
struct Pager {
    ldap: Ldap,
    base: String,
    scope: Scope,
    filter: String,
    attributes: Vec<String>,
    page_size: u32,
    one_page: bool,
    paging: Option<bool>,
}

impl Pager {
    async fn run(mut self, tell: mpsc::Sender<PageEnd>) {
        let mut cookie = Vec::new();
        for pages in 0.. {
            let mut end = self.page(&mut cookie).await;
            if let PageEnd::Last(Err(shortfall)) = end {
                end = PageEnd::Last(Err(lost_place(shortfall, pages)));
            }
            let more = matches!(end, PageEnd::More);
            if tell.send(end).await.is_err() || !more {
                return;
            }
        }
    }

    async fn page(&mut self, cookie: &mut Vec<u8>) -> PageEnd {
        let paged = self.page_size > 0 && self.paging != Some(false);
        if paged {
            let control = RawControl {
                ctype: PAGED.to_owned(),
                crit: self.paging == Some(true),
                val: Some(page_request(self.page_size, cookie)),
            };
            self.ldap.with_controls(control);
        }
        let scope = match self.scope {
            Scope::Base => LdapScope::Base,
            Scope::Subtree => LdapScope::Subtree,
        };
        let answer = self
            .ldap
            .search(&self.base, scope, &self.filter, self.attributes.clone())
            .await;
        let SearchResult(_, result) = match answer {
            Ok(answer) => answer,
            Err(error) => return PageEnd::Failed(error.to_string()),
        };
        if result.rc != 0 {
            return PageEnd::Last(Err(shortfall(&self.base, result.rc, &result.text)));
        }
        if !paged {
            return PageEnd::Last(Ok(()));
        }
        let control = result
            .ctrls
            .into_iter()
            .find(|control| control.1.ctype == PAGED);
        let next = control.and_then(|control| page_cookie(&control.1.val?).ok());
        match next {
            Some(next) if next.is_empty() || self.one_page => PageEnd::Last(Ok(())),
            Some(next) => {
                *cookie = next;
                PageEnd::More
            }
            None => PageEnd::Last(Err(Shortfall::Unfinished(self.base.clone()))),
        }
    }
}

/// What a refusal means when pages came before it: but for limits and referrals, that the cookie is not good any more.
fn lost_place(shortfall: Shortfall, pages: u32) -> Shortfall {
    if let Shortfall::Result { base, code, text } = &shortfall
        && pages > 0
        && !matches!(code, 3 | 4 | 10 | 11)
    {
        return Shortfall::LostPlace {
            base: base.clone(),
            pages,
            code: *code,
            text: text.clone(),
        };
    }
    shortfall
}

fn shortfall(base: &str, code: u32, text: &str) -> Shortfall {
    if code == 32 {
        return Shortfall::BaseMissing(base.to_owned());
    }
    let name = match code {
        1 => "operations error",
        3 => "time limit exceeded",
        4 => "size limit exceeded",
        10 => "referral",
        11 => "administrative limit exceeded",
        12 => "critical extension unavailable",
        50 => "insufficient access",
        51 => "busy",
        52 => "unavailable",
        53 => "unwilling to perform",
        _ => "no success",
    };
    let said = printable(text.trim_end_matches('\0').as_bytes());
    Shortfall::Result {
        base: base.to_owned(),
        code,
        text: match said.as_str() {
            "" => name.to_owned(),
            said => format!("{name}: {said}"),
        },
    }
}

/// The value of the request control (RFC 2696 §2).
fn page_request(size: u32, cookie: &[u8]) -> Vec<u8> {
    // The shortest form that stays positive (X.690 §8.3.2).
    let bytes = u64::from(size).to_be_bytes();
    let zeros = bytes
        .windows(2)
        .take_while(|pair| matches!(pair, [0, 0..0x80]))
        .count();
    let mut body = ber::element(ber::INTEGER, bytes.get(zeros..).unwrap_or_default());
    ber::write(&mut body, ber::OCTETS, cookie);
    ber::element(ber::SEQUENCE, &body)
}

/// The cookie in the value of the response control.
fn page_cookie(value: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut reader = Reader::new(Reader::new(value).expect(ber::SEQUENCE)?);
    reader.expect(ber::INTEGER)?;
    reader.expect(ber::OCTETS).map(<[u8]>::to_vec)
}

/// Reads one entry by DN. `Ok(None)` if it does not exist or may not be read.
///
/// # Errors
/// When the server did not answer properly.
pub(super) async fn entry(
    connection: &mut Connection,
    dn: &str,
    attributes: Vec<String>,
) -> Result<Option<OwnedEntry>, Shortfall> {
    let search = Search {
        base: dn,
        scope: Scope::Base,
        filter: "(objectClass=*)",
        attributes,
        page_size: 0,
    };
    let mut found = None;
    let end = run(connection, &search, &mut |item| {
        if let Found::Entry(entry) = item {
            found = Some(OwnedEntry::copy(entry));
        }
    })
    .await;
    match end.result {
        Ok(()) | Err(Shortfall::BaseMissing(_)) => Ok(found),
        Err(shortfall) => Err(shortfall),
    }
}

/// Completes every attribute that came in part (`member;range=0-1499`), under its plain name.
///
/// # Errors
/// Says which attribute could not be completed.
pub(super) async fn complete(
    connection: &mut Connection,
    entry: &mut OwnedEntry,
) -> Result<(), String> {
    let dn =
        String::from_utf8(entry.dn.clone()).map_err(|_| "the DN is not UTF-8 text".to_owned())?;
    while let Some((name, _)) = entry.borrow().unfinished_range() {
        let mut tries = 0;
        let values = loop {
            tries += 1;
            match whole(connection, &dn, &name).await {
                Ok(values) => break values,
                Err(why) if tries == RANGE_TRIES => return Err(why),
                Err(_) => {}
            }
        };
        entry
            .attributes
            .retain(|(found, _)| plain(found) != name.to_ascii_lowercase());
        entry.attributes.push((name, values));
    }
    Ok(())
}

fn plain(description: &str) -> String {
    let name =
        super::entry::split_range(description.as_bytes()).map_or(description, |(name, _)| name);
    name.to_ascii_lowercase()
}

async fn whole(connection: &mut Connection, dn: &str, name: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut values = Vec::new();
    loop {
        let asked = values.len();
        let found = entry(connection, dn, vec![format!("{name};range={asked}-*")]).await;
        let found = found.map_err(|error| error.to_string())?;
        let part = found.and_then(|found| {
            found
                .attributes
                .into_iter()
                .find_map(|(description, values)| {
                    let (found, range) = super::entry::split_range(description.as_bytes())?;
                    let (low, high) = range.split_once('-')?;
                    let fits = found.eq_ignore_ascii_case(name) && low.parse() == Ok(asked);
                    fits.then(|| (high == "*", values))
                })
        });
        match part {
            Some((last, part)) if last || !part.is_empty() => {
                values.extend(part);
                if last {
                    return Ok(values);
                }
            }
            _ => {
                return Err(format!(
                    "the values of {name} of \"{}\" from number {asked} on were not returned",
                    printable(dn.as_bytes())
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_controls() {
        assert_eq!(
            page_request(1000, b"ab"),
            b"\x30\x08\x02\x02\x03\xe8\x04\x02ab"
        );
        assert_eq!(page_request(200, b""), b"\x30\x06\x02\x02\x00\xc8\x04\x00");
        assert_eq!(page_request(0, b""), b"\x30\x05\x02\x01\x00\x04\x00");
        assert_eq!(page_cookie(&page_request(5, b"xyz")), Ok(b"xyz".to_vec()));
        assert!(page_cookie(b"\x30\x00").is_err());
    }

    #[test]
    fn every_code_but_success_is_a_shortfall() {
        assert_eq!(
            shortfall("b", 32, ""),
            Shortfall::BaseMissing("b".to_owned())
        );
        for code in [3, 4, 10, 11, 99] {
            assert!(
                matches!(shortfall("b", code, "x\0"), Shortfall::Result { code: c, text, .. } if c == code && text.ends_with(": x"))
            );
        }
    }
}
