//! A request as a line that can be pasted into a shell: for finding out, by hand, what an application does.
//!
//! Secrets are variables, the body is a file of one's own (it holds personal data), and everything else is quoted.
//! The variables are named after what they stand for: `$TOKEN`, `$BASIC`, or the name of the header.

use std::fmt::Write as _;

use http::header::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};

use super::auth::Credential;
use super::{Call, Line};
use crate::model::shell;

/// The same request for `curl`.
pub(super) fn command(call: &Call, credential: Option<&Credential>, line: &Line) -> String {
    let mut out = format!("curl -sS -X {}", shell::word(call.method.as_str()));
    if let Some((name, value)) = credential {
        let header = match value.as_bytes() {
            value if value.starts_with(b"Bearer ") => "Authorization: Bearer $TOKEN".to_owned(),
            value if value.starts_with(b"Basic ") => "Authorization: Basic $BASIC".to_owned(),
            _ => format!("{name}: ${}", shell::variable(name.as_str())),
        };
        write!(out, " -H \"{header}\"").ok();
    }
    let secrets: Vec<SecretString> = line.secrets.iter().chain(&call.hidden).cloned().collect();
    headers(&line.headers, &secrets, &mut out);
    headers(&call.headers, &secrets, &mut out);
    let accept = call.accept.as_ref().unwrap_or(&line.media_type);
    let mut plain = |name: &str, value: &[u8]| {
        let header = format!("{name}: {}", String::from_utf8_lossy(value));
        write!(out, " -H {}", shell::word(&header)).ok();
    };
    plain("Accept", accept.as_bytes());
    if let Some(version) = &call.if_match {
        plain("If-Match", version.as_bytes());
    }
    if call.body.is_some() {
        let kind = call.content_type.as_ref().unwrap_or(&line.media_type);
        plain("Content-Type", kind.as_bytes());
        out.push_str(" --data-binary \"@$BODY\"");
    }
    let mut url = call.url.clone();
    if call.lenient {
        // Credentials may be parameters here.
        url.set_query(None);
    }
    write!(out, " {}", without(url.as_str(), &secrets)).ok();
    out
}

/// Headers of the application's own: what may be a secret is a variable.
fn headers(headers: &HeaderMap, secrets: &[SecretString], out: &mut String) {
    for (name, value) in headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        let secret = value.is_sensitive() || holds(&text, secrets);
        if secret {
            let variable = shell::variable(name.as_str());
            write!(out, " -H \"{name}: ${variable}\"").ok();
        } else {
            write!(out, " -H {}", shell::word(&format!("{name}: {text}"))).ok();
        }
    }
}

fn holds(text: &str, secrets: &[SecretString]) -> bool {
    secrets
        .iter()
        .any(|secret| forms(secret).iter().any(|form| text.contains(form)))
}

/// A secret as it may stand in a URL: as it is, and encoded.
fn forms(secret: &SecretString) -> Vec<String> {
    let plain = secret.expose_secret();
    if plain.is_empty() {
        return Vec::new();
    }
    let encoded: String = url::form_urlencoded::byte_serialize(plain.as_bytes()).collect();
    let percent = super::encode(plain);
    vec![plain.to_owned(), encoded, percent]
}

/// A URL as a word, with secrets in it as `$SECRET`.
fn without(url: &str, secrets: &[SecretString]) -> String {
    let mut parts = vec![url.to_owned()];
    for form in secrets.iter().flat_map(forms) {
        parts = parts
            .iter()
            .flat_map(|part| part.split(form.as_str()).map(str::to_owned))
            .collect();
    }
    // Whatever form of a secret was not thought of here is hidden, though it cannot be pasted then.
    let veil = super::line::veil(secrets);
    let words = parts.into_iter().map(|part| shell::word(&veil.drawn(part)));
    words.collect::<Vec<_>>().join("\"$SECRET\"")
}
