//! Our own records: small things that must survive a restart and are no account (an override, a message to send).
//!
//! A document has a kind, a key within the kind, and a value. The latest one written is current. All current documents
//! are held in memory, so they are for hundreds or thousands of records, not for one per person and run.
//! Secrets do not belong here.

use std::sync::atomic::Ordering;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec;
use super::entry::{self, Head};
use super::error::StoreError;
use super::state::State;

/// One write to a document; `None` removes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DocumentWrite<'a, T> {
    /// What kind of record.
    pub kind: &'a str,
    /// Its key within the kind.
    pub key: &'a str,
    /// Its value from now on.
    pub value: Option<&'a T>,
}

impl State {
    /// The current document of a kind and key.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it is not of this type; after a write that failed half way.
    pub fn document<T: DeserializeOwned>(
        &self,
        kind: &str,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        let inner = self.inner()?;
        let place = (kind.to_owned(), key.to_owned());
        let bytes = inner.ledger.documents().get(&place);
        bytes.map(|bytes| self.read(kind, key, bytes)).transpose()
    }

    /// Every current document of a kind, ordered by key.
    ///
    /// # Errors
    /// As [`Self::document`].
    pub fn documents<T: DeserializeOwned>(
        &self,
        kind: &str,
    ) -> Result<Vec<(String, T)>, StoreError> {
        let inner = self.inner()?;
        let from = (kind.to_owned(), String::new());
        let range = inner.ledger.documents().range(from..);
        range
            .take_while(|((of, _), _)| of == kind)
            .map(|((_, key), bytes)| Ok((key.clone(), self.read(kind, key, bytes)?)))
            .collect()
    }

    /// Writes or removes documents, all or none of them, durably.
    ///
    /// # Errors
    /// When they cannot be made durable.
    pub fn set_documents<T: Serialize>(
        &self,
        writes: &[DocumentWrite<'_, T>],
    ) -> Result<(), StoreError> {
        let mut items = Vec::with_capacity(writes.len());
        for &DocumentWrite { kind, key, value } in writes {
            let head = Head::Document { kind, key };
            let mut item = entry::head_bytes(head).map_err(|e| self.unencodable(e))?;
            if let Some(value) = value {
                // One byte in front, so that a value without content is not taken for a removal.
                item.push(1);
                item.extend(codec::encode(value).map_err(|e| self.unencodable(e))?);
            }
            items.push(item);
        }
        let mut inner = self.inner()?;
        self.append(&mut inner, &items)?;
        self.document_writes.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// How often documents were written since the state was opened: if it is as before, so is every document.
    /// Unlike reading one, asking this never waits for a write to the disk.
    #[must_use]
    pub fn document_writes(&self) -> u64 {
        self.document_writes.load(Ordering::Acquire)
    }

    fn read<T: DeserializeOwned>(
        &self,
        kind: &str,
        key: &str,
        bytes: &[u8],
    ) -> Result<T, StoreError> {
        let value = bytes.get(1..).unwrap_or_default();
        entry::body(value).map_err(|e| {
            StoreError::damaged(
                &self.dir,
                format!("the {kind} \"{key}\" in the journal: {e}; restore the file from a backup"),
            )
        })
    }
}
