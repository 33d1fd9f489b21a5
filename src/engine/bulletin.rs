//! A work list on its way to the application's administrator: once for each new task, however often a run ends.
//!
//! What was sent is remembered after it was handed over. A crash between the two sends the same letter once more, under
//! the same id.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::result::{Retry, TargetReport};
use super::{EngineError, Session};
use crate::config::TargetSpec;
use crate::deliver::{Message, Post};
use crate::model::Outcome;
use crate::store::DocumentWrite;
use crate::target::settings::ConnectorSettings;
use crate::target::worklist::{self, Bulletin};

/// The kind of our record of it.
const SENT: &str = "worklist-sent";

/// The tasks that the administrator was told of and that are still open.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Sent {
    tasks: BTreeSet<String>,
}

/// Sends the list of a target to whom the configuration names, if there is something new in it.
///
/// # Errors
/// When the list or our own records cannot be read or written. A list that cannot be sent is told in the report.
pub(super) async fn send(
    session: &Session,
    spec: &TargetSpec,
    report: &mut TargetReport,
) -> Result<(), EngineError> {
    let ConnectorSettings::WorkList(settings) = &spec.connector else {
        return Ok(());
    };
    let (Some(to), Some(delivery)) = (&settings.send_to, &session.config.delivery) else {
        return Ok(());
    };
    let failed = |error| EngineError::Target {
        target: spec.name.clone(),
        error,
    };
    let bulletin = worklist::bulletin(settings).map_err(failed)?;
    let told: Sent = session
        .state
        .document(SENT, &spec.name)?
        .unwrap_or_default();
    let known = told.tasks.intersection(&bulletin.tasks).cloned().collect();
    let known = Sent { tasks: known };
    if bulletin.tasks == known.tasks {
        // What was done or withdrawn since is forgotten: should it come up again, it is news.
        return keep(session, spec, &told, &known);
    }
    let id = id(&spec.name, &bulletin);
    let body = SecretString::from(bulletin.body.clone());
    let message = Message {
        id: &id,
        at: session.clock.now(),
        kind: "worklist",
        target: &spec.name,
        to,
        person: "",
        login: "",
        subject: &bulletin.subject,
        body: &body,
        password: None,
        tasks: Some(&bulletin.data),
    };
    let sent = match Post::open(&delivery.settings) {
        Ok(post) => post.send(&message).await,
        Err(error) => Err(error),
    };
    let number = bulletin.tasks.len();
    match sent {
        Ok(()) => {
            report
                .remarks
                .push(format!("the list was sent: {number} to do"));
            let now = Sent {
                tasks: bulletin.tasks,
            };
            keep(session, spec, &told, &now)
        }
        Err(why) => {
            report.remarks.push(format!(
                "the list ({number} to do) could NOT be sent: {why}; it lies in {}",
                settings.path.join("worklist.html").display()
            ));
            report.outcome = report.outcome.max(Outcome::Held);
            if report.retry == Retry::No {
                report.retry = Retry::Soon;
            }
            keep(session, spec, &told, &known)
        }
    }
}

/// The same list has the same id, so that whoever receives it can tell a repetition.
fn id(target: &str, bulletin: &Bulletin) -> String {
    let mut hash = Sha256::new();
    hash.update(target);
    for task in &bulletin.tasks {
        hash.update(format!("\0{task}"));
    }
    let digest = hash.finalize();
    digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

fn keep(
    session: &Session,
    spec: &TargetSpec,
    before: &Sent,
    now: &Sent,
) -> Result<(), EngineError> {
    if before == now {
        return Ok(());
    }
    let write = DocumentWrite {
        kind: SENT,
        key: &spec.name,
        value: (!now.tasks.is_empty()).then_some(now),
    };
    Ok(tokio::task::block_in_place(|| {
        session.state.set_documents(&[write])
    })?)
}
