//! The dialogue with a mail server: protected or not made, and each refusal for what it is.

use super::*;

/// A header of a mail, unfolded.
fn header(content: &str, name: &str) -> Option<String> {
    let head = content.split("\r\n\r\n").next()?.replace("\r\n ", " ");
    let start = format!("{name}: ");
    let found: Vec<_> = head
        .lines()
        .filter_map(|l| l.strip_prefix(&start))
        .collect();
    assert!(found.len() <= 1, "{name} stands there twice");
    Some((*found.first()?).to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_go_over_tls_with_a_login_and_arrive_as_they_are() {
    for (word, security) in [
        ("starttls", SmtpSecurity::StartTls),
        ("tls", SmtpSecurity::Tls),
    ] {
        let server = Smtp::start(word, Cert::Good);
        let post = post(smtp(&server, security));
        post.probe().await.unwrap();
        assert_eq!(server.mails().len(), 0, "a probe sends nothing");
        let hostile = "Für Ann\r\nBcc: all@example.com";
        send(&post, "ann@example.org", hostile).await.unwrap();
        let mails = server.mails();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0]["login"], "provost");
        assert_eq!(mails[0]["tls"], true);
        assert_eq!(mails[0]["from"], "accounts@example.com");
        assert_eq!(mails[0]["to"], serde_json::json!(["ann@example.org"]));
        let content = mails[0]["content"].as_str().unwrap();
        assert_eq!(
            header(content, "Message-ID").unwrap(),
            "<0123456789abcdef0123456789abcdef@example.com>"
        );
        assert_eq!(
            header(content, "Date").unwrap(),
            "Thu, 01 Jan 1970 00:00:00 +0000"
        );
        assert_eq!(header(content, "Auto-Submitted").unwrap(), "auto-generated");
        assert_eq!(header(content, "Reply-To").unwrap(), "help@example.com");
        assert_eq!(header(content, "To").unwrap(), "ann@example.org");
        assert_eq!(header(content, "Bcc"), None, "{content}");
        assert!(content.contains("hunter2"), "{content}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_protection_nothing_is_sent() {
    // STARTTLS is required of a server that does not offer it.
    let plain = Smtp::start("plain", Cert::Good);
    let sent = send(
        &post(smtp(&plain, SmtpSecurity::StartTls)),
        "a@example.org",
        "s",
    )
    .await;
    assert!(matches!(sent, Err(DeliverError::Later(_))), "{sent:?}");
    assert_eq!(plain.mails().len(), 0);
    // By name it can be allowed.
    send(
        &post(smtp(&plain, SmtpSecurity::Plain)),
        "a@example.org",
        "s",
    )
    .await
    .unwrap();
    assert_eq!(plain.mails()[0]["tls"], false);
    for cert in [Cert::Expired, Cert::Wrong] {
        let server = Smtp::start("starttls", cert);
        let sent = send(
            &post(smtp(&server, SmtpSecurity::StartTls)),
            "a@example.org",
            "s",
        )
        .await;
        assert!(matches!(sent, Err(DeliverError::Later(_))), "{sent:?}");
        assert_eq!(server.mails().len(), 0, "{cert:?}");
    }
    let server = Smtp::start("tls", Cert::Good);
    let mut settings = smtp(&server, SmtpSecurity::Tls);
    settings.ca_pem = None;
    let sent = send(&post(settings), "a@example.org", "s").await;
    assert!(matches!(sent, Err(DeliverError::Later(_))), "{sent:?}");
    assert_eq!(server.mails().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_is_told_for_what_it_is() {
    let mut server = Smtp::start("starttls", Cert::Good);
    let good = post(smtp(&server, SmtpSecurity::StartTls));
    for (fault, again) in [
        ("grey", true),
        ("unknown", false),
        ("drop", true),
        ("keep-and-drop", true),
    ] {
        server.fault(fault);
        let error = send(&good, "a@example.org", "s").await.unwrap_err();
        assert_eq!(
            matches!(error, DeliverError::Later(_)),
            again,
            "{fault}: {error}"
        );
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    server.fault("");
    let mut settings = smtp(&server, SmtpSecurity::StartTls);
    settings.login = Some(("provost".to_owned(), SecretString::from("wrong-secret")));
    let wrong = post(settings);
    let error = send(&wrong, "a@example.org", "s").await.unwrap_err();
    assert!(matches!(error, DeliverError::Later(_)), "{error}");
    assert!(!error.to_string().contains("wrong-secret"), "{error}");
    assert!(wrong.probe().await.is_err());
    // An address that is none never reaches the server.
    let error = send(&good, "a@example.org\r\nRCPT TO:<b@example.org>", "s").await;
    assert!(matches!(error, Err(DeliverError::Never(_))), "{error:?}");
    server.kill();
    let error = send(&good, "a@example.org", "s").await.unwrap_err();
    assert!(matches!(error, DeliverError::Later(_)), "{error}");
}
