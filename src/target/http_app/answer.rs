//! What an answer says: parsed, and judged by status and body.

use ::http::StatusCode;
use ::http::header::HeaderMap;
use minijinja::value::Value as Jinja;
use serde_json::{Map, Value as Json};

use super::xml;
use crate::target::ConnectorError;
use crate::target::http::{self, Answer};
use crate::target::profile::expr::{jinja, plain};
use crate::target::profile::{Call, Class, ErrorRule, Form, Profile, Scope};

/// An answer that was understood.
#[derive(Debug)]
pub struct Reply {
    /// The body.
    pub body: Json,
    /// What expressions over it can see.
    pub scope: Scope,
}

/// What an answer means.
#[derive(Debug)]
pub enum Verdict {
    /// It is a success.
    Good(Reply),
    /// Our credential is not accepted (any more): the request was not performed.
    Expired(ConnectorError),
    /// It is none.
    Bad(ConnectorError),
}

/// Judges an answer. What is said of a refusal is free of secrets, whatever the application repeats: `discreet` takes them
/// out of an answer.
pub fn judge_discreetly(
    profile: &Profile,
    call: &Call,
    answer: &Answer,
    scope: &Scope,
    ends: bool,
    discreet: impl FnOnce() -> Answer,
) -> Verdict {
    let verdict = judge(profile, call, answer, scope, ends);
    let expired = match &verdict {
        Verdict::Good(_) => return verdict,
        // Of these it is taken out as they come.
        Verdict::Bad(_) | Verdict::Expired(_) if !answer.status.is_success() => return verdict,
        Verdict::Bad(_) => false,
        Verdict::Expired(_) => true,
    };
    let shown = judge(profile, call, &discreet(), scope, ends);
    if !matches!(shown, Verdict::Good(_)) {
        return shown;
    }
    // Without the secrets it reads like a success, which it was not.
    let text = format!("{}: refused, in words that repeat a secret", call.fact);
    if expired {
        Verdict::Expired(ConnectorError::Unauthorised(text))
    } else {
        Verdict::Bad(ConnectorError::Rejected(text))
    }
}

/// Judges an answer.
fn judge(profile: &Profile, call: &Call, answer: &Answer, scope: &Scope, ends: bool) -> Verdict {
    if answer.is_page() && !matches!(call.form, Form::Xml | Form::Soap | Form::None)
        || looks_like_html(answer, call)
    {
        return page(profile, call, answer, scope, ends);
    }
    let parsed = parse(call.form, answer);
    let body = parsed
        .as_ref()
        .map_or(Json::Null, |parsed| parsed.body.clone());
    let scope = seen(scope, &body, answer);
    let fault = parsed.as_ref().ok().and_then(|parsed| parsed.fault.clone());
    let (good, why) = match success(profile, call, answer, &scope) {
        Ok(good) => (good && fault.is_none(), None),
        Err(why) => (false, Some(why)),
    };
    let message = message(profile, &scope, fault, answer).or(why);
    let rule = fitting(profile, call, answer, &scope, message.as_deref());
    let said = shown(answer, message.as_deref());
    let text = format!("{}: {said}", call.fact);
    match rule {
        Some(Class::Success) => return Verdict::Good(Reply { body, scope }),
        // A rule by status alone is about refusals, not about every answer with a good status.
        Some(class) if !good => return class_of(class, text),
        Some(_) | None => {}
    }
    match parsed {
        Err(why) if answer.status.is_success() && good => Verdict::Bad(unreadable(call, &why)),
        Ok(_) if good => Verdict::Good(Reply { body, scope }),
        Ok(_) | Err(_) => default(call, answer, text),
    }
}

/// XML is no web page, but HTML is.
fn looks_like_html(answer: &Answer, call: &Call) -> bool {
    let html = answer.content_type().is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.contains("text/html") || kind.contains("xhtml")
    });
    html && call.form != Form::None
}

fn page(profile: &Profile, call: &Call, answer: &Answer, scope: &Scope, ends: bool) -> Verdict {
    let scope = seen(scope, &Json::Null, answer);
    let text = format!(
        "{}: status {} with a web page instead of data (a login page or a proxy? check the address and the credentials)",
        call.fact,
        answer.status.as_u16()
    );
    match fitting(profile, call, answer, &scope, None) {
        Some(Class::Success) | None => {}
        Some(class) => return class_of(class, text),
    }
    if ends && answer.status.is_success() {
        return Verdict::Expired(ConnectorError::Protocol(text));
    }
    if answer.status.is_server_error() {
        return default(call, answer, text);
    }
    Verdict::Bad(ConnectorError::Protocol(text))
}

