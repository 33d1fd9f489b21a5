//! Reads people from an LDIF file (RFC 2849), with the same rules as from a server.
//!
//! Content records only: a file of changes is refused, and so are values that live at a URL.
//! The file is read twice, for groups and for people; if it changes in between, the read is broken.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::mpsc;

use super::entry::{OwnedEntry, Schema};
use super::filter::Filter;
use super::groups::{GroupReader, GroupRule, GroupTable};
use super::person::{PersonReader, PersonRule};
use super::read::Tray;
use super::settings::{LdifSettings, SourceSettings};
use super::state::StateRule;
use super::{AnchorRead, FetchRequest, Found, GroupNeed, Source, SourceError};
use crate::model::{
    Anchor, BaseRead, Completeness, Dn, ReadEvidence, ReadReport, Shortfall, Sieve,
};

/// The longest logical line, in bytes.
const LINE_LIMIT: usize = 16 << 20;
/// Entries handed over at a time.
const BATCH: usize = 256;

/// A file as a source.
#[derive(Debug)]
pub(super) struct LdifSource {
    pub settings: SourceSettings,
    pub ldif: LdifSettings,
}

/// What is wrong with a file, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// 1-based; 0 for the file as a whole.
    line: usize,
    why: String,
}

/// Reads records one by one.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: R,
    /// Lines read so far.
    line: usize,
    /// The physical line that belongs to the next logical one.
    ahead: Option<Vec<u8>>,
    started: bool,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            ahead: None,
            started: false,
        }
    }

    fn fault<T>(&self, why: impl Into<String>) -> Result<T, Fault> {
        Err(Fault {
            line: self.line,
            why: why.into(),
        })
    }

    /// One physical line without its end; `None` at the end of the file.
    fn physical(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(LINE_LIMIT).unwrap_or(u64::MAX);
        let read = std::io::Read::take(&mut self.input, limit).read_until(b'\n', &mut bytes);
        self.line += 1;
        match read {
            Ok(0) => Ok(None),
            Ok(n) if n >= LINE_LIMIT => self.fault("the line is too long"),
            Ok(_) => {
                while matches!(bytes.last(), Some(b'\n' | b'\r')) {
                    bytes.pop();
                }
                Ok(Some(bytes))
            }
            Err(error) => self.fault(format!("the file cannot be read: {error}")),
        }
    }

    /// One logical line with the number of its first physical one, continuation lines joined, comments left out.
    fn logical(&mut self) -> Result<Option<(usize, Vec<u8>)>, Fault> {
        loop {
            let first = match self.ahead.take() {
                Some(line) => Some(line),
                None => self.physical()?,
            };
            let Some(mut line) = first else {
                return Ok(None);
            };
            let number = self.line;
            if line.first() == Some(&b' ') {
                return self.fault("a continuation line has nothing before it");
            }
            // An empty line ends a record and is never continued.
            while !line.is_empty() {
                let next = self.physical()?;
                match next {
                    Some(next) if next.first() == Some(&b' ') => {
                        line.extend_from_slice(next.get(1..).unwrap_or_default());
                        if line.len() > LINE_LIMIT {
                            return self.fault("the value is too long");
                        }
                    }
                    next => {
                        self.ahead = next;
                        break;
                    }
                }
            }
            if line.first() != Some(&b'#') {
                return Ok(Some((number, line)));
            }
        }
    }

    /// The next record; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<OwnedEntry>, Fault> {
        let mut entry: Option<OwnedEntry> = None;
        while let Some((number, line)) = self.logical()? {
            if line.is_empty() {
                match entry {
                    Some(entry) => return Ok(Some(entry)),
                    None => continue,
                }
            }
            let at = |why: String| Fault { line: number, why };
            let (name, value) = split(&line).map_err(at)?;
            let first = !std::mem::replace(&mut self.started, true);
            match &mut entry {
                None if first && name.eq_ignore_ascii_case("version") => {
                    if value != b"1" {
                        return Err(at("only version 1 of LDIF is known".to_owned()));
                    }
                }
                None if name.eq_ignore_ascii_case("dn") => {
                    entry = Some(OwnedEntry {
                        dn: value,
                        attributes: Vec::new(),
                    });
                }
                None => {
                    return Err(at(format!(
                        "a record starts with \"dn:\", not with \"{name}:\""
                    )));
                }
                Some(_)
                    if name.eq_ignore_ascii_case("changetype")
                        || name.eq_ignore_ascii_case("control") =>
                {
                    return Err(at(
                        "this file holds changes; a source needs the entries themselves".to_owned(),
                    ));
                }
                Some(entry) => entry.add(&name, value),
            }
        }
        Ok(entry)
    }
}

