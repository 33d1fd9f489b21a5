//! From the text of a profile to a [`Profile`], or to everything that is wrong with it.

use std::collections::BTreeMap;

use super::auth::Auth;
use super::body::{Body, SoapDefaults};
use super::call::{Call, Form, Purpose};
use super::entitle::{Around, Entitlement, Reassign};
use super::expr::Expr;
use super::facts::{Evidence, numbered};
use super::field::Field;
use super::making::Making;
use super::operations::{capabilities, operations};
use super::rules::{self, AnswerRules, HttpRules};
use super::{AccountRules, Describe, Profile, setting};
use crate::document::suggest::nearest;
use crate::document::{self, Node};
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
/// The names of all fields of all types (GraphQL, introspection).
const INTROSPECTION: &str = "query { __schema { queryType { name } mutationType { name } types { name fields(includeDeprecated: true) { name } } } }";
/// The largest profile, in bytes.
const LARGEST_FILE: usize = 1 << 20;

/// Compiles a profile.
pub(super) fn compile(text: &str) -> Result<Profile, Vec<Problem>> {
    let document = document::parse(text, LARGEST_FILE)?;
    let root = Node::new(document.get_ref(), 0..text.len().min(1), String::new());
    let mut making = Making::new(text);
    let profile = read(&root, &mut making);
    let problems = document::in_order(std::mem::take(&mut making.desk.problems));
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
    making.fields = fields.keys().cloned().collect();
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
            "password-elsewhere",
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
        password_elsewhere: making.expr(&node, "password-elsewhere", &["item"]),
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
    let (mut wsdl, mut graphql) = (call("wsdl"), call("graphql"));
    if let Some(call) = &mut wsdl {
        call.form = Form::Xml;
        call.success = Expr::compile("true").ok();
    }
    if let Some(call) = &mut graphql {
        call.form = Form::GraphQl;
        call.success = Expr::compile("true").ok();
        call.method = http::Method::POST;
        call.body = Body::GraphQl {
            query: INTROSPECTION.to_owned(),
            variables: Vec::new(),
        };
    }
    Describe { wsdl, graphql }
}

/// Names that refer to other parts of the file: facts of probes, and those that a call rests on.
fn known(root: &Node<'_>, making: &mut Making<'_>, profile: &Profile) {
    let facts = profile.fact_names();
    let mut complain = |kind: &str, name: &str, near: Option<&str>, place: &str| {
        let help = near.map_or_else(
            || "facts are named after the tables of this file, such as \"operation.create#2\" or \"field.mail\"".to_owned(),
            |near| format!("did you mean \"{near}\"?"),
        );
        making.desk.advise(
            root.key_span(place),
            place,
            format!("unknown {kind} \"{name}\""),
            help,
        );
    };
    let confirmed = profile.probes.iter().flat_map(|probe| &probe.confirms);
    let rested = profile.operations.values().flatten();
    let rested = rested.filter_map(|call| call.rests_on.as_ref());
    let named = confirmed.map(|name| (name, "probe"));
    for (name, place) in named.chain(rested.map(|name| (name, "operation"))) {
        if !facts.contains(name) {
            let near = nearest(name, facts.iter().map(String::as_str));
            complain("fact", name, near, place);
        }
    }
}
