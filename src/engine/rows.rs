//! What a snapshot holds of everybody: small for those who are as stored, in full for those who changed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Anchor, Fingerprint, Identity};
use crate::store::{IndexRow, SourceIndex};

/// How somebody appears in a snapshot, without their attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Read now, or as of the last read if this snapshot is a stored one.
    Present,
    /// The entry came back and could not be read.
    Unreadable,
    /// Missing from this many complete reads in a row.
    Missing(u8),
    /// Not seen by a read that was not complete.
    Unproven,
}

/// What a snapshot knows of one person.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub row: IndexRow,
    /// Whether this read returned them.
    pub seen: bool,
    /// Whether it differs from what is stored.
    pub dirty: bool,
    /// One for each person, from 0.
    pub number: usize,
    /// Who they are, if that is not what is stored.
    pub changed: Option<Arc<Identity>>,
}

/// Somebody in a snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Somebody<'a> {
    pub anchor: &'a Anchor,
    /// One for each person, from 0.
    pub number: usize,
    pub standing: Standing,
    pub fingerprint: Fingerprint,
    pub changed: Option<&'a Arc<Identity>>,
}

/// Everybody, by anchor.
pub(super) type Rows = HashMap<Anchor, Row>;

/// What was stored, as a read begins with it.
pub(super) fn rows(index: SourceIndex, seen: fn(&IndexRow) -> bool) -> Rows {
    let numbered = index.into_iter().enumerate();
    numbered
        .map(|(number, (anchor, row))| {
            let (seen, dirty) = (seen(&row), false);
            let row = Row {
                row,
                seen,
                dirty,
                number,
                changed: None,
            };
            (anchor, row)
        })
        .collect()
}
