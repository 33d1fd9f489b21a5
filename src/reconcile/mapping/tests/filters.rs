//! Every filter, function and test of the language, one line each.

use super::{Projected, evaluate, mapping, member, person, project, text};
use crate::model::SourceValue;

const TABLE: &[(&str, &str)] = &[
    ("mail | lower", "l.orsted@example.com"),
    ("mail | upper", "L.ORSTED@EXAMPLE.COM"),
    ("'anna-lena o’neill' | title", "Anna-Lena O’neill"),
    ("'ÉLAN vital' | capitalize", "Élan vital"),
    ("street | trim", "Am   Wald"),
    ("'xxabxx' | trim('x')", "ab"),
    ("mail | replace('@Example.COM', '')", "L.Orsted"),
    ("mail | regex_replace('@.*$', '')", "L.Orsted"),
    (
        "sn | regex_replace('(\\\\w+) (\\\\w+)', '$2 $1')",
        "Weiß Ørsted",
    ),
    ("mail | regex_match('^[A-Z]')", "true"),
    ("mail | regex_match('^[0-9]')", "false"),
    ("mail | regex_find('@(.*)$', 1)", "Example.COM"),
    ("mail | regex_find('#')", "-"),
    ("sn | split | last", "Weiß"),
    ("sn | split(' ') | first", "Ørsted"),
    ("sn | split(' ') | join('.')", "Ørsted.Weiß"),
    ("all('tags') | join('+')", "a+b+c"),
    ("all('tags') | length", "3"),
    ("all('tags') | reverse | first", "c"),
    ("all('tags') | map('upper') | sort | join", "ABC"),
    ("all('tags') | select('ne', 'b') | join", "ac"),
    ("all('tags') | reject('eq', 'b') | join", "ac"),
    ("['b', 'a', 'b'] | unique | list", "a, b"),
    ("all('missing')", "-"),
    ("tags", "a"),
    ("missing | default('x')", "x"),
    ("missing | lower | default('x')", "x"),
    ("missing | d('x')", "x"),
    ("first_of(missing, mail, sn)", "L.Orsted@Example.COM"),
    ("first_of(missing, '')", "-"),
    (
        "givenName | ascii ~ ' ' ~ sn | ascii",
        "Lukasz Orsted Weiss",
    ),
    ("city | ascii", "Mullheim"),
    ("city | ascii('de')", "Muellheim"),
    (
        "'Öffentliche Dienste & Co.' | slug",
        "offentliche-dienste-co",
    ),
    ("city | first_chars(2)", "Mü"),
    ("city | last_chars(4)", "heim"),
    ("decomposed | nfc == 'Müller'", "true"),
    ("decomposed == 'Müller'", "false"),
    ("phone | digits", "+490401234"),
    ("expires | date", "2024-02-03"),
    (
        "expires | date('%d.%m.%Y %H:%M', timezone='Europe/Berlin')",
        "03.02.2024 01:00",
    ),
    ("never | date", "-"),
    ("born | date(from='%d.%m.%Y')", "2000-01-31"),
    ("shadow | date(from='days')", "2026-01-31"),
    ("'20260131080000Z' | date('%Y%m%d')", "20260131"),
    ("'20260131080007.0Z' | date('%H%M%S')", "080007"),
    ("flag | bool", "true"),
    ("'off' | bool", "false"),
    ("number | int", "42"),
    ("number | int + 1", "43"),
    ("'9007199254740993' | int", "9007199254740993"),
    ("number | string", " 42 "),
    ("department | lookup('role')", "seller"),
    ("'ITS' | lookup('role')", "a, b"),
    ("city | lookup('role')", "-"),
    ("city | lookup('role', 'other')", "other"),
    ("missing | lookup('role', 'other')", "other"),
    (
        "attr('guid-bytes') | hex",
        "33221100554477668899aabbccddeeff",
    ),
    (
        "attr('GUID-bytes') | guid",
        "00112233-4455-6677-8899-aabbccddeeff",
    ),
    ("attr('guid-bytes') | base64", "MyIRAFVEd2aImaq7zN3u/w=="),
    ("dn | regex_find('^[^,]+')", "CN=Jane Doe"),
    ("anchor", "00112233-4455-6677-8899-aabbccddeeff"),
    ("ou", "Sales"),
    ("parent", "OU=Sales,OU=People,DC=example,DC=com"),
    ("disabled", "false"),
    ("groups", "CRM Users, Staff"),
    ("in_group('crm users')", "true"),
    ("in_group('cn=staff, ou=Groups,dc=example,dc=com')", "true"),
    ("in_group('other')", "false"),
    ("in_ou('ou=people, dc=EXAMPLE,dc=com')", "true"),
    ("in_ou('ou=people,dc=example,dc=org')", "false"),
    ("MAIL is defined and missing is undefined", "true"),
    (
        "mail is startingwith('L') and mail is endingwith('M')",
        "true",
    ),
    ("'a' if mail is string else 'b'", "a"),
    ("1 if missing else 2", "2"),
    ("missing == 'x'", "false"),
    ("missing != 'x'", "true"),
    ("'a' if missing == 'x' else 'b'", "b"),
    ("missing + 1", "-"),
    ("'a' ~ missing", "-"),
    ("missing < 3", "-"),
    ("[missing, city]", "Müllheim"),
];

