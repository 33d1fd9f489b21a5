//! What every connector must do, clause by clause.

use std::collections::BTreeSet;

use provost::model::{AccountId, MembershipChange};
use provost::target::ConnectorError;

use super::{MAIL, Subject, active, draft, set, text};

pub(super) async fn contract(subject: &Subject) {
    what_is_created_is_seen(subject).await;
    a_unique_value_is_held_once(subject).await;
    attributes_are_changed_and_cleared(subject).await;
    accounts_are_deactivated_and_reactivated(subject).await;
    the_unknown_is_absent(subject).await;
    hostile_text_comes_back_unchanged(subject).await;
    entitlements_are_given_and_taken(subject).await;
    super::together::several_accounts_at_once(subject).await;
    super::access::what_it_can_do_it_does(subject).await;
}

async fn what_is_created_is_seen(subject: &Subject) {
    let wanted = draft("create.seen");
    let made = subject.make("create.seen").await;
    subject.holds(&made, &wanted);
    assert_eq!(made.active, Some(true), "{}", subject.name);
    subject.holds(&subject.seen(&made.id).await, &wanted);
    subject.holds(&subject.listed(&made.id).await, &wanted);
    for name in ["userName", "externalId", MAIL] {
        let value = &wanted.attributes[name];
        let found = subject.target.find(name, value).await.unwrap();
        assert_eq!(found.len(), 1, "{}: find by {name}", subject.name);
        assert_eq!(found[0].id, made.id);
    }
    for name in ["userName", "externalId", MAIL] {
        let found = subject
            .target
            .find(name, &text("no-such-value"))
            .await
            .unwrap();
        assert_eq!(found, [], "{}: find nobody by {name}", subject.name);
    }
}

async fn a_unique_value_is_held_once(subject: &Subject) {
    subject.make("twice").await;
    let again = subject.target.create(&draft("twice")).await;
    assert!(
        matches!(again, Err(ConnectorError::Conflict(_))),
        "{}: {again:?}",
        subject.name
    );
    let found = subject
        .target
        .find("userName", &text("twice"))
        .await
        .unwrap();
    assert_eq!(found.len(), 1, "{}", subject.name);
}

async fn attributes_are_changed_and_cleared(subject: &Subject) {
    let id = subject.make("changed").await.id;
    for (name, value) in [
        ("name.familyName", "Lovelace"),
        (MAIL, "ada@example.org"),
        ("externalId", "ext-2"),
        ("userName", "changed.again"),
        (subject.clearable, "Countess"),
    ] {
        let patch = set(name, Some(text(value)));
        let after = subject.target.update(&id, &patch).await;
        let after = after.unwrap_or_else(|e| panic!("{}: {name}: {e}", subject.name));
        assert_eq!(
            after.attributes.get(name),
            Some(&text(value)),
            "{}",
            subject.name
        );
        let seen = subject.seen(&id).await;
        assert_eq!(
            seen.attributes.get(name),
            Some(&text(value)),
            "{}",
            subject.name
        );
    }
    let given = text("Ada");
    for _ in 0..2 {
        let cleared = subject
            .target
            .update(&id, &set(subject.clearable, None))
            .await
            .unwrap();
        assert_eq!(
            cleared.attributes.get(subject.clearable),
            None,
            "{}",
            subject.name
        );
        let seen = subject.seen(&id).await;
        assert_eq!(
            seen.attributes.get(subject.clearable),
            None,
            "{}",
            subject.name
        );
        // What was not named is untouched.
        assert_eq!(
            seen.attributes.get("name.givenName"),
            Some(&given),
            "{}",
            subject.name
        );
        assert_eq!(seen.active, Some(true), "{}", subject.name);
    }
}

async fn accounts_are_deactivated_and_reactivated(subject: &Subject) {
    let id = subject.make("switched").await.id;
    for wanted in [false, false, true] {
        let after = subject.target.update(&id, &active(wanted)).await;
        let after = after.unwrap_or_else(|e| panic!("{}: active: {e}", subject.name));
        assert_eq!(after.active, Some(wanted), "{}", subject.name);
        assert_eq!(
            subject.seen(&id).await.active,
            Some(wanted),
            "{}",
            subject.name
        );
        // The list includes inactive accounts, and so does a search.
        assert_eq!(
            subject.listed(&id).await.active,
            Some(wanted),
            "{}",
            subject.name
        );
        let found = subject
            .target
            .find("userName", &text("switched"))
            .await
            .unwrap();
        assert_eq!(found.len(), 1, "{}", subject.name);
        assert_eq!(found[0].active, Some(wanted), "{}", subject.name);
    }
}

