//! What sources and targets have in common: names, secrets, certificates, URLs.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::{Outside, Secrets};
use crate::config::raw::{Located, Section, is_name};
use crate::config::secret::{FORMS, Reference};
use crate::model::Problem;

/// The shortest timeout that can be configured.
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest timeout that can be configured.
const LONGEST: Duration = Duration::from_secs(3600);

/// What is wrong with secrets in the environment.
pub const INHERITED: &str = "a secret in the environment is inherited by every child process";
/// What to do about it.
pub const NOT_INHERITED: &str = "use \"cred:NAME\" or \"file:/path\" outside of tests";

/// The name of a source or target.
pub fn name(section: &Section<'_>) -> Option<String> {
    let name = section.required(
        "name",
        "a short name for commands, reports and the state folder",
    )?;
    if is_name(&name.value) {
        return Some(name.value);
    }
    let message = "a name has lower-case letters, digits, `-` and `_`, begins with a letter or digit, and is no longer than 64";
    section.error(
        "name",
        message,
        "names become folder names; use a short one such as \"crm\"",
    );
    None
}

/// A timeout.
pub fn timeout(section: &Section<'_>, key: &str, default: Duration) -> Duration {
    section.duration(key, SHORTEST..=LONGEST).unwrap_or(default)
}

/// A secret by reference. When only forms are checked, the secret is empty.
pub fn secret(section: &Section<'_>, key: &str, outside: &dyn Outside) -> Option<SecretString> {
    if !section.has(key) {
        section.missing(key, FORMS);
        return None;
    }
    let Some(text) = section.peek(key) else {
        section.error(
            key,
            "a secret must not be written in the configuration",
            FORMS,
        );
        return None;
    };
    let reference = match Reference::parse(&text.value) {
        Ok(reference) => reference,
        Err(why) => {
            section.error(key, why, FORMS);
            return None;
        }
    };
    if let Reference::Environment(_) = reference {
        section.warning(key, INHERITED, NOT_INHERITED);
    }
    match outside.secrets() {
        Secrets::CheckFormOnly => Some(SecretString::from(String::new())),
        Secrets::Load => outside
            .secret(&reference)
            .map_err(|why| section.findings().error(section.problem(key, why)))
            .ok(),
    }
}

/// The certificates to trust instead of the system's.
pub fn certificates(section: &Section<'_>, outside: &dyn Outside) -> Option<Vec<u8>> {
    let path = section.text("ca-file")?;
    let read = outside.certificates(&outside.resolve(&path.value));
    let why = match read {
        Ok(pem) => return Some(pem),
        Err(why) => why,
    };
    match outside.secrets() {
        Secrets::Load => section.error(
            "ca-file",
            why,
            "leave ca-file out to trust the system's certificates",
        ),
        Secrets::CheckFormOnly => section.warning("ca-file", why, "only the form is checked now"),
    }
    None
}

/// A URL for HTTP. Plain `http://` is for loopback hosts, or must be allowed by name.
pub fn http_url(section: &Section<'_>, text: &Located<String>, plain_allowed: bool) -> Option<Url> {
    let refuse = |message: String, help: &str| {
        let problem = Problem::new(Some(text.span.clone()), &text.field, message).help(help);
        section.findings().error(problem);
        None
    };
    let url = match Url::parse(&text.value) {
        Ok(url) => url,
        Err(why) => {
            return refuse(
                format!("is not a URL: {why}"),
                "write \"https://host/path\"",
            );
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            "must not contain a user name or password".to_owned(),
            "credentials go into [target.auth], secrets by reference",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse(
            "must not have a query or fragment".to_owned(),
            "end the URL at its path",
        );
    }
    match url.scheme() {
        "https" => Some(url),
        "http" if plain_allowed || is_loopback(&url) => Some(url),
        "http" => refuse(
            "must begin with https://".to_owned(),
            "without TLS everybody on the way can read and change accounts; `danger-plain-text = true` allows it all the same",
        ),
        _ => refuse(
            "must begin with https://".to_owned(),
            "write \"https://host/path\"",
        ),
    }
}

/// Whether a URL's host is this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Checks a located text with a function that says what is wrong.
pub fn check(
    section: &Section<'_>,
    text: &Located<String>,
    with: impl Fn(&str) -> Result<(), String>,
) {
    if let Err(why) = with(&text.value) {
        let problem = Problem::new(Some(text.span.clone()), &text.field, why);
        section.findings().error(problem);
    }
}

/// The values alone.
pub fn values<C: FromIterator<String>>(texts: Vec<Located<String>>) -> C {
    texts.into_iter().map(|text| text.value).collect()
}
