//! How a file of data is written.

use super::csv::Dialect;

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FileForm<'a> {
    Csv(Dialect, Option<&'a [String]>),
    JsonLines,
}
