//! Opens a connection to the first server that answers, and proves who we are on it.
//!
//! Servers are tried in order while they cannot be reached. A refused bind ends the attempt at once:
//! trying the same password at the next server would only lock the account sooner.

use std::collections::BTreeSet;
use std::sync::Arc;

use ldap3::exop::WhoAmI;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapResult, StdStream};
use secrecy::ExposeSecret as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

use super::SourceError;
use super::entry::{OwnedEntry, printable};
use super::gate::{self, Item, Shared, Stream};
use super::search::{self, Found, Scope, Search};
use super::settings::{Flavour, LdapSettings, Protection, Server};
use super::tls;
use crate::model::normalise_dn;
use crate::veil::Veil;

const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
pub(super) const PAGED: &str = "1.2.840.113556.1.4.319";

/// What the server says about itself.
#[derive(Debug, Default)]
pub(super) struct RootDse {
    /// The entry could be read; otherwise nothing is known.
    pub known: bool,
    pub controls: BTreeSet<String>,
    pub extensions: BTreeSet<String>,
    pub contexts: Vec<String>,
    pub vendor: Option<String>,
    /// Which machine this is, behind whatever name it was reached by (Active Directory).
    pub host: Option<String>,
}

impl RootDse {
    /// Whether the server offers the simple paged results control (RFC 2696); `None` if it did not say.
    pub(super) fn paging(&self) -> Option<bool> {
        self.known.then(|| self.controls.contains(PAGED))
    }
}

/// A bound connection.
pub(super) struct Connection {
    pub ldap: Ldap,
    pub items: mpsc::Receiver<Item>,
    pub shared: Arc<Shared>,
    /// The server, as a URL without credentials.
    pub url: String,
    /// The TLS version and cipher suite; `None` without TLS.
    pub tls: Option<String>,
    /// What the server answered to "Who am I?".
    pub bound_as: Option<String>,
    pub root: RootDse,
    relay: tokio::task::JoinHandle<()>,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.relay.abort();
        self.driver.abort();
    }
}

impl Connection {
    /// Says goodbye. The server need not answer, so neither do we wait.
    pub(super) async fn close(mut self) {
        if let Err(error) = self.ldap.unbind().await {
            tracing::debug!(%error, "the directory connection was gone before it was closed");
        }
    }

    /// The server, with the name of the machine where one name may mean any of several.
    pub(super) fn server(&self) -> String {
        match &self.root.host {
            Some(host) => format!("{} ({})", self.url, host),
            None => self.url.clone(),
        }
    }

    /// Why the connection ended.
    pub(super) fn failure(&self) -> String {
        let failure = self.shared.failure();
        failure.unwrap_or_else(|| "the connection ended".to_owned())
    }
}

/// Bytes taken from the network at once below TLS.
const TLS_READ: usize = 128 << 10;

/// How one attempt ended.
enum Attempt {
    /// Not reached: the next server may do better.
    Unreachable(String),
    /// Refused: a person must look.
    Refused(String),
}

/// Connects and binds.
///
/// # Errors
/// When no server could be reached, or one refused the bind.
pub(super) async fn open(name: &str, settings: &LdapSettings) -> Result<Connection, SourceError> {
    let mut failures = Vec::new();
    for server in &settings.servers {
        let url = url_of(server);
        match attempt(settings, server, &url).await {
            Ok(connection) => return Ok(connection),
            Err(Attempt::Unreachable(why)) => {
                tracing::warn!(
                    source = name,
                    server = url,
                    why,
                    "directory server not reached"
                );
                failures.push(format!("{url}: {why}"));
            }
            Err(Attempt::Refused(why)) => {
                return Err(SourceError::Refused {
                    source_name: name.to_owned(),
                    server: url,
                    why,
                });
            }
        }
    }
    Err(SourceError::Unreachable {
        source_name: name.to_owned(),
        why: failures.join("; "),
    })
}

/// The server as a URL.
pub(super) fn url_of(server: &Server) -> String {
    let scheme = match server.protection {
        Protection::Ldaps => "ldaps",
        Protection::StartTls | Protection::DangerPlain => "ldap",
    };
    if server.host.contains(':') {
        format!("{scheme}://[{}]:{}", server.host, server.port)
    } else {
        format!("{scheme}://{}:{}", server.host, server.port)
    }
}

