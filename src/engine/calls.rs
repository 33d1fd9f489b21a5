//! Calls to an application, one for each step or one for many new accounts, as many at a time as it stands.
//! Whoever makes them decides nothing about those that are to come.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::abreast::Abreast;
use super::book::{Book, Step};
use super::orders::frozen;
use super::perform::{Performed, draft, judge, perform};
use super::result::ChangeStatus;
use crate::model::{AccountDraft, Action, Change};
use crate::store::{Intent, OpId, ShadowMove};
use crate::target::ConnectorError;

/// Why a change was not begun although nothing was wrong.
const INTERRUPTED: &str = "the run was asked to end early";

/// What is asked before every call, on whichever core it is made.
pub(super) struct Gate {
    /// Cancelled when nothing more should be begun.
    stop: CancellationToken,
    /// Set as soon as it is known that no further call makes sense.
    shut: AtomicBool,
    /// Why nothing more may be begun, as of so many writes to our own records.
    halted: Mutex<Option<(u64, Option<String>)>>,
}

impl Gate {
    /// Open until this token is cancelled.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            shut: AtomicBool::new(false),
            halted: Mutex::default(),
        }
    }

    /// No further call makes sense.
    pub(super) fn shut(&self) {
        self.shut.store(true, Ordering::Relaxed);
    }

    /// What is not begun yet is left to another run.
    pub(super) fn set_aside(&self) {
        self.stop.cancel();
    }

    /// Why nothing more may be begun, although nothing is wrong with the application.
    fn halt(&self, book: &Book) -> Option<String> {
        if self.stop.is_cancelled() {
            return Some(INTERRUPTED.to_owned());
        }
        // Asked before every call: the records themselves are read only when they have changed.
        let writes = book.state.document_writes();
        let mut halted = self.halted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((as_of, why)) = &*halted
            && *as_of == writes
        {
            return why.clone();
        }
        let why = match frozen(&book.state, &book.target) {
            Ok(freeze) => freeze.map(|freeze| freeze.to_string()),
            Err(error) => Some(error.to_string()),
        };
        *halted = Some((writes, why.clone()));
        why
    }
}

/// Whoever makes calls.
pub(super) struct Caller {
    pub book: Book,
    pub gate: Gate,
}

/// One change whose call has ended.
pub(super) struct Done {
    pub change: Arc<Change>,
    pub op: OpId,
    pub performed: Performed,
}

impl Caller {
    /// Why nothing more may be begun, although nothing is wrong with the application.
    pub(super) fn halt(&self) -> Option<String> {
        self.gate.halt(&self.book)
    }

    /// Why a call is not made after all.
    /// Asked before each: an order to end or a freeze holds from one call to the next, however long the run is.
    fn hold_back(&self) -> Option<String> {
        let stopped = || "the application stopped answering".to_owned();
        let shut = || self.gate.shut.load(Ordering::Relaxed);
        self.halt().or_else(|| shut().then(stopped))
    }

    /// How many calls the application stands at a time.
    pub(super) fn parallelism(&self) -> usize {
        self.book.writer.capabilities().parallelism.max(1)
    }

    async fn one(self: Arc<Self>, step: Step) -> Vec<Done> {
        let bench = self.book.bench();
        let performed = match self.hold_back() {
            Some(why) => not_begun(*step.intent, &why),
            None => perform(&step.change, *step.intent, step.password.as_ref(), &bench).await,
        };
        vec![self.done(step.change, step.op, performed)]
    }

    /// Creates several accounts by as few requests as the target needs.
    async fn several(self: Arc<Self>, steps: Vec<Step>) -> Vec<Done> {
        let held_back = self.hold_back();
        let mut answers = Vec::new();
        if held_back.is_none() {
            let drafts: Vec<AccountDraft> = steps.iter().map(|step| draft(&step.change)).collect();
            answers = self.book.writer.create_together(drafts).await;
        }
        let bench = self.book.bench();
        let mut answers = answers.into_iter();
        let mut done = Vec::with_capacity(steps.len());
        for step in steps {
            let performed = match (&held_back, answers.next()) {
                (Some(why), _) => not_begun(*step.intent, why),
                (None, answer) => {
                    let unsaid =
                        || Err(ConnectorError::Ambiguous("there was no answer".to_owned()));
                    let answer = answer.unwrap_or_else(unsaid);
                    judge(&step.change, *step.intent, answer.map(Some), &bench)
                }
            };
            done.push(self.done(step.change, step.op, performed));
        }
        done
    }

    fn done(&self, change: Arc<Change>, op: OpId, performed: Performed) -> Done {
        if performed.stop.is_some() {
            self.gate.shut();
        }
        Done {
            change,
            op,
            performed,
        }
    }
}

/// A step whose call was never made: nothing happened, so the shadow stays.
fn not_begun(intent: Intent, why: &str) -> Performed {
    let shadow = intent.before.map_or(ShadowMove::Keep, ShadowMove::Put);
    Performed {
        status: ChangeStatus::Skipped(why.to_owned()),
        shadow,
        stop: None,
        conflict: None,
    }
}

/// Steps that wait for their call, and calls under way.
pub(super) struct Calls {
    caller: Arc<Caller>,
    /// How many new accounts go into one call.
    together: usize,
    waiting: VecDeque<Step>,
    under_way: Abreast<Vec<Done>>,
}

impl Calls {
    /// None yet.
    pub(super) fn new(caller: &Arc<Caller>) -> Self {
        Self {
            caller: Arc::clone(caller),
            together: caller.book.writer.creates_together(),
            waiting: VecDeque::new(),
            under_way: Abreast::new(caller.parallelism()),
        }
    }

    /// How many steps wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether every call has ended.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_idle()
    }

    /// Adds steps whose intents are durable.
    pub(super) fn add(&mut self, steps: Vec<Step>) {
        self.waiting.extend(steps);
        self.begin();
    }

    /// The steps of the next call that ends; `None` when every call has ended. May be dropped while it waits.
    pub(super) async fn ended(&mut self) -> Option<Vec<Done>> {
        let done = self.under_way.ended().await;
        self.begin();
        done
    }

    /// Waits for what was sent; what was not is not sent any more.
    pub(super) async fn abandon(&mut self) {
        self.waiting.clear();
        while self.under_way.ended().await.is_some() {}
    }

    fn begin(&mut self) {
        while self.under_way.has_room()
            && let Some(step) = self.waiting.pop_front()
        {
            let caller = Arc::clone(&self.caller);
            if self.together < 2 || !is_plain_create(&step) {
                self.under_way.begin(caller.one(step));
                continue;
            }
            let mut steps = Vec::with_capacity(self.together);
            steps.push(step);
            while steps.len() < self.together
                && let Some(step) = self.waiting.pop_front_if(|step| is_plain_create(step))
            {
                steps.push(step);
            }
            self.under_way.begin(caller.several(steps));
        }
    }
}

/// Whether a step makes an account and nothing else. A first password goes to an account of its own, right after it was
/// made.
fn is_plain_create(step: &Step) -> bool {
    step.change.action == Action::Create && step.change.password.is_none()
}
