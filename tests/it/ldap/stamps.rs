//! `whenChanged` and `uSNChanged`, which a domain controller moves with every write, on a real Samba.

use super::absent::House;
use super::{GroupNeed, Tray, fetch, printed, request, samba, shortfalls};
use crate::support::SambaAd;

/// The value that an attribute of somebody has now.
fn stamp(up: &SambaAd, login: &str, name: &str) -> String {
    let found = up.search(&[&format!("(sAMAccountName={login})"), name]);
    printed(&found, name).remove(0)
}

/// Writes to an attribute that no mapping is about, until the stamps have moved: one of them counts in seconds.
fn touch(up: &SambaAd, login: &str) {
    let stamps = || ["whenChanged", "uSNChanged"].map(|name| stamp(up, login, name));
    let before = stamps();
    let moved = |now: [String; 2]| now.iter().zip(&before).all(|(now, before)| now != before);
    let mut times = 0;
    while !moved(stamps()) {
        times += 1;
        up.modify(&format!(
            "{}\nchangetype: modify\nreplace: info\ninfo: touched {times} after {}\n",
            up.dn_line(login),
            before[1]
        ));
    }
}

/// Everybody's login with two attributes of the account.
fn accounts(house: &House, names: [&str; 3]) -> Vec<[String; 3]> {
    let accounts = house.accounts().into_iter();
    let text = |a: &provost::model::Account, name: &str| {
        a.attributes
            .get(name)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let mut all: Vec<_> = accounts
        .map(|account| names.map(|name| text(&account, name)))
        .collect();
    all.sort();
    all
}

#[test]
fn what_moves_with_every_write_makes_nobody_look_changed() {
    let up = SambaAd::start(60);
    let house = House::of_domain(&up, std::slice::from_ref(&up.people_base));
    let request = request(&["samaccountname"], GroupNeed::None);
    let mut tray = Tray::default();
    assert_eq!(shortfalls(&fetch(samba(&up), &request, &mut tray)), []);
    let all = tray.people.len();
    touch(&up, "u000030");
    tray.people.clear();
    assert_eq!(shortfalls(&fetch(samba(&up), &request, &mut tray)), []);
    assert_eq!(
        (tray.unchanged, tray.people.len()),
        (all, 0),
        "nobody is read again"
    );
    house.rests();
}

#[test]
fn a_mapping_can_show_when_a_password_was_set_or_that_it_must_be() {
    let up = SambaAd::start(60);
    let house = House::of_domain(&up, std::slice::from_ref(&up.people_base));
    house.maps(
        "[attributes.password_of]\nvalue = \"{{ pwdLastSet | date('%s') }}\"\non-missing = \"omit\"\n\
         [attributes.must_change]\nexpression = \"pwdLastSet == '0'\"\n",
    );
    house.approve();
    let mut never = 0;
    for [login, at, must] in accounts(&house, ["login", "password_of", "must_change"]) {
        let steps: i64 = stamp(&up, &login, "pwdLastSet").parse().unwrap();
        never += u32::from(steps == 0);
        // Steps of 100 ns since 1601.
        let seconds = (steps - 116_444_736_000_000_000).div_euclid(10_000_000);
        let expected = if steps == 0 {
            String::new()
        } else {
            seconds.to_string()
        };
        assert_eq!((at, must), (expected, (steps == 0).to_string()), "{login}");
    }
    assert!(never > 0, "somebody must change the password first");
}

#[test]
fn a_mapping_can_show_when_somebody_was_changed_and_by_which_number() {
    let up = SambaAd::start(60);
    let house = House::of_domain(&up, std::slice::from_ref(&up.people_base));
    house.maps(
        "[attributes.changed]\nvalue = \"{{ whenChanged | date('%Y%m%d%H%M%S') }}\"\n\
         [attributes.serial]\nexpression = \"uSNChanged | int\"\n",
    );
    house.approve();
    let agree = || {
        let shown = accounts(&house, ["login", "changed", "serial"]);
        let person = shown.iter().find(|one| one[0] == "u000030").unwrap();
        let at = stamp(&up, "u000030", "whenChanged");
        assert_eq!(format!("{}.0Z", person[1]), at);
        assert_eq!(person[2], stamp(&up, "u000030", "uSNChanged"));
        shown
    };
    let before = agree();
    house.rests();
    touch(&up, "u000030");
    house.finishes();
    let after = agree();
    let changed = before.iter().zip(&after).filter(|(a, b)| a != b);
    assert_eq!(changed.count(), 1, "and nobody else");
    house.rests();
}
