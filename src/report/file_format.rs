//! The forms of a result as a file.

/// A form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Every figure, for programs.
    Json,
    /// A page, for people.
    Html,
    /// JUnit XML, for CI systems.
    Junit,
    /// The timeline, for spreadsheets.
    Csv,
    /// All scenarios, for spreadsheets.
    ScenariosCsv,
    /// An HdrHistogram interval log.
    Hlog,
}

/// Each format by the extension that chooses it.
pub(crate) const EXTENSIONS: [(&str, Format); 6] = [
    ("json", Format::Json),
    ("html", Format::Html),
    ("xml", Format::Junit),
    ("csv", Format::Csv),
    ("scenarios.csv", Format::ScenariosCsv),
    ("hlog", Format::Hlog),
];

impl Format {
    /// The format that a file of this name has; of `a.scenarios.csv` the longer extension counts.
    pub(crate) fn of_file(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let has = |extension: &str| {
            let stem = name.strip_suffix(extension).and_then(|stem| stem.strip_suffix('.'));
            stem.is_some_and(|stem| !stem.is_empty())
        };
        let fitting = EXTENSIONS.iter().filter(|(extension, _)| has(extension));
        fitting.max_by_key(|(extension, _)| extension.len()).map(|(_, format)| *format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_extension_counts() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("a.scenarios.CSV", Some(Format::ScenariosCsv)),
            ("scenarios.csv", Some(Format::Csv)),
            ("a.b.json", Some(Format::Json)),
            (".csv", None),
            ("csv", None),
            ("a.txt", None),
        ] {
            assert_eq!(Format::of_file(name), format, "{name}");
        }
    }
}
