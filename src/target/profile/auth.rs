//! Ways to prove who we are, as a profile describes them.

use std::time::Duration;

use http::HeaderName;

use super::body::SoapDefaults;
use super::call::{Call, Purpose};
use super::expr::{Expr, Template};
use super::facts::Evidence;
use super::making::Making;
use super::rules::{self, ANSWER};
use crate::document::Node;

/// One way to prove who we are.
#[derive(Debug)]
pub struct Auth {
    /// Whether it is used, by the settings.
    pub when: Option<Expr>,
    /// Which way.
    pub kind: AuthKind,
    /// How sure that is.
    pub evidence: Evidence,
}

/// The ways.
#[derive(Debug)]
pub enum AuthKind {
    /// A call whose answer holds the credential.
    SignIn {
        /// The call.
        login: Box<Call>,
        /// The credential in its answer.
        token: Expr,
        /// Where it is sent.
        place: Place,
        /// How long it is good.
        lifetime: Lifetime,
        /// Ends it.
        logout: Option<Box<Call>>,
    },
    /// OAuth 2.0.
    OAuth(Box<OAuth>),
    /// RFC 7617.
    Basic {
        /// User name.
        user: Template,
        /// Password.
        password: Template,
    },
    /// Headers with secrets in them.
    Headers(Vec<(HeaderName, Template)>),
    /// Parameters of every call.
    Parameters {
        /// The parameters, in order.
        parameters: Vec<(String, Template)>,
        /// In the query instead of the body.
        in_query: bool,
    },
    /// Nothing of its own.
    None,
}

/// OAuth 2.0 (RFC 6749).
#[derive(Debug)]
pub struct OAuth {
    /// How tokens are asked for.
    pub grant: Grant,
    /// The token endpoint: a path below the address, or a URL.
    pub token_url: Template,
    /// Whether that is a path.
    pub is_path: bool,
    /// Client id.
    pub client_id: Template,
    /// Client secret.
    pub client_secret: Option<Template>,
    /// The first refresh token.
    pub refresh_token: Option<Template>,
    /// Scope.
    pub scope: Option<Template>,
    /// Sent as JSON instead of a form.
    pub json: bool,
    /// The client authenticates by Basic instead of in the body.
    pub basic: bool,
}

/// How tokens are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grant {
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §6.
    RefreshToken,
}

/// Where a credential is sent.
#[derive(Debug)]
pub enum Place {
    /// A header, made from `token`.
    Header(HeaderName, Template),
    /// A cookie of this name.
    Cookie(String),
}

/// How long a credential is good.
#[derive(Debug)]
pub enum Lifetime {
    /// Until it is refused.
    Unknown,
    /// So long.
    Fixed(Duration),
    /// So many seconds, as the answer says.
    Said(Expr),
}

/// The sort of a way, while it is read.
#[derive(Clone, Copy)]
enum Sort {
    SignIn,
    OAuth,
    Basic,
    Header,
    Parameters,
    None,
}

const SECRET: &[&str] = &["secret"];

impl Auth {
    /// Reads one `[[auth]]`.
    pub(super) fn read(
        node: &Node<'_>,
        making: &mut Making<'_>,
        soap: &SoapDefaults,
        around: Evidence,
    ) -> Option<Self> {
        let sorts = [
            ("sign-in", Sort::SignIn),
            ("oauth", Sort::OAuth),
            ("basic", Sort::Basic),
            ("header", Sort::Header),
            ("parameters", Sort::Parameters),
            ("none", Sort::None),
        ];
        if node.value("type").is_none() {
            making.missing(
                node,
                "type",
                "\"sign-in\", \"oauth\", \"basic\", \"header\", \"parameters\" or \"none\"",
            );
        }
        let sort = node.choice("type", &sorts, &mut making.desk)?;
        let own: &[&str] = match sort {
            Sort::SignIn => &[
                "login", "token", "header", "value", "cookie", "lifetime", "logout",
            ],
            Sort::OAuth => &[
                "grant",
                "token-path",
                "token-url",
                "client-id",
                "client-secret",
                "refresh-token",
                "scope",
                "send",
                "client",
            ],
            Sort::Basic => &["user", "password"],
            Sort::Header => &["headers"],
            Sort::Parameters => &["parameters", "in"],
            Sort::None => &[],
        };
        let keys: Vec<&str> = ["type", "when", "evidence", "comment"]
            .iter()
            .chain(own)
            .copied()
            .collect();
        node.only(&keys, &mut making.desk);
        let when = making.expr(node, "when", &[]);
        let evidence = Evidence::read(node, making, around);
        let kind = match sort {
            Sort::SignIn => sign_in(node, making, soap, evidence)?,
            Sort::OAuth => AuthKind::OAuth(Box::new(oauth(node, making)?)),
            Sort::Basic => {
                let user = needed(node, "user", making);
                let password = needed(node, "password", making);
                AuthKind::Basic {
                    user: user?,
                    password: password?,
                }
            }
            Sort::Header => AuthKind::Headers(rules::headers(node, "headers", making, SECRET)),
            Sort::Parameters => AuthKind::Parameters {
                parameters: making.values(node, "parameters", SECRET),
                in_query: node
                    .choice("in", &[("body", false), ("query", true)], &mut making.desk)
                    .unwrap_or(false),
            },
            Sort::None => AuthKind::None,
        };
        Some(Self {
            when,
            kind,
            evidence,
        })
    }
}

