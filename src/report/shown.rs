//! Words from outside (a plan's names, a target's words), made safe to show.
//!
//! What stays out: escaping, which is each format's own.

use super::RunInfo;
use super::figures::public_source;

/// `text` as one harmless line: control characters, those that change the writing direction, and those
/// that XML does not know become `?`.
pub fn harmless(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let harms = |c: char| c.is_control() || turns(c) || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if harms(c) { '?' } else { c }).collect()
}

/// The run's words, harmless and without what may be secret.
pub fn run(run: &RunInfo) -> RunInfo {
    let scenarios = run.scenarios.iter().map(|(name, weight)| (harmless(name), *weight));
    RunInfo {
        plan_name: run.plan_name.as_deref().map(harmless),
        plan_source: harmless(&public_source(&run.plan_source)),
        target: harmless(&public_source(&run.target)),
        scenarios: scenarios.collect(),
        ..run.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_drive_the_terminal() {
        assert_eq!(harmless("a\x1b[31m\r\nb\u{202e}c\u{ffff}"), "a?[31m??b?c?");
    }
}
