//! Generates the help, by topic.

use super::layout::entry;
use super::table::{FLAGS, Flag, Group, Kind};
use super::topic::Topic;
use super::topics;

/// The column at which the explanations begin.
const COLUMN: usize = 25;
/// The same where flags have both their names.
const BRIEF_COLUMN: usize = 30;

/// What the program is.
pub(super) const SUMMARY: &str = "load-tests an HTTP API and reports its own measurement error";

/// Command lines and what they do.
pub(super) const EXAMPLES: [(&str, &str); 6] = [
    ("loadtester --demo", "a first look, with its own target"),
    ("loadtester localhost:8081/path -c 50 -d 30s", "as fast as 50 connections can"),
    ("loadtester localhost:8081/path -r 1000 -d 30s", "1000 requests per second"),
    ("loadtester loadplan.yaml --report result.json", "several scenarios"),
    ("loadtester loadplan.yaml --check", "check a plan, send nothing"),
    ("loadtester help plan", "explain the keys of a plan"),
];

/// The examples of the help that fits a screen.
const BRIEF_EXAMPLES: [(&str, &str); 3] = [
    ("loadtester localhost:8081/path -r 500 -d 30s", "500 requests a second"),
    ("loadtester loadplan.yaml --report result.html", "scenarios from a file"),
    ("loadtester --demo", "look around: a target of its own"),
];

/// Exit codes and what they say.
pub(super) const EXIT_CODES: [(&str, &str); 6] = [
    ("0", "passed; without thresholds and baseline: at least one request succeeded"),
    ("1", "a threshold failed, a figure is worse than in the baseline, or no request succeeded"),
    ("2", "bad usage or bad plan"),
    ("3", "the run could not be carried out, or no connection was ever made"),
    ("4", "the measurement cannot support a verdict"),
    ("130", "interrupted; the results so far are still printed and written"),
];

/// The three lines shown when there is nothing to do.
pub(super) const SHORT: &str = "  loadtester loadplan.yaml
  loadtester http://127.0.0.1:8081/path -c 50 -d 30s
  loadtester --demo";

/// The help on `topic`, at most 80 columns wide.
pub fn help(topic: Topic) -> String {
    match topic {
        Topic::Short => short(),
        Topic::All => all(),
        Topic::Flags => flags(),
        Topic::Plan => topics::plan(),
        Topic::Thresholds => topics::THRESHOLDS.to_owned(),
        Topic::Reports => topics::reports() + "\n" + &group(Group::Results),
        Topic::Fleet => topics::FLEET.to_owned() + "\n" + &group(Group::Fleet),
        Topic::ExitCodes => exit_codes(),
        Topic::Environment => topics::environment(),
    }
}

/// Examples, every flag, exit codes, and where the rest is.
fn all() -> String {
    let examples: String = EXAMPLES.iter().map(|(line, what)| entry(2, line, 49, what)).collect();
    let topics: Vec<&str> = Topic::names().filter(|name| *name != "all").collect();
    let topics = entry(0, "Topics of `loadtester help TOPIC`:", 35, &topics.join(", "));
    format!("loadtester {SUMMARY}.\n\nExamples:\n{examples}\n{}\n{}\n{topics}", flags(), exit_codes())
}

/// Examples and the flags that most people need, a line each: 23 lines, so that the prompt fits below.
fn short() -> String {
    let mut text = String::new();
    for (line, what) in BRIEF_EXAMPLES {
        text += &entry(0, line, 47, what);
    }
    for flag in FLAGS.iter().filter(|flag| !flag.brief.is_empty()) {
        text += &entry(2, &typed(flag), BRIEF_COLUMN, flag.brief);
    }
    let topics: Vec<&str> = Topic::names().collect();
    text + &format!("help TOPIC: {}\n", topics.join(" "))
}

fn flags() -> String {
    Group::ALL.map(group).join("\n")
}

/// The flags of one group, under its title.
fn group(group: Group) -> String {
    let flags = FLAGS.iter().filter(|flag| flag.group == group);
    let entries = flags.map(|flag| entry(2, &typed(flag), COLUMN, &explained(flag)));
    format!("{}:\n", group.title()) + &entries.collect::<String>()
}

fn exit_codes() -> String {
    let entries = EXIT_CODES.iter().map(|(code, what)| entry(2, code, 7, what));
    "Exit codes:\n".to_owned() + &entries.collect::<String>()
}

/// What the flag does, whether it may be repeated, and its default.
pub(super) fn explained(flag: &Flag) -> String {
    let default =
        if flag.default.is_empty() { String::new() } else { format!(" (default: {})", flag.default) };
    explained_without_default(flag) + &default
}

/// What the flag does, and whether it may be repeated.
pub(super) fn explained_without_default(flag: &Flag) -> String {
    let again = if flag.kind == Kind::Repeatable { "; repeatable" } else { "" };
    format!("{}{again}", flag.help)
}

/// `-c, --connections N`.
pub(super) fn typed(flag: &Flag) -> String {
    let names = flag.names().collect::<Vec<_>>().join(", ");
    if flag.value.is_empty() { names } else { format!("{names} {}", flag.value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::layout::WIDTH;

    #[test]
    fn every_topic_fits_the_width_and_says_something() {
        for (name, topic) in Topic::ALL {
            let help = help(topic);
            assert!(help.lines().count() > 5 && help.ends_with('\n'), "{name}");
            for line in help.lines() {
                assert!(line.chars().count() <= WIDTH && line == line.trim_end(), "{name}: {line:?}");
            }
        }
    }

    #[test]
    fn the_short_help_fits_a_screen_with_examples_first() {
        let help = help(Topic::Short);
        assert!(help.lines().count() < 24, "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= WIDTH), "{help}");
        assert!(help.starts_with("loadtester localhost"), "{help}");
        let flags = FLAGS.iter().filter(|flag| help.contains(&typed(flag)));
        assert_eq!(flags.count(), 20, "{help}");
        assert!(Topic::names().all(|name| help.lines().last().unwrap().contains(name)), "{help}");
    }

    #[test]
    fn the_whole_help_names_every_flag_with_its_text() {
        let words: Vec<String> = help(Topic::All).split_whitespace().map(str::to_owned).collect();
        let help = words.join(" ");
        for flag in &FLAGS {
            let entry = format!("{} {}", typed(flag), explained(flag));
            assert!(help.contains(&entry), "{entry}");
        }
        assert!(help.contains("130 interrupted") && help.contains("Examples:"));
    }
}
