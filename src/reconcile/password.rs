//! What a generated password looks like, how hard it is to guess, and generating one from given random bytes.
//!
//! Every password that keeps the rules is equally likely: characters are drawn evenly from the alphabet, and a password that
//! breaks a rule is thrown away whole. So its entropy is the logarithm of how many there are, and that is counted, not estimated.

mod count;

use std::collections::BTreeMap;

use secrecy::SecretString;
use zeroize::Zeroizing;

/// Passwords must have at least this entropy, in bits.
pub const ENOUGH: f64 = 128.0;
/// The longest password that can be asked for: an application that takes more hashes it anyway.
pub const LONGEST: usize = 128;
/// At least one of so many drawn passwords must keep the rules, or they contradict one another.
const TRIES: f64 = 1_000.0;
/// With this many tries in vain, what was given is not random.
const HOPELESS: usize = 100_000;
/// Taken for one another when read or typed.
const AMBIGUOUS: &str = "0Oo1lI|";
/// Symbols that need no escaping in most places that a password passes through.
pub const SYMBOLS: &str = "!#%*+,-.:=?@_~";

/// A kind of characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Class {
    /// `a` to `z`.
    Lower,
    /// `A` to `Z`.
    Upper,
    /// `0` to `9`.
    Digit,
    /// What [`PasswordPolicy::symbols`] says.
    Symbol,
}

impl Class {
    /// All of them, with their names in the configuration.
    pub const ALL: [(&'static str, Self); 4] = [
        ("lower", Self::Lower),
        ("upper", Self::Upper),
        ("digit", Self::Digit),
        ("symbol", Self::Symbol),
    ];
}

/// The rules that an application has for passwords.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasswordPolicy {
    /// How many characters.
    pub length: usize,
    /// Which classes are used, each with how many of it there must be at least.
    pub classes: BTreeMap<Class, usize>,
    /// The symbols.
    pub symbols: String,
    /// Characters that are never used.
    pub forbidden: String,
    /// Leaves out characters that are taken for one another.
    pub no_ambiguous: bool,
    /// How often a character may follow itself; `None` if it does not matter.
    pub max_repeat: Option<usize>,
    /// Whether the first character is a letter.
    pub begin_with_letter: bool,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            length: 24,
            classes: Class::ALL.iter().map(|(_, class)| (*class, 1)).collect(),
            symbols: SYMBOLS.to_owned(),
            forbidden: String::new(),
            no_ambiguous: true,
            max_repeat: Some(3),
            begin_with_letter: true,
        }
    }
}

/// Why no password can be made by a policy.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// A class has no characters left.
    #[error("every character of the class \"{0}\" is left out")]
    Empty(&'static str),
    /// No or hardly any password keeps all rules.
    #[error("hardly any password of {0} characters keeps all these rules")]
    Contradictory(usize),
    /// Too easy to guess.
    #[error("such passwords have {bits:.1} bits of entropy, and {ENOUGH} are needed{}", match .enough {
        Some(length) => format!("; `length = {length}` is enough"),
        None => "; allow more characters".to_owned(),
    })]
    Weak {
        /// What they have.
        bits: f64,
        /// The length that would be enough.
        enough: Option<usize>,
    },
}

impl PasswordPolicy {
    /// Proves that passwords can be made and are hard enough to guess. Returns their entropy in bits.
    ///
    /// # Errors
    /// What is wrong with the policy.
    pub fn prove(&self) -> Result<f64, PolicyError> {
        for (name, class) in Class::ALL {
            if self.classes.contains_key(&class) && self.characters(class).is_empty() {
                return Err(PolicyError::Empty(name));
            }
        }
        let all = self.alphabet().len();
        let counts = count::up_to(self, self.length);
        let count = counts.last().copied().unwrap_or_default();
        if count < 1.0 || count * TRIES < count::all(all, self.length) {
            return Err(PolicyError::Contradictory(self.length));
        }
        let bits = count.log2();
        if bits >= ENOUGH {
            return Ok(bits);
        }
        let mut counts = count::up_to(self, LONGEST).into_iter().enumerate();
        let enough = counts.find(|(length, count)| *length > self.length && count.log2() >= ENOUGH);
        Err(PolicyError::Weak {
            bits,
            enough: enough.map(|(length, _)| length),
        })
    }

