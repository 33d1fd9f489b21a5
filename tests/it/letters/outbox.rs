//! The outbox over whole runs: whoever sets passwords has left them sealed and confirmed, as a crash would leave them.

use std::fs;

use provost::config::{Secrets, load, write_key};
use provost::engine::{self, Clock, HANDOVER, Handover, Request, Session, Standing};
use provost::model::{Anchor, AuditWhat, Outcome, PasswordState, PasswordStep, Shadow};
use provost::store::{Conclusion, DocumentWrite, Label, Purpose, ShadowMove, VaultKey};

use super::*;
use crate::company::{Company, anchor};
use crate::support::process::await_some;

const SECRET: &str = "hunter2-initial";

/// The tables of a configuration that seals and delivers, and the files that they name.
pub(super) fn deliver(company: &Company, server: &Smtp) -> String {
    let dir = company.dir();
    let (ca, password) = (dir.join("ca.pem"), dir.join("smtp-password"));
    fs::copy(ca_pem(), &ca).unwrap();
    if !dir.join("key").exists() {
        let (_key, text) = VaultKey::generate("new").unwrap();
        write_key(&dir.join("key"), &text).unwrap();
        write_key(&password, PASSWORD).unwrap();
    }
    format!(
        "\n[secrets]\nkey = \"file:{}\"\n\n[delivery]\ntype = \"smtp\"\nhost = \"localhost\"\n\
         port = {}\nca-file = \"ca.pem\"\nuser = \"provost\"\npassword = \"file:{}\"\n\
         from = \"accounts@example.com\"\n\n[delivery.welcome]\n\n[delivery.reset]\nrecipient = \"manager\"\n",
        dir.join("key").display(),
        server.port,
        password.display()
    )
}

/// A company whose configuration seals and delivers.
fn publish(company: &Company, server: &Smtp) {
    company.publish();
    let config = fs::read_to_string(company.config()).unwrap();
    fs::write(company.config(), config + &deliver(company, server)).unwrap();
}

fn session(company: &Company, at: &str) -> Session {
    let loaded = load(&company.config(), Secrets::Load).unwrap_or_else(|p| panic!("{p}"));
    let mut session = await_some(
        "the state",
        Duration::from_secs(30),
        || match Session::open(loaded.config.clone()) {
            Err(error) if error.outcome() == Outcome::Locked => None,
            opened => Some(opened.unwrap()),
        },
    );
    session.clock = Clock::Fixed(at.parse().unwrap());
    session
}

async fn sync(session: &Session) -> engine::TargetReport {
    let mut report = engine::sync(session, &Request::default()).await.unwrap();
    report.targets.remove(0)
}

/// Leaves a password as it is left before it is told: sealed, and confirmed by the application.
fn leave(
    session: &Session,
    number: usize,
    purpose: Purpose,
    step: PasswordStep,
    secret: &str,
) -> Label {
    let who = Anchor::new(&anchor(number)).unwrap();
    let mut shadow: Shadow = session.state.shadow("app", &who).unwrap().unwrap();
    shadow.password.generation += 1;
    shadow.password.state = PasswordState::Issued;
    let label = Label {
        target: "app".to_owned(),
        anchor: who.clone(),
        purpose,
        generation: shadow.password.generation,
    };
    let vault = session.vault.as_ref().unwrap();
    vault.seal(&label, &SecretString::from(secret)).unwrap();
    let handover = Handover {
        label: label.clone(),
        step,
    };
    let key = format!("app/{who}");
    let write = DocumentWrite {
        kind: HANDOVER,
        key: &key,
        value: Some(&handover),
    };
    session.state.set_documents(&[write]).unwrap();
    let conclusion = Conclusion {
        op: None,
        anchor: who,
        shadow: ShadowMove::Put(Box::new(shadow)),
        result: "set".to_owned(),
    };
    session.state.conclude("app", vec![conclusion]).unwrap();
    label
}

pub(super) fn body(mail: &serde_json::Value) -> &str {
    mail["content"].as_str().unwrap()
}

