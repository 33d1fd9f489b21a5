//! From a described call and what is known to a request: each value is put in its place by the serializer of that place.

use std::fmt::Write as _;

use ::http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value as Json};
use url::Url;

use super::xml;
use crate::target::ConnectorError;
use crate::target::http::{self, Intent, Origin};
use crate::target::profile::expr::plain;
use crate::target::profile::tree::{Built, Tree};
use crate::target::profile::{Body, Call, HttpRules, Lists, Scope, Soap, Template};

/// Parameters that are added to those of the call: pages and credentials.
#[derive(Clone, Default)]
pub struct Added {
    /// Into the query.
    pub query: Vec<(String, String)>,
    /// Into the body, before what is there.
    pub body: Vec<(String, Json)>,
}

// Some of them are secrets, so only names show.
impl std::fmt::Debug for Added {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let query = self.query.iter().map(|(name, _)| name);
        let body = self.body.iter().map(|(name, _)| name);
        f.debug_list().entries(query.chain(body)).finish()
    }
}

/// Builds the request.
///
/// # Errors
/// [`ConnectorError::Rejected`] if a value is missing or cannot stand where it should.
pub fn build(
    call: &Call,
    scope: &Scope,
    origin: &Origin,
    rules: &HttpRules,
    added: &Added,
) -> Result<http::Call, ConnectorError> {
    let made = make(call, scope, origin, rules, added);
    made.map_err(|why| ConnectorError::Rejected(format!("{}: {why}", call.fact)))
}

fn make(
    call: &Call,
    scope: &Scope,
    origin: &Origin,
    rules: &HttpRules,
    added: &Added,
) -> Result<http::Call, String> {
    let mut query = pairs(&call.query, scope, rules)?;
    query.extend(added.query.iter().cloned());
    let url = address(call, scope, origin, &query)?;
    let mut request = http::Call::new(call.method.clone(), url, None);
    request.intent = Some(if call.reads {
        Intent::Read
    } else {
        Intent::Write
    });
    request.lenient = true;
    request.headers = headers(&call.headers, scope)?;
    let (body, kind) = body(&call.body, scope, rules, added)?;
    request.body = body;
    request.content_type = kind.map(value).transpose()?;
    let xml = matches!(call.body, Body::Soap(_) | Body::Xml(..));
    let accept = match &rules.accept {
        Some(accept) => accept.as_str(),
        None if xml => "text/xml, application/xml, application/soap+xml",
        None => "application/json",
    };
    request.accept = Some(value(accept.to_owned())?);
    if let Body::Soap(soap) = &call.body
        && !soap.v12
    {
        let action = value(format!("\"{}\"", soap.action))?;
        request
            .headers
            .insert(HeaderName::from_static("soapaction"), action);
    }
    Ok(request)
}

fn address(
    call: &Call,
    scope: &Scope,
    origin: &Origin,
    query: &[(String, String)],
) -> Result<Url, String> {
    let (segments, slash) = call.path.segments(scope)?;
    let mut path = String::new();
    for (at, segment) in segments.iter().enumerate() {
        if at > 0 {
            path.push('/');
        }
        path.push_str(&http::segment(segment).map_err(|error| error.to_string())?);
    }
    if slash {
        path.push('/');
    }
    let query: Vec<(&str, &str)> = query
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    origin
        .at(&path, None, &query)
        .map_err(|error| error.to_string())
}

/// Headers from templates; what is missing is left out.
pub(super) fn headers(
    templates: &[(HeaderName, Template)],
    scope: &Scope,
) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, template) in templates {
        if let Some(text) = template.text(scope)? {
            let mut header = value(text)?;
            header.set_sensitive(true);
            headers.insert(name.clone(), header);
        }
    }
    Ok(headers)
}

fn value(text: String) -> Result<HeaderValue, String> {
    HeaderValue::try_from(text)
        .map_err(|_| "a value has characters that no header can carry".to_owned())
}

/// Parameters of a query or form.
pub(super) fn pairs(
    templates: &[(String, Template)],
    scope: &Scope,
    rules: &HttpRules,
) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for (name, template) in templates {
        match template.value(scope)? {
            None | Some(Json::Null) => {}
            Some(Json::Object(_)) => {
                return Err(format!("`{name}` is an object, which no parameter can be"));
            }
            Some(Json::Array(items)) => {
                let texts: Vec<String> =
                    items.iter().filter_map(|item| word(item, rules)).collect();
                match rules.lists {
                    Lists::Comma => pairs.push((name.clone(), texts.join(","))),
                    Lists::Repeat => pairs.extend(texts.into_iter().map(|t| (name.clone(), t))),
                    Lists::Brackets => {
                        pairs.extend(texts.into_iter().map(|t| (format!("{name}[]"), t)));
                    }
                }
            }
            Some(scalar) => pairs.push((name.clone(), word(&scalar, rules).unwrap_or_default())),
        }
    }
    Ok(pairs)
}

