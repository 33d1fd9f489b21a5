//! Setting a password (RFC 7643 §4.1.1): written like any attribute, and never returned, so nothing can be read back.

use http::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value as Json, json};

use super::ScimConnector;
use super::api::USERS;
use super::patch::{Delta, request};
use crate::model::AccountId;
use crate::target::ConnectorError;

impl ScimConnector {
    /// Sets a password, by PATCH where it works, else by PUT of the whole resource.
    pub(super) async fn send_password(
        &self,
        id: &AccountId,
        password: &SecretString,
    ) -> Result<(), ConnectorError> {
        if !self.settings.passwords {
            let why = "setting passwords is not allowed for this target; `passwords = true` does";
            return Err(ConnectorError::Rejected(why.to_owned()));
        }
        if self.patch_usable() {
            let value = password.expose_secret();
            let operation = json!({"op": "replace", "path": "password", "value": value});
            let body = request(&[operation]);
            let answer = self
                .api
                .write_secret(Method::PATCH, &id.0, &body, None, password)
                .await?;
            let unusable = matches!(
                answer.status,
                StatusCode::NOT_IMPLEMENTED
                    | StatusCode::METHOD_NOT_ALLOWED
                    | StatusCode::BAD_REQUEST
            );
            if !unusable {
                let what = format!("set the password of {USERS}/{id}");
                return self.api.success(&answer, &what).map(|_| ());
            }
        }
        self.put_password(id, password).await
    }

    async fn put_password(
        &self,
        id: &AccountId,
        password: &SecretString,
    ) -> Result<(), ConnectorError> {
        let gone = || ConnectorError::NotFound(format!("{USERS}/{id} does not exist"));
        let current = self.api.resource(USERS, &id.0).await?.ok_or_else(gone)?;
        let mut whole = Delta::default()
            .merged(&current, &self.found.schema)
            .map_err(ConnectorError::Rejected)?;
        let value = password.expose_secret().to_owned();
        whole.insert("password".to_owned(), Json::String(value));
        let version = super::version_of(&current).filter(|_| self.found.etag);
        let body = Json::Object(whole);
        let answer = self
            .api
            .write_secret(Method::PUT, &id.0, &body, version, password)
            .await?;
        let what = format!("set the password of {USERS}/{id}");
        self.api.success(&answer, &what).map(|_| ())
    }
}
