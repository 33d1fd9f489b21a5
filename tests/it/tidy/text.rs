//! Just enough of Rust's text for the tidy rules: comments, the test part of a file, paths from the crate's root.

/// A file as its lines, comments blanked, with the line at which its test modules begin.
#[derive(Debug)]
pub struct Source {
    lines: Vec<String>,
    tests_from: usize,
}

impl Source {
    pub fn new(content: &str) -> Self {
        let lines: Vec<String> = content.lines().map(uncommented).collect();
        // `#[cfg(test)]` before `mod name {`: from there on it is tests. Before anything else it hides one item only.
        let starts = |n: &usize| {
            lines[*n].trim() == "#[cfg(test)]"
                && lines[n + 1..]
                    .iter()
                    .find(|l| !l.trim().starts_with("#["))
                    .is_some_and(|l| l.starts_with("mod "))
        };
        let tests_from = (0..lines.len()).find(starts).unwrap_or(lines.len());
        Self { lines, tests_from }
    }

    /// Numbered lines of the program itself.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines[..self.tests_from]
            .iter()
            .enumerate()
            .map(|(n, l)| (n + 1, l.as_str()))
    }

    /// Numbered lines of its test modules.
    pub fn tests(&self) -> Vec<(usize, &str)> {
        let numbered = self
            .lines
            .iter()
            .enumerate()
            .map(|(n, l)| (n + 1, l.as_str()));
        numbered.skip(self.tests_from).collect()
    }

    pub const fn code_len(&self) -> usize {
        self.tests_from
    }

    /// Whether an `allow` or `expect` of clippy's same lint, which must give its reason, stands just above.
    pub fn allowed_near(&self, line: usize) -> bool {
        let lints = [
            "clippy::expect_used",
            "clippy::unwrap_used",
            "clippy::panic",
            "clippy::unreachable",
        ];
        self.lines[line.saturating_sub(8)..line]
            .iter()
            .any(|l| lints.iter().any(|lint| l.contains(lint)))
    }
}

/// The line without its `//` comment. A `//` inside a string has no space before it (`https://`), or costs nothing.
fn uncommented(line: &str) -> String {
    if line.trim_start().starts_with("//") {
        return String::new();
    }
    line.split_once(" // ")
        .or_else(|| line.split_once(" /// "))
        .map_or(line, |(code, _)| code)
        .to_owned()
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether the code names this path as whole words: `sled` in `sled::Db`, not in `assembled` or `my_sled`.
pub fn has_path(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + path.len()..].chars().next();
        let quoted = code[..at].matches('"').count() % 2 == 1;
        !quoted
            && !before.is_some_and(|c| is_word(c) || c == '.' && path != "await")
            && !after.is_some_and(is_word)
    })
}

/// Every first segment after `crate::`, groups unfolded, with its line.
pub fn crate_rooms(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let text: String = source.code().flat_map(|(_, l)| [l, "\n"]).collect();
    for (at, word) in text.match_indices("crate::") {
        if text[..at].ends_with(is_word) {
            continue;
        }
        let line = text[..at].matches('\n').count() + 1;
        let rest = &text[at + word.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(group_heads(group).into_iter().map(|head| (line, head)));
        } else {
            found.push((line, rest.chars().take_while(|c| is_word(*c)).collect()));
        }
    }
    found
}

/// The first segments of a `use` group, given from behind its opening brace.
fn group_heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut head, mut open) = (Vec::new(), 0_u32, String::new(), true);
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(std::mem::take(&mut head));
                open = true;
            }
            c if depth == 0 && open && is_word(c) => head.push(c),
            c if depth == 0 && !c.is_whitespace() => open = false,
            _ => {}
        }
    }
    heads.push(head);
    heads.retain(|h| !h.is_empty());
    heads
}

/// Whether a chain of `super::` in the file `path` (below `src/`) climbs up to the crate.
pub fn supers_out_of(path: &str, code: &str) -> bool {
    let names: Vec<_> = path
        .trim_end_matches(".rs")
        .split('/')
        .filter(|n| *n != "mod")
        .collect();
    let chain = "super::".repeat(names.len());
    path.contains('/') && has_path_prefix(code, &chain)
}

fn has_path_prefix(code: &str, chain: &str) -> bool {
    code.match_indices(chain)
        .any(|(at, _)| !code[..at].ends_with(is_word) && !code[..at].ends_with(':'))
}
