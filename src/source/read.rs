//! A full read of a directory server: groups first, then everybody below each base.
//!
//! Whatever goes wrong after the connection stands makes the read partial; it never makes it shorter without saying so.

use async_trait::async_trait;

use super::connect::{self, Connection};
use super::entry::{OwnedEntry, Schema, printable};
use super::framing::ABSURD;
use super::groups::{GroupReader, GroupRule, GroupTable};
use super::person::PersonReader;
use super::referral;
use super::rule::{PersonRule, escape_filter};
use super::search::{self, Found, Scope, Search};
use super::settings::{LdapSettings, SourceSettings};
use super::state::StateRule;
use super::tray::Tray;
use super::unlisted;
use super::{AnchorRead, FetchRequest, Found as Seen, GroupNeed, Source, SourceError};
use crate::model::{
    Anchor, BaseRead, Completeness, ReadEvidence, ReadReport, Shortfall, Sieve, shell,
};

/// A directory server as a source.
#[derive(Debug)]
pub(super) struct LdapSource {
    pub settings: SourceSettings,
    pub ldap: LdapSettings,
}

/// What one fetch works with.
struct Rules {
    person: PersonRule,
    group: GroupRule,
    attributes: Vec<String>,
}

impl LdapSource {
    fn rules(&self, request: &FetchRequest) -> Rules {
        let ldap = &self.ldap;
        let state = StateRule {
            flavour: ldap.flavour,
            start: ldap.start_attribute.clone(),
            end: ldap.end_attribute.clone(),
            needs_control: true,
        };
        let schema = Schema::new(&ldap.binary);
        let person = PersonRule::new(&self.settings.anchor, state, &schema, &request.attributes);
        let group = GroupRule {
            flavour: ldap.flavour,
            method: ldap.groups.method,
            nested: ldap.groups.nested,
            need: request.groups.clone(),
        };
        let mut attributes = person.attributes();
        attributes.extend(group.on_people());
        Rules {
            person,
            group,
            attributes: attributes.into_iter().collect(),
        }
    }

    /// Reads everybody from the beginning; also tells which server answered.
    async fn everybody(
        &self,
        rules: &Rules,
        sieve: &mut dyn Sieve,
    ) -> Result<(ReadEvidence, String), SourceError> {
        let mut connection = connect::open(&self.settings.name, &self.ldap).await?;
        sieve.restart();
        let evidence = self
            .read(&mut connection, rules, &self.ldap.filter, sieve)
            .await;
        let server = connection.server();
        connection.close().await;
        Ok((evidence, server))
    }

    async fn read(
        &self,
        connection: &mut Connection,
        rules: &Rules,
        filter: &str,
        sieve: &mut dyn Sieve,
    ) -> ReadEvidence {
        let mut evidence = ReadEvidence::new();
        let (groups, short) = self.groups(connection, rules, &mut evidence).await;
        let mut reader =
            PersonReader::new(&rules.person, groups, short, &self.settings.sentinels).asking();
        for base in &self.ldap.bases {
            let search = Search {
                base,
                scope: Scope::Subtree,
                filter,
                attributes: rules.attributes.clone(),
                page_size: self.ldap.page_size,
            };
            show(&self.ldap, &connection.url, &search);
            if !self
                .people(connection, &search, &mut reader, &mut evidence, sieve)
                .await
            {
                break;
            }
        }
        reader.finish(self.settings.allow_empty, &mut evidence);
        evidence
    }