async fn attempt(
    settings: &LdapSettings,
    server: &Server,
    url: &str,
) -> Result<Connection, Attempt> {
    if settings.bind_password.expose_secret().is_empty() {
        // RFC 4513 §5.1.2: some servers take it for an anonymous bind and say success.
        return Err(Attempt::Refused("the bind password is empty".to_owned()));
    }
    let reached = tokio::time::timeout(settings.connect_timeout, reach(settings, server)).await;
    let (stream, tls) = match reached {
        Ok(Ok(reached)) => reached,
        Ok(Err(why)) => return Err(Attempt::Unreachable(why)),
        Err(_) => {
            let why = format!("no connection within {:?}", settings.connect_timeout);
            return Err(Attempt::Unreachable(why));
        }
    };
    let gate = gate::open(stream, settings.message_limit, settings.read_timeout)
        .map_err(|error| Attempt::Unreachable(error.to_string()))?;
    let ldap_settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(gate.socket));
    let (driver, ldap) = LdapConnAsync::with_settings(ldap_settings, "ldapi:///")
        .await
        .map_err(|error| Attempt::Unreachable(error.to_string()))?;
    // The driver's own error says less than the gate's, and a panic in it only ends this connection.
    let driver = tokio::spawn(async move {
        if let Err(error) = driver.drive().await {
            tracing::debug!(%error, "the directory connection ended");
        }
    });
    let mut connection = Connection {
        ldap,
        items: gate.items,
        shared: gate.shared,
        url: url.to_owned(),
        tls,
        bound_as: None,
        root: RootDse::default(),
        relay: gate.task,
        driver,
    };
    bind(&mut connection, settings).await?;
    connection.root = root_dse(&mut connection).await;
    if let Some(why) = connection.shared.failure() {
        return Err(Attempt::Unreachable(why));
    }
    who_am_i(&mut connection, settings).await?;
    Ok(connection)
}

async fn reach(
    settings: &LdapSettings,
    server: &Server,
) -> Result<(Box<dyn Stream>, Option<String>), String> {
    let addresses = tokio::net::lookup_host((server.host.as_str(), server.port))
        .await
        .map_err(|error| format!("the name cannot be resolved: {error}"))?;
    let mut stream = Err("the name has no address".to_owned());
    for address in addresses {
        match dial(address).await {
            Ok(connected) => {
                stream = Ok(connected);
                break;
            }
            Err(error) => stream = Err(error.to_string()),
        }
    }
    let mut stream = stream?;
    match server.protection {
        Protection::DangerPlain => return Ok((Box::new(stream), None)),
        Protection::StartTls => tls::start(&mut stream).await?,
        Protection::Ldaps => {}
    }
    let config = tls::config(settings.ca_pem.as_deref()).await?;
    // rustls asks for a few thousand bytes at a time; a page of entries has hundreds of thousands.
    let stream = tokio::io::BufReader::with_capacity(TLS_READ, stream);
    let stream = tls::handshake(stream, &server.host, config).await?;
    let (_, session) = stream.get_ref();
    let version = session
        .protocol_version()
        .and_then(|v| v.as_str().map(str::to_owned));
    let suite = session
        .negotiated_cipher_suite()
        .and_then(|s| s.suite().as_str());
    let shown = format!(
        "{}, {}",
        version.unwrap_or_default(),
        suite.unwrap_or_default()
    );
    Ok((Box::new(stream), Some(shown)))
}

async fn dial(address: std::net::SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_keepalive(true)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn bind(connection: &mut Connection, settings: &LdapSettings) -> Result<(), Attempt> {
    let password = settings.bind_password.expose_secret();
    let answer = connection
        .ldap
        .simple_bind(&settings.bind_name, password)
        .await;
    let Ok(result) = answer else {
        return Err(Attempt::Unreachable(connection.failure()));
    };
    match result.rc {
        0 => Ok(()),
        // Busy, unavailable: this server cannot say anything about the credentials.
        51 | 52 => Err(Attempt::Unreachable(explain(&result, settings))),
        _ => Err(Attempt::Refused(explain(&result, settings))),
    }
}

/// A refused bind in words, which do not repeat the password even if the server does.
fn explain(result: &LdapResult, settings: &LdapSettings) -> String {
    let veil = Veil::over([settings.bind_password.expose_secret().as_bytes()]);
    let mut text = result.text.clone().into_bytes();
    veil.draw(&mut text);
    let text = printable(&text);
    let hint = match result.rc {
        49 => ad_hint(&text).unwrap_or("wrong bind name or password"),
        8 | 13 => "the server wants an encrypted connection; use ldaps:// or start-tls",
        48 => "the server does not accept passwords for this bind name",
        53 => "the server is unwilling; the account may be locked or the password expired",
        51 | 52 => "the server is busy or shutting down",
        _ => "unexpected answer to the bind",
    };
    format!("{hint} (result {}: {text})", result.rc)
}

/// What Active Directory means by the sub-code in its text (`… data 52e, …`).
fn ad_hint(text: &str) -> Option<&'static str> {
    let (_, after) = text.split_once("data ")?;
    let code: String = after.chars().take_while(char::is_ascii_hexdigit).collect();
    match code.as_str() {
        "525" => Some("there is no such account; check the bind name"),
        "52e" => Some("wrong password, or no such account"),
        "530" => Some("the account may not log on at this time (logon hours)"),
        "531" => Some("the account may not log on from this computer"),
        "532" => Some("the password of the bind account has expired"),
        "533" => Some("the bind account is disabled"),
        "701" => Some("the bind account has expired"),
        "773" => Some("the bind account must change its password first"),
        "775" => Some("the bind account is locked out"),
        _ => None,
    }
}