fn word(value: &Json, rules: &HttpRules) -> Option<String> {
    let [yes, no] = &rules.flags;
    match value {
        Json::Bool(true) => Some(yes.clone()),
        Json::Bool(false) => Some(no.clone()),
        Json::Null | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
            plain(value)
        }
    }
}

type Written = (Option<Vec<u8>>, Option<String>);

fn body(body: &Body, scope: &Scope, rules: &HttpRules, added: &Added) -> Result<Written, String> {
    match body {
        Body::None if added.body.is_empty() => Ok((None, None)),
        Body::None => json(Json::Object(Map::new()), rules, added),
        Body::Json(tree) => {
            let built = tree.build(scope)?.map_or(Json::Null, Built::into_json);
            json(built, rules, added)
        }
        Body::Form(templates) => {
            let mut all: Vec<(String, String)> = Vec::new();
            for (name, value) in &added.body {
                all.extend(word(value, rules).map(|text| (name.clone(), text)));
            }
            all.extend(pairs(templates, scope, rules)?);
            let mut text = String::new();
            for (name, value) in &all {
                let joint = if text.is_empty() { "" } else { "&" };
                // Writing to a String cannot fail.
                let _ = write!(
                    text,
                    "{joint}{}={}",
                    http::encode(name),
                    http::encode(value)
                );
            }
            let kind = "application/x-www-form-urlencoded".to_owned();
            Ok((Some(text.into_bytes()), Some(kind)))
        }
        Body::Xml(root, tree) => {
            let built = tree.build(scope)?.unwrap_or(Built::Table(Vec::new()));
            let bytes = xml::write(root, &built, &[])?;
            Ok((
                Some(bytes),
                Some("application/xml; charset=utf-8".to_owned()),
            ))
        }
        Body::Soap(soap) => envelope(soap, scope, added),
        Body::GraphQl { query, variables } => {
            let mut values = members(variables, scope)?;
            values.extend(
                added
                    .body
                    .iter()
                    .map(|(k, v)| (k.clone(), Built::Value(v.clone()))),
            );
            let request = serde_json::json!({
                "query": query,
                "variables": Built::Table(values).into_json(),
            });
            let bytes = serde_json::to_vec(&request).map_err(|_| "cannot be written as JSON")?;
            Ok((Some(bytes), Some("application/json".to_owned())))
        }
    }
}

fn members(trees: &[(String, Tree)], scope: &Scope) -> Result<Vec<(String, Built)>, String> {
    let mut built = Vec::new();
    for (name, tree) in trees {
        if let Some(value) = tree.build(scope)? {
            built.push((name.clone(), value));
        }
    }
    Ok(built)
}

fn json(mut value: Json, rules: &HttpRules, added: &Added) -> Result<Written, String> {
    if let Json::Object(object) = &mut value {
        for (name, value) in &added.body {
            object.insert(name.clone(), value.clone());
        }
    }
    let bytes = serde_json::to_vec(&value).map_err(|_| "cannot be written as JSON")?;
    Ok((Some(bytes), Some(rules.json_type.clone())))
}

fn envelope(soap: &Soap, scope: &Scope, added: &Added) -> Result<Written, String> {
    let (namespace, kind) = if soap.v12 {
        (
            "http://www.w3.org/2003/05/soap-envelope",
            format!(
                "application/soap+xml; charset=utf-8; action=\"{}\"",
                soap.action
            ),
        )
    } else {
        (
            "http://schemas.xmlsoap.org/soap/envelope/",
            "text/xml; charset=utf-8".to_owned(),
        )
    };
    let mut parameters = vec![(
        "@xmlns".to_owned(),
        Built::Value(Json::from(soap.namespace.as_str())),
    )];
    parameters.extend(
        added
            .body
            .iter()
            .map(|(k, v)| (k.clone(), Built::Value(v.clone()))),
    );
    parameters.extend(members(&soap.parameters, scope)?);
    let method = Built::Table(vec![(soap.method.clone(), Built::Table(parameters))]);
    let content = Built::Table(vec![("soap:Body".to_owned(), method)]);
    let bytes = xml::write("soap:Envelope", &content, &[("xmlns:soap", namespace)])?;
    Ok((Some(bytes), Some(kind)))
}
