//! The mapping: which people an application is for, and what their accounts hold.
//!
//! A [`Mapping`] is compiled once from the text of a mapping file (read and located by `config`) and is pure from then on.
//! The language is described in `mappings/README.md`.
//! Whether a value is written, compared or held back is decided elsewhere; here a person goes in and a [`Projection`] comes out.

mod attribute;
mod compile;
mod convert;
mod dates;
mod dn;
mod entitlement;
mod explain;
mod facts;
mod filters;
mod finders;
mod program;
mod scan;
mod scope;
mod seen;
mod selector;
mod settings;
mod trial;
mod types;
mod uses;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use selector::Selector;
pub use types::{
    Apply, Clause, Compare, Explained, Explanation, GroupUse, Judged, MatchRule, Projected,
    Projection, Rule, Scope,
};

use crate::document as reader;
use crate::document::suggest;
use crate::model::{Identity, Problem};
use seen::Seen;

/// A compiled mapping file.
#[derive(Debug)]
pub struct Mapping {
    application: Option<String>,
    digest: [u8; 16],
    rules: Vec<Rule>,
    match_rules: Vec<MatchRule>,
    engine: program::Engine,
    library: Arc<facts::Library>,
    sources: BTreeSet<String>,
    groups: GroupUse,
    scope: scope::ScopeRules,
    attributes: Vec<attribute::Attribute>,
    matches: Vec<compile::Match>,
    entitlements: Vec<entitlement::Entitlement>,
    trials: Vec<trial::Trial>,
}

impl Mapping {
    /// Compiles the text of a mapping file. The tests in it are not run; see [`Self::run_tests`].
    ///
    /// # Errors
    /// Everything that is wrong with the file, in the order of the file.
    pub fn compile(text: &str) -> Result<Self, Vec<Problem>> {
        compile::compile(text)
    }

    /// The application's name, if the file gives one.
    #[must_use]
    pub fn application(&self) -> Option<&str> {
        self.application.as_deref()
    }

    /// A digest of the file's text: two mappings with the same digest decide the same.
    #[must_use]
    pub fn digest(&self) -> [u8; 16] {
        self.digest
    }

    /// The account attributes, in the order of the file.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The match rules, in order of precedence.
    #[must_use]
    pub fn match_rules(&self) -> &[MatchRule] {
        &self.match_rules
    }

    /// The account attributes that tell whose an account is: those that match rules compare, then the unique ones.
    pub fn identifying(&self) -> impl Iterator<Item = &str> {
        let compared = self.match_rules.iter().map(|rule| rule.account.as_str());
        let unique = self.rules.iter().filter(|rule| rule.unique);
        compared.chain(unique.map(|rule| rule.name.as_str()))
    }

    /// The unique attributes for which there is something to try where the value is taken.
    pub fn with_alternatives(&self) -> impl Iterator<Item = &str> {
        let several = self.attributes.iter().filter(|a| a.has_alternatives());
        several.map(|attribute| attribute.rule.name.as_str())
    }

    /// Every account attribute that a target must read: the mapped ones and those that match rules compare.
    #[must_use]
    pub fn account_attributes(&self) -> BTreeSet<&str> {
        let mapped = self.rules.iter().map(|rule| rule.name.as_str());
        let compared = self.match_rules.iter().map(|rule| rule.account.as_str());
        mapped.chain(compared).collect()
    }

    /// Every directory attribute that the mapping reads, in lower case.
    #[must_use]
    pub fn source_attributes(&self) -> &BTreeSet<String> {
        &self.sources
    }

    /// The day of a moment, in the zone of dates that name none.
    #[must_use]
    pub fn day(&self, at: jiff::Timestamp) -> jiff::civil::Date {
        at.to_zoned(self.library.zone.clone()).date()
    }

    /// Whether any attribute refers to another person.
    #[must_use]
    pub fn has_references(&self) -> bool {
        self.attributes
            .iter()
            .any(|attribute| attribute.reference().is_some())
    }

    /// The DNs of the people that an identity's reference attributes name, as the directory spells them.
    #[must_use]
    pub fn references(&self, identity: &Identity) -> Vec<String> {
        self.attributes
            .iter()
            .filter_map(|attribute| identity.attributes.text(attribute.reference()?))
            .map(|dn| dn.trim().to_owned())
            .filter(|dn| !dn.is_empty())
            .collect()
    }

