//! Parses `--report`: where a result goes, and in which format.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::report::Format;

/// One `--report`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) format: Format,
    path: Option<PathBuf>,
}

impl Report {
    /// The file; `None`: standard output.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => path.display().fmt(f),
            None => f.write_str("-"),
        }
    }
}

/// Parses a `--report`: a file by its extension, `-` as JSON on standard output.
pub(super) fn report(text: &str) -> Result<Report, String> {
    if text == "-" {
        return Ok(Report { format: Format::Json, path: None });
    }
    let path = PathBuf::from(text);
    match path.file_name().and_then(|name| Format::of_file(name.to_str()?)) {
        Some(format) => Ok(Report { format, path: Some(path) }),
        None => Err("the extension selects the format: write a name that ends in \
                     .json, .html, .xml (JUnit), .csv (timeline), .scenarios.csv or .hlog, or `-` for JSON on standard output"
            .to_owned()),
    }
}
