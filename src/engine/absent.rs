//! Asks a directory again about people whom a complete read did not return: the second witness of an absence.
//!
//! A look by anchor counts like one more complete read, so that a leaver is stopped in the run that notices, if the
//! directory knows nobody by that anchor, or only outside of what it is searched for. Few are asked about: many at once are
//! no ordinary day, and wait for the next complete read. Whatever goes wrong here proves nothing.

use super::{EngineError, Session};
use crate::model::{Anchor, Life};
use crate::reconcile::absence::{self, Again, Said};
use crate::source::{AnchorRead, FetchRequest, Source};

/// More people than this are not asked about.
pub(super) const ASKED: usize = 25;

impl Session {
    /// Asks again about those whom a complete read lacks for the first time, as far as they have something to lose;
    /// `None` are too many.
    ///
    /// # Errors
    /// When the store fails. That the directory did not answer means that nobody is confirmed.
    pub(super) async fn ask_again(
        &self,
        source: &str,
        reader: &dyn Source,
        absent: Option<Vec<Anchor>>,
    ) -> Result<Again, EngineError> {
        let Some(mut absent) = absent else {
            tracing::info!(
                source,
                "more than {ASKED} people are missing from the read at once; none is confirmed before the next one"
            );
            return Ok(Again::default());
        };
        let holders = absent
            .iter()
            .map(|anchor| self.holds_account(source, anchor));
        let holders = holders.collect::<Result<Vec<bool>, EngineError>>()?;
        let mut holders = holders.into_iter();
        absent.retain(|_| holders.next().unwrap_or(false));
        if absent.is_empty() {
            return Ok(Again::default());
        }
        let answers = match reader.read_anchors(&absent, &FetchRequest::default()).await {
            Ok(answers) => answers,
            Err(why) => {
                tracing::warn!(source, %why, "nobody's absence could be confirmed by anchor; the next read decides");
                return Ok(Again::default());
            }
        };
        let answers = absent.into_iter().zip(answers).map(|(anchor, answer)| {
            let said = match answer {
                AnchorRead::Gone | AnchorRead::Elsewhere(_) => Said::NotThere,
                AnchorRead::Present(_) => Said::There,
                AnchorRead::Unknown(why) => {
                    tracing::debug!(source, %anchor, why, "absence not confirmed by anchor");
                    Said::Nothing
                }
            };
            (anchor, said)
        });
        Ok(absence::weigh(answers))
    }

    /// Whether somebody has an account in any target of a source.
    fn holds_account(&self, source: &str, anchor: &Anchor) -> Result<bool, EngineError> {
        for target in self.config.targets.iter().filter(|t| t.source == source) {
            let shadow = self.state.shadow(&target.name, anchor)?;
            if shadow.is_some_and(|shadow| !matches!(shadow.life, Life::Tombstone { .. })) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
