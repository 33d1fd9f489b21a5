//! The simulators themselves: each test names the fact that it holds a simulator to, with its evidence.

mod host;
mod salestrekker;
mod securitytrax;
mod servicetrade;
mod smartertrack;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::support::sim::{Answer, Call};

/// A call with headers.
fn call(method: &str, target: &str, headers: &[(&'static str, &str)], body: &str) -> Call {
    let pairs = headers.iter().map(|(name, value)| {
        let value = HeaderValue::from_str(value).unwrap();
        (HeaderName::from_static(name), value)
    });
    let headers: HeaderMap = pairs.collect();
    Call::new(method, target, headers, body.as_bytes().to_vec())
}

/// The body of an answer as JSON.
fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}

/// The body of an answer as text.
fn words(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}
