//! From the text of a mapping file to a [`Mapping`], or to everything that is wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use minijinja::value::Value as Jinja;
use sha2::{Digest, Sha256};
use toml::de::DeValue;

use super::attribute::Attribute;
use super::entitlement::Entitlement;
use super::facts::Library;
use super::program::Program;
use super::reader::{Desk, Node};
use super::scope::{self, ScopeRules};
use super::settings;
use super::trial::Trial;
use super::uses::Compiler;
use super::{Compare, Mapping, MatchRule, convert};
use crate::document;
use crate::model::{Problem, Value};

/// The keys of a mapping file.
const KEYS: &[&str] = &[
    "version",
    "application",
    "timezone",
    "scope",
    "lifecycle",
    "match",
    "attributes",
    "lookup",
    "entitlement",
    "test",
];
/// The largest mapping file, in bytes.
const LARGEST_FILE: usize = 4 << 20;

/// A match rule with the program that gives the value to look for.
#[derive(Debug)]
pub(super) struct Match {
    pub rule: MatchRule,
    pub program: Program,
}

/// Compiles a mapping file.
pub(super) fn compile(text: &str) -> Result<Mapping, Vec<Problem>> {
    let document = document::parse(text, LARGEST_FILE)?;
    let root = Node::new(document.get_ref(), 0..text.len().min(1), String::new());
    let mut compiler = Compiler::new(text);
    let parts = Parts::read(&root, &mut compiler);
    let problems = document::in_order(std::mem::take(&mut compiler.desk.problems));
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(parts.finish(text, compiler))
}

struct Parts {
    application: Option<String>,
    zone: TimeZone,
    scope: ScopeRules,
    attributes: Vec<Attribute>,
    matches: Vec<Match>,
    entitlements: Vec<Entitlement>,
    trials: Vec<Trial>,
}

impl Parts {
    fn read(root: &Node<'_>, compiler: &mut Compiler<'_>) -> Self {
        root.only(KEYS, &mut compiler.desk);
        version(root, &mut compiler.desk);
        let application = root
            .text("application", &mut compiler.desk)
            .map(|text| text.value);
        let zone = zone(root, &mut compiler.desk);
        compiler.tables = lookups(root, &mut compiler.desk);
        let scope = ScopeRules::compile(root, compiler);
        let attributes = attributes(root, compiler);
        let matches = matches(root, &attributes, compiler);
        if root.value("match").is_none()
            && !attributes.iter().any(|attribute| attribute.rule.unique)
        {
            let message = "nothing says how an existing account is recognised";
            let help = "add a [[match]] rule, or unique = true to one attribute";
            compiler
                .desk
                .advise(root.span.clone(), "match", message, help);
        }
        let mut entitlements = Vec::new();
        for node in root.tables("entitlement", &mut compiler.desk) {
            entitlements.extend(Entitlement::compile(&node, compiler));
        }
        let names: Vec<&str> = attributes
            .iter()
            .map(|attribute| attribute.rule.name.as_str())
            .collect();
        let mut trials = Vec::new();
        for node in root.tables("test", &mut compiler.desk) {
            trials.extend(Trial::compile(&node, &names, &mut compiler.desk));
        }
        Self {
            application,
            zone,
            scope,
            attributes,
            matches,
            entitlements,
            trials,
        }
    }

    fn finish(self, text: &str, compiler: Compiler<'_>) -> Mapping {
        let spellings = compiler.spellings.iter().map(String::as_str);
        let names = compiler.attributes.iter().map(String::as_str);
        let mut library = Library::new(names, spellings, self.zone);
        library.tables = compiler.tables;
        library.patterns = compiler.patterns;
        let mut digest = [0; 16];
        for (to, from) in digest.iter_mut().zip(Sha256::digest(text.as_bytes())) {
            *to = from;
        }
        Mapping {
            application: self.application,
            digest,
            rules: self
                .attributes
                .iter()
                .map(|attribute| attribute.rule.clone())
                .collect(),
            match_rules: self
                .matches
                .iter()
                .map(|found| found.rule.clone())
                .collect(),
            engine: compiler.engine,
            library: Arc::new(library),
            sources: compiler.attributes,
            groups: compiler.groups,
            scope: self.scope,
            attributes: self.attributes,
            matches: self.matches,
            entitlements: self.entitlements,
            trials: self.trials,
        }
    }
}

fn version(root: &Node<'_>, desk: &mut Desk<'_>) {
    let help = "begin the file with version = 1";
    match root.value("version") {
        None => desk.advise(
            root.span.clone(),
            "version",
            "the version of the mapping language is missing",
            help,
        ),
        Some(value) => {
            let known = matches!(settings::constant(value.get_ref()), Some(Value::Int(1)));
            if !known {
                desk.advise(
                    value.span(),
                    "version",
                    "this version of the mapping language is not known",
                    help,
                );
            }
        }
    }
}

