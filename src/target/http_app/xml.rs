//! XML as trees: written by a serializer that escapes every value, read into the shape that expressions see.
//!
//! There are no entities beyond the five of XML, and no document types: what declares some is refused.

use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::{Reader, Writer};
use serde_json::{Map, Value as Json};

use crate::target::profile::expr::plain;
use crate::target::profile::tree::Built;

/// Deepest nesting accepted.
const MAX_DEPTH: usize = 64;

/// A document with one root element.
///
/// # Errors
/// A text for people, for values that XML cannot carry.
pub fn write(root: &str, content: &Built, attributes: &[(&str, &str)]) -> Result<Vec<u8>, String> {
    let mut writer = Writer::new(b"<?xml version=\"1.0\" encoding=\"utf-8\"?>".to_vec());
    element(&mut writer, root, content, attributes)?;
    Ok(writer.into_inner())
}

fn element(
    writer: &mut Writer<Vec<u8>>,
    name: &str,
    content: &Built,
    attributes: &[(&str, &str)],
) -> Result<(), String> {
    match content {
        Built::List(items) => items
            .iter()
            .try_for_each(|item| element(writer, name, item, attributes)),
        Built::Value(Json::Array(items)) => items
            .iter()
            .try_for_each(|item| element(writer, name, &Built::Value(item.clone()), attributes)),
        Built::Value(Json::Null) => Ok(()),
        Built::Value(Json::Object(members)) => {
            let members = members
                .iter()
                .map(|(key, value)| (key.clone(), Built::Value(value.clone())));
            table(writer, name, &members.collect::<Vec<_>>(), attributes)
        }
        Built::Table(members) => table(writer, name, members, attributes),
        Built::Value(scalar) => {
            event(writer, Event::Start(start(name, attributes, &[])?))?;
            text(writer, scalar)?;
            event(writer, Event::End(BytesEnd::new(name)))
        }
    }
}

fn table(
    writer: &mut Writer<Vec<u8>>,
    name: &str,
    members: &[(String, Built)],
    attributes: &[(&str, &str)],
) -> Result<(), String> {
    let mut own = Vec::new();
    for (key, value) in members {
        if let (Some(attribute), Built::Value(value)) = (key.strip_prefix('@'), value)
            && let Some(value) = plain(value)
        {
            own.push((attribute, carried(&value)?.to_owned()));
        }
    }
    event(writer, Event::Start(start(name, attributes, &own)?))?;
    for (key, value) in members {
        match (key.as_str(), value) {
            ("#text", Built::Value(value)) => text(writer, value)?,
            (key, _) if key.starts_with('@') => {}
            (key, value) if is_name(key) => element(writer, key, value, &[])?,
            _ => return Err("a name cannot be that of an XML element".to_owned()),
        }
    }
    event(writer, Event::End(BytesEnd::new(name)))
}

/// Names from the profile are checked when it is compiled; names in values are not.
fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first)
        && name
            .chars()
            .all(|c| first(c) || c.is_ascii_digit() || matches!(c, '-' | '.' | ':'))
}

fn start<'n>(
    name: &'n str,
    attributes: &[(&str, &str)],
    own: &[(&str, String)],
) -> Result<BytesStart<'n>, String> {
    let mut start = BytesStart::new(name);
    for (key, value) in attributes {
        start.push_attribute((*key, *value));
    }
    for (key, value) in own {
        if !is_name(key) {
            return Err("a name cannot be that of an XML attribute".to_owned());
        }
        start.push_attribute((*key, value.as_str()));
    }
    Ok(start)
}

fn text(writer: &mut Writer<Vec<u8>>, value: &Json) -> Result<(), String> {
    match plain(value) {
        Some(text) => event(writer, Event::Text(BytesText::new(carried(&text)?))),
        None => Ok(()),
    }
}

fn event(writer: &mut Writer<Vec<u8>>, event: Event<'_>) -> Result<(), String> {
    writer
        .write_event(event)
        .map_err(|why| format!("the XML cannot be written: {why}"))
}

/// A text that XML can carry.
fn carried(text: &str) -> Result<&str, String> {
    let forbidden = |c: char| {
        (c < ' ' && !matches!(c, '\t' | '\n' | '\r')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    if text.contains(forbidden) {
        return Err("a value has control characters, which XML cannot carry".to_owned());
    }
    Ok(text)
}

/// An element that is being read.
struct Open {
    name: String,
    members: Map<String, Json>,
    text: String,
    nil: bool,
}

impl Open {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            members: Map::new(),
            text: String::new(),
            nil: false,
        }
    }

    fn add(&mut self, name: String, value: Json) {
        match self.members.get_mut(&name) {
            Some(Json::Array(items)) => items.push(value),
            Some(first) => {
                let one = first.take();
                *first = Json::Array(vec![one, value]);
            }
            None => {
                self.members.insert(name, value);
            }
        }
    }

    fn close(mut self) -> (String, Json) {
        if self.members.is_empty() {
            let value = if self.nil {
                Json::Null
            } else {
                Json::String(self.text)
            };
            return (self.name, value);
        }
        if !self.text.trim().is_empty() {
            self.members
                .insert("#text".to_owned(), Json::String(self.text));
        }
        (self.name, Json::Object(self.members))
    }
}

