//! Letters: from passwords that were confirmed to people who were told.
//!
//! Before a letter is sent it stands in the outbox, durably; after it, that it was handed over. A crash between the two sends
//! it once more, under the same id. A letter that is known to be handed over is never sent again.
//! What cannot be delivered is tried for a while, with growing pauses, then given up and reported in every run.

mod desk;
mod discard;
mod outbox;
mod warn;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::handover::{HANDOVER, Handover};
use super::result::{Retry, TargetReport};
use super::{EngineError, Session, Snapshot};
use crate::config::{DeliverySpec, TargetSpec};
use crate::deliver::{DeliverError, Message, Post};
use crate::model::{Anchor, Change, Identity, Letter, Outcome, PasswordState, Shadow};
use crate::reconcile::letters::{Directory, LetterRule, Words, kind_for};
use crate::store::{DocumentWrite, Purpose, State};
use outbox::About;
use warn::Look;

pub use outbox::{Posted, Standing};

/// So many failures in a row, and the receiver is left alone until the next run.
const FAILURES: usize = 3;
/// For at least so long it is left alone then.
const LEFT_ALONE: Duration = Duration::from_secs(60);

/// People as this run read them.
struct Known<'a> {
    snapshot: &'a Snapshot,
    state: &'a State,
    target: &'a str,
}

impl Directory for Known<'_> {
    fn person(&self, anchor: &Anchor) -> Option<Arc<Identity>> {
        self.snapshot.identity(anchor, self.state).ok().flatten()
    }

    fn named(&self, dn: &str) -> Option<Arc<Identity>> {
        self.person(self.snapshot.by_dn(dn)?)
    }

    fn shadow(&self, anchor: &Anchor) -> Option<Shadow> {
        self.state.shadow(self.target, anchor).ok().flatten()
    }
}

/// The letters that go with changes, and the warnings that are due, for showing them. Sends nothing.
pub(super) fn foresee(
    session: &Session,
    spec: &TargetSpec,
    snapshot: &Snapshot,
    changes: &[Arc<Change>],
) -> Result<Vec<Letter>, EngineError> {
    let Some(delivery) = &session.config.delivery else {
        return Ok(Vec::new());
    };
    let known = Known {
        snapshot,
        state: &session.state,
        target: &spec.name,
    };
    let mut letters = delivery.letters.plan(&spec.name, changes, &known);
    letters.extend(warn::foresee(session, spec, &known)?);
    Ok(letters)
}

/// Everything that one round of delivery for a target needs.
struct Round<'a> {
    session: &'a Session,
    spec: &'a TargetSpec,
    known: Known<'a>,
    now: Timestamp,
    remarks: Vec<String>,
    handed: usize,
}

/// Writes the letters that are due and sends them. What comes of it goes into the report.
pub(super) async fn post(
    session: &Session,
    spec: &TargetSpec,
    snapshot: &Snapshot,
    report: &mut TargetReport,
) -> Result<(), EngineError> {
    let mut round = Round {
        session,
        spec,
        known: Known {
            snapshot,
            state: &session.state,
            target: &spec.name,
        },
        now: session.clock.now(),
        remarks: Vec::new(),
        handed: 0,
    };
    tokio::task::block_in_place(|| {
        round.collect()?;
        round.warn()
    })?;
    if let Some(delivery) = &session.config.delivery {
        round.send(delivery).await?;
    }
    round.tell(report)
}

