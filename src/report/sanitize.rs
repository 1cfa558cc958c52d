//! Makes text from outside (a plan's names, a target's messages) safe to show.
//!
//! Escaping is up to each format.

use super::figures::public_source;
use crate::run::{RunInfo, TargetInfo};
pub(crate) use crate::text::one_line;

/// Units that stay on the line of their number.
const UNITS: [&str; 15] =
    ["%", "ns", "µs", "ms", "s", "min", "h", "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB"];

/// `text` with no-break spaces between numbers and units.
pub(crate) fn unbroken(text: &str) -> String {
    words(text).iter().map(|word| word.replace(' ', "\u{a0}")).collect::<Vec<_>>().join(" ")
}

/// The pieces of `text` between which a line may end: its words, units together with their numbers.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = Vec::new();
    let (mut from, mut at) = (0, 0);
    for word in text.split(' ') {
        let end = at + word.len();
        let unit = word.trim_end_matches(|c: char| ",;:.)]".contains(c));
        let follows_a_number = words.last().is_some_and(|last| last.ends_with(|c: char| c.is_ascii_digit()));
        if follows_a_number && UNITS.contains(&unit) {
            words.pop();
        } else {
            from = at;
        }
        words.push(&text[from..end]);
        at = end + 1;
    }
    words
}

/// The run's facts as single lines, without possible secrets.
pub(crate) fn run(run: &RunInfo) -> RunInfo {
    let scenarios = run.scenarios.iter().map(|(name, weight)| (one_line(name), *weight));
    let targets = run.targets.iter().map(|target| TargetInfo {
        name: one_line(&target.name),
        url: one_line(&public_source(&target.url)),
        ..target.clone()
    });
    RunInfo {
        targets: targets.collect(),
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
