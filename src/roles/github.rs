//! Detects GitHub Actions and appends to the job's summary. `report::github` draws the content.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The GitHub Actions job that this process runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    step_summary: Option<PathBuf>,
}

impl Job {
    /// The job described by the environment, if any.
    pub(crate) fn from_environment() -> Option<Self> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<Self> {
        (variable("GITHUB_ACTIONS")? == "true").then(|| Self {
            step_summary: variable("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from),
        })
    }

    /// Append `markdown` to the job's summary page.
    ///
    /// # Errors
    /// The variable and the system's error.
    pub(crate) fn summarise(&self, markdown: &str) -> Result<(), String> {
        let Some(path) = &self.step_summary else { return Ok(()) };
        append(path, markdown)
            .map_err(|e| format!("GITHUB_STEP_SUMMARY {}: not written: {e}", path.display()))
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_means_a_job() {
        let job = |value: &'static str| {
            Job::from_variables(|name| match name {
                "GITHUB_ACTIONS" => Some(value.into()),
                _ => Some("/tmp/summary.md".into()),
            })
        };
        assert_eq!(job("true"), Some(Job { step_summary: Some("/tmp/summary.md".into()) }));
        assert_eq!((job("1"), job("")), (None, None));
        assert_eq!(Job::from_variables(|_| None), None);
    }
}
