//! What a compiled mapping decides: missing values, alternatives, scope, entitlements, dates, tests in the file.

use std::collections::BTreeSet;

use super::super::{Apply, Compare, GroupUse, Projected};
use super::{evaluate, file, mapping, member, person, project, text};
use crate::model::{Identity, Value};

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn on_missing_decides_about_missing_values() {
    let table = [
        ("value = '{{ mail }}'", Projected::Omit),
        ("value = '{{ mail }}'\non-missing = 'omit'", Projected::Omit),
        (
            "value = '{{ mail }}'\non-missing = 'clear'",
            Projected::Clear,
        ),
        (
            "value = '{{ mail }}'\non-missing = { default = 'none' }",
            text("none"),
        ),
        (
            "value = '{{ mail | lower | trim }}'\non-missing = 'clear'",
            Projected::Clear,
        ),
        (
            "value = '{{ sn }} {{ mail }}'\non-missing = 'clear'",
            Projected::Clear,
        ),
        (
            "value = ' {{ \"\" }} '\non-missing = 'clear'",
            Projected::Clear,
        ),
        (
            "expression = 'mail ~ sn'\non-missing = 'clear'",
            Projected::Clear,
        ),
        (
            "expression = 'none'\non-missing = 'clear'",
            Projected::Clear,
        ),
        (
            "reference = 'manager'\non-missing = 'clear'",
            Projected::Clear,
        ),
        (
            "value = '{{ mail }}'\non-missing = { default = ['a'] }",
            Projected::Value(Value::Set(names(&["a"])), Vec::new()),
        ),
        (
            "expression = 'mail | bool'\non-missing = { default = false }",
            Projected::Value(Value::Bool(false), Vec::new()),
        ),
    ];
    for (body, expected) in table {
        let mapping = mapping(&format!("[attributes.x]\n{body}"));
        assert_eq!(
            project(&mapping, &person(&[("sn", "Doe")]), "x"),
            expected,
            "{body}"
        );
    }
}

#[test]
fn unique_and_matched_attributes_hold_a_person_without_a_value() {
    for body in [
        "[attributes.x]\nvalue = '{{ mail }}'\nunique = true",
        "[attributes.x]\nvalue = '{{ mail }}'\non-missing = 'hold'",
        "[attributes]\nx = '{{ mail }}'\n[[match]]\naccount = 'x'\nvalue = '{{ mail }}'",
    ] {
        let found = project(&mapping(body), &person(&[("sn", "Doe")]), "x");
        let why = "the directory has no mail to make x from; add it in the directory or set on-missing for x";
        assert_eq!(found, Projected::Hold(why.to_owned()), "{body}");
    }
}

#[test]
fn alternatives_come_in_order_and_without_repetition() {
    let body = "[attributes.x]\nvalue = '{{ sn }}'\nunique = true\nalternatives = ['{{ givenName | first_chars(1) }}{{ sn }}', '{{ sn }}', '{{ nick }}', '{{ sn }}{{ n }}']";
    let found = project(
        &mapping(body),
        &person(&[("sn", "doe"), ("givenName", "jane")]),
        "x",
    );
    let mut others = vec![Value::Text("jdoe".to_owned())];
    others.extend((2..=9).map(|n| Value::Text(format!("doe{n}"))));
    assert_eq!(
        found,
        Projected::Value(Value::Text("doe".to_owned()), others)
    );
}

#[test]
fn values_keep_their_types_and_constants_need_no_person() {
    let body = "[attributes]\na = true\nb = 7\nc = ['y', 'x']\nd = 'plain'\ne = { expression = \"['x', '', none, 'y', 3]\" }\nf = { expression = 'sn == \"Doe\"' }\ng = { reference = 'manager' }";
    let mapping = mapping(body);
    let person = person(&[("sn", "Doe"), ("manager", "CN=Boss,DC=example")]);
    let value = |value| Projected::Value(value, Vec::new());
    let table = [
        ("a", value(Value::Bool(true))),
        ("b", value(Value::Int(7))),
        ("c", value(Value::Set(names(&["x", "y"])))),
        ("d", text("plain")),
        ("e", value(Value::Set(names(&["3", "x", "y"])))),
        ("f", value(Value::Bool(true))),
        ("g", Projected::Reference("CN=Boss,DC=example".to_owned())),
    ];
    for (name, expected) in table {
        assert_eq!(project(&mapping, &person, name), expected, "{name}");
    }
}

