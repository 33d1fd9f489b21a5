//! What a profile may say, and what is told about one that says it wrong.

use serde_json::json;

use super::*;
use crate::model::Value;

/// The example of the documentation.
fn example() -> &'static str {
    let text = include_str!("../../../docs/http-profiles.md");
    let begin = text.find("version = 1\napplication").unwrap();
    text[begin..].split("```").next().unwrap()
}

#[test]
fn the_example_of_the_documentation_compiles() {
    let profile = Profile::compile(example()).unwrap();
    assert_eq!(profile.application, "Example Tickets");
    assert_eq!(profile.calls(Op::List).len(), 1);
    assert_eq!(profile.calls(Op::Create)[0].method, http::Method::POST);
    assert!(
        profile
            .facts()
            .iter()
            .all(|fact| fact.evidence == Evidence::Vendor)
    );
    assert!(profile.fact_names().contains("field.userName"));
}

/// What is told about the example with one piece replaced: place, message and help.
fn told(old: &str, new: &str) -> Vec<String> {
    let text = example().replacen(old, new, 1);
    assert_ne!(text, example(), "{old:?} is in the example");
    let problems = Profile::compile(&text).err().unwrap_or_default();
    let shown = problems.iter().map(|problem| {
        let place = problem.span.clone().map_or("", |span| &text[span]);
        let place = place.lines().next().unwrap_or_default();
        let help = problem.help.as_deref().unwrap_or_default();
        format!("{place} | {}: {} | {help}", problem.field, problem.message)
    });
    shown.collect()
}

/// What is replaced, by what, and what is told about it.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "[[operation.deactivate]]",
        "[[operation.deactivat]]",
        "deactivat | operation.deactivat: unknown operation \"deactivat\" | did you mean \"deactivate\"?",
    ),
    (
        "{{ settings.user }}",
        "{{ settings.usr }}",
        "settings.usr | auth[1].user: unknown setting \"usr\" | did you mean \"user\"?",
    ),
    (
        "{{ secret.password }}",
        "{{ settings.password }}",
        "settings.password | auth[1].password: `password` is a secret | write secret. instead",
    ),
    (
        "path = \"users\"\nquery",
        "path = \"https://evil.example/users\"\nquery",
        "outside of the application's address",
    ),
    (
        "path = \"users\"\nquery",
        "path = \"../admin\"\nquery",
        ".. | operation.list[1].path: the path leads outside of the application's address",
    ),
    (
        "path = \"users\"\nquery",
        "path = \"users?status=all\"\nquery",
        "put parameters into `query`",
    ),
    (
        "json = \"{{ fields }}\"\ncapture",
        "xml = \"<u>{{ fields.login }}</u>\"\ncapture",
        "XML is not put together from text",
    ),
    (
        "json = \"{{ fields }}\"\ncapture",
        "json = '{\"a\": \"{{ fields.login }}\"}'\ncapture",
        "a body is not put together from text",
    ),
    (
        "json = \"{{ fields }}\"\ncapture",
        "graphql = { query = 'mutation { u(n: \"{{ fields.login }}\") }' }\ncapture",
        "values do not go into a GraphQL query",
    ),
    (
        "items = \"answer.users\"",
        "items = \"{{ answer.users }}\"",
        "this is an expression: it has no braces",
    ),
    (
        "items = \"answer.users\"",
        "items = \"answr.users\"",
        "answr | operation.list[1].items: unknown name \"answr\" | did you mean \"answer\"?",
    ),
    (
        "items = \"answer.users\"",
        "items = \"answer.users | lst\"",
        "lst | operation.list[1].items: unknown filter \"lst\" | did you mean",
    ),
    (
        "items = \"answer.users\"",
        "items = \"answer.users +\"",
        "this does not parse",
    ),
    (
        "users/{{ id }}\"\nitem",
        "users/{{ id\"\nitem",
        "this `{{` is never closed",
    ),
    (
        "active = \"item.status == 'active'\"",
        "activ = \"item.status\"",
        "activ | account.activ: unknown key \"activ\" | did you mean \"active\"?",
    ),
    (
        "capture = { id = \"answer.user.id\" }",
        "",
        "nothing says which id the new account has",
    ),
    (
        "class = \"conflict\"",
        "class = \"conflct\"",
        "unknown value \"conflct\"",
    ),
    (
        "matches = \"already (taken|in use)\"",
        "matches = \"already (taken\"",
        "this is no regular expression",
    ),
    (
        "[[error]]",
        "[capability]\nset-password = true\n\n[[error]]",
        "set-password | capability.set-password: no operation says how this is done | add [[operation.set-password]]",
    ),
    (
        "json = { status = \"inactive\" }",
        "json = { status = \"{{ secret.password }}\" }",
        "secrets cannot be used here",
    ),
    (
        "[[operation.reactivate]]",
        "[[operation.allow-login]]",
        "belong together",
    ),
    (
        "item = \"answer.user\"",
        "item = \"answer.user\"\nrests-on = \"operation.lst\"",
        "unknown fact \"operation.lst\" | did you mean \"operation.list\"?",
    ),
];