fn split(line: &[u8]) -> Result<(String, Vec<u8>), String> {
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = colon
        .and_then(|at| line.split_at_checked(at))
        .ok_or("the line has no \":\"")?;
    let name = std::str::from_utf8(name).map_err(|_| "the attribute's name is not text")?;
    if name.is_empty()
        || !name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.;_=*".contains(&b))
    {
        return Err(format!("\"{}\" is not an attribute", name.escape_debug()));
    }
    match value.get(1..).unwrap_or_default() {
        [b'<', ..] => Err(format!(
            "the value of {name} is at a URL, which is not followed"
        )),
        [b':', encoded @ ..] => {
            let value = STANDARD.decode(encoded.trim_ascii());
            let value =
                value.map_err(|error| format!("the value of {name} is not base64: {error}"))?;
            Ok((name.to_owned(), value))
        }
        plain => {
            let start = plain
                .iter()
                .position(|byte| *byte != b' ')
                .unwrap_or(plain.len());
            Ok((
                name.to_owned(),
                plain.get(start..).unwrap_or_default().to_vec(),
            ))
        }
    }
}

/// What tells one version of a file from another.
fn stamp(file: &File) -> Option<(u64, std::time::SystemTime)> {
    let data = file.metadata().ok()?;
    Some((data.len(), data.modified().ok()?))
}

type Batch = Result<Vec<OwnedEntry>, Fault>;

/// Reads a file on a thread of its own.
fn stream(path: &Path) -> mpsc::Receiver<Batch> {
    let (sender, batches) = mpsc::channel(4);
    let path: PathBuf = path.to_owned();
    tokio::task::spawn_blocking(move || {
        if let Err(fault) = feed(&path, &sender) {
            // If nobody listens any more, nobody needs to know.
            drop(sender.blocking_send(Err(fault)));
        }
    });
    batches
}

fn feed(path: &Path, sender: &mpsc::Sender<Batch>) -> Result<(), Fault> {
    let whole = |why: String| Fault { line: 0, why };
    let file =
        File::open(path).map_err(|error| whole(format!("the file cannot be opened: {error}")))?;
    let before = stamp(&file);
    let mut records = Records::new(BufReader::with_capacity(1 << 16, file));
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(entry) = records.next()? {
        batch.push(entry);
        if batch.len() == BATCH
            && sender
                .blocking_send(Ok(std::mem::take(&mut batch)))
                .is_err()
        {
            return Ok(());
        }
    }
    if stamp(records.input.get_ref()) != before {
        return Err(whole(
            "the file changed while it was read; write to another name and rename".to_owned(),
        ));
    }
    // The other side may have gone; then there is nothing left to do.
    drop(sender.blocking_send(Ok(batch)));
    Ok(())
}

/// What one read works with.
struct Rules {
    person: PersonRule,
    group: GroupRule,
    filter: Filter,
    group_filter: Filter,
    bases: Vec<Dn>,
    group_bases: Vec<Dn>,
}

impl LdifSource {
    fn file(&self) -> String {
        self.ldif.path.display().to_string()
    }

    fn error(&self, fault: Fault) -> SourceError {
        SourceError::File {
            file: self.file(),
            line: fault.line,
            why: fault.why,
        }
    }

    fn rules(&self, request: &FetchRequest) -> Result<Rules, Fault> {
        let ldif = &self.ldif;
        let whole = |why: String| Fault { line: 0, why };
        let parse = |bases: &[String]| -> Result<Vec<Dn>, Fault> {
            let dn = |base: &String| {
                Dn::parse(base).ok_or_else(|| whole(format!("the base \"{base}\" is not a DN")))
            };
            bases.iter().map(dn).collect()
        };
        let bases = parse(&ldif.bases)?;
        let group_bases = parse(&ldif.groups.bases)?;
        let state = StateRule {
            flavour: ldif.flavour,
            start: ldif.start_attribute.clone(),
            end: ldif.end_attribute.clone(),
            needs_control: false,
        };
        let schema = Schema::new(&ldif.binary);
        Ok(Rules {
            person: PersonRule::new(&self.settings.anchor, state, schema, &request.attributes),
            group: GroupRule {
                flavour: ldif.flavour,
                method: ldif.groups.method,
                nested: ldif.groups.nested,
                need: request.groups.clone(),
            },
            filter: Filter::parse(&ldif.filter).map_err(|why| whole(format!("filter: {why}")))?,
            group_filter: Filter::parse(&ldif.groups.filter)
                .map_err(|why| whole(format!("group filter: {why}")))?,
            group_bases: if group_bases.is_empty() {
                bases.clone()
            } else {
                group_bases
            },
            bases,
        })
    }

