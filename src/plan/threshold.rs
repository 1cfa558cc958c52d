//! Parses thresholds like `p99 < 250ms` into a [`Threshold`].
//!
//! ```text
//! [scenario:] [service | ok | failed] metric  < | <= | > | >= | ==  limit
//! ```
//!
//! Evaluation is elsewhere.

use std::collections::BTreeSet;
use std::fmt;

use super::fault::{did_you_mean, quoted};
use super::limits::MAX_DURATION_NS;
use super::path::Path;
use super::plan_schema::Document;
use super::reader::PlanReader;
use super::threshold_guess;
use super::yaml::{Scalar, Value};
use crate::units;

/// The longest `abort_after`, in nanoseconds: as long as a run.
const MAX_ABORT_AFTER_NS: u64 = MAX_DURATION_NS;
/// What holds for `answered_share` in a plan with thresholds of which none is about time without an answer.
const DEFAULT_ANSWERED_SHARE: f64 = 0.99;
/// The highest quantile that can be asked for: it takes 100,000 responses to know it.
const HIGHEST_PERCENT: f64 = 99.99;

/// A figure of the measured time and its limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// As written in the plan.
    pub expression: String,
    /// Index of the scenario it is about; `None`: the whole run.
    pub scenario: Option<usize>,
    pub(crate) metric: Metric,
    /// How the figure must compare to the limit.
    pub(crate) comparison: Comparison,
    /// The limit: nanoseconds for times, a fraction for `error_rate`, requests per second for `rate`,
    /// otherwise a count.
    pub limit: f64,
    /// The run is stopped once it has failed for this many nanoseconds without a break.
    pub(crate) abort_after_ns: Option<u64>,
}

/// A figure that can have a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Metric {
    /// A time, and a statistic of its distribution.
    Time(Timing, Statistic),
    /// Failed ÷ (completed + failed). A dropped request is not an error of the target.
    ErrorRate,
    /// Successful exchanges per second of the measured time.
    Rate,
    /// Requests that were due and never sent.
    Dropped,
    /// Exchanges that ended, with any outcome.
    Count,
    /// 1 − outages ÷ measured time.
    AnsweredShare,
    /// The longest stretch in which a request waited and no byte of a good answer came.
    LongestGap,
}

/// Which time of which exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// Due to last byte of all: what a user feels.
    Response,
    /// Send to last byte of all: what the target did.
    Service,
    /// Due to last byte of those that ended well.
    Ok,
    /// Due to last byte, or deadline, of those that failed.
    Failed,
}

/// A statistic of a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Statistic {
    /// The value at this quantile, in 0..1.
    Quantile(f64),
    Mean,
    Max,
}

/// How a figure must compare to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}

impl Comparison {
    const SIGNS: [(&'static str, Self); 5] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("==", Self::Equal),
        ("<", Self::Below),
        (">", Self::Above),
    ];

    pub(crate) fn holds(self, observed: f64, limit: f64) -> bool {
        match self {
            Self::Below => observed < limit,
            Self::AtMost => observed <= limit,
            Self::Above => observed > limit,
            Self::AtLeast => observed >= limit,
            Self::Equal => observed == limit,
        }
    }

    /// Whether a growing figure can break the limit.
    pub(crate) fn is_upper_bound(self) -> bool {
        matches!(self, Self::Below | Self::AtMost | Self::Equal)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expression)
    }
}

/// The plan's thresholds, for scenarios called `names`; those with faults are left out.
pub(super) fn all<'a>(
    reader: &mut PlanReader<'_>,
    document: &'a Document,
    mut names: Vec<&'a str>,
) -> Vec<Threshold> {
    // A scenario with a fault is still known by its name.
    let typed = document.scenarios.iter().flatten().filter_map(|form| form.name.as_deref());
    let checked: BTreeSet<&str> = names.iter().copied().collect();
    names.extend(typed.filter(|name| !checked.contains(name)));
    let count = document.thresholds.as_ref().map_or(0, Vec::len);
    let each = (0..count).filter_map(|i| one(reader, &Path::of("thresholds").index(i), &names));
    let mut all: Vec<Threshold> = each.collect();
    let judges_time = |t: &Threshold| matches!(t.metric, Metric::AnsweredShare | Metric::LongestGap);
    if count > 0 && !all.iter().any(judges_time) {
        all.push(Threshold {
            expression: "answered_share >= 99%".to_owned(),
            scenario: None,
            metric: Metric::AnsweredShare,
            comparison: Comparison::AtLeast,
            limit: DEFAULT_ANSWERED_SHARE,
            abort_after_ns: None,
        });
    }
    all
}