async fn the_unknown_is_absent(subject: &Subject) {
    let unknown = [
        "00000000-0000-4000-8000-000000000000",
        "no/such?id#here",
        "%2e%2e%2fUsers",
        "../Users",
        "a b\"c\\d",
    ];
    for id in unknown {
        if !subject.any_id && id.contains('"') {
            continue;
        }
        let id = AccountId(id.to_owned());
        assert_eq!(
            subject.target.get(&id).await,
            Ok(None),
            "{}: {id}",
            subject.name
        );
        assert_eq!(
            subject.target.delete(&id).await,
            Ok(()),
            "{}: {id}",
            subject.name
        );
        let changed = subject.target.update(&id, &active(false)).await;
        assert!(
            matches!(changed, Err(ConnectorError::NotFound(_))),
            "{}: {changed:?}",
            subject.name
        );
    }
    let id = subject.make("deleted").await.id;
    assert_eq!(subject.target.delete(&id).await, Ok(()), "{}", subject.name);
    assert_eq!(subject.target.get(&id).await, Ok(None), "{}", subject.name);
    assert_eq!(subject.target.delete(&id).await, Ok(()), "{}", subject.name);
    let list = subject.target.list().await.unwrap();
    assert!(list.iter().all(|a| a.id != id), "{}", subject.name);
}

async fn hostile_text_comes_back_unchanged(subject: &Subject) {
    let texts = [
        "O'Brien \"the\" Boss",
        "back\\slash",
        "Zoë Ǆ 李 🦀",
        "../../etc/passwd",
        "%2f%2e%2e",
        "a;b,c=d&e+f#g?h",
        "x\") or (userName pr",
        "<script>alert(1)</script>",
        "{{ 7 * 7 }} ${HOME} $(id)",
        "\u{202e}gnp.exe",
        "tab\tand\nline",
    ];
    for (i, hostile) in texts.iter().enumerate() {
        let mut wanted = draft(&format!("hostile{i}"));
        wanted
            .attributes
            .insert("name.familyName".to_owned(), text(hostile));
        wanted
            .attributes
            .insert("externalId".to_owned(), text(hostile));
        if subject.any_user_name {
            wanted
                .attributes
                .insert("userName".to_owned(), text(hostile));
        }
        let made = subject.target.create(&wanted).await;
        let made = made.unwrap_or_else(|e| panic!("{}: {hostile:?}: {e}", subject.name));
        subject.holds(&subject.seen(&made.id).await, &wanted);
        let found = subject
            .target
            .find("externalId", &text(hostile))
            .await
            .unwrap();
        assert_eq!(found.len(), 1, "{}: {hostile:?}", subject.name);
        assert_eq!(found[0].id, made.id);
    }
}

async fn entitlements_are_given_and_taken(subject: &Subject) {
    let mut people = BTreeSet::new();
    for i in 0..150 {
        people.insert(subject.make(&format!("member{i}")).await.id);
    }
    let few: BTreeSet<AccountId> = people.iter().take(3).cloned().collect();
    let rest: BTreeSet<AccountId> = people.difference(&few).cloned().collect();
    let none = BTreeSet::new();
    let hostile = "Staff \"A\" & B\\C";
    for (entitlement, add, remove, expected) in [
        ("Staff", &people, &none, &people),
        ("Staff", &people, &none, &people),
        (hostile, &few, &none, &few),
        ("Staff", &none, &few, &rest),
        ("Staff", &few, &rest, &few),
        ("Staff", &few, &rest, &few),
        (hostile, &none, &few, &none),
    ] {
        let change = MembershipChange {
            entitlement: entitlement.to_owned(),
            add: add.clone(),
            remove: remove.clone(),
        };
        let done = subject.target.set_members(&change).await;
        assert_eq!(done, Ok(()), "{}: {entitlement}", subject.name);
        if subject.lists_members {
            assert_eq!(
                subject.held(entitlement).await,
                *expected,
                "{}",
                subject.name
            );
        }
    }
}
