//! One account attribute: its rule, its programs, and what happens when a value is missing.

use minijinja::value::Value as Jinja;
use toml::de::DeValue;

use super::program::{Engine, Failure, Program};
use super::reader::Node;
use super::seen::Seen;
use super::settings::{From, OnMissing, compare, on_missing, origin, program};
use super::uses::Compiler;
use super::{Apply, Compare, Projected, Rule};
use crate::model::Value;

/// The numbers that `n` takes in alternatives, in order.
const NUMBERS: std::ops::RangeInclusive<u32> = 2..=9;
/// The keys of an attribute.
const KEYS: &[&str] = &[
    "value",
    "expression",
    "reference",
    "alternatives",
    "unique",
    "immutable",
    "apply",
    "on-missing",
    "compare",
];

/// A compiled attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attribute {
    /// What reconciliation needs to know.
    pub rule: Rule,
    from: From,
    alternatives: Vec<Program>,
    on_missing: OnMissing,
}

impl Attribute {
    /// Compiles one entry of `[attributes]`. `matched` says whether a match rule compares this attribute.
    pub fn compile(
        name: &str,
        parent: &Node<'_>,
        matched: bool,
        compiler: &mut Compiler<'_>,
    ) -> Option<Self> {
        let value = parent.value(name)?;
        let field = parent.field(name);
        if let DeValue::Table(table) = value.get_ref() {
            let node = Node::new(table, value.span(), field);
            return Self::full(name, &node, parent.key_span(name), matched, compiler);
        }
        let program = program(parent, name, &field, compiler)?;
        let on_missing = if matched {
            OnMissing::Hold
        } else {
            OnMissing::Omit
        };
        Some(Self {
            rule: Rule {
                name: name.to_owned(),
                apply: Apply::Always,
                immutable: false,
                unique: false,
                compare: Compare::Exact,
            },
            from: From::Program(program),
            alternatives: Vec::new(),
            on_missing,
        })
    }

    fn full(
        name: &str,
        node: &Node<'_>,
        key: std::ops::Range<usize>,
        matched: bool,
        compiler: &mut Compiler<'_>,
    ) -> Option<Self> {
        node.only(KEYS, &mut compiler.desk);
        let from = origin(node, key, compiler);
        let desk = &mut compiler.desk;
        let unique = node.flag("unique", desk).unwrap_or(false);
        let rule = Rule {
            name: name.to_owned(),
            apply: node
                .choice(
                    "apply",
                    &[("always", Apply::Always), ("on-create", Apply::OnCreate)],
                    desk,
                )
                .unwrap_or(Apply::Always),
            immutable: node.flag("immutable", desk).unwrap_or(false),
            unique,
            compare: compare(node, desk).unwrap_or(Compare::Exact),
        };
        let on_missing = on_missing(node, desk).unwrap_or(if unique || matched {
            OnMissing::Hold
        } else {
            OnMissing::Omit
        });
        let mut alternatives = Vec::new();
        for (index, text) in node.texts("alternatives", desk).iter().enumerate() {
            let field = format!("{}[{}]", node.field("alternatives"), index + 1);
            alternatives.extend(compiler.template(&field, text, &["n"]));
        }
        let attribute = Self {
            rule,
            from: from?,
            alternatives,
            on_missing,
        };
        attribute.conflicts(node, compiler);
        Some(attribute)
    }

