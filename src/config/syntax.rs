//! Whether a text can be a DN, a filter or an attribute name at all, so that a slip shows in `check` and not at night.
//!
//! Decides syntax only. Whether the directory has such an entry or attribute, only the directory knows.

use crate::model::Dn;

/// How deep a filter may be nested.
const FILTER_DEPTH: usize = 32;

/// Whether a text is a distinguished name (RFC 4514), not the empty one.
///
/// # Errors
/// What is wrong.
pub fn dn(text: &str) -> Result<(), String> {
    if !text.is_empty() && Dn::parse(text).is_some() {
        return Ok(());
    }
    Err("is not a DN: it must look like \"OU=People,DC=example,DC=com\"".to_owned())
}

/// Whether a text is an attribute description: a short name or an OID, possibly with options (RFC 4512 §2.5).
#[must_use]
pub fn is_attribute(text: &str) -> bool {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default();
    let keyword = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let short =
        name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic()) && name.bytes().all(keyword);
    let oid = !name.is_empty()
        && name
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    (short || oid) && parts.all(|option| !option.is_empty() && option.bytes().all(keyword))
}

/// Whether a text is a search filter (RFC 4515).
///
/// # Errors
/// What is wrong.
pub fn filter(text: &str) -> Result<(), String> {
    let rest = one(text, 0)?;
    if rest.is_empty() {
        Ok(())
    } else {
        Err("is not a filter: there is text after the last closing parenthesis".to_owned())
    }
}

/// Reads one filter in parentheses and returns what follows it.
fn one(text: &str, depth: usize) -> Result<&str, String> {
    if depth > FILTER_DEPTH {
        return Err(format!("is nested deeper than {FILTER_DEPTH} levels"));
    }
    let inner = text
        .strip_prefix('(')
        .ok_or("is not a filter: each part begins with `(`")?;
    let list = inner.strip_prefix('&').or_else(|| inner.strip_prefix('|'));
    let rest = if let Some(list) = list {
        let mut rest = list;
        while rest.starts_with('(') {
            rest = one(rest, depth + 1)?;
        }
        rest
    } else if let Some(negated) = inner.strip_prefix('!') {
        one(negated, depth + 1)?
    } else {
        item(inner)?
    };
    rest.strip_prefix(')')
        .ok_or_else(|| "is not a filter: a closing parenthesis is missing".to_owned())
}

/// Reads `attribute=value` and its kin, and returns what follows it.
fn item(text: &str) -> Result<&str, String> {
    let end = text.find([')', '(']).unwrap_or(text.len());
    let (item, rest) = text.split_at(end);
    let (name, value) = item
        .split_once('=')
        .ok_or("is not a filter: a part lacks its `=`")?;
    let name = name.strip_suffix(['~', '>', '<']).unwrap_or(name);
    let mut parts = match name.strip_suffix(':') {
        Some(extensible) => extensible.split(':'),
        None => name.split(':'),
    };
    let attribute = parts.next().unwrap_or_default();
    let extensible = name.ends_with(':');
    let proper = is_attribute(attribute) || (extensible && attribute.is_empty());
    if !proper || parts.any(|part| !is_attribute(part)) {
        return Err("is not a filter: a part does not begin with an attribute name".to_owned());
    }
    let mut escapes = value.split('\\');
    escapes.next();
    for escape in escapes {
        let hex = escape.bytes().take(2).filter(u8::is_ascii_hexdigit).count();
        if hex != 2 {
            return Err(
                "is not a filter: a backslash is followed by two hexadecimal digits".to_owned(),
            );
        }
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_other_texts() {
        for text in [
            "OU=People,DC=example,DC=com",
            "ou=people, dc=example, dc=com",
            "cn=Doe\\, Jane+uid=jd,o=x",
            "2.5.4.3=x,o=y",
            "cn=a\\2cb,o=x",
        ] {
            assert_eq!(dn(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "People",
            "OU=People,,DC=x",
            "=x",
            "ou=x,",
            "ou=x\\",
            "o u=x",
        ] {
            assert!(dn(text).is_err(), "{text}");
        }
    }

    #[test]
    fn filters_are_told_from_other_texts() {
        for text in [
            "(objectClass=*)",
            "(&(objectCategory=person)(objectClass=user))",
            "(!(cn=a*b*c))",
            "(|(a=1)(b>=2)(c<=3)(d~=4))",
            "(memberOf:1.2.840.113556.1.4.1941:=cn=x,dc=y)",
            "(cn:dn:2.5.13.2:=x)",
            "(:caseExactMatch:=x)",
            "(cn=a\\28b)",
            "(userCertificate;binary=*)",
            "(&)",
        ] {
            assert_eq!(filter(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "objectClass=*",
            "(objectClass)",
            "(a=1",
            "(a=1))",
            "(&(a=1)",
            "(a=\\zz)",
            "(=x)",
            "(a b=x)",
            "((a=1))",
            "(!a=1)",
            "(a=(b))",
        ] {
            assert!(filter(text).is_err(), "{text}");
        }
        let deep = format!("{}(a=1){}", "(!".repeat(1000), ")".repeat(1000));
        assert!(filter(&deep).is_err());
    }
}
