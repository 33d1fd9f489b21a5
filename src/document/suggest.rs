//! "Did you mean": the nearest of a few known words.

/// The known word nearest to a misspelt one, if any is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = word.to_ascii_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|candidate| {
            let plain = candidate.to_ascii_lowercase().replace('_', "-");
            (distance(&wanted, &plain), candidate)
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters; words here are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let here = (diagonal + usize::from(x != *y))
                .min(left + 1)
                .min(*cell + 1);
            diagonal = *cell;
            *cell = here;
            left = here;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_only_if_it_is_near() {
        let known = ["condition", "groups", "not-groups", "on-missing"];
        assert_eq!(nearest("conditon", known), Some("condition"));
        assert_eq!(nearest("not_groups", known), Some("not-groups"));
        assert_eq!(nearest("onmissing", known), Some("on-missing"));
        assert_eq!(nearest("zebra", known), None);
    }
}
