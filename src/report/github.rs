//! Output for GitHub Actions: annotations as workflow commands, and a job summary in Markdown.
//!
//! In both formats a stray character can be an instruction, and names come from plans, so everything is
//! escaped.

use super::compared;
use super::figures::{InstrumentFigures, Rate, Threshold, Totals, Verdict};
use super::format::{count, percent, rate as per_second, time};
use super::headline::{Headline, Tone};
use super::sanitize::{self, one_line};
use super::{scenario_rows, threshold};
use crate::run::Snapshot;
use crate::tally::{Row, RowCounter, RowTime, quantile};
use crate::verdict::baseline::Change;
use crate::verdict::threshold::Outcome as Gate;

/// Title of every annotation.
const TITLE: &str = "loadtester";
/// Scenarios in the job summary, which is limited to 1 MiB.
const MOST_SCENARIOS: usize = 100;

/// Workflow commands, one per line: errors for what failed or is inconclusive, warnings for failed requests
/// and for each reason to doubt the measurement, a notice for a passed baseline comparison.
pub fn annotations(snapshot: &Snapshot, instrument: &InstrumentFigures, thresholds: &[Threshold]) -> String {
    let headline = Headline::of(snapshot, instrument);
    let mut text = String::new();
    if Verdict::of(snapshot, instrument) != Verdict::Passed {
        text += &command("error", &format!("{}: {}", headline.word, headline.but));
    }
    for t in thresholds.iter().filter(|t| t.result != "passed") {
        text += &command("error", &unmet(t));
    }
    if let (Some(against), Some(compared)) = (snapshot.run.baseline.as_deref(), snapshot.comparison()) {
        let level = if compared.outcome == Gate::Passed { "notice" } else { "error" };
        let answer = compared.reason.clone().unwrap_or_else(|| compared::answer(against, &compared));
        let to = compared::against(against);
        text += &command(level, &format!("against {to}: {}, {answer}", compared.outcome.name()));
    }
    let totals = Totals::of(snapshot);
    if totals.failed > 0 {
        let share = percent(totals.failed as f64 / totals.due.max(1) as f64);
        text += &command("warning", &format!("{} requests failed ({share} of due)", count(totals.failed)));
    }
    for reason in &instrument.reasons {
        text += &command("warning", &format!("the measurement is not trustworthy: {reason}"));
    }
    text
}

fn unmet(t: &Threshold) -> String {
    format!("{} {}: {}", t.expression, t.result, threshold::account(t))
}

/// One workflow command. Its message may be any text, since `%` and line feeds are percent-encoded.
fn command(level: &str, message: &str) -> String {
    let message = one_line_each(message).replace('%', "%25").replace('\n', "%0A");
    format!("::{level} title={TITLE}::{message}\n")
}

/// [`one_line`] applied to each line.
fn one_line_each(text: &str) -> String {
    text.lines().map(one_line).collect::<Vec<_>>().join("\n")
}

/// The job summary: verdict, figures, thresholds, scenarios.
pub fn summary(snapshot: &Snapshot, instrument: &InstrumentFigures, thresholds: &[Threshold]) -> String {
    let (headline, run) = (Headline::of(snapshot, instrument), sanitize::run(&snapshot.run));
    let mark = match headline.tone {
        Tone::Good => "✅",
        Tone::Warn => "⚠️",
        Tone::Bad => "❌",
    };
    let but = if headline.but.is_empty() { String::new() } else { format!(" ({})", headline.but) };
    let mut text = format!("### {mark} loadtester: {}{but}\n\n", headline.word);
    if let Some(name) = &run.plan_name {
        text += &format!("**{}** · ", cell(name));
    }
    text += &format!("{} · {} model · {}\n\n", cell(&run.target), run.model, headline.trust);
    for reason in &instrument.reasons {
        text += &format!("- {}\n", cell(reason));
    }
    if !instrument.reasons.is_empty() {
        text.push('\n');
    }
    if !thresholds.is_empty() {
        let rows = thresholds
            .iter()
            .map(|t| vec![cell(&t.expression), t.result.to_owned(), cell(&threshold::account(t))]);
        text += &table(&["threshold", "result", "figure"], rows);
    }
    text += &baseline(snapshot);
    text += &scenarios(snapshot, &run.scenarios);
    let rate = Rate::of(snapshot).achieved.map_or("–".to_owned(), per_second);
    text + &format!("Answered well: {rate} over {}. Seed {}.\n", time(snapshot.measured_ns), run.seed)
}

