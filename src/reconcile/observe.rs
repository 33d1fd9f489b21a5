//! What a live account teaches about its shadow. Observation never changes who is linked or why somebody is suspended.

use jiff::Timestamp;

use crate::model::{Account, How, Life, Shadow};

/// The shadow as it should be recorded after its account was read, or `None` if that changes nothing.
///
/// `account` is `None` when the target says that the account does not exist.
#[must_use]
pub fn observe(shadow: &Shadow, account: Option<&Account>, now: Timestamp) -> Option<Shadow> {
    let mut seen = shadow.clone();
    match account {
        None => {
            if !matches!(seen.life, Life::Tombstone { .. }) {
                seen.life = Life::Tombstone { since: now };
            }
        }
        Some(account) => {
            seen.life = Life::Live;
            seen.active = account.active.or(seen.active);
            seen.account = Some(account.id.clone());
            if let Some(held) = &account.entitlements {
                // Ours is what we granted and is still there.
                seen.entitlements.retain(|name| held.contains(name));
                // A removal that nobody knew the end of took effect.
                let begun = seen.suspended_by.contains(&How::RemoveEntitlements);
                if begun && held.is_empty() {
                    seen.pending.retain(|how| *how != How::RemoveEntitlements);
                }
            }
        }
    }
    (seen != *shadow).then_some(seen)
}

/// The attributes that management needs to remember from an account: those the mapping has.
pub fn remember<'a>(
    shadow: &mut Shadow,
    account: &Account,
    managed: impl Iterator<Item = &'a str>,
) {
    shadow.attributes = managed
        .filter_map(|name| Some((name.to_owned(), account.attributes.get(name)?.clone())))
        .collect();
}
