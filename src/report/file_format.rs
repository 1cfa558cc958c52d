//! The forms of a result as a file.

/// A form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Every figure, for programs.
    Json,
    /// A page, for people.
    Html,
    /// JUnit XML, for CI systems.
    Junit,
    /// The timeline, for spreadsheets.
    Csv,
    /// An HdrHistogram interval log.
    Hlog,
}

/// Each format by the extension that chooses it.
pub const EXTENSIONS: [(&str, Format); 5] = [
    ("json", Format::Json),
    ("html", Format::Html),
    ("xml", Format::Junit),
    ("csv", Format::Csv),
    ("hlog", Format::Hlog),
];