fn one(reader: &mut PlanReader<'_>, at: &Path, names: &[&str]) -> Option<Threshold> {
    let text_at = |reader: &PlanReader<'_>, path: &Path| match &reader.root.find(path)?.value {
        Value::Scalar(Scalar { text, .. }) => Some(text.clone()),
        _ => None,
    };
    let long = at.key("expression");
    let (place, text) = match text_at(reader, at) {
        Some(text) => (at, text),
        None => (&long, text_at(reader, &long)?),
    };
    let threshold = reader.read(place, "a threshold like `p99 < 250ms`", parse(&text, names));
    let after = at.key("abort_after");
    let abort_after_ns = match text_at(reader, &after) {
        Some(text) => Some(reader.duration(&after, &text, 1, MAX_ABORT_AFTER_NS)?),
        None => None,
    };
    Some(Threshold { abort_after_ns, ..threshold? })
}

/// The threshold in `text`, for scenarios called `names`.
///
/// # Errors
/// What is wrong and what to write instead.
pub(crate) fn parse(text: &str, names: &[&str]) -> Result<Threshold, String> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err("a threshold stands on one line, like `p99 < 250ms`".to_owned());
    }
    let (scenario, rest) = scenario_of(text, names)?;
    let no_comparison = || format!("{} has no comparison: write one like `p99 < 250ms`", quoted(text));
    let (at, sign) = threshold_guess::signs(rest).ok_or_else(no_comparison)?;
    let (left, right) = (rest[..at].trim(), rest[at + sign.len()..].trim());
    let Some((sign, comparison)) = Comparison::SIGNS.into_iter().find(|(known, _)| *known == sign) else {
        return Err(unknown_comparison(sign, &text[..text.len() - rest.len()], left, right));
    };
    let metric = metric(left)?;
    if scenario.is_some() && matches!(metric, Metric::AnsweredShare | Metric::LongestGap) {
        return Err(format!("{} is about the whole run: leave out the scenario's name", quoted(left)));
    }
    if comparison == Comparison::Equal
        && matches!(metric, Metric::Time(..) | Metric::Rate | Metric::AnsweredShare | Metric::LongestGap)
    {
        let meant = format!("{}{left} {} {right}", &text[..text.len() - rest.len()], likely_bound(metric));
        return Err(format!(
            "{} is never exactly a figure: use `<` or `>`, like {}",
            quoted(left),
            quoted(&meant)
        ));
    }
    if right.is_empty() {
        return Err(format!("has no limit: write {}", quoted(&example(metric, sign))));
    }
    let limit = limit(metric, right)
        .map_err(|why| format!("limit {}: {why}, as in {}", quoted(right), quoted(&example(metric, sign))))?;
    if let Some(why) = impossible(metric, comparison, limit) {
        return Err(format!("{} {why}", quoted(text)));
    }
    let expression = text.to_owned();
    Ok(Threshold { expression, scenario, metric, comparison, limit, abort_after_ns: None })
}

/// The message for `sign` between `left` and `right`, behind the name of a scenario.
fn unknown_comparison(sign: &str, scenario: &str, left: &str, right: &str) -> String {
    let meant = |sign: &&&str| parse(&format!("{left} {sign} {right}"), &[]).is_ok();
    let example = match threshold_guess::signs_meant(sign).iter().find(meant) {
        Some(sign) => format!("{scenario}{left} {sign} {right}"),
        None => "p99 < 250ms".to_owned(),
    };
    format!(
        "{} is not a comparison: write `<`, `<=`, `>`, `>=` or `==`, like {}",
        quoted(sign),
        quoted(&example)
    )
}

