//! Whom a source believes, what it asks for and how long it waits: with a scripted server where no real one errs on demand.

use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provost::model::{Anchor, Shortfall};
use provost::source::settings::{AnchorRule, Flavour};
use provost::source::{GroupNeed, SourceError};

use super::fake::{self, SEARCH, done, element, entry, message, people, result, serve};
use super::{Tray, fetch, openldap, printed, request, server, shortfalls, try_fetch};
use crate::support::{OpenLdap, PASSWORD};

/// The extended operation "Who am I?" (RFC 4532).
const WHO_AM_I: &[u8] = b"1.3.6.1.4.1.4203.1.11.3";

#[test]
fn whoever_is_taken_for_somebody_else_reads_nothing() {
    let read = |flavour: Flavour, name: &str, identity: &'static [u8]| {
        let server = serve(move |asked| match asked.operation {
            SEARCH if asked.names("supportedControl") => {
                let offers: [(&str, &[&[u8]]); 1] = [("supportedExtension", &[WHO_AM_I])];
                [entry(asked.id, b"", &offers), done(asked.id)].concat()
            }
            0x77 => message(
                asked.id,
                0x78,
                &[result(0, ""), element(0x8B, identity)].concat(),
            ),
            SEARCH if asked.names("ou=people") => people(&asked, &done(asked.id)),
            _ => asked.politely(),
        });
        let (source, mut ldap) = fake::source(server);
        ldap.flavour = flavour;
        ldap.bind_name = name.to_owned();
        let mut tray = Tray::default();
        let read = try_fetch(
            (source, ldap),
            &request(&["uid"], GroupNeed::None),
            &mut tray,
        );
        match read {
            Ok(_) => None,
            Err(SourceError::Refused { why, .. }) => {
                assert!(tray.people.is_empty() && tray.problems.is_empty());
                Some(why)
            }
            Err(error) => panic!("{error}"),
        }
    };
    let ldap = |identity| read(Flavour::Ldap, "cn=reader,dc=t", identity);
    assert_eq!(ldap(b"dn:CN=Reader, DC=t"), None, "in another spelling");
    let other = ldap(b"dn:cn=guest,dc=t").expect("refused");
    assert!(other.contains("for \"dn:cn=guest,dc=t\""), "{other}");
    for nobody in [&b"dn:"[..], b""] {
        let why = ldap(nobody).expect("refused");
        assert!(why.contains("anonymous"), "{why}");
    }
    let domain = |identity| read(Flavour::ActiveDirectory, "EXAMPLE\\sync", identity);
    assert_eq!(domain(b"u:EXAMPLE\\Sync"), None);
    let other = domain(b"u:EXAMPLE\\guest").expect("refused");
    assert!(other.contains("guest"), "{other}");
}

/// The elements inside of one.
fn inside(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while bytes.len() > 1 {
        let (head, length) = match bytes[1] {
            0x82 => (4, usize::from(bytes[2]) << 8 | usize::from(bytes[3])),
            0x81 => (3, usize::from(bytes[2])),
            n => (2, usize::from(n)),
        };
        found.push(&bytes[head..head + length]);
        bytes = &bytes[head + length..];
    }
    found
}

#[test]
fn only_what_is_used_is_asked_for() {
    let lists = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lists);
    let server = serve(move |asked| match asked.operation {
        SEARCH if asked.names("ou=people") || asked.names("ou=groups") => {
            // Behind the length: base, scope, dereferencing, two limits, types only, filter, attributes (RFC 4511 §4.5.1).
            let whole = [&[0x30], asked.body].concat();
            let names = inside(inside(inside(&whole)[0])[7]);
            let names: Vec<String> = names
                .into_iter()
                .map(|name| String::from_utf8_lossy(name).to_lowercase())
                .collect();
            kept.lock().unwrap().push(names);
            done(asked.id)
        }
        _ => asked.politely(),
    });
    let mut tray = Tray::default();
    fetch(
        fake::source(server),
        &request(&["mail", "title"], GroupNeed::All),
        &mut tray,
    );
    let lists = lists.lock().unwrap();
    let [groups, people] = &lists[..] else {
        panic!("{lists:?}")
    };
    let mut groups = groups.clone();
    groups.sort();
    let members = [
        "cn",
        "gidnumber",
        "member",
        "memberuid",
        "samaccountname",
        "uniquemember",
    ];
    assert_eq!(groups, members);
    let mut people = people.clone();
    people.sort();
    let wanted = [
        // Of the mapping.
        "mail",
        "title",
        // What names people in reports, the anchor, and what says that somebody is locked or has expired.
        "cn",
        "displayname",
        "entryuuid",
        "krbprincipalexpiration",
        "nsaccountlock",
        "pwdaccountlockedtime",
        "shadowexpire",
        // What groups name their members by.
        "gidnumber",
        "uid",
    ];
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    assert_eq!(people, wanted);
}

#[test]
fn a_server_that_does_not_answer_the_greeting_is_passed_over_in_time() {
    let up = OpenLdap::start(20);
    // Connections are made, by the system, and nobody ever speaks.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    let (source, mut ldap) = openldap(&up);
    ldap.servers = vec![
        server(&format!("ldaps://127.0.0.1:{port}"), false),
        server(&up.ldaps_url, false),
    ];
    ldap.connect_timeout = Duration::from_millis(700);
    let people = request(&["uid"], GroupNeed::None);
    let mut tray = Tray::default();
    // The second one gets the whole time again; a busy machine may need more than this for it.
    ldap.servers.push(server(&up.ldaps_url, false));
    let report = fetch((source.clone(), ldap.clone()), &people, &mut tray);
    assert!(
        report.server.starts_with(&up.ldaps_url),
        "{}",
        report.server
    );
    assert_eq!(tray.people.len(), 20);
    ldap.servers.truncate(1);
    let error = try_fetch((source, ldap), &people, &mut Tray::default());
    let Err(SourceError::Unreachable { why, .. }) = error else {
        panic!("reached")
    };
    assert!(why.contains("no connection within 700ms"), "{why}");
}

