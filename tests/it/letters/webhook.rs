//! Letters to a webhook, read as they arrive at a socket of the loopback.

use std::sync::{Arc, Mutex};

use provost::deliver::settings::WebhookSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Answers every request with this status and keeps what arrived.
async fn endpoint(status: u16) -> (url::Url, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = Vec::new();
            let mut chunk = [0; 4096];
            loop {
                let n = stream.read(&mut chunk).await.unwrap_or(0);
                text.extend_from_slice(&chunk[..n]);
                let so_far = String::from_utf8_lossy(&text).into_owned();
                let Some((head, body)) = so_far.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head
                    .to_ascii_lowercase()
                    .lines()
                    .find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
                if n == 0 || body.len() >= length.unwrap_or(0) {
                    break;
                }
            }
            keep.lock().unwrap().push(String::from_utf8(text).unwrap());
            let answer = format!(
                "HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:{port}/else\r\ncontent-length: 4\r\nconnection: close\r\n\r\nno\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let url = url::Url::parse(&format!("http://127.0.0.1:{port}/letters")).unwrap();
    (url, kept)
}

fn webhook(url: url::Url) -> Post {
    Post::open(&DeliverySettings {
        channel: Channel::Webhook(WebhookSettings {
            url,
            secret: Some(SecretString::from("top-secret")),
            ca_pem: None,
            timeout: Duration::from_secs(10),
        }),
        give_up_after: Duration::from_secs(3600),
    })
    .unwrap()
}

/// What somebody else's program makes of the signature.
fn signature(id: &str, at: &str, body: &str) -> String {
    let script = "import base64,hashlib,hmac,sys\nk,m=sys.argv[1:]\nprint(base64.b64encode(hmac.new(k.encode(),m.encode(),hashlib.sha256).digest()).decode())";
    let message = format!("{id}.{at}.{body}");
    let output = std::process::Command::new("python3")
        .args(["-c", script, "top-secret", &message])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_one_signed_post() {
    let (url, kept) = endpoint(204).await;
    let post = webhook(url);
    send(&post, "ann@example.org", "Hello").await.unwrap();
    send(&post, "ann@example.org", "Hello").await.unwrap();
    let kept = kept.lock().unwrap();
    let (head, body) = kept[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /letters HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")))
            .unwrap_or_else(|| panic!("{name}: {head}"))
    };
    let id = header("webhook-id");
    assert_eq!(id, "0123456789abcdef0123456789abcdef");
    assert_eq!(header("idempotency-key"), id);
    let expected = signature(id, header("webhook-timestamp"), body);
    assert_eq!(header("webhook-signature"), format!("v1,{expected}"));
    let letter: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(letter["kind"], "welcome");
    assert_eq!(letter["to"], "ann@example.org");
    assert_eq!(letter["password"], "hunter2");
    assert!(kept[1].ends_with(body), "sent again, it is the same letter");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_is_taken_for_what_it_is() {
    for (status, again) in [
        (307, true),
        (400, false),
        (401, true),
        (404, true),
        (422, false),
        (429, true),
        (500, true),
        (503, true),
    ] {
        let (url, kept) = endpoint(status).await;
        let error = send(&webhook(url), "a@example.org", "s").await.unwrap_err();
        assert_eq!(matches!(error, DeliverError::Later(_)), again, "{error}");
        let said = error.to_string();
        assert!(said.contains(&status.to_string()) && !said.contains("hunter2"));
        assert_eq!(
            kept.lock().unwrap().len(),
            1,
            "nothing is followed or repeated"
        );
    }
    let gone = url::Url::parse("http://127.0.0.1:1/").unwrap();
    let error = send(&webhook(gone), "a@example.org", "s")
        .await
        .unwrap_err();
    assert!(matches!(error, DeliverError::Later(_)), "{error}");
}
