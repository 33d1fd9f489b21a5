//! Who gets which letter, and at which address. Which words it has is in `template`.
//!
//! A letter follows from a change of the plan that sets a password for a person to use. Its address comes from the
//! directory, where anybody may have written anything, so it is judged before it is believed.

mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Anchor, Change, Identity, Letter, LetterKind, PasswordStep, Shadow};

pub use template::{Rendered, Template, Words};

/// Longest address (RFC 5321 §4.5.3.1.3).
const LONGEST: usize = 254;

/// Whose mailbox a letter goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Recipient {
    /// The person's.
    #[default]
    Person,
    /// The person's manager's: on the first day, the person cannot read mail yet.
    Manager,
}

/// One kind of letter.
#[derive(Clone, Debug)]
pub struct LetterRule {
    /// Whose mailbox it goes to.
    pub recipient: Recipient,
    /// The attributes that may hold the address, the first that does counts.
    pub attributes: Vec<String>,
    /// Its words.
    pub template: Arc<Template>,
    /// The targets that it is sent for; empty means all.
    pub targets: BTreeSet<String>,
    /// How long before the moment it speaks of it is sent.
    pub lead: jiff::SignedDuration,
}

/// Which letters are sent at all.
#[derive(Clone, Debug, Default)]
pub struct LetterRules {
    /// By kind.
    pub by_kind: BTreeMap<LetterKind, LetterRule>,
    /// The attribute that names a person's manager by DN.
    pub manager: String,
}

/// Looks people up.
pub trait Directory {
    /// What the directory says of a person.
    fn person(&self, anchor: &Anchor) -> Option<Arc<Identity>>;
    /// The person of a DN.
    fn named(&self, dn: &str) -> Option<Arc<Identity>>;
    /// What was last confirmed of a person's account.
    fn shadow(&self, anchor: &Anchor) -> Option<Shadow>;
}

impl LetterRules {
    /// The rule for a kind of letter in a target, if it is sent there.
    #[must_use]
    pub fn rule(&self, kind: LetterKind, target: &str) -> Option<&LetterRule> {
        let rule = self.by_kind.get(&kind)?;
        (rule.targets.is_empty() || rule.targets.contains(target)).then_some(rule)
    }

    /// The attributes of people that letters need.
    #[must_use]
    pub fn attributes(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for rule in self.by_kind.values() {
            names.extend(rule.attributes.iter().map(|name| name.to_ascii_lowercase()));
            if rule.recipient == Recipient::Manager {
                names.insert(self.manager.to_ascii_lowercase());
            }
        }
        names
    }

    /// The letters that go with the changes of a plan, in their order.
    #[must_use]
    pub fn plan(
        &self,
        target: &str,
        changes: &[Arc<Change>],
        directory: &dyn Directory,
    ) -> Vec<Letter> {
        let mut letters = Vec::new();
        for change in changes {
            let Some(step) = change.password else {
                continue;
            };
            let told = || {
                let password = directory.shadow(&change.anchor).map(|s| s.password);
                password.is_some_and(|password| password.told && password.kept.is_some())
            };
            let Some(kind) = kind_for(step).filter(|_| step != PasswordStep::Restore || !told())
            else {
                continue;
            };
            if let Some(rule) = self.rule(kind, target) {
                letters.push(Letter {
                    kind,
                    anchor: change.anchor.clone(),
                    label: change.label.clone(),
                    to: self.address(rule, &change.anchor, directory),
                    closes: None,
                });
            }
        }
        letters
    }

    /// Where a letter about a person goes.
    ///
    /// # Errors
    /// Why there is no address, and what to do.
    pub fn address(
        &self,
        rule: &LetterRule,
        anchor: &Anchor,
        directory: &dyn Directory,
    ) -> Result<String, String> {
        let person = directory
            .person(anchor)
            .ok_or("the person is not in the directory any more")?;
        let reader = match rule.recipient {
            Recipient::Person => person,
            Recipient::Manager => {
                let dn = person.attributes.text(&self.manager);
                let dn = dn.ok_or("the person has no manager in the directory")?;
                directory
                    .named(dn)
                    .ok_or("the person's manager is not among the people of this source")?
            }
        };
        let mut found = rule
            .attributes
            .iter()
            .filter_map(|name| reader.attributes.text(name));
        let Some(text) = found.next() else {
            return Err(format!(
                "the directory has no address in {}",
                rule.attributes.join(", ")
            ));
        };
        judge_address(text).map(|()| text.to_owned())
    }
}

/// Which letter tells a person about a password.
#[must_use]
pub fn kind_for(step: PasswordStep) -> Option<LetterKind> {
    match step {
        PasswordStep::Initial => Some(LetterKind::Welcome),
        PasswordStep::Temporary | PasswordStep::Restore => Some(LetterKind::Reset),
        PasswordStep::Fuzz => None,
    }
}

/// One plain address and nothing else: no name, no list, no comment, no control character.
///
/// # Errors
/// What is wrong; without the text, which may be anything.
pub fn judge_address(text: &str) -> Result<(), String> {
    let proper = |b: u8| b.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&b);
    let (name, domain) = text.rsplit_once('@').unwrap_or_default();
    let sound = text.len() <= LONGEST
        && text.bytes().all(proper)
        && !name.is_empty()
        && !name.contains('@')
        && name.split('.').all(|part| !part.is_empty())
        && domain
            .split('.')
            .all(|part| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-'))
        && domain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    if sound {
        Ok(())
    } else {
        Err("what the directory has as address is not one plain mail address".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_are_believed() {
        for good in [
            "a@example.com",
            "first.last+tag@mail.example.co.uk",
            "o'neil@example.com",
            "x@localhost",
        ] {
            assert_eq!(judge_address(good), Ok(()), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "a b@example.com",
            "a@example.com\r\nBcc: all@example.com",
            "a@example.com,b@example.com",
            "\"x\"@example.com",
            "Boss <a@example.com>",
            "a@b@example.com",
            "a@-x.com",
            "a@x..com",
            ".a@x.com",
            "a@[127.0.0.1]",
            "é@example.com",
            "a@exämple.com",
            "a@x.com\0",
            long.as_str(),
        ] {
            assert!(judge_address(bad).is_err(), "{bad:?}");
        }
    }
}
