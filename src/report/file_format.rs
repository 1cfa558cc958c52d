//! The file formats of a report.

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

/// Each format with its file extension.
pub(crate) const EXTENSIONS: [(&str, Format); 6] = [
    ("json", Format::Json),
    ("html", Format::Html),
    ("xml", Format::Junit),
    ("csv", Format::Csv),
    ("scenarios.csv", Format::ScenariosCsv),
    ("hlog", Format::Hlog),
];

impl Format {
    /// What it is, for the help.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Json => "every figure, for programs; --report-schema prints its JSON Schema",
            Self::Html => "a page with charts, for people",
            Self::Junit => "JUnit, for CI systems: the run, each threshold and each scenario are cases",
            Self::Csv => "the timeline, a row for each second",
            Self::ScenariosCsv => "all scenarios, a row for each",
            Self::Hlog => "an HdrHistogram interval log: response times of each second",
        }
    }

    /// The format by file name; the longest matching extension wins, as in `a.scenarios.csv`.
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