#[test]
fn mistakes_are_told_with_their_place_and_what_was_meant() {
    for (old, new, expected) in MISTAKES {
        let found = told(old, new);
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "{new}\nwanted {expected}\n{found:#?}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = example()
        .replace("items = \"answer.users\"", "itms = \"x\"")
        .replace("[[auth]]", "[[aut]]");
    let problems = Profile::compile(&text).unwrap_err();
    assert!(problems.len() >= 3, "{problems:#?}");
    let places: Vec<_> = problems
        .iter()
        .map(|p| p.span.clone().map(|s| s.start))
        .collect();
    assert!(places.is_sorted());
}

#[test]
fn values_have_the_form_that_the_application_takes() {
    let text = format!(
        "{}\n{}",
        example(),
        r#"
[field.level]
type = "number"
[field.boss]
type = "reference"
as = "number"
name = "boss"
[field.state]
type = "flag"
values = ["on", "off"]
[field."name.given"]
name = "profile.first"
[field.tags]
type = "texts"
separator = ","
[field.lines]
type = "references"
[field.hired]
read = "item.hired | date"
write = "{{ value | seconds }}"
"#
    );
    let profile = Profile::compile(&text).unwrap();
    let scope = Scope::new();
    let wire = |name: &str, value: Value| {
        profile.fields[name]
            .wire(Some(&value), &scope)
            .unwrap()
            .unwrap()
    };
    let t = |text: &str| Value::Text(text.to_owned());
    let set = |texts: &[&str]| Value::Set(texts.iter().map(ToString::to_string).collect());
    assert_eq!(wire("level", t("7")), json!(7));
    assert_eq!(wire("boss", t("42")), json!(42));
    assert_eq!(wire("state", Value::Bool(false)), json!("off"));
    assert_eq!(wire("tags", set(&["a", "b"])), json!("a,b"));
    assert_eq!(wire("lines", set(&["3", "4"])), json!(["3", "4"]));
    assert_eq!(wire("hired", t("1970-01-02")), json!(86_400));
    assert!(profile.fields["level"].wire(Some(&t("x")), &scope).is_err());
    let mut fields = serde_json::Map::new();
    profile.fields["name.given"].put(&mut fields, json!("Ada"));
    assert_eq!(json!(fields), json!({"profile": {"first": "Ada"}}));

    let item = json!({"level": "7", "boss": {"id": 42, "name": "Bo"}, "state": "off", "tags": "b, a", "hired": 86_400,
        "profile": {"first": "Ada"}, "lines": [{"id": 3}, 4]});
    let read = |name: &str| profile.fields[name].get(&item, &scope).unwrap().unwrap();
    assert_eq!(read("level"), Value::Int(7));
    assert_eq!(read("boss"), t("42"));
    assert_eq!(read("state"), Value::Bool(false));
    assert_eq!(read("tags"), set(&["a", "b"]));
    assert_eq!(read("lines"), set(&["3", "4"]));
    assert_eq!(read("hired"), t("1970-01-02"));
    assert_eq!(read("name.given"), t("Ada"));
}

#[test]
fn a_path_is_split_before_values_are_put_in() {
    let profile = Profile::compile(example()).unwrap();
    let call = &profile.calls(Op::Get)[0];
    let scope = Scope::new().with_json("id", &json!("../x/y?z"));
    assert_eq!(
        call.path.segments(&scope),
        Ok((vec!["users".to_owned(), "../x/y?z".to_owned()], false))
    );
    assert!(
        call.path.segments(&Scope::new()).is_err(),
        "something missing is an error"
    );
}
