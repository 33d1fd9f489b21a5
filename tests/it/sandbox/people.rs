//! The practice application as its people see it: which password logs in, which sessions and work there are, what was mailed.

use std::collections::BTreeSet;
use std::path::Path;

use provost::model::AccountId;
use provost::target::sandbox::{Practice, SignIn};
use provost::target::settings::{ConnectorSettings, SandboxSettings};
use provost::target::{AccountWriter, AfterLogin, ConnectorError, connect};
use secrecy::SecretString;
use std::sync::Arc;

use super::draft;

fn settings(path: &Path, faults: &[&str]) -> ConnectorSettings {
    ConnectorSettings::Sandbox(SandboxSettings {
        set_password: true,
        force_change: true,
        refuse_used: true,
        revoke_sessions: true,
        reassign: BTreeSet::from(["quotes".to_owned()]),
        ledger: true,
        faults: faults.iter().map(|&f| f.to_owned()).collect(),
        ..SandboxSettings::new(path.to_path_buf())
    })
}

async fn connected(path: &Path, faults: &[&str]) -> Arc<dyn AccountWriter> {
    connect(&settings(path, faults)).await.unwrap()
}

async fn set(
    target: &dyn AccountWriter,
    id: &AccountId,
    password: &str,
    then: AfterLogin,
) -> Result<(), ConnectorError> {
    let password = SecretString::from(password.to_owned());
    target.set_password(id, &password, then).await
}

#[tokio::test]
async fn a_password_that_is_set_logs_in_and_nobody_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("accounts.jsonl");
    let target = connected(&path, &[]).await;
    let ann = target.create(&draft("ann")).await.unwrap().id;
    let mut people = Practice::open(&path, &[]).unwrap();
    people.choose_password(&ann, "own").unwrap();
    assert_eq!(people.sign_in(&ann, "own"), Ok(SignIn::In));
    for _ in 0..2 {
        let same = set(&*target, &ann, "one", AfterLogin::Keep).await;
        assert_eq!(same, Ok(()), "the same one again is harmless");
    }
    assert_eq!(people.sign_in(&ann, "own"), Ok(SignIn::WrongPassword));
    assert_eq!(people.sign_in(&ann, "one"), Ok(SignIn::In));
    let set_two = set(&*target, &ann, "two", AfterLogin::Change).await;
    assert_eq!(set_two, Ok(()));
    assert_eq!(people.sign_in(&ann, "two"), Ok(SignIn::MustChange));
    let used = set(&*target, &ann, "one", AfterLogin::Keep).await;
    assert!(matches!(used, Err(ConnectorError::Rejected(_))));
    assert_eq!(people.inside(&ann).unwrap().sessions, 2);
    target.revoke_sessions(&ann).await.unwrap();
    assert_eq!(people.inside(&ann).unwrap().sessions, 0);
    assert_eq!(people.mails(), Ok(Vec::new()));
    let file = std::fs::read_to_string(&path).unwrap();
    assert!(
        !file.contains("\"one\"") && !file.contains("\"two\""),
        "{file}"
    );
    let done = people.ledger().unwrap();
    let done: Vec<&str> = done.iter().map(|entry| entry.what.as_str()).collect();
    let set = ["set-password"; 3];
    assert_eq!(done, [&["create"][..], &set, &["end-sessions"]].concat());
}

#[tokio::test]
async fn work_goes_to_the_heir_once_and_never_to_somebody_inactive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("accounts.jsonl");
    let target = connected(&path, &[]).await;
    let ann = target.create(&draft("ann")).await.unwrap().id;
    let ben = target.create(&draft("ben")).await.unwrap().id;
    let mut people = Practice::open(&path, &[]).unwrap();
    people.give_work(&ann, "quotes", "Q-1").unwrap();
    people.give_work(&ann, "jobs", "J-1").unwrap();
    for _ in 0..2 {
        target.reassign(&ann, "quotes", &ben).await.unwrap();
    }
    let one = BTreeSet::from(["Q-1".to_owned()]);
    assert_eq!(people.inside(&ben).unwrap().work["quotes"], one);
    assert!(!people.inside(&ann).unwrap().work.contains_key("quotes"));
    let jobs = target.reassign(&ann, "jobs", &ben).await;
    assert!(matches!(jobs, Err(ConnectorError::Rejected(_))));
    let nobody = AccountId("u-404".to_owned());
    let gone = target.reassign(&ann, "quotes", &nobody).await;
    assert!(matches!(gone, Err(ConnectorError::NotFound(_))));
    target.update(&ben, &super::DEACTIVATE).await.unwrap();
    let shut = target.reassign(&ann, "quotes", &ben).await;
    assert!(matches!(shut, Err(ConnectorError::Rejected(_))));
    people.choose_password(&ben, "own").unwrap();
    assert_eq!(people.sign_in(&ben, "own"), Ok(SignIn::Closed));
}

#[tokio::test]
async fn faults_lose_refuse_and_ignore_passwords() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("accounts.jsonl");
    let ann = connected(&path, &[]).await;
    let ann = ann.create(&draft("ann")).await.unwrap().id;
    let mut people = Practice::open(&path, &[]).unwrap();
    let faulty = async |fault: &str, value: &str| {
        let target = connected(&path, &[fault]).await;
        set(&*target, &ann, value, AfterLogin::Keep).await
    };
    let lost = faulty("lose-answer-of=set-password", "a").await;
    assert!(matches!(lost, Err(ConnectorError::Ambiguous(_))));
    assert_eq!(people.sign_in(&ann, "a"), Ok(SignIn::In));
    let refused = faulty("refuse=set-password", "b").await;
    assert!(matches!(refused, Err(ConnectorError::Rejected(_))));
    assert_eq!(faulty("ignore-password", "c").await, Ok(()));
    assert_eq!(people.sign_in(&ann, "a"), Ok(SignIn::In));
}
