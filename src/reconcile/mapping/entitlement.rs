//! Entitlements: groups, roles and licences of the application, and who should hold them.

use std::collections::BTreeSet;

use super::convert::GroupName;
use super::program::{Engine, Failure, Program};
use super::reader::{Node, Text};
use super::scan;
use super::scope::{expression, groups};
use super::seen::Seen;
use super::types::GroupUse;
use super::uses::Compiler;
use crate::model::Value;

/// A compiled entitlement rule.
#[derive(Debug)]
pub(super) struct Entitlement {
    name: Program,
    /// What every name of this rule begins and ends with; the whole name if it is fixed.
    ends: Ends,
    groups: Vec<(String, GroupName)>,
    condition: Option<Program>,
    pattern: Option<regex::Regex>,
    owns_all: bool,
}

#[derive(Debug)]
enum Ends {
    Whole(String),
    Open(String, String),
}

impl Entitlement {
    /// Reads one `[[entitlement]]`.
    pub fn compile(node: &Node<'_>, compiler: &mut Compiler<'_>) -> Option<Self> {
        let keys = &["name", "groups", "from-groups", "condition", "owns"];
        node.only(keys, &mut compiler.desk);
        let has = |key: &str| node.value(key).is_some();
        if !has("name") {
            let help = "add name = \"…\", the entitlement's name in the application";
            compiler.desk.advise(
                node.span.clone(),
                &node.path,
                "this entitlement has no name",
                help,
            );
        }
        if !has("groups") && !has("from-groups") && !has("condition") {
            let help = "add groups, from-groups or condition (condition = \"true\" means everybody in scope)";
            compiler.desk.advise(
                node.span.clone(),
                &node.path,
                "nothing says who gets this entitlement",
                help,
            );
        }
        if has("groups") && has("from-groups") {
            let message = "groups and from-groups exclude each other";
            compiler.desk.note(
                node.key_span("from-groups"),
                &node.field("from-groups"),
                message,
            );
        }
        let owns_all = node
            .choice(
                "owns",
                &[("ours", false), ("all", true)],
                &mut compiler.desk,
            )
            .unwrap_or(false);
        let text = node.text("name", &mut compiler.desk);
        let pattern = pattern(node, compiler);
        let groups = groups(node, "groups", compiler);
        let condition = expression(node, "condition", compiler);
        let text = text?;
        let extra: &[&str] = if has("from-groups") { &["group"] } else { &[] };
        let name = compiler.template(&node.field("name"), &text, extra)?;
        let ends = ends(&name, &text);
        if let Ends::Open(before, after) = &ends
            && owns_all
            && before.is_empty()
            && after.is_empty()
        {
            let message = "owns = \"all\" would cover every entitlement of the application";
            let help = "let the name begin or end with fixed text, or use owns = \"ours\"";
            compiler
                .desk
                .advise(node.key_span("owns"), &node.field("owns"), message, help);
        }
        Some(Self {
            name,
            ends,
            groups,
            condition,
            pattern,
            owns_all,
        })
    }

    /// Adds the names that this rule grants to an identity.
    ///
    /// # Errors
    /// When the condition or a name cannot be evaluated.
    pub fn grant(
        &self,
        engine: &Engine,
        seen: &Seen<'_>,
        names: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let member = |wanted: &GroupName| seen.groups().iter().any(|group| wanted.is(group));
        if !self.groups.is_empty() && !self.groups.iter().any(|(_, wanted)| member(wanted)) {
            return Ok(());
        }
        if let Some(condition) = &self.condition
            && !engine.holds(condition, seen)?
        {
            return Ok(());
        }
        let Some(pattern) = &self.pattern else {
            return add(engine.run(&self.name, seen), names);
        };
        for group in seen
            .groups()
            .iter()
            .filter(|group| pattern.is_match(&group.name))
        {
            add(engine.run_for(&self.name, seen, &group.name), names)?;
        }
        Ok(())
    }

    /// Whether this rule can grant an entitlement of this name.
    pub fn covers(&self, name: &str) -> bool {
        match &self.ends {
            Ends::Whole(whole) => whole == name,
            Ends::Open(before, after) => {
                name.len() >= before.len() + after.len()
                    && name.starts_with(before.as_str())
                    && name.ends_with(after.as_str())
            }
        }
    }

    /// Whether the mapping owns the whole member list of what this rule grants.
    pub fn owns_all(&self) -> bool {
        self.owns_all
    }

    /// The name, if it is the same for everybody.
    pub fn fixed_name(&self) -> Option<&str> {
        match &self.ends {
            Ends::Whole(name) => Some(name),
            Ends::Open(..) => None,
        }
    }
}

/// Adds a name, unless something that it is made of is missing.
fn add(found: Result<Value, Failure>, names: &mut BTreeSet<String>) -> Result<(), String> {
    match found {
        Ok(Value::Text(name)) => {
            names.insert(name);
        }
        Ok(Value::Bool(_) | Value::Int(_) | Value::Set(_)) | Err(Failure::Missing) => {}
        Err(Failure::Broken(why)) => return Err(why),
    }
    Ok(())
}

fn ends(name: &Program, text: &Text) -> Ends {
    let fixed = name.fixed().and_then(Value::as_text);
    match (fixed, scan::fixed_ends(&text.value)) {
        (Some(whole), _) => Ends::Whole(whole.to_owned()),
        (None, Some((before, after))) => Ends::Open(before.to_owned(), after.to_owned()),
        (None, None) => Ends::Whole(text.value.clone()),
    }
}

/// `from-groups`: `*` stands for any characters, `?` for one; case does not matter.
fn pattern(node: &Node<'_>, compiler: &mut Compiler<'_>) -> Option<regex::Regex> {
    let text = node.text("from-groups", &mut compiler.desk)?;
    if text.value.contains(['*', '?']) {
        compiler.groups = GroupUse::All;
    } else {
        compiler.groups.name(&text.value);
    }
    let mut regex = String::from("(?is)^");
    for c in text.value.chars() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    let built = regex::RegexBuilder::new(&regex).size_limit(1 << 20).build();
    if built.is_err() {
        let message = "this pattern is too long";
        compiler
            .desk
            .note(text.span, &node.field("from-groups"), message);
    }
    built.ok()
}
