//! Which attributes nobody shows, among those that decide about people.
//!
//! To whoever may not read an attribute, a server looks as if nobody had it. From outside the two cannot be told apart, so
//! they are told to the one who can: somebody who knows whether anybody is locked, or has a department.

use super::{Line, Sound, line};
use crate::source::connect::Connection;
use crate::source::search::{self, Found, Scope, Search};
use crate::source::settings::{Flavour, GroupMethod, LdapSettings};
use crate::source::{FetchRequest, GroupNeed};

/// What says, on servers other than Active Directory, that an administrator locked somebody.
const LOCKS: [&str; 2] = ["nsAccountLock", "pwdAccountLockedTime"];

/// One line for each thing that should be shown by somebody.
pub(super) async fn lines(
    connection: &mut Connection,
    ldap: &LdapSettings,
    request: &FetchRequest,
) -> Vec<Line> {
    let mut looking = Looking { connection, ldap };
    let mut lines = vec![match ldap.flavour {
        Flavour::Ldap => looking.locks().await,
        Flavour::ActiveDirectory => looking.expiry().await,
    }];
    let configured = [
        ("start-attribute", &ldap.start_attribute),
        ("end-attribute", &ldap.end_attribute),
    ];
    for (key, name) in configured {
        if let Some(name) = name {
            let harm = format!("`{key}` then says nothing of anybody");
            lines.push(looking.one(name, &harm).await);
        }
    }
    if request.groups != GroupNeed::None && ldap.groups.method == GroupMethod::MemberOf {
        let harm = "nobody would be in any group; or set `method = \"member\"` of the groups";
        lines.push(looking.one("memberOf", harm).await);
    }
    lines.push(looking.mapped(request).await);
    lines
}

struct Looking<'a> {
    connection: &'a mut Connection,
    ldap: &'a LdapSettings,
}

impl Looking<'_> {
    /// Whether anybody shows an attribute.
    ///
    /// # Errors
    /// Says why the server does not tell.
    async fn anybody(&mut self, name: &str) -> Result<bool, String> {
        let filter = format!("(&{}({name}=*))", self.ldap.filter);
        for base in &self.ldap.bases {
            let search = Search {
                base,
                scope: Scope::Subtree,
                filter: &filter,
                attributes: vec!["1.1".to_owned()],
                page_size: 1,
            };
            let mut found = false;
            let end = search::first_page(self.connection, &search, &mut |item: Found<'_>| {
                found |= matches!(item, Found::Entry(_) | Found::Huge { .. });
            })
            .await;
            if found {
                return Ok(true);
            }
            end.map_err(|why| why.to_string())?;
        }
        Ok(false)
    }

    async fn locks(&mut self) -> Line {
        let what = "who is locked";
        for name in LOCKS {
            match self.anybody(name).await {
                Ok(true) => return line(what, format!("somebody shows {name}"), true),
                Ok(false) => {}
                Err(why) => return unknown(what, &why),
            }
        }
        let names = LOCKS.join(" or ");
        doubt(
            what,
            format!(
                "nobody shows {names}: either nobody is locked, or the bind account may not read it, and whoever is locked \
                 keeps access; lock somebody and look here again"
            ),
        )
    }

    /// Every user of Active Directory has this attribute, whether the account expires or not.
    async fn expiry(&mut self) -> Line {
        let harm = "whoever has expired would keep access";
        self.one("accountExpires", harm).await
    }

    async fn one(&mut self, name: &str, harm: &str) -> Line {
        match self.anybody(name).await {
            Ok(true) => line(name, "somebody shows it", true),
            Ok(false) => doubt(
                name,
                format!("nobody shows it; let the bind account read it: {harm}"),
            ),
            Err(why) => unknown(name, &why),
        }
    }

    /// What mappings and access policies use and nobody has, in one line.
    async fn mapped(&mut self, request: &FetchRequest) -> Line {
        let mut missing = Vec::new();
        for name in request.attributes.iter().filter(|name| is_name(name)) {
            match self.anybody(name).await {
                Ok(true) => {}
                Ok(false) => missing.push(name.as_str()),
                Err(why) => return unknown(name, &why),
            }
        }
        let what = "attributes of the mappings";
        if missing.is_empty() {
            return line(what, "each is shown by somebody", true);
        }
        let found = format!(
            "nobody shows {}: misspelt, or the bind account may not read it",
            missing.join(", ")
        );
        doubt(what, found)
    }
}

/// Whether this can stand in a filter as an attribute (RFC 4512 §2.5).
fn is_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b';');
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(inner)
}

fn doubt(what: &str, found: String) -> Line {
    Line {
        sound: Sound::Doubtful,
        ..line(what, found, true)
    }
}

fn unknown(what: &str, why: &str) -> Line {
    doubt(what, format!("the server does not say who shows it: {why}"))
}
