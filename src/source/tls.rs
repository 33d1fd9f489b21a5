//! TLS for directory connections: which certificates are trusted, and StartTLS on the raw connection.
//!
//! There is no way to switch verification off. The provider is ring, named here, so no process-wide default is needed.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ber;
use super::framing::{self, Frame};

const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// The answer to StartTLS comes before any protection: it may not be large.
const ANSWER_LIMIT: usize = 16 << 10;

/// The configuration for one source: these authorities, or the system's.
///
/// # Errors
/// When there is no usable certificate.
pub(super) async fn config(ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = ca_pem {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|error| format!("the CA file is not PEM: {error:?}"))?;
            roots.add(certificate).map_err(|error| {
                format!("the CA file holds a certificate that cannot be used: {error}")
            })?;
        }
    } else {
        let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs)
            .await
            .map_err(|error| format!("the system's certificates could not be loaded: {error}"))?;
        for error in found.errors {
            tracing::debug!(%error, "one of the system's certificates could not be loaded");
        }
        roots.add_parsable_certificates(found.certs);
    }
    if roots.is_empty() {
        return Err(
            "there is no certificate authority to trust; set `ca-file` of the source".to_owned(),
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Makes the handshake.
///
/// # Errors
/// Says what is wrong with the certificate or the connection.
pub(super) async fn handshake<S>(
    stream: S,
    host: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<S>, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| format!("\"{host}\" is neither a host name nor an address"))?;
    TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| explain(&error))
}

fn explain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let next = if text.contains("UnknownIssuer") {
        "; name its certificate authority in `ca-file`"
    } else if text.contains("not valid for name") || text.contains("NotValidForName") {
        "; use the name that the certificate was issued for"
    } else if text.contains("expired") {
        "; the server needs a new certificate"
    } else {
        ""
    };
    format!("TLS failed: {text}{next}")
}

/// Asks for StartTLS (RFC 4511 §4.14) and waits for the answer. Nothing may follow the answer before the handshake:
/// what comes then was put in by somebody else.
///
/// # Errors
/// When the server refuses or does not keep to the protocol.
pub(super) async fn start<S>(stream: &mut S) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut body = ber::element(ber::INTEGER, &[1]);
    ber::write(
        &mut body,
        framing::EXTENDED_REQUEST,
        &ber::element(0x80, START_TLS),
    );
    let request = ber::element(ber::SEQUENCE, &body);
    stream
        .write_all(&request)
        .await
        .map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    loop {
        let frame = framing::next(&answer, ANSWER_LIMIT).map_err(|error| error.to_string())?;
        match frame {
            Frame::More(_) => {}
            Frame::Message {
                id: 1,
                operation: framing::EXTENDED_RESPONSE,
                length,
            } if length == answer.len() => {
                break;
            }
            Frame::Message { .. } | Frame::Huge { .. } | Frame::Ignored { .. } => {
                return Err(
                    "the answer to StartTLS is not followed by TLS; somebody may be interfering"
                        .to_owned(),
                );
            }
        }
        let read = stream
            .read_buf(&mut answer)
            .await
            .map_err(|error| error.to_string())?;
        if read == 0 {
            return Err(
                "the server closed the connection instead of answering StartTLS".to_owned(),
            );
        }
    }
    let result = framing::open(&answer)
        .ok()
        .and_then(|(_, _, content)| framing::result_of(content));
    match result {
        Some((0, _)) => Ok(()),
        Some((code, text)) => Err(format!(
            "the server refused StartTLS with result {code} ({text})"
        )),
        None => Err("the answer to StartTLS is not LDAP".to_owned()),
    }
}
