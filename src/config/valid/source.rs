//! Sources: directory servers and LDIF files.

use std::collections::BTreeSet;
use std::time::Duration;

use super::common::{self, check, values};
use super::{Outside, SourceSpec, limits, servers};
use crate::config::keys;
use crate::config::raw::{Located, Section, not_an_option};
use crate::config::syntax;
use crate::model::{Dn, Problem};
use crate::source::settings::{
    AnchorRule, Flavour, GroupMethod, GroupSettings, LdapSettings, LdifSettings, SourceKind,
    SourceSettings,
};

/// The types of source.
#[derive(Clone, Copy)]
enum Type {
    Server(Flavour),
    File,
}

const TYPES: [(&str, Type); 3] = [
    ("active-directory", Type::Server(Flavour::ActiveDirectory)),
    ("ldap", Type::Server(Flavour::Ldap)),
    ("ldif", Type::File),
];

const FLAVOURS: [(&str, Flavour); 2] = [
    ("active-directory", Flavour::ActiveDirectory),
    ("ldap", Flavour::Ldap),
];

/// Reads one `[[source]]`.
pub fn read(section: &Section<'_>, outside: &dyn Outside) -> Option<SourceSpec> {
    let name = common::name(section);
    if !section.has("type") {
        section.missing("type", "\"active-directory\", \"ldap\" or \"ldif\"");
    }
    let kind = section.choice("type", &TYPES)?;
    let (flavour, kind) = match kind {
        Type::Server(flavour) => {
            section.expect(&keys::SOURCE_LDAP);
            (
                flavour,
                server(section, flavour, outside).map(SourceKind::Ldap),
            )
        }
        Type::File => {
            section.expect(&keys::SOURCE_LDIF);
            let flavour = section
                .choice("flavour", &FLAVOURS)
                .unwrap_or(Flavour::Ldap);
            (
                flavour,
                file(section, flavour, outside).map(SourceKind::Ldif),
            )
        }
    };
    let anchor = anchor(section, flavour);
    let sentinels = sentinels(section, kind.as_ref());
    let allow_empty = section.flag("allow-empty", false);
    if allow_empty {
        let help =
            "an unreadable directory often looks empty; remove it once it has served its purpose";
        section.warning("allow-empty", "an empty directory is believed", help);
    }
    let shrink = limits::shrink(section);
    Some(SourceSpec {
        settings: SourceSettings {
            name: name?,
            kind: kind?,
            anchor: anchor?,
            allow_empty,
            sentinels,
        },
        shrink,
    })
}

fn server(section: &Section<'_>, flavour: Flavour, outside: &dyn Outside) -> Option<LdapSettings> {
    let servers = servers::read(section);
    let bind_name = section.required(
        "bind-name",
        "the account that reads the directory; give it no other rights",
    );
    if let Some(name) = &bind_name {
        check(section, name, |text| bind_name_form(text, flavour));
    }
    let bind_password = common::secret(section, "bind-password", outside);
    if !section.has("bases") {
        section.missing(
            "bases",
            "where people are searched, such as [\"OU=People,DC=example,DC=com\"]",
        );
    }
    let bases = bases(section, true);
    let ca_pem = common::certificates(section, outside);
    Some(LdapSettings {
        flavour,
        servers,
        ca_pem,
        filter: filter(section, people_filter(flavour)),
        // Active Directory serves at most 1000 entries a page, whatever is asked.
        page_size: section.number("page-size", 1..=10_000).unwrap_or(1000),
        connect_timeout: common::timeout(section, "connect-timeout", Duration::from_secs(10)),
        read_timeout: common::timeout(section, "read-timeout", Duration::from_secs(60)),
        message_limit: section
            .size("message-limit", 64 << 10..=256 << 20)
            .unwrap_or(4 << 20),
        groups: groups(section, flavour),
        binary: attributes(section, "binary-attributes"),
        ignore_referrals: values(section.texts("ignore-referrals")),
        start_attribute: attribute(section, "start-attribute"),
        end_attribute: attribute(section, "end-attribute"),
        bases,
        bind_name: bind_name?.value,
        bind_password: bind_password?,
    })
}

/// Active Directory also takes `user@domain` and `DOMAIN\user`.
fn bind_name_form(text: &str, flavour: Flavour) -> Result<(), String> {
    match flavour {
        Flavour::ActiveDirectory if text.contains(['@', '\\']) => Ok(()),
        Flavour::ActiveDirectory => syntax::dn(text)
            .map_err(|_why| "is neither a DN nor user@domain nor DOMAIN\\user".to_owned()),
        Flavour::Ldap => syntax::dn(text),
    }
}

fn file(section: &Section<'_>, flavour: Flavour, outside: &dyn Outside) -> Option<LdifSettings> {
    let path = section.required("path", "the LDIF file, relative to this one");
    Some(LdifSettings {
        flavour,
        bases: bases(section, false),
        filter: filter(section, people_filter(flavour)),
        groups: groups(section, flavour),
        binary: attributes(section, "binary-attributes"),
        start_attribute: attribute(section, "start-attribute"),
        end_attribute: attribute(section, "end-attribute"),
        path: outside.resolve(&path?.value),
    })
}

fn people_filter(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::ActiveDirectory => "(&(objectCategory=person)(objectClass=user))",
        Flavour::Ldap => "(objectClass=inetOrgPerson)",
    }
}

fn group_filter(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::ActiveDirectory => "(objectClass=group)",
        Flavour::Ldap => {
            "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"
        }
    }
}

fn filter(section: &Section<'_>, default: &str) -> String {
    match section.text("filter") {
        Some(text) => {
            check(section, &text, syntax::filter);
            text.value
        }
        None => default.to_owned(),
    }
}

