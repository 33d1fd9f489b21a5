//! Reads people from an LDIF file (RFC 2849), with the same rules as from a server.
//!
//! Content records only: a file of changes is refused, and so are values that live at a URL.
//! The file is read twice, for groups and for people; if it changes in between, the read is broken.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::entry::{OwnedEntry, Schema};
use super::filter::Filter;
use super::groups::{GroupReader, GroupRule, GroupTable};
use super::person::PersonReader;
use super::records::{Fault, Records};
use super::rule::PersonRule;
use super::settings::{LdifSettings, SourceSettings};
use super::state::StateRule;
use super::tray::Tray;
use super::{AnchorRead, FetchRequest, Found, GroupNeed, Source, SourceError};
use crate::model::{
    Anchor, BaseRead, Completeness, Dn, ReadEvidence, ReadReport, Shortfall, Sieve,
};

/// Entries handed over at a time.
const BATCH: usize = 256;

/// A file as a source.
#[derive(Debug)]
pub(super) struct LdifSource {
    pub settings: SourceSettings,
    pub ldif: LdifSettings,
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
    if stamp(records.input().get_ref()) != before {
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
            person: PersonRule::new(&self.settings.anchor, state, &schema, &request.attributes),
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

    async fn read_anchors(
        &self,
        anchors: &[Anchor],
        _request: &FetchRequest,
    ) -> Result<Vec<AnchorRead>, SourceError> {
        // Whatever cut the file short has cut it short for a second look, too.
        let why = "a file that is read again is no second witness";
        Ok(vec![AnchorRead::Unknown(why.to_owned()); anchors.len()])
    }
}