#[test]
fn rules_say_what_reconciliation_must_know() {
    let body = "[[match]]\naccount = 'login'\nexpression = 'uid'\nadopt = true\n[attributes.login]\nvalue = '{{ uid }}'\nunique = true\nimmutable = true\napply = 'on-create'\ncompare = 'ignore-case'";
    let mapping = mapping(body);
    let rule = mapping.rules().first().unwrap();
    assert!(rule.unique && rule.immutable);
    assert_eq!(
        (rule.apply, rule.compare),
        (Apply::OnCreate, Compare::IgnoreCase)
    );
    let [first, second] = mapping.match_rules() else {
        panic!("two match rules expected");
    };
    assert!(!first.adopt && second.adopt);
    // A match rule compares as its attribute does, unless it says otherwise.
    assert_eq!(
        (first.compare, second.compare),
        (Compare::Exact, Compare::IgnoreCase)
    );
    let projection = mapping.project(&person(&[]));
    let anchor = Value::Text("00112233-4455-6677-8899-aabbccddeeff".to_owned());
    assert_eq!(projection.matches, [Some(anchor), None]);
    assert_eq!(
        mapping.account_attributes(),
        BTreeSet::from(["id", "login"])
    );
}

#[test]
fn the_mapping_says_what_it_needs_from_the_directory() {
    let body = "[scope]\ncondition = 'employeeType and in_group(\"Staff\")'\n[attributes]\na = '{{ givenName }}{{ attr(\"ms-DS-X\") }}{% for v in all(\"proxyAddresses\") %}{{ v }}{% endfor %}'\nb = { reference = 'Manager' }\n[[entitlement]]\ngroups = ['CRM']\nname = 'crm'";
    let mapping = mapping(body);
    let expected = [
        "employeetype",
        "givenname",
        "manager",
        "ms-ds-x",
        "proxyaddresses",
    ];
    assert_eq!(*mapping.source_attributes(), names(&expected));
    assert_eq!(
        *mapping.group_need(),
        GroupUse::Named(names(&["CRM", "Staff"]))
    );
    let table = [
        ("expression = 'groups'", GroupUse::All),
        ("expression = 'in_group(sn)'", GroupUse::All),
        ("expression = 'sn'", GroupUse::None),
    ];
    for (body, expected) in table {
        let body = format!("[attributes.x]\n{body}");
        assert_eq!(*super::mapping(&body).group_need(), expected, "{body}");
    }
}

#[test]
fn every_clause_of_the_scope_must_hold() {
    let staff = member(person(&[("mail", "a@x"), ("type", "internal")]), &["Staff"]);
    let table = [
        ("condition = 'mail and type == \"internal\"'", true),
        ("condition = 'missing'", false),
        ("condition = 'missing | lower == \"x\"'", false),
        ("condition = '\"x\" in missing'", false),
        ("condition = 'missing != \"x\"'", true),
        ("condition = 'missing == \"x\" or mail'", true),
        ("condition = 'not missing'", true),
        ("condition = 'missing < 3'", false),
        ("condition = 'not missing > 3'", false),
        ("condition = 'missing ~ \"x\" == \"x\"'", false),
        ("groups = ['STAFF', 'other']", true),
        ("groups = 'cn=Staff,OU=groups,dc=example,dc=com'", true),
        ("groups = ['other']", false),
        ("not-groups = ['other']", true),
        ("not-groups = ['staff']", false),
        ("ou = ['ou=people,dc=example,dc=com']", true),
        ("ou = 'ou=other,dc=example,dc=com'", false),
        ("not-ou = ['ou=sales,ou=people,dc=example,dc=com']", false),
        ("not-ou = ['ou=other,dc=example,dc=com']", true),
        ("condition = 'mail'\ngroups = ['other']", false),
    ];
    for (body, inside) in table {
        let scope = mapping(&format!("[scope]\n{body}\n[attributes]\nx = 'x'")).scope(&staff);
        assert_eq!((scope.inside, &scope.error), (inside, &None), "{body}");
    }
    let scope = mapping("[scope]\ncondition = 'mail'\nou = ['ou=a,dc=b']\n[attributes]\nx = 'x'")
        .scope(&staff);
    let clauses: Vec<_> = scope
        .clauses
        .iter()
        .map(|c| (c.text.as_str(), c.holds))
        .collect();
    assert_eq!(
        clauses,
        [
            ("condition: mail", true),
            ("below any of: ou=a,dc=b", false)
        ]
    );
    let scope =
        mapping("[scope]\ncondition = 'mail | int > 3'\n[attributes]\nx = 'x'").scope(&staff);
    assert!(!scope.inside);
    assert_eq!(
        scope.error.as_deref(),
        Some("scope.condition: the value is not a whole number (it uses mail)")
    );
    let mut nowhere: Identity = staff;
    nowhere.dn = "not a dn".to_owned();
    assert!(
        !mapping("[scope]\nnot-ou = ['ou=a,dc=b']\n[attributes]\nx = 'x'")
            .scope(&nowhere)
            .inside
    );
}