    /// Reads the people below one base; says whether the connection still stands.
    async fn people(
        &self,
        connection: &mut Connection,
        search: &Search<'_>,
        reader: &mut PersonReader<'_>,
        evidence: &mut ReadEvidence,
        sieve: &mut dyn Sieve,
    ) -> bool {
        let mut late = Vec::new();
        let mut huge = Vec::new();
        let mut entries = 0;
        let end = search::run(connection, search, &mut |found| match found {
            Found::Entry(entry) if entry.unfinished_range().is_some() => {
                late.push(OwnedEntry::copy(entry));
            }
            Found::Entry(entry) => entries += u64::from(reader.take(entry, evidence, sieve)),
            Found::Huge { dn, size } => huge.push((dn.to_vec(), size)),
        })
        .await;
        let broken = matches!(end.result, Err(Shortfall::Broken { .. }));
        for mut entry in late {
            let completed = if broken {
                Err("the connection broke off".to_owned())
            } else {
                search::complete(connection, &mut entry).await
            };
            let entry = entry.borrow();
            entries += u64::from(match completed {
                Ok(()) => reader.take(&entry, evidence, sieve),
                Err(why) => reader.hold(&entry, why, evidence, sieve),
            });
        }
        for (dn, size) in huge {
            let entry = self.anchor_entry(connection, dn, reader).await;
            let why =
                format!("the entry has {size} bytes, above the `message-limit` of the source");
            entries += u64::from(reader.hold(&entry.borrow(), why, evidence, sieve));
        }
        for (anchor, entry) in reader.unlisted() {
            let listed = unlisted::group_that_lists(connection, &self.ldap, &entry.dn).await;
            reader.settle(anchor, &entry.borrow(), listed, evidence, sieve);
        }
        self.judge_references(&end.references, search.base, evidence);
        match end.result {
            Ok(()) => evidence.finished(BaseRead {
                base: search.base.to_owned(),
                entries,
            }),
            Err(shortfall) => evidence.shortfall(shortfall),
        }
        connection.shared.failure().is_none()
    }

    /// What can be read of an entry that is too large: its anchor, by a search of its own.
    async fn anchor_entry(
        &self,
        connection: &mut Connection,
        dn: Vec<u8>,
        reader: &PersonReader<'_>,
    ) -> OwnedEntry {
        let wanted = vec![reader.anchor_attribute().to_owned()];
        let found = match std::str::from_utf8(&dn) {
            Ok(dn) => search::entry(connection, dn, wanted).await.ok().flatten(),
            Err(_) => None,
        };
        found.unwrap_or(OwnedEntry {
            dn,
            attributes: Vec::new(),
        })
    }

    /// Reads the groups. The flag says that the information is incomplete.
    async fn groups(
        &self,
        connection: &mut Connection,
        rules: &Rules,
        evidence: &mut ReadEvidence,
    ) -> (Option<GroupTable>, bool) {
        if rules.group.need == GroupNeed::None {
            return (None, false);
        }
        let settings = &self.ldap.groups;
        let mut reader = GroupReader::new(rules.group.clone());
        let mut troubles = Vec::new();
        // One group may hold everybody: its size follows the company's and not an entry's.
        connection
            .shared
            .set_limit(ABSURD.max(self.ldap.message_limit));
        for base in self.ldap.group_bases() {
            let search = Search {
                base,
                scope: Scope::Subtree,
                filter: &settings.filter,
                attributes: rules.group.on_groups(),
                page_size: self.ldap.page_size,
            };
            show(&self.ldap, &connection.url, &search);
            let end = self
                .groups_below(connection, &search, &mut reader, &mut troubles)
                .await;
            if let Err(shortfall) = end {
                troubles.push(shortfall.to_string());
                if shortfall.is_lost_place() {
                    evidence.shortfall(shortfall);
                }
            }
        }
        connection.shared.set_limit(self.ldap.message_limit);
        let table = match reader.finish() {
            Ok(table) => Some(table),
            Err(why) => {
                troubles.push(why);
                None
            }
        };
        tracing::debug!(
            groups = table.as_ref().map_or(0, GroupTable::len),
            troubles = troubles.len(),
            "groups were read"
        );
        let short = !troubles.is_empty();
        for why in troubles.into_iter().take(10) {
            evidence.shortfall(Shortfall::Groups(why));
        }
        (table, short)
    }

    async fn groups_below(
        &self,
        connection: &mut Connection,
        search: &Search<'_>,
        reader: &mut GroupReader,
        troubles: &mut Vec<String>,
    ) -> Result<(), Shortfall> {
        let mut late = Vec::new();
        let end = search::run(connection, search, &mut |found| match found {
            Found::Entry(entry) if entry.unfinished_range().is_some() => {
                late.push(OwnedEntry::copy(entry));
            }
            Found::Entry(entry) => troubles.extend(reader.take(entry).err()),
            Found::Huge { dn, size } => {
                troubles.push(format!("the group \"{}\" has {size} bytes", printable(dn)));
            }
        })
        .await;
        for mut entry in late {
            let completed = search::complete(connection, &mut entry).await;
            troubles.extend(completed.and_then(|()| reader.take(&entry.borrow())).err());
        }
        for url in end.references {
            if !referral::is_ignorable(&url, &self.ldap) {
                troubles.push(format!(
                    "the search below \"{}\" refers to {url}, which was not read",
                    search.base
                ));
            }
        }
        end.result
    }

