//! Choosing people outside of a mapping file, with the words and expressions of a mapping's `[scope]`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use jiff::tz::TimeZone;
use toml::de::DeTable;

use super::facts::Library;
use super::program::Engine;
use super::reader::Node;
use super::scope::ScopeRules;
use super::seen::Seen;
use super::uses::Compiler;
use super::{GroupUse, Scope};
use crate::model::{Identity, Problem};

/// Who is meant by `condition`, `groups`, `not-groups`, `ou` and `not-ou`: everybody to whom all that are written apply.
#[derive(Debug)]
pub struct Selector {
    engine: Engine,
    library: Arc<Library>,
    rules: ScopeRules,
    sources: BTreeSet<String>,
    groups: GroupUse,
}

impl Selector {
    /// Compiles what a table says about who is meant; other keys are not looked at. `None` if it says nothing.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn compile(
        table: &DeTable<'_>,
        span: Range<usize>,
        path: String,
    ) -> Result<Option<Self>, Vec<Problem>> {
        if !super::scope::KEYS
            .iter()
            .any(|key| table.contains_key(*key))
        {
            return Ok(None);
        }
        let mut compiler = Compiler::new("");
        let rules = ScopeRules::clauses(&Node::new(table, span, path), &mut compiler);
        if !compiler.desk.problems.is_empty() {
            return Err(compiler.desk.problems);
        }
        let spellings = compiler.spellings.iter().map(String::as_str);
        let names = compiler.attributes.iter().map(String::as_str);
        let mut library = Library::new(names, spellings, TimeZone::UTC);
        library.patterns = compiler.patterns;
        Ok(Some(Self {
            engine: compiler.engine,
            library: Arc::new(library),
            rules,
            sources: compiler.attributes,
            groups: compiler.groups,
        }))
    }

    /// Whether somebody is meant.
    #[must_use]
    pub fn judge(&self, identity: &Identity) -> Scope {
        match Seen::new(&self.library, identity) {
            Ok(seen) => self.rules.judge(&self.engine, &seen),
            Err(why) => Scope {
                inside: false,
                clauses: Vec::new(),
                error: Some(why),
            },
        }
    }

    /// Every directory attribute that it reads, in lower case.
    #[must_use]
    pub fn source_attributes(&self) -> &BTreeSet<String> {
        &self.sources
    }

    /// The groups that it refers to.
    #[must_use]
    pub fn group_need(&self) -> &GroupUse {
        &self.groups
    }
}
