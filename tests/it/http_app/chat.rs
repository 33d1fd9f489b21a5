//! A company whose chat is Synapse.

use std::ops::{Deref, DerefMut};

use super::office::{Office, Person};
use crate::support::synapse::Synapse;
use crate::support::{PASSWORD, secrets};

/// The server, the directory, and what Provost knows of both.
pub(super) struct Chat {
    pub office: Office,
    pub server: Synapse,
}

impl Deref for Chat {
    type Target = Office;
    fn deref(&self) -> &Office {
        &self.office
    }
}

impl DerefMut for Chat {
    fn deref_mut(&mut self) -> &mut Office {
        &mut self.office
    }
}

impl Chat {
    /// A server, and people who have no account yet.
    pub(super) fn start(people: Vec<Person>) -> Self {
        Self {
            office: Office::of("synapse", people),
            server: Synapse::start(),
        }
    }

    /// Writes the configuration: where the server is reached, more lines of the target, more tables of the file.
    pub(super) fn configure(&self, url: &str, target: &str, tables: &str) {
        let password = secrets::put(self.folder.path(), "chat.secret", PASSWORD);
        let target = format!(
            "protected-accounts = [\"@provost:example.test\"]\n{target}\n\n[target.settings]\nuser = \"provost\"\n\
             password = \"{password}\"\nserver-name = \"example.test\""
        );
        self.office.configure(url, &target, tables);
    }
}
