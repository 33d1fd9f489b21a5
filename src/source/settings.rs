//! Settings of sources, as `config` hands them over: complete, checked, secrets loaded.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// One source.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// The name that targets refer to.
    pub name: String,
    /// What kind of directory.
    pub kind: SourceKind,
    /// How an entry's immutable key is found.
    pub anchor: AnchorRule,
    /// An empty result is accepted as true.
    pub allow_empty: bool,
    /// DNs of entries that must come back in every complete read.
    pub sentinels: Vec<String>,
}

/// The kinds of source.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// A directory server.
    Ldap(LdapSettings),
    /// An LDIF file (RFC 2849).
    Ldif(LdifSettings),
}

/// How an entry's immutable key is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AnchorRule {
    /// `objectGUID`: 16 bytes, mixed-endian.
    ObjectGuid,
    /// `entryUUID` (RFC 4530).
    EntryUuid,
    /// `nsUniqueId` (389 Directory Server): four groups of eight hexadecimal digits.
    NsUniqueId,
    /// One attribute of the administrator's choice; must be single-valued and never change.
    Attribute(String),
}

/// Which family of servers: decides the meaning of disabled, expired, groups and binary attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flavour {
    /// Active Directory, Samba AD.
    ActiveDirectory,
    /// OpenLDAP, 389 Directory Server and others.
    Ldap,
}

/// How a connection is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protection {
    /// TLS from the first byte (`ldaps://`).
    Ldaps,
    /// StartTLS on a plain connection (`ldap://` with `start-tls = true`, the default for `ldap://`).
    StartTls,
    /// No protection at all; needs `danger-plain-text = true`.
    DangerPlain,
}

/// One server to try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Host name or address (IPv6 without brackets).
    pub host: String,
    /// Port.
    pub port: u16,
    /// Protection.
    pub protection: Protection,
}

/// A directory server source.
#[derive(Clone, Debug)]
pub struct LdapSettings {
    /// Which family.
    pub flavour: Flavour,
    /// Servers, tried in order.
    pub servers: Vec<Server>,
    /// PEM certificates to trust instead of the system's; `None` means the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// Bind name: a DN, or for Active Directory also `user@domain` or `DOMAIN\user`.
    pub bind_name: String,
    /// Bind password, never empty.
    pub bind_password: SecretString,
    /// Search bases for people.
    pub bases: Vec<String>,
    /// Filter for people (RFC 4515), already parsed once by `config`.
    pub filter: String,
    /// Entries per page.
    pub page_size: u32,
    /// Time to connect, including TLS.
    pub connect_timeout: Duration,
    /// Longest silence while reading.
    pub read_timeout: Duration,
    /// Largest LDAP message accepted, in bytes.
    pub message_limit: usize,
    /// Groups.
    pub groups: GroupSettings,
    /// Attributes to treat as binary besides the well-known ones, lower case.
    pub binary: BTreeSet<String>,
    /// Continuation references whose URL starts with one of these are known and not needed. AD's own
    /// (`CN=Configuration`, `DC=DomainDnsZones`, `DC=ForestDnsZones`) are always ignored when they lie outside all bases.
    pub ignore_referrals: Vec<String>,
    /// The attribute with a start date (generalized time or FILETIME), if any.
    pub start_attribute: Option<String>,
    /// The attribute with an end date besides the flavour's own, if any.
    pub end_attribute: Option<String>,
}

impl LdapSettings {
    /// Where groups are searched.
    #[must_use]
    pub fn group_bases(&self) -> &[String] {
        if self.groups.bases.is_empty() {
            &self.bases
        } else {
            &self.groups.bases
        }
    }
}

/// How group membership is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupSettings {
    /// Search bases for groups; empty means the bases for people.
    pub bases: Vec<String>,
    /// Filter for groups.
    pub filter: String,
    /// From which side membership is read.
    pub method: GroupMethod,
    /// Whether membership through other groups counts.
    pub nested: bool,
}

/// From which side membership is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupMethod {
    /// From `memberOf` on people and groups (AD, OpenLDAP's memberof overlay, 389's plugin).
    MemberOf,
    /// From `member`, `uniqueMember` or `memberUid` on groups, with range retrieval.
    Member,
}

/// An LDIF source.
#[derive(Clone, Debug)]
pub struct LdifSettings {
    /// The file.
    pub path: PathBuf,
    /// The meaning of attributes follows this family.
    pub flavour: Flavour,
    /// Search bases for people; empty means every entry that has the anchor and matches the filter.
    pub bases: Vec<String>,
    /// Filter for people (RFC 4515; equality, presence, substring, and, or, not).
    pub filter: String,
    /// Groups.
    pub groups: GroupSettings,
    /// Attributes to treat as binary besides the well-known ones, lower case.
    pub binary: BTreeSet<String>,
    /// As for directory servers.
    pub start_attribute: Option<String>,
    /// As for directory servers.
    pub end_attribute: Option<String>,
}
