//! The enterprise extension (RFC 7643 §4.3) on a service that nobody here wrote.

use provost::model::{AccountDraft, AccountPatch, Value};
use provost::target::scim::ScimConnector;
use provost::target::{AccountReader, AccountWriter};

use super::text;
use crate::contract::scim;
use crate::support::{ScimKind, ScimServer};

const EXTENSION: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn draft(name: &str, more: &[(String, Value)]) -> AccountDraft {
    let mut attributes = vec![("userName".to_owned(), text(name))];
    attributes.extend_from_slice(more);
    AccountDraft {
        attributes: attributes.into_iter().collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn department_and_manager_are_written_changed_and_cleared() {
    let server = ScimServer::start(ScimKind::Scim2Server);
    let [department, manager] = ["department", "manager"].map(|name| format!("{EXTENSION}:{name}"));
    let mut settings = scim(&server.base_url, &server.token);
    settings
        .attributes
        .extend([department.clone(), manager.clone()]);
    let target = ScimConnector::connect(settings).await.unwrap();
    let boss = target.create(&draft("boss", &[])).await.unwrap();
    let values = [
        (department.clone(), text("Sales")),
        (manager.clone(), text(&boss.id.0)),
    ];
    let made = target.create(&draft("ada", &values)).await.unwrap();
    for (name, value) in &values {
        assert_eq!(made.attributes.get(name), Some(value), "{made:?}");
    }
    let patch = AccountPatch {
        attributes: [
            (department.clone(), Some(text("Support"))),
            (manager.clone(), None),
        ]
        .into(),
        ..AccountPatch::default()
    };
    target.update(&made.id, &patch).await.unwrap();
    let held = target.get(&made.id).await.unwrap().unwrap();
    assert_eq!(held.attributes.get(&department), Some(&text("Support")));
    assert_eq!(held.attributes.get(&manager), None);
    // As the service itself shows it.
    let users = server.users();
    let ada = users.iter().find(|user| user["userName"] == "ada").unwrap();
    assert_eq!(ada[EXTENSION]["department"], "Support", "{ada}");
    assert!(ada[EXTENSION]["manager"]["value"].is_null(), "{ada}");
}