fn bases(section: &Section<'_>, needed: bool) -> Vec<String> {
    let bases = section.texts("bases");
    bases.iter().for_each(|dn| check(section, dn, syntax::dn));
    if needed && bases.is_empty() && section.is_empty_list("bases") {
        section.error(
            "bases",
            "must not be empty",
            "name at least one place where people are searched",
        );
    }
    for (at, base) in bases.iter().enumerate() {
        let others = bases.iter().enumerate().filter(|(other, _)| *other != at);
        let within = others.map(|(_, other)| other.value.as_str());
        // Two spellings of one base lie below each other; naming it once is enough.
        if is_below_any(&base.value, within) == Some(true) {
            let message = "lies below another base: people in both would be read twice";
            let problem = Problem::new(Some(base.span.clone()), &base.field, message);
            section.findings().error(problem.help("remove it"));
            break;
        }
    }
    values(bases)
}

/// Whether a DN lies below one of some bases; `None` if that cannot be said.
fn is_below_any<'b>(dn: &str, bases: impl IntoIterator<Item = &'b str>) -> Option<bool> {
    let dn = Dn::parse(dn)?;
    let bases: Option<Vec<Dn>> = bases.into_iter().map(Dn::parse).collect();
    Some(bases?.iter().any(|base| dn.is_below(base)))
}

/// Entries that must come back in every read, so they must lie where people are searched.
fn sentinels(section: &Section<'_>, kind: Option<&SourceKind>) -> Vec<String> {
    let sentinels = section.texts("sentinels");
    let bases = match kind {
        Some(SourceKind::Ldap(settings)) => settings.bases.as_slice(),
        Some(SourceKind::Ldif(settings)) => settings.bases.as_slice(),
        None => &[],
    };
    for sentinel in &sentinels {
        check(section, sentinel, syntax::dn);
        let below = is_below_any(&sentinel.value, bases.iter().map(String::as_str));
        if !bases.is_empty() && below == Some(false) {
            let message = "lies below no base, so it would never come back";
            let problem = Problem::new(Some(sentinel.span.clone()), &sentinel.field, message);
            let help = "name an entry below `bases`, one that the filter finds";
            section.findings().error(problem.help(help));
        }
    }
    values(sentinels)
}

fn groups(section: &Section<'_>, flavour: Flavour) -> GroupSettings {
    // AD always maintains memberOf; other servers only with an overlay or plugin, so their groups are asked.
    let method = match flavour {
        Flavour::ActiveDirectory => GroupMethod::MemberOf,
        Flavour::Ldap => GroupMethod::Member,
    };
    let Some(groups) = section.table("groups", &keys::GROUPS) else {
        return GroupSettings {
            bases: Vec::new(),
            filter: group_filter(flavour).to_owned(),
            method,
            nested: true,
        };
    };
    let methods = [
        ("member-of", GroupMethod::MemberOf),
        ("member", GroupMethod::Member),
    ];
    GroupSettings {
        bases: bases(&groups, false),
        filter: filter(&groups, group_filter(flavour)),
        method: groups.choice("method", &methods).unwrap_or(method),
        nested: groups.flag("nested", true),
    }
}

fn attributes(section: &Section<'_>, key: &str) -> BTreeSet<String> {
    let names = section.texts(key);
    names
        .iter()
        .for_each(|name| check(section, name, attribute_name));
    names
        .iter()
        .map(|name| name.value.to_ascii_lowercase())
        .collect()
}

fn attribute(section: &Section<'_>, key: &str) -> Option<String> {
    let name = section.text(key)?;
    check(section, &name, attribute_name);
    Some(name.value)
}

fn attribute_name(text: &str) -> Result<(), String> {
    if syntax::is_attribute(text) {
        Ok(())
    } else {
        Err("is not an attribute name".to_owned())
    }
}

/// How the immutable key is found.
fn anchor(section: &Section<'_>, flavour: Flavour) -> Option<AnchorRule> {
    if !section.has("anchor") {
        return Some(match flavour {
            Flavour::ActiveDirectory => AnchorRule::ObjectGuid,
            Flavour::Ldap => AnchorRule::EntryUuid,
        });
    }
    if section.is_table("anchor") {
        let table = section.table("anchor", &keys::ANCHOR)?;
        let help = "the attribute whose value never changes, such as \"employeeNumber\"";
        let name = table.required("attribute", help)?;
        check(&table, &name, attribute_name);
        warn_changing(&table, &name);
        return Some(AnchorRule::Attribute(name.value));
    }
    let text = section.text("anchor")?;
    let known = [
        ("objectGUID", AnchorRule::ObjectGuid),
        ("entryUUID", AnchorRule::EntryUuid),
        ("nsUniqueId", AnchorRule::NsUniqueId),
    ];
    // Attribute names have no case.
    let found = known
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&text.value));
    if found.is_none() {
        let mut problem = not_an_option(&text, &known);
        problem.help.get_or_insert_with(|| {
            "for another attribute write anchor = { attribute = \"employeeNumber\" }".to_owned()
        });
        section.findings().error(problem);
    }
    found.map(|(_, rule)| rule.clone())
}

/// Logins, names and addresses change with marriages and reorganisations; then the person would become somebody else.
fn warn_changing(section: &Section<'_>, name: &Located<String>) {
    let changing = [
        "cn",
        "dn",
        "distinguishedname",
        "displayname",
        "mail",
        "samaccountname",
        "uid",
        "userprincipalname",
    ];
    if changing.contains(&name.value.to_ascii_lowercase().as_str()) {
        let message = "this attribute changes in people's lives; whoever's does becomes a leaver and a joiner";
        section.warning(
            "attribute",
            message,
            "use objectGUID, entryUUID or a personnel number",
        );
    }
}