    /// The first pass: checks the whole file and collects groups and bases.
    async fn survey(
        &self,
        rules: &Rules,
    ) -> Result<(Option<GroupTable>, Vec<String>, Vec<bool>), SourceError> {
        let mut groups = GroupReader::new(rules.group.clone());
        let mut troubles = Vec::new();
        let mut present = vec![false; rules.bases.len()];
        let mut batches = stream(&self.ldif.path);
        while let Some(batch) = batches.recv().await {
            for entry in batch.map_err(|fault| self.error(fault))? {
                let raw = entry.borrow();
                let dn = std::str::from_utf8(&entry.dn).ok().and_then(Dn::parse);
                for (present, base) in present.iter_mut().zip(&rules.bases) {
                    *present |= dn.as_ref().is_some_and(|dn| dn.is_below(base));
                }
                let below = rules.group_bases.is_empty()
                    || dn.is_some_and(|dn| rules.group_bases.iter().any(|base| dn.is_below(base)));
                if below && rules.group.need != GroupNeed::None && rules.group_filter.matches(&raw)
                {
                    troubles.extend(groups.take(&raw).err());
                }
            }
        }
        let groups = match groups.finish() {
            Ok(groups) => Some(groups),
            Err(why) => {
                troubles.push(why);
                None
            }
        };
        let groups = groups.filter(|_| rules.group.need != GroupNeed::None);
        Ok((groups, troubles, present))
    }

    /// The second pass.
    async fn people(
        &self,
        rules: &Rules,
        reader: &mut PersonReader<'_>,
        evidence: &mut ReadEvidence,
        sieve: &mut dyn Sieve,
    ) -> Result<Vec<u64>, Fault> {
        let mut counts = vec![0; rules.bases.len().max(1)];
        let mut batches = stream(&self.ldif.path);
        while let Some(batch) = batches.recv().await {
            for entry in batch? {
                let raw = entry.borrow();
                let dn = std::str::from_utf8(&entry.dn).ok().and_then(Dn::parse);
                let place = if rules.bases.is_empty() {
                    // Without bases, entries that carry no anchor are something else than people.
                    (!raw.get(rules.person.anchor_attribute()).is_empty()).then_some(0)
                } else {
                    dn.and_then(|dn| rules.bases.iter().position(|base| dn.is_below(base)))
                };
                let count = place.and_then(|place| counts.get_mut(place));
                if let Some(count) = count.filter(|_| rules.filter.matches(&raw)) {
                    *count += u64::from(reader.take(&raw, evidence, sieve));
                }
            }
        }
        Ok(counts)
    }

    async fn read(
        &self,
        request: &FetchRequest,
        sieve: &mut dyn Sieve,
    ) -> Result<(Completeness, Vec<BaseRead>), SourceError> {
        let rules = self.rules(request).map_err(|fault| self.error(fault))?;
        let (groups, troubles, present) = self.survey(&rules).await?;
        let mut evidence = ReadEvidence::new();
        let short = !troubles.is_empty();
        for why in troubles {
            evidence.shortfall(Shortfall::Groups(why));
        }
        let mut reader = PersonReader::new(&rules.person, groups, short, &self.settings.sentinels);
        let counts = self.people(&rules, &mut reader, &mut evidence, sieve).await;
        reader.finish(self.settings.allow_empty, &mut evidence);
        let expected = if self.ldif.bases.is_empty() {
            vec![self.file()]
        } else {
            self.ldif.bases.clone()
        };
        match counts {
            Ok(counts) => {
                for (at, (base, entries)) in expected.iter().zip(counts).enumerate() {
                    if present.get(at).copied().unwrap_or(true) {
                        evidence.finished(BaseRead {
                            base: base.clone(),
                            entries,
                        });
                    } else {
                        evidence.shortfall(Shortfall::BaseMissing(base.clone()));
                    }
                }
            }
            Err(fault) => evidence.shortfall(Shortfall::Broken {
                base: self.file(),
                why: format!("line {}: {}", fault.line, fault.why),
            }),
        }
        Ok(evidence.judge(&expected))
    }
}

#[async_trait]
impl Source for LdifSource {
    async fn fetch(
        &self,
        request: &FetchRequest,
        sieve: &mut dyn Sieve,
    ) -> Result<ReadReport, SourceError> {
        let (completeness, bases) = self.read(request, sieve).await?;
        Ok(ReadReport {
            completeness,
            bases,
            server: self.file(),
        })
    }

