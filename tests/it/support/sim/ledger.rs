//! What a simulator remembers: its clock, and every effective change in the order in which it took effect.

/// One effective change, one mail, or one thing that should never have been asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Seconds since 1970 by the simulator's clock.
    pub at: i64,
    /// What was done: `create`, `set`, `grant`, `revoke`, `password`, `reassign`, `mail`, `delete` …
    pub verb: &'static str,
    /// To whom or what: a user name, or a kind of work with its number.
    pub on: String,
    /// The change itself, such as `status=inactive`.
    pub detail: String,
}

/// The ledger with its clock.
#[derive(Debug)]
pub struct Ledger {
    /// Seconds since 1970. It starts at the real time, because tokens carry it, and then moves only when a test says so.
    pub now: i64,
    entries: Vec<Entry>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            now: real_time(),
            entries: Vec::new(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens of a simulator expire by the clock of the client that reads them"
)]
fn real_time() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl Ledger {
    /// Writes one line.
    pub fn note(&mut self, verb: &'static str, on: impl Into<String>, detail: impl Into<String>) {
        self.entries.push(Entry {
            at: self.now,
            verb,
            on: on.into(),
            detail: detail.into(),
        });
    }

    /// All lines so far.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Forgets the lines so far: a new chapter of a story begins.
    pub fn turn_page(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// The lines about one subject as `verb detail`.
    pub fn about(&self, on: &str) -> Vec<String> {
        let lines = self.entries.iter().filter(|entry| entry.on == on);
        lines
            .map(|entry| format!("{} {}", entry.verb, entry.detail))
            .collect()
    }

    /// How many lines have this verb.
    pub fn count(&self, verb: &str) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.verb == verb)
            .count()
    }
}
