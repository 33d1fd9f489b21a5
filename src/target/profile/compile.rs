//! From the text of a profile to a [`Profile`], or to everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::auth::Auth;
use super::call::{Call, Purpose, SoapDefaults};
use super::entitle::{Around, Entitlement, Reassign, one_or_more};
use super::expr::Expr;
use super::facts::{Evidence, numbered};
use super::field::Field;
use super::making::Making;
use super::rules::{self, AnswerRules, HttpRules};
use super::{AccountRules, CAPABILITIES, Describe, Op, Profile, setting};
use crate::document::Node;
use crate::document::suggest::nearest;
use crate::model::Problem;

const KEYS: &[&str] = &[
    "version",
    "application",
    "evidence",
    "url",
    "comment",
    "settings",
    "http",
    "auth",
    "account",
    "field",
    "operation",
    "capability",
    "entitlement",
    "reassign",
    "answer",
    "error",
    "soap",
    "probe",
    "describe",
];
/// The largest profile, in bytes.
const LARGEST_FILE: usize = 1 << 20;

/// Compiles a profile.
pub(super) fn compile(text: &str) -> Result<Profile, Vec<Problem>> {
    if text.len() > LARGEST_FILE {
        let message = format!("the file is larger than {LARGEST_FILE} bytes");
        return Err(vec![Problem::new(None, "", message)]);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |error: &toml::de::Error| Problem::new(error.span(), "", error.message());
        return Err(errors.iter().map(problem).collect());
    }
    let root = Node::new(document.get_ref(), 0..text.len().min(1), String::new());
    let mut making = Making::new(text);
    let profile = read(&root, &mut making);
    let mut problems = std::mem::take(&mut making.desk.problems);
    problems.sort_by_key(|problem| problem.span.as_ref().map(|span| (span.start, span.end)));
    match profile {
        Some(profile) if problems.is_empty() => Ok(profile),
        Some(_) => Err(problems),
        None if problems.is_empty() => {
            let message = "the profile was refused without a reason; please report this";
            Err(vec![Problem::new(None, "", message)])
        }
        None => Err(problems),
    }
}

fn read(root: &Node<'_>, making: &mut Making<'_>) -> Option<Profile> {
    root.only(KEYS, &mut making.desk);
    let version = root
        .value("version")
        .and_then(|value| value.get_ref().as_integer());
    if version.is_none_or(|version| version.as_str() != "1") {
        making.desk.advise(
            root.key_span("version"),
            "version",
            "the version of the profile format is missing or not known",
            "begin the file with version = 1",
        );
    }
    if root.value("application").is_none() {
        making.missing(root, "application", "the application's name");
    }
    if root.value("evidence").is_none() {
        making.missing(root, "evidence", "how sure the facts below are that do not say so themselves: \"vendor\", \"observed\" or \"assumed\"");
    }
    let application = root
        .text("application", &mut making.desk)
        .map(|text| text.value);
    let evidence = Evidence::read(root, making, Evidence::Assumed);
    let settings = setting::read(root, making, evidence);
    let soap = SoapDefaults::read(root, making);
    let around = Around {
        soap: &soap,
        evidence,
    };
    let http = HttpRules::read(root, making);
    let mut auth = Vec::new();
    for node in root.tables("auth", &mut making.desk) {
        auth.extend(Auth::read(&node, making, &soap, evidence));
    }
    if root.value("auth").is_none() {
        making.missing(
            root,
            "auth",
            "add an [[auth]]: how Provost proves who it is",
        );
    }
    let account = account(root, making, evidence);
    let fields = fields(root, making, evidence);
    let operations = operations(root, making, &around);
    let entitlements = entitlements(root, making, &around);
    let reassign = reassign(root, making, &around);
    let answer = AnswerRules::read(root, making, evidence);
    let errors = rules::errors(root, "error", making);
    let probes = probes(root, making, &around);
    let describe = describe(root, making, &around);
    let profile = Profile {
        application: application.unwrap_or_default(),
        url: root.text("url", &mut making.desk).map(|text| text.value),
        settings,
        http,
        auth,
        capabilities: capabilities(root, making, &operations),
        account: account?,
        fields,
        operations,
        entitlements,
        reassign,
        answer,
        errors,
        probes,
        describe,
    };
    known(root, making, &profile);
    Some(profile)
}