async fn who_am_i(connection: &mut Connection, settings: &LdapSettings) -> Result<(), Attempt> {
    if connection.root.known && !connection.root.extensions.contains(WHO_AM_I) {
        return Ok(());
    }
    let Ok(answer) = connection.ldap.extended(WhoAmI).await else {
        return Err(Attempt::Unreachable(connection.failure()));
    };
    // A server that does not know the operation cannot be asked; the bind itself said success.
    let (Some(value), 0) = (answer.0.val, answer.1.rc) else {
        if answer.1.rc == 0 {
            return Err(Attempt::Refused(
                "the server took the bind for an anonymous one".to_owned(),
            ));
        }
        return Ok(());
    };
    let identity = printable(&value);
    check_identity(&identity, settings).map_err(Attempt::Refused)?;
    connection.bound_as = Some(identity);
    Ok(())
}

/// Compares who we are with who we wanted to be.
fn check_identity(identity: &str, settings: &LdapSettings) -> Result<(), String> {
    let wanted = settings.bind_name.as_str();
    let other = || {
        Err(format!(
            "the server took the bind of \"{wanted}\" for \"{identity}\""
        ))
    };
    match identity.split_once(':') {
        Some(("dn", "")) | None => Err("the server took the bind for an anonymous one".to_owned()),
        Some(("dn", dn)) if settings.flavour == Flavour::Ldap => {
            match (
                normalise_dn(dn),
                normalise_dn(wanted).filter(|dn| !dn.is_empty()),
            ) {
                (Some(is), Some(should)) if is != should => other(),
                _ => Ok(()),
            }
        }
        Some(("u", user)) => {
            // AD answers DOMAIN\user. A user@domain name need not share its first part, so only the same form is compared.
            let last = |name: &str| name.rsplit_once('\\').map(|(_, user)| user.to_lowercase());
            match (last(user), last(wanted)) {
                _ if user.is_empty() => {
                    Err("the server took the bind for an anonymous one".to_owned())
                }
                (Some(is), Some(should)) if is != should => other(),
                _ => Ok(()),
            }
        }
        Some(_) => Ok(()),
    }
}

async fn root_dse(connection: &mut Connection) -> RootDse {
    let search = Search {
        base: "",
        scope: Scope::Base,
        filter: "(objectClass=*)",
        attributes: [
            "supportedControl",
            "supportedExtension",
            "namingContexts",
            "defaultNamingContext",
            "vendorName",
            "vendorVersion",
            "supportedCapabilities",
            "dnsHostName",
        ]
        .map(str::to_owned)
        .to_vec(),
        page_size: 0,
    };
    let mut entry = OwnedEntry::default();
    let mut found = false;
    let end = search::run(connection, &search, &mut |item| {
        if let Found::Entry(raw) = item {
            entry = OwnedEntry::copy(raw);
            found = true;
        }
    })
    .await;
    let entry = entry.borrow();
    let texts = |name: &str| {
        entry
            .get(name)
            .iter()
            .map(|v| printable(v))
            .collect::<Vec<_>>()
    };
    let mut contexts = texts("defaultNamingContext");
    if contexts.is_empty() {
        contexts = texts("namingContexts");
    }
    let vendor = [texts("vendorName"), texts("vendorVersion")]
        .concat()
        .join(" ");
    let capabilities = texts("supportedCapabilities");
    let vendor = match vendor.as_str() {
        "" if capabilities
            .iter()
            .any(|oid| oid == "1.2.840.113556.1.4.800") =>
        {
            Some("Active Directory".to_owned())
        }
        "" => None,
        vendor => Some(vendor.to_owned()),
    };
    RootDse {
        known: found && end.result.is_ok(),
        controls: texts("supportedControl").into_iter().collect(),
        extensions: texts("supportedExtension").into_iter().collect(),
        contexts,
        vendor,
        host: texts("dnsHostName").into_iter().next(),
    }
}
