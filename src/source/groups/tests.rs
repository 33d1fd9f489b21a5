//! Groups: membership by either side, nested, ranged, and written in every way.

use super::*;

fn rule(method: GroupMethod, need: GroupNeed) -> GroupRule {
    GroupRule {
        flavour: Flavour::ActiveDirectory,
        method,
        nested: true,
        need,
    }
}

fn named(names: &[&str]) -> GroupNeed {
    GroupNeed::Named(names.iter().map(|name| (*name).to_owned()).collect())
}

fn read(rule: GroupRule, groups: &[(&str, &str, &[&str])]) -> Result<GroupTable, String> {
    let mut reader = GroupReader::new(rule);
    for (dn, attribute, values) in groups {
        let cn = dn.split(['=', ',']).nth(1).unwrap_or(dn);
        let mut entry = RawEntry::new(dn.as_bytes());
        entry.push(b"cn", [cn.as_bytes()]);
        entry.push(attribute.as_bytes(), values.iter().map(|v| v.as_bytes()));
        reader.take(&entry)?;
    }
    reader.finish()
}

fn of(table: &mut GroupTable, dn: &str, attributes: &[(&str, &[u8])]) -> Vec<String> {
    let mut entry = RawEntry::new(dn.as_bytes());
    for (name, value) in attributes {
        entry.push(name.as_bytes(), [*value]);
    }
    let mut numbers = Vec::new();
    table.of(&entry, &mut numbers).unwrap();
    numbers
        .iter()
        .map(|n| table.get(*n).unwrap().0.name.to_string())
        .collect()
}

const TREE: [(&str, &str, &[&str]); 5] = [
    ("cn=a,dc=t", "member", &["CN=p\\2C q , dc=t", ""]),
    ("cn=b,dc=t", "member", &["CN=A,DC=t", "cn=gone,dc=t"]),
    ("cn=c,dc=t", "member", &["cn=b,dc=t", "cn=d,dc=t"]),
    ("cn=d,dc=t", "member", &["cn=c,dc=t"]),
    ("cn=u,dc=t", "memberUid", &["Pq"]),
];

#[test]
fn members_through_groups_circles_and_spellings() {
    let mut all = read(rule(GroupMethod::Member, GroupNeed::All), &TREE).unwrap();
    assert_eq!(
        of(&mut all, "cn=P\\, Q,dc=t", &[("uid", b"pq")]),
        ["a", "b", "c", "d", "u"]
    );
    assert!(of(&mut all, "cn=other,dc=t", &[]).is_empty());
    let mut some = read(
        rule(GroupMethod::Member, named(&["C", "CN=D,dc=t", "none"])),
        &TREE,
    )
    .unwrap();
    assert_eq!(
        of(&mut some, "cn=p\\, q,dc=t", &[]),
        ["c", "d"],
        "found through groups that nobody named"
    );
    let flat = GroupRule {
        nested: false,
        ..rule(GroupMethod::Member, GroupNeed::All)
    };
    assert_eq!(
        of(&mut read(flat, &TREE).unwrap(), "cn=p\\, q,dc=t", &[]),
        ["a"]
    );
}

#[test]
fn bits_after_a_name_are_no_part_of_it() {
    for (value, dn) in [
        ("uid=a,dc=t#'0101'B", "uid=a,dc=t"),
        ("uid=a,dc=t#''b", "uid=a,dc=t"),
        ("cn=a#'01'B,dc=t#x#'1'B", "cn=a#'01'B,dc=t#x"),
        ("cn=a\\\\#'0'B", "cn=a\\\\"),
        ("#'0'B", ""),
        // None of these has any.
        ("uid=a,dc=t", "uid=a,dc=t"),
        ("cn=a#'01'B,dc=t", "cn=a#'01'B,dc=t"),
        ("cn=a\\#'0'B", "cn=a\\#'0'B"),
        ("uid=a,dc=t#'012'B", "uid=a,dc=t#'012'B"),
        ("uid=a,dc=t#'01'", "uid=a,dc=t#'01'"),
        ("uid=a,dc=t'01'B", "uid=a,dc=t'01'B"),
        ("uid=a,dc=t#01'B", "uid=a,dc=t#01'B"),
        ("'B", "'B"),
        ("", ""),
    ] {
        let found = without_uid(value.as_bytes());
        assert_eq!(std::str::from_utf8(found), Ok(dn), "{value}");
    }
    let groups: [(&str, &str, &[&str]); 2] = [
        ("cn=a,dc=t", "uniqueMember", &["CN=p, DC=t#'01'B"]),
        ("cn=b,dc=t", "member", &["cn=p,dc=t#'01'B"]),
    ];
    let mut table = read(rule(GroupMethod::Member, GroupNeed::All), &groups).unwrap();
    assert_eq!(
        of(&mut table, "cn=p,dc=t", &[]),
        ["a"],
        "member has no bits"
    );
}

#[test]
fn member_of_and_the_primary_group() {
    let groups: [(&str, &str, &[&str]); 2] = [
        ("cn=a,dc=t", "memberOf", &["CN=B,dc=t"]),
        (
            "cn=b,dc=t",
            "objectSid",
            &["\u{1}\u{1}\0\0\0\0\0\u{5}\u{7}\0\0\0"],
        ),
    ];
    let mut table = read(rule(GroupMethod::MemberOf, GroupNeed::All), &groups).unwrap();
    for _ in 0..2 {
        assert_eq!(
            of(&mut table, "cn=p", &[("memberOf", b"cn=A,DC=t")]),
            ["a", "b"]
        );
    }
    assert!(of(&mut table, "cn=p", &[("memberOf", b"cn=elsewhere")]).is_empty());
    let sid = b"\x01\x01\0\0\0\0\0\x05\x63\0\0\0";
    assert_eq!(
        of(
            &mut table,
            "cn=p",
            &[("objectSid", sid), ("primaryGroupID", b"7")]
        ),
        ["b"]
    );
    let mut entry = RawEntry::new(b"cn=p");
    entry.push(b"memberOf", [&b"\xff"[..]]);
    assert!(table.of(&entry, &mut Vec::new()).is_err());
}

#[test]
fn what_cannot_be_understood_is_said() {
    assert!(
        read(
            rule(GroupMethod::Member, GroupNeed::All),
            &[("cn=a", "member", &["x"])]
        )
        .is_err()
    );
    assert!(
        read(
            rule(GroupMethod::Member, GroupNeed::All),
            &[("a", "member", &[])]
        )
        .is_err()
    );
    let chain: Vec<(String, String)> = (0..70)
        .map(|n| (format!("cn=g{n:02}"), format!("cn=g{:02}", n + 1)))
        .collect();
    let mut reader = GroupReader::new(rule(GroupMethod::MemberOf, GroupNeed::All));
    for (dn, above) in &chain {
        let mut entry = RawEntry::new(dn.as_bytes());
        entry.push(b"memberOf", [above.as_bytes()]);
        reader.take(&entry).unwrap();
    }
    assert!(
        reader
            .finish()
            .is_err_and(|why| why.contains("nested more than"))
    );
}