fn account(root: &Node<'_>, making: &mut Making<'_>, around: Evidence) -> Option<AccountRules> {
    let Some(node) = root.table("account", &mut making.desk) else {
        making.missing(
            root,
            "account",
            "add [account] with id = \"item.id\": how an account is found in an answer",
        );
        return None;
    };
    node.only(
        &[
            "id",
            "active",
            "login-allowed",
            "skip",
            "evidence",
            "comment",
        ],
        &mut making.desk,
    );
    if node.value("id").is_none() {
        making.missing(
            &node,
            "id",
            "an expression over `item`, such as \"item.id\"",
        );
    }
    let id = making.expr(&node, "id", &["item"]);
    let rules = AccountRules {
        active: making.expr(&node, "active", &["item"]),
        login_allowed: making.expr(&node, "login-allowed", &["item"]),
        skip: making.expr(&node, "skip", &["item"]),
        evidence: Evidence::read(&node, making, around),
        id: id?,
    };
    Some(rules)
}

fn fields(root: &Node<'_>, making: &mut Making<'_>, around: Evidence) -> BTreeMap<String, Field> {
    let mut fields = BTreeMap::new();
    let Some(all) = root.table("field", &mut making.desk) else {
        making.missing(
            root,
            "field",
            "add [field.userName] and so on: what accounts hold",
        );
        return fields;
    };
    for (name, _, _) in all.entries() {
        if let Some(node) = all.table(name, &mut making.desk) {
            fields.extend(
                Field::read(name, &node, making, around).map(|field| (name.to_owned(), field)),
            );
        }
    }
    fields
}

/// The names that the request of an operation can use, and its own keys.
fn shape(op: Op) -> (&'static [&'static str], &'static [&'static str]) {
    match op {
        Op::List => (&[], &["items", "paging"]),
        Op::Get => (&["id"], &["item"]),
        Op::Detail => (&["id", "item"], &["add"]),
        Op::Find => (&["value"], &["by", "items", "paging"]),
        Op::Create => (&["fields", "account", "id"], &["item", "attributes"]),
        Op::Update => (
            &["id", "fields", "account", "current"],
            &["item", "attributes"],
        ),
        Op::Deactivate | Op::Reactivate | Op::BlockLogin | Op::AllowLogin => {
            (&["id", "current"], &[])
        }
        Op::RevokeSessions | Op::Delete => (&["id", "current"], &[]),
        Op::SetPassword => (&["id", "current", "password", "force_change"], &[]),
    }
}

fn operations(
    root: &Node<'_>,
    making: &mut Making<'_>,
    around: &Around<'_>,
) -> BTreeMap<Op, Vec<Call>> {
    let mut operations = BTreeMap::new();
    let Some(all) = root.table("operation", &mut making.desk) else {
        making.missing(
            root,
            "operation",
            "add [[operation.list]] and so on: the calls",
        );
        return operations;
    };
    for (name, span, _) in all.entries() {
        let Some((_, op)) = Op::ALL.iter().find(|(known, _)| *known == name) else {
            let known = Op::ALL.iter().map(|(known, _)| *known);
            let help = nearest(name, known.clone()).map_or_else(
                || {
                    format!(
                        "known here: {}",
                        known.clone().collect::<Vec<_>>().join(", ")
                    )
                },
                |near| format!("did you mean \"{near}\"?"),
            );
            making.desk.advise(
                span,
                &all.field(name),
                format!("unknown operation \"{name}\""),
                help,
            );
            continue;
        };
        let (visible, keys) = shape(*op);
        let mut calls = Vec::new();
        for (at, node) in one_or_more(&all, name, making).iter().enumerate() {
            let fact = numbered(&format!("operation.{name}"), at);
            let purpose = Purpose {
                fact,
                evidence: around.evidence,
                visible,
                keys,
                reads: op.reads(),
            };
            let call = Call::read(node, making, around.soap, &purpose);
            if let Some(call) = &call {
                complete(*op, call, node, making);
            }
            calls.extend(call);
        }
        operations.insert(*op, calls);
    }
    if all.value("list").is_none() {
        making.missing(
            &all,
            "list",
            "add [[operation.list]]: without a list of all accounts nothing can be compared",
        );
    }
    gives_an_id(&all, making, &operations);
    in_pairs(&all, making, &operations);
    operations
}

