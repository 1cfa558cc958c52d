//! Generates `--help` and the README's table of flags.

use super::table::{FLAGS, Flag, Group, Kind};

/// The longest line, so that it fits a terminal and a code block.
const WIDTH: usize = 100;
/// The column at which the explanations begin.
const COLUMN: usize = 25;

const EXAMPLES: &str = "\
loadtester measures an HTTP API under load, and itself while it does.

Examples:
  loadtester --demo                                       look around: a target of its own
  loadtester http://127.0.0.1:8081/path -c 50 -d 30s      as fast as 50 connections go
  loadtester http://127.0.0.1:8081/path -r 1000 -d 30s    1000 requests a second, come what may
  loadtester --plan loadplan.yaml --report result.json    several scenarios, from a file
  loadtester --plan loadplan.yaml --check                 is the plan right?
";

const EXIT_CODES: &str = "\
Exit codes:
  0    passed; without thresholds and baseline: at least one request ended ok
  1    a threshold does not hold, a figure is worse than in the baseline, or no request ended ok
  2    bad usage or bad plan
  3    the run could not be carried out, or no connection was ever established
  4    the measurement can not support a verdict
  130  interrupted; what was measured is still printed and written
";

/// The three lines shown when there is nothing to do.
pub(super) const SHORT: &str = "  loadtester --plan loadplan.yaml
  loadtester http://127.0.0.1:8081/path -c 50 -d 30s
  loadtester --demo";

/// The text of `--help`: examples, flags by purpose, exit codes; at most 100 columns wide.
pub fn help() -> String {
    let mut text = EXAMPLES.to_owned();
    for group in Group::ALL {
        text += &format!("\n{}:\n", group.title());
        for flag in FLAGS.iter().filter(|flag| flag.group == group) {
            text += &entry(flag);
        }
    }
    text + "\n" + EXIT_CODES
}

fn entry(flag: &Flag) -> String {
    let mut left = format!("  {}", typed(flag));
    let mut text = flag.help.to_owned();
    if flag.kind == Kind::Repeatable {
        text += "; repeatable";
    }
    if !flag.default.is_empty() {
        text += &format!(" (default: {})", flag.default);
    }
    let mut lines = String::new();
    for word in text.split(' ') {
        if left.chars().count() + 1 + word.chars().count() > WIDTH {
            lines += left.trim_end();
            lines.push('\n');
            left.clear();
        }
        let padding = COLUMN.saturating_sub(left.chars().count());
        left += &" ".repeat(padding.max(1));
        left += word;
    }
    lines + &left + "\n"
}

fn typed(flag: &Flag) -> String {
    let alias = if flag.alias.is_empty() { String::new() } else { format!("{}, ", flag.alias) };
    let value = if flag.value.is_empty() { String::new() } else { format!(" {}", flag.value) };
    format!("{alias}{}{value}", flag.name)
}

/// The README's table of flags.
pub fn markdown_table() -> String {
    let mut text = "| flag | meaning | default |\n|---|---|---|\n".to_owned();
    for flag in &FLAGS {
        let again = if flag.kind == Kind::Repeatable { "; repeatable" } else { "" };
        text += &format!("| `{}` | {}{again} | {} |\n", typed(flag), flag.help, flag.default);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_and_names_every_flag_with_its_text() {
        let help = help();
        for line in help.lines() {
            assert!(line.chars().count() <= WIDTH && line == line.trim_end(), "{line:?}");
        }
        let words: Vec<&str> = help.split_whitespace().collect();
        for flag in &FLAGS {
            let shown = words.join(" ").contains(&format!("{} ", typed(flag)));
            assert!(shown && words.join(" ").contains(flag.help), "{}", flag.name);
        }
        assert!(help.starts_with("loadtester measures") && help.contains("Examples:"));
        assert!(help.trim_end().ends_with("written"), "exit codes come last");
    }

    #[test]
    fn the_markdown_table_has_a_row_of_three_cells_for_each_flag() {
        let table = markdown_table();
        assert_eq!(table.lines().count(), FLAGS.len() + 2);
        assert!(table.lines().all(|line| line.matches('|').count() == 4), "{table}");
    }
}