fn zone(root: &Node<'_>, desk: &mut Desk<'_>) -> TimeZone {
    let Some(text) = root.text("timezone", desk) else {
        return TimeZone::UTC;
    };
    convert::zone(&text.value).unwrap_or_else(|why| {
        desk.note(text.span, "timezone", why);
        TimeZone::UTC
    })
}

fn lookups(root: &Node<'_>, desk: &mut Desk<'_>) -> BTreeMap<String, BTreeMap<String, Jinja>> {
    let mut tables = BTreeMap::new();
    let Some(all) = root.table("lookup", desk) else {
        return tables;
    };
    for (name, _, _) in all.entries() {
        let Some(node) = all.table(name, desk) else {
            // Known all the same: the uses of this table are not further problems.
            tables.insert(name.to_owned(), BTreeMap::new());
            continue;
        };
        let mut table = BTreeMap::new();
        for (key, span, value) in node.entries() {
            let Some(found) = lookup_value(value.get_ref()) else {
                node.wrong(
                    key,
                    "a text, true, false, a whole number or a list of texts",
                    desk,
                );
                continue;
            };
            if table.insert(key.trim().to_lowercase(), found).is_some() {
                let message = format!("\"{key}\" is here twice: keys are compared without case");
                desk.note(span, &node.field(key), message);
            }
        }
        tables.insert(name.to_owned(), table);
    }
    tables
}

fn lookup_value(value: &DeValue<'_>) -> Option<Jinja> {
    settings::constant(value).map(|found| match found {
        Value::Bool(flag) => Jinja::from(flag),
        Value::Int(number) => Jinja::from(number),
        Value::Text(text) => Jinja::from(text),
        Value::Set(texts) => texts.into_iter().map(Jinja::from).collect(),
    })
}

fn attributes(root: &Node<'_>, compiler: &mut Compiler<'_>) -> Vec<Attribute> {
    let Some(node) = root.table("attributes", &mut compiler.desk) else {
        if root.value("attributes").is_none() {
            let help = "add [attributes] with at least one attribute of the application";
            compiler.desk.advise(
                root.span.clone(),
                "attributes",
                "the mapping has no attributes",
                help,
            );
        }
        return Vec::new();
    };
    let mut quiet = Desk::new("");
    let matched: Vec<String> = root
        .tables("match", &mut quiet)
        .iter()
        .filter_map(|rule| rule.value("account")?.get_ref().as_str().map(str::to_owned))
        .collect();
    let mut found: Vec<Attribute> = Vec::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (name, span, _) in node.entries() {
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            compiler
                .desk
                .note(span, &node.path, "this is not the name of an attribute");
            continue;
        }
        if let Some(first) = seen.insert(name.to_lowercase(), name.to_owned()) {
            let message = format!("\"{name}\" and \"{first}\" are the same attribute");
            compiler
                .desk
                .advise(span, &node.field(name), message, "keep one of them");
        }
        let is_matched = matched.iter().any(|account| account == name);
        found.extend(Attribute::compile(name, &node, is_matched, compiler));
    }
    found
}

fn matches(root: &Node<'_>, attributes: &[Attribute], compiler: &mut Compiler<'_>) -> Vec<Match> {
    let mut found = Vec::new();
    for node in root.tables("match", &mut compiler.desk) {
        node.only(
            &["account", "value", "expression", "adopt", "compare"],
            &mut compiler.desk,
        );
        let account = node.text("account", &mut compiler.desk);
        if node.value("account").is_none() {
            let help = "add account = \"…\", the account attribute to compare";
            compiler.desk.advise(
                node.span.clone(),
                &node.path,
                "this match rule compares nothing",
                help,
            );
        }
        let program = match (node.value("value"), node.value("expression")) {
            (Some(_), None) => settings::program(&node, "value", &node.field("value"), compiler),
            (None, Some(_)) => scope::expression(&node, "expression", compiler),
            (Some(_), Some(_)) => {
                let message = "only one of value and expression can give the value";
                compiler.desk.note(
                    node.key_span("expression"),
                    &node.field("expression"),
                    message,
                );
                None
            }
            (None, None) => {
                let help = "add value = \"…\", a template for the value to look for";
                compiler.desk.advise(
                    node.span.clone(),
                    &node.path,
                    "this match rule has no value",
                    help,
                );
                None
            }
        };
        let adopt = node.flag("adopt", &mut compiler.desk).unwrap_or(false);
        let compare = settings::compare(&node, &mut compiler.desk);
        let (Some(account), Some(program)) = (account, program) else {
            continue;
        };
        if program.fixed().is_some() {
            let help = "use an attribute of the person, such as {{ mail }}";
            let message = "the value is the same for everybody and recognises nobody";
            compiler
                .desk
                .advise(node.key_span("value"), &node.field("value"), message, help);
            continue;
        }
        let of_attribute = attributes
            .iter()
            .find(|attribute| attribute.rule.name == account.value)
            .map(|attribute| attribute.rule.compare);
        let rule = MatchRule {
            account: account.value,
            adopt,
            compare: compare.or(of_attribute).unwrap_or(Compare::Exact),
        };
        found.push(Match { rule, program });
    }
    found
}
