//! One account attribute: its rule, its programs, and what happens when a value is missing.

use std::collections::BTreeSet;

use minijinja::value::Value as Jinja;
use toml::de::DeValue;

use super::facts::Facts;
use super::program::{Engine, Failure, Program};
use super::reader::Node;
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

/// What happens when a value is missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum OnMissing {
    Hold,
    Omit,
    Clear,
    Default(Value),
}

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
enum From {
    Program(Program),
    /// A person, by the DN in this attribute.
    Reference(String),
}

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
    pub fn project(
        &self,
        engine: &Engine,
        facts: &std::sync::Arc<Facts>,
        root: &Jinja,
    ) -> Projected {
        let found = match &self.from {
            From::Program(program) => engine.run(program, root),
            From::Reference(name) => {
                return match facts.first(name).as_str().map(str::trim) {
                    Some(dn) if !dn.is_empty() => Projected::Reference(dn.to_owned()),
                    Some(_) | None => self.missing(facts),
                };
            }
        };
        match found {
            Ok(value) => match self.others(engine, facts, root, &value) {
                Ok(others) => Projected::Value(value, others),
                Err(why) => Projected::Hold(why),
            },
            Err(Failure::Missing) => self.missing(facts),
            Err(Failure::Broken(why)) => Projected::Hold(why),
        }
    }

    /// The alternatives, in order, without repetitions. One that lacks something is left out.
    fn others(
        &self,
        engine: &Engine,
        facts: &std::sync::Arc<Facts>,
        root: &Jinja,
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
                add(engine.run(program, root))?;
                continue;
            }
            for number in NUMBERS {
                add(engine.run(program, &facts.with("n", Jinja::from(number))))?;
            }
        }
        Ok(others)
    }

    fn missing(&self, facts: &Facts) -> Projected {
        match &self.on_missing {
            OnMissing::Omit => Projected::Omit,
            OnMissing::Clear => Projected::Clear,
            OnMissing::Default(value) => Projected::Value(value.clone(), Vec::new()),
            OnMissing::Hold => {
                let absent: Vec<&str> = self
                    .inputs()
                    .into_iter()
                    .filter(|name| facts.first(name).is_undefined() && facts.has_slot(name))
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

/// Exactly one of `value`, `expression` and `reference`.
fn origin(
    node: &Node<'_>,
    key: std::ops::Range<usize>,
    compiler: &mut Compiler<'_>,
) -> Option<From> {
    let given: Vec<&str> = ["value", "expression", "reference"]
        .into_iter()
        .filter(|key| node.value(key).is_some())
        .collect();
    match given.as_slice() {
        ["value"] => program(node, "value", &node.field("value"), compiler).map(From::Program),
        ["expression"] => super::scope::expression(node, "expression", compiler).map(From::Program),
        ["reference"] => reference(node, compiler),
        [] => {
            let help = "add value = \"…\" (a template), expression = \"…\" or reference = \"…\"";
            compiler
                .desk
                .advise(key, &node.path, "this attribute has no value", help);
            None
        }
        several => {
            let message = format!("only one of {} can give the value", several.join(" and "));
            let last = several.last().copied().unwrap_or_default();
            compiler
                .desk
                .note(node.key_span(last), &node.field(last), message);
            None
        }
    }
}

fn reference(node: &Node<'_>, compiler: &mut Compiler<'_>) -> Option<From> {
    let text = node.text("reference", &mut compiler.desk)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b';' | b'.');
    if !text.value.bytes().all(fits) {
        let message = format!("\"{}\" is not the name of an attribute", text.value);
        let help = "name the attribute that holds the other person's DN, such as manager";
        compiler
            .desk
            .advise(text.span, &node.field("reference"), message, help);
        return None;
    }
    Some(From::Reference(compiler.attribute(&text.value)))
}

/// A template, or a value that is the same for everybody.
pub(super) fn program(
    node: &Node<'_>,
    key: &str,
    field: &str,
    compiler: &mut Compiler<'_>,
) -> Option<Program> {
    let value = node.value(key)?;
    if value.get_ref().is_str() {
        let text = node.text(key, &mut compiler.desk)?;
        return compiler.template(field, &text, &[]);
    }
    match constant(value.get_ref()) {
        Some(found) => Some(Program::constant(field, &found.to_string(), Some(found))),
        None => {
            node.wrong(
                key,
                "a template, true, false, a whole number or a list of texts",
                &mut compiler.desk,
            );
            None
        }
    }
}

/// A TOML value as an account value. Empty texts and lists are none.
pub(super) fn constant(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Value::text(text),
        DeValue::Boolean(flag) => Some(Value::Bool(*flag)),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(Value::Int),
        DeValue::Array(items) => {
            let texts: Option<BTreeSet<String>> = items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect();
            texts.filter(|texts| !texts.is_empty()).map(Value::Set)
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// The key `compare`.
pub(super) fn compare(node: &Node<'_>, desk: &mut super::reader::Desk<'_>) -> Option<Compare> {
    node.choice(
        "compare",
        &[
            ("exact", Compare::Exact),
            ("ignore-case", Compare::IgnoreCase),
        ],
        desk,
    )
}

fn on_missing(node: &Node<'_>, desk: &mut super::reader::Desk<'_>) -> Option<OnMissing> {
    let value = node.value("on-missing")?;
    if let Some(table) = value.get_ref().as_table() {
        let inner = Node::new(table, value.span(), node.field("on-missing"));
        inner.only(&["default"], desk);
        let default = inner
            .value("default")
            .and_then(|value| constant(value.get_ref()));
        if default.is_none() {
            let help = "write on-missing = { default = \"…\" } with a text, a number, true, false or a list of texts";
            desk.advise(
                value.span(),
                &inner.path,
                "this default is not a value",
                help,
            );
        }
        return default.map(OnMissing::Default);
    }
    let words = [
        ("hold", OnMissingWord::Hold),
        ("omit", OnMissingWord::Omit),
        ("clear", OnMissingWord::Clear),
    ];
    node.choice("on-missing", &words, desk)
        .map(|word| match word {
            OnMissingWord::Hold => OnMissing::Hold,
            OnMissingWord::Omit => OnMissing::Omit,
            OnMissingWord::Clear => OnMissing::Clear,
        })
}

#[derive(Clone, Copy)]
enum OnMissingWord {
    Hold,
    Omit,
    Clear,
}