/// What expressions over an answer can see.
fn seen(scope: &Scope, body: &Json, answer: &Answer) -> Scope {
    scope
        .clone()
        .with("answer", jinja(body))
        .with("status", Jinja::from(answer.status.as_u16()))
        .with("header", jinja(&header_values(answer.headers())))
        .with("cookie", jinja(&cookies(answer.headers())))
}

fn header_values(headers: &HeaderMap) -> Json {
    let texts = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().replace('-', "_"), value.to_str().ok()?)));
    let object: Map<String, Json> = texts.map(|(name, text)| (name, Json::from(text))).collect();
    Json::Object(object)
}

/// The cookies that an answer sets.
fn cookies(headers: &HeaderMap) -> Json {
    let set = headers.get_all(::http::header::SET_COOKIE);
    let pairs = set.iter().filter_map(|value| {
        let pair = value.to_str().ok()?.split(';').next()?;
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_owned(), Json::from(value.trim())))
    });
    Json::Object(pairs.collect())
}

struct Parsed {
    body: Json,
    /// What a fault or an error list says.
    fault: Option<String>,
}

fn parse(form: Form, answer: &Answer) -> Result<Parsed, String> {
    let plain_body = |body| Parsed { body, fault: None };
    if form == Form::None || answer.is_empty() {
        return Ok(plain_body(Json::Null));
    }
    match form {
        Form::None => Ok(plain_body(Json::Null)),
        Form::Json => http::parse(answer.body()).map(plain_body),
        Form::Xml => xml::read(answer.body()).map(plain_body),
        Form::GraphQl => http::parse(answer.body()).map(|mut body| {
            let fault = errors_of(&body);
            Parsed {
                body: body.get_mut("data").map_or(Json::Null, Json::take),
                fault,
            }
        }),
        Form::Soap => soap(answer.body()),
    }
}

/// The messages and codes of a GraphQL error list.
fn errors_of(body: &Json) -> Option<String> {
    let errors = body
        .get("errors")?
        .as_array()
        .filter(|errors| !errors.is_empty())?;
    let texts = errors.iter().map(|error| {
        let message = error.get("message").and_then(plain).unwrap_or_default();
        match error.pointer("/extensions/code").and_then(plain) {
            Some(code) => format!("{code}: {message}"),
            None => message,
        }
    });
    Some(texts.collect::<Vec<_>>().join("; "))
}

/// The result of a SOAP method, or its fault.
fn soap(bytes: &[u8]) -> Result<Parsed, String> {
    let mut envelope = xml::read(bytes)?;
    let body = envelope
        .pointer_mut("/Envelope/Body")
        .map(Json::take)
        .ok_or("this is no SOAP envelope")?;
    if let Some(fault) = body.get("Fault") {
        let text = [
            "/faultstring",
            "/Reason/Text/#text",
            "/Reason/Text",
            "/faultcode",
        ]
        .iter()
        .find_map(|path| fault.pointer(path).and_then(plain));
        return Ok(Parsed {
            body: body.clone(),
            fault: Some(text.unwrap_or_else(|| "a SOAP fault".to_owned())),
        });
    }
    let response = match body {
        Json::Object(members) => members.into_iter().find(|(name, _)| !name.starts_with('@')),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => None,
    };
    let Some((name, mut response)) = response else {
        return Err("the SOAP body is empty".to_owned());
    };
    let method = name.strip_suffix("Response").unwrap_or(&name);
    let result = response.get_mut(format!("{method}Result")).map(Json::take);
    Ok(Parsed {
        body: result.unwrap_or(response),
        fault: None,
    })
}

fn success(profile: &Profile, call: &Call, answer: &Answer, scope: &Scope) -> Result<bool, String> {
    if !answer.status.is_success() {
        return Ok(false);
    }
    let rule = call.success.as_ref().or(profile.answer.success.as_ref());
    rule.map_or(Ok(true), |rule| rule.holds(scope))
}

