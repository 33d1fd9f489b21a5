//! The records of an LDIF file (RFC 2849), one by one, with the line of whatever is wrong.
//!
//! Content records only. Nothing is read but the file itself: values at a URL are refused.

use std::io::BufRead;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::entry::OwnedEntry;

/// The longest logical line, in bytes.
const LINE_LIMIT: usize = 16 << 20;

/// What is wrong with a file, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// 1-based; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong and what to do.
    pub why: String,
}

/// Reads records one by one.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: R,
    /// Lines read so far.
    line: usize,
    /// The physical line that belongs to the next logical one.
    ahead: Option<Vec<u8>>,
    started: bool,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            ahead: None,
            started: false,
        }
    }

    /// What is read from.
    pub(super) fn input(&self) -> &R {
        &self.input
    }

    fn fault<T>(&self, why: impl Into<String>) -> Result<T, Fault> {
        Err(Fault {
            line: self.line,
            why: why.into(),
        })
    }

    /// One physical line without its end; `None` at the end of the file.
    fn physical(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(LINE_LIMIT).unwrap_or(u64::MAX);
        let read = std::io::Read::take(&mut self.input, limit).read_until(b'\n', &mut bytes);
        self.line += 1;
        match read {
            Ok(0) => Ok(None),
            Ok(n) if n >= LINE_LIMIT => self.fault("the line is too long"),
            Ok(_) => {
                while matches!(bytes.last(), Some(b'\n' | b'\r')) {
                    bytes.pop();
                }
                Ok(Some(bytes))
            }
            Err(error) => self.fault(format!("the file cannot be read: {error}")),
        }
    }

    /// One logical line with the number of its first physical one, continuation lines joined, comments left out.
    fn logical(&mut self) -> Result<Option<(usize, Vec<u8>)>, Fault> {
        loop {
            let first = match self.ahead.take() {
                Some(line) => Some(line),
                None => self.physical()?,
            };
            let Some(mut line) = first else {
                return Ok(None);
            };
            let number = self.line;
            if line.first() == Some(&b' ') {
                return self.fault("a continuation line has nothing before it");
            }
            // An empty line ends a record and is never continued.
            while !line.is_empty() {
                let next = self.physical()?;
                match next {
                    Some(next) if next.first() == Some(&b' ') => {
                        line.extend_from_slice(next.get(1..).unwrap_or_default());
                        if line.len() > LINE_LIMIT {
                            return self.fault("the value is too long");
                        }
                    }
                    next => {
                        self.ahead = next;
                        break;
                    }
                }
            }
            if line.first() != Some(&b'#') {
                return Ok(Some((number, line)));
            }
        }
    }

    /// The next record; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<OwnedEntry>, Fault> {
        let mut entry: Option<OwnedEntry> = None;
        while let Some((number, line)) = self.logical()? {
            if line.is_empty() {
                match entry {
                    Some(entry) => return Ok(Some(entry)),
                    None => continue,
                }
            }
            let at = |why: String| Fault { line: number, why };
            let (name, value) = split(&line).map_err(at)?;
            let first = !std::mem::replace(&mut self.started, true);
            match &mut entry {
                None if first && name.eq_ignore_ascii_case("version") => {
                    if value != b"1" {
                        return Err(at("only version 1 of LDIF is known".to_owned()));
                    }
                }
                None if name.eq_ignore_ascii_case("dn") => {
                    entry = Some(OwnedEntry {
                        dn: value,
                        attributes: Vec::new(),
                    });
                }
                None => {
                    return Err(at(format!(
                        "a record starts with \"dn:\", not with \"{name}:\""
                    )));
                }
                Some(_)
                    if name.eq_ignore_ascii_case("changetype")
                        || name.eq_ignore_ascii_case("control") =>
                {
                    return Err(at(
                        "this file holds changes; a source needs the entries themselves".to_owned(),
                    ));
                }
                Some(entry) => entry.add(&name, value),
            }
        }
        Ok(entry)
    }
}

fn split(line: &[u8]) -> Result<(String, Vec<u8>), String> {
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = colon
        .and_then(|at| line.split_at_checked(at))
        .ok_or("the line has no \":\"")?;
    let name = std::str::from_utf8(name).map_err(|_| "the attribute's name is not text")?;
    if name.is_empty()
        || !name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.;_=*".contains(&b))
    {
        return Err(format!("\"{}\" is not an attribute", name.escape_debug()));
    }
    match value.get(1..).unwrap_or_default() {
        [b'<', ..] => Err(format!(
            "the value of {name} is at a URL, which is not followed"
        )),
        [b':', encoded @ ..] => {
            let value = STANDARD.decode(encoded.trim_ascii());
            let value =
                value.map_err(|error| format!("the value of {name} is not base64: {error}"))?;
            Ok((name.to_owned(), value))
        }
        plain => {
            let start = plain
                .iter()
                .position(|byte| *byte != b' ')
                .unwrap_or(plain.len());
            Ok((
                name.to_owned(),
                plain.get(start..).unwrap_or_default().to_vec(),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Result<Vec<OwnedEntry>, Fault> {
        let mut records = Records::new(text);
        let mut entries = Vec::new();
        while let Some(entry) = records.next()? {
            entries.push(entry);
        }
        Ok(entries)
    }

    #[test]
    fn records_fold_decode_and_skip_comments() {
        let text = b"version: 1\r\n# a comment\n  goes on\n\n\ndn: cn=a,\n dc=t\ncn: a\nCN;lang-fr:  \xc3\xa0 \ncn:: YgBi\ndescription:\n\n# between\ndn:: Y249Yg==\ncn: b";
        let entries = all(text).unwrap();
        assert_eq!(entries.len(), 2);
        let first = entries[0].borrow();
        assert_eq!(first.dn, b"cn=a,dc=t");
        assert_eq!(first.get("cn"), [&b"a"[..], b"b\0b"]);
        assert_eq!(first.get("cn;lang-fr"), ["à ".as_bytes()]);
        assert_eq!(first.get("description"), [b""]);
        assert_eq!(entries[1].dn, b"cn=b");
        assert!(all(b"").unwrap().is_empty());
    }

    #[test]
    fn faults_name_the_line() {
        let cases: [(&[u8], usize, &str); 9] = [
            (b"cn: a\n", 1, "starts with"),
            (b"dn: cn=a\nchangetype: add\ncn: a\n", 2, "changes"),
            (
                b"dn: cn=a\n\ndn: cn=b\njpegPhoto:< file:///etc/passwd\n",
                4,
                "URL",
            ),
            (b"dn: cn=a\ncn:: ?\n", 2, "base64"),
            (b"version: 2\n", 1, "version"),
            (b" x\n", 1, "continuation"),
            (b"dn: cn=a\nx\n", 2, "no \":\""),
            (b"dn: cn=a\nc n: x\n", 2, "not an attribute"),
            (b"dn: cn=a\n\nversion: 1\n", 3, "starts with"),
        ];
        for (text, line, why) in cases {
            let fault = all(text).unwrap_err();
            assert!(fault.why.contains(why), "{}", fault.why);
            assert_eq!(fault.line, line, "{why}");
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            drop(all(&bytes));
            let text = [&b"dn: cn=a\n"[..], &bytes].concat();
            if let Ok(entries) = all(&text) {
                proptest::prop_assert!(!entries.is_empty() || bytes.first() == Some(&b' '));
            }
        }
    }
}
