//! What a directory can hold, and how it can be read: few values, so that everything collides.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use provost::reconcile::absence::Said;

/// So many people there can be.
pub(super) const PEOPLE: u8 = 8;

/// A person as the directory has them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub uid: Option<&'static str>,
    pub mail: Option<&'static str>,
    pub title: Option<&'static str>,
    pub contractor: bool,
    pub disabled: bool,
    /// Hours from the beginning.
    pub ends: Option<i64>,
    pub starts: Option<i64>,
    pub manager: Option<u8>,
    pub groups: BTreeSet<&'static str>,
    /// Where the entry is, and in which case its DN is written.
    pub ou: bool,
    pub upper: bool,
    pub unreadable: bool,
}

pub(super) fn entry() -> impl Strategy<Value = Entry> {
    let uid = prop_oneof![
        9 => prop::sample::select(vec!["ann", "Ann", "ben", "cleo", "root"]).prop_map(Some),
        1 => Just(None),
    ];
    let mail = prop::option::of(prop::sample::select(vec!["a@x", "A@x", "b@x"]));
    let title = prop::option::of(prop::sample::select(vec!["Boss", "Clerk"]));
    let groups = prop::collection::btree_set(
        prop::sample::select(vec!["app-crm", "app-erp", "printers"]),
        0..3,
    );
    let rarely = || prop::bool::weighted(0.15);
    let hours = || prop::option::weighted(0.2, -20..60_i64);
    let state = (rarely(), rarely(), hours(), hours(), rarely());
    let place = (prop::option::of(0..PEOPLE), any::<bool>(), any::<bool>());
    (uid, mail, title, groups, state, place).prop_map(
        |(uid, mail, title, groups, state, (manager, ou, upper))| Entry {
            uid,
            mail,
            title,
            contractor: state.0,
            disabled: state.1,
            ends: state.2,
            starts: state.3,
            unreadable: state.4 && ou && upper,
            manager,
            groups,
            ou,
            upper,
        },
    )
}

/// How the directory and the application are read for one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reading {
    /// Every account is listed.
    pub live: bool,
    /// The read of the directory was not complete, and lost these people and, if so, all groups.
    pub partial: bool,
    pub unseen: BTreeSet<u8>,
    pub groupless: bool,
    /// The directory data is old.
    pub stale: bool,
    /// What the directory says of these people when it is asked for them, if they are newly missing from a complete read.
    pub asked: BTreeMap<u8, Said>,
    /// It is another server than that of the read before.
    pub other_server: bool,
}

impl Reading {
    /// A complete read of both.
    pub(super) const FULL: Self = Self {
        live: true,
        partial: false,
        unseen: BTreeSet::new(),
        groupless: false,
        stale: false,
        asked: BTreeMap::new(),
        other_server: false,
    };
}
