//! Sets of seconds as sorted half-open intervals, and their algebra.
//!
//! Knows nothing of clocks: the seconds may be instants or civil time, as long as both sides mean the same.

/// Half-open intervals `[from, to)`, sorted, none empty, no two touching.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Spans(Vec<(i64, i64)>);

impl Spans {
    /// No second at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// One interval; nothing if it is empty.
    pub fn one(from: i64, to: i64) -> Self {
        Self::of(vec![(from, to)])
    }

    /// From intervals in any order that may overlap or be empty.
    pub fn of(mut spans: Vec<(i64, i64)>) -> Self {
        spans.retain(|(from, to)| from < to);
        spans.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(spans.len());
        for (from, to) in spans {
            match merged.last_mut() {
                Some(last) if last.1 >= from => last.1 = last.1.max(to),
                Some(_) | None => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, (i64, i64)>> {
        self.0.iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every second that is in either.
    pub fn or(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        Self::of(self.0.iter().chain(&other.0).copied().collect())
    }

    /// Every second that is in both.
    pub fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        while let (Some(&(a, b)), Some(&(c, d))) = (left.peek(), right.peek()) {
            if a.max(c) < b.min(d) {
                both.push((a.max(c), b.min(d)));
            }
            if b <= d {
                left.next();
            } else {
                right.next();
            }
        }
        Self(both)
    }

    /// Every second of this that is not in the other.
    pub fn without(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        let mut rest = Vec::new();
        let mut cuts = other.iter().peekable();
        for (mut from, to) in self.iter() {
            while cuts.peek().is_some_and(|(_, end)| *end <= from) {
                cuts.next();
            }
            let mut ahead = cuts.clone();
            while let Some((cut, end)) = ahead.next_if(|(cut, _)| *cut < to) {
                if from < cut {
                    rest.push((from, cut));
                }
                from = from.max(end);
            }
            if from < to {
                rest.push((from, to));
            }
        }
        Self(rest)
    }

    /// Whether a second is in it.
    pub fn contains(&self, at: i64) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= at);
        after
            .checked_sub(1)
            .and_then(|last| self.0.get(last))
            .is_some_and(|(_, to)| at < *to)
    }

    /// Every edge in `(after, until]` with what holds from it on, in order.
    pub fn edges(&self, after: i64, until: i64) -> impl Iterator<Item = (i64, bool)> + '_ {
        self.0
            .iter()
            .flat_map(|(from, to)| [(*from, true), (*to, false)])
            .filter(move |(at, _)| after < *at && *at <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans() -> impl Strategy<Value = Spans> {
        proptest::collection::vec((0i64..60, 0i64..15), 0..8)
            .prop_map(|list| Spans::of(list.into_iter().map(|(a, n)| (a, a + n)).collect()))
    }

    fn is_tidy(spans: &Spans) -> bool {
        spans.0.iter().all(|(a, b)| a < b) && spans.0.windows(2).all(|w| w[0].1 < w[1].0)
    }

    proptest! {
        #[test]
        fn the_algebra_is_that_of_sets(a in spans(), b in spans()) {
            let (or, and, without) = (a.or(&b), a.and(&b), a.without(&b));
            prop_assert!(is_tidy(&or) && is_tidy(&and) && is_tidy(&without), "{or:?} {and:?} {without:?}");
            for at in -1..80 {
                let (x, y) = (a.contains(at), b.contains(at));
                prop_assert_eq!(or.contains(at), x || y);
                prop_assert_eq!(and.contains(at), x && y);
                prop_assert_eq!(without.contains(at), x && !y);
            }
        }

        #[test]
        fn edges_are_where_the_answer_changes(a in spans(), after in 0i64..40, length in 0i64..40) {
            let until = after + length;
            let edges: Vec<_> = a.edges(after, until).collect();
            let expected: Vec<_> = (after + 1..=until)
                .filter(|at| a.contains(*at) != a.contains(at - 1))
                .map(|at| (at, a.contains(at)))
                .collect();
            prop_assert_eq!(edges, expected);
        }
    }
}
