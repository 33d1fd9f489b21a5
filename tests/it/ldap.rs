//! Reading people from real directory servers, and from servers that misbehave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use provost::model::{
    Anchor, Completeness, EntryProblem, Fingerprint, Identity, ReadReport, Shortfall, Sieve,
};
use provost::source::settings::{
    AnchorRule, Flavour, GroupMethod, GroupSettings, LdapSettings, Protection, Server, SourceKind,
    SourceSettings,
};
use provost::source::{self, AnchorRead, FetchRequest, GroupNeed, SourceError};

use crate::support::{OpenLdap, SambaAd};

mod absent;
mod asked;
mod census;
mod connection;
mod ds389;
mod fake;
mod groups;
mod hidden;
mod hours;
mod moves;
mod stamps;
mod unlisted;

/// Everything a read tells.
#[derive(Default)]
struct Tray {
    known: BTreeMap<Anchor, Fingerprint>,
    people: BTreeMap<Anchor, Identity>,
    problems: Vec<EntryProblem>,
    unchanged: usize,
    /// Called at the first identity.
    on_first: Option<Box<dyn FnMut() + Send>>,
}

impl Sieve for Tray {
    fn is_unchanged(&mut self, anchor: &Anchor, fingerprint: Fingerprint) -> bool {
        let same = self.known.get(anchor) == Some(&fingerprint);
        self.unchanged += usize::from(same);
        same
    }
    fn accept(&mut self, identity: Identity, fingerprint: Fingerprint) {
        if let Some(mut call) = self.on_first.take() {
            call();
        }
        self.known.insert(identity.anchor.clone(), fingerprint);
        self.people.insert(identity.anchor.clone(), identity);
    }
    fn reject(&mut self, problem: EntryProblem) {
        self.problems.push(problem);
    }
}

fn server(url: &str, start_tls: bool) -> Server {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, port) = rest.rsplit_once(':').unwrap();
    Server {
        host: host.to_owned(),
        port: port.parse().unwrap(),
        protection: match (scheme, start_tls) {
            ("ldaps", _) => Protection::Ldaps,
            (_, true) => Protection::StartTls,
            (_, false) => Protection::DangerPlain,
        },
    }
}

fn settings(servers: Vec<Server>, ca_pem: Option<Vec<u8>>) -> (SourceSettings, LdapSettings) {
    let ldap = LdapSettings {
        flavour: Flavour::Ldap,
        servers,
        ca_pem,
        bind_name: String::new(),
        bind_password: String::new().into(),
        bases: Vec::new(),
        filter: "(objectClass=inetOrgPerson)".to_owned(),
        page_size: 100,
        connect_timeout: Duration::from_secs(20),
        read_timeout: Duration::from_secs(20),
        message_limit: 4 << 20,
        groups: GroupSettings {
            bases: Vec::new(),
            filter: "(objectClass=groupOfNames)".to_owned(),
            method: GroupMethod::MemberOf,
            nested: true,
        },
        binary: BTreeSet::new(),
        ignore_referrals: Vec::new(),
        start_attribute: None,
        end_attribute: None,
    };
    let source = SourceSettings {
        name: "staff".to_owned(),
        kind: SourceKind::Ldap(ldap.clone()),
        anchor: AnchorRule::EntryUuid,
        allow_empty: false,
        sentinels: Vec::new(),
    };
    (source, ldap)
}

fn openldap(up: &OpenLdap) -> (SourceSettings, LdapSettings) {
    let ca = std::fs::read(&up.ca_pem).unwrap();
    let (source, mut ldap) = settings(vec![server(&up.ldaps_url, false)], Some(ca));
    ldap.bind_name = up.bind_dn.clone();
    ldap.bind_password = up.password.clone().into();
    ldap.bases = vec![up.people_base.clone()];
    ldap.groups.bases = vec![up.groups_base.clone()];
    (source, ldap)
}

fn samba(up: &SambaAd) -> (SourceSettings, LdapSettings) {
    let ca = std::fs::read(&up.ca_pem).unwrap();
    let (mut source, mut ldap) = settings(vec![server(&up.ldaps_url, false)], Some(ca));
    source.anchor = AnchorRule::ObjectGuid;
    ldap.flavour = Flavour::ActiveDirectory;
    ldap.bind_name = up.bind_dn.clone();
    ldap.bind_password = up.password.clone().into();
    ldap.bases = vec![up.people_base.clone()];
    ldap.filter = "(&(objectCategory=person)(objectClass=user))".to_owned();
    ldap.groups.bases = vec![up.groups_base.clone()];
    ldap.groups.filter = "(objectClass=group)".to_owned();
    (source, ldap)
}

