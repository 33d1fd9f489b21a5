//! Settings: what differs from customer to customer, declared by the profile and given by the configuration.

use std::collections::BTreeMap;

use minijinja::value::Value as Jinja;
use secrecy::SecretString;
use serde_json::Value as Json;

use super::expr::{Scope, jinja};
use super::facts::Evidence;
use super::making::{Making, spelled};
use crate::document::Node;

/// The keys of a setting.
const KEYS: &[&str] = &[
    "type", "choices", "default", "optional", "comment", "evidence",
];

/// What kind of value a setting has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingType {
    /// Text.
    Text,
    /// A secret, given by reference.
    Secret,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// One of these words.
    Choice(Vec<String>),
    /// Several texts.
    Texts,
}

/// One declared setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What kind of value it has.
    pub kind: SettingType,
    /// The value if none is given.
    pub default: Option<Json>,
    /// Whether it may be missing altogether.
    pub optional: bool,
    /// What it is, for people.
    pub comment: Option<String>,
    /// How sure the default is.
    pub evidence: Evidence,
}

/// The values of a profile's settings, as one configuration gives them.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Values by name.
    pub values: BTreeMap<String, Json>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, SecretString>,
    /// The settings that were left at their default.
    pub defaulted: Vec<String>,
}

impl Given {
    /// A scope in which expressions see the settings.
    #[must_use]
    pub fn scope(&self) -> Scope {
        let values = self.values.iter();
        let values = values.map(|(name, value)| (spelled(name), jinja(value)));
        Scope::new().with(
            "settings",
            Jinja::from(values.collect::<BTreeMap<String, Jinja>>()),
        )
    }
}

/// Reads `[settings.*]`, which everything else may refer to.
pub(super) fn read(
    root: &Node<'_>,
    making: &mut Making<'_>,
    evidence: Evidence,
) -> BTreeMap<String, Setting> {
    let mut settings = BTreeMap::new();
    let Some(all) = root.table("settings", &mut making.desk) else {
        return settings;
    };
    for (name, span, _) in all.entries() {
        let proper = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if !name.bytes().all(proper) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            let help = "use lower-case letters, digits and dashes";
            making.desk.advise(
                span,
                &all.field(name),
                "this is no name for a setting",
                help,
            );
        }
        let Some(node) = all.table(name, &mut making.desk) else {
            continue;
        };
        // Known all the same: its uses are not further problems.
        let secret = node
            .value("type")
            .and_then(|value| value.get_ref().as_str())
            == Some("secret");
        let known = if secret {
            &mut making.secrets
        } else {
            &mut making.settings
        };
        known.insert(spelled(name));
        settings.extend(one(&node, making, evidence).map(|setting| (name.to_owned(), setting)));
    }
    settings
}

fn one(node: &Node<'_>, making: &mut Making<'_>, evidence: Evidence) -> Option<Setting> {
    node.only(KEYS, &mut making.desk);
    if node.value("type").is_none() {
        making.missing(
            node,
            "type",
            "\"text\", \"secret\", \"number\", \"flag\", \"choice\" or \"texts\"",
        );
    }
    let choices = node.texts("choices", &mut making.desk);
    let choices: Vec<String> = choices.into_iter().map(|text| text.value).collect();
    let kinds = [
        ("text", SettingType::Text),
        ("secret", SettingType::Secret),
        ("number", SettingType::Number),
        ("flag", SettingType::Flag),
        ("choice", SettingType::Choice(choices)),
        ("texts", SettingType::Texts),
    ];
    let numbered: Vec<(&str, usize)> = kinds
        .iter()
        .enumerate()
        .map(|(i, (word, _))| (*word, i))
        .collect();
    let chosen = node.choice("type", &numbered, &mut making.desk);
    let kind = chosen
        .and_then(|at| kinds.into_iter().nth(at))
        .map(|(_, kind)| kind);
    if let Some(SettingType::Choice(choices)) = &kind
        && choices.is_empty()
    {
        making.missing(node, "choices", "list the words that are allowed");
    }
    let optional = node.flag("optional", &mut making.desk).unwrap_or(false);
    let comment = node
        .text("comment", &mut making.desk)
        .map(|text| text.value);
    let evidence = Evidence::read(node, making, evidence);
    let default = default(node, making, kind.as_ref());
    Some(Setting {
        kind: kind?,
        default,
        optional,
        comment,
        evidence,
    })
}

fn default(node: &Node<'_>, making: &mut Making<'_>, kind: Option<&SettingType>) -> Option<Json> {
    let value = node.value("default")?;
    let field = node.field("default");
    let found = making
        .tree(&field, value, &[])
        .and_then(|tree| tree.build(&Scope::new()).ok().flatten());
    let found = found?.into_json();
    let wrong = kind.and_then(|kind| accepts(kind, &found).err());
    if let Some(why) = wrong {
        making.desk.note(value.span(), &field, why);
        return None;
    }
    Some(found)
}

/// Whether a setting of this kind can have this value.
///
/// # Errors
/// What it must be.
pub fn accepts(kind: &SettingType, value: &Json) -> Result<(), String> {
    let fits = match kind {
        SettingType::Text => value.is_string(),
        SettingType::Secret => return Err("a secret has no default".to_owned()),
        SettingType::Number => value.is_i64(),
        SettingType::Flag => value.is_boolean(),
        SettingType::Choice(words) => value
            .as_str()
            .is_some_and(|text| words.iter().any(|word| word == text)),
        SettingType::Texts => value
            .as_array()
            .is_some_and(|items| items.iter().all(Json::is_string)),
    };
    if fits {
        return Ok(());
    }
    Err(match kind {
        SettingType::Text | SettingType::Secret => "must be a text in quotes".to_owned(),
        SettingType::Number => "must be a whole number".to_owned(),
        SettingType::Flag => "must be true or false".to_owned(),
        SettingType::Choice(words) => format!("must be one of \"{}\"", words.join("\", \"")),
        SettingType::Texts => "must be a list of texts".to_owned(),
    })
}