/// Reads a document: elements become members of objects by their local names, repeated ones lists, text text.
///
/// # Errors
/// A text for people, without content of the document.
pub fn read(bytes: &[u8]) -> Result<Json, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not valid XML: it is not UTF-8")?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open = vec![Open::new("")];
    loop {
        let event = reader
            .read_event()
            .map_err(|_| "not valid XML: it is malformed")?;
        match event {
            Event::Start(start) => {
                if open.len() > MAX_DEPTH {
                    return Err("not valid XML: nested too deeply".to_owned());
                }
                open.push(begun(&start)?);
            }
            Event::Empty(start) => {
                let (name, value) = begun(&start)?.close();
                top(&mut open)?.add(name, value);
            }
            Event::End(_) => {
                let closed = open.pop().ok_or("not valid XML: it ends too often")?;
                let (name, value) = closed.close();
                top(&mut open)?.add(name, value);
            }
            Event::Text(text) => top(&mut open)?.text.push_str(&text.xml10_content()),
            Event::CData(text) => top(&mut open)?.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c,
                    Ok(None) => entity(&reference)?,
                    Err(_) => return Err("not valid XML: a character reference".to_owned()),
                };
                top(&mut open)?.text.push(c);
            }
            Event::DocType(_) => {
                return Err("not valid XML here: it declares a document type".to_owned());
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(root), true) if root.members.len() == 1 => Ok(Json::Object(root.members)),
        _ => Err("not valid XML: it breaks off".to_owned()),
    }
}

fn top(open: &mut [Open]) -> Result<&mut Open, String> {
    open.last_mut()
        .ok_or_else(|| "not valid XML: it ends too often".to_owned())
}

fn entity(name: &str) -> Result<char, String> {
    Ok(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => return Err("not valid XML here: an entity of its own".to_owned()),
    })
}

fn begun(start: &BytesStart<'_>) -> Result<Open, String> {
    let mut open = Open::new(start.local_name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| "not valid XML: an attribute is malformed")?;
        let key: &str = attribute.key.as_ref();
        if key == "xmlns" || key.starts_with("xmlns:") {
            continue;
        }
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|_| "not valid XML: an attribute is malformed")?;
        let local = attribute.key.local_name();
        let local: &str = local.as_ref();
        if local == "nil" && key != "nil" {
            open.nil = matches!(&*value, "true" | "1");
        } else {
            open.members
                .insert(format!("@{local}"), Json::String(value.into_owned()));
        }
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_become_objects() {
        let xml = br#"<?xml version="1.0"?><s:Envelope xmlns:s="x"><s:Body a="1">
            <r><i>1</i><i>2</i><e/><n xsi:nil="true"/><t>a &lt;b&gt; &#65;<![CDATA[<c>]]></t></r></s:Body></s:Envelope>"#;
        assert_eq!(
            read(xml).unwrap(),
            json!({"Envelope": {"Body": {"@a": "1", "r": {"i": ["1", "2"], "e": "", "n": null, "t": "a <b> A<c>"}}}})
        );
    }

    #[test]
    fn what_is_not_sound_is_refused() {
        for text in [
            "<a>",
            "<a></b>",
            "",
            "x",
            "<a/><b/>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a>&x;</a>",
            "<a>\u{0}",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(
            read("<a>".repeat(100).as_bytes())
                .unwrap_err()
                .contains("deep")
        );
        let control = Built::Value(json!("\u{1}"));
        assert!(write("a", &control, &[]).is_err());
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_place(value in "[^\\x00-\\x1f\\x7f-\\x9f\\ufffe\\uffff]{1,30}") {
            let built = Built::Table(vec![
                ("a".to_owned(), Built::Value(json!(value))),
                ("@b".to_owned(), Built::Value(json!(value.trim()))),
                ("c".to_owned(), Built::List(vec![Built::Value(json!(value)), Built::Value(json!("x"))])),
            ]);
            let bytes = write("root", &built, &[]).unwrap();
            let back = read(&bytes).unwrap();
            prop_assert_eq!(&back["root"]["a"], &json!(value));
            prop_assert_eq!(&back["root"]["c"][0], &json!(value));
            prop_assert_eq!(back["root"].as_object().unwrap().len(), if value.trim().is_empty() { 2 } else { 3 });
        }
    }
}
