//! The path of a value in a plan: `scenarios[1].headers.Accept`.

use std::fmt;

/// Keys and list indices from the top; empty: the whole plan. A single key that begins with `-` is a
/// command-line flag, and `URL` is the positional argument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a mapping.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

impl Path {
    /// The path of a top-level key, or of a flag.
    pub(crate) fn of(key: &str) -> Self {
        Self::default().key(key)
    }

    /// One key further down.
    pub(crate) fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    /// One index further down.
    pub(crate) fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The last key, when the path ends in one.
    pub(crate) fn last_key(&self) -> Option<&str> {
        match self.0.last() {
            Some(Step::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// Whether this is a part of the command line.
    pub(crate) fn is_flag(&self) -> bool {
        matches!(self.0.as_slice(), [Step::Key(key)] if key.starts_with('-') || key == "URL")
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                // Keys are user input: nothing in them may reach a terminal raw.
                Step::Key(key) => {
                    let shown: String = key.chars().take(80).flat_map(printable).collect();
                    write!(f, "{}{shown}", if i == 0 { "" } else { "." })?;
                }
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn printable(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_default());
    let plain = if c.is_control() { None } else { Some(c) };
    escaped.into_iter().flatten().chain(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_people_write_it() {
        let path = Path::of("scenarios").index(1).key("headers").key("A\nB");
        assert_eq!(path.to_string(), "scenarios[1].headers.A\\nB");
        assert!(Path::of("-c").is_flag() && !path.is_flag());
    }
}
