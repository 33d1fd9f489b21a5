//! What a person is still to be told, as whoever sets passwords leaves it for whoever delivers them.

use serde::{Deserialize, Serialize};

use crate::model::PasswordStep;
use crate::store::Label;

/// The kind of document that says which sealed password a person is still to be told.
/// The key is the target and the anchor with a slash between them.
pub const HANDOVER: &str = "password-handover";

/// A sealed password that the person is to be told once it is confirmed: when the shadow's `password.generation` has
/// reached the label's. Whoever delivered it removes the document, and forgets it unless it is the managed one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Handover {
    /// Where it is sealed.
    pub label: Label,
    /// Why there is a new one.
    pub step: PasswordStep,
}