impl Round<'_> {
    /// From passwords that people are to be told to letters in the outbox.
    fn collect(&mut self) -> Result<(), EngineError> {
        let state = &self.session.state;
        let prefix = format!("{}/", self.spec.name);
        let rules = self.session.config.delivery.as_ref().map(|d| &d.letters);
        let mut letters = Vec::new();
        let mut done = Vec::new();
        let mut untold = 0_usize;
        for (key, handover) in state.documents::<Handover>(HANDOVER)? {
            if !key.starts_with(&prefix) {
                continue;
            }
            let shadow = state.shadow(&self.spec.name, &handover.label.anchor)?;
            let set = |shadow: &Shadow| {
                let password = shadow.password;
                password.generation >= handover.label.generation
                    && password.state != PasswordState::Pending
            };
            let Some(shadow) = shadow.filter(set) else {
                continue;
            };
            let kind = kind_for(handover.step);
            let rule = kind.and_then(|kind| rules?.rule(kind, &self.spec.name));
            if let (Some(kind), Some(_)) = (kind, rule) {
                let about = About::Password(handover.label);
                letters.push(Posted::new(kind, shadow.label, about, self.now));
                done.push(key);
            } else {
                untold += 1;
            }
        }
        if untold > 0 {
            self.remarks.push(format!(
                "{untold} new passwords are sealed and no letter tells them: add [delivery.welcome] or [delivery.reset]"
            ));
        }
        if letters.is_empty() {
            return Ok(());
        }
        // A letter that is there already was collected before a crash; where it stands must not be forgotten.
        let mut new = Vec::new();
        for letter in &letters {
            if !outbox::has(state, letter)? {
                new.push(letter);
            }
        }
        outbox::write(state, &new)?;
        let removals: Vec<_> = done
            .iter()
            .map(|key| DocumentWrite::<Handover> {
                kind: HANDOVER,
                key,
                value: None,
            })
            .collect();
        Ok(state.set_documents(&removals)?)
    }

    /// From windows that close soon to letters in the outbox, one for each person and moment.
    fn warn(&self) -> Result<(), EngineError> {
        let Some(rule) = warn::rule(self.session, self.spec) else {
            return Ok(());
        };
        let mut letters = Vec::new();
        let mut look = Look::new(self.session, self.spec, &self.known, self.now)?;
        for one in look.closing(rule.lead)? {
            let letter = one.posted(self.spec, self.now);
            if !outbox::has(&self.session.state, &letter)? {
                letters.push(letter);
            }
        }
        if letters.is_empty() {
            return Ok(());
        }
        let letters: Vec<_> = letters.iter().collect();
        Ok(outbox::write(&self.session.state, &letters)?)
    }

    /// Sends what is due, one letter after the other.
    async fn send(&mut self, delivery: &DeliverySpec) -> Result<(), EngineError> {
        let mut all = outbox::read(&self.session.state, Some(&self.spec.name))?;
        tokio::task::block_in_place(|| discard::leftovers(self.session, &mut all, self.now))?;
        outbox::tidy(&self.session.state, &all, self.now)?;
        let mut due: Vec<_> = all.into_iter().filter(|l| l.is_due(self.now)).collect();
        // One that nobody takes keeps none from being tried for the first time.
        due.sort_by_key(Posted::tries);
        if due.is_empty() {
            return Ok(());
        }
        let post = match Post::open(&delivery.settings) {
            Ok(post) => post,
            Err(error) => {
                self.remarks.push(format!("letters wait: {error}"));
                return Ok(());
            }
        };
        let mut failures = 0;
        for mut letter in due {
            if failures >= FAILURES || self.session.stop.is_cancelled() {
                break;
            }
            let sent = self.one(&letter, delivery, &post).await;
            let give_up = delivery.settings.give_up_after;
            let give_up = SignedDuration::try_from(give_up).unwrap_or(SignedDuration::MAX);
            match sent {
                Ok(to) => {
                    failures = 0;
                    self.handed += 1;
                    letter.to = to;
                    letter.standing = Standing::Handed { at: self.now };
                }
                Err(Unsent::Superseded) => {
                    letter.give_up("a newer password took its place".to_owned(), self.now);
                    self.forget(&letter)?;
                }
                Err(Unsent::Overtaken) => {
                    letter.give_up(
                        "the window closes at another time, or not any more".to_owned(),
                        self.now,
                    );
                }
                // Nothing was sent and nothing was tried: it simply waits.
                Err(Unsent::NotNow) => continue,
                Err(Unsent::Post(DeliverError::Never(why))) => letter.give_up(why, self.now),
                Err(Unsent::Post(DeliverError::Later(why))) => {
                    failures += 1;
                    letter.failed(why, self.now, give_up);
                }
                Err(Unsent::Address(why)) => letter.failed(why, self.now, give_up),
            }
            self.record(&letter)?;
        }
        Ok(())
    }

    /// Makes durable where a letter stands, then forgets the password that nobody needs any more.
    fn record(&self, letter: &Posted) -> Result<(), EngineError> {
        tracing::info!(
            target: "provost::letter",
            id = letter.id(),
            target_name = letter.target,
            kind = letter.kind.as_str(),
            handed = matches!(letter.standing, Standing::Handed { .. }),
        );
        tokio::task::block_in_place(|| {
            outbox::write(&self.session.state, &[letter])?;
            match letter.standing {
                Standing::Handed { .. } => self.forget(letter),
                Standing::Waiting { .. } | Standing::GivenUp { .. } => Ok(()),
            }
        })
    }

    /// Forgets the password of a letter that needs it no more.
    fn forget(&self, letter: &Posted) -> Result<(), EngineError> {
        if let (Some(label), Some(vault)) = (letter.spent(), &self.session.vault) {
            vault.forget(&[label])?;
        }
        Ok(())
    }

    async fn one(
        &self,
        letter: &Posted,
        delivery: &DeliverySpec,
        post: &Post,
    ) -> Result<String, Unsent> {
        let rule = delivery.letters.rule(letter.kind, &letter.target);
        let rule = rule.ok_or_else(|| {
            Unsent::Address(format!(
                "[delivery.{}] is not configured any more",
                letter.kind
            ))
        })?;
        let later = |why: String| Unsent::Post(DeliverError::Later(why));
        let shadow = self
            .known
            .shadow(&letter.anchor)
            .ok_or(Unsent::Superseded)?;
        let closes = self.closes(letter, &shadow)?;
        let password = self.password(letter, &shadow)?;
        let to = delivery
            .letters
            .address(rule, &letter.anchor, &self.known)
            .map_err(Unsent::Address)?;
        let words = self.words(letter, &shadow, closes);
        let rendered = render(rule, &words, password.as_ref()).map_err(later)?;
        let message = Message {
            id: &letter.id(),
            at: letter.written,
            kind: letter.kind.as_str(),
            target: &letter.target,
            to: &to,
            person: &words.person,
            login: &words.login,
            subject: &rendered.subject,
            body: &rendered.body,
            password: password.as_ref(),
            tasks: None,
        };
        post.send(&message).await.map_err(Unsent::Post)?;
        Ok(to)
    }

    /// The moment that a letter warns of, as the person would say it, if it is still the right one.
    fn closes(&self, letter: &Posted, shadow: &Shadow) -> Result<Option<String>, Unsent> {
        let Some(at) = letter.closes else {
            return Ok(None);
        };
        let look = Look::new(self.session, self.spec, &self.known, self.now);
        let mut look =
            look.map_err(|error| Unsent::Post(DeliverError::Later(error.to_string())))?;
        match look.closes(&letter.anchor, shadow) {
            Some((found, said)) if found == at => Ok(Some(said)),
            Some(_) | None => Err(Unsent::Overtaken),
        }
    }

    /// The password that a letter tells, if it is still the right one.
    fn password(
        &self,
        letter: &Posted,
        shadow: &Shadow,
    ) -> Result<Option<secrecy::SecretString>, Unsent> {
        let later = |why: String| Unsent::Post(DeliverError::Later(why));
        let Some(label) = &letter.label else {
            return Ok(None);
        };
        let current = match label.purpose {
            Purpose::Managed => shadow.password.kept == Some(label.generation),
            Purpose::Initial | Purpose::Temporary | Purpose::Fuzz => {
                shadow.password.generation == label.generation
            }
        };
        if !current {
            return Err(Unsent::Superseded);
        }
        // Who may not log in is told when they may.
        if !shadow.suspended.is_empty() {
            return Err(Unsent::NotNow);
        }
        let vault = self.session.vault.as_ref();
        let vault =
            vault.ok_or_else(|| later("there is no [secrets] in the configuration".to_owned()))?;
        match vault.reveal(label) {
            Ok(Some(secret)) => Ok(Some(secret)),
            Ok(None) => Err(Unsent::Post(DeliverError::Never(
                "the password is not sealed any more".to_owned(),
            ))),
            Err(error) => Err(later(error.to_string())),
        }
    }

    fn words(&self, letter: &Posted, shadow: &Shadow, closes: Option<String>) -> Words {
        let mut unique = self.spec.mapping.rules().iter().filter(|rule| rule.unique);
        let login = unique
            .find_map(|rule| shadow.attributes.get(&rule.name))
            .map(ToString::to_string);
        let account = shadow.account.as_ref().map(|id| id.0.clone());
        Words {
            person: letter.person.clone(),
            login: login.or(account).unwrap_or_default(),
            target: letter.target.clone(),
            closes,
        }
    }

    /// Into the report, without addresses and passwords.
    fn tell(mut self, report: &mut TargetReport) -> Result<(), EngineError> {
        let all = outbox::read(&self.session.state, Some(&self.spec.name))?;
        if self.handed > 0 {
            self.remarks
                .push(format!("{} letters were handed over", self.handed));
        }
        let mut attention = false;
        for letter in &all {
            match &letter.standing {
                Standing::Waiting { tries, why, .. } if *tries > 0 => {
                    attention = true;
                    self.remarks.push(format!(
                        "the letter \"{}\" for {} waits: {why}",
                        letter.kind, letter.person
                    ));
                }
                Standing::GivenUp { why, .. } if letter.is_current(&self.known) => {
                    attention = true;
                    self.remarks.push(format!(
                        "the letter \"{}\" for {} was GIVEN UP: {why}; see `provost delivery list`, then `provost delivery retry`",
                        letter.kind, letter.person
                    ));
                }
                Standing::Waiting { .. } | Standing::Handed { .. } | Standing::GivenUp { .. } => {}
            }
        }
        if attention {
            report.outcome = report.outcome.max(Outcome::Held);
        }
        let next = all.iter().filter_map(|letter| match letter.standing {
            Standing::Waiting { tries, next, .. } if tries > 0 => Some(next),
            Standing::Waiting { .. } | Standing::Handed { .. } | Standing::GivenUp { .. } => None,
        });
        // A letter alone is no reason to ask an application sooner than it wants to be asked.
        if let (Some(next), Retry::No) = (next.min(), report.retry) {
            // What is overdue was left alone because the receiver did not answer for others.
            let pause = Duration::try_from(next.duration_since(self.now)).unwrap_or_default();
            report.retry = Retry::After(pause.max(LEFT_ALONE));
        }
        report.remarks.append(&mut self.remarks);
        Ok(())
    }
}

impl Posted {
    /// Whether its password is still the one that counts, so that somebody must be told.
    fn is_current(&self, known: &Known<'_>) -> bool {
        let (Some(label), Some(shadow)) = (&self.label, known.shadow(&self.anchor)) else {
            return false;
        };
        shadow.password.generation == label.generation
            || shadow.password.kept == Some(label.generation)
    }
}

/// Why a letter was not sent.
enum Unsent {
    /// What it tells is not true any more.
    Superseded,
    /// The window that it warns of was moved, or is past.
    Overtaken,
    /// It is not for now.
    NotNow,
    /// There is no address, or no rule.
    Address(String),
    /// The receiver did not take it.
    Post(DeliverError),
}

fn render(
    rule: &LetterRule,
    words: &Words,
    password: Option<&secrecy::SecretString>,
) -> Result<crate::reconcile::letters::Rendered, String> {
    let rendered = rule.template.render(words, password);
    rendered.map_err(|why| format!("the template cannot be filled: {why}"))
}
