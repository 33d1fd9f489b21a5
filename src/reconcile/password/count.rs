//! Counting the passwords that keep a policy, character by character.
//!
//! The state after some characters is: how many of each class are still missing, the class of the last character, and how
//! often that one was repeated. How many passwords lead to each state is a number that fits: 100 to the 128th is below the
//! largest double.

use super::{Class, PasswordPolicy};

/// Alphabets and lengths are small.
fn number(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}

/// How many passwords of this length there are without any rule.
pub(super) fn all(alphabet: usize, length: usize) -> f64 {
    (0..length).fold(1.0, |product, _| product * number(alphabet))
}

/// One class: how many characters it has, how many of it are needed, whether it may come first.
struct Kind {
    size: f64,
    least: usize,
    /// What one missing character of this class adds to the number of a state.
    stride: usize,
    first: bool,
}

/// How many passwords keep the policy, for every length from 0 up to this one.
pub(super) fn up_to(policy: &PasswordPolicy, length: usize) -> Vec<f64> {
    let mut states = 1;
    let mut kinds = Vec::new();
    for (class, least) in &policy.classes {
        kinds.push(Kind {
            size: number(policy.characters(*class).len()),
            least: *least,
            stride: states,
            first: !policy.begin_with_letter || matches!(class, Class::Lower | Class::Upper),
        });
        states *= least + 1;
    }
    // Without a limit, repetitions need not be told apart.
    let runs = policy.max_repeat.unwrap_or(1);
    let cell =
        |missing: usize, kind: usize, run: usize| (missing * kinds.len() + kind) * runs + run;
    let satisfied = |ways: &[f64]| -> f64 { ways.iter().take(kinds.len() * runs).sum() };
    let full: usize = kinds.iter().map(|kind| kind.least * kind.stride).sum();
    let mut ways = vec![0.0; states * kinds.len() * runs];
    let mut counts = vec![f64::from(u8::from(full == 0))];
    for (at, kind) in kinds.iter().enumerate().filter(|(_, kind)| kind.first) {
        add(&mut ways, cell(kind.after(full), at, 0), kind.size);
    }
    for _ in 1..=length {
        counts.push(satisfied(&ways));
        let mut next = vec![0.0; ways.len()];
        for (state, before) in ways.iter().enumerate().filter(|(_, n)| **n > 0.0) {
            let (missing, last, run) = (
                state / runs / kinds.len(),
                state / runs % kinds.len(),
                state % runs,
            );
            for (at, kind) in kinds.iter().enumerate() {
                let after = kind.after(missing);
                let others = if at == last && policy.max_repeat.is_some() {
                    if run + 1 < runs {
                        add(&mut next, cell(after, at, run + 1), *before);
                    }
                    kind.size - 1.0
                } else {
                    kind.size
                };
                add(&mut next, cell(after, at, 0), before * others);
            }
        }
        ways = next;
    }
    counts
}

fn add(ways: &mut [f64], cell: usize, more: f64) {
    if let Some(ways) = ways.get_mut(cell) {
        *ways += more;
    }
}

impl Kind {
    /// What is missing after one more character of this class.
    fn after(&self, missing: usize) -> usize {
        let still = missing / self.stride % (self.least + 1);
        if still != 0 {
            missing - self.stride
        } else {
            missing
        }
    }
}