#[test]
fn dates_come_from_attributes_and_a_last_day_counts_in_full() {
    let body = "timezone = 'Europe/Berlin'\n[lifecycle]\nstarts = 'hired'\nends = \"left | date(from='%d.%m.%Y')\"\n[attributes]\nx = 'x'";
    let text = file("").replacen(
        "version = 1",
        &format!("version = 1\n{}", body.lines().next().unwrap()),
        1,
    );
    let rest: String = body
        .lines()
        .skip(1)
        .map(|line| format!("{line}\n"))
        .collect();
    let mapping = super::Mapping::compile(&format!("{text}{rest}")).unwrap();
    let found = mapping.project(&person(&[("hired", "2026-03-01"), ("left", "31.07.2026")]));
    assert_eq!(found.starts.unwrap().to_string(), "2026-02-28T23:00:00Z");
    assert_eq!(found.ends.unwrap().to_string(), "2026-07-31T22:00:00Z");
    let found = mapping.project(&person(&[("hired", "0")]));
    assert_eq!((found.starts, found.ends), (None, None));
    let scope = mapping.scope(&person(&[("hired", "soon")]));
    assert!(!scope.inside);
    assert!(
        scope
            .error
            .unwrap()
            .starts_with("lifecycle.starts: \"soon\" is not a date")
    );
}

#[test]
fn entitlements_come_from_groups_conditions_and_patterns() {
    let body = "[attributes]\nx = 'x'\n[[entitlement]]\nname = 'Admins'\ngroups = ['crm-admins']\nowns = 'all'\n[[entitlement]]\nname = 'Sales'\ncondition = 'department == \"Sales\"'\n[[entitlement]]\nname = 'Both'\ncondition = 'department'\ngroups = ['crm-admins']\n[[entitlement]]\nfrom-groups = 'CRM-*'\nname = 'crm/{{ group | lower | replace(\"crm-\", \"\") }}'\n[[entitlement]]\nname = '{{ floor }}'\ncondition = 'true'";
    let mapping = mapping(body);
    let granted = |person: &Identity| mapping.project(person).entitlements;
    assert_eq!(granted(&person(&[])), Ok(names(&[])));
    let seller = person(&[("department", "Sales"), ("floor", "3rd")]);
    assert_eq!(granted(&seller), Ok(names(&["3rd", "Sales"])));
    let admin = member(seller, &["crm-admins", "crm-x", "other"]);
    let all = ["3rd", "Admins", "Both", "Sales", "crm/admins", "crm/x"];
    assert_eq!(granted(&admin), Ok(names(&all)));
    assert_eq!(
        mapping.entitlement_names(),
        BTreeSet::from(["Admins", "Both", "Sales"])
    );
    assert!(mapping.entitlement_owns_all("Admins") && !mapping.entitlement_owns_all("Sales"));
    assert!(mapping.manages_entitlement("crm/new"));
    assert_eq!(*mapping.group_need(), GroupUse::All);
    let broken = super::mapping(
        "[attributes]\nx = 'x'\n[[entitlement]]\nname = 'a'\ncondition = 'sn | int'",
    );
    let why = broken
        .project(&person(&[("sn", "Doe")]))
        .entitlements
        .unwrap_err();
    assert!(
        why.starts_with("entitlement[1].condition: the value is not a whole number"),
        "{why}"
    );
    assert!(!broken.manages_entitlement("b"));
}

