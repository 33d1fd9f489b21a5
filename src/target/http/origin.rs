//! Where requests may go: one scheme, host and port, fixed by the configured base URL.
//!
//! Pure. Everything that the application says about addresses (`Location`, next links) is resolved here and refused when it
//! leads elsewhere. Ids become exactly one path segment. Name resolution is not looked at here (see `tls`).

use url::{Host, Url};

use crate::target::ConnectorError;

/// The base URL with its origin pinned.
#[derive(Clone, Debug)]
pub struct Origin {
    base: Url,
    prefix: String,
}

impl Origin {
    /// Checks the configured base URL: `https` (or `http` to a loopback host, or `danger_plain`), no userinfo, query or fragment.
    ///
    /// # Errors
    /// [`ConnectorError::Rejected`] saying what to change.
    pub fn new(base: &Url, danger_plain: bool) -> Result<Self, ConnectorError> {
        check_transport(base, danger_plain)?;
        if base.query().is_some() || base.fragment().is_some() {
            return Err(ConnectorError::Rejected(format!(
                "the base URL \"{base}\" has a query or fragment; remove it"
            )));
        }
        let prefix = base.path().trim_end_matches('/').to_owned();
        Ok(Self {
            base: base.clone(),
            prefix,
        })
    }

    /// The URL of a resource below the base: fixed words, then optionally one opaque id, then optionally a query.
    ///
    /// # Errors
    /// [`ConnectorError::Rejected`] for an id that no URL can carry as a segment (empty, `.` and `..`).
    pub fn at(
        &self,
        kind: &str,
        id: Option<&str>,
        query: &[(&str, &str)],
    ) -> Result<Url, ConnectorError> {
        let mut path = format!("{}/{kind}", self.prefix);
        if let Some(id) = id {
            path.push('/');
            path.push_str(&segment(id)?);
        }
        let mut url = self.base.clone();
        url.set_path(&path);
        if !query.is_empty() {
            let pairs: Vec<String> = query
                .iter()
                .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
                .collect();
            url.set_query(Some(&pairs.join("&")));
        }
        Ok(url)
    }

    /// Resolves a link that the application gave, and refuses it if it leaves the origin.
    ///
    /// # Errors
    /// [`ConnectorError::Protocol`] if scheme, host or port differ, or user information or unusual characters are present.
    pub fn follow(&self, link: &str) -> Result<Url, ConnectorError> {
        let refused = || {
            ConnectorError::Protocol(format!(
                "the application gave a link that leaves {}; it was not followed",
                self.base.origin().ascii_serialization()
            ))
        };
        // Parsers disagree about backslashes, blanks and control characters: what is unclear is not followed.
        let unclear = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        if link.is_empty() || link.contains(unclear) {
            return Err(refused());
        }
        let mut base = self.base.clone();
        base.set_path(&format!("{}/", self.prefix));
        let url = base.join(link).map_err(|_| refused())?;
        let same = url.scheme() == self.base.scheme()
            && url.host() == self.base.host()
            && url.port_or_known_default() == self.base.port_or_known_default();
        // An authority with "@" is refused even where the user name is empty.
        let authority = link.split_once("//").map_or("", |(_, rest)| {
            rest.split(['/', '?', '#']).next().unwrap_or_default()
        });
        let userinfo =
            !url.username().is_empty() || url.password().is_some() || authority.contains('@');
        if same && !userinfo {
            Ok(url)
        } else {
            Err(refused())
        }
    }

    /// The id in a link to one resource of a kind (`…/Users/<id>`): the decoded last segment.
    ///
    /// # Errors
    /// As [`Self::follow`], and [`ConnectorError::Protocol`] if the link does not have that shape.
    pub fn id_in(&self, link: &str, kind: &str) -> Result<String, ConnectorError> {
        let url = match self.behind_terminator(link) {
            Some(link) => self.follow(&link)?,
            None => self.follow(link)?,
        };
        let mut segments = url.path().rsplit('/');
        let id = segments.next().and_then(decode).unwrap_or_default();
        if id.is_empty() || segments.next() != Some(kind) {
            return Err(ConnectorError::Protocol(format!(
                "the Location of a new resource does not end in {kind}/<id>"
            )));
        }
        Ok(id)
    }

