//! Who is in scope, and between which dates.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::convert::GroupName;
use super::dates::{self, Moment, Written};
use super::program::{Engine, Failure, Program};
use super::reader::Node;
use super::seen::Seen;
use super::uses::Compiler;
use super::{Clause, Scope, dn};
use crate::model::Dn;
use crate::model::Value;

/// The keys of clauses.
pub(super) const KEYS: &[&str] = &["condition", "groups", "not-groups", "ou", "not-ou"];

/// Hears the words of a clause, if it wants to, and whether it holds.
type Tell<'t> = &'t mut dyn FnMut(&dyn Fn() -> String, bool);

/// The compiled scope and lifecycle of a mapping.
#[derive(Debug, Default)]
pub(super) struct ScopeRules {
    condition: Option<Program>,
    groups: Vec<(String, GroupName)>,
    not_groups: Vec<(String, GroupName)>,
    ous: Vec<(String, Dn)>,
    not_ous: Vec<(String, Dn)>,
    starts: Option<Program>,
    ends: Option<Program>,
}

impl ScopeRules {
    /// Reads `[scope]` and `[lifecycle]`.
    pub fn compile(root: &Node<'_>, compiler: &mut Compiler<'_>) -> Self {
        let mut rules = Self::default();
        if let Some(node) = root.table("scope", &mut compiler.desk) {
            node.only(KEYS, &mut compiler.desk);
            rules = Self::clauses(&node, compiler);
        }
        if let Some(node) = root.table("lifecycle", &mut compiler.desk) {
            node.only(&["starts", "ends"], &mut compiler.desk);
            rules.starts = expression(&node, "starts", compiler);
            rules.ends = expression(&node, "ends", compiler);
        }
        rules
    }

    /// Reads the clauses of a table.
    pub fn clauses(node: &Node<'_>, compiler: &mut Compiler<'_>) -> Self {
        Self {
            condition: expression(node, "condition", compiler),
            groups: groups(node, "groups", compiler),
            not_groups: groups(node, "not-groups", compiler),
            ous: ous(node, "ou", compiler),
            not_ous: ous(node, "not-ou", compiler),
            ..Self::default()
        }
    }

    /// Whether the identity is in scope, clause by clause. A date that cannot be read is an error here: nobody is let in on
    /// a guess.
    pub fn judge(&self, engine: &Engine, seen: &Seen<'_>) -> Scope {
        let mut clauses = Vec::new();
        let mut tell = |text: &dyn Fn() -> String, holds| {
            let text = text();
            clauses.push(Clause { text, holds });
        };
        let error = self
            .each_clause(engine, seen, &mut tell)
            .or_else(|| self.dates(engine, seen).err());
        Scope {
            inside: error.is_none() && clauses.iter().all(|clause| clause.holds),
            clauses,
            error,
        }
    }

    /// Whether all clauses hold, without their words.
    ///
    /// # Errors
    /// When the condition cannot be evaluated.
    pub fn holds(&self, engine: &Engine, seen: &Seen<'_>) -> Result<bool, String> {
        let mut all = true;
        let error = self.each_clause(engine, seen, &mut |_, holds| all &= holds);
        error.map_or(Ok(all), Err)
    }

    /// Tells of each clause whether it holds. The result is why the condition cannot be evaluated, if so.
    fn each_clause(&self, engine: &Engine, seen: &Seen<'_>, tell: Tell<'_>) -> Option<String> {
        let mut error = None;
        if let Some(condition) = &self.condition {
            let holds = engine.holds(condition, seen).unwrap_or_else(|why| {
                error = Some(why);
                false
            });
            tell(&|| format!("condition: {}", condition.source), holds);
        }
        let member =
            |(_, wanted): &(String, GroupName)| seen.groups().iter().any(|group| wanted.is(group));
        let below = |(_, base): &(String, Dn)| seen.path().is_some_and(|path| path.is_below(base));
        clause(tell, "member of any of", &self.groups, |all| {
            all.iter().any(member)
        });
        clause(tell, "member of none of", &self.not_groups, |all| {
            !all.iter().any(member)
        });
        clause(tell, "below any of", &self.ous, |all| all.iter().any(below));
        // A DN that cannot be read is not known to lie elsewhere.
        let elsewhere = |all: &[_]| seen.path().is_some() && !all.iter().any(below);
        clause(tell, "below none of", &self.not_ous, elsewhere);
        error
    }

    /// The start and end that the mapping finds.
    ///
    /// # Errors
    /// When a value is there but is not a date.
    pub fn dates(
        &self,
        engine: &Engine,
        seen: &Seen<'_>,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), String> {
        let zone = &seen.library().zone;
        let find = |program: &Option<Program>, edge: fn(Moment, &TimeZone) -> Option<Timestamp>| {
            let Some(program) = program else {
                return Ok(None);
            };
            let text = match engine.run(program, seen) {
                Ok(Value::Text(text)) => text,
                Ok(Value::Int(number)) => number.to_string(),
                Ok(Value::Bool(_) | Value::Set(_)) => {
                    return Err(format!("{}: the result is not a date", program.field));
                }
                Err(Failure::Missing) => return Ok(None),
                Err(Failure::Broken(why)) => return Err(why),
            };
            let moment = dates::read(&text, Written::Auto, zone)
                .map_err(|why| format!("{}: {why}", program.field))?;
            Ok(moment.and_then(|moment| edge(moment, zone)))
        };
        Ok((
            find(&self.starts, Moment::start)?,
            find(&self.ends, Moment::end)?,
        ))
    }
}

fn clause<T>(
    tell: Tell<'_>,
    words: &str,
    all: &[(String, T)],
    holds: impl FnOnce(&[(String, T)]) -> bool,
) {
    if all.is_empty() {
        return;
    }
    let text = || {
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        format!("{words}: {}", names.join(" | "))
    };
    tell(&text, holds(all));
}

/// An expression under a key, if it is there and sound.
pub(super) fn expression(
    node: &Node<'_>,
    key: &str,
    compiler: &mut Compiler<'_>,
) -> Option<Program> {
    let text = node.text(key, &mut compiler.desk)?;
    compiler.expression(&node.field(key), &text, &[])
}

/// Groups under a key, noted as needed.
pub(super) fn groups(
    node: &Node<'_>,
    key: &str,
    compiler: &mut Compiler<'_>,
) -> Vec<(String, GroupName)> {
    let mut found = Vec::new();
    for text in node.texts(key, &mut compiler.desk) {
        compiler.groups.name(&text.value);
        found.push((text.value.clone(), GroupName::new(&text.value)));
    }
    found
}

fn ous(node: &Node<'_>, key: &str, compiler: &mut Compiler<'_>) -> Vec<(String, Dn)> {
    let mut found = Vec::new();
    for text in node.texts(key, &mut compiler.desk) {
        match dn::base(&text.value) {
            Some(path) => found.push((text.value, path)),
            None => {
                let message = format!("\"{}\" is not a DN", text.value);
                let help = "write the whole DN, such as OU=People,DC=example,DC=com";
                compiler
                    .desk
                    .advise(text.span, &node.field(key), message, help);
            }
        }
    }
    found
}
