//! What is not known is a switch; what is known carries a label that says how well.

use std::collections::BTreeSet;
use std::fmt;

/// Where a fact comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Label {
    /// The vendor's own reference, SDK or support article.
    Vendor,
    /// The vendor's help page for administrators.
    HelpPage,
    /// Public code or notes of others, written against the real interface.
    Observed,
    /// A guess from a convention, a standard or an analogy.
    Assumed,
}

/// Names the fact that a test of a simulator is about, with its evidence; shown when the test fails.
#[expect(clippy::print_stdout, reason = "a test shows it only when it fails")]
pub fn fact(label: Label, what: &str) {
    println!("{label:?}: {what}");
}

/// Something that may be one way or another. The first option is the default.
#[derive(Debug)]
pub struct Switch {
    /// Its name.
    pub name: &'static str,
    /// The ways, each with what speaks for it.
    pub options: &'static [(&'static str, Label)],
}

/// One way for each switch.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    table: &'static [Switch],
    row: Vec<usize>,
}

impl PartialEq for Switch {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Switch {}

impl Setting {
    /// The first option of each switch.
    pub fn first(table: &'static [Switch]) -> Self {
        Self {
            table,
            row: vec![0; table.len()],
        }
    }

    /// The same with one switch set.
    pub fn with(mut self, name: &str, option: &str) -> Self {
        let (at, index) = self.find(name, option);
        self.row[at] = index;
        self
    }

    /// Whether a switch is set so.
    pub fn is(&self, name: &str, option: &str) -> bool {
        let (at, index) = self.find(name, option);
        self.row[at] == index
    }

    /// How a switch is set.
    pub fn get(&self, name: &str) -> &'static str {
        let at = self.table.iter().position(|switch| switch.name == name);
        let at = at.unwrap_or_else(|| panic!("there is no switch {name}"));
        self.table[at].options[self.row[at]].0
    }

    fn find(&self, name: &str, option: &str) -> (usize, usize) {
        let at = self.table.iter().position(|switch| switch.name == name);
        let at = at.unwrap_or_else(|| panic!("there is no switch {name}"));
        let options = self.table[at].options;
        let index = options.iter().position(|(word, _)| *word == option);
        (
            at,
            index.unwrap_or_else(|| panic!("{name} has no option {option}")),
        )
    }

    /// Settings in which every pair of options of two switches occurs at least once.
    pub fn pairwise(table: &'static [Switch]) -> Vec<Self> {
        let sizes: Vec<usize> = table.iter().map(|switch| switch.options.len()).collect();
        let rows = pairwise(&sizes);
        rows.into_iter().map(|row| Self { table, row }).collect()
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (switch, &index)) in self.table.iter().zip(&self.row).enumerate() {
            let blank = if n == 0 { "" } else { " " };
            write!(f, "{blank}{}={}", switch.name, switch.options[index].0)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Rows of option numbers that contain every pair of options of two factors, few but not fewest. Always the same rows.
pub fn pairwise(sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut open = all_pairs(sizes);
    let mut rows = Vec::new();
    if sizes.len() < 2 {
        return (0..sizes.first().copied().unwrap_or(1))
            .map(|n| vec![n; sizes.len()])
            .collect();
    }
    while let Some(&(a, x, b, y)) = open.iter().next() {
        let mut row: Vec<Option<usize>> = vec![None; sizes.len()];
        row[a] = Some(x);
        row[b] = Some(y);
        for factor in 0..sizes.len() {
            if row[factor].is_some() {
                continue;
            }
            let gain = |option: usize| {
                let others = row.iter().enumerate();
                let pairs = others.filter_map(|(other, &o)| Some(pair(factor, option, other, o?)));
                pairs.filter(|pair| open.contains(pair)).count()
            };
            // The first of the best options, so that the rows do not depend on chance.
            let best = (0..sizes[factor]).rev().max_by_key(|&option| gain(option));
            row[factor] = best;
        }
        let row: Vec<usize> = row.into_iter().flatten().collect();
        for one in 0..row.len() {
            for two in one + 1..row.len() {
                open.remove(&(one, row[one], two, row[two]));
            }
        }
        rows.push(row);
    }
    rows
}

type Pair = (usize, usize, usize, usize);

fn pair(a: usize, x: usize, b: usize, y: usize) -> Pair {
    if a < b { (a, x, b, y) } else { (b, y, a, x) }
}

fn all_pairs(sizes: &[usize]) -> BTreeSet<Pair> {
    let mut pairs = BTreeSet::new();
    for a in 0..sizes.len() {
        for b in a + 1..sizes.len() {
            for x in 0..sizes[a] {
                pairs.extend((0..sizes[b]).map(|y| (a, x, b, y)));
            }
        }
    }
    pairs
}
