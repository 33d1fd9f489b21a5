//! Account attributes as SCIM JSON, set and read.

use serde_json::json;

use super::*;

const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
const EXT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn field(name: &str) -> Field {
    Field::parse(name, &Schema::default()).unwrap()
}

#[test]
fn what_is_held_is_known_without_reading_it_back() {
    let one = Value::Set(BTreeSet::from(["a".to_owned()]));
    let truth = Value::Set(BTreeSet::from(["true".to_owned()]));
    let two = Value::Set(BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    let text = |text: &str| Value::Text(text.to_owned());
    let values = [
        text("a"),
        text("true"),
        Value::Bool(true),
        Value::Int(7),
        one,
        truth,
        two,
    ];
    let mut held = 0;
    for name in [
        "title",
        "active",
        "name.givenName",
        "emails",
        "emails[type eq \"work\"].value",
        MANAGER,
    ] {
        for shape in [
            Shape::Simple,
            Shape::Truth,
            Shape::Object,
            Shape::List,
            Shape::Objects,
        ] {
            for truth in [false, true] {
                let field = Field {
                    shape,
                    truth,
                    ..field(name)
                };
                for value in &values {
                    let mut resource = new_user();
                    if field.set(&mut resource, value).is_err() {
                        continue;
                    }
                    let read = field.read(&Json::Object(resource));
                    assert_eq!(
                        read,
                        Some(field.as_held(value.clone())),
                        "{name} {shape:?} {truth} {value}"
                    );
                    held += 1;
                }
            }
        }
    }
    assert!(held > 200, "{held}");
}

fn set(values: &[&str]) -> Value {
    Value::Set(values.iter().map(ToString::to_string).collect())
}

fn t(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn sample() -> Json {
    json!({
        "USERNAME": "ada", "active": "True", "title": "", "nickName": null, "roles": [],
        "name": {"givenName": "Ada"},
        "emails": [{"value": "h@x", "type": "home"}, {"value": "w@x", "type": "Work", "primary": "True"}],
        "entitlements": [{"value": "b"}, {"value": "a"}, "c"],
        "level": 7,
        EXT.to_lowercase(): {"department": "R&D", "manager": {"value": "42", "displayName": "Bo"}},
    })
}

#[test]
fn values_are_read() {
    for (name, expected) in [
        ("userName", Some(t("ada"))),
        ("active", Some(Value::Bool(true))),
        ("title", None),
        ("nickName", None),
        ("roles", None),
        ("absent", None),
        ("name.GIVENNAME", Some(t("Ada"))),
        ("name.familyName", None),
        ("userName.sub", None),
        ("emails[type eq \"work\"].value", Some(t("w@x"))),
        ("emails[primary eq true].value", Some(t("w@x"))),
        ("emails[type eq \"other\"].value", None),
        ("emails", Some(set(&["h@x", "w@x"]))),
        ("emails.type", Some(set(&["home", "Work"]))),
        ("entitlements", Some(set(&["a", "b", "c"]))),
        ("level", Some(Value::Int(7))),
        (&format!("{EXT}:department"), Some(t("R&D"))),
        (MANAGER, Some(t("42"))),
        (&format!("{MANAGER}.value"), Some(t("42"))),
        (&format!("{MANAGER}.displayName"), Some(t("Bo"))),
    ] {
        assert_eq!(field(name).read(&sample()), expected, "{name}");
    }
    assert_eq!(active(&sample()), Some(true));
    assert_eq!(id(&json!({"ID": 12})).as_deref(), Some("12"));
    assert_eq!(id(&json!({"id": ""})), None);
}

#[test]
fn what_was_set_is_read_again_and_can_be_cleared() {
    for (name, value) in [
        ("userName", t("bo")),
        ("name.givenName", t("Bo")),
        ("name.familyName", t("Bo")),
        ("emails[type eq \"work\"].value", t("n@x")),
        ("emails[type eq \"other\"].value", t("o@x")),
        ("addresses[type eq \"work\"].locality", t("Graz")),
        ("roles", set(&["x", "y"])),
        ("entitlements", set(&["a", "z"])),
        ("level", Value::Int(8)),
        (&format!("{EXT}:department"), t("Ops")),
        ("urn:new:Ext:thing", t("x")),
        (MANAGER, t("43")),
        (&format!("{MANAGER}.value"), t("43")),
    ] {
        let field = field(name);
        let mut json = sample();
        let resource = json.as_object_mut().unwrap();
        field.set(resource, &value).unwrap();
        assert_eq!(field.read(&json), Some(value), "{name}");
        field.clear(json.as_object_mut().unwrap());
        assert_eq!(field.read(&json), None, "{name}");
    }
}

#[test]
fn setting_one_value_leaves_the_others() {
    let mut json = sample();
    let resource = json.as_object_mut().unwrap();
    field("emails[type eq \"work\"].value")
        .set(resource, &t("n@x"))
        .unwrap();
    field("username").set(resource, &t("bo")).unwrap();
    field("urn:new:Ext:thing").set(resource, &t("x")).unwrap();
    assert_eq!(json["emails"][0], json!({"value": "h@x", "type": "home"}));
    assert_eq!(
        json["emails"][1],
        json!({"value": "n@x", "type": "Work", "primary": "True"})
    );
    assert_eq!(json["USERNAME"], "bo");
    assert_eq!(json["schemas"], json!(["urn:new:Ext"]));
}

#[test]
fn several_values_do_not_fit_where_one_is_held() {
    let mut resource = new_user();
    let error = field("userName").set(&mut resource, &set(&["a", "b"]));
    assert!(error.unwrap_err().contains("holds one value"));
    field("userName").set(&mut resource, &set(&["a"])).unwrap();
    assert_eq!(resource["userName"], "a");
}
