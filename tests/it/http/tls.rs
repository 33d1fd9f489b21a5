//! TLS to an application: whom the client trusts, and that nobody else is believed.

use std::sync::Arc;

use provost::model::AccountId;
use provost::target::scim::ScimConnector;
use provost::target::{AccountReader, ConnectorError};
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};

use super::{JSON, raw};
use crate::contract::scim;

/// An application over TLS with a self-signed certificate for this name; its port and the certificate.
async fn application(name: &str, expired: bool) -> (u16, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    }
    let certificate = params.self_signed(&key).unwrap();
    let pem = certificate.pem().into_bytes();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that refuses the certificate ends here.
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = [0; 4096];
                let n = stream.read(&mut request).await.unwrap_or(0);
                let status = if request[..n].starts_with(b"GET /scim/Users/1 ") {
                    200
                } else {
                    404
                };
                let answer = raw(status, JSON, br#"{"id":"1","userName":"ada"}"#);
                let _sent = stream.write_all(&answer).await;
                let _closed = stream.shutdown().await;
            });
        }
    });
    (port, pem)
}

#[tokio::test]
async fn only_a_valid_certificate_of_a_trusted_issuer_is_believed() {
    let (port, pem) = application("localhost", false).await;
    let (other_port, other_pem) = application("other.example", false).await;
    let (old_port, old_pem) = application("localhost", true).await;
    for (what, port, ca, trusted) in [
        ("trusted", port, Some(&pem), true),
        ("the system's issuers only", port, None, false),
        ("another issuer", port, Some(&other_pem), false),
        ("another name", other_port, Some(&other_pem), false),
        ("expired", old_port, Some(&old_pem), false),
    ] {
        let mut settings = scim(&format!("https://localhost:{port}/scim"), "t");
        settings.http.ca_pem = ca.cloned();
        let target = ScimConnector::connect(settings).await;
        if !trusted {
            assert!(
                matches!(target, Err(ConnectorError::Transient(_))),
                "{what}: {target:?}"
            );
            continue;
        }
        let found = target.unwrap().get(&AccountId("1".to_owned())).await;
        assert!(found.unwrap().is_some(), "{what}");
    }
}

#[tokio::test]
async fn plain_text_and_unusable_certificates_are_refused_beforehand() {
    for (base, ca, danger) in [
        ("http://app.example/scim", None, false),
        ("https://169.254.169.254/scim", None, false),
        ("https://user:pw@app.example/scim", None, false),
        ("https://app.example/scim", Some("no certificate"), false),
        ("ftp://app.example/scim", None, true),
    ] {
        let mut settings = scim(base, "t");
        settings.http.ca_pem = ca.map(|text| text.as_bytes().to_vec());
        settings.http.danger_plain = danger;
        let target = ScimConnector::connect(settings).await;
        assert!(
            matches!(target, Err(ConnectorError::Rejected(_))),
            "{base}: {target:?}"
        );
        assert!(!format!("{target:?}").contains("pw"), "{base}");
    }
}