#[test]
fn several_values_give_the_first_in_order_and_lists_all() {
    let person = person(&[("mail", "b@x"), ("mail", "a@x")]);
    assert_eq!(evaluate("mail", &person), "a@x");
    assert_eq!(evaluate("all('mail')", &person), "a@x, b@x");
}

#[test]
fn tests_in_the_file_are_run() {
    let head = "[scope]\ncondition = 'mail'\n[attributes]\nx = '{{ mail | lower }}'\ny = { value = '{{ sn }}', on-missing = 'hold' }\n[[entitlement]]\nname = 'a'\ngroups = ['g']\n";
    let table = [
        (
            "given = { mail = 'A@x', sn = 'D' }\nexpect = { x = 'a@x' }",
            "",
        ),
        (
            "given = { mail = 'A@x', sn = 'D' }\nexpect = { x = 'A@x' }",
            "x is \"a@x\", expected \"A@x\"",
        ),
        (
            "given = { mail = 'A@x', sn = 'D' }\nabsent = 'x'",
            "x is \"a@x\", expected no value",
        ),
        ("given = { sn = 'D' }\nabsent = 'x'\nin-scope = false", ""),
        (
            "given = { sn = 'D' }",
            "the person is not in scope (condition: mail)",
        ),
        (
            "given = { mail = 'a', sn = 'D' }\nin-scope = false",
            "the person is in scope",
        ),
        (
            "given = { mail = 'a', sn = 'D', groups = ['G'] }\nentitlements = ['a']",
            "",
        ),
        (
            "given = { mail = 'a', sn = 'D' }\nentitlements = ['a']",
            "the entitlements are none, expected \"a\"",
        ),
        ("given = { mail = 'a' }\nhold = 'no sn'", ""),
        (
            "given = { mail = 'a' }",
            "the person is held: the directory has no sn",
        ),
        (
            "given = { mail = 'a', sn = 'D' }\nhold = 'no sn'",
            "the person is not held, expected \"no sn\"",
        ),
    ];
    for (body, expected) in table {
        let mapping = mapping(&format!("{head}[[test]]\nname = 't'\n{body}"));
        let found = mapping.run_tests();
        let message = found.first().map_or("", |problem| problem.message.as_str());
        let wanted = if expected.is_empty() {
            String::new()
        } else {
            format!("test \"t\": {expected}")
        };
        assert!(
            message.starts_with(&wanted) && found.len() == usize::from(!expected.is_empty()),
            "{body}: {found:?}"
        );
        assert!(found.iter().all(|problem| problem.span.is_some()), "{body}");
    }
}

#[test]
fn an_explanation_names_inputs_and_outcomes() {
    let mapping = mapping("[attributes]\nx = '{{ mail | lower }} {{ missing }}'\ny = '{{ dn }}'");
    let found = mapping.explain(&person(&[("mail", "A@x"), ("mail", "B@x")]));
    let first = found.attributes.first().unwrap();
    assert_eq!(
        (first.field.as_str(), &first.outcome),
        ("attributes.x", &Projected::Omit)
    );
    let mail = vec!["A@x".to_owned(), "B@x".to_owned()];
    assert_eq!(
        first.inputs,
        [
            ("mail".to_owned(), mail),
            ("missing".to_owned(), Vec::new())
        ]
    );
    let second = found.attributes.get(1).unwrap();
    let dn = second
        .inputs
        .first()
        .and_then(|(_, values)| values.first())
        .map(String::as_str);
    assert_eq!(dn, Some("CN=Jane Doe,OU=Sales,OU=People,DC=example,DC=com"));
    assert_eq!(
        found.matches.first().map(|found| found.source.as_str()),
        Some("{{ anchor }}")
    );
}

#[test]
fn the_digest_follows_the_text() {
    let one = mapping("[attributes]\nx = 'x'");
    assert_eq!(one.digest(), mapping("[attributes]\nx = 'x'").digest());
    assert_ne!(one.digest(), mapping("[attributes]\nx = 'y'").digest());
}