    /// A link as an application writes it that does not know of the TLS in front of it: our own host with `http`. Nothing
    /// is sent there; it is read as what it means here.
    fn behind_terminator(&self, link: &str) -> Option<String> {
        let rest = link.strip_prefix("http://")?;
        if self.base.scheme() != "https" {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let port = authority.strip_prefix(self.base.host_str()?)?;
        let digits = port.strip_prefix(':').unwrap_or(port);
        let own = digits.bytes().all(|b| b.is_ascii_digit());
        own.then(|| format!("{}{path}", self.base.origin().ascii_serialization()))
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }
}

/// Whether this URL may be spoken to at all: `https`, or `http` to loopback or by explicit permission; no userinfo; no link-local host.
///
/// # Errors
/// [`ConnectorError::Rejected`] saying what to change.
pub fn check_transport(url: &Url, danger_plain: bool) -> Result<(), ConnectorError> {
    let refuse = |why: &str| {
        Err(ConnectorError::Rejected(format!(
            "the URL of host \"{}\" {why}",
            url.host_str().unwrap_or_default()
        )))
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("holds a user name or password; use the auth settings instead");
    }
    match url.scheme() {
        "https" => {}
        "http" if danger_plain || is_loopback(url) => {}
        "http" => return refuse("is plain http; use https (or danger-plain-text = true)"),
        _ => return refuse("is neither https nor http"),
    }
    match url.host() {
        None => refuse("has no host"),
        Some(Host::Ipv4(ip)) if !reachable(ip.into()) => {
            refuse("is a link-local or multicast address")
        }
        Some(Host::Ipv6(ip)) if !reachable(ip.into()) => {
            refuse("is a link-local or multicast address")
        }
        Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)) => Ok(()),
    }
}

/// Whether an address may be an application: link-local addresses (cloud metadata services) and multicast may not.
#[must_use]
pub fn reachable(ip: std::net::IpAddr) -> bool {
    use std::net::IpAddr;
    let ip = match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    };
    match ip {
        IpAddr::V4(v4) => !(v4.is_link_local() || v4.is_multicast() || v4.is_unspecified()),
        IpAddr::V6(v6) => !(v6.is_unicast_link_local() || v6.is_multicast() || v6.is_unspecified()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// An opaque id as exactly one path segment.
///
/// # Errors
/// [`ConnectorError::Rejected`] for ids that URLs cannot carry: URL parsers take `.` and `..` for steps even when they are encoded.
pub fn segment(id: &str) -> Result<String, ConnectorError> {
    if matches!(id, "" | "." | "..") {
        return Err(ConnectorError::Rejected(format!(
            "the id \"{id}\" cannot be addressed in a URL"
        )));
    }
    Ok(encode(id))
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                out.push(digit.to_ascii_uppercase());
            }
        }
    }
    out
}