    /// The groups that the mapping refers to.
    #[must_use]
    pub fn group_need(&self) -> &GroupUse {
        &self.groups
    }

    /// Whether an identity is in scope, clause by clause.
    #[must_use]
    pub fn scope(&self, identity: &Identity) -> Scope {
        match Seen::new(&self.library, identity) {
            Ok(seen) => self.scope.judge(&self.engine, &seen),
            Err(why) => Scope::unknown(&why),
        }
    }

    /// What the identity's account should hold. Never fails: what cannot be said is [`Projected::Hold`].
    ///
    /// Dates that cannot be read are an error of [`Self::scope`] and missing here.
    #[must_use]
    pub fn project(&self, identity: &Identity) -> Projection {
        let judged = self.judge(identity);
        let names = self.rules.iter().map(|rule| rule.name.clone());
        Projection {
            attributes: names.zip(judged.attributes).collect(),
            entitlements: judged.entitlements,
            matches: judged.matches,
            starts: judged.starts,
            ends: judged.ends,
        }
    }

    /// [`Self::scope`] and [`Self::project`] in one, without words.
    #[must_use]
    pub fn judge(&self, identity: &Identity) -> Judged {
        let seen = match Seen::new(&self.library, identity) {
            Ok(seen) => seen,
            Err(why) => return self.held(why),
        };
        let engine = &self.engine;
        let holds = self.scope.holds(engine, &seen);
        let dates = self.scope.dates(engine, &seen);
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|attribute| attribute.project(engine, &seen));
        let mut names = BTreeSet::new();
        let granted = self
            .entitlements
            .iter()
            .try_for_each(|entitlement| entitlement.grant(engine, &seen, &mut names));
        let matches = self.matches.iter();
        let matches = matches.map(|found| engine.run(&found.program, &seen).ok());
        let (inside, error) = match (holds, &dates) {
            (Err(why), _) => (false, Some(why)),
            (Ok(_), Err(why)) => (false, Some(why.clone())),
            (Ok(holds), Ok(_)) => (holds, None),
        };
        let (starts, ends) = dates.unwrap_or_default();
        Judged {
            inside,
            error,
            attributes: attributes.collect(),
            entitlements: granted.map(|()| names),
            matches: matches.collect(),
            starts,
            ends,
        }
    }

    fn held(&self, why: String) -> Judged {
        let hold = |_: &Rule| Projected::Hold(why.clone());
        Judged {
            inside: false,
            attributes: self.rules.iter().map(hold).collect(),
            entitlements: Err(why.clone()),
            matches: vec![None; self.match_rules.len()],
            starts: None,
            ends: None,
            error: Some(why),
        }
    }

    /// How the mapping sees one identity.
    #[must_use]
    pub fn explain(&self, identity: &Identity) -> Explanation {
        explain::explain(self, identity)
    }

    /// The entitlements whose names are the same for everybody.
    #[must_use]
    pub fn entitlement_names(&self) -> BTreeSet<&str> {
        let names = self.entitlements.iter();
        names
            .filter_map(entitlement::Entitlement::fixed_name)
            .collect()
    }

    /// Whether some rule of the mapping can grant an entitlement of this name.
    /// For a name that depends on the person, its fixed beginning and end must fit.
    #[must_use]
    pub fn manages_entitlement(&self, name: &str) -> bool {
        self.entitlements.iter().any(|rule| rule.covers(name))
    }

    /// Whether the mapping owns the whole member list of this entitlement, also members that others added.
    #[must_use]
    pub fn entitlement_owns_all(&self, name: &str) -> bool {
        self.entitlements
            .iter()
            .any(|rule| rule.owns_all() && rule.covers(name))
    }

    /// Runs the tests in the file; gives every expectation that is not met, in the order of the file.
    #[must_use]
    pub fn run_tests(&self) -> Vec<Problem> {
        self.trials
            .iter()
            .flat_map(|trial| trial.run(self))
            .collect()
    }

    /// How many tests the file has.
    #[must_use]
    pub fn test_count(&self) -> usize {
        self.trials.len()
    }
}
