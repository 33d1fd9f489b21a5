//! The applications: what can be asked of them, and how each kind is spoken to.
//!
//! Planning gets an [`AccountReader`]; only applying gets an [`AccountWriter`]. Neither retries on its own
//! beyond what is harmless (a refused read after Retry-After), and neither decides anything.

mod connector;
pub mod http;
pub mod http_app;
pub mod profile;
pub mod sandbox;
pub mod scim;
pub mod settings;
mod urgent;
pub mod worklist;

use std::sync::Arc;

pub use connector::{AccountReader, AccountWriter, AfterLogin, Coming, ConnectorError, Finding};
pub use urgent::{as_part_of_this, until_set_aside, urgently};

use http_app::HttpApp;
use scim::ScimConnector;
use settings::ConnectorSettings;

/// Connects to a target for changing accounts.
///
/// # Errors
/// When the target cannot be reached or what must be known of it cannot be found out.
pub async fn connect(
    settings: &ConnectorSettings,
) -> Result<Arc<dyn AccountWriter>, ConnectorError> {
    match settings {
        ConnectorSettings::Scim(settings) => {
            Ok(Arc::new(ScimConnector::connect(settings.clone()).await?))
        }
        ConnectorSettings::Sandbox(settings) => Ok(Arc::new(sandbox::Sandbox::open(settings)?)),
        ConnectorSettings::WorkList(settings) => Ok(Arc::new(worklist::WorkList::open(settings)?)),
        ConnectorSettings::Http(settings) => {
            Ok(Arc::new(HttpApp::connect(settings.clone()).await?))
        }
    }
}

/// Connects to a target for reading accounts only.
///
/// # Errors
/// As [`connect`].
pub async fn open_reader(
    settings: &ConnectorSettings,
) -> Result<Arc<dyn AccountReader>, ConnectorError> {
    match settings {
        ConnectorSettings::Scim(settings) => {
            Ok(Arc::new(ScimConnector::connect(settings.clone()).await?))
        }
        ConnectorSettings::Sandbox(settings) => {
            Ok(Arc::new(sandbox::Sandbox::open_reader(settings)?))
        }
        ConnectorSettings::WorkList(settings) => Ok(Arc::new(worklist::WorkList::open(settings)?)),
        ConnectorSettings::Http(settings) => {
            Ok(Arc::new(HttpApp::connect(settings.clone()).await?))
        }
    }
}
