//! The practice application as its people use it: logging in, choosing passwords, having work. For rehearsals and tests;
//! Provost itself never comes here.

use std::path::Path;

use super::file::AccountFile;
use super::inside::{Entry, Inside, Mail, SignIn};
use crate::model::AccountId;
use crate::target::ConnectorError;

/// Somebody at the application's own screen.
#[derive(Debug)]
pub struct Practice {
    file: AccountFile,
}

impl Practice {
    /// Opens the application's file; `unique` as configured.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path, unique: &[String]) -> Result<Self, ConnectorError> {
        let mut file = AccountFile::new(path, unique);
        file.refresh()?;
        Ok(Self { file })
    }

    /// Tries to log in; a session is open afterwards if that went well.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn sign_in(&mut self, id: &AccountId, password: &str) -> Result<SignIn, ConnectorError> {
        self.file
            .change(|application| application.sign_in(id, password))
    }

    /// A person chooses a password.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn choose_password(
        &mut self,
        id: &AccountId,
        password: &str,
    ) -> Result<(), ConnectorError> {
        self.file
            .change(|application| Ok((application.choose(id, password), ())))
    }

    /// A person gets a piece of work of a kind.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn give_work(
        &mut self,
        id: &AccountId,
        kind: &str,
        item: &str,
    ) -> Result<(), ConnectorError> {
        self.file
            .change(|application| Ok((application.give_work(id, kind, item), ())))
    }

    /// The inside of an account.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn inside(&mut self, id: &AccountId) -> Result<Inside, ConnectorError> {
        self.file.refresh()?;
        Ok(self.file.application.inside(id))
    }

    /// Everything that was done through the application's interface, in order, if it keeps a ledger.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn ledger(&mut self) -> Result<Vec<Entry>, ConnectorError> {
        self.file.refresh()?;
        Ok(self.file.application.ledger().to_vec())
    }

    /// Every message that the application sent to a person by itself.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn mails(&mut self) -> Result<Vec<Mail>, ConnectorError> {
        self.file.refresh()?;
        Ok(self.file.application.mails().to_vec())
    }
}