/// What we stop we must be able to start again.
fn in_pairs(all: &Node<'_>, making: &mut Making<'_>, operations: &BTreeMap<Op, Vec<Call>>) {
    for (one, other) in [
        (Op::Deactivate, Op::Reactivate),
        (Op::BlockLogin, Op::AllowLogin),
    ] {
        if operations.contains_key(&one) != operations.contains_key(&other) {
            let message = format!("`{}` and `{}` belong together", one.name(), other.name());
            making.desk.advise(
                all.span.clone(),
                "operation",
                message,
                "what we stop we must be able to start again",
            );
        }
    }
}

/// A create must say which id the new account has.
fn gives_an_id(all: &Node<'_>, making: &mut Making<'_>, operations: &BTreeMap<Op, Vec<Call>>) {
    let made: &[Call] = operations.get(&Op::Create).map_or(&[], Vec::as_slice);
    let gives_id = made
        .iter()
        .any(|call| call.item.is_some() || call.capture.iter().any(|(name, _)| name == "id"));
    if !made.is_empty() && !gives_id {
        let help =
            "add capture = { id = \"answer.id\" } to the call that creates; `item` works as well";
        making.desk.advise(
            all.key_span("create"),
            "operation.create",
            "nothing says which id the new account has",
            help,
        );
    }
}

fn complete(op: Op, call: &Call, node: &Node<'_>, making: &mut Making<'_>) {
    let (key, there, help) = match op {
        Op::List | Op::Find => (
            "items",
            call.items.is_some(),
            "an expression for the accounts in the answer, such as \"answer.users\"",
        ),
        Op::Get => (
            "item",
            call.item.is_some(),
            "an expression for the account in the answer, such as \"answer\"",
        ),
        Op::Detail => (
            "add",
            !call.add.is_empty(),
            "a table of expressions, such as { roles = \"answer.roles\" }",
        ),
        Op::Create
        | Op::Update
        | Op::Deactivate
        | Op::Reactivate
        | Op::BlockLogin
        | Op::AllowLogin
        | Op::SetPassword
        | Op::RevokeSessions
        | Op::Delete => return,
    };
    if !there && node.value(key).is_none() {
        making.missing(node, key, help);
    }
    if op == Op::Find && call.by.is_none() && node.value("by").is_none() {
        making.missing(node, "by", "the attribute, as the mapping names it");
    }
}

fn capabilities(
    root: &Node<'_>,
    making: &mut Making<'_>,
    operations: &BTreeMap<Op, Vec<Call>>,
) -> BTreeMap<String, Expr> {
    let mut switches = BTreeMap::new();
    let Some(node) = root.table("capability", &mut making.desk) else {
        return switches;
    };
    node.only(&CAPABILITIES, &mut making.desk);
    for (name, span, value) in node.entries() {
        let switch = match value.get_ref().as_bool() {
            Some(flag) => Expr::compile(if flag { "true" } else { "false" }).ok(),
            None => making.expr(&node, name, &[]),
        };
        let needs = match name {
            "force-change" => Some("set-password"),
            "deactivate" | "block-login" | "set-password" | "revoke-sessions" | "delete" => {
                Some(name)
            }
            _ => None,
        };
        let described = |name: &str| operations.keys().any(|op| op.name() == name);
        if let Some(needs) = needs
            && !described(needs)
            && value.get_ref().as_bool() != Some(false)
        {
            let help = format!("add [[operation.{needs}]], or remove this line");
            making.desk.advise(
                span,
                &node.field(name),
                "no operation says how this is done",
                help,
            );
        }
        switches.extend(switch.map(|switch| (name.to_owned(), switch)));
    }
    switches
}

