//! Reads values of a plan and records their faults.
//!
//! The tree of values gives each fault its position and its typed spelling, so that a value from the
//! environment is never shown.

use super::fault::{Faults, quoted};
use super::path::Path;
use super::yaml::{Kind, Node, Value};
use crate::data::Content;
use crate::units;

/// Reads a file by the name in a plan; an error says why it cannot.
pub type ReadFile<'a> = dyn Fn(&str) -> Result<Content, String> + 'a;

/// Reads values of a plan and records their faults, each with its position.
pub(super) struct PlanReader<'a> {
    pub(crate) root: &'a Node,
    pub(crate) faults: &'a mut Faults,
    /// Reads a file that the plan names.
    pub(crate) files: &'a ReadFile<'a>,
}

impl PlanReader<'_> {
    /// Records a fault of the value at `path`, or of a missing one there.
    pub(crate) fn fault(&mut self, path: &Path, message: impl Into<String>) {
        let at = self.root.find(path).and_then(|node| node.at);
        self.faults.add(at, path, message);
    }

    /// Whether there is a value at `path`, valid or not.
    pub(crate) fn is_given(&self, path: &Path) -> bool {
        self.root.find(path).is_some()
    }

    /// The value of `result`, or a recorded fault. The message is not shown where it repeats a part of a text that
    /// came from the environment.
    pub(crate) fn read<T>(&mut self, path: &Path, form: &str, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(message) => {
                let message = match self.root.find(path).map(|node| &node.value) {
                    Some(Value::Scalar(scalar)) if scalar.kind == Kind::Variable => {
                        let typed = quoted(scalar.typed());
                        match repeats(&message, &scalar.text) {
                            true => format!("what {typed} stands for is not valid here: it must be {form}"),
                            false => format!("what {typed} stands for is not valid here: {message}"),
                        }
                    }
                    _ => message,
                };
                self.fault(path, message);
                None
            }
        }
    }

    /// A duration in `least..=most` nanoseconds; `least` is 0 or 1.
    pub(crate) fn duration(&mut self, path: &Path, text: &str, least: u64, most: u64) -> Option<u64> {
        let ns = self.read(path, "a duration like `30s`", units::parse_duration(text))?;
        self.duration_in(path, ns, least, most)
    }

    /// The same for a duration that is already parsed.
    pub(crate) fn duration_in(&mut self, path: &Path, ns: u64, least: u64, most: u64) -> Option<u64> {
        if ns < least {
            self.fault(path, "must be longer than nothing: write a duration like `30s`");
        } else if ns > most {
            self.fault(path, format!("is too long: at most {} is possible", units::print_duration(most)));
        } else {
            return Some(ns);
        }
        None
    }
}

/// Whether `message` may tell something of `value`: all of it, or three characters in a row.
fn repeats(message: &str, value: &str) -> bool {
    let letters: Vec<char> = value.chars().collect();
    letters.windows(letters.len().clamp(1, 3)).any(|some| message.contains(&some.iter().collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_has_a_part_of_a_value_repeats_it() {
        assert!(
            repeats("write 500/s", "500") && repeats("write 5/s", "5") && repeats("`abcdef…`", "xabcdefg")
        );
        assert!(!repeats("not a rate", "fast") && !repeats("a host cannot contain ` `", "http://a b"));
        assert!(!repeats("is empty", ""));
    }
}