#[test]
fn filters_give_what_the_reference_says() {
    let person = person(&[
        ("givenName", "Łukasz"),
        ("sn", "Ørsted Weiß"),
        ("mail", "L.Orsted@Example.COM"),
        ("city", "Müllheim"),
        ("street", "  Am   Wald "),
        ("phone", "+49 (0) 40/123-4"),
        ("department", "SALES"),
        ("number", " 42 "),
        ("flag", "TRUE"),
        ("expires", "133513920000000000"),
        ("never", "0"),
        ("born", "31.01.2000"),
        ("shadow", "20484"),
        ("tags", "b"),
        ("tags", "a"),
        ("tags", "c"),
        ("decomposed", "Mu\u{308}ller"),
    ]);
    let mut person = member(person, &["Staff", "CRM Users"]);
    let guid = [
        0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
    ];
    person
        .attributes
        .set("guid-bytes", vec![SourceValue::Bytes(Box::new(guid))]);
    for (expression, expected) in TABLE {
        assert_eq!(evaluate(expression, &person), *expected, "{expression}");
    }
}

#[test]
fn a_value_that_does_not_fit_holds_the_person_and_says_why() {
    let mut person = person(&[("sn", "Doe"), ("tags", "a"), ("tags", "b")]);
    person
        .attributes
        .set("photo", vec![SourceValue::Bytes(Box::new([255, 0]))]);
    let table = [
        (
            "sn | int",
            "attributes.x.expression: the value is not a whole number (it uses sn)",
        ),
        ("sn | bool", "the value is neither true nor false"),
        ("sn | date", "\"Doe\" is not a date in this form"),
        (
            "sn | date(from='nonsense')",
            "unknown date form \"nonsense\"",
        ),
        (
            "sn | date(timezone='Mars/Base')",
            "unknown time zone \"Mars/Base\"",
        ),
        ("'2026-01-01' | date('%Q')", "does not fit"),
        ("sn | ascii('fr')", "ascii('fr') is unknown"),
        ("sn | guid", "a GUID is a binary value of 16 bytes"),
        ("photo", "the result is binary"),
        ("photo | lower", "the value is binary"),
        ("all('tags') | lower", "the value is a list"),
        ("1.5", "the result is not a whole number"),
        ("{'a': 1}", "the result is neither a text"),
        ("sn + 1", "tried to use + operator"),
    ];
    for (expression, expected) in table {
        let found = evaluate(expression, &person);
        assert!(found.contains(expected), "{expression}: {found}");
    }
}

#[test]
fn what_is_binary_is_no_text_though_it_could_be_read_as_one() {
    let mapping = mapping("[attributes]\nx = '{{ hours }}'\ny = '{{ hours | hex }}'");
    let mut person = person(&[]);
    let hours = SourceValue::Bytes(Box::new(*b"abc"));
    person.attributes.set("hours", vec![hours]);
    let found = project(&mapping, &person, "x");
    let refused = |why: &str| why.contains("the value is binary");
    assert!(
        matches!(&found, Projected::Hold(why) if refused(why)),
        "{found:?}"
    );
    assert_eq!(project(&mapping, &person, "y"), text("616263"));
}