fn decode(segment: &str) -> Option<String> {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(&byte) = bytes.get(i) {
        if byte == b'%' {
            let hex = segment.get(i + 1..i + 3)?;
            out.push(u8::from_str_radix(hex, 16).ok()?);
            i += 3;
        } else {
            out.push(byte);
            i += 1;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin() -> Origin {
        Origin::new(
            &Url::parse("https://app.example.com:8443/scim/v2/").unwrap(),
            false,
        )
        .unwrap()
    }

    #[test]
    fn links_that_leave_the_origin_are_refused() {
        for link in [
            "//evil.example",
            "//evil.example/scim/v2/Users",
            "https://evil.example/",
            "http://app.example.com:8443/scim/v2/Users",
            "https://app.example.com/scim/v2/Users",
            "https://app.example.com:443/scim/v2/Users",
            "https://app.example.com:8444/",
            "https://app.example.com.evil.example:8443/",
            "https://evil-app.example.com:8443/",
            "https://app.example.com@evil.example:8443/",
            "https://app.example.com:8443@evil.example/",
            "https://user@app.example.com:8443/",
            "https://user:pw@app.example.com:8443/",
            "https://@app.example.com:8443/",
            "https:\\\\evil.example\\",
            "\\\\evil.example",
            "/\\evil.example",
            "https://app.example.com:8443\\@evil.example/",
            " https://evil.example",
            "https://app.example.com:8443/\r\nHost: evil",
            "ht\ttps://evil.example",
            "ftp://app.example.com:8443/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:application/json,{}",
            "https://[::1]:8443/",
            "https://127.0.0.1:8443/",
            "https://169.254.169.254/latest",
            "https://app.example.com.:8443/",
            "https://аpp.example.com:8443/",
            "",
        ] {
            assert!(origin().follow(link).is_err(), "{link:?} was followed");
        }
    }

    #[test]
    fn links_within_the_origin_are_followed() {
        for (link, expected) in [
            (
                "Users?startIndex=2",
                "https://app.example.com:8443/scim/v2/Users?startIndex=2",
            ),
            ("/x/Users", "https://app.example.com:8443/x/Users"),
            (
                "https://APP.example.com:8443/y",
                "https://app.example.com:8443/y",
            ),
            ("//app.example.com:8443/z", "https://app.example.com:8443/z"),
            (
                "?cursor=a@b",
                "https://app.example.com:8443/scim/v2/?cursor=a@b",
            ),
        ] {
            assert_eq!(origin().follow(link).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn base_urls_must_be_safe() {
        for (url, danger, ok) in [
            ("https://a.example", false, true),
            ("http://a.example", false, false),
            ("http://a.example", true, true),
            ("http://localhost:1", false, true),
            ("http://127.0.0.9", false, true),
            ("http://[::1]:1/", false, true),
            ("https://u:p@a.example", false, false),
            ("https://a.example/?x=1", false, false),
            ("https://a.example/#x", false, false),
            ("https://169.254.169.254", false, false),
            ("https://[fe80::1]", false, false),
            ("https://[::ffff:169.254.169.254]", false, false),
            ("ldap://a.example", true, false),
        ] {
            let result = Origin::new(&Url::parse(url).unwrap(), danger);
            assert_eq!(result.is_ok(), ok, "{url}");
        }
    }

    #[test]
    fn an_id_is_read_from_a_location() {
        for (link, expected) in [
            (
                "https://app.example.com:8443/scim/v2/Users/a%2Fb",
                Some("a/b"),
            ),
            ("/scim/v2/Users/7", Some("7")),
            // What an application says that does not know of the TLS in front of it.
            ("http://app.example.com:8443/scim/v2/Users/7", Some("7")),
            ("http://app.example.com/scim/v2/Users/7", Some("7")),
            ("http://evil.example:8443/scim/v2/Users/7", None),
            ("http://user@app.example.com/scim/v2/Users/7", None),
            ("http://app.example.com.evil.example/scim/v2/Users/7", None),
            ("http://app.example.com@evil.example/scim/v2/Users/7", None),
            ("/scim/v2/Groups/7", None),
            ("/scim/v2/Users/", None),
            ("https://evil.example/scim/v2/Users/7", None),
        ] {
            assert_eq!(
                origin().id_in(link, "Users").ok().as_deref(),
                expected,
                "{link}"
            );
        }
    }

    proptest! {
        #[test]
        fn an_id_is_exactly_one_segment(id in "\\PC{1,20}|[./%?#\\\\ \t\r\n]{1,6}") {
            match origin().at("Users", Some(&id), &[]) {
                Ok(url) => {
                    let segments: Vec<&str> = url.path_segments().unwrap().collect();
                    prop_assert_eq!(segments.len(), 4);
                    prop_assert_eq!(decode(segments[3]).unwrap(), id.clone());
                    prop_assert!(url.query().is_none() && url.fragment().is_none());
                    // What goes over the wire is what a server would split and decode.
                    prop_assert_eq!(origin().id_in(url.as_str(), "Users").unwrap(), id);
                }
                Err(_) => prop_assert!(matches!(id.as_str(), "." | "..")),
            }
        }

        #[test]
        fn a_query_value_survives(value in "\\PC{0,20}|[&=+%# \t\r\n\"]{0,6}") {
            let url = origin().at("Users", None, &[("filter", &value), ("count", "1")]).unwrap();
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            prop_assert_eq!(pairs.len(), 2);
            prop_assert_eq!(&pairs[0].1, &value);
        }
    }
}