fn message(
    profile: &Profile,
    scope: &Scope,
    fault: Option<String>,
    answer: &Answer,
) -> Option<String> {
    let rule = profile.answer.message.as_ref();
    let said = rule.and_then(|rule| rule.json(scope).ok().flatten());
    let said = said.and_then(|said| match &said {
        Json::Null => None,
        Json::String(text) if text.is_empty() => None,
        Json::Array(items) if items.is_empty() => None,
        Json::Array(_) | Json::Object(_) => Some(said.to_string()),
        Json::Bool(_) | Json::Number(_) | Json::String(_) => plain(&said),
    });
    said.or(fault).or_else(|| usual(answer))
}

/// The texts under the names that errors usually have.
fn usual(answer: &Answer) -> Option<String> {
    let body = http::parse(answer.body()).ok()?;
    let names = [
        "code",
        "errcode",
        "error",
        "message",
        "detail",
        "error_description",
        "title",
        "errors",
        "messages",
    ];
    let texts = names.iter().filter_map(|name| match body.get(name)? {
        Json::Null => None,
        Json::Array(items) if items.is_empty() => None,
        value @ (Json::Array(_) | Json::Object(_)) => Some(value.to_string()),
        value @ (Json::Bool(_) | Json::Number(_) | Json::String(_)) => plain(value),
    });
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| texts.join(": "))
}

fn shown(answer: &Answer, message: Option<&str>) -> String {
    let status = answer.status.as_u16();
    match message {
        Some(message) => format!("status {status}: {}", http::excerpt(message)),
        None => format!("status {status}"),
    }
}

/// The class of the first rule that fits.
fn fitting(
    profile: &Profile,
    call: &Call,
    answer: &Answer,
    scope: &Scope,
    message: Option<&str>,
) -> Option<Class> {
    let body = message
        .is_none()
        .then(|| String::from_utf8_lossy(answer.body()));
    let text = message.unwrap_or_else(|| body.as_deref().unwrap_or_default());
    let fits = |rule: &&ErrorRule| {
        let status = rule.status.is_empty() || rule.status.contains(&answer.status.as_u16());
        status
            && rule
                .matches
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(text))
            && rule
                .expression
                .as_ref()
                .is_none_or(|expr| expr.holds(scope) == Ok(true))
    };
    call.errors
        .iter()
        .chain(&profile.errors)
        .find(fits)
        .map(|rule| rule.class)
}

fn class_of(class: Class, text: String) -> Verdict {
    Verdict::Bad(match class {
        Class::Conflict => ConnectorError::Conflict(text),
        Class::NotFound => ConnectorError::NotFound(text),
        Class::Throttled => ConnectorError::Throttled { retry_after: None },
        Class::Rejected | Class::Success => ConnectorError::Rejected(text),
        Class::LicenceExhausted => ConnectorError::Exhausted(text),
        Class::Transient => ConnectorError::Transient(text),
        Class::Unauthorised => return Verdict::Expired(ConnectorError::Unauthorised(text)),
    })
}

/// A success that cannot be read: a write happened, a read did not.
fn unreadable(call: &Call, why: &str) -> ConnectorError {
    let text = format!("{}: the body is {why}", call.fact);
    if call.reads {
        ConnectorError::Protocol(text)
    } else {
        ConnectorError::Ambiguous(text)
    }
}

fn default(call: &Call, answer: &Answer, text: String) -> Verdict {
    Verdict::Bad(match answer.status {
        StatusCode::UNAUTHORIZED => return Verdict::Expired(ConnectorError::Unauthorised(text)),
        StatusCode::FORBIDDEN if call.reads => ConnectorError::Unauthorised(text),
        StatusCode::NOT_FOUND => ConnectorError::NotFound(text),
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => ConnectorError::Conflict(text),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => ConnectorError::Transient(text),
        StatusCode::GONE => ConnectorError::Protocol(text),
        status if status.is_redirection() => {
            let text = format!("{text}: redirects are not followed; check the address");
            // "See other" is what comes after something was done (RFC 9110 §15.4.4).
            if status == StatusCode::SEE_OTHER && !call.reads {
                ConnectorError::Ambiguous(text)
            } else {
                ConnectorError::Protocol(text)
            }
        }
        status if status.is_server_error() && faulted(answer) => ConnectorError::Rejected(text),
        status if status.is_server_error() && call.reads => ConnectorError::Transient(text),
        status if status.is_server_error() => ConnectorError::Ambiguous(text),
        _ => ConnectorError::Rejected(text),
    })
}

/// A SOAP fault: the application understood and said no, although the status is 500 (SOAP 1.1 §6.2).
fn faulted(answer: &Answer) -> bool {
    soap(answer.body()).is_ok_and(|parsed| parsed.fault.is_some())
}
