//! "Did you mean": the nearest of some known words to one that is not known.

/// The known word nearest to `word`, if one is near enough to be what was meant.
///
/// Case, underscores and spaces do not count as differences; besides, about a third of the letters may differ.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // A long word is no slip of the keyboard, and comparing costs length times length.
    if word.len() > 64 {
        return None;
    }
    let word = fold(word);
    let allowed = (word.len() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(&word, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> Vec<char> {
    word.chars()
        .map(|c| if matches!(c, '_' | ' ') { '-' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

/// Edit distance in which swapping two neighbours counts once (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at =
                |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
            let swap = at(&last, j) + usize::from(x != y);
            let mut best = swap.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found() {
        let known = ["page-size", "bind-name", "bind-password", "bases", "urls"];
        for (word, meant) in [
            ("page_size", Some("page-size")),
            ("Page-Size", Some("page-size")),
            ("bind-pasword", Some("bind-password")),
            ("bsaes", Some("bases")),
            ("url", Some("urls")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1000), known), None);
    }
}