    fn judge_references(&self, references: &[String], base: &str, evidence: &mut ReadEvidence) {
        for url in references {
            if !referral::is_ignorable(url, &self.ldap) {
                evidence.shortfall(Shortfall::Referral {
                    base: base.to_owned(),
                    url: url.clone(),
                });
            }
        }
    }

    /// Reads everybody who matches a filter below a base into memory.
    async fn some(
        &self,
        connection: &mut Connection,
        rules: &Rules,
        groups: (Option<GroupTable>, bool),
        search: &Search<'_>,
    ) -> (Tray, ReadEvidence) {
        let mut evidence = ReadEvidence::new();
        let mut tray = Tray::default();
        let mut reader = PersonReader::new(&rules.person, groups.0, groups.1, &[]).asking();
        self.people(connection, search, &mut reader, &mut evidence, &mut tray)
            .await;
        (tray, evidence)
    }

    /// Where somebody is: below the bases as people are searched there, or anywhere that this server knows of.
    async fn whereabouts(
        &self,
        connection: &mut Connection,
        rules: &Rules,
        groups: &(Option<GroupTable>, bool),
        anchor: &Anchor,
    ) -> AnchorRead {
        let filter = rules.person.anchor_filter(anchor);
        let inside = format!("(&{}{filter})", self.ldap.filter);
        let bases = self.ldap.bases.clone();
        let contexts = connection.root.contexts.clone();
        let within = bases.iter().map(|base| (base, &inside));
        let anywhere = bases.iter().chain(&contexts).map(|base| (base, &filter));
        for (base, filter) in within.chain(anywhere) {
            let search = Search {
                base,
                scope: Scope::Subtree,
                filter,
                attributes: rules.attributes.clone(),
                page_size: 0,
            };
            // Groups matter where people are looked for: elsewhere the person is not in scope anyway.
            let known = if *filter == inside {
                groups.clone()
            } else {
                (None, false)
            };
            let (tray, evidence) = self.some(connection, rules, known, &search).await;
            match (
                tray.identities.into_iter().next(),
                tray.problems.into_iter().next(),
            ) {
                (Some(identity), _) if *filter == inside => {
                    return AnchorRead::Present(Box::new(identity));
                }
                (Some(identity), _) => return AnchorRead::Elsewhere(identity.dn),
                (None, Some(problem)) => return AnchorRead::Unknown(problem.why),
                (None, None) => {}
            }
            if let Completeness::Partial(mut why) = evidence.judge(std::slice::from_ref(base)).0 {
                // The only thing that may fall short is that nobody was found.
                why.retain(|shortfall| !matches!(shortfall, Shortfall::Empty));
                if !why.is_empty() {
                    let why: Vec<String> = why.iter().map(ToString::to_string).collect();
                    return AnchorRead::Unknown(why.join("; "));
                }
            }
        }
        AnchorRead::Gone
    }
}

#[async_trait]
impl Source for LdapSource {
    async fn fetch(
        &self,
        request: &FetchRequest,
        sieve: &mut dyn Sieve,
    ) -> Result<ReadReport, SourceError> {
        let rules = self.rules(request);
        let mut read = self.everybody(&rules, sieve).await?;
        // A server that lost its place in a list of pages is asked once more, from the beginning and on a connection of
        // its own: nothing is stitched together from two reads.
        if read.0.lost_its_place() {
            tracing::warn!(server = %read.1, "the server lost its place between two pages; reading again from the first");
            match self.everybody(&rules, sieve).await {
                Ok(again) => read = again,
                Err(why) => tracing::warn!(%why, "it could not be read again"),
            }
        }
        let (evidence, server) = read;
        let (completeness, bases) = evidence.judge(&self.ldap.bases);
        Ok(ReadReport {
            completeness,
            bases,
            server,
        })
    }