    /// The characters of one class.
    #[must_use]
    pub fn characters(&self, class: Class) -> Vec<char> {
        let all: Vec<char> = match class {
            Class::Lower => ('a'..='z').collect(),
            Class::Upper => ('A'..='Z').collect(),
            Class::Digit => ('0'..='9').collect(),
            Class::Symbol => self.symbols.chars().collect(),
        };
        let out =
            |c: &char| self.forbidden.contains(*c) || (self.no_ambiguous && AMBIGUOUS.contains(*c));
        all.into_iter().filter(|c| !out(c)).collect()
    }

    fn alphabet(&self) -> Vec<(char, Class)> {
        let used = self.classes.keys();
        used.flat_map(|class| {
            let characters = self.characters(*class).into_iter();
            characters.map(|c| (c, *class))
        })
        .collect()
    }

    /// Whether a password keeps every rule.
    #[must_use]
    pub fn keeps(&self, password: &str) -> bool {
        let alphabet = self.alphabet();
        let known = |c| alphabet.iter().find(|(known, _)| *known == c).copied();
        let characters: Option<Vec<_>> = password.chars().map(known).collect();
        characters.is_some_and(|characters| self.allows(&characters))
    }

    /// As [`Self::keeps`], for characters of the alphabet.
    fn allows(&self, password: &[(char, Class)]) -> bool {
        let (mut last, mut run) = (None, 0);
        for (c, _) in password {
            run = if last == Some(c) { run + 1 } else { 1 };
            if self.max_repeat.is_some_and(|most| run > most) {
                return false;
            }
            last = Some(c);
        }
        let enough = |(class, least): (&Class, &usize)| {
            password.iter().filter(|(_, of)| of == class).count() >= *least
        };
        let first = password.first();
        password.len() == self.length
            && self.classes.iter().all(enough)
            && (!self.begin_with_letter || first.is_some_and(|(c, _)| c.is_ascii_alphabetic()))
    }

    /// Makes a password. `random` fills bytes, or says that it cannot.
    ///
    /// `None` if it cannot, or if what it gives is not random.
    pub fn generate(&self, random: &mut dyn FnMut(&mut [u8]) -> bool) -> Option<SecretString> {
        let alphabet = self.alphabet();
        let mut draw = Draw {
            // The largest multiple of the alphabet's size up to 256: what lies above would prefer the first characters.
            fair: 256_usize.checked_div(alphabet.len())? * alphabet.len(),
            pool: Zeroizing::new([0; 256]),
            used: 256,
            random,
        };
        let mut drawn = Vec::with_capacity(self.length);
        for _ in 0..HOPELESS {
            drawn.clear();
            for _ in 0..self.length {
                drawn.push(*alphabet.get(draw.number()? % alphabet.len())?);
            }
            if self.allows(&drawn) {
                let mut password = Zeroizing::new(String::with_capacity(self.length));
                password.extend(drawn.iter().map(|(c, _)| c));
                drawn.fill(('-', Class::Symbol));
                return Some(SecretString::from(password.as_str()));
            }
        }
        None
    }
}

/// Draws numbers below `fair`, each equally likely.
struct Draw<'a> {
    fair: usize,
    pool: Zeroizing<[u8; 256]>,
    used: usize,
    random: &'a mut dyn FnMut(&mut [u8]) -> bool,
}

impl Draw<'_> {
    fn number(&mut self) -> Option<usize> {
        for _ in 0..HOPELESS {
            if self.used == self.pool.len() {
                if !(self.random)(&mut self.pool[..]) {
                    return None;
                }
                self.used = 0;
            }
            let number = usize::from(*self.pool.get(self.used)?);
            self.used += 1;
            if number < self.fair {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
