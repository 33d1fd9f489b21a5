//! The steps by which access is taken away and given back. A suspension is an ordered list of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Capabilities, CredentialMode};

/// One step of taking access away.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum How {
    /// The account's own active flag.
    Deactivate,
    /// A separate login switch that leaves the account active.
    BlockLogin,
    /// A random password that nobody knows is set.
    FuzzPassword,
    /// Groups, roles and licences are taken away, remembered, and given back.
    RemoveEntitlements,
    /// Open sessions are ended.
    RevokeSessions,
    /// Work of this kind is given to an heir; it stays with the heir.
    Reassign(String),
}

impl How {
    /// The steps without a parameter, as configuration spells them.
    pub const PLAIN: [(&'static str, Self); 5] = [
        ("deactivate", Self::Deactivate),
        ("block-login", Self::BlockLogin),
        ("fuzz-password", Self::FuzzPassword),
        ("remove-entitlements", Self::RemoveEntitlements),
        ("revoke-sessions", Self::RevokeSessions),
    ];

    /// The step of this name, as configuration spells it; the kind of work follows a colon, as in `reassign:quotes`.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        if let Some(kind) = text.strip_prefix("reassign:") {
            return (!kind.is_empty()).then(|| Self::Reassign(kind.to_owned()));
        }
        let plain = Self::PLAIN.into_iter();
        plain
            .into_iter()
            .find_map(|(name, how)| (name == text).then_some(how))
    }

    /// Whether nobody can begin a session any more once this is done.
    #[must_use]
    pub fn stops_access(&self) -> bool {
        match self {
            Self::Deactivate | Self::BlockLogin | Self::FuzzPassword => true,
            Self::RemoveEntitlements | Self::RevokeSessions | Self::Reassign(_) => false,
        }
    }

    /// Whether giving access back undoes it.
    #[must_use]
    pub fn is_undone(&self) -> bool {
        match self {
            Self::Deactivate | Self::BlockLogin | Self::FuzzPassword | Self::RemoveEntitlements => {
                true
            }
            Self::RevokeSessions | Self::Reassign(_) => false,
        }
    }

    /// Whether a target with these capabilities can do it.
    #[must_use]
    pub fn is_possible(&self, with: &Capabilities) -> bool {
        match self {
            Self::Deactivate => with.deactivate,
            Self::BlockLogin => with.block_login,
            Self::FuzzPassword => with.set_password,
            Self::RemoveEntitlements => with.entitlements,
            Self::RevokeSessions => with.revoke_sessions,
            Self::Reassign(kind) => with.reassign.contains(kind),
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deactivate => f.write_str("deactivate"),
            Self::BlockLogin => f.write_str("block-login"),
            Self::FuzzPassword => f.write_str("fuzz-password"),
            Self::RemoveEntitlements => f.write_str("remove-entitlements"),
            Self::RevokeSessions => f.write_str("revoke-sessions"),
            Self::Reassign(kind) => write!(f, "reassign:{kind}"),
        }
    }
}

/// What is still carried out of a procedure when its first step cannot be: a failing step holds the later ones, but as
/// long as nothing has taken the access away, the next step that does is still carried out. A fuzzed password takes none
/// away where another system checks passwords.
#[must_use]
pub fn despite_failure(done: &[How], later: &[How], mode: CredentialMode) -> Option<How> {
    let stops = |how: &&How| {
        how.stops_access() && !(mode == CredentialMode::Sso && **how == How::FuzzPassword)
    };
    if done.iter().any(|how| stops(&how)) {
        return None;
    }
    later.iter().find(stops).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_found_by_the_name_it_shows() {
        let reassign = How::Reassign("quotes".to_owned());
        for (name, how) in How::PLAIN
            .into_iter()
            .chain([("reassign:quotes", reassign)])
        {
            assert_eq!(how.to_string(), name);
            assert_eq!(How::named(name), Some(how));
        }
        for wrong in ["", "reassign", "reassign:", "Deactivate", "delete"] {
            assert_eq!(How::named(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_failing_step_never_leaves_the_access_open() {
        let later = [How::RevokeSessions, How::BlockLogin, How::Deactivate];
        let ours = CredentialMode::Managed;
        let next = |done: &[How], mode| despite_failure(done, &later, mode);
        assert_eq!(next(&[], ours), Some(How::BlockLogin));
        assert_eq!(next(&[How::RevokeSessions], ours), Some(How::BlockLogin));
        assert_eq!(next(&[How::FuzzPassword], ours), None);
        let sso = next(&[How::FuzzPassword], CredentialMode::Sso);
        assert_eq!(sso, Some(How::BlockLogin), "nobody is shut out by it");
        assert_eq!(despite_failure(&[], &[How::RevokeSessions], ours), None);
    }
}
