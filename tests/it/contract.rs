//! One contract for every connector: the same calls with the same meaning, on the practice application and on SCIM servers
//! that nobody here wrote.

pub mod access;
mod clauses;
mod together;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use provost::model::{Account, AccountDraft, AccountId, AccountPatch, Value};
use provost::target::http::{Meter, Spent};
use provost::target::sandbox::{Practice, SignIn};
use provost::target::settings::{
    Auth, ConnectorSettings, HttpSettings, SandboxSettings, ScimSettings,
};
use provost::target::{AccountWriter, connect};
use secrecy::SecretString;

use clauses::contract;

use crate::support::{ScimKind, ScimServer};

/// The attributes that every target under test has.
const ATTRIBUTES: [&str; 5] = [
    "userName",
    "externalId",
    "name.givenName",
    "name.familyName",
    MAIL,
];
const MAIL: &str = "emails[type eq \"work\"].value";

/// A target under test.
struct Subject {
    target: Arc<dyn AccountWriter>,
    /// An attribute that this target lets go again.
    clearable: &'static str,
    /// Its name when an assertion fails.
    name: String,
    /// It lists who holds an entitlement.
    lists_members: bool,
    /// Characters that it takes in a user name.
    any_user_name: bool,
    /// It looks up any id as it is.
    any_id: bool,
    /// Whether a user name and a password open an account, where the application says.
    signs_in: Option<SignsIn>,
}

