//! SOAP 1.1 and 1.2, read and written.

use quick_xml::NsReader;
use quick_xml::escape::escape;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;

use super::NAMESPACE;
use crate::support::sim::wire::{Answer, Call};

/// An XML element without its prefix.
#[derive(Clone, Debug, Default)]
pub struct Element {
    /// Its local name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The text directly in it.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Self>,
}

impl Element {
    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// A call in its envelope.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Whether the envelope is that of SOAP 1.2.
    pub twelve: bool,
    /// The parameters, in their order.
    pub parameters: Vec<Element>,
}

impl Request {
    /// Reads an envelope, and checks what a server of this kind checks.
    pub fn read(call: &Call) -> Result<Self, String> {
        let text =
            std::str::from_utf8(&call.body).map_err(|_| "the body is not UTF-8".to_owned())?;
        let envelope = parse(text)?;
        let twelve = match envelope.namespace.as_str() {
            "http://schemas.xmlsoap.org/soap/envelope/" => false,
            "http://www.w3.org/2003/05/soap-envelope" => true,
            other => return Err(format!("not an envelope: {other}")),
        };
        let media = if twelve {
            "application/soap+xml"
        } else {
            "text/xml"
        };
        if !call.header("content-type").starts_with(media) {
            return Err(format!("the content type must be {media}"));
        }
        let body = envelope
            .child("Body")
            .and_then(|body| body.children.first());
        let body = body.ok_or("the envelope has no body")?;
        if body.namespace != NAMESPACE {
            return Err(format!("the namespace is not known: {}", body.namespace));
        }
        let action = format!("{NAMESPACE}/{}", body.name);
        let named = if twelve {
            call.header("content-type")
        } else {
            call.header("soapaction")
        };
        if !named.contains(&action) {
            return Err(format!("the action does not fit the method {}", body.name));
        }
        Ok(Self {
            method: body.name.clone(),
            twelve,
            parameters: body.children.clone(),
        })
    }

    /// A parameter as text; missing is empty.
    pub fn text(&self, name: &str) -> String {
        let found = self
            .parameters
            .iter()
            .find(|parameter| parameter.name == name);
        found
            .map(|parameter| parameter.text.clone())
            .unwrap_or_default()
    }

    /// A parameter that is a list of strings.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let found = self
            .parameters
            .iter()
            .find(|parameter| parameter.name == name);
        let items = found.into_iter().flat_map(|parameter| &parameter.children);
        items.map(|item| item.text.clone()).collect()
    }
}

fn parse(text: &str) -> Result<Element, String> {
    let mut reader = NsReader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|e| e.to_string())?;
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.into_inner().to_owned(),
            ResolveResult::Unbound | ResolveResult::Unknown(_) => String::new(),
        };
        match event {
            Event::Start(start) => open.push(Element {
                name: start.local_name().into_inner().to_owned(),
                namespace,
                ..Element::default()
            }),
            Event::Empty(start) => {
                let element = Element {
                    name: start.local_name().into_inner().to_owned(),
                    namespace,
                    ..Element::default()
                };
                open.last_mut().ok_or("empty")?.children.push(element);
            }
            Event::End(_) => {
                let element = open.pop().ok_or("an end without a start")?;
                open.last_mut()
                    .ok_or("an end without a start")?
                    .children
                    .push(element);
            }
            Event::Text(part) => {
                open.last_mut().ok_or("text outside")?.text += &part.xml10_content();
            }
            Event::CData(part) => {
                open.last_mut().ok_or("text outside")?.text += &part.xml10_content();
            }
            Event::GeneralRef(reference) => {
                let c = character(&reference)?;
                open.last_mut().ok_or("text outside")?.text.push(c);
            }
            Event::DocType(_) => return Err("a document type is not accepted".to_owned()),
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
    let root = open.pop().and_then(|mut root| root.children.pop());
    root.filter(|_| open.is_empty())
        .ok_or_else(|| "the body is no XML document".to_owned())
}

fn character(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, String> {
    if let Some(c) = reference.resolve_char_ref().map_err(|e| e.to_string())? {
        return Ok(c);
    }
    match reference.as_ref() {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        other => Err(format!("the entity {other} is not defined")),
    }
}

/// An element with text.
pub fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// The answer to a method: every one has a message, a result and a code, and HTTP status 200 even on failure.
pub fn result(request: &Request, outcome: Result<String, (i32, String)>) -> Answer {
    let method = &request.method;
    let (message, good, code, payload) = match outcome {
        Ok(payload) => (String::new(), true, 0, payload),
        Err((code, message)) => (message, false, code, String::new()),
    };
    let inner = format!(
        "{}{}{}{payload}",
        element("Message", &message),
        element("Result", if good { "true" } else { "false" }),
        element("ResultCode", &code.to_string()),
    );
    let body = format!(
        "<{method}Response xmlns=\"{NAMESPACE}\"><{method}Result>{inner}</{method}Result></{method}Response>"
    );
    envelope(200, request.twelve, &body)
}

/// A fault, with status 500 as the standard has it.
pub fn fault(twelve: bool, why: &str) -> Answer {
    let why = escape(why);
    let body = if twelve {
        format!(
            "<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang=\"en\">{why}</soap:Text></soap:Reason></soap:Fault>"
        )
    } else {
        format!(
            "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>{why}</faultstring></soap:Fault>"
        )
    };
    envelope(500, twelve, &body)
}

fn envelope(status: u16, twelve: bool, body: &str) -> Answer {
    let (namespace, media) = if twelve {
        (
            "http://www.w3.org/2003/05/soap-envelope",
            "application/soap+xml; charset=utf-8",
        )
    } else {
        (
            "http://schemas.xmlsoap.org/soap/envelope/",
            "text/xml; charset=utf-8",
        )
    };
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"{namespace}\"><soap:Body>{body}</soap:Body></soap:Envelope>"
    );
    Answer::of(status, media, text)
}
