//! How a target is told who we are: `[target.auth]`.

use secrecy::{ExposeSecret, SecretString};

use super::common;
use super::{Outside, Secrets};
use crate::config::keys;
use crate::config::raw::Section;
use crate::target::settings::Auth;

#[derive(Clone, Copy)]
enum Type {
    Bearer,
    Basic,
    Header,
    ClientCredentials,
}

const TYPES: [(&str, Type); 4] = [
    ("bearer", Type::Bearer),
    ("basic", Type::Basic),
    ("header", Type::Header),
    ("client-credentials", Type::ClientCredentials),
];

/// Reads the `auth` of a target.
pub fn read(target: &Section<'_>, plain: bool, outside: &dyn Outside) -> Option<Auth> {
    let help = "add [target.auth] with type = \"bearer\" and token = \"cred:NAME\"; other types are basic, header, client-credentials";
    if !target.has("auth") {
        target.missing("auth", help);
    }
    let auth = target.any_table("auth")?;
    if !auth.has("type") {
        auth.missing(
            "type",
            "\"bearer\", \"basic\", \"header\" or \"client-credentials\"",
        );
    }
    match auth.choice("type", &TYPES)? {
        Type::Bearer => {
            auth.expect(&keys::AUTH_BEARER);
            header_secret(&auth, "token", outside).map(Auth::Bearer)
        }
        Type::Basic => {
            auth.expect(&keys::AUTH_BASIC);
            let user = auth.required("user", "the user name");
            if user.as_ref().is_some_and(|user| user.value.contains(':')) {
                auth.error(
                    "user",
                    "must not contain a colon",
                    "Basic authentication cannot express it (RFC 7617 §2)",
                );
            }
            let password = common::secret(&auth, "password", outside);
            Some(Auth::Basic {
                user: user?.value,
                password: password?,
            })
        }
        Type::Header => {
            auth.expect(&keys::AUTH_HEADER);
            let name = header_name(&auth);
            let value = header_secret(&auth, "value", outside);
            Some(Auth::Header {
                name: name?,
                value: value?,
            })
        }
        Type::ClientCredentials => client_credentials(&auth, plain, outside),
    }
}

fn client_credentials(auth: &Section<'_>, plain: bool, outside: &dyn Outside) -> Option<Auth> {
    auth.expect(&keys::AUTH_CLIENT);
    let token_url = auth
        .required("token-url", "the authorisation server's token endpoint")
        .and_then(|url| common::http_url(auth, &url, plain));
    let client_id = auth.required("client-id", "the client id");
    let client_secret = common::secret(auth, "client-secret", outside);
    let scope = auth.text("scope").map(|scope| scope.value);
    let in_body = auth.flag("in-body", false);
    Some(Auth::ClientCredentials {
        token_url: token_url?,
        client_id: client_id?.value,
        client_secret: client_secret?,
        scope,
        in_body,
    })
}

/// A header name that does not interfere with HTTP itself.
fn header_name(auth: &Section<'_>) -> Option<String> {
    let name = auth.required("name", "the header's name, such as \"X-Api-Key\"")?;
    let lower = name.value.to_ascii_lowercase();
    let reserved = [
        "host",
        "connection",
        "content-length",
        "content-type",
        "transfer-encoding",
        "accept",
        "if-match",
    ];
    if http::HeaderName::from_bytes(lower.as_bytes()).is_err() {
        auth.error(
            "name",
            "is not a header name",
            "header names have letters, digits and `-`",
        );
        return None;
    }
    if reserved.contains(&lower.as_str()) {
        auth.error(
            "name",
            "this header has another purpose in HTTP",
            "name the header that the application expects the key in",
        );
        return None;
    }
    Some(name.value)
}

/// A secret that is sent as a header's value, so it must be able to be one.
fn header_secret(auth: &Section<'_>, key: &str, outside: &dyn Outside) -> Option<SecretString> {
    let secret = common::secret(auth, key, outside)?;
    let proper = secret
        .expose_secret()
        .bytes()
        .all(|b| (b' '..=b'~').contains(&b));
    let untrimmed = secret.expose_secret().trim() != secret.expose_secret();
    if outside.secrets() == Secrets::Load && (!proper || untrimmed) {
        auth.error(
            key,
            "this secret cannot be sent in a header",
            "it has characters outside printable ASCII, or spaces around it",
        );
        return None;
    }
    Some(secret)
}
