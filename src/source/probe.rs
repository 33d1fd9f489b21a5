//! What `check --online` shows of a source: one line for each thing that must work before the first read.

mod shown;

use super::connect::{self, Connection};
use super::entry::{OwnedEntry, Schema, printable};
use super::groups::GroupRule;
use super::rule::PersonRule;
use super::search::{self, Found, Scope, Search};
use super::settings::{LdapSettings, Protection, SourceKind, SourceSettings};
use super::state::StateRule;
use super::{FetchRequest, GroupNeed, Source as _};
use crate::model::{Completeness, Shortfall};

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// What was looked at.
    pub what: String,
    /// What was found, or what is wrong and what to do.
    pub found: String,
    /// Whether it is as it must be.
    pub sound: Sound,
}

/// Whether something is as it must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sound {
    /// It is.
    Good,
    /// It works, and may mean less than it seems: somebody should look.
    Doubtful,
    /// It must be mended.
    Bad,
}

fn line(what: impl Into<String>, found: impl Into<String>, ok: bool) -> Line {
    Line {
        what: what.into(),
        found: found.into(),
        sound: if ok { Sound::Good } else { Sound::Bad },
    }
}

/// Looks at a source without reading everybody.
pub async fn probe(settings: &SourceSettings, request: &FetchRequest) -> Vec<Line> {
    match &settings.kind {
        SourceKind::Ldap(ldap) => server(settings, ldap, request).await,
        SourceKind::Ldif(ldif) => {
            let source = super::ldif::LdifSource {
                settings: settings.clone(),
                ldif: ldif.clone(),
            };
            file(&source, request).await
        }
    }
}

async fn file(source: &super::ldif::LdifSource, request: &FetchRequest) -> Vec<Line> {
    let mut tray = super::tray::Tray::default();
    match source.fetch(request, &mut tray).await {
        Err(error) => vec![line("file", error.to_string(), false)],
        Ok(report) => {
            let mut lines = vec![line("file", report.server, true)];
            lines.extend(report.bases.iter().map(|base| {
                line(
                    format!("base {}", base.base),
                    format!("{} people", base.entries),
                    true,
                )
            }));
            if let Completeness::Partial(why) = report.completeness {
                lines.extend(why.iter().map(|why| line("read", why.to_string(), false)));
            }
            lines
        }
    }
}

async fn server(
    settings: &SourceSettings,
    ldap: &LdapSettings,
    request: &FetchRequest,
) -> Vec<Line> {
    let mut connection = match connect::open(&settings.name, ldap).await {
        Ok(connection) => connection,
        Err(error) => return vec![line("connection", error.to_string(), false)],
    };
    let mut lines = greeting(&connection, ldap);
    let state = StateRule {
        flavour: ldap.flavour,
        start: ldap.start_attribute.clone(),
        end: ldap.end_attribute.clone(),
        needs_control: true,
    };
    let schema = Schema::new(&ldap.binary);
    let person = PersonRule::new(&settings.anchor, state, &schema, &request.attributes);
    for base in &ldap.bases {
        lines.push(people(&mut connection, ldap, &person, base).await);
    }
    if lines.iter().all(|line| line.sound == Sound::Good) {
        lines.extend(shown::lines(&mut connection, ldap, request).await);
    }
    if request.groups != GroupNeed::None {
        let rule = GroupRule {
            flavour: ldap.flavour,
            method: ldap.groups.method,
            nested: ldap.groups.nested,
            need: request.groups.clone(),
        };
        for base in ldap.group_bases() {
            lines.push(groups(&mut connection, ldap, &rule, base).await);
        }
    }
    connection.close().await;
    lines
}

fn greeting(connection: &Connection, ldap: &LdapSettings) -> Vec<Line> {
    let mut lines = vec![line("connection", connection.url.clone(), true)];
    lines.push(match &connection.tls {
        Some(tls) => line("protection", tls.clone(), true),
        None => {
            let plain = ldap
                .servers
                .iter()
                .all(|s| s.protection == Protection::DangerPlain);
            line(
                "protection",
                "none: the password crosses the network in clear",
                plain,
            )
        }
    });
    let bound = connection.bound_as.clone();
    lines.push(line(
        "bound as",
        bound.unwrap_or_else(|| format!("{} (the server cannot say)", ldap.bind_name)),
        true,
    ));
    let root = &connection.root;
    if root.known {
        let vendor = root.vendor.as_deref().unwrap_or("does not say what it is");
        let paging = root.paging() == Some(true);
        let offers = if paging {
            "offers paged results"
        } else {
            "offers no paged results: every read must fit into one answer"
        };
        lines.push(line("server", format!("{vendor}; {offers}"), true));
    } else {
        lines.push(line(
            "server",
            "its root entry cannot be read, so it is not known what it offers",
            true,
        ));
    }
    lines
}

/// The first entries of a search: a server that offers more than one page is not asked for the rest.
async fn sample(
    connection: &mut Connection,
    search: &Search<'_>,
) -> (Vec<OwnedEntry>, Result<(), Shortfall>) {
    let mut found = Vec::new();
    let end = search::first_page(connection, search, &mut |item| {
        if let Found::Entry(entry) = item {
            found.push(OwnedEntry::copy(entry));
        }
    })
    .await;
    (found, end)
}

async fn people(
    connection: &mut Connection,
    ldap: &LdapSettings,
    person: &PersonRule,
    base: &str,
) -> Line {
    let what = format!("people below {base}");
    let search = Search {
        base,
        scope: Scope::Subtree,
        filter: &ldap.filter,
        attributes: person.attributes().into_iter().collect(),
        page_size: 5,
    };
    let (found, end) = sample(connection, &search).await;
    if let Err(why) = end {
        return line(what, why.to_string(), false);
    }
    let Some(entry) = found.first() else {
        return line(
            what,
            "nobody matches the filter, or the bind account may not read them",
            false,
        );
    };
    let raw = entry.borrow();
    let dn = printable(&entry.dn);
    let read = person
        .anchor_of(&raw)
        .and_then(|anchor| person.state_of(&raw).map(|_state| anchor));
    match read.map_err(|why| format!("{dn}: {why}")) {
        Ok(anchor) => line(
            what,
            format!("{dn}, {} {anchor}", person.anchor_attribute()),
            true,
        ),
        Err(why) => line(what, why, false),
    }
}

async fn groups(
    connection: &mut Connection,
    ldap: &LdapSettings,
    rule: &GroupRule,
    base: &str,
) -> Line {
    let what = format!("groups below {base}");
    let search = Search {
        base,
        scope: Scope::Subtree,
        filter: &ldap.groups.filter,
        attributes: rule.on_groups(),
        page_size: 5,
    };
    let (found, end) = sample(connection, &search).await;
    match (end, found.first()) {
        (Err(why), _) => line(what, why.to_string(), false),
        (Ok(()), None) => line(
            what,
            "no group matches the filter, or the bind account may not read them",
            false,
        ),
        (Ok(()), Some(group)) => line(what, printable(&group.dn), true),
    }
}
