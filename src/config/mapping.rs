//! Stands in for the compiled mapping until it exists.

use crate::model::Problem;
use crate::reconcile::mapping::Rule;

/// A mapping.
#[derive(Debug)]
pub struct Mapping(Vec<Rule>);

impl Mapping {
    /// Compiles a mapping file.
    ///
    /// # Errors
    /// All problems.
    pub fn compile(text: &str) -> Result<Self, Vec<Problem>> {
        match toml::de::DeTable::parse(text) {
            Ok(_) => Ok(Self(Vec::new())),
            Err(why) => Err(vec![Problem::new(why.span(), "", why.message())]),
        }
    }

    /// The account attributes.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.0
    }

    /// Runs the tests in the file.
    #[must_use]
    pub fn run_tests(&self) -> Vec<Problem> {
        Vec::new()
    }
}