/// Every change that is significant or undecided, and all of the whole run.
fn baseline(snapshot: &Snapshot) -> String {
    let (Some(against), Some(compared)) = (snapshot.run.baseline.as_deref(), snapshot.comparison()) else {
        return String::new();
    };
    let limit = against.max_regression;
    let tells = |c: &&Change| c.significant || c.is_undecided(limit) || c.scenario.is_none();
    let shown = compared.changes.iter().filter(tells);
    let rows: Vec<Vec<String>> = shown
        .map(|change| {
            let [before, now] = compared::values(change);
            let meaning = compared::meaning(change, limit);
            let whose = cell(&compared::whose(change));
            vec![whose, change.figure.name().to_owned(), before, now, compared::moved(change), meaning]
        })
        .collect();
    let words = format!("{}: {}", compared.outcome.name(), compared::answer(against, &compared));
    let mut text = format!("Against {}: {words}.\n\n", cell(&compared::against(against)));
    for remark in compared::remarks(against, &compared) {
        text += &format!("- {}\n\n", cell(&remark));
    }
    if !rows.is_empty() {
        text += &table(&["scenario", "figure", "then", "now", "change", "meaning"], rows);
    }
    text
}

fn scenarios(snapshot: &Snapshot, named: &[(String, u32)]) -> String {
    let row = |name: &str, s: &[&Row]| {
        let sum = |n: fn(&Row) -> u64| s.iter().map(|s| n(s)).sum::<u64>();
        let mut response = crate::tally::Histogram::new();
        s.iter().for_each(|s| response.merge(&s.times(RowTime::Response)));
        let at = |q| quantile::percentile(&response, q).map_or("–".to_owned(), time);
        let [ok, failed, dropped] =
            [sum(Row::completed), sum(Row::failed), sum(|s| s.counter(RowCounter::Dropped))];
        vec![cell(name), count(ok), count(failed), count(dropped), at(0.5), at(0.9), at(0.99)]
    };
    let tallies: Vec<&Row> = snapshot.tally.rows().iter().collect();
    let chosen = scenario_rows::choose(snapshot, MOST_SCENARIOS);
    let rows = chosen.shown.iter().map(|place| row(&named[*place].0, &tallies[*place..=*place]));
    let mut rows: Vec<Vec<String>> = rows.collect();
    if !chosen.rest.is_empty() {
        let rest: Vec<&Row> = chosen.rest.iter().map(|place| tallies[*place]).collect();
        rows.push(row(&format!("{} more", count(rest.len() as u64)), &rest));
    }
    if tallies.len() > 1 {
        rows.push(row("all", &tallies));
    }
    table(&["scenario", "ok", "failed", "dropped", "p50", "p90", "p99"], rows)
}

fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<String> = header.iter().map(|h| (*h).to_owned()).collect();
    let mut text = line(&header) + "|---" + &"|--:".repeat(header.len() - 1) + "|\n";
    text.extend(rows.into_iter().map(|row| line(&row)));
    text + "\n"
}

/// Text as one table cell without markup: Markdown's and HTML's punctuation becomes character references.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for c in one_line(text).chars() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '(' | ')' | '#' | '!' | '|'
            | '&' | '~' | '@' | '$' | '"' => cell += &format!("&#{};", c as u32),
            c => cell.push(c),
        }
    }
    cell
}