    /// Settings that contradict each other.
    fn conflicts(&self, node: &Node<'_>, compiler: &mut Compiler<'_>) {
        let mut clash = |key: &str, message: &str, help: &str| {
            compiler
                .desk
                .advise(node.key_span(key), &node.field(key), message, help);
        };
        let rule = &self.rule;
        if node.value("alternatives").is_some() && !rule.unique {
            clash(
                "alternatives",
                "alternatives are tried only for unique attributes",
                "add unique = true",
            );
        }
        let cleared = self.on_missing == OnMissing::Clear;
        if cleared && rule.immutable {
            clash(
                "on-missing",
                "an immutable attribute is never cleared",
                "use hold or omit",
            );
        }
        if cleared && rule.apply == Apply::OnCreate {
            clash(
                "on-missing",
                "an attribute written only on create is never cleared",
                "use hold or omit",
            );
        }
        match &self.from {
            From::Reference(_) if rule.unique => {
                clash("unique", "a reference cannot be unique", "remove unique");
            }
            From::Reference(_) if matches!(self.on_missing, OnMissing::Default(_)) => {
                clash(
                    "on-missing",
                    "a reference has no default",
                    "use hold, omit or clear",
                );
            }
            From::Program(program) if rule.unique && program.fixed().is_some() => {
                clash(
                    "unique",
                    "the value is the same for everybody and cannot be unique",
                    "remove unique",
                );
            }
            From::Reference(_) | From::Program(_) => {}
        }
    }

    /// The directory attribute that names another person, if this is a reference.
    pub fn reference(&self) -> Option<&str> {
        match &self.from {
            From::Reference(name) => Some(name),
            From::Program(_) => None,
        }
    }

    /// The value for one identity.
    pub fn project(&self, engine: &Engine, seen: &Seen<'_>) -> Projected {
        let found = match &self.from {
            From::Program(program) => engine.run(program, seen),
            From::Reference(name) => {
                return match seen.reference(name) {
                    Some(dn) => Projected::Reference(dn.to_owned()),
                    None => self.missing(seen),
                };
            }
        };
        match found {
            Ok(value) => match self.others(engine, seen, &value) {
                Ok(others) => Projected::Value(value, others),
                Err(why) => Projected::Hold(why),
            },
            Err(Failure::Missing) => self.missing(seen),
            Err(Failure::Broken(why)) => Projected::Hold(why),
        }
    }

    /// The alternatives, in order, without repetitions. One that lacks something is left out.
    fn others(
        &self,
        engine: &Engine,
        seen: &Seen<'_>,
        first: &Value,
    ) -> Result<Vec<Value>, String> {
        let mut others = Vec::new();
        let mut add = |found: Result<Value, Failure>| match found {
            Ok(value) => {
                if value != *first && !others.contains(&value) {
                    others.push(value);
                }
                Ok(())
            }
            Err(Failure::Missing) => Ok(()),
            Err(Failure::Broken(why)) => Err(why),
        };
        for program in &self.alternatives {
            if !program.inputs.iter().any(|input| input == "n") {
                add(engine.run(program, seen))?;
                continue;
            }
            for number in NUMBERS {
                add(engine.run_with(program, seen, "n", Jinja::from(number)))?;
            }
        }
        Ok(others)
    }

    fn missing(&self, seen: &Seen<'_>) -> Projected {
        match &self.on_missing {
            OnMissing::Omit => Projected::Omit,
            OnMissing::Clear => Projected::Clear,
            OnMissing::Default(value) => Projected::Value(value.clone(), Vec::new()),
            OnMissing::Hold => {
                let absent: Vec<&str> = self
                    .inputs()
                    .into_iter()
                    .filter(|name| seen.lacks(name))
                    .collect();
                let name = &self.rule.name;
                let why = if absent.is_empty() {
                    format!("the mapping gives no value for {name}")
                } else {
                    format!(
                        "the directory has no {} to make {name} from",
                        absent.join(", ")
                    )
                };
                Projected::Hold(format!(
                    "{why}; add it in the directory or set on-missing for {name}"
                ))
            }
        }
    }

    /// Whether there is something to try where the value is taken.
    pub fn has_alternatives(&self) -> bool {
        !self.alternatives.is_empty()
    }

    /// What the value is made from.
    pub fn inputs(&self) -> Vec<&str> {
        match &self.from {
            From::Program(program) => program.inputs.iter().map(String::as_str).collect(),
            From::Reference(name) => vec![name],
        }
    }

    /// The value's template, expression or reference as written.
    pub fn source(&self) -> &str {
        match &self.from {
            From::Program(program) => &program.source,
            From::Reference(name) => name,
        }
    }
}
