//! People of Active Directory who are renamed, moved and respelled, and those who go: the real binary on a real Samba.

use super::absent::House;
use crate::support::SambaAd;

/// Everybody's account by login, and whether it is active.
fn accounts(house: &House) -> Vec<(String, bool, String)> {
    let mut all: Vec<_> = house
        .accounts()
        .into_iter()
        .map(|a| {
            let login = a.attributes.get("login").map(ToString::to_string);
            (
                a.id.to_string(),
                a.active == Some(true),
                login.unwrap_or_default(),
            )
        })
        .collect();
    all.sort();
    all
}

#[test]
fn no_rename_move_or_respelling_ever_makes_a_leaver_or_a_newcomer() {
    let up = SambaAd::start(60);
    let house = House::of_domain(&up, std::slice::from_ref(&up.people_base));
    let before = accounts(&house);
    let inner = format!("OU=Inner,{}", up.people_base);
    up.modify(&format!(
        "dn: {inner}\nchangetype: add\nobjectClass: organizationalUnit\nou: Inner\n"
    ));
    let change = |ldif: &str| {
        up.modify(ldif);
        house.finishes();
        let now = accounts(&house);
        let ids = |all: &[(String, bool, String)]| {
            all.iter().map(|a| (a.0.clone(), a.1)).collect::<Vec<_>>()
        };
        assert_eq!(ids(&now), ids(&before), "after\n{ldif}");
        now
    };
    // The common name, and with it the DN.
    let old = up.dn_line("u000030");
    change(&format!(
        "{old}\nchangetype: modrdn\nnewrdn: CN=Somebody Else\ndeleteoldrdn: 1\n"
    ));
    // Only the case of the DN.
    let old = up.dn_line("u000030");
    change(&format!(
        "{old}\nchangetype: modrdn\nnewrdn: CN=SOMEBODY else\ndeleteoldrdn: 1\n"
    ));
    // Another unit, with another name at the same time.
    let old = up.dn_line("u000031");
    change(&format!(
        "{old}\nchangetype: modrdn\nnewrdn: CN=Moved\ndeleteoldrdn: 1\nnewsuperior: {inner}\n"
    ));
    // The unit that they are in.
    change(&format!(
        "dn: {inner}\nchangetype: modrdn\nnewrdn: OU=Renamed Unit\ndeleteoldrdn: 1\n"
    ));
    // The login in another case: the application compares without regard to it.
    let same = up.dn_line("u000032");
    let now = change(&format!(
        "{same}\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: U000032\n"
    ));
    assert!(now.iter().any(|a| a.2 == "u000032"));
    // Another login altogether.
    let same = up.dn_line("u000033");
    let now = change(&format!(
        "{same}\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: married\n"
    ));
    assert!(now.iter().any(|a| a.2 == "married"));
    assert!(!now.iter().any(|a| a.2 == "u000033"));
    house.rests();
}

#[test]
fn a_manager_stays_the_same_account_through_rename_and_move() {
    let up = SambaAd::start(60);
    let house = House::of_domain(&up, std::slice::from_ref(&up.people_base));
    house.maps("[attributes.boss]\nreference = \"manager\"\non-missing = \"omit\"\n");
    house.approve();
    let manager = |login: &str| up.dn_line(login).replacen("dn:", "manager:", 1);
    up.modify(&format!(
        "{}\nchangetype: modify\nreplace: manager\n{}\n",
        up.dn_line("u000032"),
        manager("u000055")
    ));
    let boss_is = |login: &str| {
        let all = house.accounts();
        let of = |login: &str| {
            let named = |a: &&provost::model::Account| {
                let found = a.attributes.get("login").map(ToString::to_string);
                found.as_deref() == Some(login)
            };
            all.iter()
                .find(named)
                .unwrap_or_else(|| panic!("no {login}"))
        };
        let boss = of("u000032")
            .attributes
            .get("boss")
            .map(ToString::to_string);
        assert_eq!(boss, Some(of(login).id.to_string()));
    };
    house.finishes();
    boss_is("u000055");
    // Everybody of the manager's now names another DN, and nobody's account has to be told.
    up.modify(&format!(
        "dn: OU=Inner,{0}\nchangetype: add\nobjectClass: organizationalUnit\nou: Inner\n\n\
         {1}\nchangetype: modrdn\nnewrdn: CN=Director\ndeleteoldrdn: 1\nnewsuperior: OU=Inner,{0}\n",
        up.people_base,
        up.dn_line("u000055")
    ));
    house.finishes();
    boss_is("u000055");
    up.modify(&format!(
        "{}\nchangetype: modify\nreplace: manager\n{}\n",
        up.dn_line("u000032"),
        manager("u000054")
    ));
    house.finishes();
    boss_is("u000054");
    house.rests();
}

#[test]
fn whoever_is_deleted_or_moved_out_of_the_domains_part_is_stopped_in_the_same_run() {
    let up = SambaAd::start(60);
    let house = House::of_domain(&up, std::slice::from_ref(&up.people_base));
    // Deletion leaves a tombstone with the same objectGUID behind, which is nobody.
    up.modify(&format!("{}\nchangetype: delete\n", up.dn_line("u000040")));
    up.modify(&format!(
        "{}\nchangetype: modrdn\nnewrdn: CN=Away\ndeleteoldrdn: 1\nnewsuperior: OU=Services,{}\n",
        up.dn_line("u000041"),
        up.base
    ));
    let already = house.stopped();
    house.finishes();
    let mut expected = already;
    expected.extend(["u000040".to_owned(), "u000041".to_owned()]);
    expected.sort();
    assert_eq!(house.stopped(), expected);
    // Back from where they were moved: the same account opens again.
    up.modify(&format!(
        "{}\nchangetype: modrdn\nnewrdn: CN=Back\ndeleteoldrdn: 1\nnewsuperior: {}\n",
        up.dn_line("u000041"),
        up.people_base
    ));
    house.finishes();
    expected.retain(|login| login != "u000041");
    assert_eq!(house.stopped(), expected);
    house.rests();
}