type SignsIn = Box<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Settings for a SCIM service on this machine.
pub fn scim(base: &str, token: &str) -> ScimSettings {
    let mut attributes: Vec<String> = ATTRIBUTES.iter().map(ToString::to_string).collect();
    attributes.push("title".to_owned());
    ScimSettings {
        http: HttpSettings {
            base: base.parse().unwrap(),
            ca_pem: None,
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            body_limit: 16 << 20,
            requests_per_second: None,
            budgets: Vec::new(),
            spent: Spent::default(),
            parallelism: 4,
            auth: Auth::Bearer(SecretString::from(token)),
            meter: Meter::default(),
            danger_plain: false,
        },
        patch: None,
        bulk: true,
        page_size: 100,
        members_per_request: 100,
        create_groups: true,
        attributes,
        unique: vec!["userName".to_owned()],
        allow_delete: true,
        passwords: false,
        quirks: BTreeMap::new(),
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn draft(login: &str) -> AccountDraft {
    let values = [
        login.to_owned(),
        format!("ext-{login}"),
        "Ada".to_owned(),
        format!("Family of {login}"),
        format!("{login}@example.com"),
    ];
    let pairs = ATTRIBUTES.iter().zip(&values);
    AccountDraft {
        attributes: pairs
            .map(|(name, value)| ((*name).to_owned(), text(value)))
            .collect(),
    }
}

fn set(name: &str, value: Option<Value>) -> AccountPatch {
    AccountPatch {
        attributes: BTreeMap::from([(name.to_owned(), value)]),
        ..AccountPatch::default()
    }
}

fn active(active: bool) -> AccountPatch {
    AccountPatch {
        active: Some(active),
        ..AccountPatch::default()
    }
}

impl Subject {
    async fn make(&self, login: &str) -> Account {
        let made = self.target.create(&draft(login)).await;
        made.unwrap_or_else(|e| panic!("{}: create {login}: {e}", self.name))
    }

    async fn seen(&self, id: &AccountId) -> Account {
        let seen = self.target.get(id).await.unwrap();
        seen.unwrap_or_else(|| panic!("{}: {id} is gone", self.name))
    }

    async fn listed(&self, id: &AccountId) -> Account {
        let list = self.target.list().await.unwrap();
        let found: Vec<Account> = list.into_iter().filter(|a| a.id == *id).collect();
        assert_eq!(found.len(), 1, "{}: listed once", self.name);
        found.into_iter().next().unwrap()
    }

    async fn held(&self, entitlement: &str) -> BTreeSet<AccountId> {
        let list = self.target.list().await.unwrap();
        let holds = |a: &Account| a.entitlements.as_ref().unwrap().contains(entitlement);
        list.iter()
            .filter(|a| holds(a))
            .map(|a| a.id.clone())
            .collect()
    }

    fn holds(&self, account: &Account, wanted: &AccountDraft) {
        for (name, value) in &wanted.attributes {
            assert_eq!(
                account.attributes.get(name),
                Some(value),
                "{}: {name}",
                self.name
            );
        }
    }
}

/// A list of exactly one page: some servers give the first page again when asked for what follows the end.
async fn a_full_page_is_a_whole_list(server: &ScimServer) {
    let mut settings = scim(&server.base_url, &server.token);
    settings.page_size = 4;
    let target = connect(&ConnectorSettings::Scim(settings)).await.unwrap();
    for i in 1..=9 {
        target.create(&draft(&format!("page{i}"))).await.unwrap();
        assert_eq!(target.list().await.unwrap().len(), i);
    }
    for account in target.list().await.unwrap() {
        target.delete(&account.id).await.unwrap();
    }
    assert_eq!(target.list().await, Ok(Vec::new()));
}

async fn scim_subject(kind: ScimKind, server: &ScimServer) -> Subject {
    a_full_page_is_a_whole_list(server).await;
    let settings = ConnectorSettings::Scim(ScimSettings {
        passwords: true,
        ..scim(&server.base_url, &server.token)
    });
    Subject {
        target: connect(&settings).await.unwrap(),
        clearable: "title",
        name: format!("{kind:?}"),
        lists_members: true,
        any_user_name: true,
        any_id: true,
        signs_in: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scim2_server_keeps_the_contract() {
    let server = ScimServer::start(ScimKind::Scim2Server);
    let mut subject = scim_subject(ScimKind::Scim2Server, &server).await;
    // It prepares user names by RFC 8265, which has no control characters.
    subject.any_user_name = false;
    assert!(subject.target.creates_together() > 1, "it offers bulk");
    contract(&subject).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_patch_keeps_the_contract() {
    let server = ScimServer::start(ScimKind::Scim2PutOnly);
    let mut subject = scim_subject(ScimKind::Scim2PutOnly, &server).await;
    subject.any_user_name = false;
    contract(&subject).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_cursors_keeps_the_contract() {
    let server = ScimServer::start(ScimKind::Scim2Cursor);
    let mut subject = scim_subject(ScimKind::Scim2Cursor, &server).await;
    subject.any_user_name = false;
    contract(&subject).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scimmy_keeps_the_contract() {
    let server = ScimServer::start(ScimKind::Scimmy);
    let mut subject = scim_subject(ScimKind::Scimmy, &server).await;
    // It pastes the id into a filter of its own without escaping, and then refuses that filter.
    subject.any_id = false;
    let door = server.door();
    subject.signs_in = Some(Box::new(move |user, password| door.opens(user, password)));
    contract(&subject).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn better_auth_keeps_the_contract() {
    let server = ScimServer::start(ScimKind::BetterAuth);
    contract(&scim_subject(ScimKind::BetterAuth, &server).await).await;
}

/// Whether the practice application lets somebody in.
fn opens(path: &std::path::Path, user: &str, password: &str) -> bool {
    let accounts = provost::target::sandbox::snapshot(path).unwrap();
    let named = |account: &&Account| account.attributes.get("userName") == Some(&text(user));
    let id = accounts.iter().find(named).unwrap().id.clone();
    let mut practice = Practice::open(path, &["userName".to_owned()]).unwrap();
    practice.sign_in(&id, password).unwrap() == SignIn::In
}

#[tokio::test]
async fn the_sandbox_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SandboxSettings {
        path: folder.path().join("accounts.toml"),
        deactivate: true,
        block_login: true,
        delete: true,
        list_inactive: true,
        entitlements: true,
        set_password: true,
        force_change: true,
        revoke_sessions: true,
        reassign: ["quotes".to_owned()].into(),
        unique: vec!["userName".to_owned()],
        required: vec!["userName".to_owned()],
        ..SandboxSettings::new(folder.path().join("accounts.toml"))
    };
    let practice = settings.path.clone();
    let subject = Subject {
        target: connect(&ConnectorSettings::Sandbox(settings))
            .await
            .unwrap(),
        clearable: "title",
        name: "sandbox".to_owned(),
        lists_members: true,
        any_user_name: true,
        any_id: true,
        signs_in: Some(Box::new(move |user, password| {
            opens(&practice, user, password)
        })),
    };
    contract(&subject).await;
}

/// The same contract through a profile: no connector of its own, only a file.
async fn by_profile(kind: ScimKind) {
    let server = ScimServer::start(kind);
    for name in ["Staff", "Staff \"A\" & B\\C"] {
        let group = serde_json::json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name});
        let (status, answer) = server.request("POST", "/Groups", Some(&group));
        assert_eq!(status, 201, "{answer}");
    }
    let settings = crate::http_app::scim_by_profile(&server.base_url, &server.token);
    let subject = Subject {
        target: connect(&ConnectorSettings::Http(settings)).await.unwrap(),
        clearable: "title",
        name: format!("{kind:?} by profile"),
        lists_members: true,
        any_user_name: kind != ScimKind::Scim2Server,
        any_id: kind != ScimKind::Scimmy,
        signs_in: None,
    };
    contract(&subject).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_keeps_the_contract_on_scim2_server() {
    by_profile(ScimKind::Scim2Server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_keeps_the_contract_on_scimmy() {
    by_profile(ScimKind::Scimmy).await;
}