fn request(attributes: &[&str], groups: GroupNeed) -> FetchRequest {
    FetchRequest {
        attributes: attributes.iter().map(|a| (*a).to_owned()).collect(),
        groups,
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn source_of((mut source, ldap): (SourceSettings, LdapSettings)) -> Box<dyn source::Source> {
    source.kind = SourceKind::Ldap(ldap);
    source::connect(&source)
}

fn try_fetch(
    settings: (SourceSettings, LdapSettings),
    request: &FetchRequest,
    tray: &mut Tray,
) -> Result<ReadReport, SourceError> {
    wait(source_of(settings).fetch(request, tray))
}

fn fetch(
    settings: (SourceSettings, LdapSettings),
    request: &FetchRequest,
    tray: &mut Tray,
) -> ReadReport {
    try_fetch(settings, request, tray).unwrap_or_else(|error| panic!("{error}"))
}

/// Where somebody is.
fn read_anchor(
    settings: (SourceSettings, LdapSettings),
    anchor: &Anchor,
    request: &FetchRequest,
) -> AnchorRead {
    let anchors = [anchor.clone()];
    let mut read = wait(source_of(settings).read_anchors(&anchors, request)).unwrap();
    assert_eq!(read.len(), 1);
    read.remove(0)
}

fn shortfalls(report: &ReadReport) -> &[Shortfall] {
    match &report.completeness {
        Completeness::Full(_) => &[],
        Completeness::Partial(why) => why,
    }
}

/// The values of an attribute in what `ldapsearch -LLL` printed, one string per entry.
fn printed(ldif: &str, name: &str) -> Vec<String> {
    let mut values: Vec<String> = ldif
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .map(str::to_owned)
        .collect();
    values.sort();
    values
}

fn texts(tray: &Tray, name: &str) -> Vec<String> {
    let people = tray.people.values();
    let mut values: Vec<String> = people
        .flat_map(|p| p.attributes.texts(name).map(str::to_owned))
        .collect();
    values.sort();
    values
}

fn groups_of(tray: &Tray, uid: &str) -> Vec<String> {
    let mut people = tray.people.values();
    let name = |p: &&Identity| {
        p.attributes.text("uid") == Some(uid) || p.attributes.text("samaccountname") == Some(uid)
    };
    let person = people.find(name).unwrap_or_else(|| panic!("no {uid}"));
    person.groups.iter().map(|g| g.name.to_string()).collect()
}

#[test]
fn everybody_is_read_from_openldap_over_ldaps_and_start_tls() {
    let up = OpenLdap::start(1000);
    let request = request(&["uid", "mail", "jpegphoto"], GroupNeed::All);
    let mut tray = Tray::default();
    let report = fetch(openldap(&up), &request, &mut tray);
    assert_eq!(shortfalls(&report), []);
    assert_eq!(report.bases[0].entries, 1000);
    assert_eq!(tray.problems, []);
    let all = up.search(&[
        "-E",
        "pr=500/noprompt",
        "(objectClass=inetOrgPerson)",
        "entryUUID",
        "uid",
        "mail",
    ]);
    let anchors: Vec<String> = tray.people.keys().map(ToString::to_string).collect();
    assert_eq!(anchors, printed(&all, "entryUUID"));
    assert_eq!(texts(&tray, "uid"), printed(&all, "uid"));
    assert_eq!(texts(&tray, "mail"), printed(&all, "mail"));
    let disabled = up.search(&[
        "-E",
        "pr=500/noprompt",
        "(pwdAccountLockedTime=000001010000Z)",
        "uid",
    ]);
    let found = tray.people.values().filter(|p| p.state.disabled).count();
    assert_eq!(found, printed(&disabled, "uid").len());
    assert!(found > 5, "the company has disabled people");

    // The same over StartTLS, with groups from the other side: nothing is new.
    let (source, mut ldap) = openldap(&up);
    ldap.servers = vec![server(&up.ldap_url, true)];
    ldap.groups.method = GroupMethod::Member;
    let report = fetch((source, ldap), &request, &mut tray);
    assert_eq!(shortfalls(&report), []);
    assert_eq!(tray.unchanged, 1000, "both methods find the same groups");
}

#[test]
fn everybody_is_read_from_active_directory() {
    let up = SambaAd::shared();
    let request = request(
        &["samaccountname", "mail", "logonhours", "objectsid"],
        GroupNeed::All,
    );
    let mut tray = Tray::default();
    let report = fetch(samba(up), &request, &mut tray);
    assert_eq!(shortfalls(&report), []);
    assert_eq!(tray.problems, []);
    let all = up.search(&[
        "-E",
        "pr=500/noprompt",
        "-b",
        &up.people_base,
        "(objectClass=user)",
        "sAMAccountName",
    ]);
    assert_eq!(
        texts(&tray, "samaccountname"),
        printed(&all, "sAMAccountName")
    );
    for person in tray.people.values() {
        for binary in ["logonhours", "objectsid"] {
            assert!(
                person.attributes.texts(binary).next().is_none(),
                "{binary} is bytes"
            );
        }
        assert!(person.attributes.bytes("objectsid").is_some());
    }
    let hours = tray
        .people
        .values()
        .filter_map(|p| p.attributes.bytes("logonhours"));
    assert!(
        hours.into_iter().any(|h| h == [0; 21]),
        "somebody may never log on"
    );
    let disabled = up.search(&[
        "-E",
        "pr=500/noprompt",
        "-b",
        &up.people_base,
        "(userAccountControl:1.2.840.113556.1.4.803:=2)",
        "sAMAccountName",
    ]);
    let found = tray.people.values().filter(|p| p.state.disabled).count();
    assert_eq!(found, printed(&disabled, "sAMAccountName").len());
    assert!(tray.people.values().any(|p| p.state.expires.is_some()));

    // From the other side, and from the whole domain: its own references are not missed, and primary groups count.
    let (source, mut ldap) = samba(up);
    ldap.groups.method = GroupMethod::Member;
    let mut other = Tray::default();
    let report = fetch((source, ldap), &request, &mut other);
    assert_eq!(shortfalls(&report), []);
    for (anchor, person) in &tray.people {
        assert_eq!(person.groups, other.people[anchor].groups, "{}", person.dn);
    }
    let (source, mut ldap) = samba(up);
    ldap.groups.bases = vec![up.base.clone()];
    let report = fetch((source, ldap), &request, &mut tray);
    assert_eq!(shortfalls(&report), []);
    let all_users = |p: &Identity| p.groups.iter().any(|g| &*g.name == "Domain Users");
    assert!(tray.people.values().all(all_users));
}

#[test]
fn groups_are_closed_over_nesting_and_reduced_to_those_named() {
    let up = OpenLdap::start(100);
    let mut tray = Tray::default();
    let named = ["COMPANY", "circle-b"].map(str::to_owned);
    let some = request(&["uid"], GroupNeed::Named(named.into()));
    let report = fetch(openldap(&up), &some, &mut tray);
    assert_eq!(shortfalls(&report), []);
    assert_eq!(groups_of(&tray, "u000000"), ["circle-b", "company"]);
    let (source, mut ldap) = openldap(&up);
    ldap.groups.nested = false;
    let mut tray = Tray::default();
    fetch((source, ldap), &some, &mut tray);
    assert_eq!(groups_of(&tray, "u000000"), Vec::<String>::new());
}

#[test]
fn limits_and_missing_parts_make_a_read_partial() {
    let up = OpenLdap::start(600);
    let people = request(&["uid"], GroupNeed::None);
    let short = |settings| {
        let mut tray = Tray::default();
        let report = fetch(settings, &people, &mut tray);
        (shortfalls(&report).to_vec(), tray)
    };

    let (source, mut ldap) = openldap(&up);
    ldap.filter = "(uid=nobody)".to_owned();
    assert_eq!(short((source.clone(), ldap.clone())).0, [Shortfall::Empty]);
    let allowed = SourceSettings {
        allow_empty: true,
        ..source
    };
    assert_eq!(short((allowed, ldap)).0, []);

    let (mut source, mut ldap) = openldap(&up);
    let lost = format!("ou=renamed,{}", up.base);
    ldap.bases.push(lost.clone());
    source.sentinels = vec![
        format!("UID=u000003, {}", up.people_base),
        "uid=head".to_owned(),
    ];
    let (why, tray) = short((source, ldap));
    assert_eq!(
        why,
        [
            Shortfall::BaseMissing(lost),
            Shortfall::Sentinel("uid=head".to_owned())
        ]
    );
    assert_eq!(tray.people.len(), 600);

    // The same base twice, spelled differently: everybody counts once.
    let (source, mut ldap) = openldap(&up);
    ldap.bases.push(up.base.to_uppercase());
    let (why, tray) = short((source, ldap));
    assert_eq!((why, tray.people.len()), (Vec::new(), 600));

    // An entry above the limit is held with its anchor; the read is still whole.
    let (source, mut ldap) = openldap(&up);
    ldap.message_limit = 4096;
    let mut tray = Tray::default();
    let report = fetch(
        (source, ldap),
        &request(&["uid", "jpegphoto"], GroupNeed::None),
        &mut tray,
    );
    assert_eq!(shortfalls(&report), []);
    assert_eq!(tray.problems.len() + tray.people.len(), 600);
    assert!(!tray.problems.is_empty());
    assert!(
        tray.problems
            .iter()
            .all(|p| p.anchor.is_some() && p.why.contains("message-limit"))
    );

    up.limits("size.soft=50 size.hard=200 size.prtotal=200");
    let (why, tray) = short(openldap(&up));
    assert!(
        matches!(&why[..], [Shortfall::Result { code: 4, .. }]),
        "{why:?}"
    );
    assert!(tray.people.len() < 600);
}

#[test]
fn a_server_killed_in_the_middle_of_a_read_leaves_it_partial() {
    let up = OpenLdap::start(1000);
    let (source, mut ldap) = openldap(&up);
    ldap.page_size = 1;
    let mut victim = Some(up);
    let mut tray = Tray {
        on_first: Some(Box::new(move || drop(victim.take()))),
        ..Tray::default()
    };
    let report = fetch(
        (source, ldap),
        &request(&["uid"], GroupNeed::None),
        &mut tray,
    );
    assert!(
        matches!(shortfalls(&report), [Shortfall::Broken { .. }]),
        "{:?}",
        shortfalls(&report)
    );
    assert!((1..1000).contains(&tray.people.len()));
}

#[test]
fn one_person_is_found_by_name_and_by_anchor() {
    let up = OpenLdap::start(100);
    let all = request(&["uid", "mail"], GroupNeed::All);
    let mail = printed(&up.search(&["(uid=u000030)", "mail"]), "mail")[0].to_uppercase();
    for name in ["u000030", &mail, &format!("uid=u000030,{}", up.people_base)] {
        let found = wait(source_of(openldap(&up)).lookup(name, &all)).unwrap();
        assert_eq!(found.identities.len(), 1, "{name}");
        assert_eq!(found.shortfalls, []);
        assert!(!found.identities[0].groups.is_empty());
    }
    let found = wait(source_of(openldap(&up)).lookup("u*)(uid=*", &all)).unwrap();
    assert!(found.identities.is_empty() && found.shortfalls.is_empty());

    let ldif = up.search(&["(uid=u000030)", "entryUUID"]);
    let anchor = Anchor::new(&printed(&ldif, "entryUUID")[0]).unwrap();
    let read = |settings| read_anchor(settings, &anchor, &all);
    let AnchorRead::Present(identity) = read(openldap(&up)) else {
        panic!("not present");
    };
    assert_eq!(identity.anchor, anchor);
    let (source, mut ldap) = openldap(&up);
    ldap.bases = vec![up.groups_base.clone()];
    assert!(
        matches!(read((source, ldap)), AnchorRead::Elsewhere(dn) if dn.starts_with("uid=u000030,"))
    );
    let (source, mut ldap) = openldap(&up);
    ldap.bases = vec![format!("ou=gone,{}", up.base)];
    assert!(
        matches!(read((source, ldap)), AnchorRead::Unknown(_)),
        "a missing base proves nothing"
    );
    up.modify(&format!(
        "dn: uid=u000030,{}\nchangetype: delete\n",
        up.people_base
    ));
    assert_eq!(read(openldap(&up)), AnchorRead::Gone);
}