#[test]
fn a_value_of_ten_mebibytes_holds_one_person() {
    for (size, why) in [
        (2 << 20, "a value of jpegphoto"),
        (10 << 20, "`message-limit`"),
    ] {
        let server = serve(move |asked| match asked.operation {
            SEARCH if asked.names("uid=b,ou=people") => fake::others(&asked)
                .into_iter()
                .chain(done(asked.id))
                .collect(),
            SEARCH if asked.names("ou=people") => {
                let photo = vec![0xFF; size];
                let id: &[u8] = fake::OTHER_TEXT.as_bytes();
                let large: [(&str, &[&[u8]]); 2] = [("entryUUID", &[id]), ("jpegPhoto", &[&photo])];
                let large = entry(asked.id, b"uid=b,ou=people,dc=t", &large);
                [large, people(&asked, &done(asked.id))].concat()
            }
            _ => asked.politely(),
        });
        let mut tray = Tray::default();
        let report = fetch(
            fake::source(server),
            &request(&["uid", "jpegphoto"], GroupNeed::None),
            &mut tray,
        );
        assert!(report.completeness.is_full(), "{:?}", shortfalls(&report));
        assert_eq!(tray.people.len(), 1, "{size}");
        let [problem] = &tray.problems[..] else {
            panic!("{:?}", tray.problems)
        };
        let anchor = Anchor::new(fake::OTHER_TEXT).unwrap();
        assert_eq!(
            problem.anchor.as_ref(),
            Some(&anchor),
            "and it is known who"
        );
        assert!(problem.why.contains(why), "{}", problem.why);
    }
}

#[test]
fn an_attribute_of_ones_own_can_be_the_anchor() {
    let up = OpenLdap::start(60);
    let read = |filter: &str| {
        let (mut source, mut ldap) = openldap(&up);
        source.anchor = AnchorRule::Attribute("employeeNumber".to_owned());
        ldap.filter = filter.to_owned();
        let mut tray = Tray::default();
        let report = fetch(
            (source, ldap),
            &request(&["uid"], GroupNeed::None),
            &mut tray,
        );
        (shortfalls(&report).to_vec(), tray)
    };
    // One who has none could be anybody.
    let everybody = "(objectClass=inetOrgPerson)";
    let nameless = format!("uid=u000015,{}", up.people_base);
    let (why, tray) = read(everybody);
    assert_eq!(why, [Shortfall::NoAnchor(nameless.clone())]);
    assert_eq!((tray.people.len(), tray.problems.len()), (59, 1));
    up.modify(&format!(
        "dn: {nameless}\nchangetype: modify\nreplace: employeeNumber\nemployeeNumber: X-1\n"
    ));
    let (why, tray) = read(everybody);
    assert_eq!(why, []);
    let found: Vec<String> = tray.people.keys().map(ToString::to_string).collect();
    assert_eq!(
        found,
        printed(&up.search(&[everybody, "employeeNumber"]), "employeeNumber")
    );
    // The same value on two entries is no key.
    let taken = found.iter().find(|number| *number != "X-1").unwrap();
    up.modify(&format!(
        "dn: {nameless}\nchangetype: modify\nreplace: employeeNumber\nemployeeNumber: {taken}\n"
    ));
    assert_eq!(
        read(everybody).0,
        [Shortfall::DuplicateAnchor(taken.clone())]
    );
}

/// Without a `ca-file`, the authorities of the system decide; `SSL_CERT_FILE` names them here.
#[test]
fn the_authorities_of_the_system_are_believed_where_none_is_named() {
    let up = OpenLdap::start(20);
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "version = 1\nstate-dir = \"state\"\n[[source]]\nname = \"staff\"\ntype = \"ldap\"\nurls = [\"{}\"]\n\
         bind-name = \"{}\"\nbind-password = \"env:DIRECTORY_PASSWORD\"\nbases = [\"{}\"]\n\
         [[target]]\nname = \"app\"\ntype = \"sandbox\"\nsource = \"staff\"\nmapping = \"app.toml\"\npolicy = \"sync\"\n\
         path = \"app.jsonl\"\n",
        up.ldaps_url, up.bind_dn, up.people_base
    );
    std::fs::write(folder.path().join("provost.toml"), config).unwrap();
    let mapping = "version = 1\n[attributes.login]\nvalue = \"{{ uid }}\"\nunique = true\n";
    std::fs::write(folder.path().join("app.toml"), mapping).unwrap();
    let other = folder.path().join("other.pem");
    std::fs::write(&other, super::connection::rcgen_ca()).unwrap();
    let plan = |authorities: &std::path::Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["--config", "provost.toml", "plan"])
            .env_clear()
            .env("DIRECTORY_PASSWORD", PASSWORD)
            .env("SSL_CERT_FILE", authorities)
            .current_dir(folder.path())
            .output()
            .unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let refused = plan(&other);
    assert!(refused.contains("certificate authority"), "{refused}");
    let read = plan(&up.ca_pem);
    assert!(read.contains("20 people"), "{read}");
}
