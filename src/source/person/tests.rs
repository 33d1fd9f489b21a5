//! A person from an entry.

use super::*;
use crate::source::entry::Schema;
use crate::source::settings::{AnchorRule, Flavour};
use crate::source::state::StateRule;

#[derive(Default)]
struct Tray {
    known: HashMap<Anchor, Fingerprint>,
    accepted: Vec<Identity>,
    unchanged: usize,
    rejected: Vec<EntryProblem>,
}

impl Sieve for Tray {
    fn is_unchanged(&mut self, anchor: &Anchor, fingerprint: Fingerprint) -> bool {
        let same = self.known.get(anchor) == Some(&fingerprint);
        self.unchanged += usize::from(same);
        same
    }
    fn accept(&mut self, identity: Identity, fingerprint: Fingerprint) {
        self.known.insert(identity.anchor.clone(), fingerprint);
        self.accepted.push(identity);
    }
    fn reject(&mut self, problem: EntryProblem) {
        self.rejected.push(problem);
    }
}

fn rule(attributes: &[&str]) -> PersonRule {
    let state = StateRule {
        flavour: Flavour::Ldap,
        start: None,
        end: None,
        needs_control: false,
    };
    let attributes = attributes.iter().map(|a| (*a).to_owned()).collect();
    PersonRule::new(
        &AnchorRule::EntryUuid,
        state,
        &Schema::default(),
        &attributes,
    )
}

fn entry<'a>(dn: &'a str, attributes: &[(&'a str, &[&'a str])]) -> RawEntry<'a> {
    let mut entry = RawEntry::new(dn.as_bytes());
    for (name, values) in attributes {
        entry.push(name.as_bytes(), values.iter().map(|v| v.as_bytes()));
    }
    entry
}

const ID: &str = "00112233-4455-6677-8899-aabbccddeeff";

fn read(
    tray: &mut Tray,
    rule: &PersonRule,
    short: bool,
    entries: &[RawEntry<'_>],
) -> Vec<Shortfall> {
    let mut evidence = ReadEvidence::new();
    let mut reader = PersonReader::new(rule, None, short, &["CN=boss, dc=t".to_owned()]);
    for entry in entries {
        reader.take(entry, &mut evidence, tray);
    }
    reader.finish(false, &mut evidence);
    match evidence.judge(&[]).0 {
        crate::model::Completeness::Partial(why) => why,
        crate::model::Completeness::Full(_) => Vec::new(),
    }
}

#[test]
fn order_and_case_change_nothing_and_values_do() {
    let rule = rule(&["mail", "sn"]);
    let mut tray = Tray::default();
    let first = entry(
        "cn=boss,dc=t",
        &[
            ("entryUUID", &[ID]),
            ("mail", &["a", "b"]),
            ("sn", &["X"]),
            ("other", &["1"]),
        ],
    );
    let same = entry(
        "cn=boss,dc=t",
        &[
            ("SN", &["X"]),
            ("other", &["2"]),
            ("Mail", &["b", "a"]),
            ("entryuuid", &[ID]),
        ],
    );
    let moved = entry(
        "cn=boss2,dc=t",
        &[("entryUUID", &[ID]), ("mail", &["a", "b"]), ("sn", &["X"])],
    );
    let joined = entry(
        "cn=boss,dc=t",
        &[("entryUUID", &[ID]), ("mail", &["ab"]), ("sn", &["X"])],
    );
    let off = entry(
        "cn=boss,dc=t",
        &[
            ("entryUUID", &[ID]),
            ("mail", &["a", "b"]),
            ("sn", &["X"]),
            ("nsAccountLock", &["TRUE"]),
        ],
    );
    for (entry, unchanged) in [(first, 0), (same, 1), (moved, 1), (joined, 1), (off, 1)] {
        read(&mut tray, &rule, false, &[entry]);
        assert_eq!(tray.unchanged, unchanged);
    }
    assert_eq!(tray.accepted.len(), 4);
    assert_eq!(tray.accepted[0].attributes.get("mail").len(), 2);
    assert_eq!(tray.accepted[0].attributes.get("other").len(), 0);
    assert!(tray.accepted[3].state.disabled);
}

#[test]
fn what_is_wrong_is_held_and_said() {
    let rule = rule(&["mail"]);
    let mut tray = Tray::default();
    let none = entry("cn=x,dc=t", &[("mail", &["a"])]);
    let two = entry("cn=y,dc=t", &[("entryUUID", &[ID, "b"])]);
    let mut bad = entry("cn=z,dc=t", &[("entryUUID", &[ID])]);
    bad.push(b"mail", [&b"\xff"[..]]);
    let again = entry("cn=Z,dc=t", &[("entryUUID", &[ID])]);
    let why = read(&mut tray, &rule, false, &[none, two, bad, again]);
    assert_eq!(tray.rejected.len(), 3);
    assert_eq!(
        tray.rejected[2].anchor.as_ref().map(Anchor::as_str),
        Some(ID)
    );
    for expected in [
        Shortfall::NoAnchor("cn=x,dc=t".to_owned()),
        Shortfall::NoAnchor("cn=y,dc=t".to_owned()),
        Shortfall::DuplicateAnchor(ID.to_owned()),
        Shortfall::Sentinel("CN=boss, dc=t".to_owned()),
    ] {
        assert!(why.contains(&expected), "{expected}");
    }
}

#[test]
fn without_groups_only_positive_evidence_passes() {
    let rule = rule(&["mail"]);
    let mut tray = Tray::default();
    let changed = entry("cn=boss,dc=t", &[("entryUUID", &[ID]), ("mail", &["new"])]);
    read(&mut tray, &rule, true, &[changed]);
    assert_eq!((tray.accepted.len(), tray.rejected.len()), (0, 1));
    let disabled = entry(
        "cn=boss,dc=t",
        &[("entryUUID", &[ID]), ("nsAccountLock", &["true"])],
    );
    read(&mut tray, &rule, true, &[disabled]);
    assert_eq!(tray.accepted.len(), 1);
}