fn optional(node: &Node<'_>, key: &str, making: &mut Making<'_>) -> Option<Template> {
    let value = node.value(key)?;
    making.value(&node.field(key), value, SECRET)
}

fn needed(node: &Node<'_>, key: &str, making: &mut Making<'_>) -> Option<Template> {
    if node.value(key).is_none() {
        making.missing(
            node,
            key,
            "write \"{{ settings.… }}\" or \"{{ secret.… }}\"",
        );
    }
    optional(node, key, making)
}

fn sign_in(
    node: &Node<'_>,
    making: &mut Making<'_>,
    soap: &SoapDefaults,
    evidence: Evidence,
) -> Option<AuthKind> {
    for (key, help) in [
        ("login", "the call that signs in"),
        (
            "token",
            "an expression such as \"answer.token\" or \"cookie.SESSION\"",
        ),
    ] {
        if node.value(key).is_none() {
            making.missing(node, key, help);
        }
    }
    let call = |key: &str, visible: &[&str], making: &mut Making<'_>| {
        let table = node.table(key, &mut making.desk)?;
        let purpose = Purpose {
            fact: "auth".to_owned(),
            evidence,
            visible,
            keys: &[],
            reads: false,
        };
        Call::read(&table, making, soap, &purpose).map(Box::new)
    };
    let login = call("login", SECRET, making);
    let logout = call("logout", &["secret", "token"], making);
    let token = making.expr(node, "token", &ANSWER);
    let place = match node.text("cookie", &mut making.desk) {
        Some(name) => Place::Cookie(name.value),
        None => header_place(node, making)?,
    };
    Some(AuthKind::SignIn {
        login: login?,
        token: token?,
        place,
        lifetime: lifetime(node, making),
        logout,
    })
}

fn header_place(node: &Node<'_>, making: &mut Making<'_>) -> Option<Place> {
    let name = node.text("header", &mut making.desk);
    let text = name.as_ref().map_or("authorization".to_owned(), |name| {
        name.value.to_ascii_lowercase()
    });
    let parsed = HeaderName::from_bytes(text.as_bytes()).ok();
    if parsed.is_none() {
        making.desk.note(
            node.key_span("header"),
            &node.field("header"),
            "this is no name for a header",
        );
    }
    let value = match node.value("value") {
        Some(value) => making.value(&node.field("value"), value, &["token"])?,
        None if name.is_some() => Template::Typed(Expr::compile("token").ok()?),
        None => Template::Typed(Expr::compile("'Bearer ' ~ token").ok()?),
    };
    Some(Place::Header(parsed?, value))
}

fn lifetime(node: &Node<'_>, making: &mut Making<'_>) -> Lifetime {
    let Some(text) = node.text("lifetime", &mut making.desk) else {
        return Lifetime::Unknown;
    };
    if let Some(duration) = duration(&text.value) {
        return Lifetime::Fixed(duration);
    }
    let expr = making.expr_of(&node.field("lifetime"), &text, &ANSWER);
    expr.map_or(Lifetime::Unknown, Lifetime::Said)
}

/// A duration such as "10m".
fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

fn oauth(node: &Node<'_>, making: &mut Making<'_>) -> Option<OAuth> {
    let grants = [
        ("client-credentials", Grant::ClientCredentials),
        ("refresh-token", Grant::RefreshToken),
    ];
    let grant = node
        .choice("grant", &grants, &mut making.desk)
        .unwrap_or(Grant::ClientCredentials);
    let is_path = node.value("token-path").is_some();
    if !is_path && node.value("token-url").is_none() {
        making.missing(
            node,
            "token-path",
            "the token endpoint below the application's address, or token-url",
        );
    }
    let token_url = optional(
        node,
        if is_path { "token-path" } else { "token-url" },
        making,
    );
    let client_id = needed(node, "client-id", making);
    let client_secret = optional(node, "client-secret", making);
    let refresh_token = if grant == Grant::RefreshToken {
        needed(node, "refresh-token", making)
    } else {
        optional(node, "refresh-token", making)
    };
    if grant == Grant::ClientCredentials && node.value("client-secret").is_none() {
        making.missing(node, "client-secret", "the secret of the client");
    }
    let scope = optional(node, "scope", making);
    Some(OAuth {
        grant,
        token_url: token_url?,
        is_path,
        client_id: client_id?,
        client_secret,
        refresh_token,
        scope,
        json: node
            .choice("send", &[("form", false), ("json", true)], &mut making.desk)
            .unwrap_or(false),
        basic: node
            .choice(
                "client",
                &[("body", false), ("basic", true)],
                &mut making.desk,
            )
            .unwrap_or(false),
    })
}
