//! Faults of a plan, each with its position and a remedy; printed plainly and bounded.

use std::fmt;

use super::path::Path;
pub(crate) use crate::text::{did_you_mean, quoted};

/// The most faults kept: a file with more is the wrong file.
const MAX_KEPT: usize = 1_000;
/// The most faults printed before "… and N more".
const MAX_PRINTED: usize = 50;

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
        let (source, path, message) = (source.to_owned(), path.to_string(), message.into());
        let fault = Fault { source, position, path, message };
        // A default may be wrong for each scenario.
        if self.list.last() != Some(&fault)
            && !(fault.path.starts_with("defaults") && self.list.contains(&fault))
        {
            self.list.push(fault);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