fn entitlements(root: &Node<'_>, making: &mut Making<'_>, around: &Around<'_>) -> Vec<Entitlement> {
    let mut kinds: Vec<Entitlement> = Vec::new();
    let Some(all) = root.table("entitlement", &mut making.desk) else {
        return kinds;
    };
    for (name, span, _) in all.entries() {
        let Some(node) = all.table(name, &mut making.desk) else {
            continue;
        };
        let kind = Entitlement::read(name, &node, making, around);
        if kinds
            .iter()
            .any(|other| other.prefix == kind.prefix && other.when.is_none() && kind.when.is_none())
        {
            let help = "give each kind a prefix of its own, such as \"role:\"";
            making.desk.advise(
                span,
                &all.field(name),
                "another kind has the same prefix",
                help,
            );
        }
        kinds.push(kind);
    }
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.prefix.len()));
    kinds
}

fn reassign(
    root: &Node<'_>,
    making: &mut Making<'_>,
    around: &Around<'_>,
) -> BTreeMap<String, Reassign> {
    let mut kinds = BTreeMap::new();
    let Some(all) = root.table("reassign", &mut making.desk) else {
        return kinds;
    };
    for (name, _, _) in all.entries() {
        if let Some(node) = all.table(name, &mut making.desk) {
            kinds.insert(name.to_owned(), Reassign::read(name, &node, making, around));
        }
    }
    kinds
}

fn probes(root: &Node<'_>, making: &mut Making<'_>, around: &Around<'_>) -> Vec<Call> {
    let nodes = root.tables("probe", &mut making.desk);
    let read = nodes.iter().enumerate().filter_map(|(at, node)| {
        let purpose = Purpose {
            fact: numbered("probe", at),
            evidence: around.evidence,
            visible: &[],
            keys: &["expect", "confirms", "says", "items"],
            reads: true,
        };
        Call::read(node, making, around.soap, &purpose)
    });
    read.collect()
}

fn describe(root: &Node<'_>, making: &mut Making<'_>, around: &Around<'_>) -> Describe {
    let Some(node) = root.table("describe", &mut making.desk) else {
        return Describe::default();
    };
    node.only(
        &["wsdl", "graphql", "evidence", "comment"],
        &mut making.desk,
    );
    let mut call = |key: &str| {
        let table = node.table(key, &mut making.desk)?;
        let purpose = Purpose {
            fact: "describe".to_owned(),
            evidence: around.evidence,
            visible: &[],
            keys: &[],
            reads: true,
        };
        Call::read(&table, making, around.soap, &purpose)
    };
    Describe {
        wsdl: call("wsdl"),
        graphql: call("graphql"),
    }
}

/// Names that refer to other parts of the file: attributes of calls, facts of probes.
fn known(root: &Node<'_>, making: &mut Making<'_>, profile: &Profile) {
    let fields: BTreeSet<&str> = profile.fields.keys().map(String::as_str).collect();
    let facts = profile.fact_names();
    let mut complain = |kind: &str, name: &str, near: Option<&str>, place: &str| {
        let help = near.map_or_else(
            || "see the tables of this file".to_owned(),
            |near| format!("did you mean \"{near}\"?"),
        );
        making.desk.advise(
            root.key_span(place),
            place,
            format!("unknown {kind} \"{name}\""),
            help,
        );
    };
    for call in profile.operations.values().flatten() {
        for name in call.attributes.iter().chain(&call.by) {
            if !fields.contains(name.as_str()) {
                complain(
                    "field",
                    name,
                    nearest(name, fields.iter().copied()),
                    "operation",
                );
            }
        }
    }
    for name in profile.probes.iter().flat_map(|probe| &probe.confirms) {
        if !facts.contains(name) {
            complain(
                "fact",
                name,
                nearest(name, facts.iter().map(String::as_str)),
                "probe",
            );
        }
    }
}
