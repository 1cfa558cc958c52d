//! Faults of a plan, each with its position and a remedy; printed plainly and bounded.

use std::fmt;

use super::path::Path;

/// The most faults kept: a file with more is the wrong file.
const MAX_KEPT: usize = 1_000;
/// The most faults printed before "… and N more".
const MAX_PRINTED: usize = 50;
/// The most edits that are a slip of the fingers.
const MAX_EDITS: usize = 2;
/// The most characters of a plan's text that a message quotes.
const MAX_QUOTED_CHARS: usize = 60;

/// A position in the plan's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub(crate) column: u32,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The plan's name as shown to people, or `command line`.
    pub(crate) source: String,
    /// Its position in the text, if it has one.
    pub position: Option<Position>,
    /// The key's path, like `scenarios[1].weight`, or the flag; empty for the whole plan.
    pub(crate) path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Everything that is wrong with a plan, in the order of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    source: String,
    list: Vec<Fault>,
    beyond: usize,
}

impl Faults {
    /// No faults yet, for the plan that messages call `source`.
    pub(super) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), list: Vec::new(), beyond: 0 }
    }

    /// The faults, at most 1,000 of them.
    pub fn list(&self) -> &[Fault] {
        &self.list
    }

    /// The number of faults, including those that were not kept.
    pub fn count(&self) -> usize {
        self.list.len() + self.beyond
    }

    pub(super) fn list_mut(&mut self) -> &mut [Fault] {
        &mut self.list
    }

    /// Whether further faults are only counted, so that their messages need not be built.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MAX_KEPT
    }

    pub(super) fn add(&mut self, position: Option<Position>, path: &Path, message: impl Into<String>) {
        if self.is_full() {
            self.beyond += 1;
            return;
        }
        let source = if path.is_flag() { "command line" } else { &self.source };
        self.list.push(Fault {
            source: source.to_owned(),
            position,
            path: path.to_string(),
            message: message.into(),
        });
    }

    /// Sorted by position, those without one first.
    pub(super) fn sorted(mut self) -> Self {
        self.list.sort_by_key(|fault| fault.position);
        self
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.list.iter().take(MAX_PRINTED).enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{fault}")?;
        }
        match self.count().saturating_sub(MAX_PRINTED) {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more"),
        }
    }
}

impl std::error::Error for Faults {}

/// `text` in backticks for a message: shortened, control characters escaped.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    for (i, c) in text.chars().enumerate() {
        if i == MAX_QUOTED_CHARS {
            shown.push('…');
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown + "`"
}

/// `, did you mean …?` for the candidate nearest to `typed`, or nothing when none is near: at most two edits, and
/// one in three letters.
pub(crate) fn did_you_mean<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    // Longer words than this are not typos.
    if typed.len() > 40 {
        return String::new();
    }
    let lower = typed.to_lowercase();
    let near = candidates
        .into_iter()
        .map(|candidate| (edits(&lower, candidate), candidate))
        .filter(|(edits, candidate)| {
            let letters = |word: &str| word.trim_start_matches('-').chars().count();
            *edits <= MAX_EDITS.min(letters(candidate).max(letters(typed)) / 3)
        })
        .min();
    near.map_or_else(String::new, |(_, candidate)| format!(", did you mean `{candidate}`?"))
}

/// Insertions, deletions, replacements and swaps of adjacent characters that turn `a` into `b`: the optimal
/// string alignment distance (F. J. Damerau, Communications of the ACM 7(3), 1964).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_recognised() {
        let keys = ["weight", "path", "method", "body"];
        assert_eq!(did_you_mean("weigth", keys), ", did you mean `weight`?");
        assert_eq!(did_you_mean("Path", keys), ", did you mean `path`?");
        assert_eq!(did_you_mean("metod", keys), ", did you mean `method`?");
        assert_eq!(did_you_mean("elephant", keys), "");
        assert_eq!(did_you_mean("auth", keys), "");
        assert_eq!(did_you_mean("--http2", ["--help"]), "");
        assert_eq!(did_you_mean("--timeout", ["--join-timeout"]), "");
        assert_eq!(did_you_mean("--hepl", ["--help"]), ", did you mean `--help`?");
        assert_eq!(did_you_mean("rate", ["name"]), "");
        assert_eq!(did_you_mean("", keys), "");
    }

    #[test]
    fn what_is_quoted_is_short_and_harmless() {
        assert_eq!(quoted("a\u{1b}[2Jb\n"), "`a\\u{1b}[2Jb\\n`");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), MAX_QUOTED_CHARS + 3);
    }

    #[test]
    fn printing_is_bounded_and_says_how_many_are_left() {
        let mut faults = Faults::new("plan.yaml");
        for line in 1..=1_200 {
            faults.add(Some(Position { line, column: 1 }), &Path::default(), "wrong");
        }
        let text = faults.to_string();
        assert_eq!(text.lines().count(), MAX_PRINTED + 1);
        assert!(text.starts_with("plan.yaml:1:1: wrong\n"), "{text}");
        assert!(text.ends_with("… and 1150 more"), "{text}");
    }
}
