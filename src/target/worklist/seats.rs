//! Counted licences: whether one is free, or becomes free by another task of the same list.

use std::collections::BTreeSet;

use super::book::{Known, Task};
use crate::model::Value;
use crate::target::ConnectorError;
use crate::target::settings::Licences;

/// The licences that an account holds while it is active.
pub(super) fn held(known: &Known, licences: &Licences) -> BTreeSet<String> {
    if known.gone || !known.active {
        return BTreeSet::new();
    }
    named(known.attributes.get(&licences.attribute))
}

/// The licences that a value names.
pub(super) fn named(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        Some(Value::Set(set)) => set.clone(),
        Some(other) => BTreeSet::from([other.to_string()]),
        None => BTreeSet::new(),
    }
}

/// The tasks that must be done before these licences are free.
///
/// # Errors
/// [`ConnectorError::Exhausted`] if there is none left, and none becomes free.
pub(super) fn wait_for<'a>(
    takes: &BTreeSet<String>,
    licences: &Licences,
    accounts: impl Iterator<Item = &'a Known>,
    handed: &[Task],
) -> Result<Vec<String>, ConnectorError> {
    let in_use: Vec<BTreeSet<String>> = accounts.map(|known| held(known, licences)).collect();
    let mut after = Vec::new();
    for licence in takes {
        let Some(stock) = licences.stock.get(licence) else {
            // Not counted.
            continue;
        };
        let stock = *stock as usize;
        let used = in_use.iter().filter(|held| held.contains(licence)).count();
        let promised = handed
            .iter()
            .filter(|task| task.takes.contains(licence))
            .count();
        let mut freeing = handed.iter().filter(|task| task.frees.contains(licence));
        let needed = used + promised;
        if needed < stock {
            continue;
        }
        match freeing.nth(needed - stock) {
            Some(task) => after.push(task.id.clone()),
            None => {
                return Err(ConnectorError::Exhausted(format!(
                    "no licence \"{licence}\" is free: {used} of {stock} are in use and {promised} are promised; order one, or take one from somebody"
                )));
            }
        }
    }
    Ok(after)
}
