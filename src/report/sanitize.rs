//! Makes text from outside (a plan's names, a target's messages) safe to show.
//!
//! Escaping is up to each format.

use super::figures::public_source;
use crate::run::RunInfo;
pub(crate) use crate::text::one_line;

/// Units that stay on the line of their number.
const UNITS: [&str; 15] =
    ["%", "ns", "µs", "ms", "s", "min", "h", "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB"];

/// `text` with no-break spaces between numbers and units.
pub(crate) fn unbroken(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for word in text.split_inclusive(' ') {
        let unit = word.trim_end_matches(|c: char| c == ' ' || ",;:.)]".contains(c));
        if UNITS.contains(&unit)
            && kept.ends_with(' ')
            && kept[..kept.len() - 1].ends_with(|c: char| c.is_ascii_digit())
        {
            kept.pop();
            kept.push('\u{a0}');
        }
        kept += word;
    }
    kept
}

/// The run's facts as single lines, without possible secrets.
pub(crate) fn run(run: &RunInfo) -> RunInfo {
    let scenarios = run.scenarios.iter().map(|(name, weight)| (one_line(name), *weight));
    RunInfo {
        plan_name: run.plan_name.as_deref().map(one_line),
        plan_source: one_line(&public_source(&run.plan_source)),
        target: one_line(&public_source(&run.target)),
        base_url: one_line(&public_source(&run.base_url)),
        scenarios: scenarios.collect(),
        labels: run.labels.iter().map(|(name, value)| (one_line(name), one_line(value))).collect(),
        ..run.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_keeps_its_unit() {
        let text = "1.00 ms is the limit, s of 12 s. (busy 99.0 %), 3 min 5 s in 30 periods";
        let kept = "1.00\u{a0}ms is the limit, s of 12\u{a0}s. (busy 99.0\u{a0}%), 3\u{a0}min 5\u{a0}s in 30 periods";
        assert_eq!(unbroken(text), kept);
    }
}
