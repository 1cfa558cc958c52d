//! The figures of a threshold in words.

use super::figures::Threshold;
use super::format;
use super::sanitize::one_line;
use crate::units::plural;

/// The measured value: `13.1 ms`, `0.42 %`, `499.8/s`; a dash without one.
pub(crate) fn measured(threshold: &Threshold) -> String {
    threshold.observed.map_or("–".to_owned(), |value| in_unit(&threshold.expression, value))
}

/// The measured value or, without one, the counts that decide.
pub(crate) fn so_far(threshold: &Threshold) -> String {
    match threshold.observed {
        Some(_) => measured(threshold),
        None => decided_by(threshold).unwrap_or_else(|| measured(threshold)),
    }
}

/// Value, limit, distance and reason, the same on every page: `262 ms, limit 250 ms, missed by 12.0 ms`.
pub(crate) fn account(threshold: &Threshold) -> String {
    let mut parts = vec![measured(threshold)];
    if let Some(observed) = threshold.observed {
        let by = in_unit(&threshold.expression, (observed - threshold.limit).abs());
        parts.push(format!("limit {}", in_unit(&threshold.expression, threshold.limit)));
        parts.extend(threshold.margin.filter(|margin| margin.is_finite()).map(|margin| match margin {
            m if m >= 0.0 => format!("{by} to spare"),
            _ => format!("missed by {by}"),
        }));
    }
    let figures = parts.join(", ");
    match threshold.reason.as_deref() {
        Some(reason) if threshold.observed.is_none() => one_line(reason),
        Some(reason) => format!("{figures}; {}", one_line(reason)),
        None if threshold.observed.is_none() => decided_by(threshold).unwrap_or(figures),
        None => figures,
    }
}

/// What decided a threshold whose figure the sample does not support: `0 of 60 requests over it`, `0 of 60 requests
/// failed`.
fn decided_by(threshold: &Threshold) -> Option<String> {
    let (over, of) = threshold.over.zip(threshold.requests)?;
    let what = if metric(&threshold.expression) == "error_rate" { "failed" } else { "over it" };
    Some(format!("{} of {} {what}", format::count(over), plural(of, "request")))
}

/// `value` in the unit of `expression`'s metric: a rate, a share, a count or a time.
fn in_unit(expression: &str, value: f64) -> String {
    match metric(expression) {
        "rate" => format::rate(value),
        "count" | "dropped" => format::count(value.round() as u64),
        metric if metric.ends_with("_rate") || metric.ends_with("_share") => format::percent(value),
        _ => format::time((value.max(0.0) * 1e9).round() as u64),
    }
}

/// Whether failed requests count against the threshold of this expression: those on the share of them, and those on a
/// percentile of all times.
pub(crate) fn judges_failures(expression: &str) -> bool {
    let left = expression.split(['<', '>', '=', '!']).next().unwrap_or_default();
    let of_ended_well = left.split([' ', ':']).any(|word| matches!(word, "ok" | "failed"));
    let metric = metric(expression);
    let is_percentile =
        metric == "median" || metric.strip_prefix('p').is_some_and(|p| p.parse::<f64>().is_ok());
    metric == "error_rate" || is_percentile && !of_ended_well
}

/// The metric of an expression, or of a time its statistic.
fn metric(expression: &str) -> &str {
    let left = expression.split(['<', '>', '=', '!']).next().unwrap_or_default();
    left.split([' ', ':']).rfind(|word| !word.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(expression: &str, observed: f64, limit: f64, margin: f64) -> Threshold {
        Threshold {
            expression: expression.to_owned(),
            scenario: None,
            limit,
            observed: Some(observed),
            margin: Some(margin),
            over: None,
            requests: None,
            result: "failed",
            reason: None,
        }
    }

    #[test]
    fn a_figure_is_given_in_the_unit_of_its_expression() {
        let check = |t: &Threshold, expected: &str| assert_eq!(account(t), expected);
        let late = threshold("Get users: p99 < 250ms", 0.262, 0.25, -0.048);
        check(&late, "262 ms, limit 250 ms, missed by 12.0 ms");
        check(&threshold("error_rate < 1%", 0.0042, 0.01, 0.58), "0.42 %, limit 1.00 %, 0.58 % to spare");
        check(&threshold("rate >= 495/s", 480.0, 495.0, -0.03), "480.0/s, limit 495.0/s, missed by 15.0/s");
        check(&threshold("dropped == 0", 7.0, 0.0, -1.0), "7, limit 0, missed by 7");
        check(&threshold("answered_share >= 99%", 1.0, 0.99, 0.01), "100 %, limit 99.0 %, 1.00 % to spare");
        check(&threshold("longest_gap < 2s", 3.0, 2.0, -0.5), "3.00 s, limit 2.00 s, missed by 1.00 s");
        let reason = Some("nothing was measured".to_owned());
        let unknown = Threshold { observed: None, margin: None, ..late };
        check(&Threshold { reason, ..unknown.clone() }, "nothing was measured");
        let decided = Threshold { over: Some(0), requests: Some(1_060), result: "passed", ..unknown };
        check(&decided, "0 of 1,060 requests over it");
        check(
            &Threshold { expression: "a: error_rate < 1%".to_owned(), ..decided },
            "0 of 1,060 requests failed",
        );
    }
}