    async fn lookup(&self, person: &str, request: &FetchRequest) -> Result<Found, SourceError> {
        let mut wider = request.clone();
        wider
            .attributes
            .extend(["uid", "samaccountname", "userprincipalname", "mail"].map(str::to_owned));
        let mut tray = Tray::default();
        let (completeness, _) = self.read(&wider, &mut tray).await?;
        let dn = Dn::parse(person).filter(|dn| dn.rdn().is_some());
        tray.identities.retain(|identity| {
            let names = ["uid", "samaccountname", "userprincipalname", "mail", "cn"];
            let called = |name: &&str| {
                identity
                    .attributes
                    .texts(name)
                    .any(|v| v.to_lowercase() == person.to_lowercase())
            };
            identity.anchor.as_str().eq_ignore_ascii_case(person)
                || names.iter().any(called)
                || (dn.is_some() && Dn::parse(&identity.dn) == dn)
        });
        tray.problems.retain(|problem| {
            problem
                .anchor
                .as_ref()
                .is_some_and(|a| a.as_str() == person)
                || problem.dn == person
        });
        let shortfalls = match completeness {
            Completeness::Full(_) => Vec::new(),
            Completeness::Partial(why) => why,
        };
        Ok(Found {
            identities: tray.identities,
            problems: tray.problems,
            shortfalls,
        })
    }

    async fn read_anchor(
        &self,
        anchor: &Anchor,
        request: &FetchRequest,
    ) -> Result<AnchorRead, SourceError> {
        let mut tray = Tray::default();
        let (completeness, _) = self.read(request, &mut tray).await?;
        if let Some(identity) = tray
            .identities
            .into_iter()
            .find(|identity| identity.anchor == *anchor)
        {
            return Ok(AnchorRead::Present(Box::new(identity)));
        }
        if let Some(problem) = tray
            .problems
            .into_iter()
            .find(|problem| problem.anchor.as_ref() == Some(anchor))
        {
            return Ok(AnchorRead::Unknown(problem.why));
        }
        Ok(match completeness {
            Completeness::Full(_) => AnchorRead::Gone,
            Completeness::Partial(why) => AnchorRead::Unknown(
                why.iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Result<Vec<OwnedEntry>, Fault> {
        let mut records = Records::new(text);
        let mut entries = Vec::new();
        while let Some(entry) = records.next()? {
            entries.push(entry);
        }
        Ok(entries)
    }

    #[test]
    fn records_fold_decode_and_skip_comments() {
        let text = b"version: 1\r\n# a comment\n  goes on\n\n\ndn: cn=a,\n dc=t\ncn: a\nCN;lang-fr:  \xc3\xa0 \ncn:: YgBi\ndescription:\n\n# between\ndn:: Y249Yg==\ncn: b";
        let entries = all(text).unwrap();
        assert_eq!(entries.len(), 2);
        let first = entries[0].borrow();
        assert_eq!(first.dn, b"cn=a,dc=t");
        assert_eq!(first.get("cn"), [&b"a"[..], b"b\0b"]);
        assert_eq!(first.get("cn;lang-fr"), ["à ".as_bytes()]);
        assert_eq!(first.get("description"), [b""]);
        assert_eq!(entries[1].dn, b"cn=b");
        assert!(all(b"").unwrap().is_empty());
    }

    #[test]
    fn faults_name_the_line() {
        let cases: [(&[u8], usize, &str); 9] = [
            (b"cn: a\n", 1, "starts with"),
            (b"dn: cn=a\nchangetype: add\ncn: a\n", 2, "changes"),
            (
                b"dn: cn=a\n\ndn: cn=b\njpegPhoto:< file:///etc/passwd\n",
                4,
                "URL",
            ),
            (b"dn: cn=a\ncn:: ?\n", 2, "base64"),
            (b"version: 2\n", 1, "version"),
            (b" x\n", 1, "continuation"),
            (b"dn: cn=a\nx\n", 2, "no \":\""),
            (b"dn: cn=a\nc n: x\n", 2, "not an attribute"),
            (b"dn: cn=a\n\nversion: 1\n", 3, "starts with"),
        ];
        for (text, line, why) in cases {
            let fault = all(text).unwrap_err();
            assert!(fault.why.contains(why), "{}", fault.why);
            assert_eq!(fault.line, line, "{why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            drop(all(&bytes));
            let text = [&b"dn: cn=a\n"[..], &bytes].concat();
            if let Ok(entries) = all(&text) {
                proptest::prop_assert!(!entries.is_empty() || bytes.first() == Some(&b' '));
            }
        }
    }
}
