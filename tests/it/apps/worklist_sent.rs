//! A work list on its way: to a mail server that nobody here wrote, and to a webhook; once for each new task.

use serde_json::Value;

use super::company::Company;
use crate::http::stub::{Stub, answer};
use crate::support::{Cert, PASSWORD, Smtp, tls::ca_pem};

const TARGET: &str = r#"type = "worklist"
mapping = "mappings/emdecs-users.toml"
path = "list"
title = "EMDECS: users"
id = "email"
send-to = "emdecs@example.org"
protected-accounts = ["admin@example.org"]

[target.steps]
create = ["Administration, Users, Add."]
"#;

fn company() -> Company {
    let mut company = Company::new(5, &["Depot North"], &["EMDECS Users", "EMDECS Tech Portal"]);
    TARGET.clone_into(&mut company.target);
    company
}

/// The words of a mail, with soft line breaks undone.
fn words(mail: &Value) -> String {
    mail["content"]
        .as_str()
        .unwrap()
        .replace("=\r\n", "")
        .replace("=3D", "=")
}

#[test]
fn the_administrator_gets_one_mail_for_each_new_task() {
    let server = Smtp::start("starttls", Cert::Good);
    let mut company = company();
    let password = company.secret("mail-password", PASSWORD);
    company.tables = format!(
        "\n[delivery]\ntype = \"smtp\"\nhost = \"localhost\"\nport = {}\nca-file = \"{}\"\nuser = \"provost\"\npassword = \"{password}\"\n\
         from = \"accounts@example.com\"\n",
        server.port,
        ca_pem().display()
    );
    company.publish();
    let checked = company.run(&["check"], &[0]);
    assert!(!checked.contains("nothing is ever delivered"), "{checked}");
    company.run(&["plan"], &[0, 10, 12]);
    assert_eq!(server.mails().len(), 0, "a plan sends nothing");

    let said = company.sync(&[13]);
    assert!(said.contains("the list was sent: 5 to do"), "{said}");
    let first = server.mails();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["to"], serde_json::json!(["emdecs@example.org"]));
    let text = words(&first[0]);
    assert!(text.contains("Subject: EMDECS: users: 5 to do"), "{text}");
    assert!(text.contains("1. create p000@example.org"), "{text}");
    assert!(text.contains("licences: \"Tech Portal\""), "{text}");
    assert!(text.contains("- Administration, Users, Add."), "{text}");
    let task = text.split("worklist done ").nth(1).unwrap();
    let task = task[..8].to_owned();

    // Nothing new, or less: no mail.
    company.sync(&[13]);
    company.run(&["worklist", "done", &task], &[0]);
    company.sync(&[13]);
    assert_eq!(server.mails().len(), 1);

    // Something new, and the mail server is busy: told, and sent by the next run.
    company.join(50, 1);
    server.fault("grey");
    let said = company.sync(&[13]);
    assert!(said.contains("could NOT be sent"), "{said}");
    assert_eq!(server.mails().len(), 1);
    server.fault("");
    company.sync(&[13]);
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    let text = words(&mails[1]);
    assert!(text.contains("Subject: EMDECS: users: 5 to do"), "{text}");
    assert!(
        text.contains("create p050@example.org") && !text.contains(&task),
        "{text}"
    );
    company.sync(&[13]);
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_gets_the_tasks_as_data() {
    let stub = Stub::start(|_| answer(204, "", "")).await;
    let mut company = company();
    // A value that would break out of a line of text or of JSON.
    company.person(1).given = "Ada \u{202e} \"x\"".to_owned();
    let secret = company.secret("hook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    company.tables = format!(
        "\n[delivery]\ntype = \"webhook\"\nurl = \"{}\"\nsecret = \"{secret}\"\n",
        stub.base
    );
    company.sync(&[13]);
    company.sync(&[13]);
    let posted = stub.requests();
    assert_eq!(posted.len(), 1);
    assert!(
        posted[0].head.contains("webhook-signature: v1,"),
        "{}",
        posted[0].head
    );
    let body = posted[0].json();
    assert_eq!(body["kind"], "worklist");
    assert_eq!(body["to"], "emdecs@example.org");
    let tasks = body["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 5);
    assert_eq!(tasks[1]["do"], "create");
    assert_eq!(tasks[1]["account"], "p001@example.org");
    let fields = tasks[1]["fields"].as_array().unwrap();
    let name = fields
        .iter()
        .find(|field| field["field"] == "first_name")
        .unwrap();
    assert_eq!(name["to"], "Ada \u{202e} \"x\"");
    assert!(
        body["body"]
            .as_str()
            .unwrap()
            .contains("Ada [U+202E] \"x\"")
    );
    assert_eq!(tasks[1]["steps"][0], "Administration, Users, Add.");
}

#[test]
fn without_a_way_to_send_it_no_list_can_be_sent() {
    let company = company();
    company.publish();
    let refused = company.provost(&["check"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("send-to: nothing says how the list is sent"),
        "{told}"
    );
}
