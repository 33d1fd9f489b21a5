//! Mappings that read what each domain controller keeps for itself.
//!
//! Nothing in Provost compares such a value: it is an attribute like any other, read where a mapping uses it. But a mapping
//! that does makes people look changed whom nobody changed, so it is said.

use super::{SourceSpec, TargetSpec};
use crate::config::raw::Section;
use crate::source::settings::{Flavour, SourceKind, SourceSettings};

/// Attributes of Active Directory that are not replicated (Microsoft, "Active Directory Schema", under each name), with
/// `modifyTimeStamp`, which is made from `whenChanged`.
const OWN: [&str; 9] = [
    "badPasswordTime",
    "badPwdCount",
    "lastLogoff",
    "lastLogon",
    "logonCount",
    "modifyTimeStamp",
    "uSNChanged",
    "uSNCreated",
    "whenChanged",
];

/// Warns where a mapping for people of Active Directory reads one of them.
pub fn warn(
    sections: &[Section<'_>],
    targets: &[Option<TargetSpec>],
    sources: &[Option<SourceSpec>],
) {
    for (section, target) in sections.iter().zip(targets) {
        let Some(target) = target else {
            continue;
        };
        let all = sources.iter().flatten().map(|source| &source.settings);
        let mut named = all.filter(|source| source.name == target.source);
        let is_domain = named.next().is_some_and(is_domain);
        let read = target.mapping.source_attributes();
        let own = OWN
            .iter()
            .filter(|name| read.contains(&name.to_lowercase()));
        let own: Vec<&str> = own.copied().collect();
        if !is_domain || own.is_empty() {
            continue;
        }
        let message = format!(
            "the mapping reads {}, which each domain controller keeps for itself",
            own.join(", ")
        );
        section.warning(
            "mapping",
            message,
            "people look changed where another controller answers, and after changes that no mapping is about; unless it is \
             written on-create only, take something that is replicated, such as whenCreated",
        );
    }
}

fn is_domain(source: &SourceSettings) -> bool {
    let flavour = match &source.kind {
        SourceKind::Ldap(ldap) => ldap.flavour,
        // A file has one origin.
        SourceKind::Ldif(_) => Flavour::Ldap,
    };
    flavour == Flavour::ActiveDirectory
}