/// The side on which a figure is mostly bounded.
fn likely_bound(metric: Metric) -> &'static str {
    if matches!(metric, Metric::Rate | Metric::AnsweredShare) { ">=" } else { "<=" }
}

/// Why no run can hold this, whatever the target does.
fn impossible(metric: Metric, comparison: Comparison, limit: f64) -> Option<&'static str> {
    let is_share = matches!(metric, Metric::ErrorRate | Metric::AnsweredShare);
    match comparison {
        Comparison::Below if limit <= 0.0 => {
            Some("can never hold: nothing is below zero, write `<=` or a larger limit")
        }
        Comparison::Above if is_share && limit >= 1.0 => {
            Some("can never hold: nothing is over 100 %, write `>=` or a smaller limit")
        }
        _ => None,
    }
}

/// The scenario before a colon, and the rest. Names may contain colons: the longest name that fits wins.
fn scenario_of<'a>(text: &'a str, names: &[&str]) -> Result<(Option<usize>, &'a str), String> {
    let after = |name: &str| text.strip_prefix(name)?.trim_start().strip_prefix(':').map(str::trim_start);
    let fits = names.iter().enumerate().filter_map(|(i, name)| Some((name.len(), i, after(name)?)));
    if let Some((_, i, rest)) = fits.max_by_key(|(length, ..)| *length) {
        return Ok((Some(i), rest));
    }
    let Some((name, _)) = text.rsplit_once(':') else { return Ok((None, text)) };
    let guess = nearest(name.trim(), names);
    let known: Vec<String> = names.iter().take(5).map(|name| quoted(name)).collect();
    let remedy = match guess.as_str() {
        "" if names.is_empty() => "; none has a name: give it one, or leave this one out".to_owned(),
        "" => format!("; scenarios: {}{}", known.join(", "), if names.len() > 5 { ", …" } else { "" }),
        guess => guess.to_owned(),
    };
    Err(format!("there is no scenario {}{remedy}", quoted(name.trim())))
}

/// Scenario names may have capitals, so compare without case.
fn nearest(typed: &str, names: &[&str]) -> String {
    let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let guess = did_you_mean(typed, lower.iter().map(String::as_str));
    let found = lower.iter().position(|name| guess == format!(", did you mean `{name}`?"));
    found.map_or(guess, |i| format!(", did you mean {}?", quoted(names[i])))
}

fn metric(text: &str) -> Result<Metric, String> {
    known_metric(text)?.ok_or_else(|| unknown_metric(text))
}

/// The figure called `text`, if there is one.
fn known_metric(text: &str) -> Result<Option<Metric>, String> {
    let (timing, word) = match text.split_once(char::is_whitespace) {
        Some(("service", word)) => (Some(Timing::Service), word.trim_start()),
        Some(("response", word)) => (Some(Timing::Response), word.trim_start()),
        Some(("ok", word)) => (Some(Timing::Ok), word.trim_start()),
        Some(("failed", word)) => (Some(Timing::Failed), word.trim_start()),
        _ => (None, text),
    };
    let statistic = match word {
        "mean" => Some(Statistic::Mean),
        "max" => Some(Statistic::Max),
        "median" => Some(Statistic::Quantile(0.5)),
        _ => percentile(word)?.map(Statistic::Quantile),
    };
    Ok(Some(match (statistic, timing, word) {
        (Some(statistic), timing, _) => Metric::Time(timing.unwrap_or(Timing::Response), statistic),
        (None, None, "error_rate") => Metric::ErrorRate,
        (None, None, "rate") => Metric::Rate,
        (None, None, "dropped") => Metric::Dropped,
        (None, None, "count") => Metric::Count,
        (None, None, "answered_share") => Metric::AnsweredShare,
        (None, None, "longest_gap") => Metric::LongestGap,
        _ => return Ok(None),
    }))
}

/// The words of a threshold, but for percentiles.
pub(crate) const THRESHOLD_WORDS: [&str; 13] = [
    "mean",
    "max",
    "median",
    "error_rate",
    "rate",
    "dropped",
    "count",
    "answered_share",
    "longest_gap",
    "service",
    "response",
    "ok",
    "failed",
];

