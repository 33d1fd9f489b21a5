//! Attribute paths as mappings write them (RFC 7644 §3.5.2): `userName`, `name.givenName`, `emails[type eq "work"].value`,
//! `urn:…:User:department`. Pure. Only `eq` and `and` are understood inside brackets: a mapping must point at one value.

use std::fmt;

use serde_json::Value;

/// The schema of plain user attributes.
pub const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// One condition inside brackets: `type eq "work"`.
#[derive(Clone, PartialEq, Debug)]
pub struct Clause {
    /// The sub-attribute.
    pub sub: String,
    /// A text, a truth value or a number.
    pub value: Value,
}

/// A parsed attribute path.
#[derive(Clone, PartialEq, Debug)]
pub struct Path {
    /// The extension schema, unless it is a core attribute.
    pub schema: Option<String>,
    /// The attribute.
    pub attribute: String,
    /// Which element of a multi-valued attribute; empty for none.
    pub filter: Vec<Clause>,
    /// The sub-attribute.
    pub sub: Option<String>,
}

impl Path {
    /// Parses a path.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("\"{text}\" is not a SCIM attribute path: {why}");
        let (head, rest) = match text.find('[') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let (schema, name) = split_schema(head);
        let schema = schema.filter(|urn| !urn.eq_ignore_ascii_case(CORE_USER));
        let (name, mut sub) = match name.split_once('.') {
            Some((_, _)) if !rest.is_empty() => {
                return Err(wrong("brackets follow a sub-attribute"));
            }
            Some((name, sub)) => (name, Some(sub)),
            None => (name, None),
        };
        let mut filter = Vec::new();
        if let Some(inside) = rest.strip_prefix('[') {
            let (clauses, after) = clauses(inside).map_err(|why| wrong(&why))?;
            filter = clauses;
            sub = match after.strip_prefix('.') {
                Some(sub) => Some(sub),
                None if after.is_empty() => None,
                None => return Err(wrong("something follows the brackets")),
            };
        }
        if !is_name(name) || sub.is_some_and(|s| !is_name(s)) {
            return Err(wrong(
                "a name is letters, digits, \"-\", \"_\" and \"$\" only",
            ));
        }
        Ok(Self {
            schema: schema.map(ToOwned::to_owned),
            attribute: name.to_owned(),
            filter,
            sub: sub.map(ToOwned::to_owned),
        })
    }

    /// The whole attribute, with its schema: `emails`, `urn:…:User:manager`.
    #[must_use]
    pub fn whole(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}:{}", self.attribute),
            None => self.attribute.clone(),
        }
    }

    /// The element that brackets select, or the whole attribute.
    #[must_use]
    pub fn element(&self) -> String {
        if self.filter.is_empty() {
            return self.whole();
        }
        format!("{}[{}]", self.whole(), self.conditions())
    }

    /// The sub-attribute that holds the value in an element: the one named, or `value`.
    #[must_use]
    pub fn leaf(&self) -> &str {
        self.sub.as_deref().unwrap_or("value")
    }

    /// Lower-case `schema:attribute.sub` without brackets, for looking up what is known about it.
    #[must_use]
    pub fn key(&self) -> String {
        let mut key = self.whole();
        if let Some(sub) = &self.sub {
            key.push('.');
            key.push_str(sub);
        }
        key.to_ascii_lowercase()
    }

    /// Whether this is the account's own active flag.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.schema.is_none()
            && self.sub.is_none()
            && self.filter.is_empty()
            && self.attribute.eq_ignore_ascii_case("active")
    }

    /// A filter that asks for accounts with this value (RFC 7644 §3.4.2.2). `many` says that plain elements hold it in `value`.
    #[must_use]
    pub fn equals(&self, value: &Value, many: bool) -> String {
        if self.filter.is_empty() {
            let sub = if self.sub.is_none() && many {
                ".value"
            } else {
                ""
            };
            return format!("{self}{sub} eq {}", literal(value));
        }
        format!(
            "{}[{} and {} eq {}]",
            self.whole(),
            self.conditions(),
            self.leaf(),
            literal(value)
        )
    }

    fn conditions(&self) -> String {
        let clauses: Vec<String> = self
            .filter
            .iter()
            .map(|c| format!("{} eq {}", c.sub, literal(&c.value)))
            .collect();
        clauses.join(" and ")
    }
}

/// The path as PATCH spells it.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.element())?;
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// A value as filters spell it: JSON, so quotes and backslashes are escaped by the serialiser.
#[must_use]
pub fn literal(value: &Value) -> String {
    value.to_string()
}

