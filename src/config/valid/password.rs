//! What passwords look like: `[target.password]`. A policy whose passwords could be guessed is refused here.

use std::collections::BTreeMap;

use crate::config::keys;
use crate::config::raw::Section;
use crate::reconcile::password::{Class, LONGEST, PasswordPolicy, PolicyError};

/// The most characters of one class that can be demanded.
const MOST: u32 = 8;

/// Reads the password policy of a target.
pub fn read(target: &Section<'_>) -> PasswordPolicy {
    let mut policy = PasswordPolicy::default();
    let Some(section) = target.table("password", &keys::TARGET_PASSWORD) else {
        return policy;
    };
    let length = section.number("length", 1..=u32::try_from(LONGEST).unwrap_or(u32::MAX));
    policy.length = length.map_or(policy.length, |length| length as usize);
    if let Some(classes) = section.table("classes", &keys::PASSWORD_CLASSES) {
        policy.classes = BTreeMap::new();
        for (name, class) in Class::ALL.iter().filter(|(name, _)| classes.has(name)) {
            let least = classes.number(name, 0..=MOST).unwrap_or(1);
            policy.classes.insert(*class, least as usize);
        }
    }
    if let Some(symbols) = section.text("symbols") {
        policy.symbols = symbols.value;
    }
    if let Some(forbidden) = section.text("forbidden") {
        policy.forbidden = forbidden.value;
    }
    policy.no_ambiguous = section.flag("no-ambiguous", policy.no_ambiguous);
    policy.begin_with_letter = section.flag("must-begin-with-letter", policy.begin_with_letter);
    if section.has("max-repeat") {
        policy.max_repeat = section.number("max-repeat", 1..=10).map(|n| n as usize);
    }
    if symbols_are_proper(&section, &policy.symbols) {
        proven(&section, &policy);
    }
    policy
}

fn symbols_are_proper(section: &Section<'_>, symbols: &str) -> bool {
    let mut seen = String::new();
    for c in symbols.chars() {
        if !c.is_ascii_punctuation() {
            let help = "letters and digits have classes of their own; spaces and other characters are not used";
            section.error("symbols", "must have ASCII punctuation only", help);
            return false;
        }
        if seen.contains(c) {
            section.error("symbols", "has a symbol twice", "name each symbol once");
            return false;
        }
        seen.push(c);
    }
    true
}

fn proven(section: &Section<'_>, policy: &PasswordPolicy) {
    let letters = [Class::Lower, Class::Upper];
    if policy.begin_with_letter && !letters.iter().any(|c| policy.classes.contains_key(c)) {
        section.error(
            "classes",
            "has no letters, and passwords must begin with one",
            "add lower or upper, or write `must-begin-with-letter = false`",
        );
        return;
    }
    if let Err(why) = policy.prove() {
        let (key, help) = match &why {
            PolicyError::Empty(_) => ("forbidden", "allow some of them, or leave the class out"),
            PolicyError::Contradictory(_) => (
                "classes",
                "demand fewer characters, or make passwords longer",
            ),
            PolicyError::Weak { .. } => (
                "length",
                "a password that can be guessed gives access to whoever guesses it; if the application takes no better ones, let people log in there by single sign-on",
            ),
        };
        section.error(key, why.to_string(), help);
    }
}