fn unknown_metric(text: &str) -> String {
    if matches!(text, "ok" | "failed" | "service" | "response") {
        return format!(
            "{} needs a figure after it, like `{text} p99 < 250ms`; the share of failed requests is `error_rate`",
            quoted(text)
        );
    }
    let word = text.split_once(char::is_whitespace).map_or(text, |(_, word)| word.trim_start());
    let meant = threshold_guess::figure(text, &|guess| matches!(known_metric(guess), Ok(Some(_))));
    let guess = meant.map_or_else(
        || did_you_mean(word, THRESHOLD_WORDS),
        |meant| format!(", did you mean {}?", quoted(&meant)),
    );
    let remedy = match guess.as_str() {
        "" => {
            "; there are percentiles (p1 to p99.99), median, mean and max (after `service`, `ok` or `failed` those of the \
             service time, of requests that ended well, or that failed), error_rate, rate, dropped, count, \
             answered_share, longest_gap"
        }
        guess => guess,
    };
    format!("{} is not a known figure{remedy}", quoted(text))
}

/// The quantile of `p99.9`; `None` for other text.
fn percentile(word: &str) -> Result<Option<f64>, String> {
    let Some(digits) = word.strip_prefix('p').filter(|d| d.starts_with(|c: char| c.is_ascii_digit())) else {
        return Ok(None);
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match digits.parse::<f64>().ok().filter(|_| plain) {
        Some(percent) if percent > 0.0 && percent <= HIGHEST_PERCENT => {
            // Rounded to the number that was written: 99.9 / 100 is not 0.999.
            Ok(Some((percent * 1e6).round() / 1e8))
        }
        Some(_) => Err(format!(
            "{} is not possible: write a percentile from p1 to p{HIGHEST_PERCENT}, or max",
            quoted(word)
        )),
        None => Err(format!("{} is not a percentile: write one like p95 or p99.9", quoted(word))),
    }
}

fn limit(metric: Metric, text: &str) -> Result<f64, String> {
    match metric {
        Metric::Time(..) | Metric::LongestGap => units::parse_duration(text).map(|ns| ns as f64),
        Metric::Rate => units::parse_rate(text),
        Metric::Dropped | Metric::Count => units::parse_count(text).map(|n| n as f64),
        Metric::ErrorRate | Metric::AnsweredShare => {
            // `1` may be meant as 1 % or as all: only what can be nothing else is a fraction.
            let is_fraction = |share: &f64| *share < 1.0 && text.starts_with(|c: char| c.is_ascii_digit());
            let fraction = || text.parse::<f64>().ok().filter(is_fraction);
            let share = units::parse_percent(text).or_else(|why| fraction().ok_or(why))?;
            if share <= 1.0 {
                Ok(share)
            } else {
                Err("over 100 %: write a percentage or a fraction".to_owned())
            }
        }
    }
}

fn example(metric: Metric, sign: &str) -> String {
    match metric {
        Metric::Time(..) => format!("p99 {sign} 250ms"),
        Metric::Rate => format!("rate {sign} 495/s"),
        Metric::Dropped => format!("dropped {sign} 0"),
        Metric::Count => format!("count {sign} 1000"),
        Metric::ErrorRate => format!("error_rate {sign} 1%"),
        Metric::AnsweredShare => format!("answered_share {sign} 99%"),
        Metric::LongestGap => format!("longest_gap {sign} 2s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["Get users", "a", "a: b", "x < y"];

    fn read(text: &str) -> (Option<usize>, Metric, Comparison, f64) {
        let t = parse(text, &NAMES).unwrap_or_else(|why| panic!("{text}: {why}"));
        (t.scenario, t.metric, t.comparison, t.limit)
    }

    #[test]
    fn thresholds_are_read_as_people_write_them() {
        use Comparison::*;
        let p = |q| Metric::Time(Timing::Response, Statistic::Quantile(q));
        assert_eq!(read("p99 < 250ms"), (None, p(0.99), Below, 250e6));
        assert_eq!(read("  p99.9<=1.5s "), (None, p(0.999), AtMost, 1.5e9));
        assert_eq!(read("error_rate < 1%"), (None, Metric::ErrorRate, Below, 0.01));
        assert_eq!(read("error_rate == 0"), (None, Metric::ErrorRate, Equal, 0.0));
        assert_eq!(read("error_rate <= 0.005"), (None, Metric::ErrorRate, AtMost, 0.005));
        assert_eq!(read("rate >= 495/s"), (None, Metric::Rate, AtLeast, 495.0));
        assert_eq!(read("dropped == 0"), (None, Metric::Dropped, Equal, 0.0));
        assert_eq!(read("count > 1k"), (None, Metric::Count, Above, 1000.0));
        let service = Metric::Time(Timing::Service, Statistic::Max);
        assert_eq!(read("service max < 20ms"), (None, service, Below, 20e6));
        assert_eq!(read("response mean < 20ms").1, Metric::Time(Timing::Response, Statistic::Mean));
    }

    #[test]
    fn of_scenarios_whose_names_fit_the_longest_is_meant() {
        assert_eq!(read("Get users: p95 < 100ms").0, Some(0));
        assert_eq!(read("a: p95 < 100ms").0, Some(1));
        assert_eq!(read("a: b: p95 < 100ms").0, Some(2));
        assert_eq!(read("a: b : service p95 < 100ms").0, Some(2));
        assert_eq!(read("x < y: p95 < 100ms").0, Some(3));
    }

    #[test]
    fn a_refused_threshold_says_what_to_write() {
        let cases = [
            ("", "has no comparison: write one like `p99 < 250ms`"),
            ("p99", "has no comparison"),
            ("p99 < 250", "write 250s or 250ms"),
            ("p99 <", "write `p99 < 250ms`"),
            ("p99 < fast", "as in `p99 < 250ms`"),
            (
                "p99 = 250ms",
                "`=` is not a comparison: write `<`, `<=`, `>`, `>=` or `==`, like `p99 <= 250ms`",
            ),
            ("Get users: p99 <> 250ms", "`<>` is not a comparison"),
            ("rate != 5/s", "like `rate < 5/s`"),
            ("dropped = 0", "like `dropped == 0`"),
            ("error_rate =< 1%", "like `error_rate <= 1%`"),
            ("p99 ≤ 1s", "like `p99 <= 1s`"),
            ("p99 <> fast", "like `p99 < 250ms`"),
            ("p99 == 250ms", "use `<` or `>`, like `p99 <= 250ms`"),
            ("Get users: rate == 5/s", "like `Get users: rate >= 5/s`"),
            ("P95 < 1s", "`P95` is not a known figure, did you mean `p95`?"),
            ("p(95) < 1s", "did you mean `p95`?"),
            ("avg < 1s", "did you mean `mean`?"),
            ("service Max < 1s", "did you mean `service max`?"),
            ("latency p95 < 1s", "did you mean `p95`?"),
            ("errors < 1%", "did you mean `error_rate`?"),
            ("p99 < 10 s", "write 10s"),
            ("p100 < 1s", "or max"),
            ("p0 < 1s", "p1 to p99.99"),
            ("p9x < 1s", "not a percentile"),
            ("rate > 500", "write 500/s"),
            ("error_rate < 5", "write 5%"),
            ("error_rate < 105%", "over 100 %"),
            ("error_rate < -1", "not a share"),
            ("error_rate < 1", "write 1%"),
            ("eror_rate < 1%", "did you mean `error_rate`?"),
            ("service rate > 5/s", "not a known figure"),
            ("speed > 5", "there are percentiles (p1 to p99.99), median"),
            ("dropped < 1.5", "whole number"),
            ("get user: p99 < 1s", "there is no scenario `get user`, did you mean `Get users`?"),
            ("elephant: p99 < 1s", "scenarios: `Get users`, `a`"),
            ("p99 <\n 1s", "on one line"),
        ];
        for (text, remedy) in cases {
            let why = parse(text, &NAMES).unwrap_err();
            assert!(why.contains(remedy), "{text}: {why}");
        }
    }
}