// Version numbers in a URN hold dots, so the schema ends at its last colon.
fn split_schema(head: &str) -> (Option<&str>, &str) {
    let is_urn = head
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
    match head.rsplit_once(':') {
        Some((schema, name)) if is_urn => (Some(schema), name),
        Some(_) | None => (None, head),
    }
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'$')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'$'))
}

// `type eq "work" and primary eq true]…` → the clauses and what follows the bracket.
fn clauses(mut rest: &str) -> Result<(Vec<Clause>, &str), String> {
    let mut clauses = Vec::new();
    loop {
        rest = rest.trim_start();
        let (sub, after) = rest
            .split_once(' ')
            .ok_or("the brackets hold no comparison")?;
        if !is_name(sub) {
            return Err("the brackets hold no comparison".to_owned());
        }
        let after = word(after.trim_start(), "eq").ok_or("only \"eq\" is understood here")?;
        let after = after.trim_start();
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Value>();
        let value = match values.next() {
            Some(Ok(value)) if !(value.is_object() || value.is_array() || value.is_null()) => value,
            Some(_) | None => {
                return Err("after \"eq\" comes a text in double quotes, true or false".to_owned());
            }
        };
        rest = after
            .get(values.byte_offset()..)
            .unwrap_or_default()
            .trim_start();
        clauses.push(Clause {
            sub: sub.to_owned(),
            value,
        });
        if let Some(after) = rest.strip_prefix(']') {
            return Ok((clauses, after));
        }
        rest = word(rest, "and").ok_or("the bracket is not closed")?;
    }
}

fn word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.split_once(' ')?;
    first.eq_ignore_ascii_case(word).then_some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    #[test]
    fn paths_are_understood() {
        let department = format!("{ENTERPRISE}:department");
        let manager = format!("{ENTERPRISE}:manager.value");
        for (text, shown, key) in [
            ("userName", "userName", "username"),
            ("name.givenName", "name.givenName", "name.givenname"),
            (
                "emails[type eq \"work\"].value",
                "emails[type eq \"work\"].value",
                "emails.value",
            ),
            (
                "emails[ Type EQ \"w]\\\"x\" and primary eq true ].display",
                "emails[Type eq \"w]\\\"x\" and primary eq true].display",
                "emails.display",
            ),
            ("roles[primary eq true]", "roles[primary eq true]", "roles"),
            (
                "urn:ietf:params:scim:schemas:core:2.0:user:userName",
                "userName",
                "username",
            ),
            (&department, &department, &department.to_lowercase()),
            (&manager, &manager, &manager.to_lowercase()),
        ] {
            let path = Path::parse(text).unwrap();
            assert_eq!(path.to_string(), shown);
            assert_eq!(path.key(), key);
            assert_eq!(Path::parse(shown).unwrap(), path);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            ".x",
            "a.",
            "a b",
            "a[b]",
            "a[b eq]",
            "a[b eq x]",
            "a[b eq \"x\"",
            "a[b ne \"x\"].value",
            "a[b eq \"x\" or c eq \"y\"].value",
            "a[b eq \"x\"]value",
            "a.b[c eq 1]",
            "a[b eq {}].value",
            "urn:x:User:",
            "a/../b",
        ] {
            assert!(Path::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn filters_ask_for_one_value() {
        for (path, many, filter) in [
            ("userName", false, "userName eq \"a\\\"b\\\\\""),
            ("emails", true, "emails.value eq \"a\\\"b\\\\\""),
            ("name.givenName", false, "name.givenName eq \"a\\\"b\\\\\""),
            (
                "emails[type eq \"work\"].value",
                true,
                "emails[type eq \"work\" and value eq \"a\\\"b\\\\\"]",
            ),
        ] {
            let path = Path::parse(path).unwrap();
            assert_eq!(path.equals(&json!("a\"b\\"), many), filter);
        }
    }

    proptest! {
        #[test]
        fn a_hostile_value_stays_inside_its_quotes(value in "\\PC{0,20}|[\"\\\\\\]\\[ eqor()\n]{0,12}") {
            let filter = Path::parse("emails[type eq \"work\"].value").unwrap().equals(&json!(value), true);
            // Reading the filter back with our own parser gives the value again, and nothing besides.
            let path = Path::parse(&filter).unwrap();
            prop_assert_eq!(path.filter.len(), 2);
            prop_assert_eq!(&path.filter[1].value, &json!(value));
        }

        #[test]
        fn any_text_is_parsed_without_panic(text in "\\PC{0,40}") {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
            }
        }
    }
}