fn message_id(mail: &serde_json::Value) -> String {
    let line = body(mail).lines().find(|l| l.starts_with("Message-ID"));
    line.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_handed_over_once_and_its_password_forgotten() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = Company::new(6);
    publish(&company, &server);
    let session = session(&company, "2027-03-01T09:00:00Z");
    sync(&session).await;
    let label = leave(&session, 1, Purpose::Initial, PasswordStep::Initial, SECRET);
    let report = sync(&session).await;
    assert!(
        report
            .remarks
            .iter()
            .any(|r| r == "1 letters were handed over"),
        "{report:?}"
    );
    for _ in 0..3 {
        sync(&session).await;
    }
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert!(body(&mails[0]).contains(SECRET));
    let letters = session.letters().unwrap();
    assert!(matches!(letters[0].standing, Standing::Handed { .. }));
    assert!(
        session
            .vault
            .as_ref()
            .unwrap()
            .reveal(&label)
            .unwrap()
            .is_none()
    );
    let handovers = session.state.documents::<Handover>(HANDOVER).unwrap();
    assert_eq!(handovers, []);
    // And it stands in nothing that is remembered.
    drop(session);
    for entry in fs::read_dir(company.state()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_whose_answer_was_lost_is_sent_again_under_the_same_id() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = Company::new(6);
    publish(&company, &server);
    {
        let session = session(&company, "2027-03-01T09:00:00Z");
        sync(&session).await;
        leave(
            &session,
            1,
            Purpose::Temporary,
            PasswordStep::Temporary,
            SECRET,
        );
        server.fault("keep-and-drop");
        let report = sync(&session).await;
        assert_eq!(report.outcome, Outcome::Held, "{:?}", report.remarks);
        assert!(report.remarks.iter().all(|r| !r.contains(SECRET)));
        server.fault("");
        // Not before its pause is over.
        sync(&session).await;
        assert_eq!(server.mails().len(), 1);
    }
    let session = session(&company, "2027-03-01T09:01:00Z");
    let report = sync(&session).await;
    assert_eq!(report.outcome, Outcome::NothingToDo, "{:?}", report.remarks);
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(message_id(&mails[0]), message_id(&mails[1]));
    sync(&session).await;
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_delivered_is_given_up_loudly_and_tried_again_on_request() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = Company::new(6);
    publish(&company, &server);
    let mut session = session(&company, "2027-03-01T09:00:00Z");
    sync(&session).await;
    let label = leave(&session, 1, Purpose::Initial, PasswordStep::Initial, SECRET);
    server.fault("unknown");
    for _ in 0..2 {
        let report = sync(&session).await;
        assert_eq!(report.outcome, Outcome::Held);
        assert!(
            report.remarks.iter().any(|r| r.contains("GIVEN UP")),
            "{:?}",
            report.remarks
        );
    }
    assert!(matches!(
        session.letters().unwrap()[0].standing,
        Standing::GivenUp { .. }
    ));
    let at_all = session.next_letter("app", Timestamp::MIN).unwrap();
    assert_eq!(at_all, None);
    // The password is still there for another try.
    assert!(
        session
            .vault
            .as_ref()
            .unwrap()
            .reveal(&label)
            .unwrap()
            .is_some()
    );
    server.fault("grey");
    assert_eq!(session.retry_letters().unwrap(), 1);
    sync(&session).await;
    let next = session.next_letter("app", session.clock.now()).unwrap();
    let next = next.unwrap();
    assert_eq!(next.to_string(), "2027-03-01T09:01:00Z");
    server.fault("");
    session.clock = Clock::Fixed(next);
    let report = sync(&session).await;
    assert_eq!(report.outcome, Outcome::NothingToDo, "{:?}", report.remarks);
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_a_letter_that_was_given_up_is_discarded_after_two_weeks_and_that_is_told()
{
    let server = Smtp::start("starttls", Cert::Good);
    let company = Company::new(6);
    publish(&company, &server);
    let mut session = session(&company, "2027-03-01T09:00:00Z");
    sync(&session).await;
    let label = leave(&session, 1, Purpose::Initial, PasswordStep::Initial, SECRET);
    server.fault("unknown");
    sync(&session).await;
    let sealed = |session: &Session| {
        let vault = session.vault.as_ref().unwrap();
        vault.reveal(&label).unwrap().is_some()
    };
    session.clock = Clock::Fixed("2027-03-14T09:00:00Z".parse().unwrap());
    sync(&session).await;
    assert!(sealed(&session), "it can still be tried again");
    assert_eq!(session.trail(10).unwrap(), []);
    session.clock = Clock::Fixed("2027-03-15T09:00:00Z".parse().unwrap());
    for _ in 0..2 {
        let report = sync(&session).await;
        assert_eq!(report.outcome, Outcome::Held);
        assert!(
            report.remarks.iter().any(|r| r.contains("was discarded")),
            "{:?}",
            report.remarks
        );
    }
    assert!(!sealed(&session));
    let trail = session.trail(10).unwrap();
    assert_eq!(trail.len(), 1, "{trail:?}");
    assert_eq!(trail[0].what, AuditWhat::Discard);
    assert_eq!(trail[0].anchor, Some(label.anchor.clone()));
    assert!(trail[0].reason.contains("550"), "{}", trail[0].reason);
    // Trying again then sends no letter without a password.
    server.fault("");
    session.retry_letters().unwrap();
    sync(&session).await;
    assert_eq!(server.mails().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_password_takes_the_place_of_one_that_was_not_told() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = Company::new(6);
    publish(&company, &server);
    let mut session = session(&company, "2027-03-01T09:00:00Z");
    sync(&session).await;
    let first = leave(&session, 5, Purpose::Initial, PasswordStep::Initial, SECRET);
    server.fault("grey");
    sync(&session).await;
    leave(
        &session,
        5,
        Purpose::Temporary,
        PasswordStep::Temporary,
        "hunter2-second",
    );
    server.fault("");
    session.clock = Clock::Fixed("2027-03-01T10:00:00Z".parse().unwrap());
    let report = sync(&session).await;
    assert_eq!(report.outcome, Outcome::NothingToDo, "{:?}", report.remarks);
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert!(body(&mails[0]).contains("hunter2-second") && !body(&mails[0]).contains(SECRET));
    let vault = session.vault.as_ref().unwrap();
    assert!(vault.reveal(&first).unwrap().is_none(), "nobody needs it");
    // A reset goes to the manager here, whose number is a quarter.
    let to = mails[0]["to"][0].as_str().unwrap().to_owned();
    assert!(to.contains("001"), "{to}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_show_and_test_without_sending_passwords() {
    let server = Smtp::start("starttls", Cert::Good);
    let company = Company::new(3);
    publish(&company, &server);
    let provost = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_provost"))
            .args(["--config", company.config().to_str().unwrap()])
            .args(args)
            .env_clear()
            .output()
            .unwrap();
        let text =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    };
    let (code, text) = provost(&["check", "--online"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("delivery localhost:") && text.contains("lets us in"),
        "{text}"
    );
    assert_eq!(server.mails().len(), 0);
    let (code, text) = provost(&["delivery", "test", "--to", "me@example.com"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(server.mails()[0]["to"][0], "me@example.com");
    let (code, text) = provost(&["secrets", "verify"]);
    assert_eq!(code, 1, "nothing was run yet: {text}");
    provost(&["sync"]);
    {
        let session = session(&company, "2027-03-01T09:00:00Z");
        leave(&session, 1, Purpose::Initial, PasswordStep::Initial, SECRET);
    }
    server.fault("unknown");
    let (code, text) = provost(&["sync"]);
    assert_eq!(code, 13, "{text}");
    let (_, text) = provost(&["delivery", "list"]);
    assert!(
        text.contains("given up") && !text.contains(SECRET),
        "{text}"
    );
    server.fault("");
    assert_eq!(provost(&["delivery", "retry"]).0, 0);
    let (code, text) = provost(&["sync"]);
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains(SECRET), "{text}");
    assert_eq!(server.mails().len(), 2);
    let (code, text) = provost(&["secrets", "verify"]);
    assert_eq!(code, 0, "{text}");
}
