//! Building the HTTP client: TLS with our own settings, no redirects, no proxies from the environment.
//!
//! There is no way to turn certificate verification off, here or in the configuration.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::origin::reachable;
use crate::target::ConnectorError;
use crate::target::settings::HttpSettings;

/// Idle connections are dropped sooner than common servers do (5 s), so that a write does not race with their closing.
const IDLE: Duration = Duration::from_secs(4);

/// The one client of a target.
///
/// # Errors
/// [`ConnectorError::Rejected`] if the certificates or the proxy cannot be used.
pub fn client(settings: &HttpSettings) -> Result<reqwest::Client, ConnectorError> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(settings.ca_pem.as_deref())?)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .dns_resolver(Arc::new(Careful))
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(settings.parallelism.max(1))
        .user_agent(concat!("provost/", env!("CARGO_PKG_VERSION")))
        .no_proxy();
    if let Some(proxy) = &settings.proxy {
        let proxy = reqwest::Proxy::all(proxy.clone())
            .map_err(|_| ConnectorError::Rejected("the proxy URL cannot be used".to_owned()))?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| {
        ConnectorError::Rejected(format!(
            "the HTTP client cannot be set up: {}",
            super::fault::chain(error)
        ))
    })
}

fn tls(ca_pem: Option<&[u8]>) -> Result<ClientConfig, ConnectorError> {
    let roots = roots(ca_pem)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| ConnectorError::Rejected(format!("TLS cannot be set up: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(ca_pem: Option<&[u8]>) -> Result<RootCertStore, ConnectorError> {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = ca_pem {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| {
                ConnectorError::Rejected(format!("the CA file is not valid PEM: {e}"))
            })?;
            roots.add(certificate).map_err(|e| {
                ConnectorError::Rejected(format!("a certificate of the CA file is unusable: {e}"))
            })?;
        }
        if roots.is_empty() {
            return Err(ConnectorError::Rejected(
                "the CA file holds no certificate".to_owned(),
            ));
        }
        return Ok(roots);
    }
    // One unreadable certificate in the system's store must not take the others with it.
    let found = rustls_native_certs::load_native_certs();
    let (_, ignored) = roots.add_parsable_certificates(found.certs);
    if ignored > 0 || !found.errors.is_empty() {
        tracing::debug!(
            ignored = ignored + found.errors.len(),
            "some system certificates were skipped"
        );
    }
    Ok(roots)
}

/// Resolves names by the system and refuses answers that lead to link-local addresses (cloud metadata services).
struct Careful;

impl Resolve for Careful {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| reachable(address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err("the name resolves to no usable address".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
