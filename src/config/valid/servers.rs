//! The URLs of directory servers.

use url::Url;

use crate::config::raw::Section;
use crate::model::Problem;
use crate::source::settings::{Protection, Server};

/// The servers, in the order they are tried.
pub fn read(section: &Section<'_>) -> Vec<Server> {
    let plain = section.flag("danger-plain-text", false);
    if plain {
        let message = "connections to ldap:// servers are not protected";
        section.warning(
            "danger-plain-text",
            message,
            "everybody on the way can read the bind password and change answers",
        );
    }
    if !section.has("urls") {
        section.missing(
            "urls",
            "such as [\"ldaps://dc1.example.com\"]; several are tried in order",
        );
    } else if section.is_empty_list("urls") {
        section.error(
            "urls",
            "must not be empty",
            "such as [\"ldaps://dc1.example.com\"]",
        );
    }
    let urls = section.texts("urls");
    urls.iter()
        .filter_map(|url| {
            let help = "write \"ldaps://host\", or \"ldap://host\" for StartTLS; a port may follow";
            server_of(&url.value, plain)
                .map_err(|why| {
                    let problem = Problem::new(Some(url.span.clone()), &url.field, why).help(help);
                    section.findings().error(problem);
                })
                .ok()
        })
        .collect()
}

fn server_of(text: &str, plain: bool) -> Result<Server, &'static str> {
    let url = Url::parse(text).map_err(|_why| "is not a URL of a directory server")?;
    let (protection, port) = match url.scheme() {
        "ldaps" => (Protection::Ldaps, 636),
        "ldap" if plain => (Protection::DangerPlain, 389),
        "ldap" => (Protection::StartTls, 389),
        _ => return Err("must begin with ldaps:// or ldap://"),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or password");
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("must end after the host and port; bases and filters have keys of their own");
    }
    let host = url.host_str().unwrap_or_default();
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let proper = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(proper) {
        return Err("has no proper host name or address");
    }
    Ok(Server {
        host: host.to_owned(),
        port: url.port().unwrap_or(port),
        protection,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_servers() {
        for (text, plain, host, port, protection) in [
            (
                "ldaps://dc1.example.com",
                false,
                "dc1.example.com",
                636,
                Protection::Ldaps,
            ),
            ("ldaps://dc1:3269/", true, "dc1", 3269, Protection::Ldaps),
            ("ldap://dc1", false, "dc1", 389, Protection::StartTls),
            (
                "ldap://127.0.0.1:1389",
                true,
                "127.0.0.1",
                1389,
                Protection::DangerPlain,
            ),
            (
                "ldaps://[fd00::1]:636",
                false,
                "fd00::1",
                636,
                Protection::Ldaps,
            ),
        ] {
            let server = server_of(text, plain).unwrap();
            assert_eq!((server.host.as_str(), server.port), (host, port), "{text}");
            assert_eq!(server.protection, protection, "{text}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for text in [
            "dc1",
            "https://dc1",
            "ldaps://",
            "ldaps://u:p@dc1",
            "ldaps://dc1/DC=x",
            "ldaps://dc1?x",
            "ldaps://d c1",
            "ldaps://dc1:99999",
        ] {
            assert!(server_of(text, false).is_err(), "{text}");
        }
    }
}
