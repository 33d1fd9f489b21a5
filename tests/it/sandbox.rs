//! The practice application through its file: what two users of it see, torn lines, faults.

mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use provost::model::{AccountDraft, AccountPatch, MembershipChange, Value};
use provost::target::sandbox::snapshot;
use provost::target::settings::{ConnectorSettings, SandboxSettings};
use provost::target::{ConnectorError, connect, open_reader};

fn settings(path: &Path, faults: &[&str]) -> ConnectorSettings {
    ConnectorSettings::Sandbox(SandboxSettings {
        path: path.to_path_buf(),
        deactivate: true,
        block_login: true,
        delete: true,
        list_inactive: false,
        entitlements: true,
        unique: vec!["userName".to_owned()],
        required: vec!["userName".to_owned()],
        faults: faults.iter().map(|&f| f.to_owned()).collect(),
        ..SandboxSettings::new(path.to_path_buf())
    })
}

fn draft(name: &str) -> AccountDraft {
    let name = Value::Text(name.to_owned());
    AccountDraft {
        attributes: BTreeMap::from([("userName".to_owned(), name)]),
    }
}

const DEACTIVATE: AccountPatch = AccountPatch {
    attributes: BTreeMap::new(),
    active: Some(false),
    login_allowed: None,
    cause: None,
};

#[tokio::test]
async fn two_connections_see_each_others_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("accounts.jsonl");
    let one = connect(&settings(&path, &[])).await.unwrap();
    let two = connect(&settings(&path, &[])).await.unwrap();
    let reader = open_reader(&settings(&path, &[])).await.unwrap();
    let ann = one.create(&draft("ann")).await.unwrap();
    let taken = two.create(&draft("ANN")).await;
    assert!(matches!(taken, Err(ConnectorError::Conflict(_))));
    let ben = two.create(&draft("ben")).await.unwrap();
    assert_eq!(
        (ann.id.0.as_str(), ben.id.0.as_str()),
        ("u-000001", "u-000002")
    );
    let staff = MembershipChange {
        entitlement: "Staff".to_owned(),
        add: BTreeSet::from([ann.id.clone()]),
        remove: BTreeSet::new(),
    };
    one.set_members(&staff).await.unwrap();
    two.update(&ben.id, &DEACTIVATE).await.unwrap();
    let listed = reader.list().await.unwrap();
    assert_eq!(listed.len(), 1, "inactive accounts are not listed here");
    assert_eq!(
        listed[0].entitlements,
        Some(BTreeSet::from(["Staff".to_owned()]))
    );
    let ben_now = reader.get(&ben.id).await.unwrap().unwrap();
    assert_eq!(ben_now.active, Some(false));
    let found = reader
        .find("userName", &Value::Text("BEN".to_owned()))
        .await;
    assert_eq!(found.unwrap(), vec![ben_now]);
    one.delete(&ann.id).await.unwrap();
    one.delete(&ann.id).await.unwrap();
    assert_eq!(snapshot(&path).unwrap().len(), 1);
}

#[tokio::test]
async fn a_torn_line_is_dropped_and_a_broken_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("accounts.jsonl");
    let application = connect(&settings(&path, &[])).await.unwrap();
    application.create(&draft("ann")).await.unwrap();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(b"{\"put\":{\"id\":\"u-00").unwrap();
    application.create(&draft("ben")).await.unwrap();
    let again = connect(&settings(&path, &[])).await.unwrap();
    assert_eq!(again.list().await.unwrap().len(), 2);
    file.write_all(b"nonsense\n").unwrap();
    let refused = again.list().await.unwrap_err().to_string();
    assert!(refused.contains("accounts.jsonl:3"), "{refused}");
}

#[tokio::test]
async fn a_long_past_is_dropped_when_connecting() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("accounts.jsonl");
    let application = connect(&settings(&path, &[])).await.unwrap();
    let ann = application.create(&draft("ann")).await.unwrap();
    let ben = application.create(&draft("ben")).await.unwrap();
    application.delete(&ben.id).await.unwrap();
    for _ in 0..1100 {
        application
            .update(&ann.id, &AccountPatch::default())
            .await
            .unwrap();
    }
    let before = std::fs::metadata(&path).unwrap().len();
    let again = connect(&settings(&path, &[])).await.unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() * 100 < before);
    assert_eq!(
        application.list().await.unwrap(),
        again.list().await.unwrap()
    );
    let cleo = application.create(&draft("cleo")).await.unwrap();
    assert_eq!(cleo.id.0, "u-000003", "ids are never used twice");
}

#[tokio::test]
async fn faults_do_what_they_say() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("accounts.jsonl");
    let connected = |faults: &'static [&'static str]| {
        let settings = settings(&path, faults);
        async move { connect(&settings).await.unwrap() }
    };
    let lost = connected(&["lose-answer-of-create=1"]).await;
    let answer = lost.create(&draft("ann")).await;
    assert!(matches!(answer, Err(ConnectorError::Ambiguous(_))));
    assert_eq!(snapshot(&path).unwrap().len(), 1, "it was made");
    let ann = lost.list().await.unwrap().remove(0);

    let never = connected(&["timeout-before-commit-every=1"]).await;
    let answer = never.create(&draft("ben")).await;
    assert!(matches!(answer, Err(ConnectorError::Ambiguous(_))));
    assert_eq!(snapshot(&path).unwrap().len(), 1, "it was not made");

    let ignoring = connected(&["ignore-deactivate"]).await;
    let answer = ignoring.update(&ann.id, &DEACTIVATE).await;
    assert!(matches!(answer, Err(ConnectorError::Rejected(_))));

    let strict = connected(&["fail-create=Ben", "fail-update=ANN"]).await;
    let answers = [
        strict.create(&draft("ben")).await,
        strict.update(&ann.id, &DEACTIVATE).await,
    ];
    assert!(
        answers
            .iter()
            .all(|a| matches!(a, Err(ConnectorError::Rejected(_))))
    );

    let denied = connected(&["deny-auth"]).await;
    assert!(matches!(
        denied.list().await,
        Err(ConnectorError::Unauthorised(_))
    ));
    let slowed = connected(&["throttle-every=1"]).await;
    assert!(matches!(
        slowed.probe().await,
        Err(ConnectorError::Throttled { .. })
    ));
    let cut = connected(&["cut-list"]).await;
    assert!(matches!(
        cut.list().await,
        Err(ConnectorError::Transient(_))
    ));
    let down = connected(&["fail-after=1"]).await;
    assert!(down.create(&draft("dora")).await.is_ok());
    assert!(matches!(
        down.list().await,
        Err(ConnectorError::Transient(_))
    ));
    assert!(connect(&settings(&path, &["throttle"])).await.is_err());
}