    async fn lookup(&self, person: &str, request: &FetchRequest) -> Result<Seen, SourceError> {
        let rules = self.rules(request);
        let mut connection = connect::open(&self.settings.name, &self.ldap).await?;
        let filter = format!(
            "(&{}{})",
            self.ldap.filter,
            lookup_filter(person, &rules.person)
        );
        let mut tray = Tray::default();
        let evidence = self.read(&mut connection, &rules, &filter, &mut tray).await;
        let (completeness, _) = evidence.judge(&self.ldap.bases);
        let mut shortfalls = match completeness {
            Completeness::Full(_) => Vec::new(),
            Completeness::Partial(shortfalls) => shortfalls,
        };
        // That nobody was found is an answer here, and sentinels were not asked for.
        shortfalls.retain(|s| !matches!(s, Shortfall::Empty | Shortfall::Sentinel(_)));
        if tray.identities.is_empty()
            && let Some(dn) = crate::model::Dn::parse(person).filter(|dn| dn.rdn().is_some())
            && self
                .ldap
                .bases
                .iter()
                .filter_map(|base| crate::model::Dn::parse(base))
                .any(|base| dn.is_below(&base))
        {
            let groups = self
                .groups(&mut connection, &rules, &mut ReadEvidence::new())
                .await;
            let search = Search {
                base: person,
                scope: Scope::Base,
                filter: &self.ldap.filter,
                attributes: rules.attributes.clone(),
                page_size: 0,
            };
            tray = self.some(&mut connection, &rules, groups, &search).await.0;
        }
        connection.close().await;
        Ok(Seen {
            identities: tray.identities,
            problems: tray.problems,
            shortfalls,
        })
    }

    async fn read_anchors(
        &self,
        anchors: &[Anchor],
        request: &FetchRequest,
    ) -> Result<Vec<AnchorRead>, SourceError> {
        let rules = self.rules(request);
        let mut connection = connect::open(&self.settings.name, &self.ldap).await?;
        let mut troubles = ReadEvidence::new();
        let groups = self.groups(&mut connection, &rules, &mut troubles).await;
        let mut answers = Vec::with_capacity(anchors.len());
        for anchor in anchors {
            answers.push(
                self.whereabouts(&mut connection, &rules, &groups, anchor)
                    .await,
            );
        }
        connection.close().await;
        Ok(answers)
    }
}

/// Everything by which people are called.
fn lookup_filter(person: &str, rule: &PersonRule) -> String {
    let value = escape_filter(person);
    let names = ["uid", "sAMAccountName", "userPrincipalName", "mail", "cn"];
    let mut filter: String = names
        .iter()
        .map(|name| format!("({name}={value})"))
        .collect();
    if let Ok(anchor) = Anchor::new(person) {
        filter.push_str(&rule.anchor_filter(&anchor));
    }
    format!("(|{filter})")
}

/// Shows a search at debug level, for finding out by hand what the server answers.
fn show(settings: &LdapSettings, url: &str, search: &Search<'_>) {
    if tracing::enabled!(target: "provost::ldap", tracing::Level::DEBUG) {
        let command = command_line(settings, url, search);
        tracing::debug!(target: "provost::ldap", "{command}");
    }
}

/// The same search for a shell. The password comes from a file: it is in no log and in no process list.
fn command_line(settings: &LdapSettings, url: &str, search: &Search<'_>) -> String {
    let word = shell::word;
    let start_tls = settings.servers.iter().any(|s| {
        connect::url_of(s) == url && s.protection == super::settings::Protection::StartTls
    });
    let paged = if search.page_size > 0 {
        format!(" -E pr={}/noprompt", search.page_size)
    } else {
        String::new()
    };
    let attributes: Vec<String> = search.attributes.iter().map(|name| word(name)).collect();
    format!(
        "ldapsearch -x -o ldif-wrap=no -H {}{} -D {} -y \"$LDAPPASSWORD_FILE\"{paged} -b {} {} {}",
        word(url),
        if start_tls { " -ZZ" } else { "" },
        word(&settings.bind_name),
        word(search.base),
        word(search.filter),
        attributes.join(" "),
    )
}
